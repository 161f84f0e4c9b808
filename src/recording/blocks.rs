//! Blocks as a call asks for them, and where in the source they are.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::RecordError;
use super::guard::Guard;
use super::naming::real_path;
use super::place::Place;
use super::request::{RunRequest, Target, expand_home, similar_scripts};
use super::workspace::{self, SNIPPET};
use crate::profile::{BlockKind, BlockPlace, BlockRange, FunctionSpan, LineNo, outline};

/// Blocks of one call.
const MOST_BLOCKS: usize = 50;
/// Longest name, in characters.
const MOST_NAME: usize = 200;
/// Largest source that is read.
const LARGEST_SOURCE: u64 = 16 << 20;
/// Files that are looked through for a function.
const MOST_FILES: usize = 2_000;
/// Names listed beside a function that was not found.
const SUGGESTIONS: usize = 5;

/// A named part of the program: lines of a file, or a function.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BlockSpec {
    /// Its name in answers.
    pub name: String,
    /// The file, as typed; absent for the program's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// First line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_line: Option<u32>,
    /// Last line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// A function instead of lines: its qualified name, or the last part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
}

fn invalid(problem: String) -> RecordError {
    RecordError::InvalidArgument { parameter: "blocks", problem }
}

/// What can be said before anything is read.
pub(super) fn check(blocks: &[BlockSpec]) -> Result<(), RecordError> {
    if blocks.len() > MOST_BLOCKS {
        return Err(invalid(format!("{} are more than {MOST_BLOCKS}", blocks.len())));
    }
    for (index, block) in blocks.iter().enumerate() {
        let name = &block.name;
        if name.trim().is_empty() || name.chars().count() > MOST_NAME {
            return Err(invalid(format!(
                "the name of block {} has to have 1 to {MOST_NAME} characters",
                index + 1
            )));
        }
        if blocks.iter().take(index).any(|other| other.name == *name) {
            return Err(invalid(format!("two blocks are named `{name}`: give each its own name")));
        }
        match (block.start_line, block.end_line, &block.function) {
            (Some(start), Some(end), None) if start == 0 || start > end => {
                return Err(invalid(format!(
                    "`{name}`: lines {start} to {end} are none: the first line is 1, and start_line is not after end_line"
                )));
            }
            (Some(_), Some(_), None) => {}
            (None, None, Some(function)) if !function.trim().is_empty() => {}
            _ => {
                return Err(invalid(format!(
                    "`{name}`: give start_line and end_line, or function, as {{\"name\": \"parse\", \"file\": \"app.py\", \
                     \"start_line\": 10, \"end_line\": 20}} or {{\"name\": \"parse\", \"function\": \"parse\"}}"
                )));
            }
        }
    }
    Ok(())
}

/// The program's own source.
#[derive(Debug, Clone, Copy)]
pub(super) enum Own<'a> {
    /// Text that was handed over.
    Text(&'a str),
    File(&'a Path),
    /// Not one file.
    Several,
}

/// Where blocks are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finder<'a> {
    pub(super) own: Own<'a>,
    pub(super) cwd: &'a Path,
    /// Folder of the program.
    pub(super) near: &'a Path,
    pub(super) root: &'a Path,
    pub(super) guard: &'a Guard,
}

/// Where the blocks of a request are.
pub(super) fn resolve(
    request: &RunRequest,
    place: &Place,
    guard: &Guard,
) -> Result<Vec<BlockRange>, RecordError> {
    let own = match (&request.target, &place.script) {
        (Target::Snippet(code), _) => Own::Text(code),
        (_, Some(script)) => Own::File(&script.real),
        (_, None) => Own::Several,
    };
    let finder = Finder { own, cwd: &place.cwd, near: place.near(), root: &place.root, guard };
    finder.all(&request.blocks)
}

/// A source with the path that profiles know it by.
struct Text {
    path: String,
    text: String,
}

impl Finder<'_> {
    /// Where each of these is.
    pub(super) fn all(&self, blocks: &[BlockSpec]) -> Result<Vec<BlockRange>, RecordError> {
        blocks.iter().map(|block| self.find(block)).collect()
    }

    fn find(&self, block: &BlockSpec) -> Result<BlockRange, RecordError> {
        let name = block.name.clone();
        if let Some(function) = &block.function {
            let places = self.function(block, function.trim())?;
            return Ok(BlockRange { name, kind: BlockKind::Function, places });
        }
        let text = self.named(block)?.ok_or_else(|| {
            invalid(format!("`{name}`: name the `file` that has these lines; a module has many"))
        })?;
        let (start, end) = (block.start_line.unwrap_or(1), block.end_line.unwrap_or(1));
        let last = text.text.lines().count();
        if end as usize > last {
            return Err(invalid(format!(
                "`{name}`: lines {start} to {end} are not all in `{}`, which has {last} lines",
                self.shown(&text.path)
            )));
        }
        let first = LineNo::new(start).unwrap_or(LineNo::FIRST);
        let places = vec![BlockPlace { file: text.path, first, last: LineNo::new(end) }];
        Ok(BlockRange { name, kind: BlockKind::Lines, places })
    }

    /// The file that a block names, or the program's own; `None` where that is not one file.
    fn named(&self, block: &BlockSpec) -> Result<Option<Text>, RecordError> {
        match (block.file.as_deref().map(str::trim), self.own) {
            (None | Some(SNIPPET), Own::Text(code)) => {
                Ok(Some(Text { path: SNIPPET.to_owned(), text: code.to_owned() }))
            }
            (None, Own::Several) => Ok(None),
            (None, Own::File(script)) => Self::read(script, block).map(Some),
            (Some(typed), _) => Self::read(&self.locate(typed, block)?, block).map(Some),
        }
    }

    fn locate(&self, typed: &str, block: &BlockSpec) -> Result<PathBuf, RecordError> {
        let path = expand_home(typed);
        let bases = [self.cwd, self.near, self.root];
        let mut refused = None;
        for base in bases {
            let path = base.join(&path);
            match self.guard.admit("blocks", &path) {
                Ok(real) if real.is_file() => return Ok(real),
                Ok(_) => {}
                Err(error) => refused = Some(error),
            }
        }
        if let Some(refused) = refused {
            return Err(refused);
        }
        let missing = self.cwd.join(&path);
        let similar = similar_scripts(&missing);
        let similar = if similar.is_empty() {
            String::new()
        } else {
            format!(" (there are: {})", similar.join(", "))
        };
        Err(invalid(format!(
            "`{}`: there is no file `{typed}` below `{}`{similar}",
            block.name,
            self.cwd.display()
        )))
    }

    fn read(path: &Path, block: &BlockSpec) -> Result<Text, RecordError> {
        let bytes = workspace::read(path, LARGEST_SOURCE).ok_or_else(|| {
            invalid(format!("`{}`: `{}` cannot be read", block.name, path.display()))
        })?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Text { path: real_path(&path.to_string_lossy()), text })
    }

    fn function(&self, block: &BlockSpec, wanted: &str) -> Result<Vec<BlockPlace>, RecordError> {
        let own = self.named(block)?;
        let mut names: Vec<String> = Vec::new();
        if let Some(text) = &own {
            let places = Self::in_text(text, wanted, &block.name, &mut names)?;
            if !places.is_empty() || block.file.is_some() {
                return if places.is_empty() {
                    Err(self.unknown(block, wanted, &names, Some(&text.path)))
                } else {
                    Ok(places)
                };
            }
        }
        let mut found: Vec<Vec<BlockPlace>> = Vec::new();
        for path in self.sources() {
            let Ok(text) = Self::read(&path, block) else { continue };
            if own.as_ref().is_some_and(|own| own.path == text.path) {
                continue;
            }
            let places = Self::in_text(&text, wanted, &block.name, &mut names)?;
            found.extend(Some(places).filter(|places| !places.is_empty()));
        }
        if found.len() > 1 {
            let files = found.iter().filter_map(|places| places.first());
            let files: Vec<_> = files.take(SUGGESTIONS).map(|it| self.shown(&it.file)).collect();
            return Err(invalid(format!(
                "`{}`: several files have a function `{wanted}`: {}; name one as `file`",
                block.name,
                files.join(", ")
            )));
        }
        found.pop().ok_or_else(|| self.unknown(block, wanted, &names, None))
    }

    /// Where a source has a function: several places for one that it defines several times.
    fn in_text(
        text: &Text,
        wanted: &str,
        block: &str,
        names: &mut Vec<String>,
    ) -> Result<Vec<BlockPlace>, RecordError> {
        let spans = outline(&text.text);
        names.extend(spans.iter().map(|span| span.name.clone()));
        let exact = |span: &&FunctionSpan| span.name == wanted;
        let ending = |span: &&FunctionSpan| span.name.rsplit('.').next() == Some(wanted);
        let mut found: Vec<&FunctionSpan> = spans.iter().filter(exact).collect();
        if found.is_empty() {
            found = spans.iter().filter(ending).collect();
        }
        let first = found.first().map(|span| span.name.as_str());
        if found.iter().any(|span| Some(span.name.as_str()) != first) {
            let all: Vec<_> = found.iter().map(|span| span.name.as_str()).collect();
            return Err(invalid(format!(
                "`{block}`: `{wanted}` is several functions: {}; give one of these names",
                all.join(", ")
            )));
        }
        let place = |span: &&FunctionSpan| BlockPlace {
            file: text.path.clone(),
            first: span.start,
            last: Some(span.end),
        };
        Ok(found.iter().map(place).collect())
    }

    fn unknown(
        &self,
        block: &BlockSpec,
        wanted: &str,
        names: &[String],
        file: Option<&str>,
    ) -> RecordError {
        let likeness = |name: &str| {
            let last = name.rsplit('.').next().unwrap_or(name);
            strsim::jaro_winkler(name, wanted).max(strsim::jaro_winkler(last, wanted))
        };
        let mut near: Vec<&String> = names.iter().collect();
        near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)).then_with(|| a.cmp(b)));
        near.dedup();
        let near: Vec<&str> = near.into_iter().take(SUGGESTIONS).map(String::as_str).collect();
        let place = file.map_or_else(
            || format!("no Python file below `{}` has", self.root.display()),
            |file| format!("`{}` has no", self.shown(file)),
        );
        let place = if file.is_some() { place } else { format!("{place} a") };
        let near = if near.is_empty() {
            String::new()
        } else {
            format!(" (closest: {})", near.join(", "))
        };
        invalid(format!("`{}`: {place} function `{wanted}`{near}", block.name))
    }

    fn shown(&self, path: &str) -> String {
        let below = Path::new(path).strip_prefix(self.root);
        below.map_or_else(|_| path.to_owned(), |below| below.to_string_lossy().into_owned())
    }

    /// Python files of the project, those beside the program first; libraries left out.
    fn sources(&self) -> Vec<PathBuf> {
        let mut open = vec![self.root.to_owned(), self.near.to_owned()];
        let mut found: Vec<PathBuf> = Vec::new();
        let mut seen: Vec<PathBuf> = Vec::new();
        while let Some(folder) = open.pop() {
            if seen.contains(&folder) || self.guard.admit("blocks", &folder).is_err() {
                continue;
            }
            let Ok(entries) = folder.read_dir() else { continue };
            for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let library = name.starts_with('.')
                    || ["__pycache__", "site-packages", "node_modules"].contains(&name.as_ref());
                if path.is_symlink() || library {
                    continue;
                }
                if path.is_dir() {
                    if !path.join("pyvenv.cfg").exists() {
                        open.push(path);
                    }
                } else if path.extension().is_some_and(|ending| ending == "py") {
                    found.push(path);
                }
            }
            seen.push(folder);
            if found.len() >= MOST_FILES || seen.len() >= MOST_FILES {
                break;
            }
        }
        found.truncate(MOST_FILES);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(name: &str, start: u32, end: u32) -> BlockSpec {
        BlockSpec {
            name: name.to_owned(),
            start_line: Some(start),
            end_line: Some(end),
            ..BlockSpec::default()
        }
    }

    #[test]
    fn blocks_that_make_no_sense_are_refused() {
        let refused = |blocks: &[BlockSpec]| check(blocks).unwrap_err().to_string();
        assert!(check(&[lines("a", 1, 1), lines("b", 1, 9)]).is_ok());
        assert!(refused(&[lines("a", 3, 2)]).contains("lines 3 to 2"));
        assert!(refused(&[lines("a", 0, 2)]).contains("first line is 1"));
        assert!(refused(&[lines(" ", 1, 2)]).contains("name of block 1"));
        assert!(
            refused(&[lines("a", 1, 2), lines("a", 3, 4)]).contains("two blocks are named `a`")
        );
        let none = BlockSpec { name: "a".to_owned(), ..BlockSpec::default() };
        assert!(refused(std::slice::from_ref(&none)).contains("start_line and end_line"));
        let half = BlockSpec { end_line: None, ..lines("a", 1, 2) };
        assert!(refused(&[half]).contains("start_line and end_line"));
        let both = BlockSpec { function: Some("f".to_owned()), ..lines("a", 1, 2) };
        assert!(refused(&[both]).contains("or function"));
        let many: Vec<_> = (0..51).map(|n| lines(&format!("b{n}"), 1, 2)).collect();
        assert!(refused(&many).contains("more than 50"));
    }
}
