//! Options that are typed for the server, as they go into an entry.

use std::any::TypeId;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// The server's options among what was typed, one word each, paths made absolute: a client starts
/// the server wherever it likes. Options from environment variables are left out.
pub(crate) fn typed(command: &Command, matches: &ArgMatches) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    for arg in command.get_arguments().filter(|arg| arg.is_global_set()) {
        let id = arg.get_id().as_str();
        let (Some(long), Some(ValueSource::CommandLine)) =
            (arg.get_long(), matches.value_source(id))
        else {
            continue;
        };
        if !arg.get_action().takes_values() {
            words.push(format!("--{long}"));
            continue;
        }
        for value in matches.get_raw(id).into_iter().flatten() {
            words.push(format!("--{long}"));
            words.push(absolute(arg, value)?);
        }
    }
    Ok(words)
}

fn absolute(arg: &Arg, value: &OsStr) -> Result<String, String> {
    let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    // An interpreter may be a version, a name on PATH, or a path.
    let may_be = arg.get_id() == "python" && Path::new(value).exists();
    let whole = if is_path || may_be { std::path::absolute(value).ok() } else { None };
    let value = whole.as_ref().map_or(value, |path| path.as_os_str());
    value.to_str().map(str::to_owned).ok_or_else(|| {
        format!("`{}` is not UTF-8, which settings files are written in", value.display())
    })
}
