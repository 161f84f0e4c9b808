//! Loops whose time Scalene spread evenly over their lines.
//!
//! From 2.2 on, a sample in a loop without calls is divided among all lines of the loop, because
//! Python delivers the timer's signal at the loop's end only. Each of these lines then has the
//! same shares to the last bit and lists the same samples. Read one by one they look like several
//! hot lines, and their samples count several times.

use std::collections::HashMap;

use crate::profile::{Line, LineNo, Percent};

/// Marks lines that hold an equal part of one stretch's time.
pub(super) fn mark(lines: &mut [Line]) {
    let mut groups: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, line) in lines.iter().enumerate() {
        // Lines of worker threads list no sample, and are charged the same time when sampled together.
        let hot = line.cpu.total() > Percent::ZERO && line.cpu.samples > 0;
        let Some(region) = line.region.filter(|_| hot) else { continue };
        let bits =
            [line.cpu.python, line.cpu.native, line.cpu.system].map(|share| share.get().to_bits());
        groups.entry((region, bits, line.cpu.samples)).or_default().push(index);
    }
    for members in groups.into_values().filter(|members| members.len() > 1) {
        let numbers = || members.iter().filter_map(|index| Some(lines.get(*index)?.number));
        let Some(span) = numbers().min().zip(numbers().max()) else { continue };
        set(lines, &members, span);
    }
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

    fn line(number: u32, region: Option<(u32, u32)>, python: f64, samples: u32) -> Line {
        let number_of = |number| LineNo::new(number).unwrap();
        Line {
            number: number_of(number),
            cpu: LineCpu {
                python: Percent::from_percent(python).unwrap(),
                samples,
                ..LineCpu::default()
            },
            memory: None,
            gpu: None,
            awaiting: None,
            region: region.map(|(start, end)| (number_of(start), number_of(end))),
            spread: None,
        }
    }

    fn spans(lines: &mut [Line]) -> Vec<Option<(u32, u32)>> {
        mark(lines);
        lines.iter().map(|line| line.spread.map(|(a, b)| (a.get(), b.get()))).collect()
    }

    #[test]
    fn lines_of_one_loop_with_equal_shares_are_one_stretch() {
        let inside = Some((3, 6));
        let mut lines = [
            line(3, inside, 20.0, 9),
            line(4, inside, 20.0, 9),
            line(5, inside, 7.0, 9),
            line(6, inside, 20.0, 9),
        ];
        assert_eq!(spans(&mut lines), [Some((3, 6)), Some((3, 6)), None, Some((3, 6))]);
    }

    #[test]
    fn what_differs_in_one_thing_stands_alone() {
        let mut lines = [
            line(3, Some((3, 6)), 20.0, 9),
            line(4, Some((3, 7)), 20.0, 9),
            line(5, Some((3, 6)), 20.0, 8),
            line(6, None, 20.0, 9),
            line(7, Some((8, 9)), 0.0, 9),
            line(8, Some((8, 9)), 0.0, 9),
            line(9, Some((9, 9)), 5.0, 0),
            line(10, Some((9, 9)), 5.0, 0),
        ];
        assert_eq!(spans(&mut lines), [None; 8]);
    }

    proptest! {
        #[test]
        fn a_stretch_has_several_lines_with_equal_shares(
            picks in prop::collection::vec((0_u32..3, 0_u32..3, 0_u32..3), 0..40)
        ) {
            let mut lines: Vec<Line> = (1..)
                .zip(&picks)
                .map(|(number, (region, share, samples))| {
                    line(number, Some((1 + region, 50)), f64::from(*share), *samples)
                })
                .collect();
            mark(&mut lines);
            for line in lines.iter().filter(|line| line.spread.is_some()) {
                let (first, last) = line.spread.unwrap();
                let mates: Vec<_> = lines
                    .iter()
                    .filter(|mate| mate.spread == line.spread && mate.region == line.region)
                    .collect();
                let same = |mate: &&&Line| mate.cpu == line.cpu;
                prop_assert!(mates.iter().filter(same).count() >= 2);
                prop_assert!(first <= line.number && line.number <= last && first < last);
                prop_assert!(lines.iter().any(|line| line.number == first && line.spread.is_some()));
            }
        }
    }
}
