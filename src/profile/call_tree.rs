//! Where the threads of a program were, sample by sample, as one tree of calls.

use std::collections::HashMap;

use super::units::Seconds;

/// What is kept of a program's calls at most; later calls count for the deepest kept caller.
const MOST_NODES: usize = 50_000;
/// Calls kept of one sample: of a deeper stack the middle is left out.
const MOST_DEPTH: usize = 400;
/// Of these, the outermost.
const OUTER_DEPTH: usize = 100;

/// A function at a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallSite {
    /// Index into [`CallTree::functions`].
    pub function: u32,
    /// Line inside the function.
    pub line: u32,
}

/// A function by its file and qualified name (Python before 3.11 knows only the plain name).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CalledFunction {
    /// Absolute path, or a placeholder such as `<frozen importlib._bootstrap>`.
    pub file: String,
    /// Its name; `<module>` for module-level code.
    pub name: String,
    /// It belongs to a library, not to the user's code.
    pub library: bool,
}

/// A place in a chain of calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallNode {
    /// Index of the caller; none for the outermost.
    pub parent: Option<u32>,
    /// The function and its line.
    pub site: CallSite,
    /// Seconds in which a thread was here, not in anything called from here, and on a CPU.
    pub running: f64,
    /// Seconds in which a thread was here and waited.
    pub waiting: f64,
    /// Samples behind both.
    pub samples: u32,
}

/// How a [`CallTree`] was sampled.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampling {
    /// Reads that succeeded, each of all threads of one process.
    pub reads: u64,
    /// Reads that failed.
    pub failures: u64,
    /// Seconds for which reads stopped the program; of several processes the sum.
    pub stopped: f64,
    /// Thread-seconds in which Scalene's own code ran inside the program.
    pub profiler: f64,
    /// Seconds of observation, the start of the interpreter included.
    pub wall: f64,
}

/// All sampled calls of a program; seconds add up over its threads.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CallTree {
    /// Functions that were seen.
    pub functions: Vec<CalledFunction>,
    /// Callers before what they call.
    pub nodes: Vec<CallNode>,
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
    }
}

/// Makes a [`CallTree`] of samples.
#[derive(Debug, Default)]
pub struct CallTreeBuilder {
    tree: CallTree,
    functions: HashMap<CalledFunction, u32>,
    children: HashMap<(Option<u32>, CallSite), u32>,
}

impl CallTreeBuilder {
    /// The number of a function.
    pub fn function(&mut self, file: &str, name: &str, library: bool) -> u32 {
        let function = CalledFunction { file: file.to_owned(), name: name.to_owned(), library };
        if let Some(known) = self.functions.get(&function) {
            return *known;
        }
        let number = u32::try_from(self.tree.functions.len()).unwrap_or(u32::MAX);
        self.tree.functions.push(function.clone());
        self.functions.insert(function, number);
        number
    }

    /// Counts `seconds` for a stack of calls, outermost first.
    pub fn add(&mut self, stack: &[CallSite], seconds: f64, waiting: bool) {
        let (running, waiting) = if waiting { (0.0, seconds) } else { (seconds, 0.0) };
        self.count(stack, running, waiting, 1);
    }

    /// Counts for a stack what a node of another tree has.
    pub fn add_node(&mut self, stack: &[CallSite], node: &CallNode) {
        self.count(stack, node.running, node.waiting, node.samples);
    }

    fn count(&mut self, stack: &[CallSite], running: f64, waiting: f64, samples: u32) {
        let inner = stack.len().saturating_sub(MOST_DEPTH - OUTER_DEPTH);
        let (outer, rest) = stack.split_at(OUTER_DEPTH.min(stack.len()));
        let rest = rest.get(inner.saturating_sub(OUTER_DEPTH)..).unwrap_or_default();
        self.tree.truncated |= outer.len() + rest.len() < stack.len();
        let mut at = None;
        for site in outer.iter().chain(rest) {
            let Some(node) = self.child(at, *site) else { break };
            at = Some(node);
        }
        let node = at.and_then(|at| self.tree.nodes.get_mut(at as usize));
        if let Some(node) = node {
            node.running += running;
            node.waiting += waiting;
            node.samples += samples;
        }
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
        self.tree.nodes.push(CallNode { parent, site, running: 0.0, waiting: 0.0, samples: 0 });
        self.children.insert((parent, site), number);
        Some(number)
    }

    /// The tree.
    pub fn finish(mut self) -> CallTree {
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
