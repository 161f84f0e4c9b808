//! Work in a loop that gives the same in every round.

use std::collections::BTreeMap;

use super::super::code::Id;
use super::super::thresholds::{LOOKUPS as LOOKUPS_LIMIT, PLACE_SHARE, SURE_SHARE};
use super::place::{Seen, Site};
use super::table::{PLACE, SURE};
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const INVARIANT: Rule = Rule {
    id: "invariant-in-loop",
    title: "the same value computed in every round",
    kind: Kind::Cpu,
    detects: "`sum`, `min`, `max`, `sorted`, `any`, `all`, `tuple`, `frozenset`, `json.dumps` or a function of \
              `math` in a loop, or `set(…)` and `list(…)` to the right of `in`, with arguments that the loop \
              does not touch",
    counts: "the statement",
    advice: "Compute it once before the loop.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "CPython does not move anything out of a loop",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(invariant),
};

fn invariant(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let (Some(path), Some(looped)) = (seen.callee(call), seen.looped(call)) else { continue };
        let value = matches!(
            path.as_str(),
            "sum" | "min" | "max" | "sorted" | "any" | "all" | "tuple" | "frozenset" | "json.dumps"
        ) || path.starts_with("math.");
        let tested = matches!(path.as_str(), "set" | "list")
            && seen.parent(call).is_some_and(|above| seen.kind(above) == "comparison_operator");
        let args = seen.args(call);
        let named = args.iter().any(|arg| {
            std::iter::once(*arg).chain(seen.below(*arg)).any(|id| seen.kind(id) == "identifier")
        });
        if !(value || tested) || !named || args.iter().any(|arg| !seen.is_invariant(*arg, looped)) {
            continue;
        }
        let (line, text) = (seen.line(call), seen.quoted(call));
        let outermost = outermost_invariant(seen, &args, looped);
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} computes `{text}` {}, with the same result", seen.how_often(call)),
            format!(
                "compute `{text}` once before the loop on line {}, if nothing that the loop calls \
                     changes what it reads",
                seen.line(outermost)
            ),
        ));
    }
    sites
}

/// The outermost loop around that does not touch the arguments either.
fn outermost_invariant(seen: &Seen<'_>, args: &[Id], looped: Id) -> Id {
    let mut best = looped;
    while let Some(outer) = seen.looped(best) {
        if !args.iter().all(|arg| seen.is_invariant(*arg, outer)) {
            break;
        }
        best = outer;
    }
    best
}

pub(super) const PURE_CALL: Rule = Rule {
    id: "repeated-pure-call",
    title: "a function called with the same arguments in every round",
    kind: Kind::Cpu,
    detects: "a call, in a loop, of a function of the same file whose body has no effect outside itself, with \
              arguments that the loop does not touch",
    counts: "the statement and the lines of the called function",
    advice: "Call it once before the loop, or cache it with `functools.cache`.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "CPython does not move anything out of a loop",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(pure_call),
};

fn pure_call(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some(looped) = seen.looped(call) else { continue };
        let Some(function) = seen.definition(call) else { continue };
        let function_kind = seen.kind(function) == "function_definition";
        let args = seen.args(call);
        if !function_kind
            || args.is_empty()
            || args.iter().any(|arg| !seen.is_invariant(*arg, looped))
            || has_keywords_that_change(seen, call, looped)
            || is_cached(seen, function)
            || !seen.is_effect_free(function)
        {
            continue;
        }
        let (line, text) = (seen.line(call), seen.quoted(call));
        let mut counted = seen.by_statement(call);
        counted.extend(seen.by_function(function));
        sites.push(
            Site::new(
                seen.at(call),
                counted,
                format!("line {line} calls `{text}` {}, with the same arguments", seen.how_often(call)),
                format!(
                    "call `{text}` once before the loop on line {} and use the result on line {line}",
                    seen.line(looped)
                ),
            )
            .reached_here()
            .calls(seen.line(function)),
        );
    }
    sites
}

fn has_keywords_that_change(seen: &Seen<'_>, call: Id, looped: Id) -> bool {
    seen.child(call, "arguments").is_some_and(|list| {
        seen.children(list)
            .filter(|arg| seen.kind(*arg) == "keyword_argument")
            .filter_map(|arg| seen.child(arg, "value"))
            .any(|value| !seen.is_invariant(value, looped))
    })
}

/// Whether a function carries a cache already.
pub(super) fn is_cached(seen: &Seen<'_>, function: Id) -> bool {
    seen.parent(function).is_some_and(|above| {
        seen.kind(above) == "decorated_definition"
            && seen
                .children(above)
                .any(|part| seen.kind(part) == "decorator" && seen.text(part).contains("cache"))
    })
}

pub(super) const LOOKUPS: Rule = Rule {
    id: "repeated-lookup-in-loop",
    title: "the same attribute looked up many times in a tight loop",
    kind: Kind::Cpu,
    detects: "an attribute such as `math.sqrt` or `self.scale` read LOOKUPS times or more in one innermost loop \
              that binds neither",
    counts: "the loop",
    advice: "Bind it to a local name before the loop.",
    limits: SURE,
    thresholds: &[&SURE_SHARE, &LOOKUPS_LIMIT],
    source: "since CPython 3.11 a specialised lookup costs about 2 ns, so that the gain is a few percent of the \
             loop (PEP 659)",
    at_most: Severity::Low,
    knows: Knows::Hint,
    look: Look::Code(lookups),
};

fn lookups(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    let loops =
        seen.all().filter(|id| matches!(seen.kind(*id), "for_statement" | "while_statement"));
    for looped in loops {
        let inner = |id| matches!(seen.kind(id), "for_statement" | "while_statement");
        if !seen.is_tight(looped) || seen.below(looped).any(inner) {
            continue;
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for id in seen.below(looped).filter(|id| seen.kind(*id) == "attribute") {
            let object =
                seen.child(id, "object").filter(|object| seen.kind(*object) == "identifier");
            let fixed = object.is_some_and(|object| {
                let imported = seen.path(id).is_some();
                imported || (seen.text(object) == "self" && !seen.binds_anew(looped, id, None))
            });
            if fixed && seen.role(id) != "left" && seen.looped(id).is_some() {
                *counts.entry(seen.text(id)).or_default() += 1;
            }
        }
        let Some((name, count)) = counts.into_iter().max_by_key(|(_, count)| *count) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "a number of lookups")]
        let many = count as f64 >= LOOKUPS_LIMIT.value;
        if !many || seen.below(looped).any(|id| augments(seen, id, name)) {
            continue;
        }
        let line = seen.line(looped);
        sites.push(
            Site::new(
                seen.lines(looped),
                seen.by_loop(looped),
                format!("the loop on line {line} looks `{name}` up {count} times a round"),
                format!(
                    "bind `{} = {name}` before line {line}, if nothing in the loop changes it",
                    name.rsplit('.').next().unwrap_or(name)
                ),
            )
            .note(
                "expect a few percent of the loop: the share is the whole loop's, not the lookups'",
            ),
        );
    }
    sites
}

fn augments(seen: &Seen<'_>, id: Id, name: &str) -> bool {
    seen.kind(id) == "augmented_assignment"
        && seen.child(id, "left").is_some_and(|target| seen.text(target) == name)
}
