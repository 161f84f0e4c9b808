//! What is known of a run while it goes on: the lines that took most of the time so far.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::confine::Confinement;
use super::naming::real_path_from;
use super::place::Place;
use super::setup::Ready;
use super::shown::Shown;
use crate::profile::{CallTree, CalledFunction, Interim, InterimLine, LineNo, Percent, Source};
use crate::sampler::Sampler;
use crate::scalene::{HIDDEN_FILE, RecordOptions, Scope};

/// Time between two looks.
const AGAIN: Duration = Duration::from_secs(1);
/// Lines that are told.
const MOST_LINES: usize = 5;

/// Looks at a running program now and then.
pub(super) struct Watcher {
    scope: Scope,
    libraries: Vec<PathBuf>,
    shown: Shown,
    root: PathBuf,
    /// Where the program runs.
    cwd: PathBuf,
    confinement: Confinement,
    /// By number of the function: its file as it is shown, if it is the user's.
    own: Vec<Option<Arc<str>>>,
    sources: HashMap<String, Source>,
    last: Instant,
}

impl Watcher {
    pub(super) fn new(
        options: &RecordOptions,
        ready: &Ready,
        place: &Place,
        shown: &Shown,
        confinement: &Confinement,
    ) -> Self {
        Self {
            libraries: ready.interpreter.library_paths.clone(),
            shown: shown.clone(),
            root: place.root.clone(),
            confinement: confinement.clone(),
            ..Self::of(&options.scope, &place.root, &place.cwd)
        }
    }

    /// Looks at a process that somebody else started.
    pub(super) fn of(scope: &Scope, root: &Path, cwd: &Path) -> Self {
        Self {
            scope: scope.clone(),
            libraries: Vec::new(),
            shown: Shown::default(),
            root: root.to_owned(),
            cwd: cwd.to_owned(),
            confinement: Confinement::default(),
            own: Vec::new(),
            sources: HashMap::new(),
            last: Instant::now(),
        }
    }

    /// The lines so far, once a second.
    pub(super) fn look(&mut self, sampler: &Sampler) -> Option<Interim> {
        if self.last.elapsed() < AGAIN {
            return None;
        }
        self.last = Instant::now();
        let times = sampler.so_far(|tree| self.times(tree));
        let seconds: f64 = times.values().map(|time| time.0 + time.1).sum();
        let mut lines: Vec<_> = times.into_iter().collect();
        lines.sort_by(|(a, x), (b, y)| {
            (y.0 + y.1).total_cmp(&(x.0 + x.1)).then_with(|| (&a.0, a.1).cmp(&(&b.0, b.1)))
        });
        let line = |((file, line, function), (running, waiting)): (Key, (f64, f64))| {
            let share = |part| Percent::of_whole(part, seconds).unwrap_or_default();
            InterimLine {
                location: crate::profile::place(self.display(&file), line, None),
                function,
                content: self.text(&file, line),
                part: share(running + waiting),
                waiting: share(waiting),
            }
        };
        let lines = lines.into_iter().take(MOST_LINES).map(line).collect();
        (seconds > 0.0).then_some(Interim { lines, seconds })
    }

    /// Wall seconds, running and waiting, by the innermost line of the user's code.
    fn times(&mut self, tree: &CallTree) -> HashMap<Key, (f64, f64)> {
        for function in tree.functions.iter().skip(self.own.len()) {
            let own = self.file(function);
            self.own.push(own);
        }
        let mut innermost: Vec<Option<(u32, u32)>> = Vec::with_capacity(tree.nodes.len());
        let mut sums: HashMap<(u32, u32), (f64, f64)> = HashMap::new();
        for node in &tree.nodes {
            let site = node.site;
            let is_own = self.own.get(site.function as usize).is_some_and(Option::is_some);
            let caller = || *innermost.get(node.parent? as usize)?;
            let at = is_own.then_some((site.function, site.line)).or_else(caller);
            innermost.push(at);
            if let Some(at) = at.filter(|_| node.wall_running + node.wall_waiting > 0.0) {
                let sum = sums.entry(at).or_default();
                sum.0 += node.wall_running;
                sum.1 += node.wall_waiting;
            }
        }
        let named = |((function, line), time): ((u32, u32), (f64, f64))| {
            let file = self.own.get(function as usize)?.clone()?;
            let name = tree.functions.get(function as usize)?.name.clone();
            Some(((file.to_string(), line, name), time))
        };
        sums.into_iter().filter_map(named).collect()
    }

    /// The file of a function of the user's code.
    fn file(&self, function: &CalledFunction) -> Option<Arc<str>> {
        if function.native || function.file == HIDDEN_FILE {
            return None;
        }
        let real = real_path_from(&self.cwd, &function.file);
        if let Some(name) = self.shown.name(&function.file).or_else(|| self.shown.name(&real)) {
            return Some(name.into());
        }
        let covers = |path: &str| self.scope.covers(path, &self.libraries);
        (covers(&function.file) || covers(&real)).then(|| real.as_str().into())
    }

    fn display<'a>(&self, file: &'a str) -> &'a str {
        let below = std::path::Path::new(file).strip_prefix(&self.root).ok();
        below.and_then(|path| path.to_str()).unwrap_or(file)
    }

    fn text(&mut self, file: &str, line: u32) -> String {
        let (confinement, shown) = (&self.confinement, &self.shown);
        let source = self.sources.entry(file.to_owned()).or_insert_with(|| {
            confinement.source(file, shown).unwrap_or_else(|| Source::new(String::new()))
        });
        let text = LineNo::new(line).and_then(|line| source.line(line));
        text.unwrap_or_default().trim().to_owned()
    }
}

/// File, line and function.
type Key = (String, u32, String);
