//! Runs of the same program besides the profiled one: calls counted, time without a profiler.

use std::ffi::OsString;
use std::time::Duration;

use super::confine::Confinement;
use super::counting::CountingPass;
use super::error::RecordError;
use super::place::Place;
use super::plain::PlainPass;
use super::record::Event;
use super::request::RunRequest;
use super::setup::Ready;
use super::workspace::Workspace;
use crate::process::Controls;
use crate::profile::{Blocks, Profile};
use crate::scalene::RecordOptions;

/// The further runs that were asked for.
pub(super) struct Further {
    counting: Option<CountingPass>,
    plain: Option<PlainPass>,
}

impl Further {
    pub(super) fn new(
        request: &RunRequest,
        place: &Place,
        ready: &Ready,
        options: &RecordOptions,
        workspace: &Workspace,
        confinement: &Confinement,
        hidden: &[OsString],
    ) -> Result<Self, RecordError> {
        let scope = &options.scope;
        Ok(Self {
            counting: CountingPass::new(
                request,
                place,
                ready,
                scope,
                workspace,
                confinement,
                hidden,
            )?,
            plain: PlainPass::new(request, place, ready, workspace, confinement, hidden)?,
        })
    }

    /// Adds what they say to a profile; `profiled` is the time of the profiled process.
    pub(super) async fn run(
        self,
        mut profile: Profile,
        (profiled, workspace): (Duration, &Workspace),
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Profile, RecordError> {
        let marks = profile.blocks.as_ref().is_some_and(Blocks::has_marks);
        if let Some(counting) = self.counting {
            let counting = if marks { counting.with_marks(workspace) } else { counting };
            counting.run(&mut profile, controls, on_event).await?;
        }
        if let Some(plain) = self.plain {
            let plain = if marks { plain.with_marks(workspace) } else { plain };
            plain.run(&mut profile, profiled, controls, on_event).await?;
        }
        Ok(profile)
    }
}
