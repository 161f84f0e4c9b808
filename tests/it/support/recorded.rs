//! Profiles from recorded documents, as if their run had just ended.

use std::path::{Path, PathBuf};

use scalene_mcp::profile::{
    Engine, Environment, Measured, Outcome, Output, Profile, ProfileId, Program, ProgramKind,
    RawDocument, Reporting, RunInfo, Seconds, Status, Witness,
};
use scalene_mcp::scalene::{Parsed, parse};

/// Reads `fixtures/profiles/<name>.json`.
pub(crate) fn parsed(name: &str) -> Parsed {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    parse(&std::fs::read(dir.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// Where a recorded document is.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles").join(format!("{name}.json"))
}

/// Names of all recorded documents, in order.
pub(crate) fn names() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| {
            Some(entry.unwrap().file_name().to_str()?.strip_suffix(".json")?.to_owned())
        })
        .collect();
    names.sort();
    names
}

/// A profile of a recorded document; the id is the only thing that differs between calls.
pub(crate) fn profile(name: &str) -> Profile {
    let version = name.rsplit("--").next().unwrap().to_owned();
    let raw = RawDocument::keep(&std::fs::read(path(name)).unwrap());
    Profile { raw, ..with(parsed(name), &version) }
}

/// A profile of the document at a path.
pub(crate) fn profile_at(path: &Path, version: &str) -> Profile {
    with(parse(&std::fs::read(path).unwrap()).unwrap(), version)
}

/// A profile around parsed parts.
pub(crate) fn with(parsed: Parsed, scalene_version: &str) -> Profile {
    Profile {
        id: ProfileId::draw(|_| false),
        program: Program {
            kind: ProgramKind::Script,
            name: "demo.py".into(),
            args: vec!["a b".into()],
        },
        run: RunInfo {
            status: Status::Complete,
            outcome: Outcome::ExitCode(0),
            started_at: Some("2026-11-22T10:00:00Z".into()),
            imported_from: None,
            parameters: serde_json::Map::new(),
            cwd: "/tmp/demo".into(),
            project_root: "/tmp/demo".into(),
            environment: Some(Environment {
                python: "/usr/bin/python3".into(),
                python_source: "PATH".into(),
                python_version: "3.11.7".into(),
                engine: Engine::Scalene,
                scalene_version: Some(scalene_version.to_owned()),
                scalene_source: Some("project".into()),
                platform: "linux x86_64".into(),
                cores: Some(2),
                load: Some(0.5),
                sandbox: None,
            }),
            stdout: Output { head: "done\n".into(), total_bytes: 5, ..Output::default() },
            stderr: Output::default(),
            peak_resident_bytes: None,
            resident: Vec::new(),
            process_cpu: None,
            warnings: parsed.warnings,
            errors: Vec::new(),
        },
        measured: Measured {
            cpu: true,
            memory: parsed.memory,
            gpu: parsed.gpu,
            peaks_per_visit: parsed.peaks_per_visit,
            part_of_time: false,
            leak_detector: true,
            virtual_time: false,
            sampling_interval: Seconds::from_secs(0.01),
        },
        reporting: Reporting { cpu_percent_threshold: 1.0, malloc_threshold: 100, reduced: false },
        elapsed: parsed.elapsed,
        files: parsed.files,
        footprint: parsed.footprint,
        call_paths: parsed.call_paths,
        calls: None,
        proof: None,
        call_counts: None,
        floor: None,
        per_call: None,
        timed_by: Witness::Scalene,
        repeats: None,
        blocks: None,
        raw: None,
        covered: None,
        tests: None,
    }
}
