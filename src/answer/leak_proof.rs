//! What a second run with all allocations recorded says of leaks.

use schemars::JsonSchema;
use serde::Serialize;

use super::leaks::{ClearedLine, MemoryLeak, life, name, recommendation};
use super::listing;
use super::text::{amount, count, source};
use crate::analysis::leaks::{
    Clearing, LeakConfidence, ProofFindings, ProvenCleared, ProvenLeak, Retention, proven,
};
use crate::analysis::thresholds::LEAK_MAIN_PART;
use crate::profile::{
    AllocationProof, FileProfile, FunctionSpan, LineNo, Mebibytes, Profile, ProvenPlace, Seconds,
    round_for_display,
};

/// A run of the program in which every allocation was recorded.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProofInfo {
    /// `memray` or `tracemalloc`, with its version.
    pub tracker: String,
    /// Wall time of the program in that run, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_sec: Option<f64>,
    /// It was seen to its end; else only the time until it was stopped is covered.
    pub complete: bool,
    /// Not freed when the program was over, MiB, wherever it was allocated.
    pub retained_mb: f64,
    /// Most that was allocated at once, MiB.
    pub peak_mb: f64,
    /// What to know before believing it.
    pub notes: Vec<String>,
}

impl ProofInfo {
    pub(super) fn new(profile: &Profile, proof: &AllocationProof) -> Self {
        let mut notes = proof.notes.clone();
        notes.extend(proof.closing.map(|(at, held)| {
            format!(
                "at its very end the program frees most of what it holds, as when its main function returns; what \
                 lines keep is as of {at} s, when {held} MiB were held"
            )
        }));
        let grown = proven(profile).and_then(|found| found.small_objects);
        notes.extend(grown.map(|grown| {
            format!(
                "small objects that are kept rise by {grown} MiB: which line keeps them is not recorded, only which \
                 one needed a new pool for them"
            )
        }));
        notes.push("child processes and forks of the program were not followed".to_owned());
        Self {
            tracker: format!("{} {}", proof.tracker.name, proof.tracker.version),
            elapsed_sec: proof.elapsed.map(Seconds::rounded),
            complete: proof.stopped_after.is_none(),
            retained_mb: proof.retained.rounded(),
            peak_mb: proof.peak.rounded(),
            notes,
        }
    }

    pub(super) fn text(&self) -> String {
        let took = self.elapsed_sec.map_or_else(String::new, |s| format!(" ({} s)", amount(s)));
        let notes: String = self.notes.iter().map(|note| format!("  Note: {note}\n")).collect();
        format!(
            "Run again under {}{took}, all allocations recorded: {} MiB kept at the end, {} MiB at the peak\n{notes}",
            self.tracker,
            amount(self.retained_mb),
            amount(self.peak_mb)
        )
    }
}

/// The finding in one sentence.
pub(super) fn verdict(found: &ProofFindings<'_>, least: LeakConfidence, shown: usize) -> String {
    let until = found.proof.stopped_after.map_or_else(String::new, |after| {
        format!(" in the first {after} s, which is all that was recorded")
    });
    let rest = found.leaks.len().saturating_sub(shown);
    let rest = if rest > 0 {
        format!("; {rest} less sure: call with a lower confidence than {}", name(least))
    } else {
        String::new()
    };
    let by = &found.proof.tracker.name;
    match shown {
        0 if found.leaks.is_empty() => format!(
            "no leak{until}: recorded by {by}, no line keeps more and more ({} MiB kept at the end)",
            found.proof.retained
        ),
        0 => format!("no line is sure enough to be named{until}{rest}"),
        1 => format!("recorded by {by}{until}: one line keeps more and more{rest}"),
        shown => format!("recorded by {by}{until}: {shown} lines keep more and more{rest}"),
    }
}

pub(super) fn row(
    profile: &Profile,
    found: &ProofFindings<'_>,
    leak: &ProvenLeak<'_>,
) -> MemoryLeak {
    let span = leak.course.span;
    let velocity = (span > Seconds::ZERO && leak.place.is_some())
        .then(|| round_for_display(leak.course.grown.get() / span.get()));
    MemoryLeak {
        file: profile.display_path(leak.path).into_owned(),
        line: leak.line.get(),
        content: content(leak.file, leak.line),
        function_name: function(leak.file, leak.line),
        velocity_mb_per_sec: velocity,
        total_leaked_mb: leak.retained.rounded(),
        retained_objects: leak.place.map(|place| place.objects),
        confidence: name(leak.confidence).to_owned(),
        recommendation: recommendation(&leak.retention),
        evidence: evidence(profile, found, leak),
        scalene_likelihood: None,
    }
}

pub(super) fn content(file: Option<&FileProfile>, line: LineNo) -> String {
    file.map_or_else(String::new, |file| source(file.text(line)))
}

/// The function that holds a line.
pub(super) fn function(file: Option<&FileProfile>, line: LineNo) -> String {
    let span = file.and_then(|file| file.functions().get(file.function_index(line)?));
    span.map_or(FunctionSpan::MODULE, |span| span.name.as_str()).to_owned()
}

fn evidence(profile: &Profile, found: &ProofFindings<'_>, leak: &ProvenLeak<'_>) -> Vec<String> {
    let course = &leak.course;
    let rise = format!(
        "that rose by {} MiB in {} s, in the last third of it as before",
        course.grown, course.span
    );
    let kept = match found.proof.closing {
        Some(_) => "freed only when the program ends",
        None => "not freed at the end",
    };
    let mut evidence = match leak.place {
        Some(place) if place.pooled.get() > LEAK_MAIN_PART.value * place.retained.get() => vec![
            format!("{} MiB of what it allocated are {kept}; {rise}", place.retained),
            format!("{} MiB of that are {POOLS}", place.pooled),
        ],
        Some(place) => vec![format!(
            "{} MiB in {} allocated here are {kept}; {rise}",
            place.retained,
            count(place.objects, "object")
        )],
        None => vec![format!(
            "{} MiB of small objects are kept by some line, and more and more; this one stores into something \
             that only grows. They are {POOLS}",
            found.small_objects.unwrap_or_default()
        )],
    };
    if let Retention::Kept(kept) = &leak.retention {
        evidence.push(life(kept));
    }
    evidence.extend(leak.place.and_then(|place| through(profile, place)));
    evidence
}

const POOLS: &str = "pools of small objects, which are charged to the line that needed a new pool: the objects may \
                     be another line's";

/// The call path of most of what a place keeps, if it has callers.
fn through(profile: &Profile, place: &ProvenPlace) -> Option<String> {
    let path = place.paths.first().filter(|path| path.frames.len() > 1)?;
    let mut frames: Vec<_> = path
        .frames
        .iter()
        .rev()
        .take(4)
        .map(|frame| {
            let file = profile.display_path(&frame.file);
            let place = listing::place(&file, frame.line.get(), None);
            format!("{} {place}", frame.function).trim().to_owned()
        })
        .collect();
    frames.reverse();
    Some(format!("{} MiB of it through {}", path.retained, frames.join(" > ")))
}

pub(super) fn cleared(
    profile: &Profile,
    found: &ProofFindings<'_>,
    line: &ProvenCleared<'_>,
) -> ClearedLine {
    let by = &found.proof.tracker.name;
    let keeps = if line.retained > Mebibytes::ZERO {
        format!("{} MiB in {}", line.retained, count(line.objects, "allocation"))
    } else {
        "nothing".to_owned()
    };
    let reason = match line.why {
        Clearing::Nothing => format!("{by} recorded nothing of it that is kept"),
        Clearing::Once => {
            format!("{by} recorded that it keeps {keeps}, which does not grow with the work")
        }
        Clearing::Pools => {
            format!("{by} charges {keeps} to it, {POOLS}; the code keeps none of its own")
        }
    };
    let accused = match line.likelihood {
        Some(score) => format!("Scalene's detector accuses it ({score}), but "),
        None if line.accused => "the profile alone accuses it, but ".to_owned(),
        None => String::new(),
    };
    ClearedLine {
        location: listing::place(&profile.display_path(line.path), line.line.get(), None),
        content: content(line.file, line.line),
        reason: format!("{accused}{reason}"),
    }
}
