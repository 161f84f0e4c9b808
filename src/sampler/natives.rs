//! Names for the machine code that ran below the program's lines: which routine of BLAS, of a parser, of the
//! interpreter.
//!
//! While the program runs, addresses are kept only; which functions they are in is looked up once, at
//! the end. A function with a good part of a place's time becomes a call of that place.

use std::collections::{BTreeMap, HashMap};

use super::attribution::Code;
use super::code::{CodeMap, Image, names};
use crate::profile::{CallNode, CallTreeBuilder, NativePart};

/// Pairs of a place and an address that are kept.
const MOST_KEPT: usize = 20_000;
/// Part of a place's running time from which a native function is told.
const TOLD: f64 = 0.1;
/// Part of a place's time in the interpreter's loop, up to which functions of the interpreter and of the
/// system are told: above, they are what bytecode needs.
const LOOPED: f64 = 0.08;
/// What Scalene's allocator calls around each allocation of the program.
const PROFILERS: [&str; 2] = ["pthread_setspecific", "pthread_getspecific"];
/// What code is called whose file has no name for it.
const NAMELESS: &str = "<native code>";

/// Machine code that was met.
#[derive(Debug, Default)]
pub(super) struct Natives {
    seen: HashMap<(u32, u64), NativePart>,
}

impl Natives {
    /// A thread ran this address below a node, in a read that stands for these seconds.
    pub(super) fn note(&mut self, node: u32, address: u64, seconds: f64) {
        let known = self.seen.contains_key(&(node, address));
        if known || self.seen.len() < MOST_KEPT {
            let part = self.seen.entry((node, address)).or_default();
            part.seconds += seconds;
            part.samples += 1;
        }
    }

    /// Makes calls of the functions that took a good part of their caller's time.
    pub(super) fn name(self, code: &CodeMap, tree: &mut CallTreeBuilder) {
        let mut addresses: HashMap<Image, Vec<u64>> = HashMap::new();
        for (_, address) in self.seen.keys() {
            if let Some((image, _)) = code.image(*address) {
                addresses.entry(image.clone()).or_default().push(*address);
            }
        }
        let mut known: HashMap<u64, String> = HashMap::new();
        for (image, mut list) in addresses {
            list.sort_unstable();
            list.dedup();
            known.extend(names(&image, &list));
        }
        // In order, so that the same samples make the same tree.
        let mut calls: BTreeMap<(u32, String, String), (NativePart, Code)> = BTreeMap::new();
        for ((node, address), part) in self.seen {
            let Some((image, code)) = code.image(address) else { continue };
            let file = image.file.to_string_lossy();
            let name = known.get(&address).map(String::as_str);
            let nameless = (code == Code::Extension).then_some(NAMELESS);
            let Some(name) = name.or(nameless).filter(|_| !file.starts_with('[')) else { continue };
            let key = (node, file.into_owned(), name.to_owned());
            let (sum, _) = calls.entry(key).or_insert((NativePart::default(), code));
            sum.seconds += part.seconds;
            sum.samples += part.samples;
        }
        let places: HashMap<u32, CallNode> =
            calls.keys().filter_map(|(node, ..)| Some((*node, tree.node(*node)?))).collect();
        for ((node, file, name), (part, code)) in calls {
            let Some(place) = places.get(&node) else { continue };
            let parts = place.code;
            let known =
                parts.in_loop + parts.in_interpreter + parts.in_extensions + parts.in_system;
            let of_profiler = PROFILERS.iter().any(|function| name.ends_with(function));
            let of_python = code != Code::Extension && parts.in_loop > LOOPED * known;
            if !of_python && !of_profiler && part.seconds >= TOLD * place.running {
                tree.split_off(node, &file, &name, part);
            }
        }
    }
}
