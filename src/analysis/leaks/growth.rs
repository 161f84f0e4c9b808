//! The shape of the footprint over time: does the program keep more and more?

use crate::analysis::thresholds::{
    LEAK_GROWTH_MIB, LEAK_POINTS, LEAK_QUIET_PART, LEAK_STEADY_PART, LEAK_TEARDOWN_PART,
};
use crate::profile::{Footprint, Mebibytes, MebibytesPerSec, Seconds};

/// What a program keeps, as its footprint shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// What it kept at the first sample and never gave back.
    pub start: Mebibytes,
    /// What it kept at the end.
    pub end: Mebibytes,
    /// Time between the first and the last sample, or the end of the run where that is much later.
    pub span: Seconds,
    /// When the first sample was taken.
    pub since: Seconds,
    /// Whether the second and the last third of the time each added their part.
    pub steady: bool,
    /// Half of it or more came in the last third of the time: whether it would go on is not known.
    pub late: bool,
}

impl Growth {
    /// Growth that stayed.
    pub fn retained(&self) -> Mebibytes {
        Mebibytes::from_mib(self.end.get() - self.start.get()).unwrap_or_default()
    }

    /// The same per second: retained growth over the time between first and last sample.
    pub fn velocity(&self) -> Option<MebibytesPerSec> {
        velocity(self.retained(), self.span)
    }

    /// A moment of the stretch by its part, 0 its beginning and 1 its end.
    pub(super) fn moment(&self, part: f64) -> f64 {
        self.since.get() + part * self.span.get()
    }
}

/// Memory over time.
pub(super) fn velocity(retained: Mebibytes, span: Seconds) -> Option<MebibytesPerSec> {
    (span.get() > 0.0)
        .then(|| MebibytesPerSec::from_mib_per_sec(retained.get() / span.get()))
        .flatten()
}

/// Reads the growth from the footprint's samples; `None` when they are too few.
///
/// What counts is not the footprint but its floor, the lowest value at this or any later time:
/// memory below it is never given back. Buffers that come and go do not raise it.
#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
/// A long end of the run without samples counts: nothing grew there.
pub fn growth(footprint: &Footprint, elapsed: Option<Seconds>) -> Option<Growth> {
    // What is freed while the program ends does not speak against growth.
    let all = &footprint.timeline;
    let last = elapsed.into_iter().chain(all.last().map(|(at, _)| *at)).reduce(Seconds::max)?;
    let teardown = (1.0 - LEAK_TEARDOWN_PART.value) * last.get();
    let timeline = all.get(..all.partition_point(|(at, _)| at.get() <= teardown))?;
    let timeline = if timeline.len() < all.len() / 2 { all.as_slice() } else { timeline };
    if (timeline.len() as f64) < LEAK_POINTS.value {
        return None;
    }
    // The very last samples may catch a buffer in use: the lowest of them stands for all.
    let tail = (timeline.len() / 20).max(2);
    let mut floors: Vec<(f64, f64)> = Vec::with_capacity(timeline.len());
    let lowest = timeline.iter().rev().take(tail).min_by(|a, b| a.1.get().total_cmp(&b.1.get()))?;
    let mut floor = lowest.1.get();
    for (at, mib) in timeline.iter().rev() {
        floor = floor.min(mib.get());
        floors.push((at.get(), floor));
    }
    floors.reverse();
    let (first, last) = (floors.first()?, floors.last()?);
    // A short end without samples is the program's own end, a long one is time without growth.
    let sampled = last.0 - first.0;
    let quiet = elapsed.map_or(0.0, |elapsed| (elapsed.get() - last.0).max(0.0));
    let span = if quiet > LEAK_QUIET_PART.value * sampled { sampled + quiet } else { sampled };
    let total = last.1 - first.1;
    let at = |part: f64| {
        let moment = first.0 + part * span;
        let after = floors.partition_point(|(at, _)| *at <= moment);
        floors.get(after.saturating_sub(1)).map_or(first.1, |(_, floor)| *floor)
    };
    let marks = [first.1, at(1.0 / 3.0), at(2.0 / 3.0), last.1];
    // The first third may be a slow start; growth that goes on is in the other two.
    let even = marks.windows(2).skip(1).all(|pair| match pair {
        [before, after] => after - before >= LEAK_STEADY_PART.value * total,
        _ => false,
    });
    let steady = even && total >= LEAK_GROWTH_MIB.value;
    let late = !steady && total >= LEAK_GROWTH_MIB.value && last.1 - at(2.0 / 3.0) >= total / 2.0;
    // A slope goes on from the lowest sample of the tail to the end.
    let until_lowest = lowest.0.get() - first.0;
    let highest = timeline.iter().map(|(_, mib)| mib.get()).fold(0.0, f64::max);
    let end = if steady && until_lowest > 0.0 {
        (first.1 + total * span / until_lowest).min(highest)
    } else {
        last.1
    };
    Some(Growth {
        start: Mebibytes::from_mib(first.1)?,
        end: Mebibytes::from_mib(end)?,
        span: Seconds::from_secs(span)?,
        since: Seconds::from_secs(first.0)?,
        steady,
        late,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: &[(f64, f64)]) -> Option<Growth> {
        let timeline = points
            .iter()
            .map(|(at, mib)| (Seconds::from_secs(*at).unwrap(), Mebibytes::from_mib(*mib).unwrap()))
            .collect();
        growth(
            &Footprint {
                peak: Mebibytes::ZERO,
                peak_at: None,
                python_fraction: None,
                timeline,
                allocation_paths: Vec::new(),
                records: None,
                growth_rate_percent: None,
            },
            None,
        )
    }

    fn shape(value: impl Fn(f64) -> f64) -> Growth {
        let points: Vec<_> = (0..50).map(|n| (f64::from(n) / 10.0, value(f64::from(n)))).collect();
        of(&points).unwrap()
    }

    #[test]
    fn a_slope_is_steady_even_under_buffers_that_come_and_go() {
        let plain = shape(|n| 10.0 * n);
        assert!(plain.steady && (plain.velocity().unwrap().get() - 100.0).abs() < 4.0, "{plain:?}");
        let noisy = shape(|n| 10.0 * n + if n % 2.0 == 0.0 { 200.0 } else { 0.0 });
        assert!(noisy.steady && (noisy.retained().get() - 480.0).abs() < 45.0, "{noisy:?}");
    }

    #[test]
    fn other_shapes_are_not_steady() {
        assert!(!shape(|_| 400.0).steady, "kept from the start");
        assert!(!shape(|n| if n < 10.0 { 40.0 * n } else { 400.0 }).steady, "loads, then works");
        assert!(!shape(|n| if n % 2.0 == 0.0 { 300.0 } else { 10.0 }).steady, "churns");
        assert!(!shape(|n| 40.0 * (25.0 - (n - 25.0).abs())).steady, "gives everything back");
        assert!(!shape(|n| 0.1 * n).steady, "too little");
        assert_eq!(of(&[(0.0, 1.0), (1.0, 500.0)]), None, "too few samples");
        let phase = shape(|n| if n < 40.0 { 10.0 } else { 10.0 + 8.0 * (n - 40.0) });
        assert!(!phase.steady && phase.late, "a last phase that keeps what it makes: {phase:?}");
        assert!(!shape(|n| if n < 10.0 { 40.0 * n } else { 400.0 }).late, "loads, then works");
    }

    #[test]
    fn a_cache_that_is_full_before_the_end_is_not_steady() {
        let timeline = (0..30).map(|n| {
            (
                Seconds::from_secs(f64::from(n) / 10.0).unwrap(),
                Mebibytes::from_mib(f64::from(n)).unwrap(),
            )
        });
        let footprint = Footprint {
            peak: Mebibytes::ZERO,
            peak_at: None,
            python_fraction: None,
            timeline: timeline.collect(),
            allocation_paths: Vec::new(),
            records: None,
            growth_rate_percent: None,
        };
        let steady = |elapsed| growth(&footprint, Seconds::from_secs(elapsed)).unwrap().steady;
        assert!(steady(3.0) && !steady(9.0));
    }
}
