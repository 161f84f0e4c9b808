//! Functions of one file, with what is needed to hold them against another version.

use std::collections::HashMap;

use crate::profile::{FileProfile, FunctionSpan, Line, LineNo, Mebibytes, Percent};

/// The functions of one name in one file, and what their own lines add up to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Body<'a> {
    pub(super) file: &'a FileProfile,
    /// By index in the file, the first of them; `None` for module-level code.
    function: Option<usize>,
    /// Further ones of its name.
    others: Vec<Option<usize>>,
    pub(super) share: Percent,
    pub(super) allocated: Mebibytes,
}

impl<'a> Body<'a> {
    fn new(file: &'a FileProfile, function: Option<usize>) -> Self {
        Self {
            file,
            function,
            others: Vec::new(),
            share: Percent::ZERO,
            allocated: Mebibytes::ZERO,
        }
    }

    /// First and last line of the first one.
    pub(super) fn range(&self) -> (LineNo, LineNo) {
        self.range_of(self.function)
    }

    fn range_of(&self, function: Option<usize>) -> (LineNo, LineNo) {
        let last = u32::try_from(self.file.source.line_count()).ok().and_then(LineNo::new);
        function
            .and_then(|index| self.file.functions().get(index))
            .map_or((LineNo::FIRST, last.unwrap_or(LineNo::FIRST)), |span| (span.start, span.end))
    }

    fn holds(&self, line: LineNo) -> bool {
        let function = self.file.function_index(line);
        function == self.function || self.others.contains(&function)
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &'a Line> {
        self.file.lines.iter().filter(|line| self.holds(line.number))
    }

    /// Numbers and texts of the lines that are its own, not an inner function's.
    pub(super) fn own_text(&self) -> Vec<(LineNo, &'a str)> {
        let ranges = self.others.iter().map(|function| self.range_of(*function));
        let (first, last) =
            ranges.fold(self.range(), |all, one| (all.0.min(one.0), all.1.max(one.1)));
        (first.get()..=last.get())
            .filter_map(LineNo::new)
            .filter(|number| self.holds(*number))
            .map(|number| (number, self.file.text(number).trim_end()))
            .collect()
    }
}

/// Functions with measured lines, in the order of the file.
pub(super) fn bodies(file: &FileProfile) -> Vec<(&str, Body<'_>)> {
    // Module-level code first, then each function.
    let names = file.functions().iter().map(|span| span.name.as_str());
    let indices = std::iter::once(None).chain((0..).map(Some));
    let named = std::iter::once(FunctionSpan::MODULE).chain(names).zip(indices);
    let mut all: Vec<(&str, Body<'_>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for ((name, function), sums) in named.zip(file.function_totals()) {
        if sums.lines == 0 {
            continue;
        }
        let place = *places.entry(name).or_insert(all.len());
        if let Some((_, known)) = all.get_mut(place) {
            known.others.push(function);
            known.share = known.share + sums.total();
            known.allocated = known.allocated + sums.allocated;
        } else {
            let body = Body::new(file, function);
            all.push((name, Body { share: sums.total(), allocated: sums.allocated, ..body }));
        }
    }
    all
}

/// A function on which nothing was measured.
pub(super) fn silent<'a>(file: Option<&'a FileProfile>, name: &str) -> Option<Body<'a>> {
    let file = file?;
    let function = file.functions().iter().position(|span| span.name == name);
    (function.is_some() || name == FunctionSpan::MODULE).then(|| Body::new(file, function))
}
