//! Loops whose time Scalene spread over their lines.
//!
//! From 2.2 on, a sample in a loop without calls is divided among all lines of the loop, because
//! Python delivers the timer's signal at the loop's end only. Each of these lines lists the same
//! samples and has nearly the same share of each kind of time. Read one by one they look like
//! several hot lines.
//!
//! Lines also list the same samples where Scalene charges the native part of a sample to a line
//! before: then one has the Python time and the other the native time, and both were measured.

use std::collections::BTreeMap;

use crate::profile::{Line, LineNo, Percent};

/// Samples that a line lists at most (2.x): of longer lists each line keeps its own random choice.
const LISTED: u32 = 500;
/// Part of their samples that two lines share if a stretch was spread over them.
const SHARED: f64 = 0.5;
/// Difference of the kinds of time, and relative difference of the shares of lines with full lists,
/// up to which lines count as spread.
const NEAR: f64 = 0.1;

/// Eight of the moments of a list, chosen by hash and so in the same way for every list: enough to
/// estimate how much two lists have in common (A. Broder's bottom-k sketch, 1997).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sketch([u64; 8]);

impl Default for Sketch {
    fn default() -> Self {
        Self([u64::MAX; 8])
    }
}

impl Sketch {
    pub(super) fn take(&mut self, moment: f64) {
        let hash = mixed(moment.to_bits());
        let [.., last] = self.0;
        if hash >= last || self.0.contains(&hash) {
            return;
        }
        let at = self.0.partition_point(|known| *known < hash);
        if let Some(tail) = self.0.get_mut(at..) {
            tail.rotate_right(1);
            tail.iter_mut().take(1).for_each(|slot| *slot = hash);
        }
    }

    /// Estimated part of all moments of two lists that is in both.
    fn in_common(&self, other: &Self) -> f64 {
        let mut union: Vec<u64> =
            self.0.iter().chain(&other.0).copied().filter(|hash| *hash != u64::MAX).collect();
        union.sort_unstable();
        union.dedup();
        union.truncate(self.0.len());
        let both = union.iter().filter(|hash| self.0.contains(hash) && other.0.contains(hash));
        #[expect(clippy::cast_precision_loss, reason = "at most eight")]
        let part = both.count() as f64 / union.len().max(1) as f64;
        part
    }
}

/// Spreads the bits of a number (the finalizer of `splitmix64`).
fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Marks lines that hold a part of one stretch's time; `sketches` are in the order of the lines.
pub(super) fn mark(lines: &mut [Line], sketches: &[(LineNo, Sketch)]) {
    let mut regions: BTreeMap<(LineNo, LineNo), Vec<usize>> = BTreeMap::new();
    for (index, line) in lines.iter().enumerate() {
        // Lines of worker threads list no sample, and are charged the same time when sampled together.
        let hot = line.cpu.total() > Percent::ZERO && line.cpu.samples > 0;
        if let Some(region) = line.region.filter(|_| hot) {
            regions.entry(region).or_default().push(index);
        }
    }
    for mut members in regions.into_values().filter(|members| members.len() > 1) {
        // The line with most samples stands for the stretch.
        let samples = |index: &usize| lines.get(*index).map_or(0, |line| line.cpu.samples);
        members.sort_by_key(|index| std::cmp::Reverse(samples(index)));
        let Some(first) = members.first().copied() else { continue };
        let stretch: Vec<usize> = members
            .iter()
            .copied()
            .filter(|index| *index == first || are_spread(lines, sketches, first, *index))
            .collect();
        let numbers = || stretch.iter().filter_map(|index| Some(lines.get(*index)?.number));
        let Some(span) = numbers().min().zip(numbers().max()) else { continue };
        if stretch.len() > 1 {
            set(lines, &stretch, span);
        }
    }
}

fn are_spread(lines: &[Line], sketches: &[(LineNo, Sketch)], one: usize, other: usize) -> bool {
    let (Some(one), Some(other)) = (lines.get(one), lines.get(other)) else { return false };
    let kind = |line: &Line| line.cpu.python.get() / line.cpu.total().get();
    if (kind(one) - kind(other)).abs() > NEAR {
        return false;
    }
    if one.cpu.samples.min(other.cpu.samples) >= LISTED {
        let (a, b) = (one.cpu.total().get(), other.cpu.total().get());
        return (a - b).abs() <= NEAR * a.max(b);
    }
    let sketch = |line: &Line| {
        let at = sketches.binary_search_by_key(&line.number, |(number, _)| *number).ok()?;
        sketches.get(at).map(|(_, sketch)| sketch)
    };
    sketch(one).zip(sketch(other)).is_some_and(|(a, b)| a.in_common(b) > SHARED)
}

fn set(lines: &mut [Line], members: &[usize], span: (LineNo, LineNo)) {
    for index in members {
        if let Some(line) = lines.get_mut(*index) {
            line.spread = Some(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::LineCpu;
    use proptest::prelude::*;

    fn of(number: u32) -> LineNo {
        LineNo::new(number).unwrap()
    }

    /// A line of region 3-6 that lists these samples.
    fn line(number: u32, python: f64, samples: std::ops::Range<u32>) -> (Line, Sketch) {
        let mut sketch = Sketch::default();
        samples.clone().for_each(|sample| sketch.take(f64::from(sample)));
        let cpu = LineCpu {
            python: Percent::from_percent(python).unwrap(),
            samples: u32::try_from(samples.len()).unwrap(),
            ..LineCpu::default()
        };
        let region = Some((of(3), of(6)));
        let (memory, gpu, awaiting, spread) = (None, None, None, None);
        (Line { memory, gpu, awaiting, region, spread, ..Line::timed(of(number), cpu) }, sketch)
    }

    fn spans(lines: Vec<(Line, Sketch)>) -> Vec<Option<(u32, u32)>> {
        let sketches: Vec<_> = lines.iter().map(|(line, sketch)| (line.number, *sketch)).collect();
        let mut lines: Vec<_> = lines.into_iter().map(|(line, _)| line).collect();
        mark(&mut lines, &sketches);
        lines.iter().map(|line| line.spread.map(|(a, b)| (a.get(), b.get()))).collect()
    }

    #[test]
    fn lines_with_the_same_samples_are_one_stretch() {
        let equal = vec![line(3, 20.0, 0..90), line(4, 20.0, 0..90), line(6, 7.0, 90..100)];
        assert_eq!(spans(equal), [Some((3, 4)), Some((3, 4)), None]);
        let nearly = vec![line(3, 21.0, 0..95), line(5, 20.0, 0..90)];
        assert_eq!(spans(nearly), [Some((3, 5)); 2]);
        let full = vec![line(3, 51.0, 0..500), line(4, 48.0, 500..1000)];
        assert_eq!(spans(full), [Some((3, 4)); 2]);
    }

    #[test]
    fn equal_shares_alone_are_no_stretch() {
        let own = vec![line(3, 20.0, 0..90), line(4, 20.0, 90..180)];
        assert_eq!(spans(own), [None; 2]);
        let full = vec![line(3, 80.0, 0..500), line(4, 20.0, 500..1000)];
        assert_eq!(spans(full), [None; 2]);
        let mut native = line(4, 0.0, 0..90);
        native.0.cpu.native = Percent::from_percent(20.0).unwrap();
        assert_eq!(spans(vec![line(3, 20.0, 0..90), native]), [None; 2]);
        let threads = vec![line(3, 20.0, 0..0), line(4, 20.0, 0..0)];
        assert_eq!(spans(threads), [None; 2]);
        let mut elsewhere = vec![line(3, 20.0, 0..9), line(4, 20.0, 0..9)];
        elsewhere[1].0.region = Some((of(4), of(5)));
        assert_eq!(spans(elsewhere), [None; 2]);
    }

    proptest! {
        #[test]
        fn the_sketch_estimates_what_lists_share(shared in 0_u32..300, own in 0_u32..300) {
            let sketch = |range: &[std::ops::Range<u32>]| {
                let mut sketch = Sketch::default();
                range.iter().cloned().flatten().for_each(|n| sketch.take(f64::from(n) * 0.0137));
                sketch
            };
            let one = sketch(&[0..shared, 1000..1000 + own]);
            let other = sketch(&[0..shared, 2000..2000 + own]);
            let estimate = one.in_common(&other);
            prop_assert!((0.0..=1.0).contains(&estimate));
            prop_assert!(own > 0 || shared == 0 || (estimate - 1.0).abs() < 1e-9);
            prop_assert!(shared > 0 || estimate == 0.0);
        }

        #[test]
        fn a_stretch_has_several_lines(picks in prop::collection::vec((0_u32..3, 0_u32..40), 0..40)) {
            let lines: Vec<_> = (3..)
                .zip(&picks)
                .map(|(number, (from, length))| line(number, 1.0, *from * 10..from * 10 + length))
                .collect();
            let found = spans(lines);
            for (number, span) in (3_u32..).zip(&found) {
                if let Some((first, last)) = span {
                    prop_assert!(first < last && *first <= number && number <= *last);
                    prop_assert!(found.iter().filter(|other| *other == span).count() >= 2);
                }
            }
        }
    }
}
