//! The same comparison for a reader.

use super::{Change, ComparisonAnswer, FileDelta, Unchanged};
use crate::answer::NextCall;
use crate::answer::text::{amount, amount_or_dash, table};
use crate::answer::{Answer, budget, next};

/// `-3.89 s` with its sign.
fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", amount(value)) } else { amount(value) }
}

impl Answer for ComparisonAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let mut text = self.headline();
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        for (title, changes) in [("Worse", &self.regressions), ("Better", &self.improvements)] {
            if !changes.is_empty() {
                text.push_str(&format!("{title}\n"));
            }
            text.extend(changes.iter().map(Change::text));
        }
        if !self.unchanged.is_empty() {
            text.push_str("Unchanged, or not told apart by the samples (noise)\n");
            let row = |row: &Unchanged| {
                vec![
                    amount_or_dash(row.time_before_sec),
                    amount_or_dash(row.time_after_sec),
                    if row.within_noise { "noise" } else { "" }.to_owned(),
                    format!("{} {}", row.function_name, row.location),
                ]
            };
            let rows: Vec<_> = self.unchanged.iter().map(row).collect();
            text.push_str(&table(&["s before", "after", "", "function"], &rows));
        }
        if !self.files.is_empty() {
            text.push_str("By file\n");
            let row = |file: &FileDelta| {
                vec![
                    amount_or_dash(file.time_before_sec),
                    amount_or_dash(file.time_after_sec),
                    signed(file.time_change_sec),
                    file.file.clone(),
                ]
            };
            let rows: Vec<_> = self.files.iter().map(row).collect();
            text.push_str(&table(&["s before", "after", "change", "file"], &rows));
        }
        if self.omitted > 0 {
            text.push_str(&format!(
                "({} rows left out; get_function_summary of each profile lists all functions)\n",
                self.omitted
            ));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}

impl ComparisonAnswer {
    fn headline(&self) -> String {
        let summary = &self.summary;
        let percent = summary
            .elapsed_change_pct
            .map_or_else(String::new, |percent| format!(", {} %", signed(percent)));
        let mut text = format!(
            "{} -> {}   {}: {} -> {} s wall{}{percent}   {} worse, {} better, {} unchanged functions (tolerance {})\n",
            self.profile_id1,
            self.profile_id2,
            summary.elapsed_verdict,
            amount_or_dash(summary.elapsed_before_sec),
            amount_or_dash(summary.elapsed_after_sec),
            summary
                .elapsed_change_sec
                .map_or_else(String::new, |change| format!(" ({} s)", signed(change))),
            summary.regressions,
            summary.improvements,
            summary.unchanged,
            amount(summary.tolerance),
        );
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

impl Change {
    fn text(&self) -> String {
        let percent =
            |value: Option<f64>| value.map_or_else(String::new, |p| format!(", {} %", signed(p)));
        let error = self.time_error_sec.map_or_else(String::new, |e| format!(" ±{}", amount(e)));
        let mut text = format!(
            "  {}{error} s{}  {} {}  ({} -> {} s; {}; {})\n",
            signed(self.time_change_sec),
            percent(self.cpu_change_pct),
            self.function_name,
            self.location,
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
        for line in &self.lines {
            let place = match (line.line_before, line.line_after) {
                (Some(before), Some(after)) => format!("line {before} -> {after}"),
                (None, Some(after)) => format!("new line {after}"),
                (Some(before), None) => format!("line {before}, gone"),
                (None, None) => String::new(),
            };
            text.push_str(&format!(
                "      {} s ({} -> {})  {place}  {}\n",
                signed(line.time_change_sec),
                amount_or_dash(line.time_before_sec),
                amount_or_dash(line.time_after_sec),
                line.content
            ));
        }
        text
    }
}
