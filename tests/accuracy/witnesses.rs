//! Where each witness says the time went.

use std::collections::HashMap;

use scalene_mcp::profile::{
    CallTree, FileProfile, Line, LineCpu, LineNo, Percent, Profile, Source,
};

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    /// Scalene's own figures.
    Scalene,
    /// The stacks that were sampled beside it.
    Sampler,
    /// What the product answers.
    Product,
}

impl Witness {
    pub(crate) const ALL: [Self; 3] = [Self::Scalene, Self::Sampler, Self::Product];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scalene => "Scalene",
            Self::Sampler => "sampler",
            Self::Product => "reconciled",
        }
    }
}

/// A line, or a stretch of lines that the witness cannot tell apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) first: u32,
    pub(crate) last: u32,
}

/// Time of a place; in which unit does not matter to its rank.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Time {
    pub(crate) running: f64,
    pub(crate) waiting: f64,
}

impl Time {
    /// What a ranking goes by.
    pub(crate) fn of(self, all: bool) -> f64 {
        if all { self.running + self.waiting } else { self.running }
    }
}

pub(crate) type Times = HashMap<Place, Time>;

/// Times by place, files by their plain names.
pub(crate) fn times(profile: &Profile, witness: Witness) -> Times {
    let mut times = Times::new();
    if witness == Witness::Sampler {
        if let Some(calls) = &profile.calls {
            add_stacks(&calls.tree, &mut times);
        }
        return times;
    }
    for file in &profile.files {
        for line in &file.lines {
            let alone = witness == Witness::Scalene;
            let cpu = if alone { scalene_alone(file, line) } else { Some(&line.cpu) };
            let Some(cpu) = cpu else { continue };
            let (first, last) = line.spread.unwrap_or((line.number, line.number));
            add(&mut times, &file.path, first.get(), last.get(), cpu);
        }
    }
    times
}

/// Scalene's own figures of a line; none of a line that only the stacks saw.
fn scalene_alone<'a>(file: &FileProfile, line: &'a Line) -> Option<&'a LineCpu> {
    line.scalene.as_deref().or((!file.exact).then_some(&line.cpu))
}

fn add(times: &mut Times, path: &str, first: u32, last: u32, cpu: &LineCpu) {
    let time = times.entry(Place { file: plain(path), first, last }).or_default();
    time.running += cpu.on_cpu().get();
    time.waiting += cpu.system.get();
}

/// Seconds by the innermost line of the user's code.
fn add_stacks(tree: &CallTree, times: &mut Times) {
    // Of each node; callers come before what they call.
    let mut innermost: Vec<Option<Place>> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let function = tree.function(node.site).filter(|function| !function.library);
        let line = node.site.line;
        let own = function.map(|one| Place { file: plain(&one.file), first: line, last: line });
        let place = own.or_else(|| innermost.get(node.parent? as usize)?.clone());
        innermost.push(place.clone());
        let Some(place) = place else { continue };
        let time = times.entry(place).or_default();
        time.running += node.running;
        time.waiting += node.waiting;
    }
}

fn plain(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// Which function a line belongs to, by the sources of the programs.
pub(crate) struct Outlines(HashMap<String, FileProfile>);

impl Outlines {
    pub(crate) fn new(sources: &[(String, String)]) -> Self {
        let file = |(name, text): &(String, String)| {
            let source = Source::new(text.clone());
            (name.clone(), FileProfile::new(name.clone(), source, Vec::new(), Percent::ZERO))
        };
        Self(sources.iter().map(file).collect())
    }

    fn function(&self, place: &Place) -> (String, String) {
        let file = self.0.get(&place.file);
        let index = LineNo::new(place.first).and_then(|line| file?.function_index(line));
        let name = index.map_or("<module>", |index| &file.unwrap().functions()[index].name);
        (place.file.clone(), name.to_owned())
    }

    /// The function whose lines have most time together.
    pub(crate) fn top(&self, times: &Times, all: bool) -> Option<(String, String)> {
        let mut sums: HashMap<(String, String), f64> = HashMap::new();
        for (place, time) in times {
            *sums.entry(self.function(place)).or_default() += time.of(all);
        }
        sums.into_iter()
            .filter(|(_, seconds)| *seconds > 0.0)
            .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
            .map(|(function, _)| function)
    }
}

/// Places with time, most first, with their shares in percent; ties in order of file and line.
pub(crate) fn ranked(times: &Times, key: impl Fn(&Time) -> f64) -> Vec<(Place, f64)> {
    let whole: f64 = times.values().map(&key).sum();
    let mut all: Vec<(Place, f64)> = times
        .iter()
        .filter(|(_, time)| key(time) > 0.0)
        .map(|(place, time)| (place.clone(), 100.0 * key(time) / whole))
        .collect();
    all.sort_by(|(p, a), (q, b)| {
        b.total_cmp(a).then_with(|| (&p.file, p.first).cmp(&(&q.file, q.first)))
    });
    all
}
