//! Profiles Python programs with Scalene and answers questions about the profiles.

pub mod analysis;
pub mod answer;
pub mod process;
pub mod profile;
pub mod scalene;
