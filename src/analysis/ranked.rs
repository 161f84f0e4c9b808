//! Lines by a value of theirs, without moving the lines.

use crate::profile::Percent;

/// A line by its place in the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// Index of the file.
    pub(super) file: u32,
    /// Index of the line among the measured ones of the file.
    pub(super) line: u32,
}

/// A value that is ranked by: finite and not negative.
pub(super) trait Value: Copy {
    /// The number.
    fn number(self) -> f64;
    /// The value of a number that [`Value::number`] gave.
    fn of(number: f64) -> Self;
}

macro_rules! value {
    ($name:ty, $from:ident) => {
        impl Value for $name {
            fn number(self) -> f64 {
                self.get()
            }
            fn of(number: f64) -> Self {
                Self::$from(number).unwrap_or_default()
            }
        }
    };
}

value!(Percent, from_percent);
value!(crate::profile::Mebibytes, from_mib);

/// Values above zero with their places, as one integer each, which sorts several times as fast: the
/// bits of numbers that are not negative are in the order of the numbers. They are inverted, so
/// that the highest comes first and ties are in order of file and line.
pub(super) struct Ranked {
    keys: Vec<u128>,
}

impl Ranked {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn values<T: Value>(&self) -> impl Iterator<Item = T> {
        self.keys.iter().map(|key| value(*key))
    }

    /// The `most` highest, in order.
    pub(super) fn keep<T: Value>(&mut self, most: usize) -> Vec<(T, Place)> {
        if most < self.keys.len() {
            self.keys.select_nth_unstable(most);
            self.keys.truncate(most);
        }
        self.keys.sort_unstable();
        self.keys.iter().map(|key| (value(*key), place(*key))).collect()
    }
}

impl<T: Value> FromIterator<(T, Place)> for Ranked {
    fn from_iter<I: IntoIterator<Item = (T, Place)>>(values: I) -> Self {
        let above_zero = values.into_iter().filter(|(value, _)| value.number() > 0.0);
        let keys = above_zero.map(|(value, place)| {
            let place = (u64::from(place.file) << 32) | u64::from(place.line);
            (u128::from(!value.number().to_bits()) << 64) | u128::from(place)
        });
        Self { keys: keys.collect() }
    }
}

fn value<T: Value>(key: u128) -> T {
    T::of(f64::from_bits(!((key >> 64) as u64)))
}

#[expect(clippy::cast_possible_truncation, reason = "the halves are taken apart")]
fn place(key: u128) -> Place {
    Place { file: (key >> 32) as u32, line: key as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_come_first_and_ties_in_order_of_place() {
        let values = [0.5, 80.0, 0.0, 80.0, 1e-300, 1e300];
        let places = (0..).map(|line| Place { file: 7, line });
        let all = || values.iter().map(|value| Percent::from_percent(*value).unwrap());
        let mut ranked: Ranked = all().zip(places.clone()).collect();
        assert_eq!(ranked.len(), 5, "nothing is no rank");
        let lines =
            |kept: Vec<(Percent, Place)>| kept.iter().map(|kept| kept.1.line).collect::<Vec<_>>();
        assert_eq!(lines(ranked.keep(9)), [5, 1, 3, 0, 4]);
        let mut ranked: Ranked = all().zip(places).collect();
        assert_eq!(lines(ranked.keep(2)), [5, 1]);
        assert_eq!(ranked.values::<Percent>().map(Percent::get).collect::<Vec<_>>(), [1e300, 80.0]);
    }
}
