//! A function in two profiles.

use std::sync::Arc;

use super::align::{Alignment, Function, FunctionPair, Named};
use super::delta::{Delta, Verdict};
use super::scale::{Scale, Scales};
use crate::profile::{FileProfile, Line, LineNo, Percent};

/// A function, or the module-level code of a file, in both profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionChange<'a> {
    /// File, as the candidate shows it (the baseline for a function that is gone).
    pub file: Arc<str>,
    /// Qualified name or `<module>`, in the candidate if it is there.
    pub name: &'a str,
    /// Its name in the baseline, where it is another.
    pub old_name: Option<&'a str>,
    /// Its file in the baseline, where it is another.
    pub old_file: Option<Arc<str>>,
    /// First and last line in the baseline.
    pub before: Option<(LineNo, LineNo)>,
    /// First and last line in the candidate.
    pub after: Option<(LineNo, LineNo)>,
    /// It is in another file, or elsewhere among the functions of its file.
    pub moved: bool,
    /// The text of its own lines differs, not counting its name and its indentation as a whole.
    pub edited: bool,
    /// Part of the letters and digits of its text that is kept, 0 to 1.
    pub common: f64,
    /// Share of all sampled time in the baseline.
    pub share_before: Option<Percent>,
    /// Share of all sampled time in the candidate.
    pub share_after: Option<Percent>,
    /// Seconds of all kinds of its own lines.
    pub time: Delta,
    /// Volume allocated by its own lines in MiB, when both profiles measured memory.
    pub memory: Option<Delta>,
    /// About its time.
    pub time_verdict: Verdict,
    /// About its memory.
    pub memory_verdict: Verdict,
    /// Index among the functions of the alignment.
    pub(super) index: usize,
}

impl FunctionChange<'_> {
    /// By time; by memory where the time tells nothing.
    pub fn verdict(&self) -> Verdict {
        match (self.time_verdict, self.memory_verdict) {
            (
                Verdict::Unchanged | Verdict::Noise,
                memory @ (Verdict::Regression | Verdict::Improvement),
            ) => memory,
            (time, _) => time,
        }
    }
}

/// The measured lines of a function, in the order of the file.
pub(super) fn measured<'a>(
    function: &Function<'a>,
    files: &[Named<'a>],
) -> impl Iterator<Item = &'a Line> + Clone {
    let file = files.get(function.file).map(|named| named.file);
    let spans: Vec<Option<usize>> = match function.spans.as_slice() {
        [] => vec![None],
        spans => spans.iter().copied().map(Some).collect(),
    };
    file.into_iter().flat_map(move |file| {
        spans.clone().into_iter().flat_map(move |span| {
            let (first, last) = range_of(file, span);
            let from = file.lines.partition_point(|line| line.number < first);
            let lines = file.lines.get(from..).unwrap_or_default().iter();
            let lines = lines.take_while(move |line| line.number <= last);
            lines.filter(move |line| file.function_index(line.number) == span)
        })
    })
}

/// Functions with measured lines in either version, largest change of time first.
pub(super) fn changes<'a>(
    alignment: &Alignment<'a>,
    scales: &Scales<'a>,
) -> Vec<FunctionChange<'a>> {
    let names = |files: &[Named<'a>]| -> Vec<Arc<str>> {
        files.iter().map(|file| Arc::from(file.name.as_str())).collect()
    };
    let shown = (names(&alignment.before), names(&alignment.after));
    let mut changes: Vec<FunctionChange<'a>> = alignment
        .functions
        .iter()
        .enumerate()
        .filter(|(_, pair)| {
            let sampled = |function: Option<&Function<'a>>, files| {
                function.is_some_and(|function| measured(function, files).next().is_some())
            };
            sampled(pair.before.as_ref(), &alignment.before)
                || sampled(pair.after.as_ref(), &alignment.after)
        })
        .filter_map(|(index, pair)| change(index, pair, alignment, &shown, scales))
        .collect();
    let size = |change: &FunctionChange<'_>| {
        let share = |share: Option<Percent>| share.map_or(0.0, Percent::get);
        let seconds = change.time.change().abs();
        let shares = (share(change.share_after) - share(change.share_before)).abs();
        // The bits of numbers that are not negative are in the order of the numbers.
        std::cmp::Reverse((seconds.to_bits(), shares.to_bits()))
    };
    changes.sort_by_cached_key(size);
    changes
}

fn change<'a>(
    index: usize,
    pair: &FunctionPair<'a>,
    alignment: &Alignment<'a>,
    shown: &(Vec<Arc<str>>, Vec<Arc<str>>),
    scales: &Scales<'a>,
) -> Option<FunctionChange<'a>> {
    let (one, two) = (pair.before.as_ref(), pair.after.as_ref());
    let part = |scale: Scale<'a>, function: Option<&Function<'a>>, files: &[Named<'a>]| {
        let function = function?;
        Some(scale.part(files.get(function.file)?.file, &measured(function, files)))
    };
    let parts =
        (part(scales.before, one, &alignment.before), part(scales.after, two, &alignment.after));
    let (time, time_verdict) = scales.time(parts.0, parts.1, !pair.edited);
    let (memory, memory_verdict) = scales.memory(parts.0, parts.1, !pair.edited);
    let old_file = one.and_then(|one| shown.0.get(one.file));
    let new_file = two.and_then(|two| shown.1.get(two.file));
    let range = |function: &Function<'a>, files: &[Named<'a>]| {
        files.get(function.file).map(|named| range(function, named.file))
    };
    Some(FunctionChange {
        file: Arc::clone(new_file.or(old_file)?),
        name: two.or(one)?.name,
        old_name: one.filter(|_| pair.renamed()).map(|one| one.name),
        old_file: old_file.filter(|old| new_file.is_some_and(|new| new != *old)).cloned(),
        before: one.and_then(|one| range(one, &alignment.before)),
        after: two.and_then(|two| range(two, &alignment.after)),
        moved: pair.moved,
        edited: pair.edited,
        common: pair.common,
        share_before: parts.0.map(|part| part.share),
        share_after: parts.1.map(|part| part.share),
        time,
        memory,
        time_verdict,
        memory_verdict,
        index,
    })
}

/// First and last line of a function, of the first one where there are several.
fn range(function: &Function<'_>, file: &FileProfile) -> (LineNo, LineNo) {
    range_of(file, function.spans.first().copied())
}

/// First and last line of a span, or of the file.
fn range_of(file: &FileProfile, span: Option<usize>) -> (LineNo, LineNo) {
    let span = span.and_then(|span| file.functions().get(span));
    let last = u32::try_from(file.source.line_count()).ok().and_then(LineNo::new);
    span.map_or((LineNo::FIRST, last.unwrap_or(LineNo::FIRST)), |span| (span.start, span.end))
}
