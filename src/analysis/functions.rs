//! Time and memory by function: sums over the lines of each.

use crate::profile::{
    FileProfile, FunctionSpan, FunctionTotals, LineNo, Mebibytes, Percent, Profile,
};

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
    let total = profile.totals().on_cpu();
    let mut all = Vec::new();
    for file in &profile.files {
        let spans = std::iter::once(None).chain(file.functions().iter().map(Some));
        let sampled = spans.zip(file.function_totals()).filter(|(_, sums)| sums.lines > 0);
        all.extend(sampled.map(|(span, sums)| metrics(file, span, sums, total)));
    }
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
    sums: &FunctionTotals,
    total: Percent,
) -> FunctionMetrics<'a> {
    FunctionMetrics {
        file,
        name: span.map_or(FunctionSpan::MODULE, |span| span.name.as_str()),
        start: span.map_or(LineNo::FIRST, |span| span.start),
        on_cpu: sums.on_cpu,
        system: sums.system,
        of_cpu: Percent::of_whole(sums.on_cpu.get(), total.get()),
        peak: sums.memory.then_some(sums.peak),
        average: sums.average,
        allocated: sums.memory.then_some(sums.allocated),
        lines: sums.lines,
    }
}
