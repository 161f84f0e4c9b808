//! Profiles that somebody else recorded: a document of Scalene, read from a file or from text.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::profile::{
    Measured, Outcome, Output, Profile, ProfileId, Program, ProgramKind, RawDocument, Reporting,
    RunInfo, Status, Witness,
};
use crate::scalene::{ParseError, Parsed, parse};

/// Largest document that is read.
pub(super) const MAX_DOCUMENT_BYTES: u64 = 256 << 20;
/// What answers list unless a run says otherwise: the reference's defaults.
const REPORTING: Reporting =
    Reporting { cpu_percent_threshold: 1.0, malloc_threshold: 100, reduced: false };

/// Why a file is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It does not exist.
    #[error("`{}` does not exist", .0.display())]
    NotFound(PathBuf),
    /// It is a folder, or something else that is no file.
    #[error("`{}` is not a file", .0.display())]
    NotAFile(PathBuf),
    /// It may not be read.
    #[error("`{}` cannot be read ({source})", path.display())]
    Unreadable {
        /// The absolute path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is larger than a profile can be.
    #[error("`{}` is larger than {} MiB", path.display(), MAX_DOCUMENT_BYTES >> 20)]
    TooLarge {
        /// The absolute path.
        path: PathBuf,
    },
    /// There is no profile in it.
    #[error("`{}`: {source}", path.display())]
    Invalid {
        /// The absolute path.
        path: PathBuf,
        /// Why not.
        source: ParseError,
    },
}

impl ImportError {
    /// A stable name of the kind of failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) | Self::NotAFile(_) | Self::Unreadable { .. } => {
                "profile_file_not_found"
            }
            Self::TooLarge { .. } | Self::Invalid { .. } => "invalid_profile",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound(_) | Self::NotAFile(_) => {
                "pass the absolute path of a JSON file that Scalene wrote"
            }
            Self::Unreadable { .. } => "make it readable, or copy it to where it is",
            Self::TooLarge { .. } => {
                "record again without --profile-all, or with --no-stacks; profiles are far smaller"
            }
            Self::Invalid { source: ParseError::Empty, .. } => {
                "the recorded program was too short, or none of its files was profiled: record it again, longer"
            }
            Self::Invalid { .. } => {
                "make one with `python -m scalene run -o profile.json app.py` (1.5: `python -m scalene --json --cli \
                 --outfile profile.json app.py`), or profile the program here with profile_script"
            }
        }
    }
}

/// Reads a file that Scalene wrote, of any supported version.
///
/// # Errors
/// [`ImportError`] when it cannot be read or holds no profile.
pub fn import_file(path: &Path, id: ProfileId) -> Result<Profile, ImportError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => ImportError::NotFound(path.clone()),
        _ => ImportError::Unreadable { path: path.clone(), source },
    };
    let found = path.metadata().map_err(unreadable)?;
    // A pipe or a device would never end.
    if !found.is_file() {
        return Err(ImportError::NotAFile(path));
    }
    let bytes = read_bounded(&path).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_DOCUMENT_BYTES {
        return Err(ImportError::TooLarge { path });
    }
    match import(&bytes, id) {
        Ok(mut profile) => {
            profile.run.imported_from = Some(path);
            Ok(profile)
        }
        Err(source) => Err(ImportError::Invalid { path, source }),
    }
}

/// A file's bytes, of a larger one a byte more than the bound.
pub(super) fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let size = file.metadata()?.len().min(MAX_DOCUMENT_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Makes a profile of a document of Scalene, of any supported version.
///
/// What the document does not tell is unknown: interpreter, output, how the program ended.
///
/// # Errors
/// [`ParseError`] when there is no profile in it.
pub fn import(bytes: &[u8], id: ProfileId) -> Result<Profile, ParseError> {
    let parsed = parse(bytes)?;
    let mut warnings = parsed.warnings.clone();
    let status = if parsed.args.is_some() { Status::Complete } else { Status::Partial };
    if status == Status::Partial {
        warnings.push(
            "the document has no arguments: a signal ended the run or it was written in between, so that the \
             profile may cover only a part"
                .to_owned(),
        );
    }
    let program = parsed.program.clone().unwrap_or_default();
    let root = common_folder(&parsed);
    Ok(Profile {
        id,
        program: Program {
            kind: ProgramKind::Script,
            name: if program.is_empty() { "unknown program".to_owned() } else { program },
            args: parsed.args.unwrap_or_default(),
        },
        run: RunInfo {
            status,
            outcome: Outcome::Unknown,
            started_at: parsed.started_at.and_then(timestamp),
            cwd: root.clone(),
            project_root: root,
            environment: None,
            stdout: Output::default(),
            stderr: Output::default(),
            peak_resident_bytes: None,
            resident: Vec::new(),
            process_cpu: None,
            warnings,
            errors: Vec::new(),
            imported_from: None,
            parameters: serde_json::Map::new(),
        },
        measured: Measured {
            cpu: true,
            memory: parsed.memory,
            gpu: parsed.gpu,
            peaks_per_visit: parsed.peaks_per_visit,
            part_of_time: false,
            leak_detector: true,
            virtual_time: false,
            sampling_interval: None,
        },
        reporting: REPORTING,
        elapsed: parsed.elapsed,
        files: parsed.files,
        footprint: parsed.footprint,
        call_paths: parsed.call_paths,
        calls: None,
        proof: None,
        call_counts: None,
        floor: None,
        per_call: None,
        timed_by: Witness::Scalene,
        repeats: None,
        blocks: None,
        raw: RawDocument::keep(bytes),
        covered: None,
        tests: None,
    })
}

#[expect(clippy::cast_possible_truncation, reason = "out of range makes no timestamp")]
fn timestamp(seconds: f64) -> Option<String> {
    let stamp = jiff::Timestamp::from_second(seconds as i64).ok()?;
    (seconds > 0.0).then(|| stamp.to_string())
}

/// The deepest folder above the program and all files; paths are shown relative to it.
fn common_folder(parsed: &Parsed) -> PathBuf {
    let paths = parsed.files.iter().map(|file| file.path.as_str()).chain(parsed.program.as_deref());
    let mut folders = paths.filter_map(|path| Path::new(path).parent());
    let Some(first) = folders.next() else { return PathBuf::new() };
    folders.fold(first.to_owned(), |common, folder| {
        let shared = common.components().zip(folder.components());
        shared.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    })
}
