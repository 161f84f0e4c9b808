//! A value that is computed from its owner when first asked for.

use std::sync::OnceLock;

/// Computed once, then kept. Two owners that are equal derive equal values, so that the cell
/// itself never makes a difference.
#[derive(Debug, Clone)]
pub(super) struct Derived<T>(OnceLock<T>);

impl<T> Derived<T> {
    /// The value; `compute` runs at most once.
    pub(super) fn get(&self, compute: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(compute)
    }
}

impl<T> Default for Derived<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> PartialEq for Derived<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
