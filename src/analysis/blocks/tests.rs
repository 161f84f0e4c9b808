//! Blocks from made-up stacks.

use proptest::prelude::*;

use super::marked::last_line;
use super::*;
use crate::profile::{CallSite, CallTree, CallTreeBuilder, MarkedPlace};

const FILE: &str = "/p/a.py";

fn place(first: u32, last: u32) -> Vec<BlockPlace> {
    let at = |line| LineNo::new(line).unwrap();
    vec![BlockPlace { file: FILE.to_owned(), first: at(first), last: Some(at(last)) }]
}

/// A tree of stacks, each of functions' lines, outermost first, with seconds at its end.
fn tree(stacks: &[(Vec<u32>, f64)]) -> CallTree {
    let mut builder = CallTreeBuilder::default();
    let function = builder.function(FILE, "f", false);
    for (lines, seconds) in stacks {
        let stack: Vec<CallSite> =
            lines.iter().map(|line| CallSite { function, line: *line }).collect();
        let node = builder.add(&stack, *seconds, false).unwrap();
        builder.attribute(node, *seconds, false);
    }
    builder.finish()
}

/// Path of each spot by the numbers of its blocks, with own and total seconds.
fn found(stacks: &[(Vec<u32>, f64)], wanted: &[Vec<BlockPlace>]) -> Vec<(Vec<usize>, f64, f64)> {
    let wanted: Vec<&[BlockPlace]> = wanted.iter().map(Vec::as_slice).collect();
    let spots = Spots::of(&tree(stacks), &wanted);
    let totals = spots.totals();
    let one = |index: usize| {
        let mut path: Vec<usize> = spots.path(Some(index)).map(|spot| spot.block).collect();
        path.reverse();
        (path, spots.all[index].own.running, totals[index].running)
    };
    spots.in_order(&totals).into_iter().map(one).collect()
}

#[test]
fn blocks_nest_as_stacks_do_and_a_recursion_counts_once() {
    let blocks = [place(10, 20), place(30, 40), place(12, 14)];
    let stacks = [
        (vec![11], 1.0),         // in the first
        (vec![11, 31], 2.0),     // which calls the second
        (vec![13, 31], 4.0),     // from the third, which lies in the first
        (vec![11, 11, 11], 8.0), // calls itself
        (vec![31, 11], 16.0),    // the other way round
        (vec![99], 32.0),        // in none
    ];
    let all = found(&stacks, &blocks);
    assert_eq!(
        all,
        [
            (vec![1], 0.0, 16.0),
            (vec![1, 0], 16.0, 16.0),
            (vec![0], 9.0, 15.0),
            (vec![0, 2], 0.0, 4.0),
            (vec![0, 2, 1], 4.0, 4.0),
            (vec![0, 1], 2.0, 2.0),
        ]
    );
}

#[test]
fn overlaps_are_told() {
    let range = |name: &str, first, last| BlockRange {
        name: name.to_owned(),
        kind: BlockKind::Lines,
        places: place(first, last),
    };
    let mut notes = Vec::new();
    overlaps(&[range("a", 1, 9), range("b", 2, 8), range("c", 9, 12)], &mut notes);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].contains("`a` and `c` overlap: lines 9 to 9"), "{notes:?}");
}

#[test]
fn a_marker_goes_as_far_as_its_source() {
    let source = "\
import x
with (
    open('a') as f,
    block('one'),
):
    work()

    # a comment
    more()
@block('two')
@other
def two(a,
        b):
    return a
with block('three'): work()
stack.enter_context(block('four'))
";
    let end = |line, function: Option<&str>| {
        let place = MarkedPlace {
            file: FILE.to_owned(),
            line: LineNo::new(line).unwrap(),
            function: function.map(str::to_owned),
        };
        last_line(source, &place).map(LineNo::get)
    };
    assert_eq!([end(4, None), end(2, None)], [Some(9); 2]);
    assert_eq!(end(10, Some("two")), Some(14));
    assert_eq!([end(15, None), end(16, None)], [Some(15), None]);
    assert_eq!(end(10, Some("gone")), None);
}

#[test]
fn the_heaviest_are_listed_with_those_around_them() {
    let block = |parent, name: &str, total| Block {
        parent,
        total: Seconds::from_secs(total),
        ..bare(name, BlockKind::Marker, &[])
    };
    let all = vec![
        block(None, "a", 5.0),
        block(Some(0), "b", 1.0),
        block(None, "c", 9.0),
        block(Some(2), "d", 4.0),
        block(Some(0), "e", 4.5),
    ];
    let blocks = Blocks { all, notes: Vec::new() };
    assert_eq!(block_order(&blocks, 9), [2, 3, 0, 4, 1]);
    assert_eq!(block_order(&blocks, 3), [2, 0, 4]);
}

proptest! {
    #[test]
    fn the_tree_adds_up(
        stacks in prop::collection::vec((prop::collection::vec(1_u32..30, 1..7), 0_u32..100), 1..40),
        ranges in prop::collection::vec((1_u32..30, 0_u32..12), 1..8),
    ) {
        let stacks: Vec<(Vec<u32>, f64)> =
            stacks.into_iter().map(|(lines, seconds)| (lines, f64::from(seconds))).collect();
        let blocks: Vec<Vec<BlockPlace>> =
            ranges.iter().map(|(first, more)| place(*first, first + more)).collect();
        let all = found(&stacks, &blocks);
        let inside = |block: usize, line: &u32| {
            (ranges[block].0..=ranges[block].0 + ranges[block].1).contains(line)
        };
        // Each block's total is the time of all stacks with one of its lines on them.
        for block in 0..ranges.len() {
            let truth: f64 = stacks
                .iter()
                .filter(|(lines, _)| lines.iter().any(|line| inside(block, line)))
                .map(|(_, seconds)| seconds)
                .sum();
            let outermost = all.iter().filter(|(path, ..)| path.last() == Some(&block));
            let total: f64 = outermost.map(|(_, _, total)| total).sum();
            prop_assert!((truth - total).abs() < 1e-6, "{block}: {truth} {total}");
        }
        for (path, own, total) in &all {
            let children = all.iter().filter(|(other, ..)| {
                other.len() == path.len() + 1 && other.starts_with(path)
            });
            let inner: f64 = children.map(|(_, _, total)| total).sum();
            prop_assert!((own + inner - total).abs() < 1e-6 && own <= total && inner <= *total);
            let mut once = path.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), path.len());
        }
    }
}
