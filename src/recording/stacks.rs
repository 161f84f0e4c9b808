//! From what was sampled to the program's own calls.

use std::collections::{HashMap, HashSet};

use super::outcome::{Conclusion, real_path};
use super::workspace::{SNIPPET, Workspace};
use crate::profile::{CallSite, CallTreeBuilder, Calls, Sampling};
use crate::sampler::Seen;
use crate::scalene::HIDDEN_FILE;

/// The program's own calls: stacks from the first frame of the user's code on.
pub(super) fn calls(run: &Conclusion, seen: &Seen, workspace: &Workspace) -> Option<Calls> {
    let (snippet, libraries) = (workspace.snippet(), &run.ready.interpreter.library_paths);
    let snippet = snippet.to_string_lossy();
    let files: Vec<String> =
        seen.tree.functions.iter().map(|function| real_path(&function.file)).collect();
    let is_own: Vec<bool> = { files.iter().zip(&seen.tree.functions) }
        .map(|(real, function)| {
            let scope = &run.options.scope;
            let covers = |path: &str| scope.covers(path, libraries);
            !function.native && (covers(&function.file) || covers(real))
        })
        .collect();
    let mut builder = CallTreeBuilder::default();
    let functions: Vec<u32> = { files.iter().zip(&seen.tree.functions).zip(&is_own) }
        .map(|((real, function), own)| {
            if function.native {
                return builder.native_function(real, &function.name);
            }
            let is_snippet = function.file == snippet || *real == real_path(&snippet);
            builder.function(if is_snippet { SNIPPET } else { real }, &function.name, !own)
        })
        .collect();
    // Which node of this tree a node of the other became.
    let mut became: HashMap<u32, u32> = HashMap::new();
    let is_hidden = |site: &CallSite| {
        let function = seen.tree.functions.get(site.function as usize);
        function.is_some_and(|function| function.file == HIDDEN_FILE)
    };
    // A place all of whose time is in machine code has no samples left, but others may wait for it.
    let causes: HashSet<u32> = seen.tree.meanwhile.iter().map(|one| one.cause).collect();
    let all = (0_u32..).zip(&seen.tree.nodes);
    for (index, node) in all.filter(|(index, node)| node.samples > 0 || causes.contains(index)) {
        let mut stack: Vec<CallSite> = seen.tree.path(index).map(|node| node.site).collect();
        stack.reverse();
        let own = |site: &CallSite| is_own.get(site.function as usize).copied() == Some(true);
        let Some(first) = stack.iter().position(own) else { continue };
        let stack: Vec<CallSite> = { stack.iter().skip(first) }
            .filter(|site| !is_hidden(site))
            .filter_map(|site| {
                Some(CallSite { function: *functions.get(site.function as usize)?, ..*site })
            })
            .collect();
        became.extend(builder.add_node(&stack, node).map(|node| (index, node)));
    }
    for one in &seen.tree.meanwhile {
        if let (Some(waiting), Some(cause)) = (became.get(&one.waiting), became.get(&one.cause)) {
            builder.note(*waiting, *cause, one.seconds);
        }
    }
    let tree = builder.finish();
    (!tree.nodes.is_empty()).then_some(Calls { tree, sampling: seen.sampling })
}

/// Part from which on all of the time counts as that of the user's code.
const ALL_OF_IT: f64 = 0.95;

/// Part of the program's wall time that went to the user's code and to what it called, where that is not all of it: a
/// test runner, or a server that is a library, calls it only now and then.
pub(super) fn own_part(calls: &Calls) -> Option<f64> {
    let own: f64 = calls.tree.nodes.iter().map(|node| node.wall_running + node.wall_waiting).sum();
    let part = own / calls.sampling.attributed;
    (part < ALL_OF_IT).then_some(part)
}

/// Why stacks do not time the lines.
pub(super) fn alone(sampling: &Sampling) -> String {
    let Sampling { reads, failures, .. } = *sampling;
    if sampling.unstopped {
        return format!(
            "lines are timed by Scalene alone: the program could not be stopped for a read (a debugger holds it, or the \
             system forbids it), and {failures} of {} reads while it ran made no sense; call paths are made of the \
             others, and short calls in them may be wrong",
            reads + failures
        );
    }
    format!(
        "lines are timed by Scalene alone: of the stacks beside it only {reads} could be read, {failures} more made no \
         sense (the machine may be busy)"
    )
}
