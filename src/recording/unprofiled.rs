//! Programs that run without any profiler, one run after another, in one private folder.
//!
//! What holds for a profiled run holds here: roots, sandbox, credentials, limits, keeper.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::confine::Confinement;
use super::error::RecordError;
use super::place::Place;
use super::plain;
use super::record::{self, Recorder};
use super::request::{MOST_DISK, RunRequest, Script, Target};
use super::secrets;
use super::workspace::{self, Workspace};
use crate::process::{self, Controls, EndedBy, Finished, Limits, Spec, Tick};
use crate::python::{self, Interpreter};

/// Time between asking a program to end and killing it: there is nothing to write.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes of the output of a helping program that are kept whole.
const AID_STDOUT: usize = 4 << 20;
/// Longest code that is handed to Python as an argument, bytes.
const LONGEST_CODE: usize = 100_000;

/// A private folder in which programs run, and the interpreter that runs them.
#[derive(Debug)]
pub struct Ground {
    recorder: Recorder,
    workspace: Workspace,
    interpreter: Interpreter,
    hidden: Vec<OsString>,
    /// Compiled modules of all runs: no run reads those of a project, which may be there for one side only.
    compiled: PathBuf,
}

/// A project that runs from a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where it is.
    pub from: PathBuf,
    /// Where its copy is.
    pub to: PathBuf,
}

impl Moved {
    /// The path in the copy; `None` for one that is not of the project.
    pub fn map(&self, path: &Path) -> Option<PathBuf> {
        Some(self.to.join(path.strip_prefix(&self.from).ok()?))
    }

    fn or_same(&self, path: &Path) -> PathBuf {
        self.map(path).unwrap_or_else(|| path.to_owned())
    }
}

/// A program that can be run any number of times.
#[derive(Debug, Clone)]
pub struct Program {
    request: RunRequest,
    place: Place,
    confinement: Confinement,
    /// What its `PYTHONPATH` must be, where it is not the inherited one.
    path: Option<OsString>,
}

/// What one run has of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Turn<'a> {
    /// Arguments, in place of those of the request.
    pub args: Option<&'a [String]>,
    /// Code that runs in place of the program, as after `python -c`.
    pub code: Option<&'a str>,
    /// Variables on top of those of the request.
    pub env: &'a [(String, String)],
    /// Bytes of stdout that are kept whole.
    pub keep_stdout: usize,
}

/// A program that helps: it runs where a program of the ground does, as confined as that.
#[derive(Debug, Clone, Default)]
pub struct Aid {
    /// Its executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Variables on top of the inherited ones.
    pub env: Vec<(OsString, OsString)>,
    /// Inherited variables that it must not see.
    pub env_remove: Vec<OsString>,
    /// Bytes for its stdin.
    pub stdin: Option<Vec<u8>>,
    /// Where it runs; absent means where the program does.
    pub cwd: Option<PathBuf>,
    /// What it reads besides what the program may.
    pub read: Vec<PathBuf>,
    /// What it writes besides what the program may.
    pub write: Vec<PathBuf>,
    /// Time that it may take.
    pub within: Duration,
    /// With the variables that the program has, too.
    pub as_program: bool,
}

impl Recorder {
    /// Finds the interpreter for a program and makes the folder that runs of it share.
    ///
    /// # Errors
    /// [`RecordError`], as for a profiled run; Scalene is not needed.
    pub async fn ground(
        &self,
        request: &RunRequest,
        controls: &Controls,
    ) -> Result<Ground, RecordError> {
        request.check()?;
        let guard = &self.settings.guard;
        guard.mode(request)?;
        let place = self.place(request)?;
        guard.writable(request)?;
        guard.python(request, &place.cwd)?;
        let interpreter =
            python::find(&self.python_request(request, &place), &self.env, controls).await?;
        let workspace = Workspace::create()?;
        Ok(Ground {
            compiled: workspace.folder("p")?,
            workspace,
            interpreter,
            hidden: secrets::withheld(request, &guard.pass_env),
            recorder: self.clone(),
        })
    }
}

impl Ground {
    /// The interpreter of all programs of this ground.
    pub fn interpreter(&self) -> &Interpreter {
        &self.interpreter
    }

    /// The sentence about variables that look like credentials and are withheld, if there are any.
    pub fn warning(&self) -> Option<String> {
        secrets::warning(&self.hidden)
    }

    /// A folder below the private one, made if need be.
    ///
    /// # Errors
    /// [`RecordError::Workspace`].
    pub fn folder(&self, name: &str) -> Result<PathBuf, RecordError> {
        self.workspace.folder(name)
    }

    /// A file in the private folder that programs can read.
    ///
    /// # Errors
    /// [`RecordError::Workspace`].
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, RecordError> {
        self.workspace.write(name, content.as_bytes())?;
        Ok(self.workspace.path(name))
    }

    /// What a program wrote to a file of the private folder that it can write, by its name, and removes
    /// it. `None` where there is none, or it is longer than `most` bytes.
    pub fn take_output(&self, name: &str, most: u64) -> Option<Vec<u8>> {
        let path = self.workspace.output(name);
        let bytes = workspace::read(&path, most);
        let _ = std::fs::remove_file(path);
        bytes
    }

    /// The path of such a file.
    pub fn output(&self, name: &str) -> PathBuf {
        self.workspace.output(name)
    }

    /// The real path of something that a caller named, if it lies in a root.
    ///
    /// # Errors
    /// [`RecordError::OutsideRoots`].
    pub fn admit(&self, what: &'static str, path: &Path) -> Result<PathBuf, RecordError> {
        self.recorder.settings.guard.admit(what, path)
    }

    /// Makes sure that a program may run, and settles where; `moved`: from a copy.
    ///
    /// # Errors
    /// [`RecordError`], as for a profiled run.
    pub async fn program(
        &self,
        request: &RunRequest,
        moved: Option<&Moved>,
        controls: &Controls,
    ) -> Result<Program, RecordError> {
        request.check()?;
        if let Target::Snippet(code) = &request.target
            && code.len() > LONGEST_CODE
        {
            return Err(RecordError::InvalidArgument {
                parameter: "baseline_code, candidate_code",
                problem: format!(
                    "{} bytes of code are more than {LONGEST_CODE}: write it to a file",
                    code.len()
                ),
            });
        }
        let guard = &self.recorder.settings.guard;
        let mut place = self.recorder.place(request)?;
        if let Some(path) = place.notebook() {
            let why = "it is a notebook, which plain Python does not run: `jupyter nbconvert --to script` makes a script";
            return Err(RecordError::NotAScript { path: path.to_owned(), why: why.to_owned() });
        }
        let original = place.clone();
        if let Some(moved) = moved {
            place = relocated(place, moved);
        }
        let pythons = [&self.interpreter];
        let workspace = &self.workspace;
        let mut confinement =
            Confinement::new(guard, request, &original, &pythons, workspace, controls)
                .await?
                .with_write(&self.compiled);
        if let Some(moved) = moved {
            for path in guard.writable(request)? {
                confinement = confinement.with_write(&moved.or_same(&path));
            }
        }
        let path = moved.and_then(|moved| self.import_path(request, moved, &original.cwd));
        Ok(Program { request: request.clone(), place, confinement, path })
    }

    /// Runs a program once; its temporary folder is empty then.
    ///
    /// # Errors
    /// [`RecordError::Cancelled`], and those of starting it. A program that fails is no error.
    pub async fn run(
        &mut self,
        program: &Program,
        turn: Turn<'_>,
        controls: &Controls,
        on_tick: &mut (dyn FnMut(Tick) + Send),
    ) -> Result<Finished, RecordError> {
        self.workspace.renew_tmp()?;
        let request = &program.request;
        let limits = Limits {
            timeout: Some(request.timeout),
            grace: GRACE,
            memory: request.memory_limit(),
            disk: Some(MOST_DISK),
        };
        let mut spec = self.spec(program, turn);
        plain::add_idle_modules(&mut spec, &self.workspace);
        let spec = program.confinement.dress(spec, false);
        let finished = process::run(&spec, limits, controls, on_tick).await?;
        self.workspace.hold(finished.hold.clone());
        if finished.ended_by == EndedBy::Cancel {
            return Err(RecordError::Cancelled);
        }
        match program.confinement.refused(&finished) {
            Some(refused) => Err(refused),
            None => Ok(finished),
        }
    }

    /// Runs another program in the place of one of this ground.
    ///
    /// # Errors
    /// As [`Ground::run`].
    pub async fn aid(
        &mut self,
        program: &Program,
        aid: Aid,
        controls: &Controls,
    ) -> Result<Finished, RecordError> {
        let mut confinement = program.confinement.clone();
        for path in aid.read {
            confinement = confinement.with_read(Some(path));
        }
        for path in &aid.write {
            confinement = confinement.with_write(path);
        }
        let mut env =
            if aid.as_program { self.environment(program, Turn::default()) } else { Vec::new() };
        env.extend(aid.env);
        let mut env_remove = self.hidden.clone();
        env_remove.extend(aid.env_remove);
        let spec = Spec {
            program: aid.program,
            args: aid.args,
            cwd: Some(aid.cwd.unwrap_or_else(|| program.place.cwd.clone())),
            env,
            env_remove,
            stdin: aid.stdin,
            folder: Some(self.workspace.root()),
            keep_stdout: AID_STDOUT,
            ..Spec::default()
        };
        let limits = Limits {
            timeout: Some(aid.within),
            grace: GRACE,
            memory: program.request.memory_limit(),
            disk: Some(MOST_DISK),
        };
        let spec = confinement.dress(spec, false);
        let finished = process::run(&spec, limits, controls, &mut |_| {}).await?;
        self.workspace.hold(finished.hold.clone());
        if finished.ended_by == EndedBy::Cancel {
            return Err(RecordError::Cancelled);
        }
        match confinement.refused(&finished) {
            Some(refused) => Err(refused),
            None => Ok(finished),
        }
    }

    fn spec(&self, program: &Program, turn: Turn<'_>) -> Spec {
        let request = &program.request;
        let place = &program.place;
        let mut args: Vec<OsString> = match (turn.code, &request.target) {
            (Some(code), _) => vec!["-c".into(), code.into()],
            (None, Target::Snippet(code)) => vec!["-c".into(), code.into()],
            (None, Target::Module(name)) => vec!["-m".into(), name.trim().into()],
            (None, Target::Script(_) | Target::Function(_)) => {
                let (_, target) = record::launch_target(request, place, &self.workspace);
                // What looks like an option of Python is named by its whole path.
                let option = target.starts_with('-');
                vec![if option { place.cwd.join(target).into() } else { target.into() }]
            }
        };
        args.extend(turn.args.unwrap_or(&request.args).iter().map(Into::into));
        Spec {
            program: self.interpreter.executable.clone(),
            args,
            cwd: Some(place.cwd.clone()),
            env: self.environment(program, turn),
            env_remove: self.hidden.clone(),
            stdin: request.stdin.as_ref().map(|text| text.clone().into_bytes()),
            folder: Some(self.workspace.root()),
            pid_files: None,
            begun: None,
            keep_stdout: turn.keep_stdout,
            sought: None,
        }
    }

    fn environment(&self, program: &Program, turn: Turn<'_>) -> Vec<(OsString, OsString)> {
        let own = program.request.env.iter().chain(turn.env);
        let given = |name: &str| own.clone().any(|(key, _)| key == name);
        let mut env: Vec<(OsString, OsString)> =
            own.clone().map(|(name, value)| (name.into(), value.into())).collect();
        for name in ["TMPDIR", "TEMP", "TMP"] {
            if !given(name) {
                env.push((name.into(), self.workspace.tmp().into()));
            }
        }
        if !given("PYTHONDONTWRITEBYTECODE") && !given("PYTHONPYCACHEPREFIX") {
            // Empty counts as not set: an inherited one would have every run compile everything.
            env.push(("PYTHONDONTWRITEBYTECODE".into(), OsString::new()));
            env.push(("PYTHONPYCACHEPREFIX".into(), self.compiled.clone().into()));
        }
        if let Some(path) = &program.path {
            env.retain(|(name, _)| name != "PYTHONPATH");
            env.push(("PYTHONPATH".into(), path.clone()));
        }
        env
    }

    /// Where modules are looked for by a program that runs from a copy: folders of the project that are
    /// on the path by `PYTHONPATH`, or by a `.pth` file as of an editable install, are those of the copy.
    fn import_path(&self, request: &RunRequest, moved: &Moved, cwd: &Path) -> Option<OsString> {
        let given = request.env.iter().find(|(key, _)| key == "PYTHONPATH");
        let given = given.map(|(_, value)| OsString::from(value));
        let set = given.or_else(|| std::env::var_os("PYTHONPATH")).unwrap_or_default();
        let set = std::env::split_paths(&set).filter(|path| !path.as_os_str().is_empty());
        // Relative ones are meant from where the program runs.
        let mut path: Vec<PathBuf> = set.map(|path| moved.or_same(&cwd.join(path))).collect();
        let installed = self.interpreter.site_packages.iter().flat_map(|dir| pth_folders(dir));
        for folder in installed.filter_map(|folder| moved.map(&folder)) {
            if !path.contains(&folder) {
                path.push(folder);
            }
        }
        if path.is_empty() { None } else { std::env::join_paths(path).ok() }
    }
}

impl Program {
    /// Its working directory.
    pub fn cwd(&self) -> &Path {
        &self.place.cwd
    }

    /// The folder of the script, links resolved, or the working directory of what is none.
    pub fn near(&self) -> &Path {
        self.place.near()
    }

    /// The real path of the script, where it is one.
    pub fn script(&self) -> Option<&Path> {
        self.place.script.as_ref().map(|script| script.real.as_path())
    }

    /// The root of its project.
    pub fn root(&self) -> &Path {
        &self.place.root
    }

    /// What was asked for.
    pub fn request(&self) -> &RunRequest {
        &self.request
    }

    /// How it is confined, if it is: `writes` or `strict`.
    pub fn sandbox(&self) -> Option<&'static str> {
        self.confinement.mode().map(crate::sandbox::Mode::word)
    }
}

fn relocated(place: Place, moved: &Moved) -> Place {
    let script = place.script.map(|script| {
        let real = moved.or_same(&script.real);
        Script { absolute: real.clone(), real }
    });
    Place { cwd: moved.or_same(&place.cwd), script, root: moved.or_same(&place.root) }
}

/// Folders that the `.pth` files of a folder of packages add to the path.
fn pth_folders(packages: &Path) -> Vec<PathBuf> {
    let entries = packages.read_dir().into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "pth"));
    let texts = files.filter_map(|path| std::fs::read_to_string(path).ok());
    let lines = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    let folders = lines.map(|line| PathBuf::from(line.trim())).filter(|path| path.is_absolute());
    folders.filter_map(|path| path.canonicalize().ok()).filter(|path| path.is_dir()).collect()
}
