//! Copies of data that are made again and again.

use super::super::code::{Id, Ty};
use super::super::thresholds::{COPIED_MIB, PLACE_SHARE, SURE_SHARE};
use super::place::{Seen, Site};
use super::table::{COPIES, PLACE, SURE};
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const DEEPCOPY: Rule = Rule {
    id: "deepcopy-in-loop",
    title: "`copy.deepcopy` again and again",
    kind: Kind::Cpu,
    detects: "`copy.deepcopy(x)` in a loop or a function",
    counts: "the statement",
    advice: "Copy only the levels that change, or build the object anew.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "`deepcopy` is Python code that visits every object and keeps a table of all of them (Lib/copy.py)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(deepcopy),
};

fn deepcopy(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let deep = seen.callee(call).is_some_and(|path| path == "copy.deepcopy");
        let Some(data) = seen.args(call).first().copied().filter(|_| deep && seen.repeats(call))
        else {
            continue;
        };
        let (line, data) = (seen.line(call), seen.quoted(data));
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} deep-copies `{data}` {}", seen.how_often(call)),
            format!(
                "on line {line}, copy only the parts of `{data}` that are changed afterwards (`dict(…)`, \
                 `list(…)`, `copy.copy`, `dataclasses.replace`)"
            ),
        ));
    }
    sites
}

pub(super) const SLICE: Rule = Rule {
    id: "slice-copy-in-loop",
    title: "a sequence shortened by slicing in a loop",
    kind: Kind::Cpu,
    detects: "`x = x[a:]` or `x = x[:b]` in a loop, where `x` is a list, tuple, text, or of unknown type",
    counts: "the statement, the line after it, and the lines of its loop that call nothing: Scalene \
             charges operators to their neighbours",
    advice: "Keep an index into the sequence, or use `collections.deque`, an iterator or a `memoryview`.",
    limits: SURE,
    thresholds: &[&SURE_SHARE],
    source: "a slice of a list, tuple, text or bytes copies what it holds",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(slice),
};

fn slice(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for id in seen.each("assignment") {
        let (Some(target), Some(right)) = (seen.child(id, "left"), seen.child(id, "right")) else {
            continue;
        };
        let sliced = seen.child(right, "value").filter(|_| seen.kind(right) == "subscript");
        let by_slice = seen.children(right).any(|part| seen.kind(part) == "slice");
        let same = sliced.is_some_and(|value| seen.text(value) == seen.text(target));
        let ty = first_type(seen, target);
        if !same
            || !by_slice
            || seen.looped(id).is_none()
            || !matches!(ty, Ty::List | Ty::Tuple | Ty::Str | Ty::Unknown)
        {
            continue;
        }
        let (line, name) = (seen.line(id), seen.quoted(target));
        let sure = if ty == Ty::Unknown {
            format!(", if `{name}` is a list, text or bytes")
        } else {
            String::new()
        };
        let site = Site::new(
            seen.at(id),
            seen.by_operator(id),
            format!("line {line} copies the rest of `{name}` {}{sure}", seen.how_often(id)),
            format!(
                "keep a position in `{name}` and advance it on line {line} instead of `{}`, or use an \
                 iterator or `collections.deque`{sure}",
                seen.quoted(right)
            ),
        );
        sites.push(site.maybe(seen.spread_note(id)));
    }
    sites
}

/// Type of a name by its values other than slices of itself.
fn first_type(seen: &Seen<'_>, target: Id) -> Ty {
    let Some(values) = seen.values(target) else { return Ty::Unknown };
    let mut types = values.iter().filter_map(|value| {
        let value = (*value)?;
        let own = seen.child(value, "value").is_some_and(|v| seen.text(v) == seen.text(target));
        (!own).then(|| seen.ty(value))
    });
    let first = types.next().unwrap_or(Ty::Unknown);
    if types.all(|other| other == first) { first } else { Ty::Unknown }
}

pub(super) const COPY_VOLUME: Rule = Rule {
    id: "copy-volume",
    title: "a line that copies much memory",
    kind: Kind::Memory,
    detects: "a statement in a loop or function with a slice, a conversion (`bytes`, `list`, `tolist`, `tobytes`, \
              `astype`, `copy`) or a concatenation of lists or texts, that copied COPIED_MIB or more",
    counts: "the statement and the line after it, on which the time of an operator may be",
    advice: "Work on a view (`memoryview`, a numpy view, an index range) or convert once outside the loop.",
    limits: COPIES,
    thresholds: &[&PLACE_SHARE, &COPIED_MIB],
    source: "Scalene samples the bytes that memcpy moves",
    at_most: Severity::Critical,
    knows: Knows::Hint,
    look: Look::Code(copy_volume),
};

const CONVERSIONS: &[&str] = &["tolist", "tobytes", "astype", "copy"];

fn copy_volume(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites: Vec<Site> = Vec::new();
    for id in seen.all() {
        let copies = match seen.kind(id) {
            "slice" => seen.parent(id),
            "binary_operator" | "augmented_assignment" => {
                let operator = seen.child(id, "operator");
                let grows = operator.is_some_and(|o| matches!(seen.text(o), "+" | "+="));
                let left = seen.child(id, "left").filter(|_| grows);
                let known = left.is_some_and(|left| matches!(seen.ty(left), Ty::List | Ty::Str));
                known.then_some(id)
            }
            "call" => {
                let converts = seen.callee(id).is_some_and(|path| {
                    matches!(path.as_str(), "bytes" | "bytearray" | "list" | "tuple")
                }) && seen
                    .args(id)
                    .first()
                    .is_some_and(|data| seen.kind(*data) == "identifier");
                let method = seen.method(id).is_some_and(|(_, name)| CONVERSIONS.contains(&name));
                (converts || method).then_some(id)
            }
            _ => None,
        };
        let Some(copy) = copies.filter(|copy| seen.repeats(*copy)) else { continue };
        let lines = seen.at(copy);
        if sites.iter().rev().take(4).any(|site| site.lines == lines) {
            continue;
        }
        let (line, text) = (seen.line(copy), seen.quoted(copy));
        sites.push(Site::new(
            lines,
            seen.with_next(copy),
            format!("line {line} copies memory for `{text}` {}", seen.how_often(copy)),
            format!(
                "on line {line}, use a view of the data (`memoryview`, a numpy slice, an index range) in \
                 place of `{text}`, or make the copy once outside the loop"
            ),
        ));
    }
    sites
}
