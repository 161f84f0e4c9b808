//! Which code counts as the user's.
//!
//! Scalene looks at files below one directory and leaves out every file whose path
//! *contains* a library directory of the interpreter. That drops whole projects: those
//! inside a virtual environment's folder, below `~/.local`, or below `/usr` with the
//! system's Python. And an environment that is not the interpreter's own (the project's
//! `.venv` under an overlay) would count as the user's code. This module settles both.

use std::path::{Path, PathBuf};

/// What Scalene is told about the code to look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Code below this directory is the user's.
    pub program_path: PathBuf,
    /// Look at all code that the patterns leave over, wherever it lies.
    pub profile_all: bool,
    /// Path fragments of which one must occur; empty for no condition.
    pub only: Vec<String>,
    /// Path fragments that must not occur.
    pub exclude: Vec<String>,
}

/// What the scope of a run is made from.
#[derive(Debug, Clone)]
pub struct ScopeRequest<'a> {
    /// Directory that holds the user's code; absolute, symlinks resolved.
    pub root: &'a Path,
    /// Directory of the program itself, in or below the root.
    pub near: &'a Path,
    /// The root as the caller reaches it, where symlinks lead to it.
    pub alias: Option<&'a Path>,
    /// A file outside the root that is the user's too: a snippet.
    pub extra_file: Option<&'a Path>,
    /// Directories that the interpreter counts as its own, also as symlinks lead to them.
    pub library_paths: &'a [PathBuf],
    /// Package directories of the project, where the interpreter is an overlay's.
    pub foreign_packages: &'a [PathBuf],
    /// The caller's own patterns.
    pub only: &'a [String],
    /// The caller's own patterns.
    pub exclude: &'a [String],
    /// The caller wants libraries too.
    pub profile_all: bool,
}

/// Scalene's own three threads wait in this module and would get most of the time.
const THREADING: &str = "/threading.py";

impl<'a> ScopeRequest<'a> {
    /// Only a root; the rest is empty.
    pub fn new(root: &'a Path) -> Self {
        Self {
            root,
            near: root,
            alias: None,
            extra_file: None,
            library_paths: &[],
            foreign_packages: &[],
            only: &[],
            exclude: &[],
            profile_all: false,
        }
    }
}

impl Scope {
    /// Whether Scalene would look at a file; `library_paths` are those of the interpreter.
    pub fn covers(&self, file: &str, library_paths: &[PathBuf]) -> bool {
        let holds = |patterns: &[String]| patterns.iter().any(|pattern| file.contains(pattern));
        if file.starts_with('<') || holds(&self.exclude) {
            return false;
        }
        if !self.only.is_empty() && !holds(&self.only) {
            return false;
        }
        let library = || library_paths.iter().any(|path| file.contains(&text(path)));
        self.profile_all || (Path::new(file).starts_with(&self.program_path) && !library())
    }

    /// Takes a file in that is the user's business although it is a library's: then its package alone is looked at.
    pub fn extend(&mut self, file: Option<&str>, library_paths: &[PathBuf]) {
        let Some(file) = file.filter(|file| !self.covers(file, library_paths)) else { return };
        let folder = Path::new(file).parent().unwrap_or(Path::new("/"));
        // The module alone where it is part of no package, as in Python's own library.
        let is_package = folder.join("__init__.py").is_file();
        let pattern = if is_package { below(&text(folder)) } else { file.to_owned() };
        self.profile_all = true;
        self.exclude.retain(|excluded| !pattern.contains(excluded.as_str()));
        self.only.retain(|only| Path::new(only).is_file());
        self.only.push(pattern);
    }

    /// Settles the scope of a run.
    pub fn settle(request: &ScopeRequest<'_>) -> Self {
        let mut scope = Self {
            program_path: request.root.to_owned(),
            profile_all: request.profile_all,
            only: request.only.to_vec(),
            exclude: request.exclude.to_vec(),
        };
        if request.profile_all {
            scope.exclude.push(THREADING.to_owned());
            return scope;
        }
        let (root, near) = (text(request.root), text(request.near));
        let hides = |path: &PathBuf| root.contains(&text(path)) || near.contains(&text(path));
        let dropped = request.library_paths.iter().any(hides);
        if dropped || request.extra_file.is_some() {
            scope.profile_all = true;
            if scope.only.is_empty() {
                scope.only.push(below(&root));
                scope.only.extend(request.alias.map(|alias| below(&text(alias))));
                scope.only.extend(request.extra_file.map(text));
            }
            scope.exclude.extend(inside(request.library_paths, request.root, request.near));
        }
        // Scalene resolves its library paths, and compares them with names that are not.
        let linked = |path: &&PathBuf| path.canonicalize().is_ok_and(|real| real != **path);
        let linked: Vec<PathBuf> = request.library_paths.iter().filter(linked).cloned().collect();
        scope.exclude.extend(inside(&linked, request.root, request.near));
        scope.exclude.extend(inside(request.foreign_packages, request.root, request.near));
        scope.exclude.sort();
        scope.exclude.dedup();
        scope
    }
}

/// The directories that lie inside the root and not around the program, as patterns for what
/// is below them.
fn inside<'a>(
    paths: &'a [PathBuf],
    root: &'a Path,
    near: &'a Path,
) -> impl Iterator<Item = String> + 'a {
    paths
        .iter()
        .filter(move |path| path.starts_with(root) && !near.starts_with(path))
        .map(|path| below(&text(path)))
}

/// A pattern for what lies below a directory. Patterns are separated by commas: one in the
/// path itself ends the pattern early.
fn below(directory: &str) -> String {
    let until_comma = directory.split(',').next().unwrap_or_default();
    if until_comma.len() < directory.len() {
        return until_comma.to_owned();
    }
    format!(
        "{}{}",
        directory.trim_end_matches(std::path::MAIN_SEPARATOR),
        std::path::MAIN_SEPARATOR
    )
}

fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(root: &str, library: &[&str], foreign: &[&str]) -> Scope {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
        Scope::settle(&ScopeRequest {
            library_paths: &paths(library),
            foreign_packages: &paths(foreign),
            ..ScopeRequest::new(Path::new(root))
        })
    }

    #[test]
    fn an_ordinary_project_needs_nothing() {
        let scope = settle("/home/u/p", &["/usr", "/usr/lib/python3.12"], &[]);
        assert_eq!(scope, Scope { program_path: "/home/u/p".into(), ..Scope::default() });
    }

    #[test]
    fn a_project_that_a_library_path_would_hide_is_named() {
        let scope = settle("/usr/src/app", &["/usr", "/usr/lib/python3.12"], &[]);
        assert!(scope.profile_all);
        assert_eq!(scope.only, ["/usr/src/app/"]);
        assert_eq!(scope.exclude, Vec::<String>::new());
    }

    #[test]
    fn libraries_inside_such_a_project_stay_libraries() {
        let scope = settle("/v", &["/v", "/v/lib/python3.12/site-packages", "/v/bin"], &[]);
        assert_eq!(scope.only, ["/v/"]);
        assert_eq!(scope.exclude, ["/v/bin/", "/v/lib/python3.12/site-packages/"]);
    }

    #[test]
    fn a_program_inside_the_environment_of_its_project_is_seen() {
        let library = ["/p/venv", "/p/venv/bin", "/p/venv/lib/site-packages"].map(PathBuf::from);
        let scope = Scope::settle(&ScopeRequest {
            near: Path::new("/p/venv/tools"),
            library_paths: &library,
            ..ScopeRequest::new(Path::new("/p"))
        });
        assert_eq!(scope.only, ["/p/"]);
        assert_eq!(scope.exclude, ["/p/venv/bin/", "/p/venv/lib/site-packages/"]);
    }

    #[test]
    fn under_an_overlay_the_projects_packages_stay_libraries() {
        let packages = "/p/.venv/lib/python3.12/site-packages";
        let scope = settle("/p", &["/cache/overlay"], &[packages, "/elsewhere/site-packages"]);
        assert!(!scope.profile_all);
        assert_eq!(scope.exclude, [format!("{packages}/")]);
    }

    #[test]
    fn a_snippet_and_the_project_are_both_the_users() {
        let scope = Scope::settle(&ScopeRequest {
            alias: Some(Path::new("/link")),
            extra_file: Some(Path::new("/tmp/r/snippet.py")),
            ..ScopeRequest::new(Path::new("/p"))
        });
        assert_eq!(scope.only, ["/p/", "/link/", "/tmp/r/snippet.py"]);
    }

    #[test]
    fn the_callers_patterns_are_kept() {
        let scope = Scope::settle(&ScopeRequest {
            library_paths: &[PathBuf::from("/usr")],
            only: &["models".to_owned()],
            exclude: &["tests".to_owned()],
            ..ScopeRequest::new(Path::new("/usr/src/app"))
        });
        assert_eq!(
            (scope.only, scope.exclude),
            (vec!["models".to_owned()], vec!["tests".to_owned()])
        );
    }
}
