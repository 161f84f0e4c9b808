//! A place for what others worked out about a file, so that they need not do it twice.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A value computed at most once, of a type that this layer does not know.
///
/// It is no part of what was measured: a clone starts empty, and any two are equal.
#[derive(Default)]
pub struct Memo(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Memo {
    /// The value kept here, made now when there is none.
    ///
    /// A file has one user of its cell; where the cell holds another type, the value is made
    /// anew and not kept.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        let kept = Arc::clone(self.0.get_or_init(|| Arc::new(make())));
        kept.downcast().unwrap_or_else(|_| Arc::new(make()))
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Memo(full)" } else { "Memo(empty)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_and_not_cloned() {
        let memo = Memo::default();
        let made = std::cell::Cell::new(0);
        let make = || {
            made.set(made.get() + 1);
            7_u32
        };
        assert_eq!((*memo.get_or_make(make), *memo.get_or_make(make), made.get()), (7, 7, 1));
        assert_eq!((*memo.clone().get_or_make(make), made.get()), (7, 2));
        assert_eq!(*memo.get_or_make(|| "another type"), "another type");
    }
}
