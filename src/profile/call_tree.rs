//! Where the threads of a program were, sample by sample, as one tree of calls.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::units::Seconds;

/// What is kept of a program's calls at most; later calls count for the deepest kept caller.
const MOST_NODES: usize = 50_000;
/// Calls kept of one sample: of a deeper stack the middle is left out.
const MOST_DEPTH: usize = 400;
/// Of these, the outermost.
const OUTER_DEPTH: usize = 100;
/// Pairs of a wait and what happened meanwhile that are kept.
const MOST_MEANWHILE: usize = 2_000;

/// A function at a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallSite {
    /// Index into [`CallTree::functions`].
    pub function: u32,
    /// Line inside the function.
    pub line: u32,
}

/// A function by its file and qualified name (Python before 3.11 knows only the plain name).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CalledFunction {
    /// Absolute path, or a placeholder such as `<frozen importlib._bootstrap>`.
    pub file: String,
    /// Its name; `<module>` for module-level code.
    pub name: String,
    /// It belongs to a library, not to the user's code.
    pub library: bool,
    /// It is machine code: `file` is a library or a program, `name` a symbol in it.
    pub native: bool,
}

/// A place in a chain of calls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CallNode {
    /// Index of the caller; none for the outermost.
    pub parent: Option<u32>,
    /// The function and its line.
    pub site: CallSite,
    /// Seconds in which a thread was here, not in anything called from here, and on a CPU or next
    /// in turn for the interpreter.
    pub running: f64,
    /// Seconds in which a thread was here and waited.
    pub waiting: f64,
    /// Part of the program's wall time that is put down to running here. Over all nodes, with
    /// [`CallNode::wall_waiting`], it adds up to the sampled wall time, however many threads there are.
    pub wall_running: f64,
    /// Part of the program's wall time in which nothing ran and this wait was what everything waited for.
    pub wall_waiting: f64,
    /// Part of `wall_running` by whose machine code ran, as far as that is known.
    pub code: MachineCode,
    /// Samples behind the thread-seconds.
    pub samples: u32,
}

impl CallNode {
    fn add(&mut self, other: &Self) {
        self.running += other.running;
        self.waiting += other.waiting;
        self.wall_running += other.wall_running;
        self.wall_waiting += other.wall_waiting;
        self.code = self.code.plus(other.code);
        self.samples += other.samples;
    }

    /// Takes a part of the running time out; wall time and machine code go with it in proportion.
    fn take(&mut self, part: NativePart) -> Self {
        let of_all = if self.running > 0.0 { (part.seconds / self.running).min(1.0) } else { 0.0 };
        let rest = 1.0 - of_all;
        let moved = Self {
            running: self.running * of_all,
            waiting: 0.0,
            wall_running: self.wall_running * of_all,
            wall_waiting: 0.0,
            code: self.code.times(of_all),
            samples: part.samples.min(self.samples),
            ..*self
        };
        self.running *= rest;
        self.wall_running *= rest;
        self.code = self.code.times(rest);
        self.samples -= moved.samples;
        moved
    }
}

/// Part of what ran at a node.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct NativePart {
    /// Thread-seconds.
    pub seconds: f64,
    /// Samples.
    pub samples: u32,
}

/// Seconds by whose machine code a thread ran.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MachineCode {
    /// The function of the interpreter that executes bytecode.
    pub in_loop: f64,
    /// Other functions of the interpreter.
    pub in_interpreter: f64,
    /// Extensions and libraries that they use.
    pub in_extensions: f64,
    /// The C library and others that all code uses; the kernel on their behalf.
    pub in_system: f64,
}

impl MachineCode {
    /// Sums of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            in_loop: self.in_loop + other.in_loop,
            in_interpreter: self.in_interpreter + other.in_interpreter,
            in_extensions: self.in_extensions + other.in_extensions,
            in_system: self.in_system + other.in_system,
        }
    }

    /// All multiplied.
    #[must_use]
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            in_loop: self.in_loop * factor,
            in_interpreter: self.in_interpreter * factor,
            in_extensions: self.in_extensions * factor,
            in_system: self.in_system * factor,
        }
    }
}

/// How a [`CallTree`] was sampled.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sampling {
    /// Reads that succeeded, each of all threads of one process.
    pub reads: u64,
    /// Reads that failed, though the program stood still.
    pub failures: u64,
    /// Reads for which a thread could not be stopped in time.
    pub missed: u64,
    /// The program could not be stopped for reads (a debugger holds it, or the system forbids it): those of
    /// running threads may mix two moments.
    pub unstopped: bool,
    /// Seconds for which reads held the program up: it stood still, or a reader worked on its core. Of several processes
    /// the sum.
    pub stopped: f64,
    /// Wall seconds in which Scalene's own code ran inside the program.
    pub profiler: f64,
    /// Seconds of observation, the start of the interpreter included.
    pub wall: f64,
    /// Wall seconds put down to places of the program.
    pub attributed: f64,
    /// Sum of the squares of the wall seconds of each read, for the effective number of samples.
    pub squares: f64,
    /// Thread-seconds in which the program's threads were on a CPU.
    pub busy: f64,
    /// Thread-seconds in which threads of the program waited for their turn at the interpreter (GIL).
    pub interpreter_lock: f64,
    /// Most threads of the program that were seen in one read of one process.
    pub threads: u32,
    /// Processes of the program that were seen.
    pub processes: u32,
}

impl Sampling {
    /// Samples of equal weight that carry as much: (sum of weights)² / sum of squares (Kish).
    pub fn effective_samples(&self) -> f64 {
        if self.squares > 0.0 { self.attributed * self.attributed / self.squares } else { 0.0 }
    }
}

/// Threads that waited for another thread, and what that one did.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Meanwhile {
    /// Where they waited: index into [`CallTree::nodes`].
    pub waiting: u32,
    /// What took the wall time meanwhile: index into [`CallTree::nodes`].
    pub cause: u32,
    /// Thread-seconds of waiting.
    pub seconds: f64,
}

/// All sampled calls of a program; seconds add up over its threads.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CallTree {
    /// Functions that were seen.
    pub functions: Vec<CalledFunction>,
    /// Callers before what they call.
    pub nodes: Vec<CallNode>,
    /// Waits for other threads with what these did meanwhile.
    pub meanwhile: Vec<Meanwhile>,
    /// Whether calls were left out because there were too many.
    pub truncated: bool,
}

impl CallTree {
    /// Callers of a node, itself first, outermost last.
    pub fn path(&self, node: u32) -> impl Iterator<Item = &CallNode> {
        let mut next = Some(node);
        std::iter::from_fn(move || {
            let node = self.nodes.get(next? as usize)?;
            next = node.parent;
            Some(node)
        })
    }

    /// The function of a place.
    pub fn function(&self, site: CallSite) -> Option<&CalledFunction> {
        self.functions.get(site.function as usize)
    }

    /// Whether every caller stands before what it calls, and nothing is named that is not there. A tree from a
    /// file may have been tampered with.
    pub fn is_sound(&self) -> bool {
        let node = |number: u32| (number as usize) < self.nodes.len();
        let nodes = self.nodes.iter().enumerate().all(|(number, node)| {
            node.parent.is_none_or(|parent| (parent as usize) < number)
                && self.function(node.site).is_some()
        });
        nodes && self.meanwhile.iter().all(|pair| node(pair.waiting) && node(pair.cause))
    }

    /// Seconds of all nodes.
    pub fn total(&self) -> Option<Seconds> {
        Seconds::from_secs(self.nodes.iter().map(|node| node.running + node.waiting).sum())
    }

    /// Bytes that it occupies beside its own size.
    pub(super) fn bytes(&self) -> usize {
        let names: usize =
            self.functions.iter().map(|one| one.file.capacity() + one.name.capacity()).sum();
        names
            + self.functions.capacity() * size_of::<CalledFunction>()
            + self.nodes.capacity() * size_of::<CallNode>()
            + self.meanwhile.capacity() * size_of::<Meanwhile>()
    }
}

/// Makes a [`CallTree`] of samples.
#[derive(Debug, Default)]
pub struct CallTreeBuilder {
    tree: CallTree,
    functions: HashMap<CalledFunction, u32>,
    children: HashMap<(Option<u32>, CallSite), u32>,
    meanwhile: HashMap<(u32, u32), f64>,
}

impl CallTreeBuilder {
    /// The number of a function.
    pub fn function(&mut self, file: &str, name: &str, library: bool) -> u32 {
        let (file, name) = (file.to_owned(), name.to_owned());
        self.number(CalledFunction { file, name, library, native: false })
    }

    /// The number of a function of machine code.
    pub fn native_function(&mut self, file: &str, name: &str) -> u32 {
        let (file, name) = (file.to_owned(), name.to_owned());
        self.number(CalledFunction { file, name, library: true, native: true })
    }

    /// The number of any function.
    pub(super) fn number(&mut self, function: CalledFunction) -> u32 {
        if let Some(known) = self.functions.get(&function) {
            return *known;
        }
        let number = u32::try_from(self.tree.functions.len()).unwrap_or(u32::MAX);
        self.tree.functions.push(function.clone());
        self.functions.insert(function, number);
        number
    }

    /// Counts thread-seconds for a stack of calls, outermost first, and says which node it ends in.
    pub fn add(&mut self, stack: &[CallSite], seconds: f64, waiting: bool) -> Option<u32> {
        let index = self.leaf(stack)?;
        let node = self.tree.nodes.get_mut(index as usize)?;
        node.samples += 1;
        self.spend(index, seconds, waiting);
        Some(index)
    }

    /// Counts more thread-seconds for a node that [`CallTreeBuilder::add`] named.
    pub fn spend(&mut self, node: u32, seconds: f64, waiting: bool) {
        if let Some(node) = self.tree.nodes.get_mut(node as usize) {
            if waiting {
                node.waiting += seconds;
            } else {
                node.running += seconds;
            }
        }
    }

    /// Puts wall time down to a node that [`CallTreeBuilder::add`] named.
    pub fn attribute(&mut self, node: u32, seconds: f64, waiting: bool) {
        if let Some(node) = self.tree.nodes.get_mut(node as usize) {
            if waiting {
                node.wall_waiting += seconds;
            } else {
                node.wall_running += seconds;
            }
        }
    }

    /// Says whose machine code ran in time that was put down to a node.
    pub fn divide(&mut self, node: u32, code: MachineCode) {
        if let Some(node) = self.tree.nodes.get_mut(node as usize) {
            node.code = node.code.plus(code);
        }
    }

    /// What is known of a node so far.
    pub fn node(&self, node: u32) -> Option<CallNode> {
        self.tree.nodes.get(node as usize).copied()
    }

    /// Makes a part of what a node ran a call from there to a function of machine code.
    pub fn split_off(&mut self, node: u32, file: &str, name: &str, part: NativePart) {
        let function = self.native_function(file, name);
        let Some(child) = self.child(Some(node), CallSite { function, line: 0 }) else { return };
        let Some(from) = self.tree.nodes.get_mut(node as usize) else { return };
        let moved = from.take(part);
        if let Some(child) = self.tree.nodes.get_mut(child as usize) {
            child.add(&moved);
        }
    }

    /// Notes what took the wall time while a thread waited for another one.
    pub fn note(&mut self, waiting: u32, cause: u32, seconds: f64) {
        let known = self.meanwhile.contains_key(&(waiting, cause));
        if known || self.meanwhile.len() < MOST_MEANWHILE {
            *self.meanwhile.entry((waiting, cause)).or_default() += seconds;
        }
    }

    /// Counts for a stack what a node of another tree has, and says which node it ends in.
    pub fn add_node(&mut self, stack: &[CallSite], other: &CallNode) -> Option<u32> {
        let index = self.leaf(stack)?;
        let node = self.tree.nodes.get_mut(index as usize)?;
        node.add(other);
        Some(index)
    }

    /// The node that a stack ends in; of one that finds no room, the deepest caller that did.
    fn leaf(&mut self, stack: &[CallSite]) -> Option<u32> {
        let inner = stack.len().saturating_sub(MOST_DEPTH - OUTER_DEPTH);
        let (outer, rest) = stack.split_at(OUTER_DEPTH.min(stack.len()));
        let rest = rest.get(inner.saturating_sub(OUTER_DEPTH)..).unwrap_or_default();
        self.tree.truncated |= outer.len() + rest.len() < stack.len();
        let mut at = None;
        for site in outer.iter().chain(rest) {
            let Some(node) = self.child(at, *site) else { break };
            at = Some(node);
        }
        at
    }

    fn child(&mut self, parent: Option<u32>, site: CallSite) -> Option<u32> {
        if let Some(known) = self.children.get(&(parent, site)) {
            return Some(*known);
        }
        let number = u32::try_from(self.tree.nodes.len()).ok()?;
        if self.tree.nodes.len() >= MOST_NODES {
            self.tree.truncated = true;
            return None;
        }
        self.tree.nodes.push(CallNode {
            parent,
            site,
            running: 0.0,
            waiting: 0.0,
            wall_running: 0.0,
            wall_waiting: 0.0,
            code: MachineCode::default(),
            samples: 0,
        });
        self.children.insert((parent, site), number);
        Some(number)
    }

    /// What there is yet, but for [`CallTree::meanwhile`].
    pub fn so_far(&self) -> &CallTree {
        &self.tree
    }

    /// The tree.
    pub fn finish(mut self) -> CallTree {
        let all = self.meanwhile.into_iter();
        self.tree.meanwhile =
            all.map(|((waiting, cause), seconds)| Meanwhile { waiting, cause, seconds }).collect();
        self.tree.meanwhile.sort_by(|a, b| {
            let pair = |one: &Meanwhile| (one.waiting, one.cause);
            b.seconds.total_cmp(&a.seconds).then_with(|| pair(a).cmp(&pair(b)))
        });
        self.tree.functions.shrink_to_fit();
        self.tree.nodes.shrink_to_fit();
        self.tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(function: u32, line: u32) -> CallSite {
        CallSite { function, line }
    }

    #[test]
    fn stacks_with_a_common_beginning_share_it() {
        let mut builder = CallTreeBuilder::default();
        let [main, work] = ["main", "work"].map(|name| builder.function("/a.py", name, false));
        assert_eq!(builder.function("/a.py", "main", false), main);
        builder.add(&[site(main, 9), site(work, 3)], 0.5, false);
        builder.add(&[site(main, 9), site(work, 3)], 0.25, true);
        builder.add(&[site(main, 9)], 1.0, false);
        let tree = builder.finish();
        assert_eq!(tree.nodes.len(), 2);
        let leaf = tree.nodes[1];
        assert_eq!((leaf.running, leaf.waiting, leaf.samples), (0.5, 0.25, 2));
        assert_eq!(tree.path(1).map(|node| node.site.line).collect::<Vec<_>>(), [3, 9]);
        assert_eq!(tree.total(), Seconds::from_secs(1.75));
        assert_eq!(tree.function(leaf.site).unwrap().name, "work");
    }

    #[test]
    fn deep_recursion_keeps_both_ends() {
        let mut builder = CallTreeBuilder::default();
        let function = builder.function("/a.py", "f", false);
        let stack: Vec<_> = (1..=1_000).map(|line| site(function, line)).collect();
        builder.add(&stack, 1.0, false);
        builder.add(&stack[..MOST_DEPTH], 1.0, false);
        let tree = builder.finish();
        assert!(tree.truncated);
        let last =
            u32::try_from(tree.nodes.iter().position(|node| node.site.line == 1_000).unwrap());
        let path: Vec<_> = tree.path(last.unwrap()).map(|node| node.site.line).collect();
        assert_eq!(path.len(), MOST_DEPTH);
        assert_eq!((path[0], path[MOST_DEPTH - 1]), (1_000, 1));
        assert!(tree.nodes.iter().any(|node| node.site.line == 400 && node.samples == 1));
    }

    #[test]
    fn what_finds_no_room_counts_for_its_caller() {
        let mut builder = CallTreeBuilder::default();
        let function = builder.function("/a.py", "f", false);
        for line in 1..=u32::try_from(MOST_NODES).unwrap() + 10 {
            builder.add(&[site(function, 1), site(function, line + 1)], 1.0, false);
        }
        let tree = builder.finish();
        assert!(tree.truncated && tree.nodes.len() == MOST_NODES);
        let samples: u32 = tree.nodes.iter().map(|node| node.samples).sum();
        assert_eq!(samples as usize, MOST_NODES + 10);
    }
}
