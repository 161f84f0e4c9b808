//! What differs between two runs besides the code, and what keeps them from being compared.

use super::align::Alignment;
use crate::analysis::thresholds::{LOAD_DIFFERS, OTHER_PROGRAM_PART};
use crate::profile::{
    Engine, Environment, Outcome, Profile, ProgramKind, Status, Witness, round_for_display,
    signal_name,
};

/// Something that the two runs do not have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What: `Python`, `load`, `arguments`, …
    pub what: &'static str,
    /// In the baseline.
    pub before: String,
    /// In the candidate.
    pub after: String,
}

/// How the circumstances of two runs compare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// Known of both, and equal.
    pub same: Vec<&'static str>,
    /// Known of both, and different.
    pub differs: Vec<Difference>,
    /// Not known of one of them.
    pub unknown: Vec<&'static str>,
}

/// Why seconds of one profile say nothing about those of the other.
#[derive(Debug, Clone, PartialEq)]
pub enum Obstacle {
    /// Other things were measured, which slows a program differently; modes of both.
    Mode(String, String),
    /// One covers the whole run, the other a part of it.
    Coverage(Status, Status),
    /// Both were stopped before the end: their time is what they were given.
    BothPartial,
    /// They ended differently, and did different work.
    Outcome(String, String),
    /// There is almost no common text; the part that is, 0 to 1.
    OtherProgram(f64),
    /// The seconds of one are not known: only some files were sampled, or there is no wall time.
    NoSeconds,
}

impl Obstacle {
    /// A short stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mode(..) => "mode",
            Self::Coverage(..) | Self::BothPartial => "coverage",
            Self::Outcome(..) => "outcome",
            Self::OtherProgram(_) => "other_program",
            Self::NoSeconds => "no_seconds",
        }
    }

    /// The reason in words.
    pub fn text(&self) -> String {
        match self {
            Self::Mode(before, after) => {
                format!("the runs measured different things ({before} -> {after}), which slows a program differently")
            }
            Self::Coverage(before, after) => format!(
                "one profile covers a part of its run ({} -> {})",
                covers(*before),
                covers(*after)
            ),
            Self::BothPartial => {
                "both runs were stopped before their end, so their times are what they were given".to_owned()
            }
            Self::Outcome(before, after) => {
                format!("the runs ended differently ({before} -> {after}), so they did different work")
            }
            Self::OtherProgram(part) => format!(
                "these are different programs: {} % of the text is in both",
                round_for_display(100.0 * part)
            ),
            Self::NoSeconds => {
                "the time of one is not known in seconds: only some files were sampled, or its wall time is missing".to_owned()
            }
        }
    }
}

/// Everything that keeps two profiles from being compared; what matters most first.
pub(super) fn obstacles(
    baseline: &Profile,
    candidate: &Profile,
    alignment: &Alignment<'_>,
) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let common = alignment.common.filter(|part| *part < OTHER_PROGRAM_PART.value);
    found.extend(common.map(Obstacle::OtherProgram));
    let (before, after) = (baseline.run.status, candidate.run.status);
    match (before, after) {
        (Status::Complete, Status::Complete) => {
            let (first, second) = (outcome(baseline.run.outcome), outcome(candidate.run.outcome));
            let known = first.zip(second).filter(|(first, second)| first != second);
            found.extend(known.map(|(first, second)| Obstacle::Outcome(first, second)));
        }
        (Status::Partial, Status::Partial) => found.push(Obstacle::BothPartial),
        _ => found.push(Obstacle::Coverage(before, after)),
    }
    let modes = (mode(baseline), mode(candidate));
    if modes.0 != modes.1 {
        found.push(Obstacle::Mode(modes.0, modes.1));
    }
    let no_seconds = |profile: &Profile| profile.measured.part_of_time || profile.elapsed.is_none();
    if no_seconds(baseline) || no_seconds(candidate) {
        found.push(Obstacle::NoSeconds);
    }
    found
}

fn covers(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
    }
}

/// How a run ended that came to its own end.
fn outcome(outcome: Outcome) -> Option<String> {
    match outcome {
        Outcome::ExitCode(code) => Some(format!("exit {code}")),
        Outcome::Signal(number) => Some(signal_name(number)),
        _ => None,
    }
}

/// What was measured.
fn mode(profile: &Profile) -> String {
    let measured = &profile.measured;
    let mut words = vec![if measured.virtual_time { "CPU time without waiting" } else { "time" }];
    words.extend(measured.memory.then_some("memory"));
    words.extend(measured.gpu.is_some().then_some("GPU"));
    words.join(" and ")
}

/// What is known of the circumstances, side by side.
pub(super) fn circumstances(baseline: &Profile, candidate: &Profile) -> Circumstances {
    let mut found = Circumstances::default();
    let mut add = |what, before: Option<String>, after: Option<String>| match (before, after) {
        (Some(before), Some(after)) if before == after => found.same.push(what),
        (Some(before), Some(after)) => found.differs.push(Difference { what, before, after }),
        _ => found.unknown.push(what),
    };
    let mut both = |what, of: &dyn Fn(&Profile) -> Option<String>| {
        add(what, of(baseline), of(candidate));
    };
    both("program", &|profile| Some(program(profile)));
    both("arguments", &|profile| Some(arguments(&profile.program.args)));
    both("Python", &|profile| known(profile, |env| env.python_version.clone()));
    both("interpreter", &|profile| known(profile, |env| env.python.display().to_string()));
    both("Scalene", &|profile| {
        known(profile, |env| env.scalene_version.clone().unwrap_or_else(|| "none".to_owned()))
    });
    both("machine", &|profile| {
        let cores = |env: &Environment| env.cores.map_or(String::new(), |n| format!(", {n} cores"));
        known(profile, |env| format!("{}{}", env.platform, cores(env)))
    });
    both("sandbox", &|profile| {
        known(profile, |env| env.sandbox.as_deref().unwrap_or("off").to_owned())
    });
    both("working directory", &|profile| Some(profile.run.cwd.display().to_string()));
    both("mode", &|profile| Some(mode(profile)));
    both("sampling interval", &|profile| {
        Some(format!("{} s", profile.measured.sampling_interval?.get()))
    });
    both("lines timed by", &|profile| {
        Some(match profile.timed_by {
            Witness::Scalene => "Scalene".to_owned(),
            Witness::Stacks { .. } if profile.engine() == Engine::Sampler => {
                "stacks alone".to_owned()
            }
            Witness::Stacks { .. } => "stacks beside it".to_owned(),
        })
    });
    both("coverage", &|profile| Some(covers(profile.run.status).to_owned()));
    both("outcome", &|profile| outcome(profile.run.outcome));
    both("runs", &|profile| {
        Some(profile.repeats.as_ref().map_or(1, |repeats| repeats.runs.len()).to_string())
    });
    let load = |profile: &Profile| profile.run.environment.as_ref().and_then(|env| env.load);
    if let Some((before, after)) = load(baseline).zip(load(candidate)) {
        let text = |load: f64| round_for_display(load).to_string();
        if (before - after).abs() >= LOAD_DIFFERS.value {
            found.differs.push(Difference {
                what: "load",
                before: text(before),
                after: text(after),
            });
        } else {
            found.same.push("load");
        }
    }
    found.differs.extend(parameters(baseline, candidate));
    found
}

fn known(profile: &Profile, of: impl Fn(&Environment) -> String) -> Option<String> {
    profile.run.environment.as_ref().map(of).filter(|text| !text.is_empty())
}

fn program(profile: &Profile) -> String {
    match profile.program.kind {
        ProgramKind::Module => format!("-m {}", profile.program.name),
        _ => profile.program.name.clone(),
    }
}

fn arguments(words: &[String]) -> String {
    const MOST: usize = 80;
    if words.is_empty() {
        return "none".to_owned();
    }
    let text = words.join(" ");
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Parameters that are told as mode, interval, interpreter, directory or coverage.
const TOLD: &[&str] =
    &["memory", "gpu", "cpu", "use_virtual_time", "cpu_sampling_rate", "python", "cwd", "timeout"];

/// Parameters of the calls that differ, by name: their values may be secrets.
fn parameters(baseline: &Profile, candidate: &Profile) -> Option<Difference> {
    let (before, after) = (&baseline.run.parameters, &candidate.run.parameters);
    let only = |these: &serde_json::Map<String, serde_json::Value>,
                others: &serde_json::Map<String, serde_json::Value>| {
        let names: Vec<&str> = these
            .iter()
            .filter(|(name, value)| others.get(*name) != Some(value))
            .map(|(name, _)| name.as_str())
            .filter(|name| !TOLD.contains(name))
            .collect();
        names.join(", ")
    };
    let (first, second) = (only(before, after), only(after, before));
    let word = |names: String| if names.is_empty() { "none".to_owned() } else { names };
    (!first.is_empty() || !second.is_empty()).then(|| Difference {
        what: "other parameters",
        before: word(first),
        after: word(second),
    })
}
