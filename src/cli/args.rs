//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::exit;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::recording::{Guard, Settings};
use crate::sandbox::{Mode, Policy};

const ABOUT: &str = "\
Profiles Python programs with Scalene, for AI agents over MCP and for people in a shell.

Without a command it is an MCP server on standard input and output: put its path into the configuration of \
an MCP client. It finds the interpreter of the project it is asked about. Where that has no Scalene, a \
private copy is set up once in the user's cache folder; projects are never changed.";

const EXIT_CODES: &str = "\
Exit codes: 0 done (for `profile`: a profile was made, whatever the program's own exit code), \
1 failed (the reason and the next step are on standard error), 2 wrong usage.";

#[derive(Debug, Parser)]
#[command(name = "scalene-mcp", version, about = "Profiles Python programs with Scalene", long_about = ABOUT,
    after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    common: Common,
}

/// Options of every command.
#[derive(Debug, Args)]
struct Common {
    /// Interpreter, environment folder or version (`3.12`) for programs that name none
    #[arg(long, global = true, env = "SCALENE_MCP_PYTHON", value_name = "PYTHON")]
    python: Option<String>,

    /// Never install Scalene into a private overlay; use what the interpreter has
    #[arg(long, global = true, env = "SCALENE_MCP_NO_INSTALL", value_parser = clap::builder::FalseyValueParser::new())]
    no_install: bool,

    /// Folder for private overlays [default: scalene-mcp in the user's cache folder]
    #[arg(long, global = true, env = "SCALENE_MCP_CACHE_DIR", value_name = "DIR")]
    cache_dir: Option<PathBuf>,

    /// Sandbox of programs that ask for none: off, writes (they write to their temporary folder
    /// only) or strict (also no network, and they read the project, Python and the system only)
    #[arg(
        long,
        global = true,
        value_name = "MODE",
        default_value = "off",
        env = "SCALENE_MCP_SANDBOX"
    )]
    sandbox: Mode,

    /// The weakest sandbox that a client may ask for
    #[arg(
        long,
        global = true,
        value_name = "MODE",
        default_value = "off",
        env = "SCALENE_MCP_MIN_SANDBOX"
    )]
    min_sandbox: Mode,

    /// Only scripts, working directories and profiles in this folder (repeatable)
    #[arg(long = "root", global = true, value_name = "DIR")]
    roots: Vec<PathBuf>,

    /// Keep profiles in this folder, too: they are there when the server starts again
    #[arg(long, global = true, env = "SCALENE_MCP_STORE", value_name = "DIR")]
    store: Option<PathBuf>,

    /// Let programs see this variable although it looks like a credential (repeatable)
    #[arg(long, global = true, value_name = "NAME")]
    pass_env: Vec<String>,

    /// Level of the log on standard error: error, warn, info, debug, trace
    #[arg(
        long,
        global = true,
        env = "SCALENE_MCP_LOG",
        value_name = "LEVEL",
        default_value = "warn"
    )]
    log_level: String,
}

/// A command.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve MCP on standard input and output (the default)
    Serve,
    /// Profile a program and print a report
    Profile(Box<ProfileOptions>),
    /// Prepare Scalene for an interpreter ahead of time
    Setup(SetupOptions),
    /// Check that profiling works here (setting Scalene up if need be), and say what to do where not
    Doctor(DoctorOptions),
    /// Start a program confined: for the server's own use
    #[command(hide = true)]
    Confine(Box<ConfineOptions>),
}

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

/// Options of `profile`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("target").required(true), after_help = "Examples:
  scalene-mcp profile app.py -- --input data.csv
  scalene-mcp profile -m package.module
  scalene-mcp profile -c 'sum(i * i for i in range(10**7))'

Ctrl-C ends the program and keeps what was profiled so far; a second one kills it.")]
#[group(skip)]
pub(super) struct ProfileOptions {
    /// Python file to run
    #[arg(group = "target")]
    pub(super) script: Option<String>,

    /// Run a module, like `python -m`
    #[arg(short, long, group = "target", value_name = "MODULE")]
    pub(super) module: Option<String>,

    /// Run code given as text, like `python -c`
    #[arg(short, long, group = "target", value_name = "CODE")]
    pub(super) code: Option<String>,

    /// Print the answer as JSON instead of a report
    #[arg(long)]
    pub(super) json: bool,

    /// Profile CPU time only: about twice as quick
    #[arg(long)]
    pub(super) no_memory: bool,

    /// Profile the GPU too
    #[arg(long)]
    pub(super) gpu: bool,

    /// Collect call paths and report the heaviest
    #[arg(long)]
    pub(super) stacks: bool,

    /// Run the program once more, without Scalene, and report how often functions were called
    #[arg(long, conflicts_with = "json")]
    pub(super) count_calls: bool,

    /// Run the program once more, without any profiler, and report how long that takes
    #[arg(long, conflicts_with = "json")]
    pub(super) plain_run: bool,

    /// Profile libraries too
    #[arg(long)]
    pub(super) profile_all: bool,

    /// Only files whose path contains one of these fragments (comma separated)
    #[arg(long, value_name = "FRAGMENTS", default_value = "")]
    pub(super) profile_only: String,

    /// Not the files whose path contains one of these fragments (comma separated)
    #[arg(long, value_name = "FRAGMENTS", default_value = "")]
    pub(super) profile_exclude: String,

    /// Seconds between CPU samples
    #[arg(long, value_name = "SECONDS", default_value_t = 0.01)]
    pub(super) cpu_sampling_rate: f64,

    /// Seconds the program may run
    #[arg(long, value_name = "SECONDS", default_value_t = 3600.0)]
    pub(super) timeout: f64,

    /// MiB that all its processes together may hold until it is stopped, its profile kept [default: no limit]
    #[arg(long, value_name = "MIB")]
    pub(super) max_memory_mb: Option<u64>,

    /// Working directory of the program [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,

    /// File or folder that a sandboxed program may write (repeatable)
    #[arg(long, value_name = "PATH")]
    pub(super) writable: Vec<PathBuf>,

    /// File that the program reads as standard input; `-` for our own [default: empty]
    #[arg(long, value_name = "FILE")]
    pub(super) stdin: Option<PathBuf>,

    /// Arguments for the program
    #[arg(last = true, value_name = "ARGS")]
    pub(super) args: Vec<String>,
}

/// Options of `setup`.
#[derive(Debug, Args)]
pub(super) struct SetupOptions {
    /// Folder of the project whose interpreter is meant [default: the current one]
    #[arg(value_name = "PROJECT")]
    pub(super) project: Option<PathBuf>,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorOptions {
    /// Folder of the project whose interpreter is meant [default: the current one]
    #[arg(value_name = "PROJECT")]
    pub(super) project: Option<PathBuf>,

    /// Print the checks as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// What was typed, and what follows from it.
pub(super) struct Invocation {
    pub(super) arguments: Option<Command>,
    pub(super) settings: Settings,
    /// Folder of stored profiles.
    pub(super) store: Option<PathBuf>,
    pub(super) log_level: String,
}

/// What is to be done.
pub(super) enum Parsed {
    /// Become a confined program.
    Confine(Box<ConfineOptions>),
    /// Anything else.
    Run(Box<Invocation>),
}

/// Reads the command line. Wrong usage and `--help` end the process here, as clap does.
#[expect(clippy::exit, reason = "usage errors end before anything was started")]
pub(super) fn parse() -> Parsed {
    let matches = Arguments::command().get_matches();
    let from_env = |name: &str| matches.value_source(name) == Some(ValueSource::EnvVariable);
    let python_name = if from_env("python") { "SCALENE_MCP_PYTHON" } else { "--python" };
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let common = arguments.common;
    if let Some(Command::Confine(options)) = arguments.command {
        return Parsed::Confine(options);
    }
    let Some(cache_dir) = common.cache_dir.or_else(crate::recording::user_cache_dir) else {
        Arguments::command()
            .error(
                clap::error::ErrorKind::MissingRequiredArgument,
                "there is no home folder: pass --cache-dir",
            )
            .print()
            .unwrap_or_default();
        exit(2);
    };
    let settings = Settings {
        python: common.python.map(|python| (python, python_name)),
        cache_dir,
        allow_install: !common.no_install,
        guard: Guard {
            default: common.sandbox,
            least: common.min_sandbox,
            helper: std::env::current_exe().ok(),
            roots: roots(&common.roots),
            pass_env: common.pass_env,
        },
    };
    let log_level = common.log_level;
    let store = common.store.filter(|dir| !dir.as_os_str().is_empty());
    Parsed::Run(Box::new(Invocation { arguments: arguments.command, settings, store, log_level }))
}

/// Roots with links resolved. One that is missing is wrong usage: it must not count as none.
fn roots(typed: &[PathBuf]) -> Vec<PathBuf> {
    let real = typed.iter().map(|root| {
        let real = root.canonicalize().ok().filter(|real| real.is_dir());
        real.unwrap_or_else(|| {
            let problem = format!("--root: `{}` is not a folder", root.display());
            Arguments::command().error(clap::error::ErrorKind::ValueValidation, problem).exit()
        })
    });
    real.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn arguments_after_the_dashes_are_the_programs() {
        let typed = ["scalene-mcp", "profile", "a.py", "--json", "--", "--json", "-m", "--"];
        let parsed = Arguments::try_parse_from(typed).unwrap();
        let Some(Command::Profile(options)) = parsed.command else { panic!("not profile") };
        assert_eq!(options.script.as_deref(), Some("a.py"));
        assert!(options.json);
        assert_eq!(options.args, ["--json", "-m", "--"]);
        for typed in
            [&["scalene-mcp", "profile"][..], &["scalene-mcp", "profile", "a.py", "-m", "b"]]
        {
            assert!(Arguments::try_parse_from(typed).is_err(), "{typed:?}");
        }
    }
}
