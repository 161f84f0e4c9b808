//! The two programs: where their sources come from, and the copies that some run from.

use super::git;
use super::request::{Origin, VerifyRequest};
use super::restore;
use super::result::Progress;
use crate::process::Controls;
use crate::recording::{Ground, Moved, Program, RecordError, Recorder, RunRequest, Target};
use crate::statistics::Side;

/// Digits of a commit that are shown.
const SHORT_COMMIT: usize = 10;

/// The two programs on their ground.
pub(super) struct Sides {
    pub(super) ground: Ground,
    pub(super) baseline: Program,
    pub(super) candidate: Program,
    pub(super) names: [String; 2],
    /// What was restored and what was not.
    pub(super) notes: Vec<String>,
}

impl Sides {
    pub(super) fn program(&self, side: Side) -> &Program {
        match side {
            Side::Baseline => &self.baseline,
            Side::Candidate => &self.candidate,
        }
    }
}

/// Settles both programs.
pub(super) async fn settle(
    recorder: &Recorder,
    request: &VerifyRequest,
    controls: &Controls,
    on_event: &mut (dyn FnMut(Progress) + Send),
) -> Result<Sides, RecordError> {
    let targets = [target(request, &request.baseline)?, target(request, &request.candidate)?];
    let [baseline, candidate] = targets.map(|target| RunRequest { target, ..request.run.clone() });
    // One interpreter for both: that of the project as it is now.
    let mut ground = recorder.ground(&candidate, controls).await?;
    let mut notes: Vec<String> = ground.warning().into_iter().collect();
    let mut names =
        [request.name(&request.baseline, true), request.name(&request.candidate, false)];
    let mut programs = Vec::new();
    let each = [(&request.baseline, baseline, "b"), (&request.candidate, candidate, "c")];
    for (index, (origin, run, folder)) in each.into_iter().enumerate() {
        let original = ground.program(&run, None, controls).await?;
        let moved = match origin {
            Origin::Path(_) | Origin::Code(_) => None,
            Origin::Revision(revision) => {
                on_event(Progress::Step(format!("checking {revision} out")));
                let parameter = if folder == "b" { "baseline_rev" } else { "candidate_rev" };
                let place = (folder, parameter);
                let out = git::check_out(&mut ground, &original, revision, place, controls).await?;
                if let Some(name) = names.get_mut(index) {
                    let commit = out.commit.get(..SHORT_COMMIT).unwrap_or(&out.commit);
                    if !revision.starts_with(commit) {
                        name.push_str(&format!(" ({commit})"));
                    }
                }
                must_exist(&original, &out.moved, revision)?;
                notes.extend(out.note);
                Some(out.moved)
            }
            Origin::Profile(profile) => {
                let (moved, found) = restore::restored(&ground, &original, profile, folder)?;
                notes.extend(found);
                Some(moved)
            }
        };
        programs.push(match moved {
            Some(moved) => {
                notes.extend(editable(&ground, &moved));
                ground.program(&run, Some(&moved), controls).await?
            }
            None => original,
        });
    }
    let Ok([baseline, candidate]) = <[Program; 2]>::try_from(programs) else {
        return Err(RecordError::Cancelled);
    };
    Ok(Sides { ground, baseline, candidate, names, notes })
}

/// What a side runs, named as it is now.
fn target(request: &VerifyRequest, origin: &Origin) -> Result<Target, RecordError> {
    match origin {
        Origin::Path(path) => Ok(Target::typed(path)),
        Origin::Code(code) => Ok(Target::Snippet(code.clone())),
        Origin::Revision(_) | Origin::Profile(_) => {
            let script = request.script.as_deref().filter(|script| !script.trim().is_empty());
            script.map(Target::typed).ok_or_else(|| RecordError::InvalidArgument {
                parameter: "script_path",
                problem: "the script of that revision is not named".to_owned(),
            })
        }
    }
}

fn must_exist(original: &Program, moved: &Moved, revision: &str) -> Result<(), RecordError> {
    let Some(script) = original.script() else { return Ok(()) };
    let there = moved.map(script).is_some_and(|path| path.is_file());
    if there {
        return Ok(());
    }
    let path = format!("{} at {}", script.display(), revision.trim()).into();
    Err(RecordError::ScriptNotFound { path, similar: Vec::new() })
}

/// Warns of a package of the project that is installed in a way that leads back to the original.
fn editable(ground: &Ground, moved: &Moved) -> Option<String> {
    let project = moved.from.to_string_lossy();
    let folders = ground.interpreter().site_packages.iter();
    let entries = folders.filter_map(|folder| folder.read_dir().ok()).flatten().flatten();
    let mut finders = entries.filter(|entry| {
        let is_python = entry.path().extension().is_some_and(|ending| ending == "py");
        is_python && entry.file_name().to_string_lossy().starts_with("__editable__")
    });
    let leads_back = finders.any(|entry| {
        std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(&*project))
    });
    leads_back.then(|| {
        "a package of this project is installed as editable: where it is imported from another folder than the \
         script's, both sides may have imported the files as they are now"
            .to_owned()
    })
}
