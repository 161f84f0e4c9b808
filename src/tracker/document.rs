//! From what a tracker wrote to evidence by line.

use std::collections::BTreeMap;

use serde::Deserialize;

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
    retained: u64,
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
    retained: u64,
    objects: u64,
    pooled: u64,
    peak: u64,
    alive: Vec<u64>,
}

/// The name under which the profile knows a file; `None` for code that is not the user's.
pub type Names<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Reads a tracker's document.
///
/// # Errors
/// When it is none.
pub fn read(json: &[u8], names: Names<'_>) -> Result<AllocationProof, serde_json::Error> {
    let document: Document = serde_json::from_slice(json)?;
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
            alive: vec![Mebibytes::ZERO; document.points.len()],
            paths: Vec::new(),
        });
        add(place, stack, frames);
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
        points: document.points.into_iter().filter_map(Seconds::from_secs).collect(),
        retained: Mebibytes::from_bytes(document.retained),
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

fn add(place: &mut ProvenPlace, stack: &Stack, frames: Vec<Frame>) {
    let retained = Mebibytes::from_bytes(stack.retained);
    place.retained = place.retained + retained;
    place.objects += stack.objects;
    place.pooled = place.pooled + Mebibytes::from_bytes(stack.pooled);
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

    #[test]
    fn libraries_are_charged_to_the_line_that_called_them() {
        let json = br#"{"tracker": "memray", "version": "1", "refused": null, "points": [0.5, 1.0],
            "retained": 3145728, "peak": 4194304, "peak_at": 0.5, "stacks": [
            {"frames": [["/lib/json.py", "loads", 9], ["/p/a.py", "load", 3], ["/p/a.py", "<module>", 7]],
             "retained": 2097152, "objects": 2, "pooled": 1048576, "peak": 2097152,
             "alive": [1048576, 2097152]},
            {"frames": [["/p/a.py", "load", 3], ["/p/a.py", "<module>", 8]],
             "retained": 1048576, "objects": 1, "pooled": 0, "peak": 0, "alive": [0, 1048576]},
            {"frames": [["/lib/site.py", "main", 1]],
             "retained": 9, "objects": 1, "pooled": 0, "peak": 9, "alive": [9, 9]}]}"#;
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
}
