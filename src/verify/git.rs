//! A revision of a project, checked out beside it: work tree and index stay as they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::beside::Beside;
use super::compare;
use crate::process::{Controls, EndedBy, Exit, Finished, Whole};
use crate::recording::{Aid, Ground, Moved, Program, RecordError};

/// Time for one call of git.
const WITHIN: Duration = Duration::from_secs(300);
/// Most untracked files and folders that are looked at.
const MOST_UNTRACKED: usize = 10_000;
/// Variables that would point git somewhere else.
const POINTERS: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
];

/// A revision beside its project.
pub(super) struct CheckedOut {
    pub(super) moved: Moved,
    /// The commit, in full.
    pub(super) commit: String,
    /// What became of files that git does not track.
    pub(super) note: Option<String>,
}

/// Where the data of a repository are: in `.git`, or, for a linked work tree or a submodule, where a file of that
/// name says.
fn data_folders(top: &Path) -> Vec<PathBuf> {
    let own = top.join(".git");
    let pointer = own.is_file().then(|| std::fs::read_to_string(&own).ok()).flatten();
    let named = pointer.as_deref().and_then(|text| text.trim().strip_prefix("gitdir:"));
    let Some(folder) = named.map(|named| top.join(named.trim())) else { return vec![own] };
    let common = std::fs::read_to_string(folder.join("commondir")).ok();
    let common = common.map(|common| folder.join(common.trim()));
    std::iter::once(folder).chain(common).collect()
}

/// git, for one repository.
struct Git<'a> {
    ground: &'a mut Ground,
    program: &'a Program,
    controls: &'a Controls,
    executable: PathBuf,
    top: PathBuf,
    /// Where its data are.
    data: Vec<PathBuf>,
    index: PathBuf,
    parameter: &'static str,
}

/// Checks a revision of the repository of `program` out into a folder of the ground.
pub(super) async fn check_out(
    ground: &mut Ground,
    program: &Program,
    revision: &str,
    (folder, parameter): (&str, &'static str),
    controls: &Controls,
) -> Result<CheckedOut, RecordError> {
    let invalid = |problem: String| RecordError::InvalidArgument { parameter, problem };
    let revision = revision.trim();
    if revision.is_empty() || revision.contains('\0') {
        return Err(invalid("no revision is named".to_owned()));
    }
    let near = program.near().to_owned();
    let top = near.ancestors().find(|folder| folder.join(".git").exists());
    let top = top
        .ok_or_else(|| invalid(format!("`{}` lies in no git repository", near.display())))?
        .to_owned();
    ground.admit(parameter, &top)?;
    let data = data_folders(&top);
    for folder in &data {
        ground.admit(parameter, folder)?;
    }
    let executable = on_path("git").ok_or_else(|| invalid("git is not installed".to_owned()))?;
    let index = ground.folder(&format!("{folder}-git"))?.join("index");
    let to = ground.folder(folder)?;
    let mut git = Git { ground, program, controls, executable, top, data, index, parameter };
    let commit = git.commit(revision).await?;
    git.must(&["read-tree", &commit], None, "read the revision").await?;
    let mut prefix = OsString::from("--prefix=");
    prefix.push(&to);
    prefix.push("/");
    let check_out = ["checkout-index".into(), "--all".into(), "--quiet".into(), prefix];
    git.must_os(check_out.to_vec(), Some(&to), "check the revision out").await?;
    let untracked = git.untracked().await?;
    let from = git.top.clone();
    let failed = |error| invalid(format!("the copy cannot be completed: {error}"));
    // What is not tracked may be of any age.
    let is_of_version = |_: &Path| false;
    let mut beside = Beside::new(&from, &to, program.script(), &is_of_version).map_err(failed)?;
    for path in &untracked {
        beside.lay(path);
    }
    let side = if parameter == "baseline_rev" { "baseline" } else { "candidate" };
    let note = beside.laid().note(side, revision, "git does not track it");
    Ok(CheckedOut { moved: Moved { from, to }, commit, note })
}

impl Git<'_> {
    async fn run(
        &mut self,
        args: Vec<OsString>,
        own_index: bool,
        write: Option<&Path>,
    ) -> Result<Finished, RecordError> {
        let mut all: Vec<OsString> = [
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.quotePath=false",
        ]
        .map(Into::into)
        .to_vec();
        all.extend(args);
        let mut env: Vec<(OsString, OsString)> = [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("LC_ALL", "C"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec();
        if self.program.sandbox().is_some() {
            // Those of the user lie where a confined program may not read.
            let none = if cfg!(windows) { "NUL" } else { "/dev/null" };
            env.push(("GIT_CONFIG_GLOBAL".into(), none.into()));
            env.push(("GIT_CONFIG_NOSYSTEM".into(), "1".into()));
        }
        if own_index {
            env.push(("GIT_INDEX_FILE".into(), self.index.clone().into()));
        }
        let index_folder = self.index.parent().map(Path::to_owned);
        let aid = Aid {
            program: self.executable.clone(),
            args: all,
            env,
            env_remove: POINTERS.map(Into::into).to_vec(),
            cwd: Some(self.top.clone()),
            read: self.data.iter().chain([&self.top]).cloned().collect(),
            write: index_folder.into_iter().chain(write.map(Path::to_owned)).collect(),
            within: WITHIN,
            ..Aid::default()
        };
        self.ground.aid(self.program, aid, self.controls).await
    }

    async fn must(
        &mut self,
        args: &[&str],
        write: Option<&Path>,
        what: &str,
    ) -> Result<(), RecordError> {
        self.must_os(args.iter().map(Into::into).collect(), write, what).await
    }

    async fn must_os(
        &mut self,
        args: Vec<OsString>,
        write: Option<&Path>,
        what: &str,
    ) -> Result<(), RecordError> {
        let finished = self.run(args, true, write).await?;
        if succeeded(&finished) { Ok(()) } else { Err(self.failed(what, &finished)) }
    }

    fn failed(&self, what: &str, finished: &Finished) -> RecordError {
        let said = finished.stderr.end().trim();
        let said = compare::shown(said.lines().last());
        let said = said.unwrap_or_else(|| "it did not say why".to_owned());
        let problem = match finished.ended_by {
            EndedBy::Itself => format!("git could not {what}: {said}"),
            _ => format!("git was stopped before it could {what}"),
        };
        RecordError::InvalidArgument { parameter: self.parameter, problem }
    }

    async fn commit(&mut self, revision: &str) -> Result<String, RecordError> {
        let named = format!("{revision}^{{commit}}");
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &named];
        let finished = self.run(args.map(Into::into).to_vec(), false, None).await?;
        let commit = finished.stdout.head.trim().to_owned();
        if succeeded(&finished)
            && commit.chars().all(|c| c.is_ascii_hexdigit())
            && commit.len() >= 40
        {
            return Ok(commit);
        }
        let said = compare::shown(finished.stderr.end().trim().lines().last());
        let said = said.map_or_else(String::new, |said| format!(": {said}"));
        Err(RecordError::InvalidArgument {
            parameter: self.parameter,
            problem: format!(
                "`{revision}` names no commit of the repository `{}`{said}",
                self.top.display()
            ),
        })
    }

    /// Files, and folders of nothing else, that git does not track, ignored ones included.
    async fn untracked(&mut self) -> Result<Vec<PathBuf>, RecordError> {
        let args = ["ls-files", "--others", "--directory", "--no-empty-directory", "-z"];
        let finished = self.run(args.map(Into::into).to_vec(), false, None).await?;
        let listed = finished.whole.filter(Whole::is_complete).map(|whole| whole.bytes);
        let listed = String::from_utf8_lossy(&listed.unwrap_or_default()).into_owned();
        let names = listed.split('\0').filter(|name| !name.is_empty()).take(MOST_UNTRACKED);
        Ok(names.map(|name| PathBuf::from(name.trim_end_matches('/'))).collect())
    }
}

fn succeeded(finished: &Finished) -> bool {
    finished.ended_by == EndedBy::Itself && finished.exit == Exit::Code(0)
}

/// An executable by its name, as a shell finds it.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let names = if cfg!(windows) { vec![format!("{name}.exe")] } else { vec![name.to_owned()] };
    let path = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&path)
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)).collect::<Vec<_>>());
    all.filter(|path| path.is_absolute()).find(|path| path.is_file())
}
