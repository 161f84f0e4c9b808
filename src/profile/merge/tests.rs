//! Means by example, and properties of any runs.

use proptest::prelude::*;

use super::*;
use crate::profile::{
    Block, BlockKind, Blocks, CallSite, CallTreeBuilder, Calls, Line, LineCpu, LineMemory, LineNo,
    LineTime, Measured, Mebibytes, NativeFunction, Outcome, Output, ProfileId, Program,
    ProgramKind, Reporting, Sampling, Source, Status,
};

const FILE: &str = "/p/a.py";

fn percent(value: f64) -> Percent {
    Percent::from_percent(value).unwrap()
}

fn at(number: u32) -> LineNo {
    LineNo::new(number).unwrap()
}

fn line(number: u32, python: f64, native: f64, samples: u32) -> Line {
    let cpu =
        LineCpu { python: percent(python), native: percent(native), samples, ..LineCpu::default() };
    Line::timed(at(number), cpu)
}

fn run(elapsed: f64, lines: Vec<Line>) -> Profile {
    let samples = lines.iter().map(|line| u64::from(line.cpu.samples)).sum();
    let source = Source::new("a\nb\nc\n".to_owned());
    let mut file = FileProfile::new(FILE.to_owned(), source, lines, percent(100.0));
    file.samples = samples;
    Profile {
        id: ProfileId::draw(|_| false),
        program: Program { kind: ProgramKind::Script, name: "a.py".into(), args: Vec::new() },
        run: RunInfo {
            status: Status::Complete,
            outcome: Outcome::ExitCode(0),
            started_at: None,
            imported_from: None,
            parameters: serde_json::Map::new(),
            cwd: "/p".into(),
            project_root: "/p".into(),
            environment: None,
            stdout: Output::default(),
            stderr: Output::default(),
            peak_resident_bytes: None,
            resident: Vec::new(),
            process_cpu: None,
            warnings: Vec::new(),
            errors: Vec::new(),
        },
        measured: Measured {
            cpu: true,
            memory: false,
            gpu: None,
            peaks_per_visit: true,
            part_of_time: false,
            leak_detector: true,
            virtual_time: false,
            sampling_interval: Seconds::from_secs(0.01),
        },
        reporting: Reporting { cpu_percent_threshold: 1.0, malloc_threshold: 100, reduced: false },
        elapsed: Seconds::from_secs(elapsed),
        files: vec![file],
        footprint: None,
        call_paths: Vec::new(),
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

fn seconds(profile: &Profile, number: u32) -> f64 {
    let line = profile.files[0].line(at(number)).unwrap();
    profile.seconds(line.cpu.total()).unwrap().get()
}

fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

fn block(parent: Option<u32>, name: &str, total: f64, calls: u64) -> Block {
    Block {
        parent,
        name: name.to_owned(),
        kind: BlockKind::Marker,
        places: Vec::new(),
        calls: Some(calls),
        open: 0,
        total: Seconds::from_secs(total),
        own: Seconds::from_secs(total / 2.0),
        cpu: None,
        own_cpu: None,
        waiting: None,
        share: Some(percent(10.0)),
        samples: Some(4),
        allocated: None,
        lines: None,
    }
}

#[test]
fn blocks_are_means_by_their_path() {
    let with = |all: Vec<Block>, note: &str| {
        let blocks = Some(Blocks { all, notes: vec![note.to_owned()] });
        Profile { blocks, ..run(1.0, Vec::new()) }
    };
    let runs = vec![
        with(vec![block(None, "a", 2.0, 3), block(Some(0), "b", 1.0, 1)], "same"),
        with(
            vec![block(None, "b", 5.0, 1), block(None, "a", 4.0, 5), block(Some(1), "b", 3.0, 1)],
            "same",
        ),
    ];
    let blocks = merged(runs).unwrap().blocks.unwrap();
    let found: Vec<_> = { blocks.all.iter() }
        .map(|one| (one.parent, &*one.name, one.total.map(Seconds::get), one.calls, one.samples))
        .collect();
    assert_eq!(
        found,
        [
            (None, "a", Some(3.0), Some(4), Some(8)),
            (Some(0), "b", Some(2.0), Some(1), Some(8)),
            // One run did not have it there: no time, once in two runs.
            (None, "b", Some(2.5), Some(1), Some(4)),
        ]
    );
    assert_eq!(blocks.notes, ["same"]);
}

#[test]
fn seconds_are_means_and_samples_are_sums() {
    let runs = vec![
        run(1.0, vec![line(1, 60.0, 20.0, 80), line(2, 20.0, 0.0, 20)]),
        run(3.0, vec![line(1, 50.0, 40.0, 270), line(3, 10.0, 0.0, 30)]),
    ];
    let both = merged(runs).unwrap();
    assert_eq!(both.elapsed, Seconds::from_secs(2.0));
    // 0.8 s and 2.7 s; 0.2 s and nothing; nothing and 0.3 s.
    assert!(near(seconds(&both, 1), 1.75), "{}", seconds(&both, 1));
    assert!(near(seconds(&both, 2), 0.1) && near(seconds(&both, 3), 0.15));
    assert_eq!(both.cpu_samples(), Some(400));
    assert_eq!(both.files[0].line(at(1)).unwrap().cpu.samples, 350);
    let repeats = both.repeats.as_ref().unwrap();
    assert_eq!(repeats.runs.len(), 2);
    let first = repeats.seconds(FILE, LineTime::All, |number| number == at(1)).unwrap();
    assert!(near(first.mean, 1.75) && first.low < 0.8 && first.high > 2.7, "{first:?}");
    assert_eq!(repeats.line(FILE, LineTime::All, at(1)), Some(first));
    assert_eq!(repeats.line(FILE, LineTime::All, at(9)), None);
    let python = repeats.seconds(FILE, LineTime::OnCpu, |number| number > at(1)).unwrap();
    assert!(near(python.mean, 0.25), "{python:?}");
    assert_eq!(repeats.seconds("/p/other.py", LineTime::All, |_| true), None);
    assert_eq!(repeats.seconds(FILE, LineTime::All, |number| number > at(3)), None);
}

#[test]
fn one_run_stays_as_it_is() {
    let single = run(1.0, vec![line(1, 60.0, 20.0, 80)]);
    assert_eq!(merged(vec![single.clone()]), Some(single));
    assert_eq!(merged(Vec::new()), None);
}

#[test]
fn memory_is_a_mean_and_its_peak_the_highest() {
    let mib = |value| Mebibytes::from_mib(value).unwrap();
    let with = |allocated: f64, peak: f64| {
        let memory = LineMemory {
            allocated: mib(allocated),
            peak: mib(peak),
            sampled_visits: 3,
            ..LineMemory::default()
        };
        let mut run = run(1.0, vec![Line { memory: Some(memory), ..line(1, 90.0, 0.0, 90) }]);
        run.measured.memory = true;
        run.footprint = Some(Footprint {
            peak: mib(peak),
            peak_at: Some((FILE.to_owned(), at(1))),
            python_fraction: None,
            timeline: vec![(Seconds::ZERO, mib(peak))],
            allocation_paths: Vec::new(),
            records: Some(10),
            growth_rate_percent: None,
        });
        run.run.peak_resident_bytes = Some(1_000);
        run
    };
    let mut none = with(0.0, 0.0);
    none.files[0] = run(1.0, vec![line(2, 90.0, 0.0, 90)]).files[0].clone();
    let all = merged(vec![with(30.0, 8.0), with(60.0, 20.0), none]).unwrap();
    let memory = all.files[0].line(at(1)).unwrap().memory.clone().unwrap();
    assert_eq!((memory.allocated, memory.peak, memory.sampled_visits), (mib(30.0), mib(20.0), 2));
    let footprint = all.footprint.unwrap();
    assert_eq!((footprint.peak, footprint.records), (mib(20.0), Some(30)));
    assert_eq!(footprint.timeline, [(Seconds::ZERO, mib(20.0))]);
}

#[test]
fn warnings_say_whose_they_are() {
    let warned = |warnings: &[&str]| {
        let mut run = run(1.0, vec![line(1, 90.0, 0.0, 90)]);
        run.run.warnings = warnings.iter().map(|&text| text.to_owned()).collect();
        run
    };
    let mut last = warned(&["all"]);
    last.files[0].source = Source::new("edited\n".to_owned());
    let all = merged(vec![warned(&["all", "once"]), warned(&["all"]), last]).unwrap();
    let expected = [
        "all",
        "run 1 of 3: once",
        "the source of `/p/a.py` changed between the runs: its lines may be mixed up",
    ];
    assert_eq!(all.run.warnings, expected);
}

#[test]
fn machine_code_keeps_its_part_of_the_time() {
    let of = |elapsed: f64, part: f64| {
        let function =
            NativeFunction { name: "dgemm".into(), library: "blas.so".into(), part: percent(part) };
        run(elapsed, vec![Line { native_functions: vec![function], ..line(1, 0.0, 100.0, 90) }])
    };
    let both = merged(vec![of(1.0, 100.0), of(3.0, 20.0)]).unwrap();
    let functions = &both.files[0].line(at(1)).unwrap().native_functions;
    // 1 s of 1 s, 0.6 s of 3 s.
    assert!(functions.len() == 1 && near(functions[0].part.get(), 40.0), "{functions:?}");
}

#[test]
fn calls_are_means_with_all_their_samples() {
    let of = |names: [&str; 2], seconds: f64| {
        let mut builder = CallTreeBuilder::default();
        let [outer, inner] = names.map(|name| builder.function(FILE, name, false));
        let stack = [CallSite { function: outer, line: 1 }, CallSite { function: inner, line: 2 }];
        let node = builder.add(&stack, seconds, false).unwrap();
        builder.attribute(node, seconds, false);
        builder.note(node, 0, 0.5);
        let sampling = Sampling {
            reads: 10,
            attributed: seconds,
            squares: seconds * seconds / 8.0,
            threads: 2,
            ..Sampling::default()
        };
        let mut run = run(seconds, vec![line(1, 90.0, 0.0, 90)]);
        run.calls = Some(Calls { tree: builder.finish(), sampling });
        run
    };
    // The functions have other numbers in the second tree.
    let both = merged(vec![of(["main", "work"], 1.0), of(["work", "main"], 3.0)]).unwrap();
    let calls = both.calls.unwrap();
    assert_eq!(calls.tree.functions.len(), 2);
    assert!(near(calls.tree.total().unwrap().get(), 2.0));
    assert_eq!(calls.tree.nodes.iter().map(|node| node.samples).sum::<u32>(), 2);
    let names: Vec<_> = calls
        .tree
        .nodes
        .iter()
        .filter(|node| node.running > 0.0)
        .map(|node| calls.tree.function(node.site).unwrap().name.clone())
        .collect();
    assert_eq!(names, ["work", "main"]);
    assert!(near(calls.tree.meanwhile.iter().map(|pair| pair.seconds).sum(), 0.5));
    assert!(near(calls.sampling.effective_samples(), 16.0) && calls.sampling.reads == 20);
}

prop_compose! {
    fn some_run()(
        elapsed in 0.01..100.0_f64,
        shares in prop::collection::btree_map(1_u32..4, (0.0..30.0_f64, 0.0..3.0_f64, 0_u32..500), 0..4),
    ) -> Profile {
        let lines = shares.into_iter().map(|(number, (python, native, samples))| line(number, python, native, samples));
        run(elapsed, lines.collect())
    }
}

#[test]
fn a_mean_survives_being_stored() {
    let runs =
        vec![run(1.0, vec![line(1, 60.0, 20.0, 80)]), run(3.0, vec![line(3, 10.0, 0.0, 30)])];
    let both = merged(runs).unwrap();
    let text = serde_json::to_string(&both).unwrap();
    let read: Profile = serde_json::from_str(&text).unwrap();
    assert_eq!(read, both);
    // Files from before there were repeats have no such field.
    let mut older: serde_json::Value = serde_json::from_str(&text).unwrap();
    older.as_object_mut().unwrap().remove("repeats").unwrap();
    assert_eq!(serde_json::from_value::<Profile>(older).unwrap().repeats, None);
}

proptest! {
    #[test]
    fn what_runs_have_in_all_is_kept(runs in prop::collection::vec(some_run(), 2..10)) {
        let count = runs.len();
        let total = |profile: &Profile| profile.seconds(profile.totals().total()).unwrap().get();
        let seconds = runs.iter().map(total).sum::<f64>();
        let samples: u64 = runs.iter().map(|run| run.totals().samples).sum();
        let all = merged(runs).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "a few runs")]
        let mean = seconds / count as f64;
        prop_assert!(near(total(&all), mean), "{} {mean}", total(&all));
        prop_assert_eq!(all.totals().samples, samples);
        let repeats = all.repeats.as_ref().unwrap();
        for line in &all.files[0].lines {
            let own = repeats.seconds(FILE, LineTime::All, |number| number == line.number).unwrap();
            let shown = all.seconds(line.cpu.total()).unwrap().get();
            prop_assert!(near(own.mean, shown) && own.low <= own.mean && own.mean <= own.high);
        }
        let elapsed = repeats.elapsed().unwrap();
        prop_assert!(near(elapsed.mean, all.elapsed.unwrap().get()));
        prop_assert!(all.totals().total().get() <= 100.0 + 1e-9);
    }

    #[test]
    fn the_same_run_again_changes_nothing(run in some_run(), times in 2_usize..10) {
        let all = merged(vec![run.clone(); times]).unwrap();
        prop_assert_eq!(all.files[0].lines.len(), run.files[0].lines.len());
        for (one, other) in all.files[0].lines.iter().zip(&run.files[0].lines) {
            prop_assert!(near(one.cpu.total().get(), other.cpu.total().get()));
        }
        let elapsed = all.repeats.unwrap().elapsed().unwrap();
        prop_assert!(near(elapsed.low, elapsed.high));
    }

    #[test]
    fn the_order_of_runs_changes_no_time(runs in prop::collection::vec(some_run(), 2..6)) {
        let mut turned = runs.clone();
        turned.reverse();
        let (one, other) = (merged(runs).unwrap(), merged(turned).unwrap());
        for line in &one.files[0].lines {
            let same = other.files[0].line(line.number).unwrap();
            prop_assert!(near(line.cpu.total().get(), same.cpu.total().get()));
        }
    }
}
