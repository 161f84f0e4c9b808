//! What one call of a profiled function takes, as answers have it.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{amount, count};
use crate::profile::{PerCall, Profile};

/// A first call is told apart from the others if it took so many times their 95th percentile, and so much longer.
const FIRST_FACTOR: f64 = 2.0;
const FIRST_SECONDS: f64 = 50e-6;
/// Later calls are told apart from earlier ones by this factor between the shortest of the last and of the first third.
const DRIFT: f64 = 1.5;

/// Times of single calls, from a run of their own without any profiler; its garbage collector was on.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PerCallInfo {
    /// Seconds of the shortest call.
    pub min_sec: f64,
    /// Median.
    pub median_sec: f64,
    /// 95th percentile (nearest rank).
    pub p95_sec: f64,
    /// Calls that were timed; the first is not among them.
    pub calls: u64,
    /// Calls between two looks at the clock; above 1 the figures are of means over so many.
    pub calls_per_timing: u64,
    /// Seconds of the first call, with its lazy imports.
    pub first_call_sec: f64,
    /// Most bytes that a call holds at a time, allocated since it began; median of 3 calls under tracemalloc, which sees
    /// Python's allocations and those of libraries that tell it. Absent where it was not traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
    /// Bytes of these that are still there right after the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_bytes: Option<u64>,
    /// Calls in the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profiled_calls: Option<u64>,
    /// Where calls differ from each other, and why as far as it is known.
    pub notes: Vec<String>,
}

impl PerCallInfo {
    /// The figures of a profile that has them.
    pub fn of(profile: &Profile) -> Option<Self> {
        let found = profile.per_call.as_ref()?;
        Some(Self {
            min_sec: short(found.min.get()),
            median_sec: short(found.median.get()),
            p95_sec: short(found.p95.get()),
            calls: found.calls,
            calls_per_timing: found.batch,
            first_call_sec: short(found.first.get()),
            peak_bytes: found.memory.map(|memory| memory.peak_bytes),
            kept_bytes: found.memory.map(|memory| memory.kept_bytes),
            profiled_calls: found.profiled,
            notes: notes(found),
        })
    }

    pub(super) fn text(&self) -> String {
        let means = if self.calls_per_timing > 1 {
            format!(", means of {}", self.calls_per_timing)
        } else {
            String::new()
        };
        let mut text = format!(
            "Per call: median {}, min {}, p95 {} ({} timed without a profiler{means}); first call {}",
            time(self.median_sec),
            time(self.min_sec),
            time(self.p95_sec),
            count(self.calls, "call"),
            time(self.first_call_sec),
        );
        if let Some((peak, kept)) = self.peak_bytes.zip(self.kept_bytes) {
            text.push_str(&format!(
                "; a call holds up to {peak} bytes and leaves {kept} (tracemalloc)"
            ));
        }
        if let Some(calls) = self.profiled_calls {
            text.push_str(&format!("; {} in the profile", count(calls, "call")));
        }
        text.push('\n');
        for note in &self.notes {
            text.push_str(&format!("Note: {note}\n"));
        }
        text
    }
}

fn notes(found: &PerCall) -> Vec<String> {
    let mut notes = Vec::new();
    let (first, p95) = (found.first.get(), found.p95.get());
    let imported = if found.first_imported.is_empty() {
        String::new()
    } else {
        format!("; it imported {}", found.first_imported.join(", "))
    };
    if first > FIRST_FACTOR * p95 && first - p95 > FIRST_SECONDS {
        notes.push(format!(
            "the first call took {}, the others {}: caches, lazy imports or set-up of its own{imported}; the profile is of \
             later calls",
            time(short(first)),
            time(short(found.median.get())),
        ));
    } else if FIRST_FACTOR * first < found.min.get() && found.min.get() - first > FIRST_SECONDS {
        notes.push(format!(
            "the first call took only {}, the others {}: calls find something that earlier ones left",
            time(short(first)),
            time(short(found.median.get())),
        ));
    }
    let (early, late) = (found.early.get(), found.late.get());
    if late > DRIFT * early && early > 0.0 {
        notes.push(format!(
            "calls get slower (at best {} in the first third, {} in the last): the function keeps something between calls, or \
             changes its arguments; `setup_each` renews them",
            time(short(early)),
            time(short(late)),
        ));
    }
    if found.changed_arguments {
        notes.push(
            "the call changes its arguments: later calls get them as the one before left them; `call` with `setup_each` \
             renews them"
                .to_owned(),
        );
    }
    notes
}

/// Three significant digits, however small.
pub(super) fn short(seconds: f64) -> f64 {
    if seconds <= 0.0 || !seconds.is_finite() {
        return 0.0;
    }
    let digits = 2.0 - seconds.log10().floor();
    // Powers of ten above 1 are exact, those below are not.
    if digits >= 0.0 {
        let scale = 10_f64.powf(digits);
        (seconds * scale).round() / scale
    } else {
        let scale = 10_f64.powf(-digits);
        (seconds / scale).round() * scale
    }
}

/// Seconds in the unit that fits.
pub(super) fn time(seconds: f64) -> String {
    let (factor, unit) = match seconds {
        s if s >= 1.0 || s <= 0.0 => (1.0, "s"),
        s if s >= 1e-3 => (1e3, "ms"),
        s if s >= 1e-6 => (1e6, "µs"),
        _ => (1e9, "ns"),
    };
    format!("{} {unit}", amount(seconds * factor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Seconds;

    fn figures(first: f64, median: f64) -> PerCall {
        let seconds = |value| Seconds::from_secs(value).unwrap();
        PerCall {
            min: seconds(median * 0.9),
            median: seconds(median),
            p95: seconds(median * 1.2),
            first: seconds(first),
            calls: 1000,
            batch: 1,
            early: seconds(median),
            late: seconds(median),
            first_imported: Vec::new(),
            changed_arguments: false,
            memory: None,
            profiled: None,
        }
    }

    #[test]
    fn times_have_three_digits_in_every_unit() {
        let digits = [1.234_567e-7, 12345.6, 0.0].map(|seconds| short(seconds).to_string());
        assert_eq!(digits, ["0.000000123", "12300", "0"]);
        let texts = [1.23e-7, 4.56e-5, 0.0123, 1.5, 0.0].map(time);
        assert_eq!(texts, ["123 ns", "45.6 µs", "12.3 ms", "1.5 s", "0 s"]);
    }

    #[test]
    fn calls_that_differ_are_told() {
        assert_eq!(notes(&figures(1.1e-3, 1e-3)), Vec::<String>::new());
        // As every first call of a function of microseconds.
        assert_eq!(notes(&figures(20e-6, 1e-6)), Vec::<String>::new());
        let imports = PerCall { first_imported: vec!["decimal".into()], ..figures(0.5, 1e-3) };
        let told = notes(&imports);
        assert!(
            told[0].contains("took 500 ms, the others 1 ms")
                && told[0].contains("imported decimal")
        );
        assert!(notes(&figures(1e-4, 1e-2))[0].contains("took only 100 µs"));
        let slower = PerCall { late: Seconds::from_secs(2e-3).unwrap(), ..figures(1e-3, 1e-3) };
        assert!(
            notes(&slower)[0].contains("calls get slower (at best 1 ms in the first third, 2 ms")
        );
        let changing = PerCall { changed_arguments: true, ..figures(1e-3, 1e-3) };
        assert!(notes(&changing)[0].contains("changes its arguments"));
    }
}
