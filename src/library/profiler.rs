//! Running programs under Scalene.

use super::error::Error;
use crate::process::Controls;
use crate::profile::{Profile, ProfileId};
use crate::recording::{ProcessRequest, Recorder, RunRequest, Settings, Target};

/// Runs Python programs under Scalene and hands back their profiles.
///
/// It finds the interpreter of the program's project and gives it a private Scalene if it has
/// none; the project is not changed.
///
/// ```
/// use scalene_mcp::recording::Settings;
/// use scalene_mcp::{ProfileAnalyzer, ScaleneProfiler};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let settings = Settings { cache_dir: "target/tmp/pythons/cache".into(), ..Settings::default() };
/// let profiler = ScaleneProfiler::with_settings(settings);
/// let profile = profiler.profile_code("total = sum(i * i for i in range(9_000_000))").await?;
/// let functions = ProfileAnalyzer::new().functions(&profile);
/// assert_eq!(functions[0].file.path, "<snippet>");
/// # Ok::<(), scalene_mcp::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct ScaleneProfiler {
    recorder: Recorder,
}

impl Default for ScaleneProfiler {
    fn default() -> Self {
        Self::new()
    }
}

impl ScaleneProfiler {
    /// A profiler with the settings of the command line: overlays in the user's cache folder,
    /// installing allowed.
    pub fn new() -> Self {
        Self::with_settings(Settings::default())
    }

    /// A profiler with these settings.
    pub fn with_settings(settings: Settings) -> Self {
        Self { recorder: Recorder::new(settings) }
    }

    /// Profiles a script with everything at its default.
    ///
    /// # Errors
    /// [`Error`] when there is no profile; a program that fails after something was sampled has
    /// one.
    pub async fn profile_script(&self, script: impl Into<String>) -> Result<Profile, Error> {
        self.profile(&RunRequest::new(Target::Script(script.into()))).await
    }

    /// Profiles code given as text, with everything at its default.
    ///
    /// # Errors
    /// As [`ScaleneProfiler::profile_script`].
    pub async fn profile_code(&self, code: impl Into<String>) -> Result<Profile, Error> {
        self.profile(&RunRequest::new(Target::Snippet(code.into()))).await
    }

    /// Profiles what a request says: arguments, interpreter, what to measure, time limit.
    ///
    /// ```no_run
    /// use scalene_mcp::ScaleneProfiler;
    /// use scalene_mcp::recording::{RunRequest, Target};
    ///
    /// # async fn example() -> Result<(), scalene_mcp::Error> {
    /// let mut request = RunRequest::new(Target::Module("shop.report".to_owned()));
    /// request.args = vec!["--day".to_owned(), "2026-11-01".to_owned()];
    /// request.measure.memory = false;
    /// let profile = ScaleneProfiler::new().profile(&request).await?;
    /// println!("{} samples", profile.cpu_samples().unwrap_or(0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`ScaleneProfiler::profile_script`].
    pub async fn profile(&self, request: &RunRequest) -> Result<Profile, Error> {
        let id = ProfileId::draw(|_| false);
        Ok(self.recorder.record(id, request, &Controls::default(), &mut |_| {}).await?)
    }

    /// Looks at a Python process that already runs, from outside, and leaves it as it was.
    ///
    /// ```no_run
    /// use scalene_mcp::ScaleneProfiler;
    /// use scalene_mcp::recording::{ProcessRequest, Which};
    ///
    /// # async fn example() -> Result<(), scalene_mcp::Error> {
    /// let request = ProcessRequest::new(Which::Match("server.py".to_owned()));
    /// let profile = ScaleneProfiler::new().profile_process(&request).await?;
    /// println!("{}", profile.run.cwd.display());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`Error`] when there is no such process, it may not be looked at, or it ran no Python.
    pub async fn profile_process(&self, request: &ProcessRequest) -> Result<Profile, Error> {
        let id = ProfileId::draw(|_| false);
        Ok(self.recorder.record_process(id, request, &Controls::default(), &mut |_| {}).await?)
    }
}
