//! The calls of one function: how they are named, and what the two runs of them are asked.
//!
//! A run without any profiler times the calls first (`timing`); what it found out is the plan of the profiled one. `call.py`
//! makes the calls in both.

mod failure;
mod timing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::RecordError;
use super::place::Place;
use super::request::RunRequest;
use super::workspace::Workspace;

pub use failure::CallFailure;
pub(super) use timing::{Around, Timed, time};

/// Makes the calls, in both runs.
pub(super) const CALLER: &str = include_str!("call.py");
/// Shortest and longest time for which calls are repeated.
const MIN_TIME: std::ops::RangeInclusive<f64> = 0.01..=600.0;
/// Characters of the arguments in the line that stands for a call.
const ARGUMENTS_SHOWN: usize = 120;

/// Calls of one function.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionCall {
    /// `package.module:function` or `path/file.py:Class.method`, as typed.
    pub target: String,
    /// Arguments by position.
    pub args: Vec<Value>,
    /// Arguments by name.
    pub kwargs: Map<String, Value>,
    /// A Python expression in place of both, evaluated with the names of the module and of `setup`.
    pub call: Option<String>,
    /// Code that runs once before.
    pub setup: Option<String>,
    /// Code that runs before each call, and is not measured.
    pub setup_each: Option<String>,
    /// Seconds for which the calls are repeated; 2 by default.
    pub min_time: Option<Duration>,
}

impl FunctionCall {
    /// Seconds for which the calls are repeated, unless something else is asked for.
    pub const MIN_TIME_SEC: f64 = 2.0;

    /// Calls without arguments.
    pub fn of(target: impl Into<String>) -> Self {
        Self { target: target.into(), ..Self::default() }
    }

    /// Module or file, and the name in it.
    fn parts(&self) -> (&str, Option<&str>) {
        let target = self.target.trim();
        match target.rsplit_once(':') {
            // A drive of Windows.
            Some((_, name)) if name.contains(['/', '\\']) => (target, None),
            Some((module, name)) => {
                (module.trim(), Some(name.trim()).filter(|name| !name.is_empty()))
            }
            None => (target, None),
        }
    }

    /// The file, where the target names one.
    pub(super) fn file(&self) -> Option<&str> {
        let (place, _) = self.parts();
        let is_python = Path::new(place).extension().is_some_and(|ending| ending == "py");
        (is_python || place.contains(['/', '\\'])).then_some(place)
    }

    pub(super) fn seconds(&self) -> f64 {
        self.min_time.map_or(Self::MIN_TIME_SEC, |time| time.as_secs_f64())
    }

    pub(super) fn check(&self) -> Result<(), RecordError> {
        let invalid = |parameter: &'static str, problem: String| {
            Err(RecordError::InvalidArgument { parameter, problem })
        };
        let (place, name) = self.parts();
        if place.is_empty() || (name.is_none() && self.call.is_none()) {
            let near = place.rsplit_once('.').filter(|_| self.file().is_none());
            let meant = near.map_or_else(
                || "write `package.module:function` or `path/file.py:Class.method`".to_owned(),
                |(module, function)| format!("did you mean `{module}:{function}`?"),
            );
            return invalid("target", format!("`{}` names no function; {meant}", self.target));
        }
        if self.call.is_some() && !(self.args.is_empty() && self.kwargs.is_empty()) {
            return invalid(
                "call",
                "`args` and `kwargs` are part of `call`: give one or the other".into(),
            );
        }
        if self.call.as_ref().is_some_and(|call| call.trim().is_empty()) {
            return invalid("call", "it is empty".into());
        }
        if !MIN_TIME.contains(&self.seconds()) {
            let (least, most) = (MIN_TIME.start(), MIN_TIME.end());
            return invalid(
                "min_time_sec",
                format!("{} is outside {least} to {most}", self.seconds()),
            );
        }
        Ok(())
    }

    /// The call in one line.
    fn in_words(&self) -> String {
        if let Some(call) = &self.call {
            return call.trim().to_owned();
        }
        let text = |value: &Value| value.to_string();
        let named = self.kwargs.iter().map(|(name, value)| format!("{name}={value}"));
        let all: Vec<String> = self.args.iter().map(text).chain(named).collect();
        let mut all: String = all.join(", ");
        if all.chars().count() > ARGUMENTS_SHOWN {
            all = all.chars().take(ARGUMENTS_SHOWN).chain("…".chars()).collect();
        }
        format!("{}({all})", self.parts().1.unwrap_or_default())
    }
}

/// Where the parts of the user's code begin in the text that answers show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Lines {
    setup: usize,
    setup_each: usize,
    call: usize,
}

/// The text that answers show for `setup`, `setup_each` and the call, and where each of them begins.
pub(super) fn text(call: &FunctionCall) -> (String, Lines) {
    let mut text = String::new();
    let mut put = |part: Option<&str>| {
        let line = text.lines().count() + 1;
        if let Some(part) = part {
            text.push_str(part.trim_end());
            text.push('\n');
        }
        line
    };
    let setup = put(call.setup.as_deref());
    let setup_each = put(call.setup_each.as_deref());
    let lines = Lines { setup, setup_each, call: put(Some(&call.in_words())) };
    (text, lines)
}

/// What `call.py` is asked.
#[derive(Debug, Clone, Serialize)]
struct Asked<'a> {
    /// First entries of `sys.path`.
    path: Vec<PathBuf>,
    module: String,
    file: Option<PathBuf>,
    /// The file is part of a package, and is imported by its name.
    package: bool,
    name: Option<&'a str>,
    args: &'a [Value],
    kwargs: &'a Map<String, Value>,
    call: Option<&'a str>,
    setup: Option<&'a str>,
    setup_each: Option<&'a str>,
    snippet: PathBuf,
    lines: Lines,
    min_time: f64,
    memory: bool,
    output: PathBuf,
    plan: Option<Plan<'a>>,
}

/// What the timing run found out.
#[derive(Debug, Clone, Copy, Serialize)]
struct Plan<'a> {
    /// How the result of a call is used up.
    form: &'a str,
    /// Seconds of a call.
    median: f64,
    /// A call before the profile begins takes what only a first call does, and is worth its time.
    warm: bool,
}

/// The request for `call.py`; with what was timed for the run that is profiled.
pub(super) fn asked(
    call: &FunctionCall,
    request: &RunRequest,
    place: &Place,
    workspace: &Workspace,
    timed: Option<&Timed>,
) -> Value {
    let (typed, name) = call.parts();
    let file = place.script.as_ref().filter(|_| call.file().is_some());
    let found = file.map(|script| module_of(&script.real));
    let (module, top, package) = found.unwrap_or_else(|| (typed.to_owned(), None, false));
    let mut path: Vec<PathBuf> = top.into_iter().collect();
    let source = place.root.join("src");
    for folder in [place.cwd.clone(), source] {
        if folder.is_dir() && !path.contains(&folder) {
            path.push(folder);
        }
    }
    let plan = timed.and_then(|timed| timed.per_call.as_ref().map(|figures| (timed, figures)));
    let asked = Asked {
        path,
        module,
        file: file.map(|script| script.real.clone()),
        package,
        name,
        args: &call.args,
        kwargs: &call.kwargs,
        call: call.call.as_deref(),
        setup: call.setup.as_deref(),
        setup_each: call.setup_each.as_deref(),
        snippet: workspace.snippet(),
        lines: text(call).1,
        min_time: call.seconds(),
        memory: request.measure.memory,
        output: workspace.output("calls.json"),
        plan: plan.map(|(timed, figures)| {
            let (first, median) = (figures.first.get(), figures.median.get());
            let warm = median < call.seconds() || first > 1.5 * median;
            Plan { form: &timed.form, median, warm }
        }),
    };
    serde_json::to_value(asked).unwrap_or_default()
}

/// The name under which a file is imported, the folder in which that name is found, and whether it is part of a package.
fn module_of(file: &Path) -> (String, Option<PathBuf>, bool) {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.parent().unwrap_or(Path::new("/"));
    let mut names: Vec<String> = if stem == "__init__" { Vec::new() } else { vec![stem.clone()] };
    let mut top = folder;
    while top.join("__init__.py").is_file() {
        let Some((name, parent)) = top.file_name().zip(top.parent()) else { break };
        names.insert(0, name.to_string_lossy().into_owned());
        top = parent;
    }
    let is_identifier = |name: &String| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    if top != folder && !names.is_empty() && names.iter().all(is_identifier) {
        return (names.join("."), Some(top.to_owned()), true);
    }
    let name = if stem == "__main__" { "main".to_owned() } else { stem };
    (name, Some(folder.to_owned()), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn targets_name_a_module_or_a_file() {
        let parts = |target: &str| {
            let call = FunctionCall::of(target);
            let (place, name) = call.parts();
            (place.to_owned(), name.map(str::to_owned), call.file().is_some())
        };
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(parts("a.b:f"), ("a.b".into(), name("f"), false));
        assert_eq!(parts("lib/a.py:C.m"), ("lib/a.py".into(), name("C.m"), true));
        assert_eq!(parts("C:\\lib\\a.py:C.m"), ("C:\\lib\\a.py".into(), name("C.m"), true));
        assert_eq!(parts("C:\\lib\\a.py"), ("C:\\lib\\a.py".into(), None, true));
        assert_eq!(parts("a.b"), ("a.b".into(), None, false));
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        let problem = |call: FunctionCall| call.check().unwrap_err().to_string();
        assert!(problem(FunctionCall::of("a.b.f")).contains("did you mean `a.b:f`?"));
        assert!(problem(FunctionCall::of("a.py")).contains("path/file.py:Class.method"));
        let both = FunctionCall {
            args: vec![json!(1)],
            call: Some("f(1)".into()),
            ..FunctionCall::of("a:f")
        };
        assert!(problem(both).contains("one or the other"));
        let long =
            FunctionCall { min_time: Some(Duration::from_secs(3600)), ..FunctionCall::of("a:f") };
        assert!(problem(long).contains("min_time_sec: 3600 is outside 0.01 to 600"));
        let module = FunctionCall { call: Some("f(1)".into()), ..FunctionCall::of("a.b") };
        assert!(module.check().is_ok());
    }

    #[test]
    fn the_text_of_a_call_says_where_its_parts_are() {
        let plain = FunctionCall {
            args: vec![json!(3), json!("kg")],
            kwargs: Map::from_iter([("rate".to_owned(), json!([1, 2]))]),
            ..FunctionCall::of("a:f")
        };
        let (shown, lines) = text(&plain);
        assert_eq!(shown, "f(3, \"kg\", rate=[1,2])\n");
        assert_eq!(lines, Lines { setup: 1, setup_each: 1, call: 1 });
        let prepared = FunctionCall {
            setup: Some("import x\ny = x.y()\n".into()),
            setup_each: Some("z = list(y)".into()),
            call: Some("f(z)".into()),
            ..FunctionCall::of("a")
        };
        let (shown, lines) = text(&prepared);
        assert_eq!(shown, "import x\ny = x.y()\nz = list(y)\nf(z)\n");
        assert_eq!(lines, Lines { setup: 1, setup_each: 3, call: 4 });
    }

    #[test]
    fn a_file_of_a_package_is_imported_by_its_name() {
        let place = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            path
        };
        let (inner, outer) = (file("src/shop/deep/__init__.py"), file("src/shop/__init__.py"));
        let top = || Some(place.path().join("src"));
        assert_eq!(module_of(&file("src/shop/deep/a.py")), ("shop.deep.a".into(), top(), true));
        assert_eq!(module_of(&inner), ("shop.deep".into(), top(), true));
        assert_eq!(module_of(&outer), ("shop".into(), top(), true));
        assert_eq!(module_of(&file("src/my-tool.py")), ("my-tool".into(), top(), false));
        assert_eq!(module_of(&file("src/tool.py")), ("tool".into(), top(), false));
    }
}
