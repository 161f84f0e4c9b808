//! numpy arrays used as if they were lists.

use super::super::code::{Id, Ty};
use super::super::thresholds::PLACE_SHARE;
use super::place::{Seen, Site};
use super::table::PLACE;
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const ELEMENTS: Rule = Rule {
    id: "numpy-element-loop",
    title: "a Python loop over the elements of a numpy array",
    kind: Kind::Cpu,
    detects: "`for x in a`, or `a[i]` with the loop's own `i`, where `a` is a numpy array of machine numbers",
    counts: "the loop",
    advice: "Use array expressions, `np.where`, ufuncs or reductions; or `tolist()` if a loop is needed.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "each element is boxed into a Python object, about 100 times the cost of the arithmetic in a ufunc",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(elements),
};

fn elements(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for looped in seen.each("for_statement") {
        let (Some(target), Some(data)) = (seen.child(looped, "left"), seen.child(looped, "right"))
        else {
            continue;
        };
        let array =
            if seen.ty(data) == Ty::Array { Some(data) } else { indexed(seen, looped, target) };
        let Some(array) = array else { continue };
        let (line, name) = (seen.line(looped), seen.quoted(array));
        let site = Site::new(
            seen.lines(looped),
            seen.by_loop(looped),
            format!("the loop on line {line} takes the elements of the array `{name}` one by one"),
            format!(
                "replace the loop on line {line} by array expressions on `{name}` (arithmetic, \
                 `np.where`, `.sum()`, …); if rounds depend on each other, loop over `{name}.tolist()`"
            ),
        );
        let inside = seen.children(looped).find(|child| seen.kind(*child) == "block");
        sites.push(site.maybe(inside.and_then(|inside| seen.spread_note(inside))));
    }
    sites
}

fn indexed(seen: &Seen<'_>, looped: Id, target: Id) -> Option<Id> {
    let names: Vec<_> = std::iter::once(target)
        .chain(seen.below(target))
        .filter(|id| seen.kind(*id) == "identifier")
        .map(|id| seen.text(id))
        .collect();
    seen.below(looped).filter(|id| seen.kind(*id) == "subscript").find_map(|id| {
        let array = seen.child(id, "value")?;
        let index = seen.children(id).filter(|part| seen.role(*part) == "subscript").last()?;
        let own = matches!(seen.kind(index), "identifier" | "binary_operator")
            && std::iter::once(index)
                .chain(seen.below(index))
                .any(|part| names.contains(&seen.text(part)));
        (own && seen.ty(array) == Ty::Array).then_some(array)
    })
}

pub(super) const OBJECTS: Rule = Rule {
    id: "numpy-object-dtype",
    title: "arithmetic on a numpy array of Python objects",
    kind: Kind::Cpu,
    detects: "an operator, a method or a function of numpy applied to an array made with `dtype=object`",
    counts: "the statement, the line after it, and the lines of its loop that call nothing: Scalene \
             charges operators to their neighbours",
    advice: "Use a number dtype; for values of several types, an array per type.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "an object array calls the Python operator of every element",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(objects),
};

fn objects(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for id in seen.all() {
        let array = match seen.kind(id) {
            "binary_operator" => {
                let sides = [seen.child(id, "left"), seen.child(id, "right")];
                sides.into_iter().flatten().find(|side| seen.ty(*side) == Ty::ObjectArray)
            }
            "call" => {
                let numpy = seen.callee(id).is_some_and(|path| path.starts_with("numpy."));
                let own = seen.method(id).filter(|(_, name)| {
                    matches!(*name, "sum" | "mean" | "dot" | "cumsum" | "prod")
                });
                let arg = seen.args(id).first().copied().filter(|_| numpy);
                let object = own.map(|(object, _)| object).or(arg);
                object.filter(|object| seen.ty(*object) == Ty::ObjectArray)
            }
            _ => None,
        };
        let Some(array) = array else { continue };
        let named = std::iter::once(array)
            .chain(seen.below(array))
            .find(|part| seen.kind(*part) == "identifier" && seen.ty(*part) == Ty::ObjectArray);
        let (line, name) = (seen.line(id), seen.quoted(named.unwrap_or(array)));
        sites.push(Site::new(
            seen.at(id),
            seen.by_operator(id),
            format!("line {line} computes `{}` on `{name}`, an array of Python objects", seen.quoted(id)),
            format!(
                "give `{name}` a number dtype where it is made (`dtype=float` or `int`), or convert it \
                 with `{name}.astype(float)` before line {line}, if all its values are numbers"
            ),
        ));
    }
    sites
}

pub(super) const GROW: Rule = Rule {
    id: "numpy-grow-in-loop",
    title: "an array grown by copying in a loop",
    kind: Kind::Cpu,
    detects: "`a = np.append(a, …)`, or `concatenate`, `hstack`, `vstack`, `r_` of `a` itself, in a loop",
    counts: "the statement",
    advice: "Collect in a list and make one array after the loop, or fill an array of the final size.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "arrays cannot grow: each call copies all elements (numpy.append documentation)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(grow),
};

const GROWERS: &[&str] = &["append", "concatenate", "hstack", "vstack", "insert", "column_stack"];

fn grow(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for id in seen.each("assignment") {
        let (Some(target), Some(call)) = (seen.child(id, "left"), seen.child(id, "right")) else {
            continue;
        };
        let Some(path) = seen.callee(call) else { continue };
        let grows = path.strip_prefix("numpy.").is_some_and(|name| GROWERS.contains(&name));
        let own = seen.below(call).any(|part| seen.text(part) == seen.text(target));
        if !(grows && own) {
            continue;
        }
        let (line, name) = (seen.line(id), seen.quoted(target));
        let Some(looped) = seen.looped(id) else {
            // An attribute that grows on every call of a method.
            if seen.kind(target) == "attribute" && seen.function(id).is_some() {
                sites.push(Site::new(
                    seen.at(id),
                    seen.by_statement(id),
                    format!("line {line} copies the whole array `{name}` {}", seen.how_often(id)),
                    format!(
                        "on line {line}, append to a list and make the array where `{name}` is read \
                         (`np.concatenate(parts)`), or allocate it larger and fill it"
                    ),
                ));
            }
            continue;
        };
        sites.push(Site::new(
            seen.at(id),
            seen.by_statement(id),
            format!("line {line} copies the whole array `{name}` {}", seen.how_often(id)),
            format!(
                "append to a list on line {line} and make the array once after the loop on line {} \
                 (`np.array(parts)` or `np.concatenate(parts)`)",
                seen.line(looped)
            ),
        ));
    }
    sites
}
