//! What the reader of a profile should know of its run.

use super::error::Ran;
use super::outcome::Conclusion;
use super::suite::Report;
use crate::process::Exit;
use crate::profile::FileProfile;
use crate::sampler::Seen;
use crate::scalene::{LaunchPhase, Parsed};

impl Conclusion {
    /// What the reader should know of the run before anything of its profile.
    pub(super) fn first_warnings(
        &self,
        tests: Option<&Report>,
        seen: &Seen,
        ran: &Ran,
    ) -> Vec<String> {
        let mut warnings = self.warnings.clone();
        let launched = self.ready.scalene.is_some();
        let followed = self.followed.iter();
        warnings.extend(followed.flat_map(|followed| followed.warnings(&self.state, launched)));
        warnings.extend(tests.iter().flat_map(|report| report.warnings.clone()));
        warnings.extend(seen.trouble.as_ref().filter(|_| launched).map(|why| {
            format!(
                "stacks could not be sampled beside Scalene to the end, so that its own account of the time stands \
                 alone: {why}"
            )
        }));
        warnings.extend(ran.refused.clone());
        warnings
    }

    /// A bug of the interpreter that worker processes meet when they are profiled: what they send are buffers.
    fn known_crash(&self) -> Option<String> {
        const SEGV: i32 = 11;
        let project = self.ready.project.as_ref().unwrap_or(&self.ready.interpreter);
        let version = project.version.to_string();
        let affected = ["3.12.0", "3.12.1"].contains(&version.as_str());
        (affected && self.finished.exit == Exit::Signal(SEGV)).then(|| {
            format!(
                "Python {version} may crash when it collects buffers of BytesIO, which multiprocessing uses \
                 (python/cpython#111049, mended in 3.12.2)"
            )
        })
    }

    /// What the reader of the profile should know besides.
    pub(super) fn more_warnings(&self, parsed: &Parsed) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.request.measure.gpu && parsed.gpu.is_none() && self.ready.scalene.is_some() {
            warnings.push(
                "gpu=true, but Scalene found no GPU that it can profile: nothing is said about the GPU".to_owned(),
            );
        }
        if parsed.files.is_empty() {
            warnings.push(
                "the profile names no file: the source was gone or renamed when Scalene wrote it, or all time \
                 was elsewhere"
                    .to_owned(),
            );
        }
        let unread = |file: &&FileProfile| file.exact && file.source.line_count() == 0;
        if let Some(file) = parsed.files.iter().find(unread) {
            warnings.push(format!(
                "the source of `{}` was gone or not readable when the run ended: its lines have no text, and no \
                 rules were tried on it",
                file.path
            ));
        }
        let is_async = || {
            let mut functions = parsed.files.iter().flat_map(FileProfile::functions);
            functions.any(|function| function.is_async)
        };
        if self.ready.knows_async() && !self.options.async_profile && is_async() {
            let takes_it = !self.request.needs_launcher() && self.request.tests.is_none();
            let on = if takes_it { "; async_profile=true turns it on" } else { "" };
            warnings.push(
                format!(
                    "the program uses async def; time in await is not told apart (profiling it makes generators about \
                     ten times slower on Python 3.12 and later{on})"
                ),
            );
        }
        warnings.extend(self.known_crash());
        if self.finished.forced {
            warnings.push("the program did not end when asked and was killed".to_owned());
        }
        if self.state.phase == LaunchPhase::Failed
            && let Some(error) = &self.state.error
        {
            warnings.push(format!("Scalene reported a failure: {}", error.message));
        }
        warnings
    }
}
