//! Coroutines that wait one after the other.

use super::super::code::Id;
use super::super::thresholds::{PLACE_SHARE, WAITING_PART};
use super::place::{Seen, Site};
use super::table::WAITS;
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const SEQUENTIAL: Rule = Rule {
    id: "sequential-awaits",
    title: "awaits in a loop that do not depend on each other",
    kind: Kind::Waiting,
    detects: "`await f(…)` in a `for` loop without `break` or `return`, where the awaited call uses the loop's item and \
              no name that earlier rounds bound, and is none of `asyncio` itself, in a program that mostly waits in `asyncio.run`",
    counts: "the `await` statements and the `asyncio.run(…)` statement, on which Scalene puts the time that the \
             event loop waits",
    advice: "Start them together with `asyncio.gather` or a `TaskGroup`, with a semaphore as a limit.",
    limits: WAITS,
    thresholds: &[&PLACE_SHARE, &WAITING_PART],
    source: "waits that overlap cost the longest one, not the sum (asyncio documentation, gather)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(sequential),
};

fn sequential(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    let runs: Vec<_> = seen
        .each("call")
        .filter(|call| {
            seen.callee(*call).is_some_and(|path| path == "asyncio.run")
                || seen.method(*call).is_some_and(|(_, name)| name == "run_until_complete")
        })
        .map(|call| seen.at(call))
        .collect();
    for looped in seen.each("for_statement") {
        let Some(body) = seen.child(looped, "body") else { continue };
        let leaves = seen
            .below(body)
            .any(|id| matches!(seen.kind(id), "break_statement" | "return_statement" | "yield"));
        let own_async = seen.text(looped).starts_with("async");
        let awaits: Vec<_> = seen
            .below(body)
            .filter(|id| seen.kind(*id) == "await" && seen.looped(*id) == Some(looped))
            .collect();
        let [only] = awaits.as_slice() else { continue };
        let Some(call) = seen.children(*only).next() else { continue };
        let own = seen.child(looped, "left").map_or("", |target| seen.text(target));
        let by_item = seen.below(call).any(|id| seen.text(id) == own);
        let gathers = seen.callee(call).is_some_and(|path| path.starts_with("asyncio."));
        if leaves
            || !by_item
            || own_async
            || gathers
            || seen.kind(call) != "call"
            || depends(seen, looped, call, *only)
        {
            continue;
        }
        let mut counted = runs.clone();
        counted.push(seen.at(*only));
        let (line, text) = (seen.line(*only), seen.quoted(call));
        let site = Site::new(
            seen.lines(looped),
            counted,
            format!(
                "line {line} awaits `{text}` {} before the next one starts",
                seen.how_often(*only)
            ),
            format!(
                "start all calls of line {line} together, `await asyncio.gather(*({text} for …))`, if no round \
                 needs the result of the one before"
            ),
        );
        sites.push(site.note(
            "Scalene puts the waiting of the event loop on the line that runs it, so other waits of the \
             program are counted too",
        ));
    }
    sites
}

/// Whether the awaited call reads a name that the loop itself works out, other than its target.
fn depends(seen: &Seen<'_>, looped: Id, call: Id, wait: Id) -> bool {
    let Some(target) = seen.child(looped, "left") else { return true };
    let own: Vec<_> =
        std::iter::once(target).chain(seen.below(target)).map(|id| seen.text(id)).collect();
    let bound: Vec<_> = seen
        .below(looped)
        .filter(|id| matches!(seen.kind(*id), "assignment" | "augmented_assignment"))
        .filter(|id| seen.within(wait, *id) || seen.kind(*id) == "augmented_assignment")
        .filter_map(|id| seen.child(id, "left"))
        .map(|left| seen.text(left))
        .collect();
    seen.below(call).any(|id| {
        let name = seen.text(id);
        seen.kind(id) == "identifier" && bound.contains(&name) && !own.contains(&name)
    })
}
