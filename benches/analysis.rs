//! Speed and memory of reading and analysing profiles: `cargo bench --bench analysis`.
//!
//! `cargo bench --bench analysis -- reading` leaves the questions out, `-- Comparison` all but those
//! of that name. Needs no Python.
//! A child of this process reads the document for the memory row, so that nothing
//! else counts. It ends with a table and exit code 0 whatever the verdicts.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed; its table is for people"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

use std::hint::black_box;
use std::time::Instant;

use scalene_mcp::analysis::leaks::LeakConfidence;
use scalene_mcp::analysis::{self, CpuBasis, MemoryMetric};
use scalene_mcp::answer::{
    AnalysisAnswer, Answer, BottlenecksAnswer, ComparisonAnswer, CpuHotspotsAnswer, FileAnswer,
    FileQuery, Focus, FunctionsAnswer, GpuHotspotsAnswer, LeaksAnswer, MemoryHotspotsAnswer,
    ProfileAnswer,
};
use scalene_mcp::profile::Profile;
use scalene_mcp::scalene::parse;

#[path = "../tests/it/support/recorded.rs"]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
mod recorded;
#[path = "../tests/it/support/synthetic.rs"]
mod synthetic;

/// Size of the document that is read.
const DOCUMENT: usize = 80_000_000;
const READS: usize = 9;
/// How often each later call is timed.
const CALLS: usize = 11;
/// Files, lines of each, and the longest a later call may take, in milliseconds.
const SIZES: [(usize, usize, f64); 3] = [(10, 100, 1.0), (1_000, 100, 10.0), (1, 100_000, 10.0)];
/// Given to the child that reads the document and says how large it grew.
const GROW: &str = "--read-once";

struct Row {
    what: String,
    measured: String,
    target: String,
    met: Option<bool>,
}

fn main() {
    if let Some(path) = std::env::args().skip_while(|arg| arg != GROW).nth(1) {
        read_once(&path);
        return;
    }
    let before = load();
    let asked = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let asked = asked.as_deref().unwrap_or_default();
    let mut rows = if "reading".starts_with(asked) { reading() } else { Vec::new() };
    let sizes = if asked == "reading" { &[][..] } else { &SIZES };
    for (files, lines, limit) in sizes {
        let made = || {
            let mut profile = synthetic::profile(*files, *lines);
            // Most work: every line is above the thresholds, and the output has to give way.
            profile.reporting.cpu_percent_threshold = 0.0;
            profile.run.stdout.head = "o".repeat(8_000);
            profile
        };
        rows.extend(answering(&format!("{files} × {lines} lines"), *limit, asked, made));
        if *files == 1 || *limit < 2.0 {
            let lines = files * lines;
            let made = || synthetic::patterns(lines);
            rows.extend(answering(&format!("{lines} lines with patterns"), *limit, asked, made));
        }
    }
    println!("load average {before} before, {} after\n", load());
    println!("| figure | measured | target | verdict |\n|---|---|---|---|");
    for Row { what, measured, target, met } in rows {
        let verdict = met.map_or("", |met| if met { "met" } else { "MISSED" });
        println!("| {what} | {measured} | {target} | {verdict} |");
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Median and smallest.
fn of(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0])
}

fn milliseconds<T>(work: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    black_box(work());
    started.elapsed().as_secs_f64() * 1000.0
}

fn reading() -> Vec<Row> {
    let text = synthetic::document(DOCUMENT);
    let size = text.len() as f64;
    let times = (0..READS).map(|_| milliseconds(|| parse(text.as_bytes()).unwrap())).collect();
    let (median, best) = of(times);
    // What a busy machine allows: the same document walked over without keeping anything.
    let skip = || serde_json::from_str::<serde::de::IgnoredAny>(&text).unwrap();
    let (skipped, skipped_best) = of((0..READS).map(|_| milliseconds(skip)).collect());
    let rate = |milliseconds: f64| size / 1000.0 / milliseconds;
    let mut rows = vec![
        Row {
            what: "for comparison: the JSON reader alone, keeping nothing".to_owned(),
            measured: format!("{:.0} MB/s (best {:.0})", rate(skipped), rate(skipped_best)),
            target: String::new(),
            met: None,
        },
        Row {
            what: format!("read and convert {:.0} MB, median of {READS}", size / 1e6),
            measured: format!("{:.0} MB/s (best {:.0})", rate(median), rate(best)),
            target: "≥ 700 MB/s".to_owned(),
            met: Some(rate(median) >= 700.0),
        },
    ];
    rows.push(largest_text(&text));
    rows.extend(growth(&text));
    rows
}

/// The largest default answer about the document.
fn largest_text(text: &str) -> Row {
    let profile = &recorded::with(parse(text.as_bytes()).unwrap(), "2.4.0");
    let texts = [
        ProfileAnswer::new(profile).text(),
        AnalysisAnswer::new(profile, Focus::Overall).text(),
        BottlenecksAnswer::new(profile, 5).text(),
        CpuHotspotsAnswer::new(profile, 10, CpuBasis::OnCpu).text(),
        MemoryHotspotsAnswer::new(profile, 10, MemoryMetric::Allocation).text(),
        GpuHotspotsAnswer::new(profile, 10).text(),
        LeaksAnswer::new(profile, LeakConfidence::Low).text(),
        FunctionsAnswer::new(profile, 20).text(),
        ComparisonAnswer::new(profile, profile, 0.05).text(),
    ];
    let most = texts.iter().map(String::len).max().unwrap_or(0);
    Row {
        what: "largest default answer about it".to_owned(),
        measured: format!("{most} bytes"),
        target: "≤ 4096 bytes".to_owned(),
        met: Some(most <= 4096),
    }
}

/// What a fresh process needs to read a document, over the document and what is kept of it.
fn growth(text: &str) -> Option<Row> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a benchmark starts itself")]
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let output = child.arg(GROW).arg(file.path()).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> =
        output.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [base, peak, kept] = figures.as_slice() else { return None };
    let document = text.len() as f64;
    let ratio = (peak - base) / (document + kept);
    Some(Row {
        what: "peak resident memory of that over document and what is kept".to_owned(),
        measured: format!(
            "{ratio:.2} ({:.0} MB / {:.0} + {:.0} MB)",
            (peak - base) / 1e6,
            document / 1e6,
            kept / 1e6
        ),
        target: "≤ 2.50".to_owned(),
        met: Some(ratio <= 2.5),
    })
}

/// Prints resident bytes at the start, the most there ever were, and what is kept of the document.
fn read_once(path: &str) {
    let field = |name: &str| {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
    };
    let Some(base) = field("VmRSS:") else { return };
    let bytes = std::fs::read(path).unwrap();
    let parsed = parse(&bytes).unwrap();
    drop(bytes);
    let peak = field("VmHWM:").unwrap_or_default();
    let profile = recorded::with(parsed, "2.4.0");
    println!("{base} {peak} {}", profile.approximate_bytes());
}

/// One question of a profile.
type Question = (&'static str, fn(&Profile));

const QUESTIONS: [Question; 15] = [
    ("all places by time", |profile| {
        black_box(analysis::cpu_hotspots(profile, CpuBasis::WithSystem));
    }),
    ("all lines by memory", |profile| {
        black_box(analysis::memory_hotspots(profile, MemoryMetric::Allocation));
    }),
    ("functions", |profile| {
        black_box(analysis::functions(profile));
    }),
    ("summary", |profile| {
        black_box(analysis::summary(profile));
    }),
    ("lines_that_matter", |profile| {
        black_box(analysis::lines_that_matter(profile, &profile.files[0], 40));
    }),
    ("CpuHotspotsAnswer and text", |profile| {
        black_box(CpuHotspotsAnswer::new(profile, 10, CpuBasis::OnCpu).text());
    }),
    ("MemoryHotspotsAnswer and text", |profile| {
        black_box(MemoryHotspotsAnswer::new(profile, 10, MemoryMetric::Allocation).text());
    }),
    ("FunctionsAnswer and text", |profile| {
        black_box(FunctionsAnswer::new(profile, 20).text());
    }),
    ("FileAnswer and text", |profile| {
        black_box(FileAnswer::new(profile, &profile.files[0], FileQuery::default()).text());
    }),
    ("ProfileAnswer and text", |profile| {
        black_box(ProfileAnswer::new(profile).text());
    }),
    ("BottlenecksAnswer and text", |profile| {
        black_box(BottlenecksAnswer::new(profile, 5).text());
    }),
    ("AnalysisAnswer and text", |profile| {
        black_box(AnalysisAnswer::new(profile, Focus::Overall).text());
    }),
    ("LeaksAnswer and text", |profile| {
        black_box(LeaksAnswer::new(profile, LeakConfidence::Medium).text());
    }),
    ("GpuHotspotsAnswer and text", |profile| {
        black_box(GpuHotspotsAnswer::new(profile, 10).text());
    }),
    ("ComparisonAnswer with itself and text", |profile| {
        black_box(ComparisonAnswer::new(profile, profile, 0.05).text());
    }),
];

fn answering(of_what: &str, limit: f64, asked: &str, made: impl Fn() -> Profile) -> Vec<Row> {
    let profile = made();
    QUESTIONS
        .into_iter()
        .filter(|(name, _)| name.contains(asked))
        .map(|(name, ask)| {
            let fresh = made();
            let first = milliseconds(|| ask(&fresh));
            ask(&profile);
            let times = (0..CALLS).map(|_| milliseconds(|| ask(&profile))).collect();
            let (median, _) = of(times);
            let all = name.starts_with("all ");
            Row {
                what: format!("{name}, {of_what}"),
                measured: format!("{median:.2} ms, first {first:.1} ms"),
                // No answer asks for all.
                target: if all { String::new() } else { format!("≤ {limit} ms") },
                met: (!all).then_some(median <= limit),
            }
        })
        .collect()
}
