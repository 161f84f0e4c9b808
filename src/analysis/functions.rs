//! Time and memory by function: sums over the lines of each.

use crate::profile::{FileProfile, FunctionSpan, Line, LineNo, Mebibytes, Percent, Profile};

/// A function and the sums of its lines (its own lines, not what it calls).
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionMetrics<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// Qualified name, or `<module>`.
    pub name: &'a str,
    /// Line of `def` or `class`; 1 for module-level code.
    pub start: LineNo,
    /// Python and native time, as a share of all sampled time.
    pub on_cpu: Percent,
    /// Waiting and kernel time, as a share of all sampled time.
    pub system: Percent,
    /// Python and native time, as a share of the Python and native time of the whole run.
    pub of_cpu: Option<Percent>,
    /// Largest per-line peak; lines do not peak together, so their sum would mean nothing.
    pub peak: Option<Mebibytes>,
    /// Largest per-line average; absent where Scalene counted no visit.
    pub average: Option<Mebibytes>,
    /// Volume allocated: sum of its lines.
    pub allocated: Option<Mebibytes>,
    /// Lines with samples.
    pub lines: usize,
}

/// All functions with samples: by CPU time, then by waiting, then by allocated volume.
pub fn functions(profile: &Profile) -> Vec<FunctionMetrics<'_>> {
    let total = profile.sum(|line| line.cpu.on_cpu());
    let mut all: Vec<_> = profile
        .by_function()
        .into_iter()
        .filter_map(|((file, function), lines)| {
            let file = profile.files.get(file)?;
            let span = function.and_then(|index| file.functions().get(index));
            Some(metrics(file, span, &lines, total))
        })
        .collect();
    all.sort_by(|a, b| {
        let rank = |f: &FunctionMetrics<'_>| {
            (f.on_cpu.get(), f.system.get(), f.allocated.map_or(0.0, Mebibytes::get))
        };
        rank(b).partial_cmp(&rank(a)).unwrap_or(std::cmp::Ordering::Equal)
    });
    all
}

fn metrics<'a>(
    file: &'a FileProfile,
    span: Option<&'a FunctionSpan>,
    lines: &[&Line],
    total: Percent,
) -> FunctionMetrics<'a> {
    let sum = |share: fn(&Line) -> Percent| lines.iter().map(|line| share(line)).sum::<Percent>();
    let on_cpu = sum(|line| line.cpu.on_cpu());
    let memory = || {
        let memory = lines.iter().filter_map(|line| line.memory.as_ref());
        memory.filter(|memory| memory.is_sampled())
    };
    let measured = memory().next().is_some();
    let largest = |value: fn(&crate::profile::LineMemory) -> Mebibytes| {
        measured.then(|| memory().map(value).fold(Mebibytes::ZERO, Mebibytes::max))
    };
    FunctionMetrics {
        file,
        name: span.map_or(FunctionSpan::MODULE, |span| span.name.as_str()),
        start: span.map_or(LineNo::FIRST, |span| span.start),
        on_cpu,
        system: sum(|line| line.cpu.system),
        of_cpu: Percent::of_whole(on_cpu.get(), total.get()),
        peak: largest(|memory| memory.peak),
        average: memory().filter_map(|memory| memory.average).reduce(Mebibytes::max),
        allocated: measured.then(|| memory().map(|memory| memory.allocated).sum()),
        lines: lines.len(),
    }
}
