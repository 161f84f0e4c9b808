//! What can be typed.

use std::path::PathBuf;
use std::process::exit;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::check::CheckOptions;
use super::config::ConfigOptions;
use super::confine::ConfineOptions;
use crate::recording::{EngineChoice, Guard, Settings};
use crate::sandbox::Mode;
use crate::server::{Options, Output, Toolset};

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

    /// Tools that are offered: core, all, or names with commas between them
    #[arg(
        long,
        global = true,
        value_name = "TOOLS",
        default_value = "all",
        env = "SCALENE_MCP_TOOLS"
    )]
    tools: Toolset,

    /// Run nothing: only profiles that are loaded or stored are explained
    #[arg(long, global = true)]
    read_only: bool,

    /// Form of answers: text, structured or both
    #[arg(long, global = true, value_name = "FORM", default_value = "both")]
    output: Output,

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
    /// Compare a script with a baseline, without a profiler: exit code 0 pass, 1 regression or different output, 2
    /// could not tell
    Check(Box<CheckOptions>),
    /// Prepare Scalene for an interpreter ahead of time
    Setup(SetupOptions),
    /// Check that profiling works here (setting Scalene up if need be), and say what to do where not
    Doctor(DoctorOptions),
    /// Put this server into the settings of an MCP client, or print what belongs there
    Config(Box<ConfigOptions>),
    /// Start a program confined: for the server's own use
    #[command(hide = true)]
    Confine(Box<ConfineOptions>),
}

impl Command {
    /// Its name, if it runs programs or installs something: what `--read-only` rules out. `doctor` says whether that
    /// would work.
    pub(super) fn running(&self) -> Option<&'static str> {
        match self {
            Self::Profile(_) => Some("profile"),
            Self::Check(_) => Some("check"),
            Self::Setup(_) => Some("setup"),
            Self::Serve | Self::Doctor(_) | Self::Config(_) | Self::Confine(_) => None,
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
    /// Run it so many times, 1 to 10, and report the means with their intervals
    #[arg(long, value_name = "RUNS", default_value_t = 1)]
    pub(super) repeat: usize,

    /// Who measures: auto (Scalene, the sampler where it cannot run), scalene, or sampler (nothing is installed, time only)
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub(super) engine: EngineChoice,

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

    #[command(flatten)]
    pub(super) part: super::part::PartOptions,

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
    /// What the server offers.
    pub(super) options: Options,
    /// Folder of stored profiles.
    pub(super) store: Option<PathBuf>,
    pub(super) log_level: String,
}

/// What is to be done.
pub(super) enum Parsed {
    /// Become a confined program.
    Confine(Box<ConfineOptions>),
    /// Configure a client; with the options for the server.
    Config(Box<ConfigOptions>, Vec<String>),
    /// Anything else.
    Run(Box<Invocation>),
}

/// Reads the command line. Wrong usage and `--help` end the process here, as clap does.
#[expect(clippy::exit, reason = "usage errors end before anything was started")]
pub(super) fn parse() -> Parsed {
    let matches = Arguments::command().try_get_matches().unwrap_or_else(|error| refuse(&error));
    let from_env = |name: &str| matches.value_source(name) == Some(ValueSource::EnvVariable);
    let python_name = if from_env("python") { "SCALENE_MCP_PYTHON" } else { "--python" };
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let common = arguments.common;
    if let Some(Command::Confine(options)) = arguments.command {
        return Parsed::Confine(options);
    }
    if let Some(Command::Config(options)) = arguments.command {
        roots(&common.roots);
        let server = for_server(&matches, &options.server).unwrap_or_else(|error| error.exit());
        return Parsed::Config(options, server);
    }
    let Some(cache_dir) = common.cache_dir.or_else(crate::recording::user_cache_dir) else {
        Arguments::command()
            .error(ErrorKind::MissingRequiredArgument, "there is no home folder: pass --cache-dir")
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
    let options =
        Options { tools: common.tools, read_only: common.read_only, output: common.output };
    let arguments = arguments.command;
    Parsed::Run(Box::new(Invocation { arguments, settings, options, store, log_level }))
}

/// Prints help or what is wrong, and ends. For `check` the usual code of wrong usage means something else.
#[expect(clippy::exit, reason = "usage errors end before anything was started")]
fn refuse(error: &clap::Error) -> ! {
    let of_check = std::env::args().any(|argument| argument == "check");
    if of_check && error.exit_code() != 0 {
        let _ = error.print();
        exit(super::check::FAILURE.into());
    }
    error.exit()
}

/// Options for the server, from before and after `--`. The server would not start with wrong ones.
fn for_server(matches: &ArgMatches, after: &[String]) -> Result<Vec<String>, clap::Error> {
    let command = Arguments::command;
    let as_server = |words: &[String]| {
        command()
            .try_get_matches_from(std::iter::once("scalene-mcp".to_owned()).chain(words.to_vec()))
    };
    let typed = |matches: &ArgMatches| {
        super::config::typed(&command(), matches)
            .map_err(|why| command().error(ErrorKind::InvalidUtf8, why))
    };
    let after = as_server(after)?;
    if after.subcommand_name().is_some_and(|name| name != "serve") {
        let why = "after `--` only options of the server can stand";
        return Err(command().error(ErrorKind::InvalidSubcommand, why));
    }
    let all = [typed(matches)?, typed(&after)?].concat();
    as_server(&all)?;
    Ok(all)
}

/// Roots with links resolved. One that is missing is wrong usage: it must not count as none.
fn roots(typed: &[PathBuf]) -> Vec<PathBuf> {
    let real = typed.iter().map(|root| {
        let real = root.canonicalize().ok().filter(|real| real.is_dir());
        real.unwrap_or_else(|| {
            let problem = format!("--root: `{}` is not a folder", root.display());
            Arguments::command().error(ErrorKind::ValueValidation, problem).exit()
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
