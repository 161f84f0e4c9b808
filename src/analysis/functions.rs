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

/// What the lines of one function add up to.
#[derive(Clone, Default)]
struct Sums {
    lines: usize,
    on_cpu: Percent,
    system: Percent,
    /// Whether memory was sampled on any of its lines.
    memory: bool,
    peak: Mebibytes,
    average: Option<Mebibytes>,
    allocated: Mebibytes,
}

impl Sums {
    fn add(&mut self, line: &Line) {
        self.lines += 1;
        self.on_cpu = self.on_cpu + line.cpu.on_cpu();
        self.system = self.system + line.cpu.system;
        let Some(memory) = line.memory.as_ref().filter(|memory| memory.is_sampled()) else {
            return;
        };
        self.memory = true;
        self.peak = self.peak.max(memory.peak);
        self.average = self.average.into_iter().chain(memory.average).reduce(Mebibytes::max);
        self.allocated = self.allocated + memory.allocated;
    }
}

/// All functions with samples: by CPU time, then by waiting, then by allocated volume.
pub fn functions(profile: &Profile) -> Vec<FunctionMetrics<'_>> {
    let total = profile.totals().on_cpu();
    let mut all = Vec::new();
    for file in &profile.files {
        // Module-level code first, then each function.
        let mut sums = vec![Sums::default(); file.functions().len() + 1];
        for line in &file.lines {
            let slot = file.function_index(line.number).map_or(0, |index| index + 1);
            sums.get_mut(slot).into_iter().for_each(|sums| sums.add(line));
        }
        let spans = std::iter::once(None).chain(file.functions().iter().map(Some));
        let sampled = spans.zip(sums).filter(|(_, sums)| sums.lines > 0);
        all.extend(sampled.map(|(span, sums)| metrics(file, span, &sums, total)));
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
    sums: &Sums,
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
