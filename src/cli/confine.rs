//! `scalene-mcp confine`: becomes the program, confined. Hidden: the server starts it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::sandbox::{self, Mode, Policy};

/// Options of `confine`: a [`Policy`], and the program.
#[derive(Debug, Args)]
pub(super) struct ConfineOptions {
    /// Say only whether programs can be confined here
    #[arg(long)]
    pub(super) check: bool,

    #[arg(long, value_name = "MODE", default_value = "strict")]
    mode: Mode,

    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,

    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,

    #[arg(long, value_name = "NAME=VALUE")]
    loader_env: Vec<OsString>,

    #[arg(long, value_name = "STEM")]
    own_file: Vec<PathBuf>,

    /// Use no newer Landlock than this version
    #[arg(long, value_name = "VERSION")]
    landlock_at_most: Option<i32>,

    /// The program and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    pub(super) program: Vec<OsString>,
}

impl ConfineOptions {
    pub(super) fn policy(&self) -> Policy {
        Policy {
            mode: self.mode,
            read: self.read.clone(),
            write: self.write.clone(),
            loader_env: self.loader_env.clone(),
            own_files: self.own_file.clone(),
            landlock_at_most: self.landlock_at_most,
        }
    }
}

/// Returns only when the program was not started.
pub(super) fn run(options: &ConfineOptions) -> ExitCode {
    let refused = if options.check {
        match sandbox::check() {
            Ok(()) => return ExitCode::SUCCESS,
            Err(why) => why,
        }
    } else if let Some((program, args)) = options.program.split_first() {
        sandbox::become_confined(&options.policy(), Path::new(program), args)
    } else {
        sandbox::Unavailable("no program was named".to_owned())
    };
    eprintln!("{}{refused}", sandbox::REFUSED_MARK);
    ExitCode::from(sandbox::REFUSED)
}
