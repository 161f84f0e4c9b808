//! Unit newtypes. A value that exists is finite and not negative; what nobody measured is
//! an absent `Option`, never a zero.

use std::fmt;
use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

/// Rounds to three significant digits, keeping every digit before the decimal point.
///
/// A sampling profiler does not carry more; full precision stays inside the program.
pub fn round_for_display(value: f64) -> f64 {
    let digits = decimals(value);
    let scale = 10_f64.powi(digits);
    let scaled = value * scale;
    if scaled.is_finite() { scaled.round() / scale } else { value }
}

/// Finer than a millionth of a second or a mebibyte is noise of any profile.
const MOST_DECIMALS: i32 = 6;

/// Decimal places that show three significant digits of `value`.
#[expect(clippy::cast_possible_truncation, reason = "log10 of a finite f64 is within ±324")]
fn decimals(value: f64) -> i32 {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    (2 - value.abs().log10().floor() as i32).clamp(0, MOST_DECIMALS)
}

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident, $from:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $name(f64);

        impl TryFrom<f64> for $name {
            type Error = &'static str;
            fn try_from(value: f64) -> Result<Self, Self::Error> {
                Self::$from(value).ok_or(concat!("no amount of ", stringify!($name)))
            }
        }

        impl From<$name> for f64 {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl $name {
            /// Nothing, as a measured value.
            pub const ZERO: Self = Self(0.0);

            /// Takes the value in this unit; `None` for NaN, infinities and negative numbers.
            pub fn $from(value: f64) -> Option<Self> {
                (value.is_finite() && value >= 0.0).then_some(Self(value))
            }

            /// The exact value, for computation.
            pub fn get(self) -> f64 {
                self.0
            }

            /// The value as it leaves the program: three significant digits.
            pub fn rounded(self) -> f64 {
                round_for_display(self.0)
            }

            /// The larger of two.
            #[must_use]
            pub fn max(self, other: Self) -> Self {
                Self(self.0.max(other.0))
            }
        }

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                iter.fold(Self::ZERO, Add::add)
            }
        }

        impl fmt::Display for $name {
            /// Three significant digits, without the unit.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let digits = usize::try_from(decimals(self.0)).unwrap_or(0).min(6);
                write!(f, "{:.*}", digits, self.0)
            }
        }
    };
}

unit!(
    /// Seconds.
    Seconds, from_secs
);
unit!(
    /// Mebibytes (2^20 bytes); Scalene writes them as "MB".
    Mebibytes, from_mib
);
unit!(
    /// Mebibytes per second.
    MebibytesPerSec, from_mib_per_sec
);
unit!(
    /// Hundredths of a whole. May exceed 100 where several cores or children are counted.
    Percent, from_percent
);
unit!(
    /// Part of a whole, 0 to 1.
    Fraction, from_fraction
);

impl Mebibytes {
    /// A number of bytes.
    #[expect(clippy::cast_precision_loss, reason = "no memory size reaches 2^53 bytes")]
    pub fn from_bytes(bytes: u64) -> Self {
        Self(bytes as f64 / f64::from(1 << 20))
    }
}

impl Percent {
    /// This share of a duration.
    #[must_use]
    pub fn of(self, whole: Seconds) -> Seconds {
        Seconds(self.0 / 100.0 * whole.0)
    }

    /// This share of another share.
    #[must_use]
    pub fn part_of(self, whole: Self) -> Self {
        Self(self.0 / 100.0 * whole.0)
    }

    /// What `part` is of `whole`; `None` when the whole is nothing.
    pub fn of_whole(part: f64, whole: f64) -> Option<Self> {
        (whole > 0.0).then(|| Self::from_percent(100.0 * part / whole)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits_and_whole_integers() {
        for (value, text, rounded) in [
            (6.4149, "6.41", 6.41),
            (1234.56, "1235", 1235.0),
            (0.012_34, "0.0123", 0.0123),
            (45.678, "45.7", 45.7),
            (0.0, "0", 0.0),
            (100.0, "100", 100.0),
        ] {
            let seconds = Seconds::from_secs(value).unwrap();
            assert_eq!(seconds.to_string(), text);
            assert!((seconds.rounded() - rounded).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for value in [f64::NAN, f64::INFINITY, -0.5] {
            assert_eq!(Mebibytes::from_mib(value), None);
        }
    }

    #[test]
    fn a_share_of_nothing_is_unknown() {
        assert_eq!(Percent::of_whole(1.0, 0.0), None);
        assert_eq!(Percent::of_whole(1.0, 4.0), Percent::from_percent(25.0));
    }
}
