//! Lines by what they really held at the program's peak.

use schemars::JsonSchema;
use serde::Serialize;

use super::leak_proof::{ProofInfo, content, function};
use super::text::{amount, table};
use crate::profile::{Percent, Profile, Seconds, place};

/// A line and what it held at the peak.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ExactLine {
    /// File, relative to the project root.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
    /// Source text.
    pub content: String,
    /// Function it belongs to.
    pub function_name: String,
    /// Allocated by it, or by libraries that it called, and not yet freed at the peak, MiB.
    pub held_at_peak_mb: f64,
    /// The same in percent of all that was allocated at that moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_peak: Option<f64>,
    /// Of that not freed when the program was over, MiB.
    pub retained_mb: f64,
}

/// What a second run with all allocations recorded says of the peak.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ExactPeak {
    /// The second run.
    pub run: ProofInfo,
    /// When it was, seconds since the start of that run, to a thirtieth of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_sec: Option<f64>,
    /// Largest first.
    pub lines: Vec<ExactLine>,
    /// Lines not listed.
    pub omitted: usize,
}

impl ExactPeak {
    /// The lines that held most at the peak; `None` without a second run.
    pub(super) fn new(profile: &Profile, rows: usize) -> Option<Self> {
        let proof = profile.proof.as_ref()?;
        let mut places: Vec<_> =
            proof.places.iter().filter(|place| place.at_peak.rounded() > 0.0).collect();
        places.sort_by(|a, b| b.at_peak.get().total_cmp(&a.at_peak.get()));
        let lines: Vec<_> = places
            .iter()
            .take(rows)
            .map(|place| {
                let file = profile.files.iter().find(|file| file.path == place.file);
                let share = Percent::of_whole(place.at_peak.get(), proof.peak.get());
                ExactLine {
                    file: profile.display_path(&place.file).into_owned(),
                    line: place.line.get(),
                    content: content(file, place.line),
                    function_name: function(file, place.line),
                    held_at_peak_mb: place.at_peak.rounded(),
                    percent_of_peak: share.map(Percent::rounded),
                    retained_mb: place.retained.rounded(),
                }
            })
            .collect();
        Some(Self {
            run: ProofInfo::new(profile, proof),
            at_sec: proof.peak_at.map(Seconds::rounded),
            omitted: places.len() - lines.len(),
            lines,
        })
    }

    pub(super) fn text(&self) -> String {
        let row = |line: &ExactLine| {
            vec![
                amount(line.held_at_peak_mb),
                line.percent_of_peak.map_or_else(|| "-".to_owned(), |p| format!("{} %", amount(p))),
                amount(line.retained_mb),
                format!(
                    "{} {}  {}",
                    place(&line.file, line.line, None),
                    line.function_name,
                    line.content
                ),
            ]
        };
        let rows: Vec<_> = self.lines.iter().map(row).collect();
        let at = self.at_sec.map_or_else(String::new, |at| format!(" (about {} s)", amount(at)));
        let omitted = match self.omitted {
            0 => String::new(),
            omitted => format!("({omitted} more lines)\n"),
        };
        format!(
            "{}What lines held at the peak{at}, exact:\n{}{omitted}",
            self.run.text(),
            table(&["MiB at peak", "of it", "kept at end", "line"], &rows)
        )
    }
}
