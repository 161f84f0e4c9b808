//! An interpreter with a Scalene that this program can drive.

use super::error::RecordError;
use super::record::{Event, Recorder};
use crate::process::Controls;
use crate::python::{self, Interpreter, OverlaySpec, Scalene};
use crate::scalene::{Adapter, ScaleneInstall, Version};

/// The interpreter that runs the program, and its Scalene.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    /// What is started.
    pub(super) interpreter: Interpreter,
    /// The interpreter of the project, when the one above is an overlay's.
    pub(super) project: Option<Interpreter>,
    /// The Scalene that is driven; absent where the sampler works alone.
    pub(super) scalene: Option<Driven>,
}

/// A Scalene that this program can drive.
#[derive(Debug, Clone)]
pub(super) struct Driven {
    /// Its version.
    pub(super) version: Version,
    /// How it is spoken to.
    pub(super) adapter: Adapter,
}

impl Ready {
    /// An interpreter as it is: Scalene is not needed.
    pub(super) fn plain(interpreter: Interpreter) -> Self {
        Self { interpreter, project: None, scalene: None }
    }

    fn driven(interpreter: Interpreter, project: Option<Interpreter>, scalene: Driven) -> Self {
        Self { interpreter, project, scalene: Some(scalene) }
    }

    /// Scalene's version in words.
    pub(super) fn version(&self) -> String {
        self.scalene.as_ref().map_or_else(String::new, |scalene| scalene.version.to_string())
    }

    /// Whether it can profile `await`.
    pub(super) fn knows_async(&self) -> bool {
        self.scalene.as_ref().is_some_and(|scalene| scalene.adapter.knows_async())
    }

    /// The interpreter, and the project's below an overlay.
    pub(super) fn both(&self) -> Vec<&Interpreter> {
        std::iter::once(&self.interpreter).chain(&self.project).collect()
    }

    /// What is known of its Scalene; `None` where that is not used.
    pub(super) fn install(&self) -> Option<ScaleneInstall<'_>> {
        let adapter = self.scalene.as_ref()?.adapter;
        let (package_dir, preload_library) = match &self.interpreter.scalene {
            Scalene::Found { package_dir, preload_library, .. } => {
                (package_dir.as_path(), preload_library.as_deref())
            }
            Scalene::Missing | Scalene::Broken { .. } => (std::path::Path::new(""), None),
        };
        Some(ScaleneInstall {
            adapter,
            package_dir,
            preload_library,
            free_threaded: self.interpreter.free_threaded,
        })
    }
}

/// Uses the project's own Scalene if it is supported, else a private overlay.
pub(super) async fn equip(
    recorder: &Recorder,
    found: Interpreter,
    controls: &Controls,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Ready, RecordError> {
    let reason = match &found.scalene {
        Scalene::Found { version, .. } => match supported(version) {
            Ok(driven) => return Ok(Ready::driven(found, None, driven)),
            Err(error) => format!(" that is supported ({error})"),
        },
        Scalene::Missing => String::new(),
        Scalene::Broken { reason } => format!(" that works ({reason})"),
    };
    if !recorder.settings.allow_install {
        return Err(RecordError::ScaleneMissing {
            python: found.executable.clone(),
            version: found.version.to_string(),
            source_phrase: found.source.to_string(),
            reason,
        });
    }
    let requirement = python::requirement_for(&found.version)
        .ok_or_else(|| RecordError::NoScaleneFor(found.version.to_string()))?;
    let spec = OverlaySpec { requirement, cache_dir: &recorder.settings.cache_dir };
    let mut report = |step: &str| on_event(Event::SettingUp(step.to_owned()));
    let overlay = python::ensure_overlay(&found, &spec, controls, &mut report).await?;
    let driven = match &overlay.scalene {
        Scalene::Found { version, .. } => supported(version)?,
        Scalene::Missing | Scalene::Broken { .. } => {
            return Err(RecordError::NoScaleneFor(found.version.to_string()));
        }
    };
    Ok(Ready::driven(overlay, Some(found), driven))
}

fn supported(version: &str) -> Result<Driven, crate::scalene::UnsupportedVersion> {
    let version: Version = version.parse()?;
    Ok(Driven { version, adapter: Adapter::for_version(version)? })
}
