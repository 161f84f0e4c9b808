//! What concerns a program as a whole.

use super::super::thresholds::{BUSY_CORES, CRITICAL_SHARE, IMPORT_SHARE, SPARE_CORES};
use super::apply::Verdict;
use super::figures::{Figures, Quantity, number};
use super::place::{Seen, Site};
use super::{Kind, Knows, Limit, Look, Rule, Severity};
use crate::profile::{Percent, Profile};

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
    at_most: Severity::High,
    knows: Knows::Cause,
    look: Look::Code(imports),
};

fn imports(seen: &Seen<'_>) -> Vec<Site> {
    let statements: Vec<_> = seen
        .all()
        .filter(|id| matches!(seen.kind(*id), "import_statement" | "import_from_statement"))
        .collect();
    let share = |id: &super::super::code::Id| Figures::of(seen.file, &[seen.lines(*id)]).total();
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
        .note("imports cost the same however long the program runs: in a longer run their share falls"),
    ]
}

pub(super) const ONE_CORE: Rule = Rule {
    id: "one-core-busy",
    title: "one core computes, the others are idle",
    kind: Kind::Parallelism,
    detects: "a run that computes for CRITICAL_SHARE or more of the time on BUSY_CORES or fewer, on a machine with SPARE_CORES or \
              more",
    counts: "all lines that compute",
    advice: "If the work falls into independent parts, spread them over processes.",
    limits: &[],
    thresholds: &[&CRITICAL_SHARE, &BUSY_CORES, &SPARE_CORES],
    source: "Amdahl with n cores: 1 / (1 - share + share / n); Scalene's core utilisation",
    at_most: Severity::Low,
    knows: Knows::KindOfTime,
    look: Look::Run(one_core),
};

fn one_core(profile: &Profile) -> Option<Verdict<'_>> {
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    let cores = profile.run.environment.cores? as f64;
    let computing: f64 = profile.sum(|line| line.cpu.on_cpu()).get();
    if cores < SPARE_CORES.value || computing < CRITICAL_SHARE.value {
        return None;
    }
    let mut weighted = 0.0;
    for (_, line) in profile.lines() {
        let utilization = line.cpu.core_utilization?.get();
        weighted += line.cpu.on_cpu().get() * utilization;
    }
    let busy = cores * weighted / computing;
    if busy > BUSY_CORES.value {
        return None;
    }
    let share = Percent::from_percent(computing.min(100.0))?;
    let part = share.get() / 100.0;
    let site = Site::new(
        (1, 1),
        Vec::new(),
        format!("the run computes on {} of {} cores", number(busy), number(cores)),
        "if the hot loops work on independent parts, hand the parts to `concurrent.futures.ProcessPoolExecutor`; \
         this is worth it after the findings above, if any",
    )
    .note(format!("{} % of sampled time computes, {} cores busy in the mean", number(computing), number(busy)));
    Some(Verdict {
        file: None,
        site,
        share: Some(share),
        weight: computing,
        ceiling: Some(1.0 / (1.0 - part + part / cores)),
    })
}
