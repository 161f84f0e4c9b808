//! Sampled calls of several runs as one tree.

use crate::profile::call_tree::{CallNode, CallSite, CallTree, CallTreeBuilder, Sampling};
use crate::profile::model::{Calls, Profile};

/// Means of the seconds, sums of the samples; of the runs whose calls were sampled.
pub(super) fn merged_calls(runs: &[Profile]) -> Option<Calls> {
    let all: Vec<&Calls> = runs.iter().filter_map(|run| run.calls.as_ref()).collect();
    if all.is_empty() {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
    let part = 1.0 / all.len() as f64;
    let mut builder = CallTreeBuilder::default();
    for calls in &all {
        add(&mut builder, &calls.tree, part);
    }
    let mut tree = builder.finish();
    tree.truncated |= all.iter().any(|calls| calls.tree.truncated);
    let samplings: Vec<&Sampling> = all.iter().map(|calls| &calls.sampling).collect();
    Some(Calls { tree, sampling: sampling(&samplings, part) })
}

fn add(builder: &mut CallTreeBuilder, tree: &CallTree, part: f64) {
    let functions: Vec<u32> =
        tree.functions.iter().map(|function| builder.number(function.clone())).collect();
    let site = |site: CallSite| {
        let function = functions.get(site.function as usize).copied()?;
        Some(CallSite { function, line: site.line })
    };
    let mut places: Vec<Option<u32>> = Vec::with_capacity(tree.nodes.len());
    for number in 0..u32::try_from(tree.nodes.len()).unwrap_or(u32::MAX) {
        let path: Option<Vec<CallSite>> = tree.path(number).map(|node| site(node.site)).collect();
        let place = path.and_then(|mut stack| {
            stack.reverse();
            let node = tree.nodes.get(number as usize)?;
            builder.add_node(&stack, &scaled(node, part))
        });
        places.push(place);
    }
    let place = |node: u32| places.get(node as usize).copied().flatten();
    for pair in &tree.meanwhile {
        if let Some((waiting, cause)) = place(pair.waiting).zip(place(pair.cause)) {
            builder.note(waiting, cause, pair.seconds * part);
        }
    }
}

fn scaled(node: &CallNode, part: f64) -> CallNode {
    CallNode {
        running: node.running * part,
        waiting: node.waiting * part,
        wall_running: node.wall_running * part,
        wall_waiting: node.wall_waiting * part,
        code: node.code.times(part),
        ..*node
    }
}

fn sampling(all: &[&Sampling], part: f64) -> Sampling {
    let mean = |of: fn(&Sampling) -> f64| all.iter().map(|one| of(one)).sum::<f64>() * part;
    let sum = |of: fn(&Sampling) -> u64| all.iter().map(|one| of(one)).sum();
    let attributed = mean(|one| one.attributed);
    let effective: f64 = all.iter().map(|one| one.effective_samples()).sum();
    Sampling {
        reads: sum(|one| one.reads),
        failures: sum(|one| one.failures),
        missed: sum(|one| one.missed),
        unstopped: all.iter().any(|one| one.unstopped),
        stopped: mean(|one| one.stopped),
        profiler: mean(|one| one.profiler),
        wall: mean(|one| one.wall),
        attributed,
        // So that the effective numbers of samples add up.
        squares: if effective > 0.0 { attributed * attributed / effective } else { 0.0 },
        busy: mean(|one| one.busy),
        interpreter_lock: mean(|one| one.interpreter_lock),
        threads: all.iter().map(|one| one.threads).max().unwrap_or_default(),
        processes: all.iter().map(|one| one.processes).max().unwrap_or_default(),
    }
}
