//! Everything that knows Scalene.
//!
//! Owns: which versions are supported and what each can do, its command line, the launcher
//! that hands arguments over untouched, the environment it wants, its JSON document.

mod cli;
mod cli_v1;
mod cli_v2;
mod convert;
mod doubts;
mod environ;
mod files;
mod json;
mod launcher;
mod lines;
mod options;
mod parse;
mod repair;
mod scope;
mod split;
mod spread;
mod version;

pub use convert::Parsed;
pub use environ::{ScaleneInstall, allocator_files, environment};
pub use launcher::{
    BLOCKS, BLOCKS_MODULE, HIDDEN_FILE, LAUNCHER, LaunchError, LaunchFloor, LaunchMode,
    LaunchPhase, LaunchRequest, LaunchState, LaunchWindow, NO_BLOCKS, WINDOW,
};
pub use options::RecordOptions;
pub use parse::{ParseError, parse};
pub use scope::{Scope, ScopeRequest};
pub use version::{Adapter, UnsupportedVersion, Version};
