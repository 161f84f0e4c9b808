//! Texts of a run that have no file of their own: a snippet, the calls of a function, the cells of a notebook. They lie
//! in the run's folder, and answers show them under other names.

use std::path::{Path, PathBuf};

use super::error::RecordError;
use super::function;
use super::naming::real_path;
use super::notebook;
use super::place::Place;
use super::request::{RunRequest, Target};
use super::workspace::{SNIPPET, Workspace};
use crate::process::Captured;
use crate::profile::{Output, cell_name};
use crate::scalene::Parsed;

/// Folder of a notebook's cells.
const CELLS: &str = "cells";

/// The texts of a run, with their names.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Vec<Text>);

#[derive(Debug, Clone)]
struct Text {
    path: PathBuf,
    real: String,
    name: String,
    /// Number of a notebook's cell.
    cell: Option<usize>,
}

impl Shown {
    /// Writes them.
    pub(super) fn write(
        request: &RunRequest,
        place: &Place,
        workspace: &Workspace,
    ) -> Result<Self, RecordError> {
        let snippet = |code: &str| -> Result<Self, RecordError> {
            workspace.write("snippet.py", code.as_bytes())?;
            Ok(Self(vec![Text::new(workspace.snippet(), SNIPPET.to_owned(), None)]))
        };
        match (&request.target, place.notebook()) {
            (Target::Snippet(code), _) => snippet(code),
            (Target::Function(call), _) => snippet(&function::text(call).0),
            (_, None) => Ok(Self::default()),
            (_, Some(path)) => {
                let folder = workspace.folder(CELLS)?;
                let mut texts = Vec::new();
                for (number, cell) in notebook::read(path)?.into_iter().enumerate() {
                    let (number, name) = (number + 1, format!("cell{}.py", number + 1));
                    workspace.write(&format!("{CELLS}/{name}"), cell.as_bytes())?;
                    let shown = cell_name(&path.to_string_lossy(), number);
                    texts.push(Text::new(folder.join(name), shown, Some(number)));
                }
                Ok(Self(texts))
            }
        }
    }

    /// Code that an interpreter knows under a name of its own: it was handed over as text.
    pub(super) fn known_as(name: &str) -> Self {
        Self(vec![Text::new(name.into(), SNIPPET.to_owned(), None)])
    }

    /// What has to occur in the path of such a text; nothing where there is none.
    pub(super) fn pattern(&self) -> Option<PathBuf> {
        let first = self.0.first()?;
        if first.cell.is_some() {
            return first.path.parent().map(Path::to_path_buf);
        }
        Some(first.path.clone())
    }

    /// The cells of a notebook, by number.
    pub(super) fn cells(&self) -> Vec<(usize, String)> {
        let cell = |text: &Text| Some((text.cell?, text.path.to_string_lossy().into_owned()));
        self.0.iter().filter_map(cell).collect()
    }

    /// The name under which a file is shown, if it has another.
    pub(super) fn name(&self, path: &str) -> Option<&str> {
        let is_it = |text: &&Text| Path::new(path) == text.path || path == text.real;
        self.0.iter().find(is_it).map(|text| text.name.as_str())
    }

    /// The file behind a name that is shown.
    pub(super) fn path<'a>(&'a self, name: &'a str) -> &'a Path {
        self.0.iter().find(|text| text.name == name).map_or(Path::new(name), |text| &text.path)
    }

    /// Gives them their names in what Scalene says.
    pub(super) fn rename(&self, parsed: &mut Parsed) {
        let peak = parsed.footprint.iter_mut().flat_map(|footprint| {
            let paths = footprint.allocation_paths.iter_mut().flat_map(|path| &mut path.frames);
            let frames = paths.map(|frame| &mut frame.file);
            frames.chain(footprint.peak_at.as_mut().map(|(file, _)| file))
        });
        let frames = parsed.call_paths.iter_mut().flat_map(|path| &mut path.frames);
        let files = parsed.files.iter_mut().map(|file| &mut file.path);
        for name in files.chain(frames.map(|frame| &mut frame.file)).chain(peak) {
            if let Some(other) = self.name(name) {
                *name = other.to_owned();
            }
        }
    }

    /// What a program wrote, with the names in it.
    pub(super) fn readable(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |said, text| {
            let path = text.path.to_string_lossy();
            if said.contains(&*path) { said.replace(&*path, &text.name) } else { said }
        })
    }
}

impl Text {
    fn new(path: PathBuf, name: String, cell: Option<usize>) -> Self {
        let real = real_path(&path.to_string_lossy());
        Self { path, real, name, cell }
    }
}

/// What a program wrote, with names that a reader knows.
pub(super) fn output(captured: &Captured, shown: &Shown) -> Output {
    Output {
        head: shown.readable(&captured.head),
        tail: shown.readable(&captured.tail),
        omitted_bytes: captured.omitted_bytes,
        total_bytes: captured.total_bytes,
    }
}
