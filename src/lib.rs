//! Profiles Python programs with Scalene and answers questions about the profiles.

pub mod process;
pub mod python;
