//! `scalene-mcp profile`.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::args::ProfileOptions;
use super::live::Live;
use crate::answer::{Answer, BottlenecksAnswer, FloorInfo, FunctionsAnswer, ProfileAnswer};
use crate::recording::{RecordError, Recorder, RunRequest, Settings, Target};
use crate::store::Store;

pub(super) async fn run(mut settings: Settings, store: Store, options: ProfileOptions) -> ExitCode {
    let (json, counted, plain) = (options.json, options.count_calls, options.plain_run);
    // On the command line `--python` speaks of this very program.
    let python = settings.python.take();
    let request = match request(options, python.map(|(python, _)| python)) {
        Ok(request) => request,
        Err(error) => return super::fail(&error),
    };
    let recorder = Recorder::new(settings);
    let mut live = Live::new();
    let controls = super::controls();
    let id = store.draw_id(|_| false);
    let recorded = recorder.record(id, &request, &controls, &mut |event| live.show(&event)).await;
    live.clear();
    let recorded = recorded.map(|profile| store.insert(profile));
    let (answer, bottlenecks, functions, floor) = match recorded {
        Ok(profile) => (
            ProfileAnswer::new(&profile),
            BottlenecksAnswer::new(&profile, BottlenecksAnswer::DEFAULT_LIMIT),
            counted.then(|| FunctionsAnswer::new(&profile, FunctionsAnswer::DEFAULT_LIMIT)),
            plain.then(|| FloorInfo::of(&profile)).flatten(),
        ),
        Err(error) => return super::fail(&error),
    };
    if json {
        match serde_json::to_string_pretty(&answer) {
            Ok(text) => println!("{text}"),
            Err(error) => {
                eprintln!("scalene-mcp: the answer could not be written: {error}");
                return ExitCode::from(super::FAILURE);
            }
        }
    } else {
        // The next call is for agents: the profile ends with this process.
        print!("{}", ProfileAnswer { next: Vec::new(), ..answer }.text());
        if bottlenecks.total > 0 {
            let (next, warnings) = (Vec::new(), Vec::new());
            print!("\n{}", BottlenecksAnswer { warnings, next, ..bottlenecks }.text());
        }
        if let Some(floor) = floor {
            print!("\n{}", floor.text());
        }
        if let Some(functions) = functions {
            print!("\n{}", FunctionsAnswer { next: Vec::new(), ..functions }.text());
        }
    }
    ExitCode::SUCCESS
}

fn request(options: ProfileOptions, python: Option<String>) -> Result<RunRequest, RecordError> {
    let target = match (options.script, options.module, options.code) {
        (_, Some(module), _) => Target::Module(module),
        (_, _, Some(code)) => Target::Snippet(code),
        (script, None, None) => Target::Script(script.unwrap_or_default()),
    };
    let mut request = RunRequest::new(target);
    request.args = options.args;
    request.python = python;
    request.cwd = Some(options.cwd.unwrap_or_else(super::current_dir));
    request.stdin = options.stdin.as_deref().map(read_stdin).transpose()?;
    request.timeout = Duration::try_from_secs_f64(options.timeout).map_err(|error| {
        RecordError::InvalidArgument { parameter: "--timeout", problem: error.to_string() }
    })?;
    request.writable = options.writable;
    request.max_memory_mb = options.max_memory_mb;
    request.repeat = options.repeat;
    request.engine = options.engine;
    request.window = options.part.window()?;
    let measure = &mut request.measure;
    measure.memory = !options.no_memory;
    measure.gpu = options.gpu;
    measure.stacks = options.stacks;
    measure.count_calls = options.count_calls;
    measure.plain_run = options.plain_run;
    measure.profile_all = options.profile_all;
    measure.profile_only = options.profile_only;
    measure.profile_exclude = options.profile_exclude;
    measure.cpu_sampling_rate = options.cpu_sampling_rate;
    Ok(request)
}

fn read_stdin(path: &Path) -> Result<String, RecordError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.map(|_| text).map_err(|error| RecordError::InvalidArgument {
        parameter: "--stdin",
        problem: format!("`{}` cannot be read: {error}", path.display()),
    })
}
