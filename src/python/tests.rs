//! Discovery with made-up interpreters: shell scripts that print a canned answer.
//! Every test has a file system of its own and sees none of this machine's Pythons.

#![cfg(unix)]

use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::{Env, Interpreter, PythonError, Request, Scalene, Source, find, probe};
use crate::process::Controls;

struct World {
    dir: tempfile::TempDir,
    vars: Vec<(OsString, OsString)>,
    request: Request,
}

impl World {
    /// A home, a project with a marker, and a script folder in it.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let near = dir.path().join("home/proj/app");
        std::fs::create_dir_all(&near).unwrap();
        std::fs::write(dir.path().join("home/proj/pyproject.toml"), "").unwrap();
        let request =
            Request { explicit: None, configured: None, cwd: near.clone(), near, choose: false };
        Self { dir, vars: Vec::new(), request }
    }

    fn at(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn var(&mut self, name: &str, below: &str) {
        self.vars.push((name.into(), self.at(below).into()));
    }

    fn script(&self, below: &str, body: &str) -> PathBuf {
        let path = self.at(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// An interpreter of this version that answers the probe.
    fn python(&self, below: &str, version: &str) -> PathBuf {
        self.answering(below, version, "CPython", r#"{"state":"missing"}"#)
    }

    fn answering(&self, below: &str, version: &str, name: &str, scalene: &str) -> PathBuf {
        let path = self.at(below);
        let old = version.starts_with("3.7") || name != "CPython";
        let result = if old { "unsupported" } else { "ok" };
        let list = version.replace('.', ",");
        let prefix = path.parent().unwrap().parent().unwrap().display();
        let json = format!(
            r#"{{"result":"{result}","version":[{list}],"version_text":"{version} (fake)",
            "implementation":"{name}","executable":"{0}","base_executable":"{0}",
            "prefix":"{prefix}","base_prefix":"{prefix}","platform":"linux","machine":"x86_64",
            "pointer_bits":64,"is_virtual_env":false,"free_threaded":false,"cpu_count":2,
            "site_packages":[],"library_paths":[],"scalene":{scalene}}}"#,
            path.display()
        )
        .replace('\n', "");
        self.script(below, &format!("echo noise\necho '@scalene-mcp-probe@{json}'"))
    }

    fn venv(&self, below: &str, version: &str) -> PathBuf {
        let python = self.python(&format!("{below}/bin/python"), version);
        std::fs::write(self.at(below).join("pyvenv.cfg"), "home = /nowhere\n").unwrap();
        python
    }

    async fn find(&self) -> Result<Interpreter, PythonError> {
        let env = Env::new(self.vars.clone(), Some(self.at("home")), self.at(""));
        find(&self.request, &env, &Controls::default()).await
    }

    async fn found(&self) -> (PathBuf, Source) {
        let found = self.find().await.unwrap();
        (found.executable, found.source)
    }

    /// Code, message and hint, with this test's folder taken out.
    async fn error(&self) -> (String, String, String) {
        let error = self.find().await.unwrap_err();
        let plain = |text: String| text.replace(&self.at("").display().to_string(), "/");
        (error.code().to_owned(), plain(error.to_string()), plain(error.hint()))
    }
}

#[tokio::test]
async fn the_order_of_places() {
    // Each place is better than all the ones before it.
    let mut world = World::new();
    let system = world.python("usr/bin/python3", "3.9.2");
    assert_eq!(world.found().await, (system, Source::System));
    let brew = world.python("opt/homebrew/bin/python3", "3.9.3");
    assert_eq!(world.found().await, (brew, Source::Homebrew));
    let uv = world.python("home/.local/share/uv/python/cpython-3.9.4-linux/bin/python3", "3.9.4");
    assert_eq!(world.found().await, (uv, Source::Uv));
    let pyenv = world.python("home/.pyenv/versions/3.10.1/bin/python", "3.10.1");
    assert_eq!(world.found().await, (pyenv.clone(), Source::Pyenv));

    world.var("PATH", "bin");
    let two = world.python("bin/python", "3.9.5");
    assert_eq!(world.found().await, (two, Source::Path));
    let three = world.python("bin/python3", "3.9.6");
    assert_eq!(world.found().await, (three, Source::Path));

    let file = world.at("home/proj/.python-version");
    std::fs::write(&file, "3.10\n").unwrap();
    assert_eq!(world.found().await, (pyenv, Source::VersionFile { file }));

    world.var("CONDA_PREFIX", "home/conda");
    let base = world.python("home/conda/bin/python", "3.9.7");
    std::fs::create_dir_all(world.at("home/conda/conda-meta")).unwrap();
    std::fs::create_dir_all(world.at("home/conda/condabin")).unwrap();
    assert_eq!(world.found().await, (base, Source::Conda { dir: world.at("home/conda") }));

    let project = world.venv("home/proj/venv", "3.9.8");
    let dir = world.at("home/proj/venv");
    assert_eq!(world.found().await, (project, Source::Nearby { dir, beside: false }));
    let beside = world.venv("home/proj/app/.venv", "3.9.9");
    let near = world.at("home/proj/app/.venv");
    assert_eq!(world.found().await, (beside, Source::Nearby { dir: near.clone(), beside: true }));

    std::fs::remove_dir(world.at("home/conda/condabin")).unwrap();
    assert_eq!(world.found().await.1, Source::Conda { dir: world.at("home/conda") });

    world.var("VIRTUAL_ENV", "home/active");
    let active = world.venv("home/active", "3.9.10");
    let dir = world.at("home/active");
    assert_eq!(world.found().await, (active, Source::VirtualEnv { dir, passed_over: Some(near) }));

    world.request.configured = Some(("3.9.2".to_owned(), "--python"));
    assert_eq!(world.found().await.1, Source::Configured("--python"));
    world.request.explicit = Some("~/active".to_owned());
    assert_eq!(world.found().await, (world.at("home/active/bin/python"), Source::Parameter));
}

#[tokio::test]
async fn every_form_of_the_parameter() {
    let mut world = World::new();
    world.var("PATH", "bin");
    let plain = world.python("bin/python3", "3.9.6");
    let named = world.python("bin/python3.12", "3.12.1");
    let pyenv = world.python("home/.pyenv/versions/3.10.1/bin/python", "3.10.1");
    let venv = world.venv("home/proj/app/myenv", "3.11.2");
    for (text, expected) in [
        ("python3", &plain),
        ("python3.12", &named),
        ("3.12", &named),
        ("3.10", &pyenv),
        ("3.10.1", &pyenv),
        ("myenv", &venv),
        ("./myenv/bin/python", &venv),
        ("../app/myenv/", &venv),
        ("  3.9 ", &plain),
        (" ", &plain),
    ] {
        world.request.explicit = Some(text.to_owned());
        let found = world.find().await.unwrap().executable.canonicalize().unwrap();
        assert_eq!(found, expected.canonicalize().unwrap(), "`{text}`");
    }
}

#[tokio::test]
async fn what_was_asked_for_is_never_replaced() {
    let mut world = World::new();
    world.var("PATH", "bin");
    world.python("bin/python3", "3.9.6");
    world.request.configured = Some(("/no/such/python".to_owned(), "SCALENE_MCP_PYTHON"));
    let (code, message, hint) = world.error().await;
    assert_eq!(code, "interpreter_not_found");
    assert_eq!(
        message,
        "no Python for `/no/such/python` (from `SCALENE_MCP_PYTHON`): looked at `/no/such/python`"
    );
    assert_eq!(hint, "pass another one as `python`; these exist: `/bin/python3`");

    world.request.explicit = Some("3.13".to_owned());
    let (code, message, _) = world.error().await;
    assert_eq!(code, "interpreter_not_found");
    assert_eq!(message, "no Python for `3.13` (from the `python` parameter): looked at `/bin`");

    world.script("bin/false", "exit 3");
    world.request.explicit = Some("false".to_owned());
    let (code, message, _) = world.error().await;
    assert_eq!(code, "interpreter_broken");
    assert!(message.ends_with("it ended with exit code 3 and no answer"), "{message}");
}

#[tokio::test]
async fn a_broken_environment_is_an_error_with_its_reason() {
    let mut world = World::new();
    world.var("PATH", "bin");
    world.python("bin/python3", "3.9.6");
    std::fs::create_dir_all(world.at("home/proj/.venv/bin")).unwrap();
    let (code, message, hint) = world.error().await;
    assert_eq!(code, "interpreter_broken");
    assert_eq!(
        message,
        "broken environment `/home/proj/.venv` (from the project's environment \
         `/home/proj/.venv`): `pyvenv.cfg` is missing"
    );
    assert!(hint.starts_with("recreate it (`python3 -m venv --clear /home/proj/.venv`"), "{hint}");

    std::fs::write(world.at("home/proj/.venv/pyvenv.cfg"), "").unwrap();
    symlink("/gone/python3.8", world.at("home/proj/.venv/bin/python")).unwrap();
    let (_, message, _) = world.error().await;
    assert!(
        message.ends_with(
            "`/home/proj/.venv/bin/python` is a link to `/gone/python3.8`, which does not exist \
             any more"
        ),
        "{message}"
    );

    world.var("VIRTUAL_ENV", "home/deleted");
    let (code, message, hint) = world.error().await;
    assert_eq!(code, "interpreter_broken");
    assert!(message.ends_with("(VIRTUAL_ENV)): the folder does not exist"), "{message}");
    assert!(hint.contains("start the server without VIRTUAL_ENV"), "{hint}");
}

#[tokio::test]
async fn folders_that_only_share_a_name_are_no_environments() {
    let mut world = World::new();
    world.var("PATH", "bin");
    world.python("bin/python3", "3.9.6");
    std::fs::create_dir_all(world.at("home/proj/venv/lib")).unwrap();
    world.script("home/proj/env/bin/python", "exit 1");
    assert_eq!(world.found().await.1, Source::Path);
}

#[tokio::test]
async fn an_environment_above_the_project_is_not_looked_at() {
    let mut world = World::new();
    world.var("PATH", "bin");
    world.python("bin/python3", "3.9.6");
    world.venv("home/.venv", "3.9.1");
    assert_eq!(world.found().await.1, Source::Path);
}

#[tokio::test]
async fn the_working_directory_counts_for_a_script_elsewhere() {
    let mut world = World::new();
    let venv = world.venv("home/proj/.venv", "3.9.1");
    world.request.near = world.at("tmp");
    std::fs::create_dir_all(&world.request.near).unwrap();
    assert_eq!(world.found().await.0, venv);
}

#[tokio::test]
async fn unusable_ones_on_path_are_skipped_and_remembered() {
    let mut world = World::new();
    world.vars.push((
        "PATH".into(),
        std::env::join_paths(["a", "b", "c", "WindowsApps"].map(|dir| world.at(dir))).unwrap(),
    ));
    world.script("a/python3", "echo broken >&2; exit 1");
    world.python("b/python3", "3.7.1");
    world.script("c/python3", "echo 'Unknown option: -I' >&2; exit 2");
    world.python("WindowsApps/python3", "3.12.1");
    let (code, message, _) = world.error().await;
    assert_eq!(code, "interpreter_not_found");
    assert_eq!(
        message,
        "no usable Python 3 was found; `/a/python3` was skipped: it ended with exit code 1 and no \
         answer: broken; `/b/python3` was skipped: it is Python 3.7.1, and Scalene needs 3.8 or \
         newer; `/c/python3` was skipped: it is Python 2, and Scalene needs 3.8 or newer"
    );
    let good = world.python("c/python", "3.8.0");
    assert_eq!(world.found().await, (good, Source::Path));
}

#[tokio::test]
async fn pyenv_shims_give_way_to_the_version_they_would_choose() {
    let mut world = World::new();
    world.var("PATH", "home/.pyenv/shims");
    world.script("home/.pyenv/shims/python3", "exit 1");
    world.python("home/.pyenv/versions/3.12.1/bin/python", "3.12.1");
    let old = world.python("home/.pyenv/versions/3.9.1/bin/python", "3.9.1");
    let file = world.at("home/.pyenv/version");
    std::fs::write(&file, "3.9.1\n").unwrap();
    assert_eq!(world.found().await, (old, Source::VersionFile { file }));
}

#[tokio::test]
async fn what_scalene_does_not_run_on() {
    let mut world = World::new();
    let none = r#"{"state":"missing"}"#;
    for (version, name, expected) in [
        ("3.7.9", "CPython", "it is Python 3.7.9, and Scalene needs 3.8 or newer"),
        ("3.11.0", "CPython", "it is Python 3.11.0, the one release that Scalene excludes"),
        ("3.10.1", "PyPy", "it is PyPy, and Scalene needs CPython"),
    ] {
        world.answering("one/python", version, name, none);
        world.request.explicit = Some(world.at("one/python").display().to_string());
        let (code, message, _) = world.error().await;
        assert_eq!(code, "interpreter_unsupported");
        assert!(message.ends_with(expected), "{message}");
    }
}

#[tokio::test]
async fn the_state_of_scalene_is_reported() {
    let world = World::new();
    let ask = async |scalene: &str| {
        let path = world.answering("x/bin/python", "3.12.1", "CPython", scalene);
        probe(&path, Source::Path, &Controls::default()).await.unwrap().scalene
    };
    assert_eq!(ask(r#"{"state":"missing"}"#).await, Scalene::Missing);
    assert_eq!(
        ask(r#"{"state":"broken","reason":"half"}"#).await,
        Scalene::Broken { reason: "half".to_owned() }
    );
    assert_eq!(
        ask(r#"{"state":"found","version":"2.4.0","package_dir":"/s","preload_library":null}"#)
            .await,
        Scalene::Found {
            version: "2.4.0".to_owned(),
            package_dir: "/s".into(),
            preload_library: None
        }
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_named() {
    let world = World::new();
    let path = world.script("x/python", "echo '@scalene-mcp-probe@{'");
    let error = probe(&path, Source::Path, &Controls::default()).await.unwrap_err();
    assert!(error.to_string().contains("its answer cannot be read"), "{error}");
    let missing = probe(Path::new("/no/python"), Source::Path, &Controls::default()).await;
    let message = missing.unwrap_err().to_string();
    assert_eq!(
        message,
        "`/no/python` (from PATH) does not work as a Python: it could not be started \
         (`/no/python` does not exist)"
    );
}

#[tokio::test]
async fn a_cancelled_search_says_so() {
    let mut world = World::new();
    world.var("PATH", "bin");
    world.script("bin/python3", "sleep 30");
    let env = Env::new(world.vars.clone(), None, world.at(""));
    let controls = Controls::default();
    controls.cancel.cancel();
    let error = find(&world.request, &env, &controls).await.unwrap_err();
    assert_eq!(error.code(), "cancelled");
}
