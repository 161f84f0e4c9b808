//! How often who was right.

use scalene_mcp::analysis::leaks::{LeakConfidence, leaks, proven};
use scalene_mcp::analysis::{self, stats};
use scalene_mcp::profile::{BlockKind, Percent, Profile};

use crate::programs::{Claim, Program};
use crate::way::Way;
use crate::witnesses::{Outlines, Place, Time, Times, Witness, ranked, times};

/// What is asked of a witness.
pub(crate) const QUESTIONS: [&str; 4] = ["function", "line", "line in 3", "wait"];

/// Who names leaks: the product as it is called by default, which runs a program again where its profile
/// cannot decide; the product from the profile alone; Scalene's own detector.
pub(crate) const LEAKS_BY: [&str; 3] = ["default", "profile alone", "Scalene"];

/// Right answers of runs; a run that is not asked counts nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    pub(crate) right: u32,
    pub(crate) asked: u32,
}

impl Count {
    fn add(&mut self, right: bool) {
        self.right += u32::from(right);
        self.asked += 1;
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { right: self.right + other.right, asked: self.asked + other.asked }
    }

    /// Part of what was asked.
    pub(crate) fn part(self) -> f64 {
        f64::from(self.right) / f64::from(self.asked)
    }

    pub(crate) fn text(self) -> String {
        if self.asked == 0 { "-".to_owned() } else { format!("{}/{}", self.right, self.asked) }
    }
}

/// Answers about the leaks of one program.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leaks {
    /// Runs that named the leak.
    pub(crate) found: u32,
    /// Runs of a program that leaks.
    pub(crate) leaking: u32,
    /// Innocent lines that were named.
    pub(crate) innocent: u32,
    /// Runs.
    pub(crate) runs: u32,
}

impl Leaks {
    fn add(&mut self, program: &Program, named: &[(String, u32)]) {
        let right = |(file, line): &&(String, u32)| held(&program.leaks, file, *line, *line);
        let guilty = named.iter().filter(right).count();
        self.runs += 1;
        self.leaking += u32::from(!program.leaks.is_empty());
        self.found += u32::from(guilty > 0);
        self.innocent += u32::try_from(named.len() - guilty).unwrap();
    }

    pub(crate) fn text(self) -> String {
        match (self.runs, self.leaking) {
            (0, _) => "-".to_owned(),
            (_, 0) => format!("{} named", self.innocent),
            _ => format!("{}/{}, {} wrong", self.found, self.leaking, self.innocent),
        }
    }
}

/// What was said of one block, in percent of the run.
#[derive(Debug, Clone)]
pub(crate) struct Shares {
    /// With those around it.
    pub(crate) name: String,
    /// In each run.
    pub(crate) said: Vec<Option<f64>>,
    /// Between these it is right.
    pub(crate) right: (f64, f64),
}

/// The score of one program on one Python, over its runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Score {
    /// By witness and question.
    pub(crate) counts: [[Count; QUESTIONS.len()]; Witness::ALL.len()],
    /// By [`LEAKS_BY`].
    pub(crate) leaks: [Leaks; LEAKS_BY.len()],
    /// Blocks whose share lies where the program says.
    pub(crate) blocks: Count,
    pub(crate) shares: Vec<Shares>,
    /// Wrong answers, in words.
    pub(crate) misses: Vec<String>,
}

fn held(claims: &[Claim], file: &str, first: u32, last: u32) -> bool {
    claims.iter().any(|claim| claim.holds(file, first, last))
}

/// Lines at which threads wait for others, with the part of the run, in percent, for which one does.
fn crowded(profile: &Profile) -> Vec<(Place, f64)> {
    let threads = analysis::threads(profile);
    let crowds = threads.into_iter().flat_map(|threads| threads.crowds);
    let place = |crowd: analysis::Crowd<'_>| {
        let (path, line) = crowd.at;
        let file = path.rsplit('/').next().unwrap_or(path).to_owned();
        (Place { file, first: line, last: line }, 100.0 * crowd.threads.min(1.0))
    };
    crowds.map(place).collect()
}

impl Score {
    pub(crate) fn add(&mut self, program: &Program, profile: &Profile, outlines: &Outlines) {
        let heard = |(_, witness): &(usize, Witness)| program.way.heard(*witness);
        for (index, witness) in Witness::ALL.into_iter().enumerate().filter(heard) {
            let times: Times = times(profile, witness)
                .into_iter()
                .map(|(place, time)| (program.in_file(place), time))
                .collect();
            let ranking = ranked(&times, |time| time.of(program.all_time));
            let mut waits = ranked(&times, |time| time.waiting);
            if witness == Witness::Product {
                // A wait for another thread has no time of its own: answers list it beside that thread, with the
                // part of the run for which it lasted; so the others are parts of the run here, too.
                let sum = |key: &dyn Fn(&Time) -> f64| times.values().map(key).sum::<f64>();
                let part = sum(&|time| time.waiting) / sum(&|time| time.of(true));
                for (_, share) in &mut waits {
                    *share *= part;
                }
                let crowded = crowded(profile).into_iter();
                waits.extend(crowded.map(|(place, part)| (program.in_file(place), part)));
                waits.sort_by(|a, b| b.1.total_cmp(&a.1));
            }
            let right = |claims: &[Claim], place: &Place| {
                held(claims, &place.file, place.first, place.last)
            };
            let among = |claims: &[Claim], ranking: &[(Place, f64)], most: usize| {
                ranking.iter().take(most).any(|(place, _)| right(claims, place))
            };
            let function = outlines.top(&times, program.all_time);
            let function_right =
                function.as_ref().is_some_and(|top| program.functions.contains(top));
            let function =
                function.map_or("nothing".to_owned(), |(file, name)| format!("{file}:{name}"));
            let answers = [
                (!program.functions.is_empty(), function_right, function),
                (!program.lines.is_empty(), among(&program.lines, &ranking, 1), first(&ranking)),
                (!program.lines.is_empty(), among(&program.lines, &ranking, 3), first(&ranking)),
                (!program.waits.is_empty(), among(&program.waits, &waits, 1), first(&waits)),
            ];
            for (question, (asked, right, said)) in answers.into_iter().enumerate() {
                if !asked {
                    continue;
                }
                self.counts[index][question].add(right);
                if !right {
                    let (who, what) = (witness.name(), QUESTIONS[question]);
                    self.misses.push(match what {
                        "line in 3" => format!("{who}: not among 3 lines"),
                        _ => format!("{who}, {what}: {said}"),
                    });
                }
            }
        }
        self.add_leaks(program, profile);
        self.add_blocks(program, Some(profile));
    }

    /// A run without a profile: no answer is right.
    pub(crate) fn add_nothing(&mut self, program: &Program) {
        let lines = !program.lines.is_empty();
        let asked = [!program.functions.is_empty(), lines, lines, !program.waits.is_empty()];
        let heard = |(_, witness): &(&mut _, Witness)| program.way.heard(*witness);
        for (counts, _) in self.counts.iter_mut().zip(Witness::ALL).filter(heard) {
            counts
                .iter_mut()
                .zip(asked)
                .filter(|(_, asked)| *asked)
                .for_each(|(count, _)| count.add(false));
        }
        if program.memory() {
            self.leaks.iter_mut().for_each(|leaks| leaks.add(program, &[]));
        }
        self.add_blocks(program, None);
        self.misses.push("no profile".to_owned());
    }

    /// The shares of its blocks; of a run without a profile none is known.
    fn add_blocks(&mut self, program: &Program, profile: Option<&Profile>) {
        let marked = program.way == Way::Blocks { marked: true };
        let blocks = profile.and_then(|profile| profile.blocks.as_ref());
        for (index, claim) in program.blocks.iter().enumerate() {
            let said = blocks.and_then(|blocks| {
                let mut places = (0..).zip(&blocks.all);
                let found = places.find(|(place, block)| {
                    let path = blocks.path(*place).into_iter().map(|block| &block.name);
                    (block.kind == BlockKind::Marker) == marked && path.eq(&claim.path)
                });
                found?.1.share.map(Percent::get)
            });
            let right = said.is_some_and(|share| (claim.least..=claim.most).contains(&share));
            self.blocks.add(right);
            if !right {
                let said = said.map_or("nothing".to_owned(), |share| format!("{share:.0} %"));
                self.misses.push(format!("block {}: {said}", claim.path.join("/")));
            }
            if self.shares.len() <= index {
                let (name, right) = (claim.path.join("/"), (claim.least, claim.most));
                self.shares.push(Shares { name, said: Vec::new(), right });
            }
            self.shares[index].said.push(said);
        }
    }

    fn add_leaks(&mut self, program: &Program, profile: &Profile) {
        let Some(findings) = leaks(profile) else { return };
        let plain = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let sure = findings.leaks.iter().filter(|leak| leak.confidence >= LeakConfidence::Medium);
        let alone: Vec<_> = sure.map(|leak| (plain(&leak.file.path), leak.line.get())).collect();
        let default = proven(profile).map_or_else(
            || alone.clone(),
            |found| {
                let sure =
                    found.leaks.iter().filter(|leak| leak.confidence >= LeakConfidence::Medium);
                sure.map(|leak| (plain(leak.path), leak.line.get())).collect()
            },
        );
        let reports =
            profile.files.iter().flat_map(|file| file.leaks.iter().map(move |one| (file, one)));
        let scalene: Vec<_> =
            reports.map(|(file, report)| (plain(&file.path), report.line.get())).collect();
        for (at, named) in [default, alone, scalene].iter().enumerate() {
            let who = LEAKS_BY[at];
            let before = self.leaks[at];
            self.leaks[at].add(program, named);
            let after = self.leaks[at];
            let missed = !program.leaks.is_empty() && after.found == before.found;
            if missed || after.innocent > before.innocent {
                let named: Vec<_> =
                    named.iter().map(|(file, line)| format!("{file}:{line}")).collect();
                self.misses.push(format!("{who}, leak: {}", or_nothing(&named.join(", "))));
            }
        }
    }
}

fn first(ranking: &[(Place, f64)]) -> String {
    ranking.first().map_or("nothing".to_owned(), |(place, share)| {
        let end = if place.last > place.first { format!("-{}", place.last) } else { String::new() };
        format!("{}:{}{end} ({share:.0} %)", place.file, place.first)
    })
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "nothing" } else { text }
}

/// A share with its 95 % interval. Runs of a program are alike, so programs count, not runs: each
/// with the share of its runs.
pub(crate) fn share(of_programs: &[f64]) -> String {
    let n = of_programs.len();
    if n == 0 {
        return "-".to_owned();
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of programs")]
    let size = n as f64;
    let mean = 100.0 * of_programs.iter().sum::<f64>() / size;
    let interval = Percent::from_percent(mean).and_then(|share| stats::wilson(share, size));
    let (low, high) = interval.unwrap();
    format!("{mean:.0} % [{:.0}–{:.0}] of {n}", low.get(), high.get())
}
