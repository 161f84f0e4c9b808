//! A verification for a reader.

use super::{FailureInfo, NoiseInfo, VerifyAnswer, ratio_digits};
use crate::answer::NextCall;
use crate::answer::text::{amount, one_line};
use crate::answer::{Answer, next};
use crate::profile::round_for_display;
use crate::statistics::{Ratio, Verdict as Timing};
use crate::verify::{Ended, Verdict, Verification};

/// Lines of stderr that are shown of a failure.
const STDERR_LINES: usize = 6;
/// Part of the wall time from which on the start of the interpreter is worth a word.
const START_PART: f64 = 0.1;

/// A ratio as a change: `1.8x faster, 95 % interval 1.7 to 1.9`.
pub(super) fn change(ratio: &Ratio) -> String {
    let times = |value: f64| amount(round_for_display(value));
    if ratio.ratio <= 1.0 {
        let (low, high) = (times(1.0 / ratio.high), times(1.0 / ratio.low));
        format!("{}x faster, 95 % interval {low} to {high}", times(1.0 / ratio.ratio))
    } else {
        let (low, high) = (times(ratio.low), times(ratio.high));
        format!("{}x slower, 95 % interval {low} to {high}", times(ratio.ratio))
    }
}

/// The verdict in a sentence.
pub(super) fn summary(found: &Verification) -> String {
    let is_clear = matches!(found.timing, Some(Timing::Faster | Timing::Slower));
    let measured = match (&found.wall, found.baseline.wall, found.candidate.wall) {
        (Some(it), one, other) if !is_clear => format!(
            "wall time {} of the baseline's, 95 % interval {} to {} (medians {} to {})",
            ratio_digits(it.ratio),
            ratio_digits(it.low),
            ratio_digits(it.high),
            seconds(one),
            seconds(other)
        ),
        (Some(ratio), one, other) => {
            format!("{} (medians {} to {})", change(ratio), seconds(one), seconds(other))
        }
        (None, Some(one), Some(other)) => {
            format!("{} s to {} s in too few runs for an interval", amount(one), amount(other))
        }
        _ => match found.first_runs {
            Some([one, other]) => format!(
                "the first runs, which are not timed, took {} s and {} s and left no time",
                amount(one),
                amount(other)
            ),
            None => "no timed runs".to_owned(),
        },
    };
    let effect = amount(100.0 * found.min_effect);
    let said = match found.verdict {
        Verdict::Faster | Verdict::Slower => measured,
        Verdict::NoDifference => format!("no difference of {effect} % or more: {measured}"),
        Verdict::Undecided => format!("the runs cannot tell: {measured}"),
        Verdict::DifferentOutput => {
            "the candidate does not do the same work: no speed-up".to_owned()
        }
        Verdict::NondeterministicOutput => format!(
            "whether both do the same work is not shown, since the baseline differs from itself; timing alone says {measured}"
        ),
        Verdict::BaselineFailed => failed(found, "the baseline fails"),
        Verdict::CandidateFailed => failed(found, "the candidate fails"),
        Verdict::Unstable => failed(found, "fails on some of its runs"),
        Verdict::Timeout => failed(found, "takes too long"),
    };
    let advice = advice(found);
    if advice.is_empty() { said } else { format!("{said}; {advice}") }
}

fn failed(found: &Verification, what: &str) -> String {
    let failure = found.finding.as_ref().and_then(|finding| finding.failure.as_ref());
    let Some(failure) = failure else { return what.to_owned() };
    let run = failure.run;
    match found.verdict {
        Verdict::Unstable | Verdict::Timeout => {
            format!("the {} {what}: run {run}, {}", super::side(failure.side), failure.what)
        }
        _ => format!("{what}: {}", failure.what),
    }
}

impl Answer for VerifyAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let verdict = self.verdict.as_deref().unwrap_or("running");
        let mut text = format!("{verdict}: {} [{}]\n", self.summary, self.verification_id);
        if let (Some(baseline), Some(candidate)) = (&self.baseline, &self.candidate) {
            text.push_str(&format!("Baseline {baseline}, candidate {candidate}\n"));
        }
        text.push_str(&self.difference_text());
        text.push_str(&self.failure.as_ref().map_or_else(String::new, FailureInfo::text));
        text.push_str(&self.figures_text());
        if let Some(same) = &self.same_work {
            text.push_str(&format!("Same work: {same}\n"));
        }
        text.push_str(&self.runs_text());
        text.push_str(&self.noise.as_ref().map_or_else(String::new, NoiseInfo::text));
        text.push_str(&self.environment_text());
        for note in &self.notes {
            text.push_str(&format!("Note: {}\n", one_line(note, 300)));
        }
        fit(text, &next::text(&self.next))
    }
}

/// The text and the next calls; where that is too long, the end of the text goes.
fn fit(mut text: String, next: &str) -> String {
    let room = VerifyAnswer::TEXT_CAP.saturating_sub(next.len());
    if text.len() > room {
        let mut end = room.saturating_sub("…\n".len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("…\n");
    }
    text + next
}

/// A median before and after, with the interval of the ratio.
struct Row<'a> {
    name: &'a str,
    unit: &'a str,
    medians: [Option<f64>; 2],
    ratio: [Option<f64>; 3],
}

impl Row<'_> {
    fn text(&self) -> String {
        let [Some(one), Some(other)] = self.medians else { return String::new() };
        let unit = self.unit;
        let interval = match self.ratio {
            [Some(ratio), Some(low), Some(high)] => {
                format!(", ratio {ratio} (95 % interval {low} to {high})")
            }
            _ => String::new(),
        };
        format!("{}: {} to {} {unit}{interval}\n", self.name, amount(one), amount(other))
    }
}

impl VerifyAnswer {
    fn figures_text(&self) -> String {
        let rows = [
            Row {
                name: "Wall",
                unit: "s",
                medians: [self.baseline_sec, self.candidate_sec],
                ratio: [self.wall_ratio, self.wall_ratio_low, self.wall_ratio_high],
            },
            Row {
                name: "CPU",
                unit: "s",
                medians: [self.baseline_cpu_sec, self.candidate_cpu_sec],
                ratio: [self.cpu_ratio, self.cpu_ratio_low, self.cpu_ratio_high],
            },
            Row {
                name: "Peak memory",
                unit: "MiB",
                medians: [self.baseline_peak_mb, self.candidate_peak_mb],
                ratio: [
                    self.peak_memory_ratio,
                    self.peak_memory_ratio_low,
                    self.peak_memory_ratio_high,
                ],
            },
        ];
        let mut text: String = rows.iter().map(Row::text).collect();
        if let (Some(start), Some(one), Some(other)) =
            (self.python_start_sec, self.baseline_sec, self.candidate_sec)
        {
            let shorter = one.min(other);
            // Runs as short as that have no share to be told.
            if start >= START_PART * shorter && start < shorter {
                text.push_str(&format!(
                    "Of {} s, {} s is Python's start (`python -c pass`)\n",
                    amount(shorter),
                    amount(start)
                ));
            }
        }
        text
    }

    fn difference_text(&self) -> String {
        let Some(found) = &self.difference else { return String::new() };
        let mut text = String::new();
        let own = self.verdict.as_deref() == Some(Verdict::NondeterministicOutput.word());
        if let Some(line) = found.line {
            let of = if own { "two runs of the baseline" } else { "the outputs" };
            text.push_str(&format!("First difference of {of}, line {line}:\n"));
            let names = if own { ["run 1", "run 2"] } else { ["baseline", "candidate"] };
            for (name, line) in names.iter().zip([&found.baseline, &found.candidate]) {
                let line = line.as_deref().unwrap_or("(the output has ended)");
                text.push_str(&format!("  {name}: {line}\n"));
            }
        }
        if let Some(args) = &found.args {
            let args = one_line(&args.join(" "), 100);
            text.push_str(&format!(
                "Arguments: {}\n",
                if args.is_empty() { "none" } else { &args }
            ));
        }
        if let (Some(repeated), Some(lines)) = (found.lines_repeated, found.lines) {
            text.push_str(&format!(
                "{repeated} of {lines} lines are the same in all runs of both sides\n"
            ));
        }
        if let Some(tolerance) = found.float_tolerance {
            text.push_str(&format!("Equal with float_tolerance {tolerance}\n"));
        }
        if let Some(remark) = &found.remark {
            text.push_str(&format!("{}\n", one_line(remark, 300)));
        }
        text
    }

    fn runs_text(&self) -> String {
        let Some(ended) = self.ended.as_deref() else { return String::new() };
        let why = match ended {
            _ if ended == super::ended(Ended::Clear) => "the verdict is clear",
            _ if ended == super::ended(Ended::Narrow) => "the interval is narrow enough",
            _ if ended == super::ended(Ended::Budget) => "budget_sec is spent",
            _ if ended == super::ended(Ended::Stopped) => "stopped on request",
            _ if ended == super::ended(Ended::Most) => "no more runs are ever made",
            _ => "more runs would not change that",
        };
        let more = self.more_runs_to_decide.map_or_else(String::new, |runs| {
            format!("; about {runs} more of each side would decide")
        });
        let seed = self.seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
        format!(
            "{} runs of each side in {} s: {why}{more}{seed}\n",
            self.runs,
            amount(self.spent_sec)
        )
    }

    fn environment_text(&self) -> String {
        let Some(found) = &self.environment else { return String::new() };
        let sandbox =
            found.sandbox.as_ref().map_or_else(String::new, |mode| format!(", sandbox {mode}"));
        format!(
            "Python {} ({}), {}{sandbox}; cwd {}\n",
            found.python_version, found.python, found.platform, found.cwd
        )
    }
}

impl FailureInfo {
    fn text(&self) -> String {
        let args = match self.args.as_slice() {
            [] => String::new(),
            args => format!(" (args {})", one_line(&args.join(" "), 100)),
        };
        let mut text = format!("The {}{args}: {}\n", self.side, self.what);
        let lines: Vec<&str> = self.stderr.lines().rev().take(STDERR_LINES).collect();
        for line in lines.iter().rev() {
            text.push_str(&format!("  {}\n", one_line(line, 160)));
        }
        text
    }
}

impl NoiseInfo {
    fn text(&self) -> String {
        let pair = |name: &str, one: Option<f64>, other: Option<f64>, unit: &str| {
            let (one, other) = (one?, other?);
            Some(format!("{name} {} and {}{unit}", amount(one), amount(other)))
        };
        let drift = pair("drift", self.baseline_drift_pct, self.candidate_drift_pct, " %");
        let drift = drift.map(|text| match self.drifts {
            Some(true) => format!("{text} (more than chance)"),
            _ => text,
        });
        let parts = [
            pair("load before and after", self.load_before, self.load_after, ""),
            pair("spread", self.baseline_spread_pct, self.candidate_spread_pct, " %"),
            drift,
            self.cores.map(|cores| format!("{cores} cores")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { String::new() } else { format!("Noise: {}\n", parts.join(", ")) }
    }
}

/// Seconds for people.
fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| format!("{} s", amount(value)))
}

/// What is to be done about a verdict; empty where it is plain.
fn advice(found: &Verification) -> &'static str {
    match found.verdict {
        Verdict::DifferentOutput => {
            "correct the candidate; where the difference does not matter, say so by `float_tolerance` or `check`"
        }
        Verdict::NondeterministicOutput => {
            "show by `check` that the work is the same (`=EXPRESSION` over the program's globals, or a command that \
             reads its stdout), or print no times, ids or order of sets"
        }
        Verdict::BaselineFailed | Verdict::CandidateFailed => {
            "correct it; `args`, `cwd`, `env` and `stdin` set both sides up"
        }
        Verdict::Unstable => {
            "a program that fails now and then cannot be timed: correct that first"
        }
        Verdict::Timeout => "raise `timeout`, or take smaller input",
        Verdict::Undecided => "raise `budget_sec`, take more work per run, or quiet the machine",
        Verdict::Faster | Verdict::Slower | Verdict::NoDifference => "",
    }
}
