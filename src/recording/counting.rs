//! The counting pass: one more run of the program, by plain Python, that counts calls.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::confine::Confinement;
use super::error::RecordError;
use super::place::Place;
use super::plain;
use super::record::Event;
use super::request::{MOST_DISK, RunRequest, Target};
use super::setup::Ready;
use super::workspace::{self, SNIPPET, Workspace};
use crate::analysis;
use crate::process::{self, Controls, EndedBy, Exit, Finished, Limits, Spec};
use crate::profile::{
    CallCount, CallCounts, CountedFunction, DistinctArguments, Outcome, Profile, signal_name,
};
use crate::scalene::Scope;

/// Python calls it by itself when it finds it on `PYTHONPATH`.
const COUNTER: &str = include_str!("count.py");
/// Functions with most time whose arguments are watched.
const WATCHED: usize = 10;
/// Time between asking the program to end and killing it: there is nothing to write.
const GRACE: Duration = Duration::from_secs(2);
/// Largest list of counts that is read.
const MAX_COUNTS_BYTES: u64 = 64 << 20;

/// What is counted, as the counter reads it: text that is a Python dictionary too, so no
/// booleans and nothing absent.
#[derive(Debug, Serialize)]
struct CountRequest {
    program_path: PathBuf,
    profile_all: u8,
    only: Vec<String>,
    exclude: Vec<String>,
    libraries: Vec<PathBuf>,
    hot: Vec<(String, u32, String)>,
    snippet: String,
    path0: String,
}

/// A counting pass that can begin once the profiled run is over.
#[derive(Debug)]
pub(super) struct CountingPass {
    spec: Spec,
    timeout: Duration,
    /// Limits of memory and disk.
    bounds: Limits,
    dir: PathBuf,
    /// Real path of the snippet, when the program is one.
    snippet: Option<String>,
    request: CountRequest,
}

/// What a pass found.
struct Pass {
    counted: Vec<CountedFunction>,
    /// What the reader of the counts should know.
    remarks: Vec<String>,
}

/// Why there are no counts.
enum Failure {
    Cancelled,
    Because(String),
}

impl CountingPass {
    /// Prepares the pass, when one was asked for.
    pub(super) fn new(
        request: &RunRequest,
        place: &Place,
        ready: &Ready,
        scope: &Scope,
        workspace: &Workspace,
        confinement: &Confinement,
        hidden: &[OsString],
    ) -> Result<Option<Self>, RecordError> {
        if !request.measure.count_calls {
            return Ok(None);
        }
        let dir = workspace.counting()?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let snippet = matches!(request.target, Target::Snippet(_)).then(|| workspace.snippet());
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        let mut spec = plain::spec(request, place, ready, workspace, &dir);
        plain::add_to_path(&mut spec, request, &dir);
        spec.env_remove = hidden.to_vec();
        Ok(Some(Self {
            // The profiled run could not write there; this one writes its counts.
            spec: confinement.clone().with_write(&dir).dress(spec, false),
            timeout: request.timeout,
            bounds: Limits {
                memory: request.memory_limit(),
                disk: Some(MOST_DISK),
                ..Limits::default()
            },
            snippet: snippet.as_ref().map(|path| text(&real(path))),
            request: CountRequest {
                program_path: scope.program_path.clone(),
                profile_all: scope.profile_all.into(),
                only: scope.only.clone(),
                exclude: scope.exclude.clone(),
                libraries: ready.interpreter.library_paths.clone(),
                hot: Vec::new(),
                snippet: snippet.as_deref().map(text).unwrap_or_default(),
                path0: text(&place.cwd),
            },
            dir,
        }))
    }

    /// The program marks blocks.
    pub(super) fn with_marks(mut self, workspace: &Workspace) -> Self {
        plain::add_idle_modules(&mut self.spec, workspace);
        self
    }

    /// Runs the program again and puts its counts into the profile. Where there are none, a
    /// warning says why.
    ///
    /// # Errors
    /// [`RecordError::Cancelled`]: nobody wants the profile any more.
    pub(super) async fn run(
        mut self,
        profile: &mut Profile,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<(), RecordError> {
        match self.pass(profile, controls, on_event).await {
            Ok(pass) => {
                profile.call_counts = Some(CallCounts::new(&profile.files, &pass.counted));
                profile.run.warnings.extend(pass.remarks);
            }
            Err(Failure::Cancelled) => return Err(RecordError::Cancelled),
            Err(Failure::Because(why)) => {
                profile.run.warnings.push(format!("calls could not be counted: {why}"));
            }
        }
        Ok(())
    }

    async fn pass(
        &mut self,
        profile: &Profile,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Pass, Failure> {
        let because = |why: String| Failure::Because(why);
        let Outcome::ExitCode(expected) = profile.run.outcome else {
            return Err(because("the profiled run did not end by itself".to_owned()));
        };
        self.request.hot = self.hot(profile);
        self.write().map_err(|error| because(format!("`{}`: {error}", self.dir.display())))?;
        on_event(Event::Counting);
        let limits = Limits { timeout: Some(self.timeout), grace: GRACE, ..self.bounds };
        let finished = process::run(&self.spec, limits, controls, &mut |_| {}).await;
        let finished = finished.map_err(|error| because(error.to_string()))?;
        if finished.ended_by == EndedBy::Cancel {
            return Err(Failure::Cancelled);
        }
        let (counted, blind) = self.read(&finished).map_err(because)?;
        Ok(Pass { counted, remarks: remarks(&finished, expected, blind) })
    }

    /// The functions whose arguments are watched: path, line of `def`, name.
    fn hot(&self, profile: &Profile) -> Vec<(String, u32, String)> {
        let functions = analysis::functions(profile);
        let described = functions.iter().take(WATCHED).map(|function| {
            let path = match &self.snippet {
                Some(snippet) if function.file.path == SNIPPET => snippet,
                _ => &function.file.path,
            };
            let name = function.name.rsplit('.').next().unwrap_or_default();
            (path.clone(), function.start.get(), name.to_owned())
        });
        described.collect()
    }

    fn write(&self) -> std::io::Result<()> {
        std::fs::write(self.dir.join("sitecustomize.py"), COUNTER)?;
        std::fs::write(self.dir.join("request"), serde_json::to_vec(&self.request)?)
    }

    /// What the counter wrote, and whether it missed some calls; else the reason why not.
    fn read(&self, finished: &Finished) -> Result<(Vec<CountedFunction>, bool), String> {
        if finished.ended_by != EndedBy::Itself {
            let limit = self.timeout.as_secs_f64();
            return Err(match finished.ended_by {
                EndedBy::Timeout => format!(
                    "the counting run was stopped at the time limit of {limit} s; counting makes calls slower"
                ),
                EndedBy::Memory(_) => "the counting run went over the limit of memory".to_owned(),
                EndedBy::Disk(_) => "the counting run went over the limit of disk".to_owned(),
                _ => "the counting run was stopped".to_owned(),
            });
        }
        let Some(text) = workspace::read(&self.dir.join("counts"), MAX_COUNTS_BYTES) else {
            return Err(match finished.exit {
                Exit::Signal(number) => {
                    format!("the counting run was killed by {}", signal_name(number))
                }
                _ => "the counting run ended without Python's usual end (`os._exit` or `exec`)"
                    .to_owned(),
            });
        };
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.lines();
        let head = lines.next().unwrap_or_default();
        let blind = head.ends_with("\tblind");
        if head.split('\t').next() != Some("counted") {
            return Err(head.to_owned());
        }
        Ok((lines.filter_map(|line| self.parse(line)).collect(), blind))
    }

    /// One line of the counter's list.
    fn parse(&self, line: &str) -> Option<CountedFunction> {
        let mut fields = line.splitn(6, '\t');
        let mut next = || fields.next();
        let (calls, distinct, more) = (next()?.parse().ok()?, next()?, next()? == "1");
        let (first_line, name, file) = (next()?.parse().ok()?, next()?.to_owned(), next()?);
        let is_snippet = self.snippet.as_deref() == Some(file);
        let distinct = distinct.parse().ok().map(|known| DistinctArguments { known, more });
        let file = if is_snippet { SNIPPET } else { file }.to_owned();
        Some(CountedFunction { file, first_line, name, count: CallCount { calls, distinct } })
    }
}

/// What the reader of the counts should know.
fn remarks(finished: &Finished, expected: i32, blind: bool) -> Vec<String> {
    let mut remarks = Vec::new();
    if finished.exit != Exit::Code(expected) {
        let ended = match finished.exit {
            Exit::Code(code) => format!("exited with code {code}"),
            Exit::Signal(number) => format!("was killed by {}", signal_name(number)),
            Exit::Unknown => "ended otherwise".to_owned(),
        };
        remarks.push(format!(
            "the run that counted calls {ended}, the profiled one with code {expected}: its counts may be of other \
             work"
        ));
    }
    if blind {
        remarks.push(
            "calls in `__del__` methods that the garbage collector ran may be missing".to_owned(),
        );
    }
    remarks
}
