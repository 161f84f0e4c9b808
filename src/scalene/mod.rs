//! Everything that knows Scalene.
//!
//! Owns: which versions are supported and what each can do, its command line, the launcher
//! that hands arguments over untouched, the environment it wants, its JSON document.

mod convert;
mod json;
mod parse;
mod repair;

pub use convert::Parsed;
pub use parse::{ParseError, parse};
