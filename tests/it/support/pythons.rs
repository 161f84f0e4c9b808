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

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
