//! Texts: joining, patterns, output, and translating back and forth.

use super::super::code::{Id, Ty};
use super::super::thresholds::{PLACE_SHARE, SURE_SHARE};
use super::place::{Seen, Site};
use super::table::{PLACE, SURE};
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const CONCAT: Rule = Rule {
    id: "string-concat-in-loop",
    title: "a text grown by `+=` in a loop",
    kind: Kind::Cpu,
    detects: "`s += …` or `s = s + …` in a loop that does not bind `s` anew, where `s` is a `str`",
    counts: "the statement, the line after it, and the lines of its loop that call nothing: Scalene \
             charges operators to their neighbours",
    advice: "Collect the parts in a list and join them once after the loop.",
    limits: SURE,
    thresholds: &[&SURE_SHARE],
    source: "each `+=` copies the text so far, unless CPython can extend it in place, which it can only for a \
             local name without other references (Python FAQ, str.join)",
    at_most: Severity::Critical,
    knows: Knows::Pattern,
    look: Look::Code(concat),
};

fn concat(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for id in seen.all() {
        let Some((target, added)) = grown(seen, id) else { continue };
        let Some(looped) = seen.looped(id) else { continue };
        if seen.ty(target) != Ty::Str || seen.binds_anew(looped, target, Some(id)) {
            continue;
        }
        let (name, line) = (seen.quoted(target), seen.line(id));
        let local = seen.kind(target) == "identifier" && seen.function(id).is_some();
        let site = Site::new(
            seen.at(id),
            seen.by_operator(id),
            format!("line {line} appends to the text `{name}` {}", seen.how_often(id)),
            if local {
                format!(
                    "append `{}` to a list on line {line} instead, as every other line that adds to `{name}` must, \
                     and join the list once after the loop on line {}",
                    seen.quoted(added),
                    seen.line(looped)
                )
            } else {
                format!(
                    "keep a list in place of `{name}`: append `{}` on line {line}, append wherever else something \
                     is added to `{name}`, and join it once where the text is used",
                    seen.quoted(added)
                )
            },
        );
        let site = if local {
            site.note(format!(
                "if nothing else refers to `{name}`, CPython extends it in place and a join gains little"
            ))
        } else {
            site.note(format!("`{name}` is no local name, so each round copies all of it"))
        };
        sites.push(site.maybe(seen.spread_note(id)));
    }
    sites
}

/// Target and addition of `s += x` or `s = s + x`.
fn grown(seen: &Seen<'_>, id: Id) -> Option<(Id, Id)> {
    let target = seen.child(id, "left")?;
    let right = seen.child(id, "right")?;
    match seen.kind(id) {
        "augmented_assignment" => {
            let operator = seen.child(id, "operator")?;
            (seen.text(operator) == "+=").then_some((target, right))
        }
        "assignment" if seen.kind(right) == "binary_operator" => {
            let (first, second) = (seen.child(right, "left")?, seen.child(right, "right")?);
            let operator = seen.child(right, "operator")?;
            let same = seen.text(first) == seen.text(target) && seen.text(operator) == "+";
            same.then_some((target, second))
        }
        _ => None,
    }
}

pub(super) const REGEX: Rule = Rule {
    id: "regex-in-loop",
    title: "a pattern looked up or compiled again and again",
    kind: Kind::Cpu,
    detects: "`re.compile(p)`, or `re.match(p, …)` and its relatives, in a loop or a function, where `p` is a \
              literal or does not change in the loop",
    counts: "the statement",
    advice: "Compile the pattern once, outside, and call the methods of the compiled pattern.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "functions of `re` look their pattern up in a cache of 512 on every call, and compile it when it \
             is not there (Lib/re/__init__.py)",
    at_most: Severity::Critical,
    knows: Knows::Pattern,
    look: Look::Code(regex),
};

const PATTERN_FUNCTIONS: &[&str] =
    &["compile", "match", "search", "fullmatch", "findall", "finditer", "split", "sub", "subn"];

fn regex(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some(path) = seen.callee(call) else { continue };
        let Some(name) = path.strip_prefix("re.") else { continue };
        let Some(pattern) = seen.args(call).first().copied() else { continue };
        if !PATTERN_FUNCTIONS.contains(&name) || !seen.repeats(call) {
            continue;
        }
        let literal = matches!(seen.kind(pattern), "string" | "concatenated_string")
            && !seen.below(pattern).any(|id| seen.kind(id) == "interpolation");
        let fixed =
            literal || seen.looped(call).is_some_and(|looped| seen.is_invariant(pattern, looped));
        if !fixed {
            continue;
        }
        let (line, pattern) = (seen.line(call), seen.quoted(pattern));
        let site = Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} calls `re.{name}({pattern}, …)` {}", seen.how_often(call)),
            if name == "compile" {
                format!(
                    "move `re.compile({pattern})` from line {line} out of the loop or to module level"
                )
            } else {
                format!(
                    "compile once at module level, `PATTERN = re.compile({pattern})`, and call \
                     `PATTERN.{name}(…)` on line {line}"
                )
            },
        );
        sites.push(if name == "compile" {
            site
        } else {
            site.note("the line's time holds the matching itself, which stays")
        });
    }
    sites
}

pub(super) const OUTPUT: Rule = Rule {
    id: "output-in-loop",
    title: "a line written or logged in every round",
    kind: Kind::Cpu,
    detects: "`print`, a function of `logging`, or a method of a logger from `logging.getLogger`, in a loop",
    counts: "the statement",
    advice: "Write once per many rounds, or collect the lines and write them together.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "every call formats, takes locks and may write (logging HOWTO, Optimization)",
    at_most: Severity::Critical,
    knows: Knows::Pattern,
    look: Look::Code(output),
};

const LOG_METHODS: &[&str] = &["debug", "info", "warning", "error", "exception", "critical", "log"];

fn output(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some(looped) = seen.looped(call) else { continue };
        let path = seen.callee(call).unwrap_or_default();
        let logs = path.strip_prefix("logging.").is_some_and(|name| LOG_METHODS.contains(&name))
            || seen.method(call).is_some_and(|(object, name)| {
                LOG_METHODS.contains(&name) && is_logger(seen, object)
            });
        if path != "print" && !logs {
            continue;
        }
        let line = seen.line(call);
        let advice = if logs {
            let eager = seen.args(call).first().is_some_and(|first| {
                seen.below(*first).any(|id| seen.kind(id) == "interpolation")
                    || seen.kind(*first) == "binary_operator"
            });
            let lazy = if eager {
                "; pass values as arguments so that a disabled level formats nothing"
            } else {
                ""
            };
            format!(
                "log a summary after the loop on line {}, or every n-th round{lazy}",
                seen.line(looped)
            )
        } else {
            format!(
                "collect the texts in a list and write them once after the loop on line {}, \
                 `sys.stdout.write(\"\\n\".join(lines))`",
                seen.line(looped)
            )
        };
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} runs `{}` {}", seen.quoted(call), seen.how_often(call)),
            advice,
        ));
    }
    sites
}

fn is_logger(seen: &Seen<'_>, object: Id) -> bool {
    seen.values(object).is_some_and(|values| {
        values.iter().all(|value| {
            value
                .and_then(|value| seen.callee(value))
                .is_some_and(|path| path == "logging.getLogger")
        })
    })
}

pub(super) const ROUND_TRIP: Rule = Rule {
    id: "serialize-round-trip",
    title: "data written to text and read back",
    kind: Kind::Cpu,
    detects: "`json.loads(json.dumps(x))` or the same of `pickle` or `marshal`, in one expression",
    counts: "the statement",
    advice: "Copy what is needed; for a deep copy of plain data a loop or comprehension over its known shape is \
             faster.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "both directions visit every value and build a text or bytes in between",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(round_trip),
};

fn round_trip(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some(path) = seen.callee(call) else { continue };
        let Some(module) = path.strip_suffix(".loads") else { continue };
        let written = seen.args(call).first().copied();
        let Some(inner) = written
            .filter(|id| seen.callee(*id).is_some_and(|inner| inner == format!("{module}.dumps")))
        else {
            continue;
        };
        let data = seen.args(inner).first().map_or(String::new(), |data| seen.quoted(*data));
        let line = seen.line(call);
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} turns `{data}` into {module} and back {}", seen.how_often(call)),
            format!(
                "on line {line}, copy only the levels of `{data}` that change (`dict(…)`, `list(…)`, a \
                 comprehension), or pass `{data}` itself if nobody changes it"
            ),
        ));
    }
    sites
}
