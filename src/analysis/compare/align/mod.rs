//! Which line of one version of a program is which line of another.
//!
//! Text only, no figures. Files are paired first ([`files`]), then functions and classes by name or
//! text ([`functions`]); the lines of a pair are matched in order ([`order`]), what is left over as
//! blocks that moved ([`moved`]), and what is left of a replaced stretch by similarity ([`edited`]).
//! Swapping the versions swaps the answer exactly: the same side is always worked on first.

mod bounds;
mod edited;
mod files;
mod functions;
mod increasing;
mod links;
mod moved;
mod order;
mod version;
mod words;

use self::links::{Identical, Links};
use self::version::{Interner, Version};
use crate::profile::{FileProfile, LineNo};

/// A file of one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Named<'a> {
    /// Its path as answers show it.
    pub name: String,
    /// Its source and its functions.
    pub file: &'a FileProfile,
    /// It is the program itself: the main files of two versions belong together whatever their names.
    pub main: bool,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineStatus {
    /// The same text in the same place of the same function, whatever their indentation and name.
    Same,
    /// Another text that took its place.
    Edited,
    /// The same text somewhere else: in another order, function or file.
    Moved,
    /// Only in the candidate.
    New,
    /// Only in the baseline.
    Removed,
}

impl LineStatus {
    /// In lower case, as answers have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Edited => "edited",
            Self::Moved => "moved",
            Self::New => "new",
            Self::Removed => "removed",
        }
    }
}

/// A line of one version: index of its file there, and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index into the files of its version.
    pub file: usize,
    /// Line number.
    pub line: LineNo,
}

/// What became of a line, and where it is in the other version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// What became of it.
    pub status: LineStatus,
    /// Where it is in the other version; nothing for a line that is new or removed.
    pub other: Option<Place>,
    /// The text is the same but for the white space before it.
    pub reindented: bool,
}

/// Files that belong together; one of the two may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilePair {
    /// Index in the baseline.
    pub before: Option<usize>,
    /// Index in the candidate.
    pub after: Option<usize>,
    /// The texts are equal, and so are the names.
    pub identical: bool,
}

/// A function, a class body or the module-level code of a file, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function<'a> {
    /// Index of its file.
    pub file: usize,
    /// Qualified name, or `<module>`.
    pub name: &'a str,
    /// By index in its file; several where a name is defined more than once, none for the module.
    pub spans: Vec<usize>,
}

/// Functions that belong together; one of the two may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionPair<'a> {
    /// In the baseline.
    pub before: Option<Function<'a>>,
    /// In the candidate.
    pub after: Option<Function<'a>>,
    /// It is in another file, or elsewhere among the functions of its file.
    pub moved: bool,
    /// A line of its own has another text, is new, or is gone.
    pub edited: bool,
    /// The letters and digits of its text that are linked to the other version, in parts of all: of
    /// the side that has more of them unlinked.
    pub common: f64,
}

impl FunctionPair<'_> {
    /// Whether its qualified name differs.
    pub fn renamed(&self) -> bool {
        self.before.as_ref().zip(self.after.as_ref()).is_some_and(|(b, a)| b.name != a.name)
    }
}

/// Two versions of a program, line by line.
#[derive(Debug, Clone, PartialEq)]
pub struct Alignment<'a> {
    /// Files of the baseline, by name.
    pub before: Vec<Named<'a>>,
    /// Files of the candidate, by name.
    pub after: Vec<Named<'a>>,
    /// Every file, once.
    pub files: Vec<FilePair>,
    /// Every function, once.
    pub functions: Vec<FunctionPair<'a>>,
    /// Part of the letters and digits of all text that is in both versions, 0 to 1: of the version
    /// of which more is. Nothing where there is no text.
    pub common: Option<f64>,
    links: Links,
}

impl Alignment<'_> {
    /// What became of a line of the baseline; nothing for a line that the file does not have.
    pub fn of_before(&self, place: Place) -> Option<Fate> {
        self.links.of_before(place)
    }

    /// Where a line of the candidate comes from.
    pub fn of_after(&self, place: Place) -> Option<Fate> {
        self.links.of_after(place)
    }
}

/// Aligns two versions.
pub fn align<'a>(mut before: Vec<Named<'a>>, mut after: Vec<Named<'a>>) -> Alignment<'a> {
    before.sort_by(|a, b| a.name.cmp(&b.name));
    after.sort_by(|a, b| a.name.cmp(&b.name));
    let key = |file: &Named<'a>| (file.name.clone(), file.file.source.text());
    // Where several alignments are as good, the choice must not depend on which version is the baseline.
    if before.iter().map(key).gt(after.iter().map(key)) {
        flipped(aligned(after, before))
    } else {
        aligned(before, after)
    }
}

fn aligned<'a>(before: Vec<Named<'a>>, after: Vec<Named<'a>>) -> Alignment<'a> {
    let identical = Identical::find(&before, &after);
    let mut interner = Interner::default();
    let old = Version::read(&before, |file| identical.before(file).is_some(), &mut interner);
    let new = Version::read(&after, |file| identical.after(file).is_some(), &mut interner);
    let files = files::pairs(&before, &after, &identical, (&old, &new), &interner);
    let mut links = Links::new(&old, &new, &identical);
    let pairs = functions::pairs(&old, &new, &files, &interner);
    for pair in &pairs {
        order::link(*pair, (&old, &new), &interner, &mut links);
    }
    moved::blocks(&pairs, (&old, &new), &interner, &mut links);
    links.neighbours(&old, &new);
    edited::link(&pairs, (&old, &new), &interner, &mut links);
    let mut functions = functions::described(&pairs, (&old, &new), &interner, &links);
    moved::order_of_functions(&pairs, (&old, &new), &mut functions, &mut links);
    // Once more, now that some lines have successors and some functions have moved.
    links.neighbours(&old, &new);
    let all_identical = files.iter().all(|pair| pair.identical);
    let common = if all_identical {
        (!files.is_empty()).then_some(1.0)
    } else {
        links.common((&old, &new), &interner, identical.letters(&before))
    };
    drop((old, new));
    Alignment { before, after, files, functions, common, links }
}

fn flipped(alignment: Alignment<'_>) -> Alignment<'_> {
    let Alignment { before, after, files, functions, common, links } = alignment;
    let files = files
        .into_iter()
        .map(|pair| FilePair { before: pair.after, after: pair.before, ..pair })
        .collect();
    let functions = functions
        .into_iter()
        .map(|pair| FunctionPair { before: pair.after, after: pair.before, ..pair })
        .collect();
    Alignment { before: after, after: before, files, functions, common, links: links.flipped() }
}
