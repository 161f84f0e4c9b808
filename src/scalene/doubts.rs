//! What is wrong with the numbers of a document, and the units they are read into.

use std::collections::BTreeMap;
use std::fmt::Display;

use super::json::Num;
use crate::profile::{Fraction, LineNo, Mebibytes, MebibytesPerSec, Percent, Seconds};

/// Lines above this are not believed: no source file is that long.
const MAX_LINE: f64 = 2_000_000.0;

/// Memory above this is not believed: 2^40 MiB. It also keeps every sum finite.
const MAX_MIB: f64 = 1_099_511_627_776.0;
/// Times above this are not believed: three centuries.
const MAX_SECONDS: f64 = 1e10;
/// What a share of a whole may be above it by rounding, in percent: it still shows as 100.
pub(super) const ROUNDING: f64 = 0.4;

/// The place of a number outside files and lists.
pub(super) const TOP: &str = "the top level";

/// Collects what is wrong with numbers: one line per field, not one per occurrence.
///
/// A place is handed over as what it can be written from: it is needed for the first doubt about a
/// field only, and there are dozens of numbers on every line.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    by_field: BTreeMap<&'static str, (String, usize)>,
}

impl Doubts {
    pub(super) fn note(&mut self, field: &'static str, at: &dyn Display) {
        self.add(field, 1, || at.to_string());
    }

    fn add(&mut self, field: &'static str, count: usize, at: impl FnOnce() -> String) {
        self.by_field.entry(field).or_insert_with(|| (at(), 0)).1 += count;
    }

    /// Takes over what was found after this.
    pub(super) fn append(&mut self, after: Self) {
        for (field, (place, count)) in after.by_field {
            self.add(field, count, || place);
        }
    }

    /// Takes over what was found inside of `at`.
    pub(super) fn include(&mut self, inner: Self, at: &dyn Display) {
        for (field, (place, count)) in inner.by_field {
            self.add(field, count, || format!("{at}.{place}"));
        }
    }

    /// A number that a unit accepts; what is there but is none is noted.
    pub(super) fn read<T>(
        &mut self,
        num: Num,
        field: &'static str,
        at: &dyn Display,
        unit: fn(f64) -> Option<T>,
    ) -> Option<T> {
        let value = match num {
            Num::Absent => return None,
            Num::Value(value) => unit(value),
            Num::Bad => None,
        };
        if value.is_none() {
            self.note(field, at);
        }
        value
    }

    pub(super) fn into_warnings(self) -> impl Iterator<Item = String> {
        self.by_field.into_iter().map(|(field, (at, count))| {
            let more =
                if count > 1 { format!(" and {} more places", count - 1) } else { String::new() };
            format!("`{field}` holds no usable number at {at}{more}; counted as nothing")
        })
    }
}

/// A share of one whole, in percent.
pub(super) fn share(value: f64) -> Option<Percent> {
    Percent::from_percent(value).filter(|share| share.get() <= 100.0 + ROUNDING)
}

/// A share that several tasks may hold at once, in percent.
pub(super) fn shared(value: f64) -> Option<Percent> {
    Percent::from_percent(value).filter(|share| share.get() <= 1e6)
}

/// A part of one whole.
pub(super) fn part(value: f64) -> Option<Fraction> {
    (value <= 1.0 + ROUNDING / 100.0).then(|| Fraction::from_fraction(value.min(1.0))).flatten()
}

pub(super) fn mib(value: f64) -> Option<Mebibytes> {
    Mebibytes::from_mib(value).filter(|mib| mib.get() <= MAX_MIB)
}

pub(super) fn mib_per_sec(value: f64) -> Option<MebibytesPerSec> {
    MebibytesPerSec::from_mib_per_sec(value).filter(|rate| rate.get() <= MAX_MIB)
}

pub(super) fn seconds(value: f64) -> Option<Seconds> {
    Seconds::from_secs(value).filter(|seconds| seconds.get() <= MAX_SECONDS)
}

pub(super) fn any(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

pub(super) fn line_no(value: f64) -> Option<LineNo> {
    let whole = (1.0..=MAX_LINE).contains(&value) && value.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked just above"
    )]
    whole.then_some(value as u32).and_then(LineNo::new)
}

pub(super) fn count(value: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}
