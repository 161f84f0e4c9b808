//! The same comparison for a reader.

use super::circumstances::{CircumstancesInfo, ShareRow};
use super::{
    Change, ComparedFile, ComparisonAnswer, FileDelta, LineDelta, PerCallChange, Renaming,
    TextChanges, Unchanged,
};
use crate::answer::NextCall;
use crate::answer::blocks::BlockDelta;
use crate::answer::text::{amount, amount_or_dash, one_line, table};
use crate::answer::{Answer, budget, next};

/// Longest name of a function or file shown, in characters.
const NAME: usize = 100;

/// `+0.22` or `-3.89`.
fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", amount(value)) } else { amount(value) }
}

impl Answer for ComparisonAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let mut text = self.headline();
        for reason in &self.reasons {
            text.push_str(&format!("Not comparable ({}): {}\n", reason.code, reason.reason));
        }
        text.push_str(&self.environment.text());
        if let Some(explanation) = &self.explanation {
            text.push_str(&format!("{}\n", explanation.text));
        }
        text.extend(self.per_call.as_ref().map(PerCallChange::text));
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        for (title, changes) in [("Worse", &self.regressions), ("Better", &self.improvements)] {
            if !changes.is_empty() {
                text.push_str(&format!("{title}\n"));
            }
            text.extend(changes.iter().map(Change::text));
        }
        text.push_str(&unchanged(&self.unchanged));
        text.push_str(&shares(&self.shares));
        if !self.renamed.is_empty() {
            text.push_str("Renamed or moved\n");
            text.extend(self.renamed.iter().map(Renaming::text));
        }
        text.push_str(&self.text_changes.text());
        text.push_str(&files(&self.files));
        text.push_str(&blocks(&self.blocks));
        if let Some(lines) = &self.lines {
            text.push_str(&lines.text());
        }
        if self.omitted > 0 {
            text.push_str(&format!(
                "({} rows left out; get_function_summary of each profile lists all functions, file_path every line of a \
                 file)\n",
                self.omitted
            ));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}

fn unchanged(rows: &[Unchanged]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |row: &Unchanged| {
        vec![
            amount_or_dash(row.time_before_sec),
            amount_or_dash(row.time_after_sec),
            if row.within_noise { "noise" } else { "" }.to_owned(),
            named(&row.function_name, &row.location),
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let title =
        "Unchanged, or beyond the tolerance and not told apart by samples and runs (noise)\n";
    title.to_owned() + &table(&["s before", "after", "", "function"], &rows)
}

fn shares(rows: &[ShareRow]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |row: &ShareRow| {
        vec![
            amount_or_dash(row.percent_before),
            amount_or_dash(row.percent_after),
            row.state.clone(),
            named(&row.function_name, &row.location),
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let title = "What can be said: shares of each run's own time\n";
    title.to_owned() + &table(&["% before", "after", "", "function"], &rows)
}

fn files(rows: &[FileDelta]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |file: &FileDelta| {
        let was = file.file_before.as_ref();
        let was = was.map_or_else(String::new, |was| format!(" (was {})", one_line(was, NAME)));
        vec![
            amount_or_dash(file.time_before_sec),
            amount_or_dash(file.time_after_sec),
            signed(file.time_change_sec),
            format!("{}{was}", one_line(&file.file, NAME)),
        ]
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    "By file\n".to_owned() + &table(&["s before", "after", "change", "file"], &rows)
}

fn blocks(rows: &[BlockDelta]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = rows.iter().map(BlockDelta::cells).collect();
    let header = ["s before", "after", "ratio", "calls before", "after", "block"];
    "Blocks, with all that they call (noise is not told apart)\n".to_owned()
        + &table(&header, &rows)
}

fn named(function: &str, location: &str) -> String {
    format!("{} {}", one_line(function, NAME), one_line(location, NAME))
}

impl ComparisonAnswer {
    fn headline(&self) -> String {
        let summary = &self.summary;
        let percent = summary
            .elapsed_change_pct
            .map_or_else(String::new, |percent| format!(", {} %", signed(percent)));
        let functions = if summary.comparable {
            // Where no function did, the flag says of what it is true.
            let wall = summary.elapsed_verdict.as_str();
            let known = |flag: Option<bool>, word: &str, functions: usize, said: &str| match flag {
                Some(true) if functions > 0 => format!(", {word}"),
                Some(true) if wall == said => format!(", {word}: wall time"),
                Some(true) => format!(", {word}: peak memory"),
                _ => String::new(),
            };
            format!(
                "{} worse, {} better, {} unchanged, {} noise functions (tolerance {}){}{}",
                summary.regressions,
                summary.improvements,
                summary.unchanged,
                summary.noise,
                amount(summary.tolerance),
                known(summary.has_regressions, "has regressions", summary.regressions, "slower"),
                known(summary.has_improvements, "has improvements", summary.improvements, "faster"),
            )
        } else {
            format!("tolerance {}", amount(summary.tolerance))
        };
        let mut text = format!(
            "{} -> {}   {}: {} -> {} s wall{}{percent}   {functions}\n",
            self.profile_id1,
            self.profile_id2,
            summary.elapsed_verdict,
            amount_or_dash(summary.elapsed_before_sec),
            amount_or_dash(summary.elapsed_after_sec),
            summary
                .elapsed_change_sec
                .map_or_else(String::new, |change| format!(" ({} s)", signed(change))),
        );
        if summary.same_sources && summary.comparable {
            text.push_str(self.same_sources());
        }
        if summary.max_footprint_before_mb.is_some() || summary.max_footprint_after_mb.is_some() {
            text.push_str(&format!(
                "Highest footprint: {} -> {} MiB\n",
                amount_or_dash(summary.max_footprint_before_mb),
                amount_or_dash(summary.max_footprint_after_mb)
            ));
        }
        text
    }
}

impl ComparisonAnswer {
    /// What a change of sources that are the same is.
    fn same_sources(&self) -> &'static str {
        let inputs = ["program", "arguments", "Python", "interpreter", "Scalene", "machine"];
        if self.environment.differs.iter().any(|it| inputs.contains(&&*it.what)) {
            return "The sources are the same: a change comes from what differs below, or from the machine's noise\n";
        }
        "The sources are the same: a change is the machine's noise, unless verify_speedup shows otherwise\n"
    }
}

impl CircumstancesInfo {
    fn text(&self) -> String {
        let samples = |samples: Option<u64>| samples.map_or("?".to_owned(), |n| n.to_string());
        let mut text = String::from("Environment: ");
        for difference in &self.differs {
            text.push_str(&format!(
                "{} {} -> {}; ",
                difference.what, difference.before, difference.after
            ));
        }
        if !self.same.is_empty() {
            text.push_str(&format!("same {}; ", self.same.join(", ")));
        }
        if !self.unknown.is_empty() {
            text.push_str(&format!("not known: {}; ", self.unknown.join(", ")));
        }
        text.push_str(&format!(
            "samples {} -> {}\n",
            samples(self.samples_before),
            samples(self.samples_after)
        ));
        text
    }
}

impl Renaming {
    fn text(&self) -> String {
        format!(
            "  {} {} -> {} {}  ({})\n",
            one_line(&self.name_before, NAME),
            one_line(&self.location_before, NAME),
            one_line(&self.name_after, NAME),
            one_line(&self.location_after, NAME),
            self.state
        )
    }
}

impl TextChanges {
    fn text(self) -> String {
        if self.is_none() {
            return format!("Source: {} lines, all the same\n", self.same);
        }
        format!(
            "Source lines: {} same ({} with another indentation), {} edited, {} moved, {} new, {} removed\n",
            self.same, self.reindented, self.edited, self.moved, self.new, self.removed
        )
    }
}

impl Change {
    fn text(&self) -> String {
        let percent =
            |value: Option<f64>| value.map_or_else(String::new, |p| format!(", {} %", signed(p)));
        let error = self.time_error_sec.map_or_else(String::new, |e| format!(" ±{}", amount(e)));
        let was = self.name_before.as_ref();
        let was = was.map_or_else(String::new, |was| format!("{} -> ", one_line(was, NAME)));
        let from = self.location_before.as_ref();
        let from = from.map_or_else(String::new, |from| format!("{} -> ", one_line(from, NAME)));
        let mut text = format!(
            "  {}{error} s{}  {was}{} {from}{}  ({} -> {} s; {}; {})\n",
            signed(self.time_change_sec),
            percent(self.cpu_change_pct),
            one_line(&self.function_name, NAME),
            one_line(&self.location, NAME),
            amount_or_dash(self.time_before_sec),
            amount_or_dash(self.time_after_sec),
            self.state,
            self.reason,
        );
        if self.allocated_before_mb.unwrap_or(0.0) + self.allocated_after_mb.unwrap_or(0.0) > 0.0 {
            text.push_str(&format!(
                "      allocates {} -> {} MiB{}\n",
                amount_or_dash(self.allocated_before_mb),
                amount_or_dash(self.allocated_after_mb),
                percent(self.memory_change_pct)
            ));
        }
        text.extend(self.lines.iter().map(|line| format!("      {}", line.text())));
        text
    }
}

/// `a.py:12 -> b.py:14`: lines in both versions, each with its file where that is another one.
fn both(
    before: (&Option<String>, Option<String>),
    after: (&Option<String>, Option<String>),
) -> String {
    let side = |(file, lines): (&Option<String>, Option<String>)| {
        let file = file.as_ref().map_or_else(String::new, |f| format!("{}:", one_line(f, NAME)));
        lines.map(|lines| format!("{file}{lines}"))
    };
    let sides: Vec<_> = [side(before), side(after)].into_iter().flatten().collect();
    sides.join(" -> ")
}

impl LineDelta {
    fn text(&self) -> String {
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let place = both(
            (&self.file_before, number(self.line_before)),
            (&self.file_after, number(self.line_after)),
        );
        let reindented = if self.reindented { ", other indentation" } else { "" };
        let verdict = self.verdict.as_deref().unwrap_or("-");
        let memory = if self.allocated_before_mb.or(self.allocated_after_mb).is_some() {
            format!(
                ", {} -> {} MiB",
                amount_or_dash(self.allocated_before_mb),
                amount_or_dash(self.allocated_after_mb)
            )
        } else {
            String::new()
        };
        let was = self.content_before.as_ref();
        let was = was.map_or_else(String::new, |was| format!("  (was: {was})"));
        format!(
            "{} s ({} -> {}{memory}; {verdict})  {}{reindented} line {place}  {}{was}\n",
            signed(self.time_change_sec),
            amount_or_dash(self.time_before_sec),
            amount_or_dash(self.time_after_sec),
            self.status,
            self.content,
        )
    }
}

impl ComparedFile {
    fn text(&self) -> String {
        let was = self.file_before.as_ref();
        let was = was.map_or_else(String::new, |was| format!(" (was {})", one_line(was, NAME)));
        let mut text = format!("Lines of {}{was}\n", one_line(&self.file, NAME));
        for stretch in &self.stretches {
            if let Some(line) = &stretch.line {
                text.push_str(&format!("  {}", line.text()));
                continue;
            }
            let range = |first: Option<u32>, last: Option<u32>| match (first, last) {
                (Some(first), Some(last)) if first != last => Some(format!("{first}-{last}")),
                (first, _) => first.map(|first| first.to_string()),
            };
            let place = both(
                (&stretch.file_before, range(stretch.first_before, stretch.last_before)),
                (&stretch.file_after, range(stretch.first_after, stretch.last_after)),
            );
            let reindented = if stretch.reindented { ", other indentation" } else { "" };
            text.push_str(&format!("  {}{reindented} {place}\n", stretch.status));
        }
        if self.omitted > 0 {
            text.push_str(&format!("  ({} further stretches left out)\n", self.omitted));
        }
        text
    }
}
