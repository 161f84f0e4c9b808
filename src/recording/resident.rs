//! Resident size over time, in as many points as are worth keeping.

use std::time::Duration;

use crate::profile::{Mebibytes, Seconds};

/// Points that are kept; of more, every second one goes.
const MOST: usize = 200;

/// What a process held, in order.
#[derive(Debug, Default)]
pub(super) struct Resident {
    points: Vec<(Duration, u64)>,
    /// Looks of which one is kept.
    every: usize,
    looks: usize,
}

impl Resident {
    /// Notes what it held after so long.
    pub(super) fn add(&mut self, at: Duration, bytes: Option<u64>) {
        let Some(bytes) = bytes else { return };
        let due = self.looks.is_multiple_of(self.every.max(1));
        self.looks += 1;
        if !due {
            return;
        }
        self.points.push((at, bytes));
        if self.points.len() >= MOST {
            self.every = 2 * self.every.max(1);
            let mut keep = [true, false].into_iter().cycle();
            self.points.retain(|_| keep.next().unwrap_or(true));
        }
    }

    /// Highest of them, bytes.
    pub(super) fn highest(&self) -> Option<u64> {
        self.points.iter().map(|(_, bytes)| *bytes).max()
    }

    /// The points.
    pub(super) fn points(&self) -> Vec<(Seconds, Mebibytes)> {
        let point = |(at, bytes): &(Duration, u64)| {
            Some((Seconds::from_secs(at.as_secs_f64())?, Mebibytes::from_bytes(*bytes)))
        };
        self.points.iter().filter_map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_keeps_points_of_all_of_it() {
        let mut resident = Resident::default();
        for look in 0..10_000 {
            resident.add(Duration::from_millis(250 * look), Some(look << 20));
        }
        resident.add(Duration::from_secs(1), None);
        let points = resident.points();
        assert!((MOST / 2..MOST).contains(&points.len()), "{}", points.len());
        assert_eq!(points.first().unwrap().1, Mebibytes::ZERO);
        assert!(points.last().unwrap().0.get() > 0.9 * 2_500.0);
        assert!(points.is_sorted_by(|a, b| a.0.get() < b.0.get()));
        assert!(resident.highest().unwrap() > 9_000 << 20);
    }
}
