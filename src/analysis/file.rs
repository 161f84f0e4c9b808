//! One file of a profile.

use std::collections::BTreeSet;

use crate::profile::{FileProfile, LineNo, Percent, Profile};

/// The outcome of looking a file up.
#[derive(Debug, Clone, PartialEq)]
pub enum FileLookup<'a> {
    /// The one that was meant.
    Found(&'a FileProfile),
    /// Several end in what was asked for.
    Ambiguous(Vec<&'a str>),
    /// None does.
    Missing,
}

/// Finds a file by its path, its path below the project root, or the end of its path.
pub fn find_file<'a>(profile: &'a Profile, wanted: &str) -> FileLookup<'a> {
    let wanted = wanted.trim_start_matches("./");
    let exact = profile
        .files
        .iter()
        .find(|file| file.path == wanted || profile.display_path(&file.path) == wanted);
    if let Some(file) = exact {
        return FileLookup::Found(file);
    }
    let suffix = format!("/{}", wanted.replace('\\', "/"));
    let ends: Vec<_> = profile
        .files
        .iter()
        .filter(|file| file.path.replace('\\', "/").ends_with(&suffix))
        .collect();
    match ends.as_slice() {
        [] => FileLookup::Missing,
        [file] => FileLookup::Found(file),
        several => FileLookup::Ambiguous(several.iter().map(|file| file.path.as_str()).collect()),
    }
}

/// Lines of context shown around a measured line.
const CONTEXT: u32 = 1;
/// Shares and volumes below these are left to an explicit range.
const SMALLEST_SHARE: f64 = 0.5;
const SMALLEST_MIB: f64 = 1.0;

/// The line numbers worth showing, in order: measured lines, heaviest first, with a little
/// context, until `limit` is reached.
pub fn lines_that_matter(profile: &Profile, file: &FileProfile, limit: usize) -> BTreeSet<LineNo> {
    with_context(profile, file, &heaviest_lines(profile, file, limit), limit)
}

/// Measured lines of a file, heaviest first: as many as can matter where `limit` are shown.
pub fn heaviest_lines(profile: &Profile, file: &FileProfile, limit: usize) -> Vec<LineNo> {
    let reduced = profile.reporting.reduced;
    let mut measured: Vec<_> = file
        .lines
        .iter()
        .filter(|line| !reduced || profile.reporting.is_significant(line))
        .map(|line| {
            let mib = line.memory.as_ref().map_or(0.0, |memory| memory.allocated.get());
            (line.cpu.total().get(), mib, line.number)
        })
        .filter(|(share, mib, _)| reduced || *share >= SMALLEST_SHARE || *mib >= SMALLEST_MIB)
        .collect();
    let order = |a: &(f64, f64, LineNo), b: &(f64, f64, LineNo)| {
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2))
    };
    // A line that adds nothing to what is shown is itself shown: one more than `limit` is enough.
    if limit.saturating_add(1) < measured.len() {
        measured.select_nth_unstable_by(limit, order);
        measured.truncate(limit + 1);
    }
    measured.sort_unstable_by(order);
    measured.into_iter().map(|(_, _, number)| number).collect()
}

/// The first of these lines with a little context, in order, until `limit` is reached.
pub fn with_context(
    profile: &Profile,
    file: &FileProfile,
    heaviest: &[LineNo],
    limit: usize,
) -> BTreeSet<LineNo> {
    let context = if profile.reporting.reduced { 0 } else { CONTEXT };
    let last = u32::try_from(file.source.line_count()).unwrap_or(u32::MAX);
    let mut shown = BTreeSet::new();
    for number in heaviest {
        let around =
            number.get().saturating_sub(context).max(1)..=(number.get() + context).min(last);
        let fresh: Vec<_> = around.filter_map(LineNo::new).filter(|n| !shown.contains(n)).collect();
        if shown.len() + fresh.len() > limit {
            break;
        }
        shown.extend(fresh);
    }
    shown
}

impl FileProfile {
    /// Sum of the shares of all its lines.
    pub fn total_share(&self) -> Percent {
        self.totals().total()
    }
}
