//! Who calls whom, and what that takes: the sandwich view of sampled calls.
//!
//! A function that calls itself directly is one step of a path, however deep it goes. Of a library only
//! the function that the user's code calls is a step, unless another one is asked for. Seconds
//! are those of threads: of several threads they add up to more than the run took.

use std::collections::{HashMap, HashSet};

use crate::profile::{CallSite, CallTree, FileProfile, LineNo, Profile, Seconds};

/// Which way to look from a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Who calls it, innermost first.
    Callers,
    /// What it calls.
    Callees,
}

/// Where to look from.
#[derive(Debug, Clone, Copy)]
pub enum From<'a> {
    /// The outermost calls.
    Start,
    /// Every function of this name: qualified, or the last part of it.
    Function(&'a str),
    /// One line of a file.
    Line(&'a str, LineNo),
}

/// A function on the way, reached by one line of its neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Steps from the start.
    pub depth: usize,
    /// File of the function.
    pub file: String,
    /// Its qualified name; of machine code the symbol.
    pub function: String,
    /// It is machine code, and its file a library or a program.
    pub native: bool,
    /// Line of the call: in the step before (callees), or in this function (callers).
    pub call_line: Option<u32>,
    /// Seconds in it and in all that it calls on this path; of callers: in what was looked from.
    pub total: f64,
    /// Part of that in which the thread waited.
    pub waiting: f64,
    /// Seconds in its own lines; of callers: of paths that begin here.
    pub own: f64,
    /// Of its own lines the one with most seconds, and these.
    pub hottest: Option<(u32, f64)>,
}

/// Calls from one place on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Calls {
    /// The heaviest, in the order of a tree: each after what it is reached from.
    pub calls: Vec<Call>,
    /// Calls left out.
    pub omitted: usize,
    /// Seconds of all calls from there.
    pub total: f64,
    /// Seconds of all sampled calls.
    pub whole: f64,
    /// Part of `total` that ends in what is listed.
    pub shown: f64,
    /// Samples behind `total`.
    pub samples: u64,
}

/// Seconds as they are kept in a tree.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    running: f64,
    waiting: f64,
    samples: u32,
}

impl Weight {
    fn seconds(self) -> f64 {
        self.running + self.waiting
    }
}

/// One step of a path after recursion and the inside of libraries were folded.
#[derive(Debug, Clone, Copy)]
struct Step {
    function: u32,
    /// Line in it that leads on; none where that is inside a library.
    line: Option<u32>,
    library: bool,
    /// It is what was asked for.
    meant: bool,
}

/// A step reached on one way.
#[derive(Debug, Default)]
struct Place {
    above: Option<usize>,
    depth: usize,
    function: u32,
    line: Option<u32>,
    total: f64,
    waiting: f64,
    own: f64,
    lines: HashMap<u32, f64>,
}

/// Follows the calls of a profile; `None` when no calls were sampled. At most `limit` of them, none
/// further away than `depth`.
pub fn calls(
    profile: &Profile,
    from: From<'_>,
    direction: Direction,
    depth: usize,
    limit: usize,
) -> Option<Calls> {
    let tree = &profile.calls.as_ref()?.tree;
    let mut names = Names::new(profile, tree);
    let mut places: Vec<Place> = Vec::new();
    let mut known: HashMap<(Option<usize>, u32, Option<u32>), usize> = HashMap::new();
    let (mut total, mut whole, mut samples) = (0.0, 0.0, 0);
    for (node, weight) in weights(tree) {
        whole += weight.seconds();
        let steps = steps(tree, node, from, &mut names);
        let Some(path) = path(&steps, from, direction) else { continue };
        total += weight.seconds();
        samples += u64::from(weight.samples);
        let mut above = None;
        for (index, step) in path.iter().enumerate() {
            let line = match direction {
                Direction::Callees => {
                    index.checked_sub(1).and_then(|before| path.get(before)?.line)
                }
                Direction::Callers => step.line.filter(|_| index > 0),
            };
            let place = *known.entry((above, step.function, line)).or_insert_with(|| {
                places.push(Place {
                    above,
                    depth: index,
                    function: step.function,
                    line,
                    ..Place::default()
                });
                places.len() - 1
            });
            if let Some(place) = places.get_mut(place) {
                place.total += weight.seconds();
                place.waiting += weight.waiting;
                if index + 1 == path.len() {
                    place.own += weight.seconds();
                    if let Some(line) = step.line {
                        *place.lines.entry(line).or_default() += weight.seconds();
                    }
                }
            }
            above = Some(place);
        }
    }
    let chosen = heaviest(&places, depth, limit);
    let shown = chosen.iter().filter_map(|index| places.get(*index)).map(|place| place.own).sum();
    let listed = in_order(&places, &chosen);
    let calls = listed.iter().filter_map(|index| Some(names.call(places.get(*index)?, direction)));
    let calls: Vec<Call> = calls.collect();
    Some(Calls { omitted: places.len() - calls.len(), calls, total, whole, shown, samples })
}

/// The file of sampled calls that is meant by its path, its path below the project root, or the end
/// of its path; `None` when there is none, or several are.
pub fn called_file<'a>(profile: &'a Profile, wanted: &str) -> Option<&'a str> {
    let functions = &profile.calls.as_ref()?.tree.functions;
    let mut files: Vec<&str> = functions.iter().map(|function| &*function.file).collect();
    files.sort_unstable();
    files.dedup();
    let wanted = wanted.trim_start_matches("./").replace('\\', "/");
    let suffix = format!("/{wanted}");
    let exact = |file: &&str| **file == wanted || profile.display_path(file) == wanted;
    let ends = |file: &&str| file.replace('\\', "/").ends_with(&suffix);
    let exact = files.iter().copied().find(exact);
    let mut ending = files.iter().copied().filter(ends);
    exact.or_else(|| ending.next().filter(|_| ending.next().is_none()))
}

/// All functions with sampled calls, by seconds in them and what they call: for suggestions.
pub fn called_functions(profile: &Profile) -> Vec<(String, Seconds)> {
    let Some(calls) = &profile.calls else { return Vec::new() };
    let mut names = Names::new(profile, &calls.tree);
    let mut seconds: HashMap<u32, f64> = HashMap::new();
    for (node, weight) in weights(&calls.tree) {
        let mut seen: Vec<u32> = Vec::new();
        for step in steps(&calls.tree, node, From::Start, &mut names) {
            if !seen.contains(&step.function) {
                seen.push(step.function);
                *seconds.entry(step.function).or_default() += weight.seconds();
            }
        }
    }
    let mut all: Vec<_> = seconds
        .into_iter()
        .filter_map(|(function, sum)| {
            Some((names.all.get(function as usize)?.1.clone(), Seconds::from_secs(sum)?))
        })
        .collect();
    all.sort_by(|a, b| b.1.get().total_cmp(&a.1.get()).then_with(|| a.0.cmp(&b.0)));
    all
}

fn weights(tree: &CallTree) -> impl Iterator<Item = (u32, Weight)> {
    (0_u32..).zip(&tree.nodes).filter(|(_, node)| node.samples > 0).map(|(index, node)| {
        let (running, waiting, samples) = (node.running, node.waiting, node.samples);
        (index, Weight { running, waiting, samples })
    })
}

/// The steps to a node, outermost first.
fn steps(tree: &CallTree, node: u32, from: From<'_>, names: &mut Names<'_>) -> Vec<Step> {
    let mut sites: Vec<CallSite> = tree.path(node).map(|node| node.site).collect();
    sites.reverse();
    let mut steps: Vec<Step> = Vec::with_capacity(sites.len());
    for site in sites {
        let line = Some(site.line).filter(|line| *line > 0);
        let function = names.of(site);
        let meant = names.is(from, function, site.line);
        let library = tree.function(site).is_some_and(|function| function.library);
        match steps.last_mut() {
            Some(last) if last.function == function => {
                last.line = line.filter(|_| last.line.is_some());
                last.meant |= meant;
            }
            // Deeper in the library.
            Some(last) if last.library && library && !meant => last.line = None,
            _ => steps.push(Step { function, line, library, meant }),
        }
    }
    steps
}

/// The part of a path that was asked for, in the order in which it is followed.
fn path(steps: &[Step], from: From<'_>, direction: Direction) -> Option<Vec<Step>> {
    if matches!(from, From::Start) {
        return Some(steps.to_vec());
    }
    let first = steps.iter().position(|step| step.meant)?;
    Some(match direction {
        Direction::Callees => steps.get(first..)?.to_vec(),
        Direction::Callers => steps.get(..=first)?.iter().rev().copied().collect(),
    })
}

/// Smallest part of what was asked for that is worth a row.
const SMALLEST: f64 = 0.005;

/// Indices of the heaviest places; what leads to one is at least as heavy, and made before it.
fn heaviest(places: &[Place], depth: usize, limit: usize) -> Vec<usize> {
    let total: f64 = places.iter().filter(|place| place.above.is_none()).map(|p| p.total).sum();
    let mut order: Vec<(usize, &Place)> = { places.iter().enumerate() }
        .filter(|(_, place)| place.depth < depth && place.total >= SMALLEST * total)
        .collect();
    order.sort_by(|(_, a), (_, b)| b.total.total_cmp(&a.total));
    order.into_iter().take(limit).map(|(index, _)| index).collect()
}

/// The chosen places as a tree, heaviest first on each level.
fn in_order(places: &[Place], chosen: &[usize]) -> Vec<usize> {
    let above = |index: &usize| places.get(*index).and_then(|place| place.above);
    let mut stack: Vec<usize> =
        chosen.iter().rev().copied().filter(|index| above(index).is_none()).collect();
    let mut listed = Vec::with_capacity(chosen.len());
    while let Some(index) = stack.pop() {
        listed.push(index);
        stack.extend(chosen.iter().rev().copied().filter(|other| above(other) == Some(index)));
    }
    listed
}

/// Functions by file and name as the rest of the profile names them.
struct Names<'a> {
    tree: &'a CallTree,
    files: HashMap<&'a str, &'a FileProfile>,
    all: Vec<(String, String)>,
    numbers: HashMap<(String, String), u32>,
    sites: HashMap<CallSite, u32>,
    natives: HashSet<u32>,
}

impl<'a> Names<'a> {
    fn new(profile: &'a Profile, tree: &'a CallTree) -> Self {
        let files = profile.files.iter().map(|file| (file.path.as_str(), file)).collect();
        Self {
            tree,
            files,
            all: Vec::new(),
            numbers: HashMap::new(),
            sites: HashMap::new(),
            natives: HashSet::new(),
        }
    }

    fn of(&mut self, site: CallSite) -> u32 {
        if let Some(known) = self.sites.get(&site) {
            return *known;
        }
        let called = self.tree.function(site);
        let (file, name) = called.map_or(("", ""), |f| (&*f.file, &*f.name));
        let name = self.name(file, name, site.line);
        let key = (file.to_owned(), name);
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(key.clone()).or_insert_with(|| {
            self.all.push(key);
            next
        });
        self.sites.insert(site, number);
        if called.is_some_and(|function| function.native) {
            self.natives.insert(number);
        }
        number
    }

    /// Python before 3.11 knows only the last part of a name, and a comprehension has a frame of its
    /// own: the stored source knows better.
    fn name(&self, file: &str, name: &str, line: u32) -> String {
        let plain = name.rsplit('.').next().unwrap_or(name);
        let comprehension =
            matches!(plain, "<listcomp>" | "<dictcomp>" | "<setcomp>" | "<genexpr>");
        let source = self.files.get(file).zip(LineNo::new(line));
        let owner = source.map(|(file, line)| {
            let index = file.function_index(line);
            index.and_then(|index| file.functions().get(index)).map_or("<module>", |f| &*f.name)
        });
        let fits = |owner: &&str| comprehension || owner.rsplit('.').next() == Some(plain);
        let around = name.rsplit_once(".<locals>.").map(|(around, _)| around);
        let known = owner.filter(fits).or(around.filter(|_| comprehension));
        known.unwrap_or(name).to_owned()
    }

    fn is(&self, from: From<'_>, function: u32, line: u32) -> bool {
        let Some((file, name)) = self.all.get(function as usize) else { return false };
        match from {
            From::Start => false,
            From::Function(wanted) => name == wanted || name.rsplit('.').next() == Some(wanted),
            From::Line(of, wanted) => file == of && line == wanted.get(),
        }
    }

    fn call(&self, place: &Place, direction: Direction) -> Call {
        let (file, function) = self.all.get(place.function as usize).cloned().unwrap_or_default();
        let hottest = place.lines.iter().max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
        Call {
            depth: place.depth,
            file,
            function,
            native: self.natives.contains(&place.function),
            call_line: place.line,
            total: place.total,
            waiting: place.waiting,
            own: place.own,
            hottest: hottest
                .filter(|_| direction == Direction::Callees)
                .map(|(line, seconds)| (*line, *seconds)),
        }
    }
}
