//! The same program several times, as one profile.

use super::engine::as_first;
use super::error::RecordError;
use super::record::{Event, Recorder};
use super::request::RunRequest;
use crate::process::Controls;
use crate::profile::{Outcome, Profile, ProfileId, Witness, merged};

impl Recorder {
    /// Profiles one program, [`RunRequest::repeat`] times one after the other; the profile is the mean of those runs
    /// that ended alike.
    ///
    /// A run that is stopped from outside, by its time limit or on request, is the last one; the runs before it
    /// are kept without it. The first run also does what takes one more run (counted calls, a plain run).
    ///
    /// # Errors
    /// [`RecordError`] when there is no profile. A program that fails, or is stopped, after
    /// something was sampled still has its profile.
    pub async fn record(
        &self,
        id: ProfileId,
        request: &RunRequest,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Profile, RecordError> {
        request.check()?;
        let of = request.repeat;
        if of == 1 {
            return self.record_by_engine(id, request, controls, on_event).await;
        }
        let mut runs = Runs { of, kept: Vec::new(), told: Vec::new() };
        for number in 1..=of {
            on_event(Event::Repeat { number, of });
            let once = as_first(alone(request, number), runs.kept.first().map(|(_, run)| run));
            let mut later = |event| {
                // Everything is found and set up by then: what is said of it would hide the runs there are.
                if number == 1 || !matches!(event, Event::SettingUp(_)) {
                    on_event(event);
                }
            };
            match self.record_by_engine(id.clone(), &once, controls, &mut later).await {
                Err(error) if number == 1 => return Err(error),
                Err(error) if controls.cancel.is_cancelled() => return Err(error),
                Err(_) if controls.stop.is_cancelled() => runs.stopped(number),
                Err(error) => {
                    runs.told.push(format!("run {number} of {of} has no profile: {error}"));
                }
                Ok(profile) if number > 1 && cut_short(&profile) => {
                    runs.left_out(number, &profile);
                    break;
                }
                Ok(profile) => runs.kept.push((number, profile)),
            }
            let first_cut_short = runs.kept.first().is_some_and(|(_, first)| cut_short(first));
            if first_cut_short || controls.stop.is_cancelled() {
                break;
            }
        }
        // The first run ended otherwise with an error, above.
        runs.conclude(request).ok_or(RecordError::Cancelled)
    }
}

/// What one run of several is asked for.
fn alone(request: &RunRequest, number: usize) -> RunRequest {
    let mut once = request.clone();
    if number > 1 {
        once.measure.count_calls = false;
        once.measure.plain_run = false;
    }
    once
}

/// Whether something outside of the program ended it, so that its times are not those of a whole run.
fn cut_short(profile: &Profile) -> bool {
    matches!(
        profile.run.outcome,
        Outcome::TimedOut | Outcome::Stopped | Outcome::MemoryLimit(_) | Outcome::DiskLimit(_)
    )
}

/// How a run ended, in words.
fn ending(profile: &Profile) -> String {
    let error = profile.run.errors.first().and_then(|error| error.split(';').next());
    error.unwrap_or("it ended well").to_owned()
}

/// Whether two runs can be averaged: the same end, and times from the same witness.
fn alike(one: &Profile, other: &Profile) -> bool {
    let stacks = |profile: &Profile| matches!(profile.timed_by, Witness::Stacks { .. });
    one.run.outcome == other.run.outcome
        && one.run.errors == other.run.errors
        && stacks(one) == stacks(other)
}

/// The runs so far.
struct Runs {
    of: usize,
    kept: Vec<(usize, Profile)>,
    /// What failed.
    told: Vec<String>,
}

impl Runs {
    fn stopped(&mut self, number: usize) {
        self.told
            .push(format!("stopped on request before run {number} of {} had a profile", self.of));
    }

    fn left_out(&mut self, number: usize, profile: &Profile) {
        let (of, why) = (self.of, ending(profile));
        self.told.push(format!("run {number} of {of} is left out of the means: {why}"));
    }

    /// The most common way to end decides which runs are averaged, of equally common ones the first.
    fn conclude(mut self, request: &RunRequest) -> Option<Profile> {
        let common =
            |one: &Profile| self.kept.iter().filter(|(_, other)| alike(one, other)).count();
        let most = self.kept.iter().map(|(_, one)| common(one)).max()?;
        let model = self.kept.iter().find(|(_, one)| common(one) == most)?.1.clone();
        let (mut averaged, mut notes) = (Vec::new(), Vec::new());
        for (number, run) in std::mem::take(&mut self.kept) {
            if alike(&model, &run) {
                averaged.push(run);
            } else if run.run.outcome == model.run.outcome && run.run.errors == model.run.errors {
                notes.push(format!(
                    "run {number} of {} is left out of the means: its lines are timed by another witness",
                    self.of
                ));
            } else {
                self.left_out(number, &run);
            }
        }
        let counted = averaged.len();
        let mut profile = merged(averaged)?;
        profile.run.parameters = request.parameters();
        profile.run.warnings.append(&mut notes);
        if counted < self.of {
            let many = if counted == 1 { "1 run" } else { &format!("{counted} runs") };
            profile.run.warnings.push(format!("repeat={}: the profile is of {many} only", self.of));
        }
        profile.run.errors.append(&mut self.told);
        Some(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Percent;
    use crate::recording::{Target, import_file};
    use std::path::Path;

    /// A run that ended with this exit code.
    fn ended(code: i32) -> Profile {
        let path = Path::new("fixtures/profiles/shop_main--2.4.0.json");
        let mut profile = import_file(path, ProfileId::draw(|_| false)).unwrap();
        profile.run.outcome = Outcome::ExitCode(code);
        let error = (code != 0).then(|| format!("the program exited with code {code}"));
        profile.run.errors = error.into_iter().collect();
        profile
    }

    fn conclude(runs: Vec<Profile>) -> Profile {
        let (of, kept) = (runs.len(), (1..).zip(runs).collect());
        let request =
            RunRequest { repeat: of, ..RunRequest::new(Target::Script("a.py".to_owned())) };
        Runs { of, kept, told: Vec::new() }.conclude(&request).unwrap()
    }

    #[test]
    fn the_most_common_end_is_that_of_the_mean() {
        let all = conclude(vec![ended(3), ended(0), ended(0)]);
        assert_eq!(all.run.outcome, Outcome::ExitCode(0));
        assert_eq!(all.repeats.unwrap().runs.len(), 2);
        let told = "run 1 of 3 is left out of the means: the program exited with code 3";
        assert_eq!(all.run.errors, [told]);
        assert_eq!(all.run.parameters["repeat"], 3);
        // Of two ends that are as common, the first; a program that always fails has its error once.
        let first = conclude(vec![ended(3), ended(0)]);
        assert_eq!((first.run.outcome, first.repeats), (Outcome::ExitCode(3), None));
        assert_eq!(first.run.errors.len(), 2, "{:?}", first.run.errors);
        let failing = conclude(vec![ended(3), ended(3)]);
        assert_eq!(failing.run.errors, ["the program exited with code 3"]);
        assert!(failing.run.warnings.iter().all(|warning| !warning.contains("repeat=")));
    }

    #[test]
    fn times_of_different_witnesses_are_not_averaged() {
        let mut stacks = ended(0);
        stacks.timed_by = Witness::Stacks { scalene_samples: None, undivided: Percent::ZERO };
        let all = conclude(vec![stacks.clone(), ended(0), stacks]);
        assert_eq!(all.repeats.as_ref().unwrap().runs.len(), 2);
        let told = "run 2 of 3 is left out of the means: its lines are timed by another witness";
        assert!(all.run.warnings.iter().any(|warning| warning == told), "{:?}", all.run.warnings);
        assert!(all.run.errors.is_empty(), "{:?}", all.run.errors);
    }

    #[test]
    fn only_the_first_run_does_what_takes_another() {
        let mut request = RunRequest::new(Target::Script("a.py".to_owned()));
        request.measure.count_calls = true;
        request.measure.plain_run = true;
        request.repeat = 3;
        assert_eq!(alone(&request, 1), request);
        let second = alone(&request, 2).measure;
        assert!(!second.count_calls && !second.plain_run);
    }

    #[test]
    fn more_runs_than_ten_are_refused() {
        let mut request = RunRequest::new(Target::Script("a.py".to_owned()));
        let refused = |request: &RunRequest| request.check().map_err(|error| error.to_string());
        for repeat in [1, 10] {
            request.repeat = repeat;
            assert_eq!(refused(&request), Ok(()));
        }
        for repeat in [0, 11] {
            request.repeat = repeat;
            let error = refused(&request).unwrap_err();
            assert!(error.contains("repeat") && error.contains("1 to 10"), "{error}");
        }
    }
}
