//! Which versions a project has of the packages that Scalene needs too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::python::Interpreter;

/// Installed distributions of a folder: normalised name and version, from the names of
/// the metadata folders (`numpy-1.26.4.dist-info`), without starting anything.
pub(super) fn installed(site_packages: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(site_packages).into_iter().flatten().flatten();
    entries.filter_map(|entry| name_and_version(entry.file_name().to_str()?)).collect()
}

/// The project's versions of these packages; the first folder on the import path counts.
pub(super) fn shadowed(base: &Interpreter, packages: &[String]) -> BTreeMap<String, String> {
    let mut all = of_project(base);
    all.retain(|name, _| packages.contains(name));
    all
}

/// The project's versions as lines of a pip constraints file, so that what Scalene brings
/// along fits them. Local versions (`2.1+cu118`) are on no index and are left out.
pub(super) fn constraints(base: &Interpreter) -> Vec<String> {
    let plain = |version: &str| {
        version.starts_with(|c: char| c.is_ascii_digit())
            && version.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    };
    // Tools of every environment, not dependencies; Scalene itself is what we choose.
    let ours = ["pip", "setuptools", "wheel", "scalene"];
    of_project(base)
        .into_iter()
        .filter(|(name, version)| plain(version) && !ours.contains(&name.as_str()))
        .map(|(name, version)| format!("{name}=={version}"))
        .collect()
}

/// The project's packages that a traceback mentions, with versions where known.
pub(super) fn blamed(base: &Interpreter, traceback: &str) -> Vec<String> {
    let versions = of_project(base);
    let mut names = BTreeSet::new();
    for folder in &base.site_packages {
        let folder = folder.display().to_string();
        for after in traceback.split(folder.as_str()).skip(1) {
            let path = after.trim_start_matches(['/', '\\']);
            let end = path.find(['/', '\\', '"', ')', '\'', '.']).unwrap_or(path.len());
            names.extend(path.get(..end).filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    names
        .into_iter()
        .map(|name| match versions.get(&normalised(&name)) {
            Some(version) => format!("{name} {version}"),
            None => name,
        })
        .collect()
}

fn of_project(base: &Interpreter) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for folder in &base.site_packages {
        for (name, version) in installed(folder) {
            all.entry(name).or_insert(version);
        }
    }
    all
}

fn name_and_version(file: &str) -> Option<(String, String)> {
    let stem = file.strip_suffix(".dist-info").or_else(|| file.strip_suffix(".egg-info"))?;
    let (name, rest) = stem.split_once('-')?;
    // An egg's name goes on: `PyYAML-5.3.1-py3.8.egg-info`.
    let version = rest.split("-py").next()?;
    Some((normalised(name), version.to_owned()))
}

/// PEP 503: one spelling of each name.
fn normalised(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_metadata_folders() {
        let read =
            |file: &str| name_and_version(file).map(|(name, version)| format!("{name} {version}"));
        assert_eq!(
            read("typing_extensions-4.5.0.dist-info").as_deref(),
            Some("typing-extensions 4.5.0")
        );
        assert_eq!(read("PyYAML-5.3.1-py3.8.egg-info").as_deref(), Some("pyyaml 5.3.1"));
        assert_eq!(read("torch-2.1.0+cu118.dist-info").as_deref(), Some("torch 2.1.0+cu118"));
        assert_eq!(read("numpy"), None);
    }
}
