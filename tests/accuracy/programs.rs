//! The programs of `fixtures/accuracy` and the truth that their header comments state.

use std::path::{Path, PathBuf};

use crate::way::{BlockClaim, Way};
use crate::witnesses::Place;

/// A stretch of lines of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) file: String,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Claim {
    /// Whether it holds a whole place.
    pub(crate) fn holds(&self, file: &str, first: u32, last: u32) -> bool {
        self.file == file && self.first <= first && last <= self.last
    }
}

/// A program and its truth. Of several claims of one kind any is right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    pub(crate) name: String,
    /// Function with most of the time: its file and qualified name.
    pub(crate) functions: Vec<(String, String)>,
    /// Line or region with most of the time.
    pub(crate) lines: Vec<Claim>,
    /// Line or region where it waits.
    pub(crate) waits: Vec<Claim>,
    /// Line that allocates or keeps what leaks.
    pub(crate) leaks: Vec<Claim>,
    pub(crate) no_leak: bool,
    /// Waiting counts as time.
    pub(crate) all_time: bool,
    /// Oldest Python it runs on.
    pub(crate) python: (u32, u32),
    /// How it is profiled.
    pub(crate) way: Way,
    has_way: bool,
    /// What it writes when its start is over, where only the rest is asked about.
    pub(crate) steady: Option<String>,
    pub(crate) blocks: Vec<BlockClaim>,
    /// Of a notebook: the number of the line before each cell.
    before: Vec<u32>,
}

/// A line that begins a cell of a notebook.
const CELL: &str = "# %%";

impl Program {
    fn parse(name: &str, text: &str) -> Self {
        let mut program = Self { name: name.to_owned(), python: (3, 10), ..Self::default() };
        for line in text.lines().map_while(|line| line.strip_prefix('#')) {
            let Some((key, value)) = line.trim().split_once(": ") else { continue };
            match key {
                "truth" => program.claim(value),
                "rank" => program.all_time = value == "all",
                "python" => {
                    let (major, minor) = value.trim_end_matches('+').split_once('.').unwrap();
                    program.python = (major.parse().unwrap(), minor.parse().unwrap());
                }
                "way" => (program.way, program.has_way) = (Way::parse(name, value), true),
                "steady" => program.steady = Some(value.to_owned()),
                "block" => program.blocks.push(BlockClaim::parse(value)),
                _ => program.way.detail(key, value),
            }
        }
        program.before = program.cells(text).into_iter().map(|(before, _)| before).collect();
        program
    }

    fn claim(&mut self, text: &str) {
        let (kind, what) = text.split_once('=').unwrap_or((text, ""));
        let own = self.file();
        let (file, place) = what.split_once(':').unwrap_or((&own, what));
        let lines = || {
            let (first, last) = place.split_once('-').unwrap_or((place, place));
            let number = |text: &str| text.parse().unwrap();
            Claim { file: file.to_owned(), first: number(first), last: number(last) }
        };
        match kind {
            "function" => self.functions.push((file.to_owned(), place.to_owned())),
            "line" | "region" => self.lines.push(lines()),
            "wait" => self.waits.push(lines()),
            "leak" => self.leaks.push(lines()),
            "no-leak" => self.no_leak = true,
            other => panic!("{}: no such claim: {other}", self.name),
        }
    }

    /// Whether it is for a way in of its own.
    pub(crate) fn has_way(&self) -> bool {
        self.has_way
    }

    /// Its file.
    pub(crate) fn file(&self) -> String {
        format!("{}.py", self.name)
    }

    /// Its file as a notebook.
    pub(crate) fn notebook(&self) -> String {
        format!("{}.ipynb", self.name)
    }

    /// Of a notebook, the text of each cell, with the number of the line before it.
    pub(crate) fn cells(&self, text: &str) -> Vec<(u32, String)> {
        if self.way != Way::Notebook {
            return Vec::new();
        }
        let mut cells = vec![(0, String::new())];
        for (number, line) in (1..).zip(text.lines()) {
            if line.starts_with(CELL) {
                cells.push((number, String::new()));
            } else if let Some((_, cell)) = cells.last_mut() {
                cell.push_str(line);
                cell.push('\n');
            }
        }
        cells
    }

    /// A place as the program's file has it: one in a cell of a notebook has other lines there.
    pub(crate) fn in_file(&self, place: Place) -> Place {
        let start = format!("{} cell ", self.notebook());
        let number = place.file.strip_prefix(&start).and_then(|text| text.parse::<usize>().ok());
        let Some(before) = number.and_then(|number| self.before.get(number - 1)) else {
            return place;
        };
        Place { file: self.file(), first: place.first + before, last: place.last + before }
    }

    /// Whether memory is profiled.
    pub(crate) fn memory(&self) -> bool {
        self.no_leak || !self.leaks.is_empty()
    }
}

/// The folder of the programs.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/accuracy")
}

/// Name and text of each Python file there, but not of the proof.
pub(crate) fn sources() -> Vec<(String, String)> {
    let entries = folder().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let python = entries.filter(|path| path.extension().is_some_and(|ending| ending == "py"));
    let mut all: Vec<(String, String)> = python
        .filter(|path| path.file_stem() != Some("prove".as_ref()))
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// All programs, by name. A file whose name begins with `_` is a part of one.
pub(crate) fn programs(sources: &[(String, String)]) -> Vec<Program> {
    let own = sources.iter().filter(|(name, _)| !name.starts_with('_'));
    own.map(|(name, text)| Program::parse(name.trim_end_matches(".py"), text)).collect()
}
