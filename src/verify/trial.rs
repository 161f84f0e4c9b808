//! One run of one side.

use super::result::{Failure, Progress};
use super::sides::Sides;
use crate::process::{Controls, EndedBy, Exit, Finished, Whole};
use crate::profile::signal_name;
use crate::recording::{RecordError, Turn};
use crate::statistics::Side;

/// Bytes of stdout that are compared line by line.
pub(super) const COMPARED: usize = 4 << 20;
/// Characters of stderr that are kept of a failure.
const STDERR_CHARS: usize = 700;

/// What one run showed.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) ended_by: EndedBy,
    pub(super) exit: Exit,
    /// Seconds.
    pub(super) wall: f64,
    /// Seconds.
    pub(super) cpu: Option<f64>,
    /// Bytes.
    pub(super) peak: Option<f64>,
    pub(super) stdout: Whole,
    stderr: String,
}

impl Trial {
    fn new(finished: Finished) -> Self {
        let usage = finished.usage;
        #[expect(clippy::cast_precision_loss, reason = "no memory size reaches 2^53 bytes")]
        let peak = usage.and_then(|usage| usage.peak_resident).map(|bytes| bytes as f64);
        Self {
            ended_by: finished.ended_by,
            exit: finished.exit,
            wall: usage.map_or(finished.wall, |usage| usage.wall).as_secs_f64(),
            cpu: usage.and_then(|usage| usage.cpu).map(|cpu| cpu.as_secs_f64()),
            peak,
            stdout: finished.whole.unwrap_or_else(|| Whole::of(Vec::new())),
            stderr: finished.stderr.end().to_owned(),
        }
    }

    /// Without what it wrote, which has been compared.
    pub(super) fn figures_only(mut self) -> Self {
        self.stdout.bytes = Vec::new();
        self.stderr = String::new();
        self
    }

    /// It ended by itself, and with this code.
    pub(super) fn ended_with(&self, code: i32) -> bool {
        self.ended_by == EndedBy::Itself && self.exit == Exit::Code(code)
    }

    /// Its exit code, where it ended by itself and Python tells of no exception.
    pub(super) fn regular_code(&self) -> Option<i32> {
        let raised = self.stderr.contains("Traceback (most recent call last)");
        match self.exit {
            Exit::Code(code) if self.ended_by == EndedBy::Itself && (code == 0 || !raised) => {
                Some(code)
            }
            _ => None,
        }
    }

    /// How it ended, in words.
    pub(super) fn end(&self, limit: f64) -> String {
        match (self.ended_by, self.exit) {
            (EndedBy::Itself, Exit::Code(code)) => format!("exit code {code}"),
            (EndedBy::Itself, Exit::Signal(signal)) => {
                format!("killed by {}", signal_name(signal))
            }
            (EndedBy::Itself, Exit::Unknown) => "its end is not known".to_owned(),
            (EndedBy::Timeout, _) => format!("not ended after {limit} s"),
            (EndedBy::Memory(bytes), _) => {
                format!("stopped at the memory limit with {} MiB", bytes >> 20)
            }
            (EndedBy::Disk(bytes), _) => {
                format!("stopped with {} MiB in its temporary directory", bytes >> 20)
            }
            (EndedBy::Stop | EndedBy::Cancel, _) => "stopped on request".to_owned(),
        }
    }

    /// The run as a failure of its side.
    pub(super) fn failure(&self, side: Side, limit: f64, args: &[String], run: usize) -> Failure {
        let chars = self.stderr.trim_end().chars().count();
        let cut = chars.saturating_sub(STDERR_CHARS);
        Failure {
            side,
            what: self.end(limit),
            args: args.to_vec(),
            run,
            stderr: self.stderr.trim_end().chars().skip(cut).collect(),
        }
    }
}

/// The two programs, and what all their runs have in common.
pub(super) struct Runner<'a> {
    pub(super) sides: Sides,
    pub(super) controls: &'a Controls,
    pub(super) on_event: &'a mut (dyn FnMut(Progress) + Send),
    /// Runs of each side so far.
    pub(super) runs: [usize; 2],
}

/// What is thrown out of the sequence of runs.
pub(super) enum Interrupt {
    /// No run is possible.
    Failed(RecordError),
    /// Somebody stopped it.
    Stopped,
}

impl From<RecordError> for Interrupt {
    fn from(error: RecordError) -> Self {
        Self::Failed(error)
    }
}

impl Runner<'_> {
    /// Runs one side once. Hashes of texts begin with `hash_seed`, unless the program's variables say otherwise.
    pub(super) async fn run(
        &mut self,
        side: Side,
        args: &[String],
        hash_seed: u32,
    ) -> Result<Trial, Interrupt> {
        self.turn(side, Turn { args: Some(args), ..Turn::default() }, hash_seed).await
    }

    /// Runs one side, or other code in its place.
    pub(super) async fn turn(
        &mut self,
        side: Side,
        turn: Turn<'_>,
        hash_seed: u32,
    ) -> Result<Trial, Interrupt> {
        if self.controls.stop.is_cancelled() {
            return Err(Interrupt::Stopped);
        }
        let program = self.sides.program(side).clone();
        let given = |name: &str| program.request().env.iter().any(|(key, _)| key == name);
        let own = given("PYTHONHASHSEED") || std::env::var_os("PYTHONHASHSEED").is_some();
        let seed = [("PYTHONHASHSEED".to_owned(), hash_seed.to_string())];
        let env = if own { &[][..] } else { &seed[..] };
        let turn = Turn { env, keep_stdout: COMPARED, ..turn };
        let ground = &mut self.sides.ground;
        let finished = ground.run(&program, turn, self.controls, &mut |_| {}).await?;
        if turn.code.is_none()
            && let Some(runs) = self.runs.get_mut(index(side))
        {
            *runs += 1;
        }
        if finished.ended_by == EndedBy::Stop {
            return Err(Interrupt::Stopped);
        }
        Ok(Trial::new(finished))
    }

    pub(super) fn step(&mut self, what: &str) {
        (self.on_event)(Progress::Step(what.to_owned()));
    }

    /// The time limit of a run in seconds.
    pub(super) fn limit(&self) -> f64 {
        self.sides.candidate.request().timeout.as_secs_f64()
    }

    pub(super) fn failure(&self, side: Side, trial: &Trial, args: &[String]) -> Failure {
        let run = self.runs.get(index(side)).copied().unwrap_or_default();
        trial.failure(side, self.limit(), args, run)
    }
}

pub(super) fn index(side: Side) -> usize {
    match side {
        Side::Baseline => 0,
        Side::Candidate => 1,
    }
}
