//! Imports point down only, the protocol stays in the server, children start in one place.

use std::path::{Path, PathBuf};

/// Modules by layer, top first. Those of one layer may use each other only as listed.
const LAYERS: &[&[&str]] = &[
    &["cli"],
    &["server"],
    &["library"],
    &["doctor", "answer", "recording", "verify"],
    &["analysis", "store", "scalene", "python", "sampler", "tracker"],
    &["process", "profile", "sandbox"],
    &["statistics"],
];
/// Uses within a layer that are meant: doctor tries a recording and rounds like an answer.
const SIDEWAYS: &[(&str, &str)] =
    &[("doctor", "recording"), ("doctor", "answer"), ("verify", "recording"), ("answer", "verify")];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn all_sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .map(|path| {
            let below = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            let module = below.split(['/', '\\', '.']).next().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            (module, path, text)
        })
        .collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn imports_point_down_only() {
    let mut checked = 0;
    for (module, path, text) in all_sources() {
        let Some(own) = layer(&module) else {
            assert!(["lib", "main"].contains(&module.as_str()), "{module} belongs to no layer");
            continue;
        };
        for (index, _) in text.match_indices("crate::") {
            let rest = &text[index + "crate::".len()..];
            let used: String =
                rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(other) = layer(&used) else { continue };
            let sideways = SIDEWAYS.contains(&(module.as_str(), used.as_str()));
            let fine = used == module || other > own || (other == own && sideways);
            assert!(fine, "{}: `{module}` may not use `{used}`", path.display());
            checked += 1;
        }
    }
    assert!(checked > 50, "only {checked} imports were looked at");
}

#[test]
fn only_the_server_knows_the_protocol_crate() {
    for (module, path, text) in all_sources() {
        assert!(module == "server" || !text.contains("rmcp::"), "{}", path.display());
    }
}

#[test]
fn children_start_in_one_place() {
    let starters: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, _, text)| {
            text.contains("process::Command::new") || text.contains(" Command::new(")
        })
        .map(|(_, path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    // The keeper starts the program, `kept` the keeper, `run` a program that has none.
    assert_eq!(starters, ["keeper.rs", "kept.rs", "run.rs"]);
}

#[test]
fn scalenes_keys_stay_with_its_adapter() {
    for (module, path, text) in all_sources() {
        let code: String =
            text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for key in ["n_cpu_percent", "n_malloc_mb", "--profile-all\"", "--cpu-only"] {
            assert!(module == "scalene" || !code.contains(key), "{}: {key}", path.display());
        }
    }
}

/// With the usual harness such a suite would run nothing, and pass.
#[test]
fn suites_with_a_main_of_their_own_are_run_by_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let mut suites = 0;
    for target in text.split("[[test]]").skip(1) {
        let target = target.split("[[").next().unwrap();
        let path = target.lines().find_map(|line| line.strip_prefix("path = \"")).unwrap();
        let source = std::fs::read_to_string(root.join(path.trim_end_matches('"'))).unwrap();
        let own = source.lines().any(|line| line.contains("fn main()"));
        assert_eq!(target.contains("harness = false"), own, "{path}");
        suites += usize::from(own);
    }
    assert!(suites > 5, "{suites}");
}
