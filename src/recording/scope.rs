//! Which code counts as the user's in a run.

use super::place::Place;
use super::request::Measure;
use super::setup::Ready;
use super::shown::Shown;
use super::suite;
use super::workspace::Workspace;
use crate::scalene::{Scope, ScopeRequest};

/// The project, and the texts of the run that have no file of their own, within what the caller wants.
pub(super) fn scope(
    measure: &Measure,
    place: &Place,
    ready: &Ready,
    shown: &Shown,
    workspace: &Workspace,
) -> Scope {
    let patterns = |list: &str| {
        list.split(',')
            .map(str::trim)
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (only, mut exclude) = (patterns(&measure.profile_only), patterns(&measure.profile_exclude));
    // Ours is never the user's code, even when the project is the folder of all temporary files.
    exclude.push(workspace.launcher().to_string_lossy().into_owned());
    exclude.push(suite::runner(workspace).to_string_lossy().into_owned());
    let texts = shown.pattern();
    let typed_dir = place.script.as_ref().and_then(|script| script.absolute.parent());
    let foreign = ready.project.as_ref().map_or(&[][..], |project| &project.site_packages);
    Scope::settle(&ScopeRequest {
        near: place.near(),
        alias: typed_dir.filter(|dir| !dir.starts_with(&place.root)),
        extra_file: texts.as_deref(),
        library_paths: &ready.interpreter.library_paths,
        foreign_packages: foreign,
        only: &only,
        exclude: &exclude,
        profile_all: measure.profile_all,
        ..ScopeRequest::new(&place.root)
    })
}
