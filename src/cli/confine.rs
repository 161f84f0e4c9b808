//! `scalene-mcp confine`: becomes the program, confined. Hidden: the server starts it.

use std::path::Path;
use std::process::ExitCode;

use super::args::ConfineOptions;
use crate::sandbox;

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
