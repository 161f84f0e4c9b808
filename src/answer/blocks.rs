//! Named parts of a program.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::listing::{self, Listing};
use super::next::{self, NextCall};
use super::text::{amount, amount_or_dash, count, one_line};
use super::{Answer, budget};
use crate::analysis::{self, block_order};
use crate::profile::{
    Block, BlockKind, BlockPlace, LineNo, Mebibytes, Percent, Profile, Seconds, round_for_display,
};
use crate::scalene::{BLOCKS_MODULE, NO_BLOCKS};

/// Longest name shown, in characters.
const NAME: usize = 80;
/// Blocks that the answer to a profiling call names.
const MOST_BRIEF: usize = 5;

/// A block at its place in the tree.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BlockRow {
    /// 0 for a block that none holds; a row belongs to the nearest row above with a smaller depth.
    pub depth: usize,
    /// Its name.
    pub name: String,
    /// `marker` (the program marks it), `lines` or `function` (the call named it).
    pub kind: String,
    /// Where it is, as `file:first-last`; the last line is left out where the source does not tell.
    pub places: Vec<String>,
    /// Times it was entered: counted for markers, for functions with `count_calls` (of the function, wherever it is in the
    /// tree). Absent where nobody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// Of these, not left by the end of the run.
    #[serde(skip_serializing_if = "is_zero")]
    pub open: u64,
    /// Seconds in it and in all that it calls, over all threads. Markers: measured from entering to leaving, waits and
    /// awaits included. Else sampled: thread-seconds of stacks with one of its lines on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_sec: Option<f64>,
    /// Part of it in none of the blocks inside it: for markers the time in which the thread had none of them open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_sec: Option<f64>,
    /// CPU seconds of `total_sec`. Markers: CPU clock of the threads that had it open; a suspended task has none. Else
    /// sampled: the thread was on a CPU, or ready for one or for the interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_sec: Option<f64>,
    /// CPU seconds of `self_sec`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub self_cpu_sec: Option<f64>,
    /// `total_sec` less `cpu_sec`. Absent where other threads worked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_sec: Option<f64>,
    /// Markers: `total_sec` over the wall time of the run, in percent; tasks and threads at the same time make more than
    /// 100. Else the part of the sampled wall time that belongs to its stacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_total: Option<f64>,
    /// Reads of stacks with one of its lines on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Volume allocated by its own lines, not by functions elsewhere that they call, freed or not, MiB. Absent where nothing
    /// was sampled, or where it is at several places of the tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_mb: Option<f64>,
    /// Time of its own lines, as listings of its file show it. Absent where it is at several places of the tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines_sec: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Named parts of a program, nested as they nest.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BlocksAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// As a tree, each after that around it, heaviest first.
    pub blocks: Vec<BlockRow>,
    /// Rows listed.
    pub shown: usize,
    /// Rows in all.
    pub total: usize,
    /// Where there are none: the two ways to name some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<String>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl BlocksAnswer {
    /// The blocks of a profile, at most `limit` of them.
    pub fn new(profile: &Profile, limit: usize) -> Self {
        budget::fit(limit, listing::cap(limit.div_ceil(2)), |rows| Self::with_rows(profile, rows))
    }

    fn with_rows(profile: &Profile, rows: usize) -> Self {
        let Some(blocks) = &profile.blocks else { return Self::without(profile) };
        let order = block_order(blocks, rows);
        let listed: Vec<BlockRow> = order
            .iter()
            .filter_map(|index| {
                let block = blocks.all.get(*index as usize)?;
                Some(BlockRow::new(profile, block, blocks.depth(*index)))
            })
            .collect();
        let own = |index: &&u32| {
            let block = blocks.all.get(**index as usize);
            block.and_then(|block| block.own).map_or(0.0, Seconds::get)
        };
        let heaviest = order.iter().max_by(|a, b| own(a).total_cmp(&own(b)));
        let place = heaviest
            .and_then(|index| blocks.all.get(*index as usize))
            .and_then(|block| block.places.first())
            .filter(|place| profile.files.iter().any(|file| file.path == place.file));
        let next = place.map(|place| {
            let last = place.last.unwrap_or(place.first);
            NextCall::new(
                "get_file_details",
                [
                    ("profile_id", json!(profile.id.as_str())),
                    ("file_path", json!(profile.display_path(&place.file))),
                    ("start_line", json!(place.first.get())),
                    ("end_line", json!(last.get())),
                ],
            )
        });
        Self {
            profile_id: profile.id.to_string(),
            shown: listed.len(),
            blocks: listed,
            total: blocks.all.len(),
            how: None,
            warnings: blocks.notes.clone(),
            next: next.into_iter().collect(),
        }
    }

    /// The answer for a profile without blocks.
    fn without(profile: &Profile) -> Self {
        let example = example(profile);
        let how = format!(
            "Two ways to name some. Without a change of the code, in the profiling call: \"blocks\": [{example}] (lines of \
             a file) or [{{\"name\": \"load\", \"function\": \"load\"}}]. In the code, which also counts calls:\n\
             try: from {BLOCKS_MODULE} import block\n\
             except ImportError: {NO_BLOCKS}\n\
             then `with block(\"load\"):` around statements, or `@block(\"load\")` before a function; the second line lets \
             the program run without scalene-mcp."
        );
        let again = next::run_again(profile).map(|mut call| {
            call.arguments.insert("blocks".to_owned(), json!([example]));
            call
        });
        Self {
            profile_id: profile.id.to_string(),
            blocks: Vec::new(),
            shown: 0,
            total: 0,
            how: Some(how),
            warnings: Vec::new(),
            next: again.into_iter().collect(),
        }
    }
}

/// A block that this profile could have had: its function with most time.
fn example(profile: &Profile) -> Value {
    let all = analysis::functions(profile);
    let found = all.iter().find_map(|function| {
        let spans = function.file.functions();
        let span = spans.iter().find(|span| span.name == function.name)?;
        Some((function.file, span))
    });
    let mut block = Map::new();
    if let Some((file, span)) = found {
        block.insert("name".to_owned(), json!(span.name));
        if !file.path.starts_with('<') {
            block.insert("file".to_owned(), json!(profile.display_path(&file.path)));
        }
        block.insert("start_line".to_owned(), json!(span.start.get()));
        block.insert("end_line".to_owned(), json!(span.end.get()));
    } else {
        block.insert("name".to_owned(), json!("load"));
        block.insert("start_line".to_owned(), json!(1));
        block.insert("end_line".to_owned(), json!(20));
    }
    Value::Object(block)
}

/// A block's kind in a word.
fn kind(kind: BlockKind) -> &'static str {
    match kind {
        BlockKind::Marker => "marker",
        BlockKind::Lines => "lines",
        BlockKind::Function => "function",
    }
}

fn place(profile: &Profile, place: &BlockPlace) -> String {
    let file = profile.display_path(&place.file);
    listing::place(&file, place.first.get(), place.last.map(LineNo::get))
}

impl BlockRow {
    fn new(profile: &Profile, block: &Block, depth: usize) -> Self {
        let seconds = |time: Option<Seconds>| time.map(Seconds::rounded);
        let counted = || {
            let counts =
                profile.call_counts.as_ref().filter(|_| block.kind == BlockKind::Function)?;
            let calls = block.places.iter().filter_map(|at| counts.of(&at.file, at.first));
            let calls: Vec<u64> = calls.map(|count| count.calls).collect();
            (!calls.is_empty()).then(|| calls.iter().sum())
        };
        Self {
            depth,
            name: one_line(&block.name, NAME),
            kind: kind(block.kind).to_owned(),
            places: block.places.iter().map(|at| place(profile, at)).collect(),
            calls: block.calls.or_else(counted),
            open: block.open,
            total_sec: seconds(block.total),
            self_sec: seconds(block.own),
            cpu_sec: seconds(block.cpu),
            self_cpu_sec: seconds(block.own_cpu),
            waiting_sec: seconds(block.waiting),
            percent_of_total: block.share.map(Percent::rounded),
            samples: block.samples,
            allocated_mb: block.allocated.map(Mebibytes::rounded),
            lines_sec: seconds(block.lines),
        }
    }

    fn cells(&self) -> Vec<String> {
        let number = |value: Option<u64>| value.map_or_else(|| "-".into(), |n| n.to_string());
        let open = if self.open > 0 { format!(" ({} open)", self.open) } else { String::new() };
        vec![
            amount_or_dash(self.total_sec),
            self.percent_of_total
                .map_or_else(|| "-".into(), |share| format!("{} %", amount(share))),
            amount_or_dash(self.self_sec),
            amount_or_dash(self.cpu_sec),
            amount_or_dash(self.self_cpu_sec),
            amount_or_dash(self.waiting_sec),
            amount_or_dash(self.lines_sec),
            amount_or_dash(self.allocated_mb),
            number(self.calls),
            number(self.samples),
            format!(
                "{}{}{open}  [{}] {}",
                "  ".repeat(self.depth),
                self.name,
                self.kind,
                self.places.join(", ")
            ),
        ]
    }
}

impl Answer for BlocksAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let headline = match &self.how {
            Some(how) => format!("{}  the profile has no blocks. {how}\n", self.profile_id),
            None => format!(
                "{}  {} of {}, nested as they nest\n",
                self.profile_id,
                self.shown,
                count(self.total as u64, "block")
            ),
        };
        Listing {
            headline,
            header: &[
                "total s",
                "of run",
                "self s",
                "CPU s",
                "self CPU",
                "waiting s",
                "lines s",
                "MiB",
                "calls",
                "samples",
                "block",
            ],
            rows: self.blocks.iter().map(BlockRow::cells).collect(),
            legend: String::new(),
            warnings: &self.warnings,
            next: &self.next,
        }
        .text()
    }
}

/// The heaviest blocks in a line each, for the answer to a profiling call: a few, or all.
pub(super) fn brief(profile: &Profile, all: bool) -> Vec<String> {
    let Some(blocks) = &profile.blocks else { return Vec::new() };
    let order = block_order(blocks, if all { usize::MAX } else { MOST_BRIEF });
    let line = |index: &u32| {
        let block = blocks.all.get(*index as usize)?;
        let path: Vec<_> =
            blocks.path(*index).into_iter().map(|block| one_line(&block.name, NAME)).collect();
        let mut parts = vec![format!("{} s", amount_or_dash(block.total.map(Seconds::get)))];
        parts.extend(block.share.map(|share| format!("{} %", amount(share.get()))));
        parts.extend(block.calls.map(|calls| count(calls, "call")));
        Some(format!("{}: {}", path.join(" > "), parts.join(", ")))
    };
    order.iter().filter_map(line).collect()
}

/// A block in two profiles.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BlockDelta {
    /// Names of the blocks around it and its own, outermost first.
    pub path: Vec<String>,
    /// Seconds in it in the baseline; absent where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_before_sec: Option<f64>,
    /// Seconds in it in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_after_sec: Option<f64>,
    /// After over before. Nothing is said of noise: `verify_speedup` does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Times it was entered in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_before: Option<u64>,
    /// Times it was entered in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_after: Option<u64>,
}

/// Blocks of both profiles by their path, largest change first.
pub(super) fn deltas(before: &Profile, after: &Profile) -> Vec<BlockDelta> {
    let changes = analysis::compare::block_changes(before, after);
    let delta = |change: &analysis::compare::BlockChange<'_>| {
        let total =
            |block: Option<&Block>| block.and_then(|block| block.total).map(Seconds::rounded);
        BlockDelta {
            path: change.path.iter().map(|name| one_line(name, NAME)).collect(),
            total_before_sec: total(change.before),
            total_after_sec: total(change.after),
            ratio: change.ratio().map(round_for_display),
            calls_before: change.before.and_then(|block| block.calls),
            calls_after: change.after.and_then(|block| block.calls),
        }
    };
    changes.iter().map(delta).collect()
}

impl BlockDelta {
    /// The row of a table.
    pub(super) fn cells(&self) -> Vec<String> {
        let number = |value: Option<u64>| value.map_or_else(|| "-".into(), |n| n.to_string());
        vec![
            amount_or_dash(self.total_before_sec),
            amount_or_dash(self.total_after_sec),
            amount_or_dash(self.ratio),
            number(self.calls_before),
            number(self.calls_after),
            self.path.join(" > "),
        ]
    }
}
