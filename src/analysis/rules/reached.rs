//! Which part of a called function's time is reached from the place that a finding is about.
//!
//! Some rules count a function whole for a place that calls it. Where calls were sampled, the share of the stacks
//! that lead through the place says how much of that is its own.

use super::figures::Figures;
use super::place::Site;
use crate::profile::{FileProfile, Percent, Profile, Witness};

/// Share of the run, in percent, of the stacks that lead through the lines of a place; `None` where
/// the lines of the profile are not timed by stacks.
fn share(profile: &Profile, file: &FileProfile, (first, last): (u32, u32)) -> Option<f64> {
    let calls = profile.calls.as_ref().filter(|_| profile.timed_by != Witness::Scalene)?;
    let tree = &calls.tree;
    let mut through: Vec<bool> = Vec::with_capacity(tree.nodes.len());
    let (mut inside, mut all) = (0.0, 0.0);
    // Callers come before what they call.
    for node in &tree.nodes {
        let here = (first..=last).contains(&node.site.line)
            && tree.function(node.site).is_some_and(|function| function.file == file.path);
        let above = node.parent.and_then(|parent| through.get(parent as usize).copied());
        let leads = here || above == Some(true);
        through.push(leads);
        let wall = node.wall_running + node.wall_waiting;
        all += wall;
        inside += if leads { wall } else { 0.0 };
    }
    Percent::of_whole(inside, all).map(Percent::get)
}

/// The figures of a site, without what other callers of the functions that it counts take.
pub(super) fn figures(profile: &Profile, file: &FileProfile, site: &Site) -> Figures {
    let whole = Figures::of(file, &site.counted);
    part(profile, file, site, &whole).map_or(whole, |part| whole.times(part))
}

/// The part of a site's time that is reached from its lines, 0 to 1; `None` where that does not matter or is
/// not known.
fn part(profile: &Profile, file: &FileProfile, site: &Site, whole: &Figures) -> Option<f64> {
    let share = site.through.then(|| share(profile, file, site.lines)).flatten()?;
    (whole.total() > 0.0).then(|| (share / whole.total()).min(1.0))
}

/// What to know of the functions that a site counts.
pub(super) fn note(profile: &Profile, file: &FileProfile, site: &Site) -> Option<String> {
    let whole = Figures::of(file, &site.counted);
    match part(profile, file, site, &whole) {
        Some(part) if part < 0.95 => Some(format!(
            "{} % of the run is reached from here (stacks); the rest of that function's time has other callers",
            Percent::from_percent(part * whole.total())?
        )),
        None if site.through => {
            Some("all time of the called function is counted, that of other callers too".to_owned())
        }
        _ => None,
    }
}
