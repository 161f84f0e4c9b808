//! Loops in loops that look for a partner.

use std::collections::HashSet;

use super::super::code::Id;
use super::super::thresholds::PLACE_SHARE;
use super::place::{Seen, Site};
use super::table::PLACE;
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const JOIN: Rule = Rule {
    id: "nested-loop-join",
    title: "a loop in a loop that looks for equal keys",
    kind: Kind::Cpu,
    detects: "a loop or comprehension inside a loop, over data that the outer loop does not change, with a \
              condition `a == b` of which one side is of the inner and the other of the outer item",
    counts: "the inner loop",
    advice: "Index the inner data by the key in a dict before the outer loop and look the key up.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "n × m comparisons become n + m steps (hash join)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(join),
};

fn join(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for test in seen.each("comparison_operator") {
        let parts: Vec<_> = seen.children(test).collect();
        let [left, operator, right] = parts.as_slice() else { continue };
        if seen.text(*operator) != "==" || !is_condition(seen, test) {
            continue;
        }
        let Some((target, data, counted)) = inner_loop(seen, test) else { continue };
        let Some(outer) = outer_loop(seen, counted, data) else { continue };
        if !matches!(seen.kind(data), "identifier" | "attribute")
            || !seen.is_tight(outer)
            || !seen.is_invariant(data, outer)
        {
            continue;
        }
        let inner_names = names(seen, target);
        let outer_names = outer_names(seen, outer, counted);
        let uses = |side: Id, known: &HashSet<&str>| {
            names(seen, side).intersection(known).next().is_some()
        };
        let (key, partner) = match (uses(*left, &inner_names), uses(*right, &inner_names)) {
            (true, false) if uses(*right, &outer_names) => (*left, *right),
            (false, true) if uses(*left, &outer_names) => (*right, *left),
            _ => continue,
        };
        let (data, line) = (seen.quoted(data), seen.line(counted));
        sites.push(Site::new(
            seen.lines(counted),
            seen.by_loop(counted),
            format!(
                "line {line} goes through all of `{data}` in every round of the loop on line {} to find \
                 where `{}`",
                seen.line(outer),
                seen.quoted(test)
            ),
            format!(
                "before line {}, put the items of `{data}` in a dict by `{}` (a list per key if keys \
                 repeat), and look `{}` up instead of the loop on line {line}",
                seen.line(outer),
                seen.quoted(key),
                seen.quoted(partner)
            ),
        ));
    }
    sites
}

/// Whether a comparison decides about an item: the condition of `if`, alone or in an `and`.
fn is_condition(seen: &Seen<'_>, test: Id) -> bool {
    for above in seen.ancestors(test) {
        match seen.kind(above) {
            "boolean_operator"
                if seen.child(above, "operator").is_some_and(|o| seen.text(o) == "and") => {}
            "parenthesized_expression" => {}
            "if_clause" => return true,
            "if_statement" => {
                let condition = seen.child(above, "condition");
                return condition.is_some_and(|condition| seen.within(test, condition));
            }
            _ => return false,
        }
    }
    false
}

/// Target, data and node of the loop whose item the condition filters.
fn inner_loop(seen: &Seen<'_>, test: Id) -> Option<(Id, Id, Id)> {
    let looped = seen.looped(test)?;
    if seen.kind(looped) == "for_statement" {
        let (target, data) = (seen.child(looped, "left")?, seen.child(looped, "right")?);
        return Some((target, data, looped));
    }
    let clause = seen.children(looped).filter(|id| seen.kind(*id) == "for_in_clause").last()?;
    Some((seen.child(clause, "left")?, seen.child(clause, "right")?, looped))
}

/// The loop around it: the enclosing loop, or the same comprehension when it has several `for`.
fn outer_loop(seen: &Seen<'_>, inner: Id, data: Id) -> Option<Id> {
    let within = seen.looped(data).filter(|looped| *looped == inner);
    within.or_else(|| seen.looped(inner))
}

fn outer_names<'s>(seen: &Seen<'s>, outer: Id, inner: Id) -> HashSet<&'s str> {
    let mut found = HashSet::new();
    if let Some(target) = seen.child(outer, "left") {
        found.extend(names(seen, target));
    }
    let clauses: Vec<_> =
        seen.children(outer).filter(|id| seen.kind(*id) == "for_in_clause").collect();
    let own = usize::from(outer == inner);
    for clause in clauses.iter().take(clauses.len().saturating_sub(own)) {
        if let Some(target) = seen.child(*clause, "left") {
            found.extend(names(seen, target));
        }
    }
    // Names worked out in the outer loop's round, before the inner loop.
    if outer != inner {
        for assignment in seen.below(outer).filter(|id| seen.kind(*id) == "assignment") {
            if !seen.within(assignment, inner)
                && let Some(target) = seen.child(assignment, "left")
            {
                found.extend(names(seen, target));
            }
        }
    }
    found
}

fn names<'s>(seen: &Seen<'s>, id: Id) -> HashSet<&'s str> {
    std::iter::once(id)
        .chain(seen.below(id))
        .filter(|node| seen.kind(*node) == "identifier" && seen.role(*node) != "attribute")
        .map(|node| seen.text(node))
        .collect()
}
