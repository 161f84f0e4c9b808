//! Blocks that the program marked itself: the module it imports, and what that wrote.
//!
//! Each process writes a file of its own (`scalene/blocks.py`). It comes from the program: nothing in it is believed
//! beyond its bounds.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::naming::real_path;
use super::workspace::{self, SNIPPET, Workspace};
use crate::profile::{LineNo, Marked, MarkedBlock, MarkedPlace};

/// Largest record of one process.
const MAX_RECORD_BYTES: u64 = 4 << 20;
/// Processes whose records are read.
const MOST_PROCESSES: usize = 256;
/// Blocks kept.
const MOST_BLOCKS: usize = 1_000;
/// Places kept of a block.
const MOST_PLACES: usize = 5;
/// Longest name that is kept, in characters.
const MOST_NAME: usize = 200;

#[derive(Deserialize)]
struct Record {
    left_out: u64,
    loops: Vec<String>,
    blocks: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    parent: Option<u32>,
    name: String,
    calls: u64,
    open: u64,
    wall: f64,
    own: f64,
    cpu: Option<f64>,
    places: Vec<(String, u32, String)>,
}

/// What all processes of the program recorded. `killed`: the program had no chance to write its last.
pub(super) fn marked(workspace: &Workspace, killed: bool) -> Marked {
    let mut sum = Sum::new(workspace);
    let files = records(workspace);
    for path in files.iter().take(MOST_PROCESSES) {
        let bytes = workspace::read(path, MAX_RECORD_BYTES);
        match bytes.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok()) {
            Some(record) => sum.add(record),
            None => sum.unread += 1,
        }
    }
    sum.unread += files.len().saturating_sub(MOST_PROCESSES);
    sum.finish(killed)
}

fn records(workspace: &Workspace) -> Vec<PathBuf> {
    let Ok(entries) = workspace.output("").read_dir() else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut records: Vec<PathBuf> = paths
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let number = name.strip_prefix("blocks-").and_then(|rest| rest.strip_suffix(".json"));
            number
                .is_some_and(|pid| !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit()))
        })
        .collect();
    records.sort();
    records
}

/// The records of all processes as one.
struct Sum {
    snippet: [String; 2],
    blocks: Vec<MarkedBlock>,
    processes: usize,
    left_out: u64,
    unread: usize,
    loops: Vec<String>,
}

impl Sum {
    fn new(workspace: &Workspace) -> Self {
        let snippet = workspace.snippet().to_string_lossy().into_owned();
        Self {
            snippet: [real_path(&snippet), snippet],
            blocks: Vec::new(),
            processes: 0,
            left_out: 0,
            unread: 0,
            loops: Vec::new(),
        }
    }

    fn add(&mut self, record: Record) {
        self.processes += 1;
        self.left_out = self.left_out.saturating_add(record.left_out);
        let known = ["uvloop", "trio", "gevent", "curio"];
        self.loops.extend(record.loops.into_iter().filter(|name| known.contains(&name.as_str())));
        // Where each of its blocks is here.
        let mut became: Vec<Option<u32>> = Vec::new();
        for one in record.blocks {
            let parent = match one.parent {
                None => Some(None),
                Some(parent) => became.get(parent as usize).copied().flatten().map(Some),
            };
            let fits = [one.wall, one.own].iter().all(|time| time.is_finite() && *time >= 0.0);
            let place = parent.filter(|_| fits).and_then(|parent| self.place(parent, &one.name));
            if place.is_none() {
                self.left_out = self.left_out.saturating_add(one.calls);
            }
            became.push(place);
            if let Some(place) = place {
                self.count(place, one);
            }
        }
    }

    fn place(&mut self, parent: Option<u32>, name: &str) -> Option<u32> {
        let name: String = name.chars().take(MOST_NAME).collect();
        let same = |block: &MarkedBlock| block.parent == parent && block.name == name;
        let known = self.blocks.iter().position(same);
        let index = match known {
            Some(index) => index,
            None if self.blocks.len() >= MOST_BLOCKS => return None,
            None => {
                self.blocks.push(MarkedBlock {
                    parent,
                    name,
                    calls: 0,
                    open: 0,
                    wall: 0.0,
                    own: 0.0,
                    own_cpu: Some(0.0),
                    places: Vec::new(),
                });
                self.blocks.len() - 1
            }
        };
        u32::try_from(index).ok()
    }

    fn count(&mut self, place: u32, one: Recorded) {
        let places: Vec<MarkedPlace> = one
            .places
            .into_iter()
            .take(MOST_PLACES)
            .filter_map(|place| self.source(place))
            .collect();
        let Some(block) = self.blocks.get_mut(place as usize) else { return };
        block.calls = block.calls.saturating_add(one.calls);
        block.open = block.open.saturating_add(one.open);
        block.wall += one.wall;
        block.own += one.own.min(one.wall);
        let cpu = one.cpu.filter(|cpu| cpu.is_finite()).map(|cpu| cpu.max(0.0));
        block.own_cpu = block.own_cpu.zip(cpu).map(|(sum, more)| sum + more);
        for place in places {
            if block.places.len() < MOST_PLACES && !block.places.contains(&place) {
                block.places.push(place);
            }
        }
    }

    fn source(&self, (file, line, function): (String, u32, String)) -> Option<MarkedPlace> {
        let real = if Path::new(&file).is_absolute() { real_path(&file) } else { file };
        let file = if self.snippet.contains(&real) { SNIPPET.to_owned() } else { real };
        let function = Some(function).filter(|name| !name.is_empty());
        Some(MarkedPlace { file, line: LineNo::new(line)?, function })
    }

    fn finish(mut self, killed: bool) -> Marked {
        let mut notes = Vec::new();
        if self.left_out > 0 {
            notes.push(format!(
                "{} entries of further blocks were left out, with names of their own: {MOST_BLOCKS} places in the tree \
                 of blocks are kept",
                self.left_out
            ));
        }
        self.loops.sort();
        self.loops.dedup();
        if !self.loops.is_empty() {
            notes.push(format!(
                "tasks of {} change without notice: the CPU time of a block that waits there may hold that of others",
                self.loops.join(", ")
            ));
        }
        let open: Vec<String> = { self.blocks.iter() }
            .filter(|block| block.open > 0)
            .take(MOST_PLACES)
            .map(|block| format!("`{}`", block.name))
            .collect();
        if !open.is_empty() {
            notes.push(format!(
                "not left by the end of the run: {}; their time goes until then",
                open.join(", ")
            ));
        }
        if killed && self.processes > 0 {
            notes.push(
                "the program was ended from outside: blocks are as they were when one was last entered or left, or a \
                 fifth of a second before (more where there are many)"
                    .to_owned(),
            );
        }
        if self.processes > 1 {
            notes.push(format!("blocks of {} processes: their seconds add up", self.processes));
        }
        if self.unread > 0 {
            notes.push(format!("the blocks of {} further processes were not read", self.unread));
        }
        Marked { blocks: self.blocks, notes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summed(texts: &[&str]) -> Marked {
        let workspace = Workspace::create().unwrap();
        for (pid, text) in texts.iter().enumerate() {
            std::fs::write(workspace.output(&format!("blocks-{pid}.json")), text).unwrap();
        }
        marked(&workspace, false)
    }

    #[test]
    fn processes_add_up_by_the_path_of_their_blocks() {
        let one = r#"{"left_out": 0, "loops": [], "blocks": [
            {"parent": null, "name": "a", "calls": 2, "open": 0, "wall": 2.0, "own": 1.0, "cpu": 0.5, "places": [["/p/a.py", 3, ""]]},
            {"parent": 0, "name": "b", "calls": 4, "open": 1, "wall": 1.0, "own": 1.0, "cpu": 0.5, "places": []}]}"#;
        let all = summed(&[one, one]);
        assert_eq!(all.blocks.len(), 2);
        let [a, b] = [&all.blocks[0], &all.blocks[1]];
        assert_eq!((a.calls, a.wall, a.own, a.own_cpu), (4, 4.0, 2.0, Some(1.0)));
        assert_eq!((b.parent, b.open, b.places.len(), a.places.len()), (Some(0), 2, 0, 1));
        assert_eq!(all.notes.len(), 2, "{:?}", all.notes);
    }

    #[test]
    fn a_record_that_was_tampered_with_brings_no_nonsense() {
        let bad = r#"{"left_out": 3, "loops": ["rm"], "blocks": [
            {"parent": 7, "name": "orphan", "calls": 1, "open": 0, "wall": 1.0, "own": 1.0, "cpu": 0.5, "places": []},
            {"parent": null, "name": "back", "calls": 1, "open": 0, "wall": -1.0, "own": 1.0, "cpu": null, "places": []},
            {"parent": null, "name": "odd", "calls": 1, "open": 0, "wall": 1.0, "own": 9.0, "cpu": -4.0, "places": [["x", 0, ""]]}]}"#;
        let all = summed(&[bad, "no json", "{}"]);
        let names: Vec<_> = all.blocks.iter().map(|block| block.name.as_str()).collect();
        assert_eq!(names, ["odd"]);
        let odd = &all.blocks[0];
        assert_eq!((odd.own, odd.own_cpu, odd.places.len()), (1.0, Some(0.0), 0));
        assert!(all.notes[0].starts_with("5 entries"), "{:?}", all.notes);
        assert!(all.notes.iter().any(|note| note.contains("2 further processes")));
    }
}
