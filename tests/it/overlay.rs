//! Private environments with a real Scalene, for real projects, from the package index.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scalene_mcp::process::{self, Controls, Exit, Limits, Spec};
use scalene_mcp::python::overlay::{
    OverlayError, OverlaySpec, ensure, ensure_with, overlay_dir, requirement_for,
};
use scalene_mcp::python::{Env, Interpreter, Request, Scalene, Source, find, probe};

/// A version that no current Scalene would bring along.
const PROJECT_PACKAGE: (&str, &str) = ("cloudpickle", "3.0.0");

/// A project with an environment of its own, and an empty cache.
struct Project {
    dir: tempfile::TempDir,
    base: Interpreter,
}

impl Project {
    /// Made with the python3 on PATH; one package is installed and one is "editable".
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let venv = dir.path().join("proj/.venv");
        let request = Request {
            explicit: None,
            configured: None,
            near: dir.path().to_path_buf(),
            cwd: dir.path().to_path_buf(),
            choose: false,
        };
        let python = find(&request, &Env::current(), &Controls::default()).await.unwrap();
        let venv_text = venv.display().to_string();
        run(&python.base_executable, &["-m", "venv", "--without-pip", &venv_text]).await;
        let (python, controls) = (venv.join("bin/python"), Controls::default());
        let base = probe(&python, Source::Parameter, &controls).await.unwrap();
        let project = Self { dir, base };
        project.add_packages();
        project
    }

    /// Writes what an installer would: a package with metadata, and a `.pth` of an
    /// editable install.
    fn add_packages(&self) {
        let site = &self.base.site_packages[0];
        let (name, version) = PROJECT_PACKAGE;
        let write = |path: PathBuf, text: String| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(site.join(name).join("__init__.py"), format!("__version__ = '{version}'\n"));
        write(
            site.join(format!("{name}-{version}.dist-info/METADATA")),
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
        );
        let src = self.dir.path().join("proj/src");
        write(src.join("mine.py"), "WHO = 'the project'\n".to_owned());
        write(site.join("mine.pth"), format!("{}\n", src.display()));
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn requirement(&self) -> &'static str {
        requirement_for(&self.base.version).unwrap()
    }

    /// Every file of the project with its size, time and content.
    fn tree(&self) -> BTreeMap<PathBuf, (std::time::SystemTime, Vec<u8>)> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.dir.path().join("proj")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                let content = if meta.is_file() { std::fs::read(&path).unwrap() } else { vec![] };
                if meta.is_dir() {
                    folders.push(path.clone());
                }
                files.insert(path, (meta.modified().unwrap(), content));
            }
        }
        files
    }
}

async fn run(program: &Path, args: &[&str]) -> String {
    let args = args.iter().map(Into::into).collect();
    let spec = Spec { program: program.to_path_buf(), args, ..Spec::default() };
    let limits = Limits { timeout: Some(Duration::from_secs(120)), ..Limits::default() };
    let done = process::run(&spec, limits, &Controls::default(), &mut |_| {}).await.unwrap();
    assert_eq!(done.exit, Exit::Code(0), "{}", done.stderr.end());
    done.stdout.head.trim().to_owned()
}

/// The time of the marker: it changes only when the overlay is built again.
fn built_at(dir: &Path) -> std::time::SystemTime {
    dir.join("scalene-mcp-overlay.json").metadata().unwrap().modified().unwrap()
}

fn leftovers(cache: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(cache.join("overlays")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let known = |name: &String| Path::new(name).extension().is_none_or(|end| end != "lock");
    let mut names: Vec<String> = names.filter(known).collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_project_keeps_its_packages_and_two_callers_build_once() {
    let project = Project::new().await;
    let cache = project.cache();
    let spec = OverlaySpec { requirement: project.requirement(), cache_dir: &cache };
    let dir = overlay_dir(&project.base, &spec);
    let before = project.tree();
    // What a killed build leaves: a folder without a marker, half full.
    let killed = dir.with_file_name(format!("{}.building-1", dir.file_name().unwrap().display()));
    std::fs::create_dir_all(killed.join("lib")).unwrap();

    let controls = Controls::default();
    let (mut first_said, mut second_said) = (Vec::new(), Vec::new());
    let mut hear_first = |text: &str| first_said.push(text.to_owned());
    let mut hear_second = |text: &str| second_said.push(text.to_owned());
    let (first, second) = tokio::join!(
        ensure(&project.base, &spec, &controls, &mut hear_first),
        ensure(&project.base, &spec, &controls, &mut hear_second),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first, second);
    let (built, waited): (Vec<_>, Vec<_>) = [&first_said, &second_said]
        .into_iter()
        .partition(|said| said.iter().any(|text| text.starts_with("installing scalene==")));
    assert_eq!((built.len(), waited.len()), (1, 1), "{first_said:?} {second_said:?}");
    assert_eq!(waited[0], &["waiting for another call that installs the same"]);

    let Scalene::Found { version, package_dir, .. } = &first.scalene else {
        unreachable!("{:?}", first.scalene)
    };
    assert_eq!(format!("scalene=={version}"), project.requirement());
    assert!(package_dir.starts_with(dir.canonicalize().unwrap()), "{package_dir:?}");
    assert_eq!(first.site_packages[0], project.base.site_packages[0]);

    let code = "import cloudpickle, mine, scalene.scalene_profiler, numpy; \
                print(cloudpickle.__version__, mine.WHO, numpy.__file__)";
    let said = run(&first.executable, &["-B", "-c", code]).await;
    let numpy = said.strip_prefix("3.0.0 the project ").unwrap();
    assert!(Path::new(numpy).starts_with(dir.canonicalize().unwrap()), "{numpy}");
    assert_eq!(project.tree(), before);

    let marked = built_at(&dir);
    assert_eq!(ensure(&project.base, &spec, &controls, &mut |_| {}).await.unwrap(), first);
    assert_eq!(built_at(&dir), marked);
    assert_eq!(leftovers(&cache), [dir.file_name().unwrap().to_str().unwrap()]);

    the_project_changes(&project, &spec, marked).await;
}

/// A version that changed is checked, one that breaks Scalene is named, and an
/// incomplete overlay is not used.
async fn the_project_changes(
    project: &Project,
    spec: &OverlaySpec<'_>,
    marked: std::time::SystemTime,
) {
    let (site, controls) = (&project.base.site_packages[0], Controls::default());
    let dir = overlay_dir(&project.base, spec);
    std::fs::rename(
        site.join("cloudpickle-3.0.0.dist-info"),
        site.join("cloudpickle-3.0.1.dist-info"),
    )
    .unwrap();
    ensure(&project.base, spec, &controls, &mut |_| {}).await.unwrap();
    assert_ne!(built_at(&dir), marked);

    std::fs::create_dir_all(site.join("pydantic-1.10.0.dist-info")).unwrap();
    std::fs::create_dir_all(site.join("pydantic")).unwrap();
    std::fs::write(site.join("pydantic/__init__.py"), "VERSION = '1.10.0'\n").unwrap();
    let before = project.tree();
    let error = ensure(&project.base, spec, &controls, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.code(), "scalene_conflict", "{error}");
    let message = error.to_string();
    assert!(message.contains("the project's own pydantic 1.10.0: ImportError"), "{message}");
    assert_eq!(project.tree(), before);
}

#[tokio::test]
async fn offline_fails_soon_and_leaves_nothing() {
    let project = Project::new().await;
    let cache = project.cache();
    // An installer that cannot reach its index, as uv says it.
    let bin = project.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    fake(&bin.join("uv"), "echo 'error: Failed to fetch: dns error' >&2; exit 2");
    let env = Env::new([("PATH".into(), bin.into())], None, project.dir.path().to_path_buf());
    // No pip can have this version either, whether it reaches an index or not.
    let spec = OverlaySpec { requirement: "scalene==0.0.0.dev0", cache_dir: &cache };
    let failed = ensure_with(&project.base, &spec, &env, &Controls::default(), &mut |_| {}).await;
    let error = failed.unwrap_err();
    assert!(matches!(error, OverlayError::Network { .. }), "{error}");
    assert_eq!(error.code(), "scalene_setup_failed");
    assert!(error.hint().contains("proxy and index settings"), "{}", error.hint());
    assert_eq!(leftovers(&cache), Vec::<String>::new());
}

#[tokio::test]
async fn a_cancelled_build_ends_at_once_and_leaves_nothing() {
    let project = Project::new().await;
    let cache = project.cache();
    let bin = project.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    fake(&bin.join("uv"), "sleep 60");
    let env = Env::new([("PATH".into(), bin.into())], None, project.dir.path().to_path_buf());
    let spec = OverlaySpec { requirement: project.requirement(), cache_dir: &cache };
    let controls = Controls::default();
    let cancel = controls.cancel.clone();
    let mut on_progress = |text: &str| {
        if text.starts_with("installing") {
            cancel.cancel();
        }
    };
    let started = std::time::Instant::now();
    let failed = ensure_with(&project.base, &spec, &env, &controls, &mut on_progress).await;
    assert_eq!(failed.unwrap_err().code(), "cancelled");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(leftovers(&cache), Vec::<String>::new());
}

#[cfg(unix)]
fn fake(path: &Path, body: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
