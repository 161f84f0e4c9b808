//! What `check` says: one verdict, the limits, and what was measured.

use std::process::ExitCode;

use serde::Serialize;

use super::check::FAILURE;
use super::limits::{Held, Limits, Row};
use crate::answer::{Answer, VerifyAnswer, amount};
use crate::verify::{Ended, Side, Verdict, Verification};

/// The result for machines.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    verdict: Held,
    exit_code: u8,
    limits: &'a [Row],
    verification: &'a VerifyAnswer,
}

/// A verification under limits.
pub(super) struct Report<'a> {
    pub(super) found: &'a Verification,
    pub(super) limits: &'a Limits,
    /// There is no baseline: the script ran against itself.
    pub(super) alone: bool,
}

impl Report<'_> {
    pub(super) fn print(&self, json: bool) -> ExitCode {
        let rows = self.limits.judge(self.found);
        let held = held(self.found, &rows, self.alone);
        let mut answer = VerifyAnswer::new("check", self.found);
        answer.next.clear();
        if self.alone {
            answer = answer.without_comparison();
        }
        if !json {
            print!("{}", self.text(held, &rows, answer));
            return ExitCode::from(held.code());
        }
        let exit_code = held.code();
        let outcome = Outcome { verdict: held, exit_code, limits: &rows, verification: &answer };
        match serde_json::to_string_pretty(&outcome) {
            Ok(text) => println!("{text}"),
            Err(error) => {
                eprintln!("scalene-mcp: the result could not be written: {error}");
                return ExitCode::from(FAILURE);
            }
        }
        ExitCode::from(exit_code)
    }

    fn text(&self, held: Held, rows: &[Row], mut answer: VerifyAnswer) -> String {
        let mut text = format!("{}\n", held.word());
        let is_about_times = matches!(held, Held::Pass | Held::Regression | Held::Undecided);
        text.extend(rows.iter().filter(|_| is_about_times).map(Row::text));
        if self.alone {
            let spent = amount(self.found.spent);
            text.push_str(&format!("{} runs in {spent} s\n", self.found.candidate.runs));
        }
        // Of more runs, and of why no more were made, the limits know nothing.
        answer.more_runs_to_decide = None;
        answer.ended = None;
        // The verdict of the verification is about other limits: the first line has it.
        let rest = answer.text();
        for line in rest.lines().skip(1) {
            text.push_str(&as_flags(line));
            text.push('\n');
        }
        let advice = held.advice();
        if advice.is_empty() { text } else { text + "Next: " + advice + "\n" }
    }
}

/// The flag in place of the parameter, in the one line of the text that names one.
fn as_flags(line: &str) -> String {
    match line.strip_prefix("Equal with float_tolerance ") {
        Some(tolerance) => format!("Equal with --float-tolerance {tolerance}"),
        None => line.to_owned(),
    }
}

/// What follows from all limits, and from what was found besides times.
fn held(found: &Verification, rows: &[Row], alone: bool) -> Held {
    let failed = found.finding.as_ref().and_then(|finding| finding.failure.as_ref());
    let of_candidate = alone || failed.is_some_and(|failure| failure.side == Side::Candidate);
    match found.verdict {
        Verdict::DifferentOutput => Held::DifferentOutput,
        Verdict::CandidateFailed => Held::CandidateFailed,
        Verdict::BaselineFailed | Verdict::Timeout | Verdict::Unstable if of_candidate => {
            Held::CandidateFailed
        }
        Verdict::BaselineFailed | Verdict::Timeout | Verdict::Unstable => Held::BaselineFailed,
        Verdict::NondeterministicOutput => Held::Undecided,
        _ if rows.iter().any(|row| row.held == Held::Regression) => Held::Regression,
        _ if found.ended == Ended::Stopped => Held::Undecided,
        _ if rows.iter().all(|row| row.held == Held::Pass) => Held::Pass,
        _ => Held::Undecided,
    }
}

/// Why limits that are ratios cannot be held without a baseline.
pub(super) fn limited(limits: &Limits) -> String {
    let named = [("max_slowdown", limits.max_slowdown), ("max_memory", limits.max_memory)];
    let named: Vec<_> =
        named.iter().filter(|(_, it)| it.is_some()).map(|(name, _)| *name).collect();
    format!(
        "ratio limits ({}) need --baseline: name one, or leave them out of the options and of --budget",
        named.join(", ")
    )
}
