//! Where a program is and where it runs, and what a person has allowed for it.

use std::path::{Path, PathBuf};

use super::error::RecordError;
use super::record::Recorder;
use super::request::{RunRequest, Script, expand_home, find_script};
use crate::profile::is_notebook;
use crate::python;

/// Where a program is and where it runs.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) cwd: PathBuf,
    pub(super) script: Option<Script>,
    pub(super) root: PathBuf,
}

impl Recorder {
    /// The recorder for a run: what a person has allowed for it counts, too.
    #[must_use]
    pub fn allowing(&self, request: &RunRequest) -> Self {
        let mut own = self.clone();
        own.settings.allow_install |= request.allowed.install;
        if request.allowed.outside_roots && !own.settings.guard.roots.is_empty() {
            let from = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
            let cwd = request.cwd.as_ref().map(|cwd| from.join(cwd));
            let script = request.target.file().map(|(_, typed)| expand_home(typed));
            let script = script.map(|typed| cwd.as_ref().unwrap_or(&from).join(typed));
            let folder =
                script.and_then(|script| script.canonicalize().ok()?.parent().map(Path::to_owned));
            let folders = [folder, cwd.and_then(|cwd| cwd.canonicalize().ok())];
            own.settings.guard.roots.extend(folders.into_iter().flatten());
        }
        own
    }

    /// Settles script, working directory and project root.
    pub(super) fn place(&self, request: &RunRequest) -> Result<Place, RecordError> {
        let own = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let asked = request.cwd.as_ref().map(|cwd| own.join(cwd));
        if let Some(cwd) = asked.as_ref().filter(|cwd| !cwd.is_dir()) {
            return Err(RecordError::BadWorkingDir(cwd.clone()));
        }
        let asked = asked.map(|cwd| cwd.canonicalize().unwrap_or(cwd));
        let home = self.env.home();
        let guard = &self.settings.guard;
        if let Some(cwd) = &asked {
            guard.admit("cwd", cwd)?;
        }
        let Some((parameter, typed)) = request.target.file() else {
            let own = guard
                .admit("cwd", &own)
                .map_or_else(|_| guard.roots.first().cloned(), |_| Some(own));
            let from = asked.clone().or(own.clone());
            let tests = request.tests.as_ref();
            let elsewhere = tests.and_then(|tests| tests.folder(from.as_deref()?, home));
            let cwd = asked.or(elsewhere).or(own).unwrap_or_else(|| PathBuf::from("/"));
            if let Some(tests) = tests {
                tests.admit(guard, &cwd)?;
            }
            let root = python::project_root(&cwd, &cwd, home);
            return Ok(Place { cwd, script: None, root });
        };
        let from = asked.as_deref().unwrap_or(&own);
        let find = |from: &Path| {
            // Before it is looked for: what is outside need not be told from what is missing.
            guard.admit(parameter, &from.join(expand_home(typed)))?;
            find_script(typed, from)
        };
        let script =
            find(from).or_else(|error| if asked.is_some() { find(&own) } else { Err(error) })?;
        let near = script.real.parent().unwrap_or(Path::new("/"));
        // A server started by a desktop program runs in `/` or the home folder: no place for
        // a program that opens files of its project.
        let own_fits =
            Some(own.as_path()) != home && own.parent().is_some() && near.starts_with(&own);
        // A notebook runs in its own folder.
        let own =
            if is_notebook(&script.real) { Some(near.to_owned()) } else { own_fits.then_some(own) };
        let cwd = asked.or(own);
        let root = python::project_root(near, cwd.as_deref().unwrap_or(near), home);
        // The root of a project may lie above the folders that the server may use.
        let cwd = cwd.unwrap_or_else(|| root.clone());
        let cwd = if guard.admit("cwd", &cwd).is_ok() { cwd } else { near.to_owned() };
        Ok(Place { cwd, script: Some(script), root })
    }
}

impl Place {
    /// The script, if it is a notebook.
    pub(super) fn notebook(&self) -> Option<&Path> {
        let script = self.script.as_ref()?;
        is_notebook(&script.real).then_some(&script.real)
    }

    pub(super) fn near(&self) -> &Path {
        self.script.as_ref().and_then(|script| script.real.parent()).unwrap_or(&self.cwd)
    }
}
