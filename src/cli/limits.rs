//! What a script may take: limits from the command line and from a file, and whether they hold.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::answer::amount;
use crate::statistics::{Interval, Ratio, Rule, Verdict};
use crate::verify::Verification;

/// Slowdown that is let pass unless told otherwise.
const SLOWDOWN: f64 = 0.05;
/// Largest file of limits that is read, bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// Limits of one script; absent means none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the words of the file and of the command line")]
pub(super) struct Limits {
    /// Wall time above the baseline's, as a part.
    #[serde(default, deserialize_with = "part_of_file")]
    pub(super) max_slowdown: Option<f64>,
    /// Peak memory above the baseline's, as a part.
    #[serde(default, deserialize_with = "part_of_file")]
    pub(super) max_memory: Option<f64>,
    /// Wall time, seconds.
    pub(super) max_seconds: Option<f64>,
    /// CPU time, seconds.
    pub(super) max_cpu_seconds: Option<f64>,
    /// Peak memory, MiB.
    pub(super) max_memory_mb: Option<f64>,
}

/// The file: limits of all scripts, and of single ones by their path from the file's folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    defaults: Limits,
    #[serde(default)]
    scripts: BTreeMap<String, Limits>,
}

/// `5%` or `0.05`.
pub(super) fn part(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let value = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    let within = value.filter(|value| (0.001..=10.0).contains(value));
    within.ok_or_else(|| format!("`{text}` is no part from 0.1% to 1000%, such as 5% or 0.05"))
}

fn part_of_file<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(f64),
        Text(String),
    }
    let text = match Written::deserialize(input)? {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => text,
    };
    part(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Limits {
    /// These, and from `other` what they lack.
    fn or(self, other: Self) -> Self {
        Self {
            max_slowdown: self.max_slowdown.or(other.max_slowdown),
            max_memory: self.max_memory.or(other.max_memory),
            max_seconds: self.max_seconds.or(other.max_seconds),
            max_cpu_seconds: self.max_cpu_seconds.or(other.max_cpu_seconds),
            max_memory_mb: self.max_memory_mb.or(other.max_memory_mb),
        }
    }

    /// Those of the file for a script, behind these.
    ///
    /// # Errors
    /// What is wrong with the file, in words.
    pub(super) fn with_file(self, file: &Path, script: &str, cwd: &Path) -> Result<Self, String> {
        let shown = file.display();
        let size = file.metadata().map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
        if size.len() > LARGEST_FILE {
            return Err(format!("`{shown}` is larger than 1 MiB"));
        }
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("`{shown}` cannot be read: {error}"))?;
        let limits: File = toml::from_str(&text).map_err(|error| format!("`{shown}`: {error}"))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let real = |path: &Path| path.canonicalize().ok();
        let wanted = real(&cwd.join(script));
        let named = limits.scripts.iter().find(|(path, _)| {
            *path == script || (wanted.is_some() && real(&folder.join(path)) == wanted)
        });
        let own = named.map(|(_, limits)| *limits).unwrap_or_default();
        let all = self.or(own).or(limits.defaults);
        if all == Self::default() {
            let known = limits.scripts.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(format!("`{shown}` has no limits for `{script}`, only for: {known}"));
        }
        Ok(all)
    }

    /// The slowdown that is let pass, where there is a baseline.
    pub(super) fn with_slowdown(self) -> Self {
        Self { max_slowdown: self.max_slowdown.or(Some(SLOWDOWN)), ..self }
    }

    /// Holds them against what was measured.
    pub(super) fn judge(&self, found: &Verification) -> Vec<Row> {
        let mebibyte = f64::from(1 << 20);
        let in_mebibytes = |it: Interval| Interval {
            mean: it.mean / mebibyte,
            low: it.low / mebibyte,
            high: it.high / mebibyte,
            runs: it.runs,
        };
        let side = &found.candidate;
        let rows = [
            self.max_slowdown.map(|limit| Row::ratio("wall time", limit, found.wall.as_ref())),
            self.max_memory.map(|limit| Row::ratio("peak memory", limit, found.peak.as_ref())),
            self.max_seconds.map(|limit| Row::absolute("wall time, s", limit, side.wall_mean)),
            self.max_cpu_seconds.map(|limit| Row::absolute("CPU time, s", limit, side.cpu_mean)),
            self.max_memory_mb.map(|limit| {
                Row::absolute("peak memory, MiB", limit, side.peak_mean.map(in_mebibytes))
            }),
        ];
        rows.into_iter().flatten().collect()
    }
}

/// Whether a limit holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Held {
    /// It does.
    Pass,
    /// It does not.
    Regression,
    /// The candidate does other work.
    DifferentOutput,
    /// The candidate fails.
    CandidateFailed,
    /// The baseline fails: there is nothing to compare with.
    BaselineFailed,
    /// The runs cannot tell.
    Undecided,
}

impl Held {
    /// The exit code: CI must stop at a change that is slower, prints something else or fails.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Regression | Self::DifferentOutput | Self::CandidateFailed => 1,
            Self::BaselineFailed | Self::Undecided => 2,
        }
    }

    /// What to do where the verdict is not about the limits alone; empty where it is plain.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::Pass | Self::Regression => "",
            Self::DifferentOutput => {
                "correct the candidate; where the difference does not matter: --float-tolerance, --check or --any-output"
            }
            Self::CandidateFailed => "correct the candidate",
            Self::BaselineFailed => "name a --baseline that works",
            Self::Undecided => {
                "raise --budget-sec, take more work per run, or quiet the machine; where the output varies from run to run: \
                 --check or --any-output"
            }
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Regression => "regression",
            Self::DifferentOutput => "different output",
            Self::CandidateFailed => "candidate failed",
            Self::BaselineFailed => "baseline failed",
            Self::Undecided => "undecided",
        }
    }
}

/// One limit, and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    /// What is limited.
    pub(super) name: &'static str,
    /// The limit: a ratio to the baseline, or an amount.
    pub(super) limit: f64,
    /// The estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<f64>,
    /// Lower end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) low: Option<f64>,
    /// Upper end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) high: Option<f64>,
    /// Whether it holds.
    pub(super) held: Held,
    #[serde(skip)]
    is_ratio: bool,
}

impl Row {
    fn ratio(name: &'static str, limit: f64, ratio: Option<&Ratio>) -> Self {
        let rule = Rule { min_effect: limit, ..Rule::default() };
        let held = match ratio {
            Some(ratio) if ratio.high <= 1.0 + limit => Held::Pass,
            ratio if rule.verdict(ratio) == Verdict::Slower => Held::Regression,
            _ => Held::Undecided,
        };
        Self {
            name,
            limit: 1.0 + limit,
            value: ratio.map(|ratio| ratio.ratio),
            low: ratio.map(|ratio| ratio.low),
            high: ratio.map(|ratio| ratio.high),
            held,
            is_ratio: true,
        }
    }

    fn absolute(name: &'static str, limit: f64, mean: Option<Interval>) -> Self {
        let held = match mean {
            Some(mean) if mean.high <= limit => Held::Pass,
            Some(mean) if mean.low > limit => Held::Regression,
            _ => Held::Undecided,
        };
        Self {
            name,
            limit,
            value: mean.map(|mean| mean.mean),
            low: mean.map(|mean| mean.low),
            high: mean.map(|mean| mean.high),
            held,
            is_ratio: false,
        }
    }

    /// A line of the report.
    pub(super) fn text(&self) -> String {
        let times = if self.is_ratio { "x" } else { "" };
        let measured = match (self.value, self.low, self.high) {
            (Some(value), Some(low), Some(high)) => {
                format!("{}{times} ({} to {})", amount(value), amount(low), amount(high))
            }
            _ => "not measured".to_owned(),
        };
        let limit = format!("limit {}{times}", amount(self.limit));
        format!("  {:<18}{measured:<28}{limit:<16}{}\n", self.name, self.held.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_percent_or_numbers() {
        for (text, value) in [("5%", 0.05), (" 12.5 % ", 0.125), ("0.05", 0.05), ("2", 2.0)] {
            assert!((part(text).unwrap() - value).abs() < 1e-12, "{text}");
        }
        for text in ["", "%", "fast", "0", "-5%", "1001%", "nan"] {
            assert!(part(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_nearest_limit_counts() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("perf-budget.toml");
        let text = "[defaults]\nmax_slowdown = \"8%\"\n\n[scripts.\"bench/a.py\"]\nmax_seconds = 2.0\n\
             max_memory = 0.2\n";
        std::fs::write(&file, text).unwrap();
        std::fs::create_dir(place.path().join("bench")).unwrap();
        std::fs::write(place.path().join("bench/a.py"), "").unwrap();
        let typed = Limits { max_memory: Some(0.1), ..Limits::default() };
        let of = |script: &str| typed.with_file(&file, script, place.path()).unwrap();
        let expected = Limits {
            max_slowdown: Some(0.08),
            max_memory: Some(0.1),
            max_seconds: Some(2.0),
            ..Limits::default()
        };
        assert_eq!(of("bench/a.py"), expected);
        assert_eq!(of("bench/../bench/a.py"), expected);
        assert_eq!(of("other.py").max_seconds, None);
        std::fs::write(&file, "[scripts.x]\nmax_secs = 1\n").unwrap();
        let wrong = typed.with_file(&file, "x", place.path()).unwrap_err();
        assert!(wrong.contains("max_secs"), "{wrong}");
    }

    #[test]
    fn a_limit_holds_when_the_whole_interval_does() {
        let ratio = |ratio, low, high| Ratio { ratio, low, high, pairs: 20 };
        let held = |it: Ratio| Row::ratio("wall time", 0.05, Some(&it)).held;
        assert_eq!(held(ratio(0.95, 0.85, 1.04)), Held::Pass);
        assert_eq!(held(ratio(1.04, 1.0, 1.08)), Held::Undecided);
        assert_eq!(held(ratio(1.2, 1.1, 1.3)), Held::Regression);
        assert_eq!(Row::ratio("wall time", 0.05, None).held, Held::Undecided);
        let mean = |mean, low, high| Some(Interval { mean, low, high, runs: 9 });
        let held = |it| Row::absolute("wall time, s", 2.0, it).held;
        assert_eq!(held(mean(1.0, 0.9, 1.1)), Held::Pass);
        assert_eq!(held(mean(2.0, 1.9, 2.1)), Held::Undecided);
        assert_eq!(held(mean(3.0, 2.9, 3.1)), Held::Regression);
    }
}
