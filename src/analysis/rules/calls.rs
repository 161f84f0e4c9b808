//! Work handed to threads.

use super::super::thresholds::{COMPUTING_PART, PLACE_SHARE, SURE_SHARE};
use super::figures::Quantity;
use super::frames::definition_of;
use super::place::{Seen, Site};
use super::{Kind, Knows, Limit, Look, Rule, Severity};

pub(super) const THREADS: Rule = Rule {
    id: "threads-for-cpu",
    title: "threads for work that computes in Python",
    kind: Kind::Parallelism,
    detects: "a function of the same file given to `threading.Thread(target=f)` or to `submit` or `map` of a \
              `ThreadPoolExecutor`, whose lines mostly compute",
    counts: "the lines of the function",
    advice: "Use processes (`ProcessPoolExecutor`), or one thread: with the GIL threads take turns.",
    limits: &[
        Limit { of: Quantity::Share, least: SURE_SHARE },
        Limit { of: Quantity::ComputingPart, least: COMPUTING_PART },
    ],
    thresholds: &[&PLACE_SHARE, &SURE_SHARE, &COMPUTING_PART],
    source: "with the GIL one thread at a time runs Python code (Python glossary); native code may release it",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(threads),
};

fn threads(seen: &Seen<'_>) -> Vec<Site> {
    let pools = seen.each("call").any(|call| {
        seen.callee(call).is_some_and(|path| {
            path.ends_with("ThreadPoolExecutor") || path.ends_with("ThreadPool")
        })
    });
    let mut sites: Vec<Site> = Vec::new();
    for call in seen.each("call") {
        let thread = seen.callee(call).is_some_and(|path| path == "threading.Thread");
        let given = if thread {
            seen.keyword(call, "target")
        } else {
            let hands = seen.method(call).is_some_and(|(_, name)| matches!(name, "submit" | "map"));
            seen.args(call).first().copied().filter(|_| pools && hands)
        };
        let Some(function) = given.and_then(|given| definition_of(seen, given)) else { continue };
        let name = seen.child(function, "name").map_or("", |name| seen.text(name));
        let lines = seen.lines(function);
        let waits = seen.calls_in(function).any(|call| super::general::waits(seen, call));
        if waits || calls_native(seen, function) || sites.iter().any(|site| site.counted == [lines])
        {
            continue;
        }
        let line = seen.line(call);
        sites.push(
            Site::new(
                seen.at(call),
                vec![lines],
                format!("line {line} runs {name}() (line {}) in threads, and {name}() computes", lines.0),
                format!(
                    "on line {line}, run {name}() in processes (`concurrent.futures.ProcessPoolExecutor`), if its \
                     arguments and results can be pickled; with the GIL its threads take turns"
                ),
            )
            .note("Scalene divides the time of a sample among all threads that run"),
        );
    }
    sites
}

/// Whether a function calls what is likely to release the GIL.
fn calls_native(seen: &Seen<'_>, function: super::super::code::Id) -> bool {
    seen.calls_in(function).any(|call| {
        seen.callee(call).is_some_and(|path| {
            ["numpy.", "hashlib.", "zlib.", "lzma.", "bz2.", "scipy.", "torch."]
                .iter()
                .any(|start| path.starts_with(start))
        })
    })
}
