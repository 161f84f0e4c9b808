//! Fills the answer from a stored profile.

use serde_json::json;

use super::{
    CallPathInfo, CpuMetrics, GpuMetrics, LineGpuMetrics, LineMemoryMetrics, MemoryMetrics,
    OutcomeInfo, ProfileAnswer, Ranked, StatusInfo, SummaryMetrics, TopLine,
};
use crate::analysis::{self, CpuBasis, CpuRanking, GpuHotspot, MemoryMetric, MemoryRanking};
use crate::answer::environment::EnvironmentInfo;
use crate::answer::line::{LineMetrics, kind};
use crate::answer::memory_hotspots::peak_basis;
use crate::answer::next::NextCall;
use crate::answer::output::OutputInfo;
use crate::answer::per_call::PerCallInfo;
use crate::answer::test_run::TestsInfo;
use crate::answer::text::{one_line, source};
use crate::answer::window::{DriveInfo, WindowInfo};
use crate::answer::{blocks, budget, doubts, listing};
use crate::profile::{
    CallPath, Engine, LineNo, Mebibytes, MebibytesPerSec, Outcome, Percent, Profile, Program,
    ProgramKind, Repeats, Reporting, RunInfo, Seconds, Status, Witness, place, signal_name,
};

/// Lines listed under each kind of measurement, and part of the usual output shown: the output
/// gives way first.
const SIZES: [(usize, f64); 10] = [
    (MOST_LINES, 1.0),
    (MOST_LINES, 0.5),
    (MOST_LINES, 0.25),
    (8, 0.25),
    (6, 0.25),
    (5, 0.2),
    (4, 0.15),
    (3, 0.1),
    (2, 0.05),
    (1, 0.0),
];
/// Most lines listed under each kind of measurement.
const MOST_LINES: usize = 10;
/// With as few lines warnings give way too: a broken document brings many.
const FEW_LINES: usize = 2;
const MOST_WARNINGS: usize = 4;
/// Lines in `top_lines`.
const TOP_LINES: usize = 5;
/// Call paths listed when stacks were collected.
const CALL_PATHS: usize = 5;
/// Frames shown of a call path, counted from its end.
const FRAMES: usize = 6;

impl ProfileAnswer {
    /// The answer for a stored profile.
    pub fn new(profile: &Profile) -> Self {
        let figures = Figures::of(profile, MOST_LINES);
        let build = |(lines, output_part): (usize, f64)| {
            let output = |output| OutputInfo::within(output, output_part);
            Self {
                stdout: known(profile).map(|run| output(&run.stdout)),
                stderr: known(profile).map(|run| output(&run.stderr)),
                ..Self::with_lines(profile, &figures, lines)
            }
        };
        budget::first_that_fits(&SIZES, budget::DEFAULT_CAP, build)
    }

    /// The same with every line listed.
    pub fn whole(profile: &Profile) -> Self {
        let mut all = profile.clone();
        all.reporting =
            Reporting { cpu_percent_threshold: 0.0, malloc_threshold: 0, reduced: false };
        let lines = Self::with_lines(&all, &Figures::of(&all, usize::MAX), usize::MAX);
        let threshold = profile.reporting.cpu_percent_threshold;
        Self {
            stdout: known(profile).map(|run| OutputInfo::whole(&run.stdout)),
            stderr: known(profile).map(|run| OutputInfo::whole(&run.stderr)),
            blocks: blocks::brief(profile, true),
            summary: { lines.summary }
                .map(|summary| SummaryMetrics { cpu_percent_threshold: threshold, ..summary }),
            ..lines
        }
    }

    fn with_lines(profile: &Profile, figures: &Figures<'_>, lines: usize) -> Self {
        let mut warnings = profile.run.warnings.clone();
        if profile.measured.cpu {
            warnings.extend(doubts::of_times(profile));
        }
        warnings.extend(doubts::of_memory(profile));
        if lines <= FEW_LINES && warnings.len() > MOST_WARNINGS {
            let more = warnings.len() - MOST_WARNINGS;
            warnings.truncate(MOST_WARNINGS);
            warnings.push(format!("{more} more warnings: profile://{} holds them", profile.id));
        }
        Self {
            profile_id: profile.id.to_string(),
            status: match profile.run.status {
                Status::Complete => StatusInfo::Complete,
                Status::Partial => StatusInfo::Partial,
            },
            program: program(profile),
            outcome: Some(outcome(profile.run.outcome)),
            progress: None,
            window: profile.covered.as_ref().map(WindowInfo::of),
            drive: { profile.covered.as_ref() }
                .and_then(|covered| covered.drive.as_ref().map(DriveInfo::of)),
            tests: profile.tests.as_ref().map(|run| TestsInfo::of(run, lines)),
            summary: Some(summary(profile, &figures.totals)),
            top_lines: top_lines(profile, figures),
            cpu_profile: profile.measured.cpu.then(|| cpu(profile, figures, lines)),
            memory_profile: memory(profile, figures, lines),
            gpu_profile: gpu(profile, figures, lines),
            per_call: PerCallInfo::of(profile),
            call_paths: (!profile.call_paths.is_empty()).then(|| call_paths(profile)),
            blocks: blocks::brief(profile, false),
            errors: profile.run.errors.clone(),
            warnings,
            stdout: None,
            stderr: None,
            environment: EnvironmentInfo::new(&profile.run),
            loaded_from: profile.run.imported_from.as_ref().map(|path| path.display().to_string()),
            next: next_calls(profile, figures),
        }
    }
}

/// What answers of every size are made from: found once, however often the text is too long.
struct Figures<'a> {
    totals: analysis::Summary,
    cpu: CpuRanking<'a>,
    memory: MemoryRanking<'a>,
    gpu: Vec<GpuHotspot<'a>>,
}

impl<'a> Figures<'a> {
    /// With as many lines of each ranking.
    fn of(profile: &'a Profile, most: usize) -> Self {
        Self {
            totals: analysis::summary(profile),
            cpu: analysis::cpu_ranking(profile, CpuBasis::WithSystem, most),
            memory: analysis::memory_ranking(profile, MemoryMetric::Allocation, most),
            gpu: analysis::gpu_hotspots(profile),
        }
    }
}

/// The run, unless it happened elsewhere and its output is not known.
fn known(profile: &Profile) -> Option<&RunInfo> {
    profile.run.environment.is_some().then_some(&profile.run)
}

fn program(profile: &Profile) -> String {
    let command = command(&profile.program);
    let pid = profile.run.parameters.get("pid");
    match pid.filter(|_| profile.program.kind == ProgramKind::Process) {
        Some(pid) => format!("{command} (pid {pid})"),
        None => command,
    }
}

/// A program and its arguments in one line.
pub(in crate::answer) fn command(program: &Program) -> String {
    let name = match program.kind {
        ProgramKind::Module => format!("-m {}", program.name),
        _ => program.name.clone(),
    };
    let quoted = |arg: &String| {
        let plain =
            !arg.is_empty() && !arg.contains(|c: char| c.is_whitespace() || "\"'\\$".contains(c));
        if plain { arg.clone() } else { format!("{arg:?}") }
    };
    let words: Vec<_> = std::iter::once(name).chain(program.args.iter().map(quoted)).collect();
    one_line(&words.join(" "), 160)
}

fn outcome(outcome: Outcome) -> OutcomeInfo {
    let (exit_code, signal, description) = match outcome {
        Outcome::ExitCode(code) => (Some(code), None, format!("exit {code}")),
        Outcome::Signal(number) => {
            (None, Some(signal_name(number)), format!("killed by {}", signal_name(number)))
        }
        Outcome::TimedOut => (None, None, "stopped at the time limit".to_owned()),
        Outcome::MemoryLimit(_) => (None, None, "stopped at the memory limit".to_owned()),
        Outcome::DiskLimit(_) => (None, None, "stopped at the disk limit".to_owned()),
        Outcome::Stopped => (None, None, "stopped on request".to_owned()),
        Outcome::Covered => (None, None, "stopped at the end of the part asked for".to_owned()),
        Outcome::Unknown => (None, None, "end not recorded".to_owned()),
        Outcome::StillRuns => (None, None, "left running".to_owned()),
    };
    OutcomeInfo { exit_code, signal, description }
}

fn summary(profile: &Profile, summary: &analysis::Summary) -> SummaryMetrics {
    SummaryMetrics {
        elapsed_time_sec: summary.elapsed.map(Seconds::rounded),
        runs: profile.repeats.as_ref().map(|repeats| repeats.runs.len()),
        elapsed_interval_sec: { profile.repeats.as_ref() }
            .and_then(Repeats::elapsed)
            .map(|interval| listing::bounds(&interval)),
        max_footprint_mb: summary.peak.map(Mebibytes::rounded),
        average_memory_mb: summary.average.map(Mebibytes::rounded),
        num_lines: summary.lines,
        num_functions: summary.functions,
        cpu_percent_threshold: profile.reporting.cpu_percent_threshold,
        cpu_samples: profile.cpu_samples(),
        resident_timeline: timeline(&profile.run.resident),
        plain_elapsed_sec: { profile.floor.as_ref() }
            .and_then(|floor| Some(floor.plain?.plain.rounded())),
    }
}

fn location(profile: &Profile, path: &str, line: LineNo) -> String {
    place(&profile.display_path(path), line.get(), None)
}

fn top_lines(profile: &Profile, figures: &Figures<'_>) -> Vec<TopLine> {
    if !profile.measured.cpu {
        return Vec::new();
    }
    figures
        .cpu
        .spots
        .iter()
        .take(TOP_LINES)
        .filter(|spot| spot.share.get() >= profile.reporting.cpu_percent_threshold)
        .map(|spot| TopLine {
            location: listing::location(profile, spot.file, spot.lines()),
            function_name: spot.file.function_name(spot.line).to_owned(),
            content: listing::content(spot.file, spot.lines()),
            percent_of_total: spot.share.rounded(),
            time_sec: profile.seconds(spot.share).map(Seconds::rounded),
            kind: kind(profile, &spot.cpu).unwrap_or_default().to_owned(),
        })
        .collect()
}

fn cpu(profile: &Profile, figures: &Figures<'_>, limit: usize) -> CpuMetrics {
    let (totals, ranking) = (&figures.totals, &figures.cpu);
    let total = ranking.total;
    // Where no line has time, nothing is known of its kinds: absent, not 0 s.
    let seconds = |share| profile.seconds(share).filter(|_| total > 0).map(Seconds::rounded);
    let listed = || ranking.spots.iter().take(limit.min(ranking.above_threshold));
    let covered: Percent = listed().map(|spot| spot.share).sum();
    let lines: Vec<_> = listed()
        .map(|spot| {
            let key = listing::location(profile, spot.file, spot.lines());
            (key, LineMetrics::of_place(profile, spot))
        })
        .collect();
    let basis = if profile.measured.part_of_time {
        "profile_only: shares are of the time in the files that match, so there are no seconds"
    } else if profile.measured.virtual_time {
        "seconds = share of sampled CPU time × CPU time of the process; system is time in the kernel, not waiting"
    } else if profile.engine() == Engine::Sampler {
        "lines timed by stacks read from outside, Python/native by the machine code that ran; seconds = share × wall time"
    } else if profile.timed_by == Witness::Scalene {
        "seconds = share of sampled time × wall time"
    } else {
        "lines timed by stacks read beside Scalene, Python/native by the machine code that ran; seconds = share × wall time"
    };
    CpuMetrics {
        basis: basis.to_owned(),
        total_python_time_sec: seconds(totals.python),
        total_c_time_sec: seconds(totals.native),
        total_system_time_sec: seconds(totals.system),
        shown: lines.len(),
        lines: Ranked(lines),
        total,
        coverage_percent: (total > 0).then(|| covered.rounded()),
    }
}

fn memory(profile: &Profile, figures: &Figures<'_>, limit: usize) -> Option<MemoryMetrics> {
    let footprint = profile.footprint.as_ref()?;
    let (totals, ranking) = (&figures.totals, &figures.memory);
    let total = ranking.above_threshold + ranking.below_threshold;
    let listed = || ranking.spots.iter().take(limit);
    let coverage: Option<Percent> = listed().map(|spot| spot.share).sum::<Option<Percent>>();
    let lines: Vec<_> = listed()
        .map(|spot| {
            let memory = spot.memory;
            let metrics = LineMemoryMetrics {
                line_number: spot.line.number.get(),
                content: source(spot.file.text(spot.line.number)),
                allocated_mb: memory.allocated.rounded(),
                peak_mb: memory.peak.rounded(),
                average_mb: memory.average.map(Mebibytes::rounded),
                python_percent: memory.python_fraction.map(|part| (part.get() * 100.0).round()),
                copy_mb_per_sec: analysis::copy_rate(profile, memory).map(MebibytesPerSec::rounded),
            };
            (location(profile, &spot.file.path, spot.line.number), metrics)
        })
        .collect();
    Some(MemoryMetrics {
        peak_mb: totals.peak.map(Mebibytes::rounded),
        peak_resident_mb: profile
            .run
            .peak_resident_bytes
            .map(|bytes| Mebibytes::from_bytes(bytes).rounded()),
        peak_at: footprint.peak_at.as_ref().map(|(file, line)| location(profile, file, *line)),
        average_mb: totals.average.map(Mebibytes::rounded),
        allocated_mb: totals.allocated.map(Mebibytes::rounded),
        footprint_timeline: timeline(&footprint.timeline),
        peak_basis: (total > 0).then(|| peak_basis(profile).to_owned()),
        num_allocations: None,
        num_deallocations: None,
        memory_samples: footprint.records,
        shown: lines.len(),
        lines: Ranked(lines),
        total,
        coverage_percent: coverage.filter(|_| total > 0).map(Percent::rounded),
    })
}

/// Points of memory over time shown.
const TIMELINE_POINTS: usize = 10;

/// Evenly chosen samples, the first and the last among them; none of a single one.
fn timeline(all: &[(Seconds, Mebibytes)]) -> Vec<[f64; 2]> {
    let steps = if all.len() < 2 { 0 } else { all.len().min(TIMELINE_POINTS) };
    let index = |step: usize| if steps > 1 { step * (all.len() - 1) / (steps - 1) } else { 0 };
    (0..steps)
        .filter_map(|step| all.get(index(step)))
        .map(|(at, mib)| [at.rounded(), mib.rounded()])
        .collect()
}

fn gpu(profile: &Profile, figures: &Figures<'_>, limit: usize) -> Option<GpuMetrics> {
    let device = profile.measured.gpu.clone()?;
    let spots = &figures.gpu;
    let share: Percent = spots.iter().map(|spot| spot.gpu.share).sum();
    let peak = spots.iter().map(|spot| spot.gpu.peak_memory).fold(Mebibytes::ZERO, Mebibytes::max);
    let total = spots.len();
    let seconds = |share: Percent| profile.elapsed.map(|elapsed| share.of(elapsed).rounded());
    let lines: Vec<_> = spots
        .iter()
        .take(limit)
        .map(|spot| {
            let metrics = LineGpuMetrics {
                line_number: spot.line.number.get(),
                content: source(spot.file.text(spot.line.number)),
                gpu_time_sec: seconds(spot.gpu.share),
                gpu_percent: spot.gpu.share.rounded(),
                gpu_load_percent: spot.gpu.load.map(Percent::rounded),
                gpu_memory_mb: spot.gpu.peak_memory.rounded(),
            };
            (location(profile, &spot.file.path, spot.line.number), metrics)
        })
        .collect();
    Some(GpuMetrics {
        device,
        total_gpu_time_sec: seconds(share),
        total_gpu_memory_mb: (total > 0).then_some(peak.rounded()),
        shown: lines.len(),
        lines: Ranked(lines),
        total,
    })
}

fn call_paths(profile: &Profile) -> Vec<CallPathInfo> {
    let info = |path: &CallPath| {
        let cut = path.frames.len().saturating_sub(FRAMES);
        let mut frames = Vec::new();
        if cut > 0 {
            frames.push(format!("… {cut} more"));
        }
        frames.extend(path.frames.iter().skip(cut).map(|frame| {
            format!("{} {}", frame.function, location(profile, &frame.file, frame.line))
        }));
        CallPathInfo { percent: path.share.rounded(), samples: path.samples, frames }
    };
    profile.call_paths.iter().take(CALL_PATHS).map(info).collect()
}

fn next_calls(profile: &Profile, figures: &Figures<'_>) -> Vec<NextCall> {
    let id = json!(profile.id.as_str());
    let mut calls = Vec::new();
    if !figures.cpu.spots.is_empty() || profile.footprint.is_some() {
        calls.push(NextCall::new("analyze_profile", [("profile_id", id.clone())]));
    }
    if profile.blocks.is_some() {
        calls.push(NextCall::new("get_blocks", [("profile_id", id.clone())]));
        return calls;
    }
    if profile.call_counts.is_some() {
        calls.push(NextCall::new("get_function_summary", [("profile_id", id.clone())]));
        return calls;
    }
    if let Some(spot) = figures.cpu.spots.first() {
        let (start, end) = spot.line.region.map_or_else(
            || (spot.line.number.get().saturating_sub(5).max(1), spot.line.number.get() + 5),
            |(start, end)| (start.get().saturating_sub(2).max(1), end.get().max(start.get() + 5)),
        );
        calls.push(NextCall::new(
            "get_file_details",
            [
                ("profile_id", id.clone()),
                ("file_path", json!(profile.display_path(&spot.file.path))),
                ("start_line", json!(start)),
                ("end_line", json!(end)),
            ],
        ));
    } else if profile.footprint.is_some() {
        calls.push(NextCall::new("get_memory_hotspots", [("profile_id", id)]));
    }
    calls
}
