//! Why there is no profile of a run.

use super::error::{Ran, RecordError};
use super::followed::Followed;
use super::function::CallFailure;
use super::outcome::{Conclusion, SHORT_SECONDS};
use super::request::Target;
use crate::process::EndedBy;
use crate::profile::Outcome;

impl Conclusion {
    /// Why the part of the run that was asked for is not there.
    pub(super) fn missed(&self, ran: &Ran) -> Option<RecordError> {
        let Some(Followed::Missed(why)) = &self.followed else { return None };
        let why = match self.finished.ended_by {
            EndedBy::Timeout => {
                format!(
                    "it was not ready at the time limit of {} s ({})",
                    self.request.timeout.as_secs_f64(),
                    // It did not end by itself.
                    why.trim_start_matches("the program ended while it was ")
                )
            }
            _ => why.clone(),
        };
        let by_itself =
            matches!(self.finished.ended_by, EndedBy::Itself | EndedBy::Stop | EndedBy::Timeout);
        by_itself.then(|| RecordError::NotReady { why, ran: Box::new(ran.clone()) })
    }

    /// Why the calls of a function could not be made, or not all of them.
    pub(super) fn call_failure(&self, ran: &Ran) -> Option<RecordError> {
        let error = self.state.error.as_ref().filter(|_| self.request.is_function())?;
        let told = !matches!(error.kind.as_str(), "scalene_import" | "scalene_failed");
        (told && self.finished.ended_by == EndedBy::Itself).then(|| RecordError::Call {
            failure: CallFailure::told(&error.kind),
            message: error.message.clone(),
            near: Vec::new(),
            ran: Box::new(ran.clone()),
        })
    }

    /// Why nothing was profiled. `empty`: Scalene wrote a profile without a sample.
    pub(super) fn nothing(&self, ran: Box<Ran>, empty: bool) -> RecordError {
        let kind = self.state.error.as_ref().map(|error| error.kind.as_str());
        let message = self.state.error.as_ref().map(|error| error.message.clone());
        match (ran.outcome, kind) {
            (Outcome::TimedOut, _) => {
                return RecordError::Timeout { seconds: self.request.timeout.as_secs_f64(), ran };
            }
            (Outcome::Stopped, _) => return RecordError::Stopped(ran),
            (Outcome::Covered, _) => {
                return RecordError::NothingSampled { root: self.place.root.clone(), ran };
            }
            (Outcome::MemoryLimit(reached), _) => {
                let limit_mb = self.request.max_memory_mb.unwrap_or_default();
                return RecordError::MemoryLimit { limit_mb, reached_mb: reached >> 20, ran };
            }
            (Outcome::DiskLimit(_), _) => return RecordError::DiskLimit(ran),
            (Outcome::Signal(_) | Outcome::Unknown, _) if ran.exception.is_none() => {
                return RecordError::Crashed(ran);
            }
            (_, Some("scalene_import" | "scalene_failed")) => {
                return RecordError::ScaleneFailed {
                    version: self.ready.version(),
                    message: message.unwrap_or_default(),
                    ran,
                };
            }
            _ => {}
        }
        let never_ran = self.state.program_started_at.is_none() || ran.exception.is_none();
        if let (Target::Module(name), true) = (&self.request.target, never_ran)
            && ran.stderr.last_lines(1).iter().any(|line| line.contains("No module named"))
        {
            return RecordError::ModuleNotFound {
                name: name.clone(),
                cwd: self.place.cwd.clone(),
                ran,
            };
        }
        if ran.outcome != Outcome::ExitCode(0)
            || ran.exception.as_deref().is_some_and(|e| e != "SystemExit")
        {
            return RecordError::ProgramFailed(ran);
        }
        if !empty {
            let said = self.state.scalene_messages.trim();
            let message = if said.is_empty() { "it wrote no profile" } else { said }.to_owned();
            return RecordError::ScaleneFailed { version: self.ready.version(), message, ran };
        }
        if ran.seconds.is_some_and(|seconds| seconds < SHORT_SECONDS) {
            return RecordError::TooShort(ran);
        }
        let measure = &self.request.measure;
        if !measure.profile_only.is_empty() || !measure.profile_exclude.is_empty() {
            return self.filtered_out(ran);
        }
        RecordError::NothingSampled { root: self.place.root.clone(), ran }
    }
}
