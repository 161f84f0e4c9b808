//! What interpreters said of themselves, as long as nothing that they said can have changed.
//!
//! A probe costs a tenth of a second, and a session asks the same interpreter every time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::interpreter::Interpreter;

/// Interpreters remembered; a session meets a handful.
const MOST: usize = 64;

/// State of the files that an answer depends on.
type Fingerprint = Vec<(PathBuf, Option<(SystemTime, u64)>)>;

static KNOWN: Mutex<Option<HashMap<PathBuf, (Fingerprint, Interpreter)>>> = Mutex::new(None);

/// The executable, the environment's definition, and every folder with packages: installing
/// or removing one changes the folder's time stamp.
fn fingerprint(executable: &Path, interpreter: &Interpreter) -> Fingerprint {
    let definition = interpreter.prefix.join("pyvenv.cfg");
    let packages = interpreter.site_packages.iter().cloned();
    [executable.to_path_buf(), definition]
        .into_iter()
        .chain(packages)
        .map(|path| {
            let state = path.metadata().ok();
            let state = state.and_then(|found| Some((found.modified().ok()?, found.len())));
            (path, state)
        })
        .collect()
}

/// The answer of an interpreter, if it would give the same one now.
pub(super) fn recall(executable: &Path) -> Option<Interpreter> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let (then, interpreter) = known.as_ref()?.get(executable)?;
    (*then == fingerprint(executable, interpreter)).then(|| interpreter.clone())
}

/// Remembers an answer.
pub(super) fn remember(executable: &Path, interpreter: &Interpreter) {
    let entry = (fingerprint(executable, interpreter), interpreter.clone());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(executable.to_path_buf(), entry);
}
