//! What a caller wants profiled, and whether that can be done at all.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::blocks::{self, BlockSpec};
use super::error::RecordError;
use super::function::FunctionCall;
use super::suite::Tests;
use super::window::Window;
use crate::profile::{Engine, is_notebook};
use crate::sandbox::Mode;

/// Bytes that a run may take on the disk below its temporary directory.
pub(super) const MOST_DISK: u64 = 4 << 30;

/// Runs that one profile may be the mean of.
pub(super) const MOST_RUNS: usize = 10;

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file, as typed.
    Script(String),
    /// A module, as after `-m`.
    Module(String),
    /// Code as text.
    Snippet(String),
    /// Calls of one function.
    Function(Box<FunctionCall>),
}

impl Target {
    /// A program as it is typed: a file, or `-m package.module`.
    pub fn typed(text: &str) -> Self {
        match text.trim_start().strip_prefix("-m ") {
            Some(module) => Self::Module(module.trim().to_owned()),
            None => Self::Script(text.to_owned()),
        }
    }

    /// The file that it names, as typed, and the parameter that does.
    pub fn file(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Script(path) => Some(("script_path", path)),
            Self::Function(call) => Some(("target", call.file()?)),
            Self::Module(_) | Self::Snippet(_) => None,
        }
    }
}

/// Who is to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// Scalene; the sampler where Scalene cannot run.
    #[default]
    Auto,
    /// Scalene or nobody.
    Scalene,
    /// The sampler alone: nothing is installed, the program runs by plain Python; times and waits, no memory.
    Sampler,
}

impl EngineChoice {
    /// It in a word, as calls name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Scalene => Engine::Scalene.word(),
            Self::Sampler => Engine::Sampler.word(),
        }
    }
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Auto, Self::Scalene, Self::Sampler];
        let found = all.into_iter().find(|engine| engine.word() == text);
        found.ok_or_else(|| format!("`{text}` is none of auto, scalene, sampler"))
    }
}

/// What to measure, as the API describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// Report CPU time.
    pub cpu: bool,
    /// Sample allocations.
    pub memory: bool,
    /// Sample an accelerator.
    pub gpu: bool,
    /// Collect call paths.
    pub stacks: bool,
    /// Profile `await`; absent chooses by Python version.
    pub async_profile: Option<bool>,
    /// Leave lines without significant activity out of every answer.
    pub reduced_profile: bool,
    /// Path fragments, comma separated, of which one must occur.
    pub profile_only: String,
    /// Path fragments, comma separated, that must not occur.
    pub profile_exclude: String,
    /// Profile libraries too.
    pub profile_all: bool,
    /// Seconds between CPU samples.
    pub cpu_sampling_rate: f64,
    /// Smallest share, in percent, of a line listed by time.
    pub cpu_percent_threshold: f64,
    /// Smallest volume, in bytes, of a line listed by memory.
    pub malloc_threshold: u64,
    /// Report what Scalene's leak detector accuses.
    pub memory_leak_detector: bool,
    /// Measure CPU time instead of wall time.
    pub use_virtual_time: bool,
    /// Bytes between allocation samples.
    pub allocation_sampling_window: Option<u64>,
    /// Run the program once more, without Scalene, and count calls.
    pub count_calls: bool,
    /// Time one more run of the program, without any profiler.
    pub plain_run: bool,
}

impl Default for Measure {
    fn default() -> Self {
        Self {
            cpu: true,
            memory: true,
            gpu: false,
            stacks: false,
            async_profile: None,
            reduced_profile: false,
            profile_only: String::new(),
            profile_exclude: String::new(),
            profile_all: false,
            cpu_sampling_rate: 0.01,
            cpu_percent_threshold: 1.0,
            malloc_threshold: 100,
            memory_leak_detector: true,
            use_virtual_time: false,
            allocation_sampling_window: None,
            count_calls: false,
            plain_run: false,
        }
    }
}

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRequest {
    /// What to run.
    pub target: Target,
    /// Its arguments.
    pub args: Vec<String>,
    /// Interpreter, environment folder or version.
    pub python: Option<String>,
    /// Working directory.
    pub cwd: Option<PathBuf>,
    /// Variables on top of the inherited environment.
    pub env: Vec<(String, String)>,
    /// Text for stdin; empty otherwise.
    pub stdin: Option<String>,
    /// Time limit for the program.
    pub timeout: Duration,
    /// How far it is confined; absent takes the server's default.
    pub sandbox: Option<Mode>,
    /// Paths that a confined program may write besides its private directory.
    pub writable: Vec<PathBuf>,
    /// Largest resident size of all its processes together, MiB (2^20 bytes); absent means no limit. A program that
    /// goes over it is stopped as at the time limit.
    pub max_memory_mb: Option<u64>,
    /// Runs whose mean the profile is, 1 to 10. The time limit is for each.
    pub repeat: usize,
    /// Who is to measure.
    pub engine: EngineChoice,
    /// The part of the run that is profiled.
    pub window: Window,
    /// Tests to run, where the target runs tests.
    pub tests: Option<Tests>,
    /// What to measure.
    pub measure: Measure,
    /// Named parts of the program.
    pub blocks: Vec<BlockSpec>,
    /// What a person has allowed for this run alone.
    pub allowed: Allowed,
}

/// What a person was asked for one run, beyond what the recorder's settings allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Scalene may be installed into the private cache.
    pub install: bool,
    /// Somebody can be asked for that: until then its lack is an error, and nobody takes over.
    pub ask_install: bool,
    /// The script's folder and the working directory may lie outside the roots.
    pub outside_roots: bool,
    /// Somebody can choose: several environments that fit are an error that names them.
    pub choose_python: bool,
}

impl RunRequest {
    /// A run of a target with everything at its default.
    pub fn new(target: Target) -> Self {
        let seconds = if matches!(target, Target::Snippet(_)) { 60 } else { 120 };
        Self {
            target,
            args: Vec::new(),
            python: None,
            cwd: None,
            env: Vec::new(),
            stdin: None,
            timeout: Duration::from_secs(seconds),
            sandbox: None,
            writable: Vec::new(),
            max_memory_mb: None,
            repeat: 1,
            engine: EngineChoice::Auto,
            window: Window::default(),
            tests: None,
            measure: Measure::default(),
            blocks: Vec::new(),
            allowed: Allowed::default(),
        }
    }

    /// A run of tests, without memory: what tests allocate is seldom what is asked for, and they take half as long.
    pub fn of_tests(tests: Tests) -> Self {
        let mut request = Self::new(Target::Module("pytest".to_owned()));
        request.timeout = Duration::from_secs(300);
        request.measure.memory = false;
        Self { tests: Some(tests), ..request }
    }

    /// Everything but program and arguments that differs from the defaults, as a call names it.
    pub(super) fn parameters(&self) -> Map<String, Value> {
        let default =
            self.tests.clone().map_or_else(|| Self::new(self.target.clone()), Self::of_tests);
        let (measure, usual) = (&self.measure, &default.measure);
        let env: Map<String, Value> =
            self.env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let changed =
            |name: &str, value: Value, differs: bool| differs.then(|| (name.to_owned(), value));
        macro_rules! measured {
            ($name:ident) => {{
                let value = json!(measure.$name);
                let differs = value != json!(usual.$name);
                changed(stringify!($name), value, differs)
            }};
        }
        let call =
            if let Target::Function(call) = &self.target { Some(call.as_ref()) } else { None };
        let said = |name: &str, text: fn(&FunctionCall) -> Option<&String>| {
            Some((name.to_owned(), json!(call.and_then(text)?)))
        };
        let given = |name: &str, value: fn(&FunctionCall) -> Option<Value>| {
            Some((name.to_owned(), call.and_then(value)?))
        };
        [
            given("args", |call| (!call.args.is_empty()).then(|| json!(call.args))),
            given("kwargs", |call| (!call.kwargs.is_empty()).then(|| json!(call.kwargs))),
            said("call", |call| call.call.as_ref()),
            said("setup", |call| call.setup.as_ref()),
            said("setup_each", |call| call.setup_each.as_ref()),
            given("min_time_sec", |call| call.min_time.map(|time| json!(time.as_secs_f64()))),
            changed("python", json!(self.python), self.python.is_some()),
            changed("cwd", json!(self.cwd), self.cwd.is_some()),
            changed("env", Value::Object(env), !self.env.is_empty()),
            changed("stdin", json!(self.stdin), self.stdin.is_some()),
            changed("max_memory_mb", json!(self.max_memory_mb), self.max_memory_mb.is_some()),
            changed("repeat", json!(self.repeat), self.repeat != default.repeat),
            changed("engine", json!(self.engine.word()), self.engine != default.engine),
            changed("timeout", json!(self.timeout.as_secs_f64()), self.timeout != default.timeout),
            changed("sandbox", json!(self.sandbox.map(Mode::word)), self.sandbox.is_some()),
            changed("writable", json!(self.writable), !self.writable.is_empty()),
            changed("blocks", json!(self.blocks), !self.blocks.is_empty()),
            measured!(cpu),
            measured!(memory),
            measured!(gpu),
            measured!(stacks),
            measured!(async_profile),
            measured!(reduced_profile),
            measured!(profile_only),
            measured!(profile_exclude),
            measured!(profile_all),
            measured!(cpu_sampling_rate),
            measured!(cpu_percent_threshold),
            measured!(malloc_threshold),
            measured!(memory_leak_detector),
            measured!(use_virtual_time),
            measured!(allocation_sampling_window),
            measured!(count_calls),
            measured!(plain_run),
        ]
        .into_iter()
        .flatten()
        .chain(self.window.parameters())
        .chain(self.tests.iter().flat_map(Tests::parameters))
        .collect()
    }

    /// Whether plain Python cannot run it: calls of a function, and notebooks.
    pub(super) fn needs_launcher(&self) -> bool {
        match &self.target {
            Target::Function(_) => true,
            Target::Script(path) => is_notebook(path),
            Target::Module(_) | Target::Snippet(_) => false,
        }
    }

    /// The limit of memory in bytes.
    pub(super) fn memory_limit(&self) -> Option<u64> {
        self.max_memory_mb.map(|mb| mb.saturating_mul(1 << 20))
    }

    /// The program for people: the script as typed, `-m module`, or `<snippet>`.
    pub fn label(&self) -> String {
        if let Some(tests) = &self.tests {
            return tests.label();
        }
        let name = match &self.target {
            Target::Script(path) => path.clone(),
            Target::Module(name) => format!("-m {name}"),
            Target::Snippet(_) => super::workspace::SNIPPET.to_owned(),
            Target::Function(call) => call.target.clone(),
        };
        std::iter::once(name).chain(self.args.iter().cloned()).collect::<Vec<_>>().join(" ")
    }

    /// Whether it is the calls of one function.
    pub(super) fn is_function(&self) -> bool {
        matches!(self.target, Target::Function(_))
    }

    /// What is asked for and makes sense for whole programs only, or for what plain Python runs.
    fn not_possible(&self) -> Option<&'static str> {
        let function = self.is_function();
        let notebook = matches!(&self.target, Target::Script(path) if is_notebook(Path::new(path)));
        let measure = &self.measure;
        let asked = [
            ("count_calls", measure.count_calls && (function || notebook)),
            ("plain_run", measure.plain_run && (function || notebook)),
            ("repeat", self.repeat > 1 && function),
        ];
        asked.into_iter().find(|(_, is)| *is).map(|(name, _)| name)
    }

    pub(super) fn check(&self) -> Result<(), RecordError> {
        let measure = &self.measure;
        let invalid = |parameter: &'static str, problem: String| {
            Err(RecordError::InvalidArgument { parameter, problem })
        };
        if !(measure.cpu || measure.memory || measure.gpu) {
            return invalid(
                "cpu",
                "cpu, memory and gpu are all false: nothing would be measured".into(),
            );
        }
        let rate = measure.cpu_sampling_rate;
        if !(0.0001..=10.0).contains(&rate) {
            return invalid("cpu_sampling_rate", format!("{rate} is outside 0.0001 to 10 seconds"));
        }
        let threshold = measure.cpu_percent_threshold;
        if !(0.0..=100.0).contains(&threshold) {
            return invalid("cpu_percent_threshold", format!("{threshold} is outside 0 to 100"));
        }
        if measure.allocation_sampling_window.is_some_and(|bytes| bytes < 1024) {
            return invalid("allocation_sampling_window", "below 1024 bytes".into());
        }
        if self.timeout.is_zero() {
            return invalid("timeout", "0 seconds leave no time to run".into());
        }
        if self.max_memory_mb == Some(0) {
            return invalid("max_memory_mb", "0 MiB leave no memory to run".into());
        }
        if !(1..=MOST_RUNS).contains(&self.repeat) {
            return invalid("repeat", format!("{} is outside 1 to {MOST_RUNS} runs", self.repeat));
        }
        if self.engine == EngineChoice::Sampler && self.needs_launcher() {
            return invalid(
                "engine",
                "sampler: calls of a function and notebooks need Scalene; leave it out".to_owned(),
            );
        }
        blocks::check(&self.blocks)?;
        self.window.check(measure)?;
        if let Some(tests) = &self.tests {
            tests.check(self)?;
        }
        let bad = |(name, value): &&(String, String)| {
            name.is_empty() || name.contains(['=', '\0']) || value.contains('\0')
        };
        if let Some((name, _)) = self.env.iter().find(bad) {
            return invalid("env", format!("`{name}` cannot be an environment variable"));
        }
        if self.args.iter().any(|arg| arg.contains('\0')) {
            return invalid("args", "an argument holds a NUL byte".into());
        }
        if let Some(parameter) = self.not_possible() {
            return invalid(parameter, "not for a function, nor for a notebook".into());
        }
        match &self.target {
            Target::Function(call) => call.check(),
            Target::Snippet(code) if code.trim().is_empty() => {
                invalid("code", "there is no code".into())
            }
            Target::Module(name) if name.trim().is_empty() => {
                invalid("script_path", "`-m` needs a module's name".into())
            }
            _ => Ok(()),
        }
    }
}

/// A script that exists: as typed, and absolute with symlinks resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) absolute: PathBuf,
    pub(super) real: PathBuf,
}

/// Endings of files that Python runs. Others need a `#!` line that names Python.
const PYTHON_ENDINGS: [&str; 3] = ["py", "pyw", ""];
/// Names listed beside a script that was not found.
const SUGGESTIONS: usize = 5;

/// Finds a script and makes sure that it can be one.
pub(super) fn find_script(typed: &str, cwd: &Path) -> Result<Script, RecordError> {
    let absolute = cwd.join(expand_home(typed));
    let not_a_script =
        |why: &str| RecordError::NotAScript { path: absolute.clone(), why: why.to_owned() };
    let Ok(found) = absolute.metadata() else {
        let similar = similar_scripts(&absolute);
        return Err(RecordError::ScriptNotFound { path: absolute, similar });
    };
    if found.is_dir() {
        let why = if absolute.join("__main__.py").is_file() {
            "it is a package folder: name its module with `-m`, or its `__main__.py`"
        } else {
            "it is a folder: name a file in it"
        };
        return Err(not_a_script(why));
    }
    if !found.is_file() {
        return Err(not_a_script("it is not a regular file"));
    }
    let mut first = [0; 256];
    let read = std::fs::File::open(&absolute).and_then(|mut file| file.read(&mut first));
    let read = read.map_err(|source| RecordError::Unreadable { path: absolute.clone(), source })?;
    let ending = absolute.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let first_line = String::from_utf8_lossy(first.get(..read).unwrap_or_default());
    let first_line = first_line.lines().next().unwrap_or_default();
    let says_python = first_line.starts_with("#!") && first_line.contains("python");
    let known = PYTHON_ENDINGS.contains(&ending.as_str()) || is_notebook(&absolute);
    if !known && !says_python {
        return Err(not_a_script(match ending.as_str() {
            "pyc" => "it is compiled: name the `.py` file it was made from",
            _ => {
                "it is not Python source: its name does not end in .py and its first line names no python"
            }
        }));
    }
    let real = absolute.canonicalize().unwrap_or_else(|_| absolute.clone());
    Ok(Script { absolute, real })
}

pub(super) fn expand_home(typed: &str) -> PathBuf {
    match (typed.strip_prefix("~/"), etcetera::home_dir()) {
        (Some(below), Ok(home)) => home.join(below),
        _ => PathBuf::from(typed),
    }
}

/// Python files with a name like the one that was not found, in its own or the nearest folder.
pub(super) fn similar_scripts(missing: &Path) -> Vec<String> {
    let Some(folder) = missing.ancestors().skip(1).find(|folder| folder.is_dir()) else {
        return Vec::new();
    };
    let wanted = missing.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut names: Vec<(String, String)> = entries
        .take(2_000)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "py"))
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some((name, path.display().to_string()))
        })
        .collect();
    names.sort_by(|a, b| {
        let likeness = |name: &str| strsim::jaro_winkler(name, &wanted);
        likeness(&b.0).total_cmp(&likeness(&a.0)).then_with(|| a.0.cmp(&b.0))
    });
    names.into_iter().take(SUGGESTIONS).map(|(_, path)| path).collect()
}
