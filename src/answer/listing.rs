//! What ranked lists have in common: rows within a budget, how a place is written, the text form.

use serde_json::json;

use super::budget;
use super::next::{self, NextCall};
use super::text::{amount, one_line, source, table};
use crate::analysis::{self, Agreement, CpuBasis, Hotspot};
use crate::profile::{FileProfile, LineNo, LineTime, Percent, Profile, round_for_display};
use crate::statistics::Interval;

/// Rows listed when nothing else is asked for.
const DEFAULT_LIMIT: usize = 10;
/// Longest source text of a stretch of lines, in characters.
const STRETCH_CHARS: usize = 100;

/// The path of a library's file from its package on; `None` for other files.
pub(super) fn of_library(path: &str) -> Option<&str> {
    let packages = ["site-packages/", "dist-packages/", "site-packages\\"];
    let inside = packages.iter().find_map(|folder| Some(path.rsplit_once(folder)?.1));
    inside.or_else(|| {
        let (_, rest) = path.rsplit_once("/lib/python3.")?;
        Some(rest.split_once('/')?.1)
    })
}

/// Largest text of a list with this many rows asked for.
pub(super) fn cap(limit: usize) -> usize {
    if limit <= DEFAULT_LIMIT { budget::DEFAULT_CAP } else { budget::HARD_CAP }
}

/// `app.py:7`, or `app.py:7-8` for a stretch.
pub(super) fn location(profile: &Profile, file: &FileProfile, lines: (LineNo, LineNo)) -> String {
    place(&profile.display_path(&file.path), lines.0.get(), Some(lines.1.get()))
}

/// The same from what an answer holds.
pub(super) fn place(file: &str, line: u32, end_line: Option<u32>) -> String {
    match end_line {
        Some(end) if end != line => format!("{file}:{line}-{end}"),
        _ => format!("{file}:{line}"),
    }
}

/// Source text of a place: of a stretch its first lines in one.
pub(super) fn content(file: &FileProfile, lines: (LineNo, LineNo)) -> String {
    let (first, last) = lines;
    if first == last {
        return source(file.text(first));
    }
    let numbers = (first.get()..=last.get()).filter_map(LineNo::new);
    let texts: Vec<_> = numbers
        .take(4)
        .map(|number| file.text(number).trim())
        .filter(|text| !text.is_empty())
        .collect();
    one_line(&texts.join(" ⏎ "), STRETCH_CHARS)
}

/// The 95 % interval of a share, as an answer holds it.
pub(super) fn interval(spot: &Hotspot<'_>) -> Option<[f64; 2]> {
    spot.interval().map(|(low, high)| [low, high].map(whole_percent))
}

/// The ends of an interval of seconds, as an answer holds them.
pub(super) fn bounds(interval: &Interval) -> [f64; 2] {
    [interval.low, interval.high].map(round_for_display)
}

/// The 95 % interval of a place's seconds over the runs that were repeated; absent for a single run.
pub(super) fn seconds_over_runs(
    profile: &Profile,
    spot: &Hotspot<'_>,
    basis: CpuBasis,
) -> Option<[f64; 2]> {
    let time = match basis {
        CpuBasis::OnCpu => LineTime::OnCpu,
        CpuBasis::WithSystem => LineTime::All,
    };
    let (first, last) = spot.lines();
    let wanted = |line: LineNo| (first..=last).contains(&line);
    let interval = profile.repeats.as_ref()?.seconds(&spot.file.path, time, wanted)?;
    Some(bounds(&interval))
}

/// ` (1.1-1.3)` behind seconds; nothing without an interval.
pub(super) fn within(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(String::new, |[low, high]| format!(" ({}-{})", amount(low), amount(high)))
}

/// The same in a row that has no column of the seconds.
pub(super) fn over_runs(interval: Option<[f64; 2]>, runs: Option<usize>) -> String {
    let text = |([low, high], runs): ([f64; 2], usize)| {
        format!("  [{}-{} s, 95 % interval over {runs} runs]", amount(low), amount(high))
    };
    interval.zip(runs).map_or_else(String::new, text)
}

/// Bounds of an interval are whole percents: more digits would say more than is known.
fn whole_percent(bound: Percent) -> f64 {
    bound.get().round()
}

/// `52 % (46-58)`, with `~` where the samples do not tell it from the next.
pub(super) fn share(percent: f64, interval: Option<[f64; 2]>, tied: bool) -> String {
    let range = interval
        .map_or_else(String::new, |[low, high]| format!(" ({}-{})", amount(low), amount(high)));
    format!("{} %{range}{}", amount(percent), if tied { " ~" } else { "" })
}

/// Whether Scalene agrees with the stacks about a place, and its own share where it does not.
pub(super) fn opinion(
    profile: &Profile,
    spot: &Hotspot<'_>,
    basis: CpuBasis,
) -> (Option<String>, Option<f64>) {
    let Some((share, mark)) = analysis::second_opinion(profile, spot.file, spot.line, basis) else {
        return (None, None);
    };
    let differs = mark != Agreement::Agrees;
    (Some(mark.name().to_owned()), differs.then_some(share.rounded()))
}

/// Scalene's own share in a row of text, where it does not agree.
pub(super) fn other_share(scalene: Option<f64>, mark: Option<&str>) -> String {
    let function = if mark == Some("function") { ", agrees on the function" } else { "" };
    scalene.map_or_else(String::new, |share| format!("  [Scalene: {} %{function}]", amount(share)))
}

/// What the marks of [`share`] mean; nothing when there are none.
pub(super) fn legend(intervals: bool, tied: bool) -> String {
    match (intervals, tied) {
        (false, _) => String::new(),
        (true, false) => "(in brackets: 95 % interval)\n".to_owned(),
        (true, true) => {
            "(in brackets: 95 % interval; ~: not told apart from the next)\n".to_owned()
        }
    }
}

/// The stretch around the first place of a list.
pub(super) fn details_of(profile: &Profile, first: Option<(&str, u32, u32)>) -> Vec<NextCall> {
    let call = |(file, line, end): (&str, u32, u32)| {
        NextCall::new(
            "get_file_details",
            [
                ("profile_id", json!(profile.id.as_str())),
                ("file_path", json!(file)),
                ("start_line", json!(line.saturating_sub(5).max(1))),
                ("end_line", json!(end.saturating_add(5))),
            ],
        )
    };
    first.map(call).into_iter().collect()
}

/// What a ranked list is for a reader: coverage, table, cautions, next call.
pub(super) struct Listing<'a> {
    pub(super) headline: String,
    pub(super) header: &'a [&'a str],
    pub(super) rows: Vec<Vec<String>>,
    pub(super) legend: String,
    pub(super) warnings: &'a [String],
    pub(super) next: &'a [NextCall],
}

impl Listing<'_> {
    pub(super) fn text(self) -> String {
        let mut text = self.headline;
        if !self.rows.is_empty() {
            text.push_str(&table(self.header, &self.rows));
            text.push_str(&self.legend);
        }
        for warning in self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.push_str(&next::text(self.next));
        budget::cap(text)
    }
}
