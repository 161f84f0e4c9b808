//! A second run of a profile's program, with all allocations recorded: whether, and what became of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Call, aside};
use crate::analysis::leaks::{leaks, undecided};
use crate::analysis::thresholds::{CONFIRM_FACTOR, CONFIRM_SECONDS};
use crate::profile::{Profile, Seconds};
use crate::recording::{Proving, RecordError};
use crate::server::Server;
use crate::server::error::ToolError;
use crate::server::jobs::Phase;

/// Within this time the tool answers: clients give up at 60 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);
/// What a second run takes beside the program itself: finding Python, reading the evidence.
const MARGIN: Duration = Duration::from_secs(8);

/// Whether a caller wants a second run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Where the profile cannot decide, and the program is short.
    IfUndecided,
    /// In any case.
    Always,
    /// In none.
    Never,
}

/// The profile with the evidence of a second run, if there is any, and in words what was done.
///
/// Evidence is kept: a profile that has it is never run again. A second run does what the program
/// does, files and network included, so that unasked it is made only where it is needed and short.
pub(super) async fn settle(
    server: &Server,
    profile: Arc<Profile>,
    wanted: Wanted,
    mut call: Call,
) -> Result<(Arc<Profile>, Option<String>), ToolError> {
    if profile.proof.is_some() {
        return Ok((profile, None));
    }
    let decided = Arc::clone(&profile);
    match aside("get_memory_leaks", move || decide(&decided, wanted)).await? {
        Decision::Run => {}
        Decision::No => return Ok((profile, None)),
        Decision::Refused(why) => return Ok((profile, Some(why))),
    }
    let Some(request) = server.jobs.request(&profile.id) else {
        let why = "not run again: the profile was loaded from a file or the store, so how to repeat its run is not known";
        return Ok((profile, (wanted == Wanted::Always).then(|| why.to_owned())));
    };
    let deadline = Instant::now() + ANSWER_WITHIN;
    let job = server.jobs.start_proof(&profile, Proving { request, deadline });
    let phase =
        server.jobs.wait(&job, ANSWER_WITHIN, &call.taken_back, true, &mut call.progress).await?;
    let why = match phase {
        Phase::Done(Ok(proven)) => return Ok((proven, Some(done(wanted)))),
        Phase::Done(Err(error)) => match &*error {
            RecordError::Cancelled => return Err(ToolError::from(&*error)),
            error => error.to_string(),
        },
        Phase::Lost => return Err(ToolError::internal("the second run")),
        unfinished => {
            job.cancel();
            format!("after {} s it was still {}", ANSWER_WITHIN.as_secs(), unfinished.describe())
        }
    };
    Ok((profile, Some(format!("a second run gave no evidence: {why}"))))
}

fn done(wanted: Wanted) -> String {
    let why = match wanted {
        Wanted::Always => "as asked",
        _ => "since the profile alone cannot decide (confirm=false forbids it)",
    };
    format!("the program was run again, {why}")
}

/// Whether to run the program again.
enum Decision {
    Run,
    /// No: nobody asked, and nothing is open.
    No,
    /// No, and why.
    Refused(String),
}

fn decide(profile: &Profile, wanted: Wanted) -> Decision {
    if wanted == Wanted::Never {
        return Decision::No;
    }
    // Such a run does not come to its own end, or is more than its program.
    let part = profile.covered.as_ref().map(|_| "it was profiled for a part of its run");
    let tests =
        profile.tests.as_ref().map(|_| "tests are not run again with all allocations recorded");
    if let Some(why) = part.or(tests) {
        let asked = wanted == Wanted::Always;
        return if asked {
            Decision::Refused(format!("not run again: {why}"))
        } else {
            Decision::No
        };
    }
    if wanted == Wanted::Always {
        return Decision::Run;
    }
    let found = leaks(profile).filter(|_| profile.measured.leak_detector);
    if !found.as_ref().is_some_and(undecided) {
        return Decision::No;
    }
    let elapsed = profile.elapsed.map_or(f64::INFINITY, Seconds::get);
    let available = ANSWER_WITHIN.saturating_sub(MARGIN).as_secs_f64();
    if elapsed <= CONFIRM_SECONDS.value && CONFIRM_FACTOR.value * elapsed <= available {
        return Decision::Run;
    }
    Decision::Refused(format!(
        "not run again unasked: the run took more than {} s; confirm=true runs it for up to {available} s and \
         records all allocations",
        CONFIRM_SECONDS.value
    ))
}
