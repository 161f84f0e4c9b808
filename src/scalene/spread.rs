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
