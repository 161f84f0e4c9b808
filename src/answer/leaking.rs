//! Leaks in the overview of a profile: what a second run recorded, where there was one, else what the profile
//! alone suspects.

use super::listing;
use crate::analysis::leaks::{LeakConfidence, LeakFindings, leaks, proven};
use crate::profile::{Profile, place, round_for_display};

/// What the overview says of leaks.
pub(super) struct Leaking {
    /// Each line that keeps more and more, in one sentence, surest first.
    pub(super) lines: Vec<String>,
    /// A second run recorded all allocations.
    pub(super) proven: bool,
    /// Why there is none, in the words of a list of what is fine.
    pub(super) fine: Option<String>,
    /// Growth that no line explains.
    pub(super) warning: Option<String>,
}

impl Leaking {
    /// `None` when memory or its leaks were not looked at.
    pub(super) fn of(profile: &Profile) -> Option<Self> {
        if let Some(found) = proven(profile) {
            let sure = found.leaks.iter().filter(|leak| leak.confidence > LeakConfidence::Low);
            let line = |leak: &crate::analysis::leaks::ProvenLeak<'_>| {
                format!(
                    "{}: keeps {} MiB and goes on, as a second run recorded; get_memory_leaks shows the calls",
                    place(&profile.display_path(leak.path), leak.line.get(), None),
                    round_for_display(leak.retained.get())
                )
            };
            let lines: Vec<String> = sure.map(line).collect();
            let none = lines.is_empty() && found.small_objects.is_none();
            let fine = none.then(|| {
                "leaks (a second run that recorded all allocations shows none)".to_owned()
            });
            let small = found.small_objects.filter(|_| lines.is_empty());
            let warning = small.map(|kept| {
                format!(
                    "small objects of {kept} MiB stay and become more: get_memory_leaks says more"
                )
            });
            return Some(Self { lines, proven: true, fine, warning });
        }
        let found = leaks(profile).filter(|_| profile.measured.leak_detector)?;
        let sure = found.leaks.iter().filter(|leak| leak.confidence > LeakConfidence::Low);
        let line = |leak: &crate::analysis::leaks::Leak<'_>| {
            format!(
                "{}: keeps up to {} MiB and may be a leak; get_memory_leaks shows why",
                listing::location(profile, leak.file, (leak.line, leak.line)),
                leak.retained
            )
        };
        Some(Self {
            lines: sure.map(line).collect(),
            proven: false,
            fine: fine(&found),
            warning: found.growth.filter(|growth| growth.steady).map(|growth| {
                format!(
                    "memory grows steadily, {} MiB stayed: get_memory_leaks says more",
                    growth.retained()
                )
            }),
        })
    }

    /// The end of the conclusion.
    pub(super) fn conclusion(&self) -> String {
        match (self.lines.len(), self.proven) {
            (0, _) => String::new(),
            (1, false) => "; memory grows to stay, one line may be why".to_owned(),
            (n, false) => format!("; memory grows to stay, {n} lines may be why"),
            (1, true) => "; one line leaks".to_owned(),
            (n, true) => format!("; {n} lines leak"),
        }
    }
}

fn fine(found: &LeakFindings<'_>) -> Option<String> {
    match found.growth.map(|growth| (growth.steady || growth.late, growth.retained())) {
        Some((false, kept)) => Some(format!("leaks (no steady growth; {kept} MiB stayed)")),
        None => Some("leaks (the footprint changed too little to be sampled)".to_owned()),
        Some((true, _)) => None,
    }
}
