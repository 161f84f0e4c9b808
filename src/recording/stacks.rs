//! From what was sampled to the program's own calls.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::naming::real_path_from;
use super::shown::Shown;
use crate::analysis;
use crate::profile::{CallSite, CallTree, CallTreeBuilder, CalledFunction, Calls, Sampling};
use crate::sampler::Seen;
use crate::scalene::{HIDDEN_FILE, Scope};

/// Which of the code that was seen is the user's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    pub(super) scope: &'a Scope,
    /// Folders of libraries, besides those that the scope leaves out.
    pub(super) libraries: &'a [PathBuf],
    /// Where the program runs.
    pub(super) cwd: &'a Path,
    /// Code that has no file of its own, under the names that the interpreter knows.
    pub(super) shown: &'a Shown,
    /// Stacks without code of the user's are kept, too, for their innermost line outside of Python's own library:
    /// the whole time of a process that somebody else started is told.
    pub(super) whole: bool,
}

/// The program's own calls: stacks from the first frame of the user's code on.
pub(super) fn calls(run: &Own<'_>, seen: &Seen) -> Option<Calls> {
    let real = |function: &CalledFunction| real_path_from(run.cwd, &function.file);
    let files: Vec<String> = seen.tree.functions.iter().map(real).collect();
    let is_own: Vec<bool> = { files.iter().zip(&seen.tree.functions) }
        .map(|(real, function)| {
            let covers = |path: &str| run.scope.covers(path, run.libraries);
            // No pattern covers what is in no file.
            let text =
                || function.file.starts_with('<') && run.shown.name(&function.file).is_some();
            !function.native && (covers(&function.file) || covers(real) || text())
        })
        .collect();
    let mut builder = CallTreeBuilder::default();
    let functions: Vec<u32> = { files.iter().zip(&seen.tree.functions).zip(&is_own) }
        .map(|((real, function), own)| {
            if function.native {
                return builder.native_function(real, &function.name);
            }
            let shown = run.shown.name(&function.file).or_else(|| run.shown.name(real));
            builder.function(shown.unwrap_or(real), &function.name, !own)
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
        let Some(first) = stack.iter().position(own) else {
            if run.whole {
                let stack = foreign(&mut builder, (&stack, &functions), (&seen.tree, &files));
                became.extend(builder.add_node(&stack, node).map(|node| (index, node)));
            }
            continue;
        };
        // What uses up the results of a coroutine's calls is ours, and below the line of the call.
        let is_loop = |site: &CallSite| {
            let function = seen.tree.functions.get(site.function as usize);
            function.is_some_and(|it| it.file == HIDDEN_FILE && it.name == "<module>")
        };
        let inner = |site: &&CallSite| own(site) || is_loop(site);
        if stack.iter().skip(first).rfind(inner).is_some_and(is_loop) {
            continue;
        }
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

/// A stack without code of the user's: the innermost of its functions outside of Python's own library stands for it.
fn foreign(
    builder: &mut CallTreeBuilder,
    (stack, functions): (&[CallSite], &[u32]),
    (tree, files): (&CallTree, &[String]),
) -> Vec<CallSite> {
    let of = |site: &CallSite| tree.function(*site).filter(|function| !function.native);
    let library = |site: &CallSite| {
        let file = files.get(site.function as usize).map_or("", String::as_str);
        file.starts_with('<') || (file.contains("/lib/python3") && !file.contains("-packages/"))
    };
    let place = { stack.iter() }
        .rposition(|site| of(site).is_some() && !library(site))
        .or_else(|| stack.iter().rposition(|site| of(site).is_some()));
    let site = |(number, site): (usize, &CallSite)| {
        let number_of = functions.get(site.function as usize).copied();
        let named =
            of(site).zip(files.get(site.function as usize)).filter(|_| Some(number) == place);
        let function = named.map(|(function, file)| builder.function(file, &function.name, false));
        Some(CallSite { function: function.or(number_of)?, ..*site })
    };
    stack.iter().enumerate().filter_map(site).collect()
}

/// What to know of stacks that stand alone and cannot be fully believed.
pub(super) fn doubtful(calls: &Calls) -> Option<String> {
    let Sampling { reads, failures, unstopped, .. } = calls.sampling;
    if unstopped {
        return Some(
            "stacks were read while the program ran, since it could not be stopped (a debugger holds it, or the system \
             forbids it): short calls may be wrong"
                .to_owned(),
        );
    }
    analysis::mostly_failed(&calls.sampling).then(|| {
        format!(
            "of {} reads of the stacks {failures} made no sense: short calls may be missing",
            reads + failures
        )
    })
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
