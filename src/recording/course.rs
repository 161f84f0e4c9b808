//! The course of a run of which a part is profiled: the program gets ready, the part begins, a command drives it, the
//! part ends, and the program with it.

use std::ffi::OsString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::confine::Confinement;
use super::error::RecordError;
use super::eyes::Eyes;
use super::followed::Followed;
use super::place::Place;
use super::record::{self};
use super::request::RunRequest;
use super::setup::Ready;
use super::window::{Readiness, Window};
use super::workspace::Workspace;
use crate::process::{self, Controls, EndedBy, Exit, Finished, Limits, SpawnError, Spec, Tick};
use crate::profile::{Covered, CoveredUntil, Drive, DriveEnd, Output, Seconds};
use crate::sandbox::Mode;
use crate::scalene::LaunchWindow;

/// Longest time that a program is waited for until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// How long one try of a port may take.
const TRY: Duration = Duration::from_millis(500);
/// How long Scalene may take to be switched: the main thread of the program does it, between two instructions.
const SWITCHED_WITHIN: Duration = Duration::from_secs(5);
/// How long a command may go on after the part is over, before it is asked to end.
const DRIVE_ENDS_WITHIN: Duration = Duration::from_secs(2);
/// Time between asking it to end and killing it.
const DRIVE_GRACE: Duration = Duration::from_secs(2);

/// A run of which a part is asked for.
pub(super) struct Course {
    window: Window,
    drive: Option<Spec>,
    memory: Option<u64>,
    /// Absent where the program runs without Scalene: then nobody says when it begins, and nothing is switched.
    begun: Option<PathBuf>,
    opens: PathBuf,
    closes: PathBuf,
}

impl Course {
    /// Makes sure that what is asked for can be; `None` where all of the run is.
    pub(super) async fn new(
        request: &RunRequest,
        place: &Place,
        ready: &Ready,
        workspace: &Workspace,
        confinement: &Confinement,
        hidden: &[OsString],
    ) -> Result<Option<Self>, RecordError> {
        let window = &request.window;
        if window.is_whole() {
            return Ok(None);
        }
        if let Some(Readiness::Port(port)) = window.ready {
            closed(port, confinement).await?;
        }
        let drive = drive(request, place, ready, workspace)?.map(|mut spec| {
            spec.env_remove = hidden.to_vec();
            confinement.dress(spec, false)
        });
        Ok(Some(Self {
            window: window.clone(),
            drive,
            memory: request.memory_limit(),
            begun: ready.scalene.is_some().then(|| workspace.begun()),
            opens: workspace.output(OPENS),
            closes: workspace.output(CLOSES),
        }))
    }

    /// Runs the program to the end of the part, or to its own.
    pub(super) async fn run(
        &self,
        spec: &Spec,
        limits: Limits,
        controls: &Controls,
        eyes: &Eyes,
        on_tick: &mut (dyn FnMut(Tick) + Send),
    ) -> Result<(Finished, Followed), SpawnError> {
        let own = Controls {
            stop: controls.stop.child_token(),
            cancel: controls.cancel.clone(),
            written: controls.written.clone(),
        };
        let ended = CancellationToken::new();
        let sought = match &self.window.ready {
            Some(Readiness::Output(text)) => Some(text.clone()),
            _ => None,
        };
        let spec = Spec { sought, ..spec.clone() };
        let program = process::run(&spec, limits, &own, on_tick);
        let course = self.follow(controls, &ended, eyes);
        tokio::pin!(program, course);
        tokio::select! {
            finished = &mut program => {
                let finished = finished?;
                ended.cancel();
                Ok((finished, course.await))
            }
            followed = &mut course => {
                own.stop.cancel();
                Ok((program.await?, followed))
            }
        }
    }

    /// `ended` is fired when the program is over.
    async fn follow(
        &self,
        controls: &Controls,
        ended: &CancellationToken,
        eyes: &Eyes,
    ) -> Followed {
        tokio::select! {
            () = self.has_begun(eyes) => {}
            // A short program may be over between two looks.
            () = ended.cancelled() => if !self.is_begun(eyes) {
                return Followed::Missed("the program ended before its first line".to_owned());
            }
        }
        let begun = Instant::now();
        if let Err(why) = self.ready(controls, ended).await {
            return Followed::Missed(why);
        }
        let drive_controls = Controls { cancel: controls.cancel.clone(), ..Controls::default() };
        let limits = Limits { grace: DRIVE_GRACE, memory: self.memory, ..Limits::default() };
        let mut no_tick = |_: Tick| {};
        let driving = self.driving(limits, &drive_controls, &mut no_tick);
        tokio::pin!(driving);
        let (delay, drive_began) = (self.window.delay, Instant::now());
        if !delay.is_zero() {
            tokio::select! {
                () = sleep(delay) => {}
                () = ended.cancelled() => return Followed::Missed(too_early("the program", delay)),
                _ = &mut driving => return Followed::Missed(too_early("the drive command", delay)),
            }
        }
        if self.window.is_late() {
            eyes.open();
            self.switched(&self.opens, ended, eyes).await;
        }
        let opened = Instant::now();
        let mut driven = None;
        let until = tokio::select! {
            finished = &mut driving => {
                driven = Some(finished);
                CoveredUntil::Drive
            }
            () = lasts(self.window.duration) => CoveredUntil::Duration,
            () = ended.cancelled() => CoveredUntil::Program,
        };
        let seconds = opened.elapsed();
        eyes.close();
        if until != CoveredUntil::Program {
            self.switched(&self.closes, ended, eyes).await;
        }
        if self.drive.is_some() && driven.is_none() {
            driven = timeout(DRIVE_ENDS_WITHIN, &mut driving).await.ok();
        }
        if self.drive.is_some() && driven.is_none() {
            drive_controls.stop.cancel();
            driven = Some(driving.await);
        }
        let from =
            if self.window.is_late() { opened.duration_since(begun) } else { Duration::ZERO };
        Followed::Part(Covered {
            from: amount(from),
            seconds: amount(seconds),
            until,
            ready: self.window.ready.as_ref().map(Readiness::words),
            drive: driven.map(|finished| self.driven(finished, drive_began.elapsed())),
        })
    }

    fn is_begun(&self, eyes: &Eyes) -> bool {
        self.begun.as_ref().map_or_else(|| eyes.pid().is_some(), |begun| begun.exists())
    }

    async fn has_begun(&self, eyes: &Eyes) {
        while !self.is_begun(eyes) {
            sleep(LOOK).await;
        }
    }

    /// Until the program is ready, or why it is not.
    async fn ready(&self, controls: &Controls, ended: &CancellationToken) -> Result<(), String> {
        let Some(ready) = &self.window.ready else { return Ok(()) };
        let waiting = async {
            match ready {
                Readiness::Port(port) => open(*port).await,
                Readiness::Output(_) => {
                    while !controls.written.found() {
                        sleep(LOOK).await;
                    }
                }
                Readiness::After(time) => sleep(*time).await,
            }
        };
        let within = match ready {
            Readiness::After(time) => *time + READY_WITHIN,
            _ => READY_WITHIN,
        };
        tokio::select! {
            () = waiting => Ok(()),
            () = sleep(within) => {
                Err(format!("it was waited {} s for {}", within.as_secs(), ready.words()))
            }
            () = ended.cancelled() => {
                Err(format!("the program ended while it was waited for {}", ready.words()))
            }
        }
    }

    /// The command; never ends where there is none.
    async fn driving(
        &self,
        limits: Limits,
        controls: &Controls,
        on_tick: &mut (dyn FnMut(Tick) + Send),
    ) -> Result<Finished, SpawnError> {
        match &self.drive {
            Some(spec) => process::run(spec, limits, controls, on_tick).await,
            None => std::future::pending().await,
        }
    }

    /// Has Scalene switched by the program, which says that it has done so.
    async fn switched(&self, file: &Path, ended: &CancellationToken, eyes: &Eyes) {
        if self.begun.is_none() {
            return;
        }
        if let Err(error) = std::fs::write(file, "") {
            tracing::warn!(%error, "Scalene cannot be switched");
            return;
        }
        let mut done = file.as_os_str().to_owned();
        done.push(".done");
        let switching = async {
            while !Path::new(&done).exists() {
                #[cfg(unix)]
                eyes.pid().into_iter().for_each(process::nudge);
                sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = switching => {}
            () = sleep(SWITCHED_WITHIN) => tracing::warn!("Scalene was not switched in time"),
            () = ended.cancelled() => {}
        }
    }

    fn driven(&self, finished: Result<Finished, SpawnError>, seconds: Duration) -> Drive {
        let command = self.window.drive.clone();
        match finished {
            Ok(finished) => Drive {
                command,
                end: match (finished.ended_by, finished.exit) {
                    (EndedBy::Itself, Exit::Code(code)) => DriveEnd::ExitCode(code),
                    (EndedBy::Itself, Exit::Signal(signal)) => DriveEnd::Signal(signal),
                    (EndedBy::Itself, Exit::Unknown) => DriveEnd::Unknown,
                    _ => DriveEnd::Stopped,
                },
                seconds: amount(finished.wall),
                stdout: output(&finished.stdout),
                stderr: output(&finished.stderr),
            },
            Err(error) => {
                let head = error.to_string();
                let total_bytes = head.len() as u64;
                let stderr = Output { head, total_bytes, ..Output::default() };
                Drive {
                    command,
                    end: DriveEnd::Unknown,
                    seconds: amount(seconds),
                    stdout: Output::default(),
                    stderr,
                }
            }
        }
    }
}

/// Files between us and the launcher.
const OPENS: &str = "window.open";
const CLOSES: &str = "window.close";

/// What the launcher is told of a part of a run.
pub(super) fn launch_window(
    window: &Window,
    workspace: &Workspace,
) -> Result<Option<LaunchWindow>, RecordError> {
    if window.is_whole() {
        return Ok(None);
    }
    workspace.write("window.py", crate::scalene::WINDOW.as_bytes())?;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    Ok(Some(LaunchWindow {
        code: text(workspace.path("window.py")),
        opens: text(workspace.output(OPENS)),
        closes: text(workspace.output(CLOSES)),
        late: window.is_late(),
    }))
}

fn amount(time: Duration) -> Seconds {
    Seconds::from_secs(time.as_secs_f64()).unwrap_or_default()
}

fn output(captured: &process::Captured) -> Output {
    Output {
        head: captured.head.clone(),
        tail: captured.tail.clone(),
        omitted_bytes: captured.omitted_bytes,
        total_bytes: captured.total_bytes,
    }
}

fn too_early(what: &str, delay: Duration) -> String {
    format!("{what} ended before delay_sec={} was over", delay.as_secs_f64())
}

async fn lasts(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Until a port of this machine takes connections.
async fn open(port: u16) {
    while !takes_connections(port).await {
        sleep(LOOK).await;
    }
}

async fn takes_connections(port: u16) -> bool {
    let addresses: [SocketAddr; 2] =
        [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    for address in addresses {
        if matches!(timeout(TRY, TcpStream::connect(address)).await, Ok(Ok(_))) {
            return true;
        }
    }
    false
}

/// Makes sure that a port can show that the program is ready.
async fn closed(port: u16, confinement: &Confinement) -> Result<(), RecordError> {
    let invalid = |problem| RecordError::InvalidArgument { parameter: "ready", problem };
    if confinement.mode() == Some(Mode::Strict) {
        return Err(invalid(format!(
            "in sandbox `strict` no program has a network, so port {port} never opens: sandbox=writes where the server allows it"
        )));
    }
    if takes_connections(port).await {
        return Err(invalid(format!(
            "port {port} is open already: another program listens there, and this one could not; end it, or have this one \
             listen elsewhere"
        )));
    }
    Ok(())
}

/// The command that drives the program, found as a shell would, but first beside the program's Python.
fn drive(
    request: &RunRequest,
    place: &Place,
    ready: &Ready,
    workspace: &Workspace,
) -> Result<Option<Spec>, RecordError> {
    let Some((name, args)) = request.window.drive.split_first() else { return Ok(None) };
    let python = ready.project.as_ref().unwrap_or(&ready.interpreter);
    let program = if ["python", "python3"].contains(&name.as_str()) {
        Some(python.executable.clone())
    } else if name.contains(std::path::is_separator) {
        Some(place.cwd.join(super::request::expand_home(name))).filter(|path| path.is_file())
    } else {
        let beside = python.executable.parent().map(Path::to_owned);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = beside.into_iter().chain(std::env::split_paths(&path));
        folders.find_map(|dir| Some(dir.join(name)).filter(|path| path.is_file()))
    };
    let Some(program) = program else {
        return Err(RecordError::InvalidArgument {
            parameter: "drive",
            problem: format!(
                "there is no program `{name}`, neither beside `{}` nor on PATH; it is no line for a shell, but a list: the \
                 program and its arguments, as [\"python\", \"load.py\"]",
                python.executable.display()
            ),
        });
    };
    let mut env: Vec<(OsString, OsString)> =
        request.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    env.extend(record::private_env(request, workspace));
    Ok(Some(Spec {
        program,
        args: args.iter().map(Into::into).collect(),
        cwd: Some(place.cwd.clone()),
        env,
        ..Spec::default()
    }))
}

/// Runs a program, in its course where only a part is asked for.
pub(super) async fn run(
    course: Option<&Course>,
    (spec, limits): (&Spec, Limits),
    controls: &Controls,
    eyes: &Eyes,
    on_tick: &mut (dyn FnMut(Tick) + Send),
) -> Result<(Finished, Option<Followed>), SpawnError> {
    match course {
        Some(course) => {
            let (finished, followed) =
                Box::pin(course.run(spec, limits, controls, eyes, on_tick)).await?;
            Ok((finished, Some(followed)))
        }
        None => Ok((process::run(spec, limits, controls, on_tick).await?, None)),
    }
}
