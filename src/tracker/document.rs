//! From what a tracker wrote to evidence by line.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Error as _;

use crate::profile::{
    AllocationProof, AllocationTracker, Frame, LineNo, Mebibytes, ProvenPlace, RetainedPath,
    Seconds,
};

/// Call paths kept of a line.
const MOST_PATHS: usize = 3;

#[derive(Deserialize)]
struct Document {
    tracker: String,
    version: String,
    refused: Option<String>,
    points: Vec<f64>,
    /// Bytes alive at each point, wherever they were allocated.
    totals: Vec<u64>,
    peak: u64,
    peak_at: Option<f64>,
    stacks: Vec<Stack>,
}

/// What one call path allocated.
#[derive(Deserialize)]
struct Stack {
    /// Where it was allocated first, then its callers: file, function (empty where the tracker does
    /// not say), line.
    #[serde(rename = "frames")]
    sites: Vec<(String, String, u32)>,
    peak: u64,
    /// Bytes, allocations, and bytes in pools that are alive at each point.
    alive: Vec<u64>,
    objects: Vec<u64>,
    pooled: Vec<u64>,
}

/// No program has as many bytes, or allocations.
const MOST: u64 = 1 << 50;
/// Points at the end of which the lowest stands for what was kept until then: one may catch a
/// buffer in use.
const TAIL: usize = 3;
/// Where a tear-down begins: from this part of the points on, and lasting so many seconds at most. An
/// earlier and longer fall may be a queue that is worked off; freeing 100 MiB took 0.06 s, which is
/// much of a short run.
const TEAR_DOWNS: [(f64, f64); 2] = [(0.75, f64::INFINITY), (0.5, 0.2)];
/// What is as high as this part of the highest point is before the fall.
const HIGH: f64 = 0.9;
/// A fall by this part and more, and by [`LEAST_FREED`], is a tear-down.
const FREED_PART: f64 = 0.1;
/// Bytes.
const LEAST_FREED: u64 = 1 << 20;

impl Document {
    /// Reads and settles it: as many values in each series as there are points, and never less in all
    /// than the call paths hold. Programs can write where the tracker writes.
    fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let mut document: Self = serde_json::from_slice(json)?;
        let points = document.points.len();
        let whole = |stack: &Stack| {
            let all = [&stack.alive, &stack.objects, &stack.pooled];
            all.iter().all(|series| series.len() == points && series.iter().all(|n| *n <= MOST))
        };
        if document.totals.len() != points || !document.stacks.iter().all(whole) {
            let why = format!("not every series has {points} values, each of a possible size");
            return Err(serde_json::Error::custom(why));
        }
        for (at, total) in document.totals.iter_mut().enumerate() {
            *total =
                sum(document.stacks.iter().filter_map(|stack| stack.alive.get(at))).max(*total);
        }
        let highest = document.totals.iter().copied().max().unwrap_or_default();
        let listed = sum(document.stacks.iter().map(|stack| &stack.peak));
        document.peak = document.peak.max(listed).max(highest);
        Ok(document)
    }

    /// The last points before the program frees much at its very end, where it does.
    fn before_tear_down(&self) -> Option<std::ops::Range<usize>> {
        TEAR_DOWNS.iter().find_map(|(from, longest)| self.tear_down(*from, *longest))
    }

    #[expect(clippy::cast_precision_loss, reason = "no memory size reaches 2^53 bytes")]
    fn tear_down(&self, from: f64, longest: f64) -> Option<std::ops::Range<usize>> {
        let end = *self.totals.last()?;
        let last = self.totals.len() - 1;
        let late = |index: usize| index as f64 >= from * last as f64;
        let window = || self.totals.iter().enumerate().filter(|(index, _)| late(*index));
        let highest = *window().map(|(_, total)| total).max()? as f64;
        let (top, _) = window().rev().find(|(_, total)| **total as f64 >= HIGH * highest)?;
        let tail = (top + 1).saturating_sub(TAIL)..top + 1;
        let kept = *self.totals.get(tail.clone())?.iter().min()?;
        let freed = kept.saturating_sub(end);
        let much = freed >= LEAST_FREED && freed as f64 >= FREED_PART * kept as f64;
        let lasted = self.points.last()? - self.points.get(top)?;
        (much && lasted <= longest).then_some(tail)
    }
}

impl Stack {
    /// Bytes, allocations and bytes in pools at the lowest of these points.
    fn kept(&self, points: &std::ops::Range<usize>) -> (u64, u64, u64) {
        let at = |index: usize| {
            let value = |series: &[u64]| series.get(index).copied().unwrap_or_default();
            (value(&self.alive), value(&self.objects), value(&self.pooled))
        };
        points.clone().map(at).min().unwrap_or_default()
    }
}

fn sum<'a>(values: impl Iterator<Item = &'a u64>) -> u64 {
    values.fold(0, |sum, value| sum.saturating_add(*value))
}

/// The name under which the profile knows a file; `None` for code that is not the user's.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads a tracker's document.
///
/// # Errors
/// When it is none.
pub fn read(json: &[u8], names: Names<'_>) -> Result<AllocationProof, serde_json::Error> {
    let document = Document::read(json)?;
    let tear_down = document.before_tear_down();
    let points = tear_down.as_ref().map_or(document.points.len(), |tail| tail.end);
    let kept_at = tear_down.clone().unwrap_or(points.saturating_sub(1)..points);
    let mut places: BTreeMap<(String, u32), ProvenPlace> = BTreeMap::new();
    for stack in &document.stacks {
        let frames = own_frames(stack, names);
        let Some(leaf) = frames.last() else { continue };
        let key = (leaf.file.clone(), leaf.line.get());
        let place = places.entry(key).or_insert_with(|| ProvenPlace {
            file: leaf.file.clone(),
            line: leaf.line,
            retained: Mebibytes::ZERO,
            objects: 0,
            pooled: Mebibytes::ZERO,
            at_peak: Mebibytes::ZERO,
            alive: vec![Mebibytes::ZERO; points],
            paths: Vec::new(),
        });
        add(place, stack, stack.kept(&kept_at), frames);
    }
    let mut places: Vec<_> = places.into_values().collect();
    for place in &mut places {
        place.paths.sort_by(|a, b| b.retained.get().total_cmp(&a.retained.get()));
        place.paths.truncate(MOST_PATHS);
    }
    places.sort_by(|a, b| b.retained.get().total_cmp(&a.retained.get()));
    Ok(AllocationProof {
        tracker: AllocationTracker {
            name: document.tracker,
            version: document.version,
            fallback: document.refused,
        },
        elapsed: None,
        stopped_after: None,
        closing: tear_down.and_then(|tail| {
            let total = document.totals.get(tail.clone())?.iter().min()?;
            let at = document.points.get(tail.end - 1).copied().and_then(Seconds::from_secs)?;
            Some((at, Mebibytes::from_bytes(*total)))
        }),
        points: document
            .points
            .iter()
            .take(points)
            .copied()
            .filter_map(Seconds::from_secs)
            .collect(),
        retained: Mebibytes::from_bytes(document.totals.last().copied().unwrap_or_default()),
        peak: Mebibytes::from_bytes(document.peak),
        peak_at: document.peak_at.and_then(Seconds::from_secs),
        places,
        notes: Vec::new(),
    })
}

/// The user's frames, outermost first.
fn own_frames(stack: &Stack, names: Names<'_>) -> Vec<Frame> {
    let own = |(file, function, line): &(String, String, u32)| {
        Some(Frame { file: names(file)?, function: function.clone(), line: LineNo::new(*line)? })
    };
    stack.sites.iter().rev().filter_map(own).collect()
}

fn add(
    place: &mut ProvenPlace,
    stack: &Stack,
    (bytes, objects, pooled): (u64, u64, u64),
    frames: Vec<Frame>,
) {
    let retained = Mebibytes::from_bytes(bytes);
    place.retained = place.retained + retained;
    place.objects = place.objects.saturating_add(objects);
    place.pooled = place.pooled + Mebibytes::from_bytes(pooled);
    place.at_peak = place.at_peak + Mebibytes::from_bytes(stack.peak);
    for (sum, bytes) in place.alive.iter_mut().zip(&stack.alive) {
        *sum = *sum + Mebibytes::from_bytes(*bytes);
    }
    match place.paths.iter_mut().find(|path| path.frames == frames) {
        Some(path) => path.retained = path.retained + retained,
        None => place.paths.push(RetainedPath { frames, retained }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn libraries_are_charged_to_the_line_that_called_them() {
        let json = br#"{"tracker": "memray", "version": "1", "refused": null, "points": [0.5, 1.0],
            "totals": [1048585, 3145737], "peak": 4194304, "peak_at": 0.5, "stacks": [
            {"frames": [["/lib/json.py", "loads", 9], ["/p/a.py", "load", 3], ["/p/a.py", "<module>", 7]],
             "objects": [1, 2], "pooled": [1048576, 1048576], "peak": 2097152,
             "alive": [1048576, 2097152]},
            {"frames": [["/p/a.py", "load", 3], ["/p/a.py", "<module>", 8]],
             "objects": [0, 1], "pooled": [0, 0], "peak": 0, "alive": [0, 1048576]},
            {"frames": [["/lib/site.py", "main", 1]],
             "objects": [1, 1], "pooled": [0, 0], "peak": 9, "alive": [9, 9]}]}"#;
        let names = |file: &str| file.strip_prefix("/p/").map(str::to_owned);
        let proof = read(json, &names).unwrap();
        assert_eq!(proof.places.len(), 1);
        let place = proof.place("a.py", LineNo::new(3).unwrap()).unwrap();
        let mib = |value: f64| Mebibytes::from_mib(value).unwrap();
        assert_eq!((place.retained, place.objects, place.pooled), (mib(3.0), 3, mib(1.0)));
        assert_eq!((place.at_peak, &*place.alive), (mib(2.0), &[mib(1.0), mib(3.0)][..]));
        let lines: Vec<_> = place.paths.iter().map(|path| path.frames[0].line.get()).collect();
        assert_eq!(lines, [7, 8]);
        assert!(read(b"{}", &names).is_err());
    }

    #[test]
    fn call_paths_never_hold_more_than_the_whole() {
        let document = |points: &str, alive: u64| {
            format!(
                r#"{{"tracker": "memray", "version": "1", "refused": null, "points": {points}, "totals": [5, 7],
                "peak": 1, "peak_at": null, "stacks": [{{"frames": [["/p/a.py", "f", 3]], "peak": 9,
                "objects": [{alive}, {alive}], "pooled": [0, 0], "alive": [0, {alive}]}},
                {{"frames": [["/p/a.py", "f", 3]], "peak": 9, "objects": [{alive}, {alive}], "pooled": [0, 0],
                "alive": [0, {alive}]}}]}}"#
            )
        };
        let names = |file: &str| Some(file.to_owned());
        for alive in [MIB, 1 << 50] {
            let proof = read(document("[1, 2]", alive).as_bytes(), &names).unwrap();
            assert!(proof.places[0].retained <= proof.retained && proof.retained <= proof.peak);
            assert_eq!(proof.places[0].objects, alive * 2);
        }
        assert!(read(document("[1, 2, 3]", MIB).as_bytes(), &names).is_err());
        assert!(read(document("[1, 2]", u64::MAX).as_bytes(), &names).is_err());
    }

    #[test]
    fn what_is_freed_at_the_very_end_was_kept_until_then() {
        let document = |alive: [u64; 5]| {
            format!(
                r#"{{"tracker": "memray", "version": "1", "refused": null, "points": [1, 2, 3, 4, 5],
                "totals": {alive:?}, "peak": 9, "peak_at": null, "stacks": [{{"frames": [["/p/a.py", "f", 3]],
                "objects": [1, 2, 3, 4, 0], "pooled": [0, 0, 0, 0, 0], "peak": 9, "alive": {alive:?}}}]}}"#
            )
        };
        let names = |file: &str| Some(file.to_owned());
        let read = |alive| super::read(document(alive).as_bytes(), &names).unwrap();
        let mib = |value: f64| Mebibytes::from_mib(value).unwrap();
        let freed = read([MIB, 20 * MIB, 30 * MIB, 35 * MIB, MIB]);
        assert_eq!(freed.closing, Some((Seconds::from_secs(4.0).unwrap(), mib(20.0))));
        let place = &freed.places[0];
        assert_eq!((place.retained, place.objects, place.alive.len()), (mib(20.0), 2, 4));
        assert_eq!((freed.retained, freed.points.len()), (mib(1.0), 4));
        let buffers = read([MIB, 20 * MIB, MIB, 25 * MIB, MIB]);
        assert_eq!((buffers.closing, buffers.places[0].retained), (None, mib(1.0)));
    }
}
