//! What the stored source says: syntax, names and simple types, as far as rules need them.
//!
//! Owns the reading of Python source for [`super::rules`]; knows nothing of numbers. Everything
//! errs on the side of not knowing: a name that is bound twice to different things has no type.

mod calls;
mod loops;
mod names;
mod tree;
mod types;

pub(super) use names::Code;
pub(super) use tree::{Id, Tree, is_loop, parse_within_bounds};
pub(super) use types::Ty;
