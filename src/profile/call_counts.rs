//! How often functions were called, from a run of its own that counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::file::FileProfile;
use super::ids::LineNo;
use super::outline::{FunctionKind, FunctionSpan};

/// What was counted of one function's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCount {
    /// Times its code began to run, in all threads of the process. A generator or coroutine
    /// counts once, when it first runs.
    pub calls: u64,
    /// Different arguments it saw; absent where they were not watched, or hold more than numbers,
    /// text, bytes, `None` and tuples of these.
    pub distinct: Option<DistinctArguments>,
}

/// Different arguments of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctArguments {
    /// How many were told apart. An `int` differs from an equal `float` or `bool`.
    pub known: u64,
    /// Watching ended there: there were more.
    pub more: bool,
}

/// A function as the counting run names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountedFunction {
    /// Real path of its file, or `<snippet>`.
    pub file: String,
    /// First line of its code: of the first decorator, where it has any.
    pub first_line: u32,
    /// Its name, unqualified.
    pub name: String,
    /// What was counted.
    pub count: CallCount,
}

/// Calls of the functions of a profile, counted in one more run of the program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// By file, then by line of `def`.
    files: BTreeMap<String, BTreeMap<LineNo, CallCount>>,
}

impl CallCounts {
    /// Finds the functions of the profiled files among those that were counted. What is left
    /// over was never sampled, and is dropped.
    pub fn new(files: &[FileProfile], counted: &[CountedFunction]) -> Self {
        let mut found = Self::default();
        for function in counted {
            let file = files.iter().find(|file| file.path == function.file);
            let Some((file, span)) = file.and_then(|file| Some((file, span_of(file, function)?)))
            else {
                continue;
            };
            found.add(&file.path, span.start, function.count);
        }
        found
    }

    fn add(&mut self, file: &str, line: LineNo, count: CallCount) {
        let lines = self.files.entry(file.to_owned()).or_default();
        let known = lines.get(&line).copied();
        let count = known
            .map_or(count, |known| CallCount { calls: known.calls + count.calls, distinct: None });
        lines.insert(line, count);
    }

    /// Calls of the function whose `def` is on a line; absent where it was not called.
    pub fn of(&self, file: &str, line: LineNo) -> Option<CallCount> {
        self.files.get(file)?.get(&line).copied()
    }

    /// Bytes that it occupies, about.
    pub(super) fn bytes(&self) -> usize {
        let one = size_of::<(LineNo, CallCount)>() * 2;
        self.files.iter().map(|(file, lines)| 64 + file.capacity() + lines.len() * one).sum()
    }
}

/// The function whose code begins on a line: its own `def`, or the first one with its name below
/// the decorator that stands there.
fn span_of<'a>(file: &'a FileProfile, function: &CountedFunction) -> Option<&'a FunctionSpan> {
    let first = LineNo::new(function.first_line)?;
    let named = |span: &&FunctionSpan| {
        let last = span.name.rsplit('.').next();
        span.kind == FunctionKind::Function && last == Some(function.name.as_str())
    };
    let span = file
        .functions()
        .iter()
        .filter(named)
        .filter(|span| span.start >= first)
        .min_by_key(|span| span.start)?;
    let decorated = || file.text(first).trim_start().starts_with('@');
    (span.start == first || decorated()).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Percent, Source};

    const SOURCE: &str = "\
@cache
@other(
    1)
def f(n):
    return n
class A:
    def f(self):
        return lambda: 1
def g(): pass
";

    fn counted(name: &str, first_line: u32, calls: u64) -> CountedFunction {
        let distinct = Some(DistinctArguments { known: 2, more: false });
        let count = CallCount { calls, distinct };
        CountedFunction { file: "/p/a.py".into(), first_line, name: name.into(), count }
    }

    #[test]
    fn functions_are_found_by_their_first_line() {
        let source = Source::new(SOURCE.to_owned());
        let file = FileProfile::new("/p/a.py".into(), source, Vec::new(), Percent::ZERO);
        let all = [
            counted("f", 1, 3),
            counted("f", 7, 5),
            counted("g", 9, 7),
            counted("g", 9, 1),
            counted("<lambda>", 8, 9),
            counted("A", 6, 1),
            counted("g", 8, 100),
        ];
        let counts = CallCounts::new(&[file], &all);
        let of = |line| {
            let count = counts.of("/p/a.py", LineNo::new(line).unwrap());
            count.map(|count| (count.calls, count.distinct.map(|distinct| distinct.known)))
        };
        assert_eq!(of(4), Some((3, Some(2))));
        assert_eq!(of(7), Some((5, Some(2))));
        assert_eq!(of(9), Some((8, None)), "arguments of two code objects do not add up");
        assert_eq!([of(1), of(6), of(8)], [None; 3]);
        assert_eq!(counts.of("/p/b.py", LineNo::FIRST), None);
    }
}
