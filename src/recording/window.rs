//! Which part of a run is profiled, as a caller asks for it.
//!
//! For programs that do not end by themselves, and for those whose start does not matter. What it takes
//! is in [`super::course`].

use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::RecordError;
use super::request::Measure;

/// A part of a run; all of it by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Window {
    /// It begins so long after the program is ready, or after its first line where nothing says when that is.
    pub delay: Duration,
    /// It lasts so long, and the program is stopped then.
    pub duration: Option<Duration>,
    /// When the program is ready.
    pub ready: Option<Readiness>,
    /// A command that is run once the program is ready, with its arguments: when it ends, the program is stopped. Empty
    /// for none.
    pub drive: Vec<String>,
}

/// What shows that a program is ready.
#[derive(Debug, Clone, PartialEq)]
pub enum Readiness {
    /// A TCP port of this machine takes connections.
    Port(u16),
    /// This text is in what it writes.
    Output(String),
    /// So much time has passed since its first line.
    After(Duration),
}

impl FromStr for Readiness {
    type Err = String;

    /// Reads `port:8000`, `output:Listening on`, or seconds as `2.5`.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(port) = text.strip_prefix("port:") {
            let number = port.trim().parse().ok().filter(|number| *number > 0);
            return number.map(Self::Port).ok_or_else(|| format!("`{port}` is no port"));
        }
        match text.strip_prefix("output:").map(str::trim) {
            Some("") => return Err("`output:` needs the text to wait for".to_owned()),
            Some(sought) => return Ok(Self::Output(sought.to_owned())),
            None => {}
        }
        let seconds = text.strip_suffix('s').unwrap_or(text).trim().parse::<f64>().ok();
        seconds
            .filter(|seconds| (0.0..=86_400.0).contains(seconds))
            .map(|seconds| Self::After(Duration::from_secs_f64(seconds)))
            .ok_or_else(|| {
                format!(
                    "`{text}` is none of port:NUMBER (as port:8000), output:TEXT (as output:Listening on), or seconds (as 2.5)"
                )
            })
    }
}

impl Readiness {
    /// As a call names it.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Port(port) => format!("port:{port}"),
            Self::Output(text) => format!("output:{text}"),
            Self::After(time) => time.as_secs_f64().to_string(),
        }
    }

    /// In words.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Port(port) => format!("port {port} to be open"),
            Self::Output(text) => format!("`{text}` in its output"),
            Self::After(time) => format!("{} s to pass", time.as_secs_f64()),
        }
    }
}

impl Window {
    /// Whether it is all of the run.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it begins later than the program.
    pub(super) fn is_late(&self) -> bool {
        !self.delay.is_zero() || self.ready.is_some()
    }

    /// What of it differs from the default, as a call names it.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (String, Value)> {
        let seconds = |time: Duration| json!(time.as_secs_f64());
        [
            ("duration_sec", self.duration.map(seconds)),
            ("delay_sec", (!self.delay.is_zero()).then(|| seconds(self.delay))),
            ("ready", self.ready.as_ref().map(|ready| json!(ready.written()))),
            ("drive", (!self.drive.is_empty()).then(|| json!(self.drive))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }

    pub(super) fn check(&self, measure: &Measure) -> Result<(), RecordError> {
        let invalid = |parameter: &'static str, problem: &str| {
            Err(RecordError::InvalidArgument { parameter, problem: problem.to_owned() })
        };
        if self.is_whole() {
            return Ok(());
        }
        if self.duration.is_some_and(|duration| duration.is_zero()) {
            return invalid("duration_sec", "0 seconds leave nothing to profile");
        }
        if !self.drive.is_empty() && self.ready.is_none() {
            return invalid(
                "ready",
                "`drive` is run once the program is ready: say when that is, as port:8000, output:Listening on, or seconds",
            );
        }
        if self.drive.iter().any(|word| word.contains('\0')) {
            return invalid("drive", "an argument holds a NUL byte");
        }
        if self.drive.first().is_some_and(|program| program.trim().is_empty()) {
            return invalid("drive", "the first word names the program, and is empty");
        }
        if measure.count_calls || measure.plain_run {
            let name = if measure.count_calls { "count_calls" } else { "plain_run" };
            return invalid(
                name,
                "it runs the program to its own end, and only a part of a run is asked for: leave out duration_sec, delay_sec, \
                 ready and drive, or this",
            );
        }
        if cfg!(not(unix)) {
            return invalid("duration_sec", "a part of a run cannot be profiled on this system");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_a_port_a_text_or_seconds() {
        let read = |text: &str| text.parse::<Readiness>();
        assert_eq!(read("port:8000"), Ok(Readiness::Port(8000)));
        assert_eq!(read("output: Listening on "), Ok(Readiness::Output("Listening on".into())));
        assert_eq!(read("2.5"), Ok(Readiness::After(Duration::from_millis(2500))));
        for (text, why) in [
            ("port:0", "no port"),
            ("port:70000", "no port"),
            ("output:", "text to wait for"),
            ("8000/tcp", "none of port:NUMBER"),
            ("-1", "none of port:NUMBER"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        for text in ["port:8000", "output:up", "2.5"] {
            assert_eq!(read(text).unwrap().written(), text);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |window: &Window, measure: &Measure| {
            window.check(measure).map_err(|error| error.to_string())
        };
        let usual = Measure::default();
        let all = Window::default();
        assert!(all.is_whole() && refused(&all, &usual).is_ok());
        let drive = Window { drive: vec!["python".into()], ..Window::default() };
        assert!(refused(&drive, &usual).unwrap_err().starts_with("ready: "));
        let zero = Window { duration: Some(Duration::ZERO), ..Window::default() };
        assert!(refused(&zero, &usual).unwrap_err().starts_with("duration_sec: "));
        let late = Window { delay: Duration::from_secs(1), ..Window::default() };
        let counted = Measure { count_calls: true, ..Measure::default() };
        assert!(refused(&late, &counted).unwrap_err().starts_with("count_calls: "));
    }
}
