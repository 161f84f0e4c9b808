//! What concerns a program as a whole.

use super::super::code::Id;
use super::super::thresholds::{
    BUSY_CORES, COMPUTING_PART, CRITICAL_SHARE, IMPORT_SHARE, SPARE_CORES,
};
use super::apply::Verdict;
use super::figures::{Figures, Quantity, number};
use super::place::{Seen, Site};
use super::reached;
use super::{Kind, Knows, Limit, Look, Rule, Severity};
use crate::profile::{FileProfile, Fraction, Percent, Profile};

pub(super) const IMPORTS: Rule = Rule {
    id: "import-time",
    title: "time spent on imports",
    kind: Kind::Startup,
    detects: "import statements of one file that together hold IMPORT_SHARE",
    counts: "all import statements of the file",
    advice: "Import inside the functions that need the module, or drop what is not needed.",
    limits: &[Limit { of: Quantity::Share, least: IMPORT_SHARE }],
    thresholds: &[&IMPORT_SHARE],
    source: "a module's top level runs at its first import; `python -X importtime` lists all of them",
    at_most: Severity::Medium,
    knows: Knows::Cause,
    look: Look::Code(imports),
};

fn imports(seen: &Seen<'_>) -> Vec<Site> {
    let statements: Vec<_> = seen
        .all()
        .filter(|id| matches!(seen.kind(*id), "import_statement" | "import_from_statement"))
        .collect();
    let share = |id: &Id| Figures::of(seen.file, &[seen.lines(*id)]).total();
    let Some(slowest) = statements.iter().max_by(|a, b| share(a).total_cmp(&share(b))) else {
        return Vec::new();
    };
    let counted: Vec<_> =
        statements.iter().filter(|id| share(id) > 0.0).map(|id| seen.lines(*id)).collect();
    let (line, text) = (seen.line(*slowest), seen.quoted(*slowest));
    vec![
        Site::new(
            seen.lines(*slowest),
            counted,
            format!("importing takes {} % of sampled time on line {line}, `{text}`", number(share(slowest))),
            format!(
                "move `{text}` from line {line} into the functions that use it, if most runs do not need it; \
                 `python -X importtime` shows which of its parts cost the time"
            ),
        )
        .note(
            "imports cost the same however long the program runs, and memory profiling slows them more than other \
             code: their share falls in a longer run, and with memory=false",
        ),
    ]
}

pub(super) const ONE_CORE: Rule = Rule {
    id: "one-core-busy",
    title: "independent work on one core while others are idle",
    kind: Kind::Parallelism,
    detects: "a loop or comprehension that calls a function of the same file, one without effects, with the loop's own \
              item and only keeps its results; together they compute for CRITICAL_SHARE or more of the run, on BUSY_CORES or \
              fewer of SPARE_CORES or more",
    counts: "the lines of the function and the statement with the call",
    advice: "Hand the items to processes.",
    limits: &[
        Limit { of: Quantity::Share, least: CRITICAL_SHARE },
        Limit { of: Quantity::ComputingPart, least: COMPUTING_PART },
    ],
    thresholds: &[&CRITICAL_SHARE, &COMPUTING_PART, &BUSY_CORES, &SPARE_CORES],
    source: "Amdahl with n cores: 1 / (1 - share + share / n); Scalene's core utilisation",
    at_most: Severity::Medium,
    knows: Knows::Hint,
    look: Look::File(idle_cores, independent_calls),
};

fn independent_calls(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let (Some(looped), Some(function)) = (seen.looped(call), seen.definition(call)) else {
            continue;
        };
        let args = seen.args(call);
        let varies = args.iter().any(|arg| !seen.is_invariant(*arg, looped));
        if !varies || !seen.is_effect_free(function) || !only_keeps(seen, looped, call) {
            continue;
        }
        let name = seen.child(function, "name").map_or("", |name| seen.text(name));
        let (line, text) = (seen.line(call), seen.quoted(call));
        let site = Site::new(
            seen.at(call),
            vec![seen.at(call), seen.lines(function)],
            format!(
                "line {line} computes `{text}` for one item after the other, each without the others"
            ),
            format!(
                "on line {line}, hand the items to `concurrent.futures.ProcessPoolExecutor().map({name}, …)`, if they \
                 and the results can be pickled and one call takes a millisecond or more"
            ),
        );
        sites.push(site.reached_here());
    }
    sites
}

/// Whether a loop does nothing with the result but keep it: a comprehension, or `append`.
fn only_keeps(seen: &Seen<'_>, looped: Id, call: Id) -> bool {
    if !seen.kind(looped).ends_with("statement") {
        return true;
    }
    if !seen.is_tight(looped) {
        return false;
    }
    let others = seen.below(looped).any(|id| {
        matches!(
            seen.kind(id),
            "augmented_assignment" | "assignment" | "while_statement" | "for_statement"
        )
    });
    let kept = seen.parent(call).and_then(|list| seen.parent(list)).is_some_and(|above| {
        seen.method(above).is_some_and(|(_, name)| matches!(name, "append" | "add"))
    });
    kept && !others
}

fn idle_cores<'a>(profile: &'a Profile, file: &'a FileProfile, site: &Site) -> Option<Verdict<'a>> {
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    let cores = profile.run.environment.as_ref()?.cores? as f64;
    let computing: f64 = profile.sum(|line| line.cpu.on_cpu()).get();
    if cores < SPARE_CORES.value || computing <= 0.0 {
        return None;
    }
    let weighted: f64 = profile
        .lines()
        .map(|(_, line)| {
            line.cpu.on_cpu().get() * line.cpu.core_utilization.map_or(0.0, Fraction::get)
        })
        .sum();
    let busy = cores * weighted / computing;
    if busy <= 0.0 || busy > BUSY_CORES.value {
        return None;
    }
    let share = Percent::from_percent(reached::figures(profile, file, site).total().min(100.0))?;
    let note =
        format!("{} of {} cores busy in the mean while computing", number(busy), number(cores));
    Some(Verdict {
        file: Some(file),
        site: site.clone().note(note),
        share: Some(share),
        weight: share.get(),
        ceiling: super::apply::spread(profile, share),
    })
}
