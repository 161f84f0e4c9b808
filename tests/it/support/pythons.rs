//! Pythons with a Scalene of a chosen version, set up once below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Overlays and environments of tests live here, so that a second run finds them.
fn base() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pythons")
}

/// The server's cache directory in tests.
pub(crate) fn cache_dir() -> PathBuf {
    base().join("cache")
}

/// The `python3` on PATH; a real file, not a shim.
pub(crate) fn system_python() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            let script = "import sys; print(sys.executable)";
            let output = command("python3")
                .args(["-c", script])
                .output()
                .expect("tests need a python3 on PATH");
            PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
        })
        .clone()
}

#[expect(clippy::disallowed_methods, reason = "tests prepare their environment")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// A Python before 3.12 and one from 3.12 on, as far as the machine has them: from 3.12 on Python
/// tells of calls in another way.
pub(crate) fn of_both_kinds() -> Vec<PathBuf> {
    let known = known();
    let kinds = [&(8..12), &(12..14)];
    let first = |kind: &std::ops::Range<u32>| {
        known.iter().find(|(minor, _)| kind.contains(minor)).map(|(_, python)| python.clone())
    };
    kinds.into_iter().filter_map(first).collect()
}

/// One Python of each of these minor versions of 3 that the machine has, with its minor version; the one on PATH at least.
pub(crate) fn of_minors(minors: &[u32]) -> Vec<(u32, PathBuf)> {
    let known = known();
    let first = |minor: &u32| known.iter().find(|(known, _)| known == minor).cloned();
    let found: Vec<_> = minors.iter().filter_map(first).collect();
    if found.is_empty() { known.into_iter().take(1).collect() } else { found }
}

/// Pythons of the machine with their minor versions, the one on PATH first.
fn known() -> Vec<(u32, PathBuf)> {
    let minor = |python: &Path| -> Option<u32> {
        let script = "import sys; print(sys.version_info[1])";
        let output = command(python).args(["-c", script]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from).or(home).unwrap_or_default();
    let installed = root.join("versions").read_dir().into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    dirs.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut all = vec![system_python()];
    for name in ["python3.13", "python3.12", "python3.11", "python3.10", "python3.9", "python3.8"] {
        all.extend(dirs.iter().map(|dir| dir.join(name)).filter(|python| python.is_file()));
    }
    all.iter().filter_map(|python| Some((minor(python)?, python.clone()))).collect()
}

/// An environment with this version of Scalene, made on first use. Other processes wait.
pub(crate) fn with_scalene(version: &str) -> PathBuf {
    environment(&system_python(), &format!("scalene-{version}"), Some(version))
}

/// An environment `name` of `python`, with this version of Scalene or with nothing in it.
pub(crate) fn environment(python: &Path, name: &str, scalene: Option<&str>) -> PathBuf {
    let dir = base().join(name);
    std::fs::create_dir_all(base()).unwrap();
    let lock = std::fs::File::create(base().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if !dir.join("complete").exists() {
        let _ = std::fs::remove_dir_all(&dir);
        let bare: &[&str] = if scalene.is_none() { &["--without-pip"] } else { &[] };
        run(command(python).args(["-m", "venv"]).args(bare).arg(&dir));
        if let Some(version) = scalene {
            let requirement = format!("scalene=={version}");
            let install = ["-m", "pip", "install", "-q", &requirement];
            run(command(dir.join("bin/python")).args(install));
        }
        std::fs::write(dir.join("complete"), "").unwrap();
    }
    dir
}

/// An environment `name` of `python` with these packages of the index, made on first use.
pub(crate) fn with_packages(python: &Path, name: &str, packages: &[&str]) -> PathBuf {
    let dir = base().join(name);
    std::fs::create_dir_all(base()).unwrap();
    let lock = std::fs::File::create(base().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let wanted = packages.join("\n");
    if std::fs::read_to_string(dir.join("complete")).ok().as_deref() != Some(&wanted) {
        let _ = std::fs::remove_dir_all(&dir);
        run(command(python).args(["-m", "venv"]).arg(&dir));
        let install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        run(command(dir.join("bin/python")).args(install).args(packages));
        std::fs::write(dir.join("complete"), wanted).unwrap();
    }
    dir
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
