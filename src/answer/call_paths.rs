//! Who calls whom.

use schemars::JsonSchema;
use serde::Serialize;

use super::listing::{self, Listing};
use super::next::NextCall;
use super::text::amount;
use super::{Answer, budget};
use crate::analysis::thresholds::RANKING_SAMPLES;
use crate::analysis::{Call, CallDirection, CallsFrom, calls};
use crate::profile::{Percent, Profile, Sampling, round_for_display};

/// A function on the way, reached by one line of its neighbour.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallRow {
    /// Steps from the start; a row belongs to the nearest row above with a smaller depth.
    pub depth: usize,
    /// File of the function, relative to the project root; of a library from its package on.
    pub file: String,
    /// Qualified name; `<module>` for module-level code; of machine code its symbol.
    pub function_name: String,
    /// Machine code, named by where threads were when they were stopped (Linux); `file` is its library.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub native: bool,
    /// Line of the call: in the row it belongs to (callees), in this function (callers).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_line: Option<u32>,
    /// Thread-seconds in it and in all that it calls on this path.
    pub total_sec: f64,
    /// The same in percent of all sampled calls.
    pub percent_of_total: f64,
    /// Thread-seconds in its own lines, of a library also in what it calls inside (callees), or of
    /// paths that begin here (callers).
    pub self_sec: f64,
    /// Part of `total_sec` in which the thread was on no CPU; one that the system does not tell apart
    /// counts as running.
    pub waiting_sec: f64,
    /// Its own line with most time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hottest_line: Option<u32>,
}

/// Who calls whom, and what it takes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallPathsAnswer {
    /// The profile it is about.
    pub profile_id: String,
    /// What was looked from.
    pub from: String,
    /// `callers` or `callees`.
    pub direction: String,
    /// The heaviest calls as a tree, each after what it belongs to.
    pub calls: Vec<CallRow>,
    /// Rows left out.
    pub omitted: usize,
    /// Thread-seconds of all calls from there.
    pub total_sec: f64,
    /// Part of that, in percent, that ends in the listed rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
    /// Samples behind it.
    pub samples: u64,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl CallPathsAnswer {
    /// Follows calls; `None` when the profile has none, or none from there. `words` say where.
    pub fn new(
        profile: &Profile,
        (from, words): (CallsFrom<'_>, &str),
        direction: CallDirection,
        depth: usize,
        limit: usize,
    ) -> Option<Self> {
        let found = calls(profile, from, direction, depth, 1)?;
        if found.samples == 0 {
            return None;
        }
        let of_size = |limit| Self::with_rows(profile, (from, words), direction, depth, limit);
        Some(budget::fit(limit, listing::cap(limit.div_ceil(2)), of_size))
    }

    fn with_rows(
        profile: &Profile,
        (from, words): (CallsFrom<'_>, &str),
        direction: CallDirection,
        depth: usize,
        limit: usize,
    ) -> Self {
        let found = calls(profile, from, direction, depth, limit).unwrap_or_default();
        let whole = found.whole;
        let row = |call: &Call| CallRow {
            depth: call.depth,
            file: match call.file.rsplit('/').next() {
                Some(library) if call.native => library.to_owned(),
                _ => shown_path(profile, &call.file),
            },
            function_name: call.function.clone(),
            native: call.native,
            call_line: call.call_line,
            total_sec: round_for_display(call.total),
            percent_of_total: Percent::of_whole(call.total, whole).map_or(0.0, Percent::rounded),
            self_sec: round_for_display(call.own),
            waiting_sec: round_for_display(call.waiting),
            hottest_line: call.hottest.map(|(line, _)| line),
        };
        let inner = found.calls.iter().max_by(|a, b| a.own.total_cmp(&b.own));
        let details = inner.and_then(|call| {
            let (line, _) = call.hottest?;
            profile.files.iter().find(|file| file.path == call.file)?;
            Some((profile.display_path(&call.file).into_owned(), line))
        });
        let first = details.as_ref().map(|(file, line)| (file.as_str(), *line, *line));
        Self {
            profile_id: profile.id.to_string(),
            from: words.to_owned(),
            direction: match direction {
                CallDirection::Callers => "callers",
                CallDirection::Callees => "callees",
            }
            .to_owned(),
            calls: found.calls.iter().map(row).collect(),
            omitted: found.omitted,
            total_sec: round_for_display(found.total),
            coverage_percent: Percent::of_whole(found.shown, found.total).map(Percent::rounded),
            samples: found.samples,
            warnings: profile.calls.as_ref().map_or_else(Vec::new, |calls| {
                warnings(profile, &calls.sampling, found.samples, calls.tree.truncated)
            }),
            next: listing::details_of(profile, first),
        }
    }
}

/// A path below the project as answers show it, one of a library from its package on.
fn shown_path(profile: &Profile, path: &str) -> String {
    listing::of_library(path).map_or_else(|| profile.display_path(path).into_owned(), str::to_owned)
}

/// Part of the reads that may fail before the rest is doubtful.
const MOST_FAILED: f64 = 0.05;

#[expect(clippy::cast_precision_loss, reason = "numbers of reads")]
fn warnings(profile: &Profile, sampling: &Sampling, samples: u64, truncated: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if (samples as f64) < RANKING_SAMPLES.value {
        warnings.push(format!(
            "{} too few to compare calls (below {})",
            super::doubts::are(samples),
            RANKING_SAMPLES.value
        ));
    }
    if sampling.unstopped {
        warnings.push(
            "read while the program ran, since it could not be stopped: short calls may be wrong"
                .to_owned(),
        );
    }
    let (failed, all) = (sampling.failures as f64, (sampling.failures + sampling.reads) as f64);
    if failed > MOST_FAILED * all {
        warnings.push(format!(
            "{} of {} reads of the stacks failed: short calls may be missing",
            sampling.failures,
            sampling.failures + sampling.reads
        ));
    }
    if truncated {
        warnings.push("more calls than are kept: the deepest count for their callers".to_owned());
    }
    let seen = profile.calls.as_ref().and_then(|calls| calls.tree.total());
    let several = sampling.threads > 1 || sampling.processes > 1;
    if several && seen.is_some_and(|seen| seen.get() > 1.05 * sampling.attributed) {
        warnings.push("several threads or processes: their seconds add up".to_owned());
    }
    warnings
}

impl Answer for CallPathsAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let callees = self.direction == "callees";
        let row = |call: &CallRow| {
            let mut cells = vec![
                amount(call.total_sec),
                format!("{} %", amount(call.percent_of_total)),
                amount(call.self_sec),
                amount(call.waiting_sec),
            ];
            let indent = "  ".repeat(call.depth);
            let at = match (call.call_line, callees) {
                (Some(line), true) => format!(":{line} > "),
                (None, true) => String::new(),
                (_, false) => if call.depth > 0 { "< " } else { "" }.to_owned(),
            };
            let place = match (callees, call.hottest_line, call.call_line) {
                (true, Some(line), _) if call.self_sec > 0.0 => format!("{}:{line}", call.file),
                (false, _, Some(line)) => format!("{}:{line}", call.file),
                _ => call.file.clone(),
            };
            cells.push(format!("{indent}{at}{}  {place}", call.function_name));
            cells
        };
        let covered = self
            .coverage_percent
            .map_or_else(String::new, |percent| format!(", {} % of it below", amount(percent)));
        let legend = if callees {
            "(`:12 > f  a.py:7`: line 12 calls f, whose own hottest line is 7)\n"
        } else {
            "(`< f  a.py:7`: called by f on line 7; self: paths that begin there)\n"
        };
        Listing {
            headline: format!(
                "{}  {} of {}: {} s in {} samples{covered}\n",
                self.profile_id,
                self.direction,
                self.from,
                amount(self.total_sec),
                self.samples
            ),
            header: &["total s", "of all", "self s", "waiting s", "call"],
            rows: self.calls.iter().map(row).collect(),
            legend: match self.omitted {
                0 => legend.to_owned(),
                omitted => {
                    format!(
                        "({omitted} lighter or deeper calls left out: `limit`, `depth`)\n{legend}"
                    )
                }
            },
            warnings: &self.warnings,
            next: &self.next,
        }
        .text()
    }
}
