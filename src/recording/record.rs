//! The story of a run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use etcetera::BaseStrategy;

use super::blocks;
use super::confine::Confinement;
use super::course::{self, Course};
use super::engine;
use super::error::RecordError;
use super::eyes::Eyes;
use super::function::{self, Around, Timed};
use super::further::Further;
use super::guard::Guard;
use super::interim::Watcher;
use super::outcome::{self, Conclusion};
use super::place::Place;
use super::request::{MOST_DISK, RunRequest, Target};
use super::resident::Resident;
use super::scope::scope;
use super::secrets;
use super::setup::{self, Ready};
use super::shown::Shown;
use super::workspace::{PID_FILES, Workspace};
use crate::process::{Controls, Limits, Spec, Tick};
use crate::profile::{Interim, Profile, ProfileId};
use crate::python;
use crate::sandbox::Mode;
use crate::scalene::{LaunchMode, LaunchRequest, RecordOptions, environment};

/// Time between asking a program to end and killing it: Scalene writes its profile then.
const GRACE: Duration = Duration::from_secs(8);

/// What the server or the command line decided once.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Interpreter for calls that name none, with the name of the setting it came from.
    pub python: Option<(String, &'static str)>,
    /// Where overlays are kept.
    pub cache_dir: PathBuf,
    /// Whether Scalene may be installed into an overlay.
    pub allow_install: bool,
    /// What callers may ask for.
    pub guard: Guard,
}

impl Default for Settings {
    /// Overlays in the user's cache folder (without a home folder, in the temporary one),
    /// installing allowed.
    fn default() -> Self {
        let cache_dir =
            user_cache_dir().unwrap_or_else(|| std::env::temp_dir().join("scalene-mcp"));
        Self { python: None, cache_dir, allow_install: true, guard: Guard::default() }
    }
}

/// Where overlays are kept unless told otherwise; `None` without a home folder.
pub fn user_cache_dir() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("scalene-mcp"))
}

/// A sign of life of a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// Scalene is being set up; the step in words.
    SettingUp(String),
    /// Calls are timed, without a profiler, before the run that is profiled.
    Timing,
    /// The program is about to start.
    Starting,
    /// The program runs.
    Running(Tick),
    /// What took the time so far, about once a second.
    Seen(Interim),
    /// The program is over, its profile is being read.
    Reading,
    /// The program runs once more, and its calls are counted.
    Counting,
    /// The program runs once more, without a profiler.
    Plain,
    /// One of several runs begins.
    Repeat {
        /// From 1.
        number: usize,
        /// How many there will be.
        of: usize,
    },
}

/// Runs programs under Scalene.
#[derive(Debug, Clone)]
pub struct Recorder {
    pub(super) settings: Settings,
    pub(super) env: python::Env,
}

impl Recorder {
    /// What callers may ask for.
    pub fn guard(&self) -> &Guard {
        &self.settings.guard
    }

    /// A recorder that looks for interpreters in the environment of this process.
    pub fn new(settings: Settings) -> Self {
        Self { settings, env: python::Env::current() }
    }

    /// Profiles one program, once.
    pub(super) async fn record_once(
        &self,
        id: ProfileId,
        request: &RunRequest,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Profile, RecordError> {
        let guard = &self.settings.guard;
        guard.mode(request)?;
        let place = self.place(request)?;
        guard.writable(request)?;
        guard.python(request, &place.cwd)?;
        let blocks = blocks::resolve(request, &place, guard)?;
        let found =
            python::find(&self.python_request(request, &place), &self.env, controls).await?;
        let ready = engine::ready(self, request, found, controls, on_event).await?;

        let mut workspace = Workspace::create()?;
        let confinement =
            Confinement::new(guard, request, &place, &ready.both(), &workspace, controls).await?;
        let hidden = secrets::withheld(request, &guard.pass_env);
        let mut warnings: Vec<String> = secrets::warning(&hidden).into_iter().collect();
        let shown = Shown::write(request, &place, &workspace)?;
        let around = Around::new(request, &place, &ready, &workspace, &shown);
        let timed = function::time(around, (&confinement, &hidden), controls, on_event).await?;
        let texts = (&shown, &timed);
        let options = options(request, &place, &ready, &workspace, texts, &mut warnings);
        prepare(request, &place, &ready, &options, &workspace, texts)?;
        let further =
            Further::new(request, &place, &ready, &options, &workspace, &confinement, &hidden)?;
        let course =
            Course::new(request, &place, &ready, &workspace, &confinement, &hidden).await?;
        let mut spec = spec(request, &place, &ready, &options, &workspace);
        spec.env_remove = hidden;
        let spec = confinement.dress(spec, options.memory);
        let limits = limits(request);
        let (started_at, load) =
            (SystemTime::now(), sysinfo::System::load_average().ok().map(|load| load.one));

        on_event(Event::Starting);
        let eyes = Eyes::new(engine::look(request, &workspace), request.window.is_late());
        let mut resident = Resident::default();
        let mut watcher = Watcher::new(&options, &ready, &place, &shown, &confinement);
        let mut on_tick = |tick: Tick| {
            resident.add(tick.elapsed, tick.resident_bytes);
            let seen = eyes.at(tick, |sampler| watcher.look(sampler));
            on_event(Event::Running(tick));
            if let Some(seen) = seen {
                on_event(Event::Seen(seen));
            }
        };
        let (finished, followed) =
            course::run(course.as_ref(), (&spec, limits), controls, &eyes, &mut on_tick).await?;
        workspace.hold(finished.hold.clone());
        on_event(Event::Reading);

        let profiled = finished.wall;
        let conclusion = Conclusion {
            id,
            request: RunRequest { sandbox: confinement.mode(), ..request.clone() },
            place,
            ready,
            options,
            finished,
            followed,
            state: workspace.read_state(),
            started_at,
            load,
            confinement,
            warnings,
            resident: resident.points(),
            shown,
            per_call: timed.per_call,
            blocks,
        };
        let (profile, workspace) =
            outcome::concluded(conclusion, eyes.into_sampler(), workspace).await?;
        further.run(profile?, (profiled, &workspace), controls, on_event).await
    }

    /// Finds the interpreter for a program in `near` and equips it, as a run would.
    ///
    /// # Errors
    /// [`RecordError`] when there is none, or Scalene cannot be had for it.
    pub async fn set_up(
        &self,
        python: Option<String>,
        near: &Path,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<super::SetUp, RecordError> {
        let found = self.find_python(python, near, controls).await?;
        let ready = setup::equip(self, found, controls, on_event).await?;
        Ok(super::SetUp {
            project: ready.project.clone().unwrap_or_else(|| ready.interpreter.clone()),
            scalene_version: ready.version(),
            overlay: ready.project.map(|_| ready.interpreter.prefix.clone()),
        })
    }

    /// Finds the interpreter for a program in `near`.
    ///
    /// # Errors
    /// [`RecordError::Python`].
    pub async fn find_python(
        &self,
        python: Option<String>,
        near: &Path,
        controls: &Controls,
    ) -> Result<python::Interpreter, RecordError> {
        let request = python::Request {
            explicit: python,
            configured: self.settings.python.clone(),
            near: near.to_owned(),
            cwd: near.to_owned(),
            choose: false,
        };
        Ok(python::find(&request, &self.env, controls).await?)
    }

    pub(super) fn python_request(&self, request: &RunRequest, place: &Place) -> python::Request {
        python::Request {
            explicit: request.python.clone(),
            configured: self.settings.python.clone(),
            near: place.near().to_owned(),
            cwd: place.cwd.clone(),
            // A program that ran before may have made an environment: then nobody chooses.
            choose: request.allowed.choose_python && self.settings.guard.least == Mode::Off,
        }
    }
}

/// What Scalene is told, with a warning for everything that was asked for and cannot be.
fn options(
    request: &RunRequest,
    place: &Place,
    ready: &Ready,
    workspace: &Workspace,
    (shown, timed): (&Shown, &Timed),
    warnings: &mut Vec<String>,
) -> RecordOptions {
    warnings.extend(engine::unmeasured(request));
    let measure = &request.measure;
    if !measure.cpu && ready.scalene.is_some() {
        warnings.push(
            "cpu=false: Scalene samples CPU time all the same; it is left out of this answer"
                .to_owned(),
        );
    }
    let memory = measure.memory && ready.scalene.is_some();
    let no_memory = ready.interpreter.no_memory_profiling().filter(|_| memory);
    warnings.extend(no_memory.map(|why| format!("memory is not profiled: {why}")));
    if measure.use_virtual_time {
        warnings.push("use_virtual_time: waiting is not measured, times are CPU time".to_owned());
    }
    if measure.async_profile == Some(true) && ready.scalene.is_some() && !ready.knows_async() {
        warnings.push(format!(
            "Scalene {} cannot profile await; async_profile is ignored",
            ready.version()
        ));
    }
    warnings.extend(timed.warning.clone());
    let mut scope = scope(measure, place, ready, shown, workspace);
    scope.extend(timed.file.as_deref(), &ready.interpreter.library_paths);
    let async_by_default = !ready.interpreter.version.at_least(3, 12);
    RecordOptions {
        outfile: workspace.profile(),
        memory: memory && no_memory.is_none(),
        gpu: measure.gpu,
        stacks: measure.stacks,
        async_profile: measure.async_profile.unwrap_or(async_by_default),
        virtual_time: measure.use_virtual_time,
        sampling_interval_sec: measure.cpu_sampling_rate,
        allocation_window: measure.allocation_sampling_window,
        scope,
    }
}

/// The program as Python is told it: a file or a module.
pub(super) fn launch_target(
    request: &RunRequest,
    place: &Place,
    workspace: &Workspace,
) -> (LaunchMode, String) {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    match &request.target {
        Target::Module(name) => (LaunchMode::Module, name.trim().to_owned()),
        Target::Snippet(_) => (LaunchMode::Script, text(&workspace.snippet())),
        Target::Function(call) => (LaunchMode::Function, call.target.clone()),
        Target::Script(typed) => {
            let absolute = place.script.as_ref().map(|script| script.absolute.as_path());
            let same = absolute == Some(place.cwd.join(typed).as_path());
            let target = if same { typed.clone() } else { absolute.map(text).unwrap_or_default() };
            (LaunchMode::Script, target)
        }
    }
}

/// What a run may take.
fn limits(request: &RunRequest) -> Limits {
    Limits {
        timeout: Some(request.timeout),
        grace: GRACE,
        memory: request.memory_limit(),
        disk: Some(MOST_DISK),
    }
}

/// Writes the run's files.
fn prepare(
    request: &RunRequest,
    place: &Place,
    ready: &Ready,
    options: &RecordOptions,
    workspace: &Workspace,
    (shown, timed): (&Shown, &Timed),
) -> Result<(), RecordError> {
    let arguments = ready.scalene.as_ref().map(|scalene| scalene.adapter.arguments(options));
    let mut launch = LaunchRequest {
        scalene_args: arguments.unwrap_or_default(),
        own_libraries: own_libraries(place, ready),
        window: course::launch_window(&request.window, workspace)?,
        ..launch_request(request, place, workspace, shown)?
    };
    if let Target::Function(call) = &request.target {
        launch.driver = Some(workspace.path("call.py").to_string_lossy().into_owned());
        launch.function = Some(function::asked(call, request, place, workspace, Some(timed)));
    }
    workspace.write_request(&launch)
}

/// What the launcher is told but for Scalene.
pub(super) fn launch_request(
    request: &RunRequest,
    place: &Place,
    workspace: &Workspace,
    shown: &Shown,
) -> Result<LaunchRequest, RecordError> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (mut mode, mut target) = launch_target(request, place, workspace);
    let mut args = request.args.clone();
    if let Some(tests) = &request.tests {
        mode = LaunchMode::Script;
        (target, args) = tests.prepare(&place.cwd, workspace)?;
    }
    let is_snippet = matches!(request.target, Target::Snippet(_));
    let tmpdir = request.env.iter().filter(|(name, _)| name == "TMPDIR").cloned();
    Ok(LaunchRequest {
        scalene_args: Vec::new(),
        mode,
        target,
        args,
        state_file: text(&workspace.state()),
        path0: (is_snippet || request.tests.is_some()).then(|| text(&place.cwd)),
        argv0: is_snippet.then(|| "-c".to_owned()),
        window: None,
        restore_env: tmpdir.collect(),
        own_root: text(&place.root),
        own_libraries: Vec::new(),
        blocks_file: text(&workspace.blocks_module()),
        cells: shown.cells(),
        driver: None,
        function: None,
    })
}

/// Folders of libraries inside the project, as its `.venv`.
fn own_libraries(place: &Place, ready: &Ready) -> Vec<String> {
    let project = ready.project.iter().flat_map(|project| &project.site_packages);
    let all = ready.interpreter.library_paths.iter().chain(project);
    all.filter(|path| path.starts_with(&place.root) && !place.near().starts_with(path))
        .map(|path| path.to_string_lossy().into_owned())
        .collect()
}

fn spec(
    request: &RunRequest,
    place: &Place,
    ready: &Ready,
    options: &RecordOptions,
    workspace: &Workspace,
) -> Spec {
    let Some(install) = ready.install() else {
        return engine::plain(request, place, ready, workspace);
    };
    let mut env: Vec<(OsString, OsString)> =
        request.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    env.extend(environment(&install, options, |name| inherited(request, name)));
    env.extend(private_env(request, workspace));
    Spec {
        program: ready.interpreter.executable.clone(),
        args: vec![workspace.launcher().into(), workspace.request().into()],
        cwd: Some(place.cwd.clone()),
        env,
        env_remove: Vec::new(),
        stdin: request.stdin.as_ref().map(|text| text.clone().into_bytes()),
        folder: Some(workspace.root()),
        begun: Some(workspace.begun()),
        keep_stdout: 0,
        sought: None,
        pid_files: cfg!(unix).then(|| PID_FILES.into()),
    }
}

/// A variable as the program would see it without us.
fn inherited(request: &RunRequest, name: &str) -> Option<OsString> {
    let given = request.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.into());
    given.or_else(|| std::env::var_os(name))
}

/// Variables that keep what a run writes out of the project and the common temporary folder.
pub(super) fn private_env(
    request: &RunRequest,
    workspace: &Workspace,
) -> Vec<(OsString, OsString)> {
    let temporary = ["TMPDIR", "TEMP", "TMP"].map(|name| (name.into(), workspace.tmp().into()));
    let mut env: Vec<(OsString, OsString)> = temporary.to_vec();
    // The project stays as it is: no `__pycache__` where there was none.
    if inherited(request, "PYTHONDONTWRITEBYTECODE").is_none() {
        env.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
    }
    env
}
