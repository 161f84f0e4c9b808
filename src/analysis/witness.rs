//! Where the stacks that were sampled beside Scalene contradict it.

use std::collections::HashMap;

use super::hotspots::{CpuBasis, cpu_ranking};
use super::stats;
use super::thresholds::{ONE_THREAD, WITNESS_FAILED, WITNESS_PART, WITNESS_SAMPLES};
use crate::profile::{CallTree, FileProfile, LineNo, Percent, Profile};

/// A place that Scalene charges with much time, and that was hardly seen at work.
#[derive(Debug, Clone, PartialEq)]
pub struct Disagreement<'a> {
    /// File of Scalene's largest place.
    pub file: &'a FileProfile,
    /// Its first and last line.
    pub lines: (LineNo, LineNo),
    /// What Scalene gives it of all sampled time.
    pub scalene: Percent,
    /// What the stacks give it.
    pub sampled: Percent,
    /// The line with most time according to the stacks: its file and number.
    pub instead: (&'a str, u32),
    /// What the stacks give that line.
    pub share: Percent,
    /// Samples of the stacks.
    pub samples: u64,
}

/// The contradiction about Scalene's largest place, if there is one: less than half of the share
/// that Scalene gives it, and the 95 % intervals of both apart. Only for programs of one thread,
/// whose seconds are those of the run.
pub fn disagreement(profile: &Profile) -> Option<Disagreement<'_>> {
    let calls = profile.calls.as_ref()?;
    let (seconds, samples) = by_line(&calls.tree);
    let total: f64 = seconds.values().sum();
    let elapsed = profile.elapsed?.get();
    #[expect(clippy::cast_precision_loss, reason = "numbers of reads")]
    let (failed, enough) = (
        calls.sampling.failures as f64 > WITNESS_FAILED.value * calls.sampling.reads as f64,
        samples as f64 >= WITNESS_SAMPLES.value,
    );
    let one_thread = total <= ONE_THREAD.value * elapsed;
    if !enough || failed || !one_thread || profile.measured.virtual_time {
        return None;
    }
    let ranking = cpu_ranking(profile, CpuBasis::WithSystem, 1);
    let top = ranking.spots.first()?;
    let (first, last) = top.lines();
    let inside = |(file, line): &(&str, u32)| {
        *file == top.file.path && (first.get()..=last.get()).contains(line)
    };
    // An empty sum of floats is -0.0.
    let own = seconds.iter().filter(|(at, _)| inside(at)).fold(0.0, |all, (_, sum)| all + sum);
    let sampled = Percent::of_whole(own, total)?;
    let (instead, most) = seconds
        .iter()
        .filter(|(at, _)| !inside(at))
        .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)))?;
    // Samples of the stacks have equal weight: each counts whole, two of Scalene's count as one.
    let (_, highest) = stats::wilson(sampled, samples.saturating_mul(2))?;
    let (lowest, _) = top.interval()?;
    let apart = highest < lowest && sampled.get() < WITNESS_PART.value * top.share.get();
    apart.then_some(Disagreement {
        file: top.file,
        lines: (first, last),
        scalene: top.share,
        sampled,
        instead: *instead,
        share: Percent::of_whole(*most, total)?,
        samples,
    })
}

/// Seconds by the innermost line of the user's code, and the samples behind them.
fn by_line(tree: &CallTree) -> (HashMap<(&str, u32), f64>, u64) {
    let mut seconds: HashMap<(&str, u32), f64> = HashMap::new();
    let mut samples = 0;
    // Of each node; callers come before what they call.
    let mut innermost: Vec<Option<(&str, u32)>> = Vec::with_capacity(tree.nodes.len());
    for node in &tree.nodes {
        let function = tree.function(node.site).filter(|function| !function.library);
        let caller = || node.parent.and_then(|parent| *innermost.get(parent as usize)?);
        let own = function.map(|one| (one.file.as_str(), node.site.line)).or_else(caller);
        innermost.push(own);
        let Some(own) = own.filter(|_| node.samples > 0) else { continue };
        *seconds.entry(own).or_default() += node.running + node.waiting;
        samples += u64::from(node.samples);
    }
    (seconds, samples)
}
