//! Work on lists that grows with their length.

use super::super::code::{Id, Ty};
use super::super::thresholds::{PASSES as PASSES_LIMIT, PLACE_SHARE, SURE_SHARE};
use super::figures::numbers;
use super::place::{Seen, Site};
use super::table::{PLACE, SURE};
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const MEMBERSHIP: Rule = Rule {
    id: "list-membership-in-loop",
    title: "search through a list in a loop",
    kind: Kind::Cpu,
    detects: "`x in y`, `x not in y`, `y.count(x)` or `y.index(x)`, in a loop or a function, where `y` is a name that is only ever bound \
              to lists or tuples and is not a short literal",
    counts: "the statement, the line after it, and the lines of its loop that call nothing: Scalene \
             charges operators to their neighbours",
    advice: "Keep the values in a set (or a dict beside the list) and ask that; values must be hashable.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "`in` on a list compares item by item; on a set it is one hash (Python wiki, TimeComplexity)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(membership),
};

/// Literal lists up to this length are searched as fast as a set.
const SHORT_LITERAL: usize = 8;

fn membership(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = scans(seen);
    for test in seen.each("comparison_operator") {
        let parts: Vec<_> = seen.children(test).collect();
        let [left, operator, right] = parts.as_slice() else { continue };
        if !matches!(seen.text(*operator), "in" | "not in") || !seen.repeats(test) {
            continue;
        }
        let named = matches!(seen.kind(*right), "identifier" | "attribute");
        if !named || !matches!(seen.ty(*right), Ty::List | Ty::Tuple) || is_short(seen, *right) {
            continue;
        }
        let (line, list) = (seen.line(test), seen.quoted(*right));
        let site = Site::new(
            seen.at(test),
            seen.by_operator(test),
            format!(
                "line {line} searches the list `{list}` from its start {}",
                seen.how_often(test)
            ),
            format!(
                "build a set beside `{list}` (`{list}_set = set({list})`, updated where `{list}` \
                 grows) and test `{} {} {list}_set` on line {line}, if its items are hashable",
                seen.quoted(*left),
                seen.text(*operator),
            ),
        );
        sites.push(site.maybe(seen.spread_note(test)));
    }
    sites
}

/// `x.count(y)` and `x.index(y)` on a list.
fn scans(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some((list, method)) = seen.method(call) else { continue };
        let scans = matches!(method, "count" | "index");
        let named = matches!(seen.kind(list), "identifier" | "attribute");
        if !(scans && named && seen.repeats(call))
            || seen.ty(list) != Ty::List
            || is_short(seen, list)
        {
            continue;
        }
        let (line, name) = (seen.line(call), seen.quoted(list));
        let advice = if method == "count" {
            format!(
                "count all items of `{name}` once (`collections.Counter({name})`) and look the number up on line {line}"
            )
        } else {
            format!(
                "keep a dict from item to position beside `{name}` and look the position up on line {line}, if items \
                 are hashable"
            )
        };
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!(
                "line {line} goes through all of the list `{name}` ({method}) {}",
                seen.how_often(call)
            ),
            advice,
        ));
    }
    sites
}

fn is_short(seen: &Seen<'_>, list: Id) -> bool {
    let Some(values) = seen.values(list) else { return false };
    values.iter().all(|value| {
        value.is_some_and(|value| {
            let items = seen.children(value).count();
            matches!(seen.kind(value), "list" | "tuple") && (1..=SHORT_LITERAL).contains(&items)
        })
    })
}

pub(super) const FRONT: Rule = Rule {
    id: "list-shift-in-loop",
    title: "insert or pop at the front of a list",
    kind: Kind::Cpu,
    detects: "`x.insert(0, …)` or `x.pop(0)` in a loop or a function, where `x` is a list or of unknown type",
    counts: "the statement",
    advice: "Use `collections.deque` with `appendleft` and `popleft`, or work from the end of the list.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "both move every item of the list (Python tutorial 5.1.2)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(front),
};

fn front(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some((object, name)) = seen.method(call) else { continue };
        let args = seen.args(call);
        let zero = args.first().is_some_and(|first| seen.text(*first) == "0");
        let wanted = (name == "insert" && args.len() == 2) || (name == "pop" && args.len() == 1);
        let ty = seen.ty(object);
        if !wanted || !zero || !seen.repeats(call) || !matches!(ty, Ty::List | Ty::Unknown) {
            continue;
        }
        let list = seen.quoted(object);
        let sure = if ty == Ty::List { String::new() } else { format!(", if `{list}` is a list") };
        let instead = if name == "pop" { "popleft()" } else { "appendleft(…)" };
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!(
                "line {} moves all items of `{list}` {}{sure}",
                seen.line(call),
                seen.how_often(call)
            ),
            format!(
                "make `{list}` a `collections.deque` and use `{list}.{instead}` on line {}{sure}",
                seen.line(call)
            ),
        ));
    }
    sites
}

pub(super) const SORT: Rule = Rule {
    id: "sort-in-loop",
    title: "the same list sorted in every round",
    kind: Kind::Cpu,
    detects: "`sorted(x)` or `x.sort()` in a loop that does not bind `x` itself, or in a function that adds an item to an `x` \
              which outlives the call",
    counts: "the statement",
    advice: "Sort once after the loop, keep the list sorted with `bisect.insort`, or use `heapq` when only \
             the smallest or largest item is needed.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "a sort is at least one pass over the list, n log n if it is not sorted yet (listsort.txt)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(sort),
};

fn sort(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let sorted = seen.callee(call).is_some_and(|path| path == "sorted");
        let list = match seen.method(call) {
            Some((object, "sort")) if matches!(seen.ty(object), Ty::List | Ty::Unknown) => {
                Some(object)
            }
            None if sorted => seen.args(call).first().copied(),
            _ => None,
        };
        let Some(list) = list.filter(|list| matches!(seen.kind(*list), "identifier" | "attribute"))
        else {
            continue;
        };
        let name = seen.quoted(list);
        let Some(looped) = seen.looped(call) else {
            // Sorted on every call of a function that adds one item to it.
            if let Some(added) = added_beside(seen, call, list) {
                sites.push(Site::new(
                    seen.at(call),
                    seen.by_statement(call),
                    format!(
                        "line {} sorts all of `{name}` {}, after line {added} added to it",
                        seen.line(call),
                        seen.how_often(call)
                    ),
                    format!(
                        "replace lines {added} and {} by `bisect.insort({name}, …)` (with `key=` from Python 3.10), \
                         by a heap (`heapq`) if only the smallest item is taken, or sort once where `{name}` is read",
                        seen.line(call)
                    ),
                ));
            }
            continue;
        };
        if seen.binds_anew(looped, list, None) {
            continue;
        }
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {} sorts `{name}` {}", seen.line(call), seen.how_often(call)),
            format!(
                "sort `{name}` once outside the loop on line {}; if it grows in the loop, use \
                 `bisect.insort({name}, …)`, or `heapq` when only its ends are read",
                seen.line(looped)
            ),
        ));
    }
    sites
}

/// The line of the same function that adds an item to a list which outlives the call.
fn added_beside(seen: &Seen<'_>, call: Id, list: Id) -> Option<u32> {
    let function = seen.function(call).filter(|function| seen.is_tight(*function))?;
    let own = seen.kind(list) == "identifier" && seen.binding_scope(list) == Some(function);
    if own {
        return None;
    }
    let name = seen.text(list);
    let adds = seen.calls_in(function).find(|other| {
        seen.method(*other).is_some_and(|(object, method)| {
            matches!(method, "append" | "insert") && seen.text(object) == name
        })
    })?;
    Some(seen.line(adds))
}

pub(super) const PASSES: Rule = Rule {
    id: "repeated-passes",
    title: "several loops over the same data",
    kind: Kind::Cpu,
    detects: "loops, comprehensions or generators over the same name, side by side in one block, at least as \
              many as PASSES, with nothing that binds the name between them",
    counts: "the statements of all passes",
    advice: "Compute the results in one loop over the data.",
    limits: SURE,
    thresholds: &[&SURE_SHARE, &PASSES_LIMIT],
    source: "each pass costs the loop's own overhead and reads all items again",
    at_most: Severity::Medium,
    knows: Knows::Hint,
    look: Look::Code(passes),
};

fn passes(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    let blocks = seen.all().filter(|id| matches!(seen.kind(*id), "block" | "module"));
    for block in blocks {
        let mut by_name: Vec<(&str, Vec<Id>)> = Vec::new();
        for statement in seen.children(block) {
            let Some(data) = passed_over(seen, statement) else { continue };
            let name = seen.text(data);
            match by_name.iter_mut().find(|(known, _)| *known == name) {
                Some((_, statements)) => statements.push(statement),
                None => by_name.push((name, vec![statement])),
            }
        }
        for (name, statements) in by_name {
            #[expect(clippy::cast_precision_loss, reason = "a number of statements")]
            let enough = statements.len() as f64 >= PASSES_LIMIT.value;
            let (Some(first), Some(last)) = (statements.first(), statements.last()) else {
                continue;
            };
            if !enough {
                continue;
            }
            let lines: Vec<_> = statements.iter().map(|id| seen.lines(*id)).collect();
            let starts: Vec<_> = lines.iter().map(|(line, _)| *line).collect();
            sites.push(
                Site::new(
                    (seen.line(*first), seen.lines(*last).1),
                    lines,
                    format!(
                        "`{name}` is looped over {} times, on lines {}",
                        starts.len(),
                        numbers(&starts)
                    ),
                    format!(
                        "compute what lines {} need in one loop over `{name}`",
                        numbers(&starts)
                    ),
                )
                .note("what the passes compute stays; only the repeated looping goes away"),
            );
        }
    }
    sites
}

/// The name that a statement loops over in Python code.
fn passed_over(seen: &Seen<'_>, statement: Id) -> Option<Id> {
    let data = match seen.kind(statement) {
        "for_statement" => seen.child(statement, "right"),
        "expression_statement" | "return_statement" => {
            let clause = seen.below(statement).find(|id| seen.kind(*id) == "for_in_clause")?;
            seen.child(clause, "right")
        }
        _ => None,
    }?;
    (seen.kind(data) == "identifier").then_some(data)
}
