//! Memory that need not be held, or is never given back.

use super::super::code::{Id, Ty};
use super::super::thresholds::{
    ALLOCATED_MIB, ALLOCATED_PART, GROWN_MIB, HALF_GROWN_AT, KEPT_PART, LARGE_RANGE,
};
use super::apply::Verdict;
use super::figures::{Figures, number};
use super::place::{Seen, Site};
use super::table::ALLOCATES;
use super::{Kind, Knows, Look, Rule, Severity};
use crate::profile::{FileProfile, Percent, Profile};

pub(super) const MATERIALIZED: Rule = Rule {
    id: "materialized-iteration",
    title: "a list built only to be gone through once",
    kind: Kind::Memory,
    detects: "a list comprehension as the only argument of `sum`, `any`, `all`, `min`, `max` or `set`, or \
              `list(range(n))` looped over, on a statement that allocates much",
    counts: "the statement; severity by its part of the allocated volume",
    advice: "Drop the brackets (a generator), or loop over the range itself.",
    limits: ALLOCATES,
    thresholds: &[&ALLOCATED_MIB, &ALLOCATED_PART, &LARGE_RANGE],
    source: "a generator holds one item at a time (PEP 289)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(materialized),
};

fn materialized(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some(path) = seen.callee(call) else { continue };
        let args = seen.args(call);
        let (Some(arg), line) = (args.first().copied(), seen.line(call)) else { continue };
        let consumed = matches!(path.as_str(), "sum" | "any" | "all" | "min" | "max" | "set")
            && seen.kind(arg) == "list_comprehension"
            && args.len() == 1;
        let range = path == "list" && seen.callee(arg).is_some_and(|path| path == "range");
        let looped_over = seen.parent(call).is_some_and(|above| {
            matches!(seen.kind(above), "for_statement" | "for_in_clause")
                && seen.child(above, "right") == Some(call)
        });
        let listed = range && looped_over && is_large(seen, arg);
        if !(consumed || listed) {
            continue;
        }
        let text = seen.quoted(call);
        let (issue, advice) = if consumed {
            (
                format!("line {line} builds a list only for `{path}(…)` to go through: `{text}`"),
                format!("drop the square brackets on line {line}, `{path}(… for … in …)`"),
            )
        } else {
            (
                format!("line {line} builds a list of all numbers to loop over: `{text}`"),
                format!("loop over `{}` itself on line {line}", seen.quoted(arg)),
            )
        };
        let mut counted = seen.by_statement(call);
        // A comprehension over several lines allocates on all of them.
        counted.push(seen.lines(call));
        let site = Site::new(seen.at(call), counted, issue, advice);
        let slower = matches!(path.as_str(), "sum" | "min" | "max" | "any" | "all");
        sites.push(
            site.maybe(
                slower.then(|| "this saves memory; the time stays about the same".to_owned()),
            ),
        );
    }
    sites
}

/// A literal bound below the limit is small; what is not a literal may be large.
fn is_large(seen: &Seen<'_>, range: Id) -> bool {
    let args = seen.args(range);
    let last = args.get(args.len().min(2).saturating_sub(1));
    last.and_then(|last| seen.text(*last).replace('_', "").parse::<f64>().ok())
        .is_none_or(|count| count >= LARGE_RANGE.value)
}

pub(super) const WHOLE_FILE: Rule = Rule {
    id: "whole-file-in-memory",
    title: "a file read whole to go through its lines",
    kind: Kind::Memory,
    detects: "`f.readlines()` or `f.read().split…()`, on a statement that allocates much",
    counts: "the statement; severity by its part of the allocated volume",
    advice: "Loop over the file itself, which gives one line at a time.",
    limits: ALLOCATES,
    thresholds: &[&ALLOCATED_MIB, &ALLOCATED_PART],
    source: "a file is its own iterator over lines (io documentation)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(whole_file),
};

fn whole_file(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some((object, name)) = seen.method(call) else { continue };
        let read =
            seen.method(object).is_some_and(|(_, inner)| matches!(inner, "read" | "read_text"));
        let lines = name == "readlines" && seen.args(call).is_empty();
        let split = read && matches!(name, "splitlines" | "split");
        if !lines && !split {
            continue;
        }
        let (line, text) = (seen.line(call), seen.quoted(call));
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} holds all lines of the file at once: `{text}`"),
            format!("loop over the open file itself (`for line in f`) instead of `{text}` on line {line}, if each line is needed once"),
        ));
    }
    sites
}

pub(super) const GROWING: Rule = Rule {
    id: "growing-container",
    title: "a container that lives as long as the program and only grows",
    kind: Kind::Memory,
    detects: "`append`, `add`, `extend` or an item set, inside a function, on a list, dict or set of the module or class \
              that nothing shrinks, on a statement that allocates, while the footprint rises steadily (HALF_GROWN_AT) by \
              GROWN_MIB or more and stays (KEPT_PART)",
    counts: "the statement; severity by its part of the allocated volume",
    advice: "Bound it (`functools.lru_cache(maxsize=…)`, `deque(maxlen=…)`), or remove what is done with.",
    limits: ALLOCATES,
    thresholds: &[&ALLOCATED_MIB, &ALLOCATED_PART, &GROWN_MIB, &KEPT_PART, &HALF_GROWN_AT],
    source: "what a module refers to is never freed; Scalene's footprint over time",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::File(still_growing, growing),
};

const SHRINKERS: &[&str] = &["pop", "popitem", "popleft", "clear", "remove", "discard"];

fn growing(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for id in seen.all() {
        let container = match seen.kind(id) {
            "call" => seen
                .method(id)
                .filter(|(_, name)| matches!(*name, "append" | "add" | "extend" | "setdefault"))
                .map(|(object, _)| object),
            "assignment" => seen
                .child(id, "left")
                .filter(|target| seen.kind(*target) == "subscript")
                .and_then(|target| seen.child(target, "value")),
            _ => None,
        };
        let Some(container) = container.filter(|_| seen.function(id).is_some()) else { continue };
        let of_module = seen.kind(container) == "identifier"
            && seen.binding_scope(container) == Some(Id::ROOT)
            && matches!(seen.ty(container), Ty::List | Ty::Dict | Ty::Set);
        if !of_module || shrinks(seen, container) {
            continue;
        }
        let (line, name) = (seen.line(id), seen.quoted(container));
        // What is put in may be made on the lines before, in the same function.
        let function = seen.function(id).unwrap_or(id);
        sites.push(
            Site::new(
                seen.at(id),
                seen.by_function(function),
                format!("line {line} adds to the module's `{name}` {}, and nothing removes from it", seen.how_often(id)),
                format!(
                    "bound `{name}` where line {line} adds to it (drop the oldest, `functools.lru_cache(maxsize=…)`, \
                     `collections.deque(maxlen=…)`), or keep it in the caller that needs it"
                ),
            )
            .note("volume counted over the whole function, where the added values are made"),
        );
    }
    sites
}

fn shrinks(seen: &Seen<'_>, container: Id) -> bool {
    let name = seen.text(container);
    seen.all().any(|id| match seen.kind(id) {
        "call" => seen.method(id).is_some_and(|(object, method)| {
            SHRINKERS.contains(&method) && seen.text(object) == name
        }),
        "delete_statement" => seen.text(id).contains(name),
        _ => false,
    })
}

fn still_growing<'a>(
    profile: &'a Profile,
    file: &'a FileProfile,
    site: &Site,
) -> Option<Verdict<'a>> {
    let footprint = profile.footprint.as_ref()?;
    let timeline = &footprint.timeline;
    let (first, last) = (timeline.first()?.1.get(), timeline.last()?.1.get());
    let peak = footprint.peak.get();
    let half = timeline.iter().find(|(_, mib)| mib.get() >= 0.5 * peak)?.0.get();
    // Scalene's own start is before the first sample.
    let start = timeline.first()?.0.get();
    let span = profile.elapsed?.get() - start;
    let half = 100.0 * (half - start) / span.max(f64::MIN_POSITIVE);
    let kept = if peak > 0.0 { 100.0 * last / peak } else { 0.0 };
    if last - first < GROWN_MIB.value || kept < KEPT_PART.value || half < HALF_GROWN_AT.value {
        return None;
    }
    let figures = Figures::of(file, &site.counted);
    let volume: f64 = profile
        .lines()
        .filter_map(|(_, line)| line.memory.as_ref())
        .map(|m| m.allocated.get())
        .sum();
    let site = site.clone().note(format!(
        "footprint {} MiB at the first sample, {} MiB at the last, peak {} MiB, half of it after {} % of the run",
        number(first),
        number(last),
        number(peak),
        number(half)
    ));
    Some(Verdict {
        file: Some(file),
        site,
        share: figures.share().filter(|share| *share > Percent::ZERO),
        weight: if volume > 0.0 { 100.0 * figures.allocated / volume } else { 0.0 },
        ceiling: None,
    })
}
