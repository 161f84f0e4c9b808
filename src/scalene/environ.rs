//! The environment that Scalene wants at process start.
//!
//! Scalene starts itself a second time when any of this is missing. Preset, there is one
//! process: exit codes and signals are the program's own, and the start is quicker. The
//! launcher takes all of it away again before the program runs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::options::RecordOptions;
use super::version::Adapter;

/// What is known of the interpreter and its Scalene.
#[derive(Debug, Clone, Copy)]
pub struct ScaleneInstall<'a> {
    /// How this version is spoken to.
    pub adapter: Adapter,
    /// Directory of the package.
    pub package_dir: &'a Path,
    /// Its allocation library, where the platform has one.
    pub preload_library: Option<&'a Path>,
    /// The interpreter is a build without the global lock.
    pub free_threaded: bool,
}

/// The variables for a run; `inherited` looks a variable of our own environment up.
pub fn environment(
    install: &ScaleneInstall<'_>,
    options: &RecordOptions,
    inherited: impl Fn(&str) -> Option<OsString>,
) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    let mut set = |name: &str, value: OsString| variables.push((name.into(), value));
    if install.free_threaded && inherited("PYTHON_GIL").is_none() {
        set("PYTHON_GIL", "1".into());
    }
    if cfg!(target_os = "macos") {
        set("OBJC_DISABLE_INITIALIZE_FORK_SAFETY", "YES".into());
    }
    let Some(library) = install.preload_library.filter(|_| options.memory) else {
        return variables;
    };
    let window = options.allocation_window.unwrap_or(install.adapter.default_allocation_window());
    set("SCALENE_ALLOCATION_SAMPLING_WINDOW", window.to_string().into());
    if inherited("PYTHONMALLOC").is_some() {
        set("PYTHONMALLOC", "default".into());
    }
    if cfg!(target_os = "macos") {
        set("DYLD_INSERT_LIBRARIES", library.into());
    } else if cfg!(unix) {
        // The bare name: the loader splits LD_PRELOAD at spaces, which a path may hold.
        let name = library.file_name().unwrap_or(OsStr::new("libscalene.so"));
        set("LD_PRELOAD", before(name, inherited("LD_PRELOAD")));
        set(
            "LD_LIBRARY_PATH",
            before(install.package_dir.as_os_str(), inherited("LD_LIBRARY_PATH")),
        );
    }
    variables
}

/// Files that Scalene's allocator opens when it is loaded, each without the process id at its end.
/// They are in `/tmp`, whatever `TMPDIR` says.
pub fn allocator_files() -> Vec<PathBuf> {
    let kinds = ["malloc", "memcpy"].iter();
    let each = kinds.flat_map(|kind| ["init", "lock", "signal"].map(|part| (kind, part)));
    each.map(|(kind, part)| PathBuf::from(format!("/tmp/scalene-{kind}-{part}"))).collect()
}

fn before(first: &OsStr, rest: Option<OsString>) -> OsString {
    let mut joined = first.to_owned();
    if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
        joined.push(":");
        joined.push(rest);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalene::scope::Scope;

    fn variables(
        memory: bool,
        window: Option<u64>,
        inherited: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let options = RecordOptions {
            outfile: "/r/p.json".into(),
            memory,
            gpu: false,
            stacks: false,
            async_profile: false,
            virtual_time: false,
            sampling_interval_sec: 0.01,
            allocation_window: window,
            scope: Scope::default(),
        };
        let install = ScaleneInstall {
            adapter: Adapter::V2Stacks,
            package_dir: Path::new("/s p/scalene"),
            preload_library: Some(Path::new("/s p/scalene/libscalene.so")),
            free_threaded: false,
        };
        let lookup = |name: &str| {
            inherited.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
        };
        environment(&install, &options, lookup)
            .into_iter()
            .map(|(name, value)| (name.into_string().unwrap(), value.into_string().unwrap()))
            .collect()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_preloads_the_allocator_by_its_bare_name() {
        let expected = [
            ("SCALENE_ALLOCATION_SAMPLING_WINDOW", "1048576"),
            ("LD_PRELOAD", "libscalene.so:other.so"),
            ("LD_LIBRARY_PATH", "/s p/scalene"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables(true, None, &[("LD_PRELOAD", "other.so")]), expected);
        assert_eq!(variables(true, Some(4096), &[])[0].1, "4096");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_memory_nothing_is_needed() {
        assert_eq!(variables(false, None, &[("PYTHONMALLOC", "debug")]), []);
    }
}
