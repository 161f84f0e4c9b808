//! Profiles Python programs with Scalene and answers questions about the profiles.

pub mod analysis;
pub mod answer;
pub mod cli;
pub mod doctor;
pub mod process;
pub mod profile;
pub mod python;
pub mod recording;
pub mod scalene;
pub mod server;
pub mod store;
