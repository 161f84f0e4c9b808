//! Judges the evidence of a run in which all allocations were recorded.
//!
//! Bytes are exact then, and so is the line, but for small objects: memray sees the pools in which
//! Python keeps them, and charges a pool to the line that needed a new one. What remains to be judged
//! is whether what a line keeps rises with the work or was allocated once, and who keeps it.

use super::retention::Retention;
use super::{Codes, FEW_KEEPERS, LeakConfidence, LeakFindings, leaks};
use crate::analysis::thresholds::{
    LEAK_GROWTH_MIB, LEAK_MAIN_PART, LEAK_POINTS, LEAK_SMALL_PART, LEAK_STEADY_PART,
    PROOF_GROWTH_MIB, PROOF_STEPS, PROOF_TABLES,
};
use crate::profile::{
    AllocationProof, FileProfile, Fraction, LineNo, Mebibytes, Profile, ProvenPlace, Seconds,
};

/// What a line keeps over the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// Rise of what it keeps, from its first allocation to the end.
    pub grown: Mebibytes,
    /// When it kept something first.
    pub since: Seconds,
    /// Time from then to the end.
    pub span: Seconds,
    /// It rises with the work: the second and the last third of that time added their part each, or
    /// it is one table that was doubled again and again.
    pub rises: bool,
}

/// A line that keeps more and more.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvenLeak<'a> {
    /// Its file; `None` where nothing of it is in the profile.
    pub file: Option<&'a FileProfile>,
    /// Path of the file.
    pub path: &'a str,
    /// The line.
    pub line: LineNo,
    /// What was recorded of it; `None` where the code alone names it.
    pub place: Option<&'a ProvenPlace>,
    /// What it keeps; for a line named by the code the small objects that some line keeps.
    pub retained: Mebibytes,
    /// How that came to be.
    pub course: Course,
    /// What the code does with its objects.
    pub retention: Retention,
    /// How sure.
    pub confidence: LeakConfidence,
}

/// Why a line is no leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clearing {
    /// It keeps nothing.
    Nothing,
    /// It keeps what it allocated once.
    Once,
    /// Pools of small objects are charged to it, and the code keeps none of its objects.
    Pools,
}

/// A line that the profile accuses, or that keeps much, and that is no leak.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvenCleared<'a> {
    /// Its file; `None` where nothing of it is in the profile.
    pub file: Option<&'a FileProfile>,
    /// Path of the file.
    pub path: &'a str,
    /// The line.
    pub line: LineNo,
    /// What it keeps.
    pub retained: Mebibytes,
    /// In so many allocations.
    pub objects: u64,
    /// Why.
    pub why: Clearing,
    /// Score of Scalene's own detector for this line.
    pub likelihood: Option<Fraction>,
    /// The profile alone accuses it.
    pub accused: bool,
}

/// What the evidence says.
#[derive(Debug, Clone, PartialEq)]
pub struct ProofFindings<'a> {
    /// The evidence.
    pub proof: &'a AllocationProof,
    /// Lines that keep more and more, surest first.
    pub leaks: Vec<ProvenLeak<'a>>,
    /// Lines that do not, though something spoke against them.
    pub cleared: Vec<ProvenCleared<'a>>,
    /// Growth of all pools of small objects, where it is enough to be a leak of its own.
    pub small_objects: Option<Mebibytes>,
}

/// Whether another run would tell more than the profile: memory grows or a line is accused, and no
/// line is certain.
pub fn undecided(found: &LeakFindings<'_>) -> bool {
    // An accused line that cannot be it leaves growth without a cause. On a busy machine growth is
    // not seen to be steady.
    let unexplained = found.cleared.iter().any(|line| line.dropped && line.likelihood.is_some());
    let grows = found.growth.is_some_and(|growth| {
        growth.steady
            || growth.late
            || unexplained && growth.retained().get() >= LEAK_GROWTH_MIB.value
    });
    let certain = found.leaks.iter().any(|leak| leak.confidence == LeakConfidence::High);
    (grows || !found.leaks.is_empty()) && !certain
}

/// Judges the evidence of a profile; `None` when it has none.
pub fn proven(profile: &Profile) -> Option<ProofFindings<'_>> {
    let proof = profile.proof.as_ref()?;
    let mut found =
        ProofFindings { proof, leaks: Vec::new(), cleared: Vec::new(), small_objects: None };
    let mut codes = Codes::default();
    let courses: Vec<_> = proof
        .places
        .iter()
        .map(|place| course(&place.alive, &proof.points, place.objects))
        .collect();
    let pools = pools(proof);
    let rising = courses.iter().filter(|course| course.rises).map(|course| course.grown);
    let whole: Mebibytes = rising.sum();
    for (place, course) in proof.places.iter().zip(courses) {
        let file = profile.files.iter().find(|file| file.path == place.file);
        let retention = file.map_or(Retention::Unclear, |file| codes.retention(file, place.line));
        let in_pools = place.pooled.get() > LEAK_MAIN_PART.value * place.retained.get();
        let least = LEAK_SMALL_PART.value * whole.get();
        let grows = course.rises && course.grown.get() >= PROOF_GROWTH_MIB.value.max(least);
        if grows
            && (!in_pools || pools.is_some())
            && let Some(confidence) = judge(&retention, in_pools)
        {
            found.leaks.push(ProvenLeak {
                file,
                path: &place.file,
                line: place.line,
                place: Some(place),
                retained: place.retained,
                course,
                retention,
                confidence,
            });
            continue;
        }
        if place.retained.get() >= LEAK_GROWTH_MIB.value {
            let why = if in_pools { Clearing::Pools } else { Clearing::Once };
            found.cleared.push(cleared(
                profile,
                (&place.file, place.line),
                Some(place),
                why,
                false,
            ));
        }
    }
    if let Some((course, retained)) = pools {
        found.small_objects = Some(course.grown);
        by_code(profile, (course, retained), &mut codes, &mut found);
    }
    clear_accused(profile, &mut found);
    found.leaks.sort_by(|a, b| {
        b.confidence.cmp(&a.confidence).then(b.retained.get().total_cmp(&a.retained.get()))
    });
    Some(found)
}

/// How sure a line is that keeps more and more; `None` when the pools charged to it are others'.
fn judge(retention: &Retention, in_pools: bool) -> Option<LeakConfidence> {
    match retention {
        Retention::Dropped if in_pools => None,
        Retention::Kept(_) if in_pools => Some(LeakConfidence::Medium),
        Retention::Unclear if in_pools => Some(LeakConfidence::Low),
        // What is looked up again may be a working set; what is local may be the result.
        Retention::Kept(kept) if kept.outlives_call && !kept.shrinks && !kept.looked_up => {
            Some(LeakConfidence::High)
        }
        _ => Some(LeakConfidence::Medium),
    }
}

/// What all pools of small objects do together, and how much they hold; `None` when that is no leak.
fn pools(proof: &AllocationProof) -> Option<(Course, Mebibytes)> {
    let in_pools =
        |place: &&ProvenPlace| place.pooled.get() > LEAK_MAIN_PART.value * place.retained.get();
    let mut alive = vec![Mebibytes::ZERO; proof.points.len()];
    for place in proof.places.iter().filter(in_pools) {
        for (sum, mib) in alive.iter_mut().zip(&place.alive) {
            *sum = *sum + *mib;
        }
    }
    let together = course(&alive, &proof.points, u64::MAX);
    let retained = proof.places.iter().map(|place| place.pooled).sum();
    (together.rises && together.grown.get() >= LEAK_GROWTH_MIB.value)
        .then_some((together, retained))
}

/// Small objects are kept more and more: lines that store into containers which only grow.
fn by_code<'a>(
    profile: &'a Profile,
    (course, retained): (Course, Mebibytes),
    codes: &mut Codes<'a>,
    found: &mut ProofFindings<'a>,
) {
    let mut keepers = Vec::new();
    for file in &profile.files {
        let Some(code) = codes.of(file) else { continue };
        keepers.extend(code.keepers().into_iter().map(|(line, kept)| (file, line, kept)));
    }
    keepers.retain(|(file, line, _)| {
        !found.leaks.iter().any(|leak| leak.path == file.path && leak.line == *line)
    });
    let few = keepers.len() <= FEW_KEEPERS;
    let confidence = if few { LeakConfidence::Medium } else { LeakConfidence::Low };
    for (file, line, kept) in keepers.into_iter().take(super::MOST_KEEPERS) {
        found.leaks.push(ProvenLeak {
            file: Some(file),
            path: &file.path,
            line,
            place: None,
            retained,
            course,
            retention: Retention::Kept(kept),
            confidence,
        });
    }
}

/// Lines that the profile accuses and the evidence does not.
fn clear_accused<'a>(profile: &'a Profile, found: &mut ProofFindings<'a>) {
    let suspects = leaks(profile).into_iter().flat_map(|findings| {
        let leaks = findings.leaks.into_iter().map(|leak| (leak.file, leak.line));
        let cleared = findings.cleared.into_iter().map(|line| (line.file, line.line));
        leaks.chain(cleared).collect::<Vec<_>>()
    });
    for (file, line) in suspects {
        let is_leak = found.leaks.iter().any(|leak| leak.path == file.path && leak.line == line);
        let known =
            found.cleared.iter_mut().find(|known| known.path == file.path && known.line == line);
        match known {
            _ if is_leak => {}
            Some(known) => known.accused = true,
            None => {
                let place = found.proof.place(&file.path, line);
                let why = match place {
                    Some(place) if place.retained > Mebibytes::ZERO => Clearing::Once,
                    _ => Clearing::Nothing,
                };
                found.cleared.push(cleared(profile, (&file.path, line), place, why, true));
            }
        }
    }
}

fn cleared<'a>(
    profile: &'a Profile,
    (path, line): (&'a str, LineNo),
    place: Option<&ProvenPlace>,
    why: Clearing,
    accused: bool,
) -> ProvenCleared<'a> {
    let file = profile.files.iter().find(|file| file.path == path);
    ProvenCleared {
        file,
        path,
        line,
        retained: place.map_or(Mebibytes::ZERO, |place| place.retained),
        objects: place.map_or(0, |place| place.objects),
        why,
        likelihood: file.and_then(|file| super::likelihood(file, line)),
        accused,
    }
}

/// Reads how what a line keeps came to be. As with the footprint of a program, what counts is the
/// floor: the least that is alive at this or any later point.
fn course(alive: &[Mebibytes], points: &[Seconds], objects: u64) -> Course {
    let none =
        Course { grown: Mebibytes::ZERO, since: Seconds::ZERO, span: Seconds::ZERO, rises: false };
    let mut floor = f64::INFINITY;
    let mut floors: Vec<(f64, f64)> = Vec::with_capacity(alive.len());
    for (mib, at) in alive.iter().zip(points).rev() {
        floor = floor.min(mib.get());
        floors.push((at.get(), floor));
    }
    floors.reverse();
    let begun = floors.iter().position(|(_, mib)| *mib > 0.0).unwrap_or(floors.len());
    let floors = floors.get(begun..).unwrap_or_default();
    let (Some(first), Some(last)) = (floors.first(), floors.last()) else { return none };
    let (total, span) = (last.1 - first.1, last.0 - first.0);
    let at = |part: f64| {
        let moment = first.0 + part * span;
        let after = floors.partition_point(|(at, _)| *at <= moment);
        floors.get(after.saturating_sub(1)).map_or(first.1, |(_, floor)| *floor)
    };
    let least = LEAK_STEADY_PART.value * total;
    let (second, third) = (at(2.0 / 3.0) - at(1.0 / 3.0), last.1 - at(2.0 / 3.0));
    #[expect(clippy::cast_precision_loss, reason = "numbers of points and of objects")]
    let (enough, tables) =
        (floors.len() as f64 >= LEAK_POINTS.value, objects as f64 <= PROOF_TABLES.value);
    let even = second >= least && third >= least;
    let rises = total > 0.0 && enough && (even || tables && is_doubled(floors));
    Course {
        grown: Mebibytes::from_mib(total).unwrap_or_default(),
        since: Seconds::from_secs(first.0).unwrap_or_default(),
        span: Seconds::from_secs(span).unwrap_or_default(),
        rises,
    }
}

/// A dictionary's table doubles: between two such steps nothing grows, however full it gets.
fn is_doubled(floors: &[(f64, f64)]) -> bool {
    let steps: Vec<f64> = floors
        .windows(2)
        .filter_map(|pair| match pair {
            [before, after] => (after.1 > 1.5 * before.1).then_some(after.0),
            _ => None,
        })
        .collect();
    let (Some(first), Some(last)) = (floors.first(), floors.last()) else { return false };
    #[expect(clippy::cast_precision_loss, reason = "a number of points")]
    let many = steps.len() as f64 >= PROOF_STEPS.value;
    many && steps.last().is_some_and(|at| at - first.0 >= 0.4 * (last.0 - first.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(objects: u64, value: impl Fn(f64) -> f64) -> Course {
        let mib = |n: u32| Mebibytes::from_mib(value(f64::from(n))).unwrap();
        let points: Vec<_> =
            (1..=30).map(|n| Seconds::from_secs(f64::from(n) / 10.0).unwrap()).collect();
        course(&(1..=30).map(mib).collect::<Vec<_>>(), &points, objects)
    }

    #[test]
    fn what_rises_with_the_work_is_told_from_what_is_kept_once() {
        let leak = shape(1000, |n| 10.0 * n);
        assert!(leak.rises && (leak.grown.get() - 290.0).abs() < 1.0, "{leak:?}");
        assert!(shape(1000, |n| (n - 10.0).max(0.0)).rises, "begins later");
        assert!(
            shape(1000, |n| 10.0 * n + if n % 2.0 == 0.0 { 50.0 } else { 0.0 }).rises,
            "buffers on top"
        );
        assert!(!shape(1, |_| 160.0).rises, "kept from the start");
        assert!(!shape(1000, |n| (10.0 * n).min(80.0)).rises, "a cache that is full");
        assert!(!shape(1000, |n| if n > 29.5 { 0.0 } else { n }).rises, "given back");
        assert!(!shape(1000, |n| if n > 28.0 { n } else { 0.0 }).rises, "only at the end");
        assert!(!shape(1000, |_| 0.0).rises, "nothing");
    }

    #[test]
    fn a_table_that_doubles_rises() {
        let doubled = |n: f64| 2.0_f64.powf(n.log2().ceil());
        assert!(shape(1, doubled).rises);
        assert!(!shape(1, |n| doubled(n).min(8.0)).rises, "full early");
    }

    #[test]
    fn short_runs_show_no_course() {
        let points: Vec<_> = (0..4).map(|n| Seconds::from_secs(f64::from(n)).unwrap()).collect();
        let alive: Vec<_> = (0..4).map(|n| Mebibytes::from_mib(f64::from(n)).unwrap()).collect();
        assert!(!course(&alive, &points, 100).rises);
    }
}
