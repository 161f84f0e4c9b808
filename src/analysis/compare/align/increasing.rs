//! The heaviest part of a sequence that is in order.

/// Marks the members of the heaviest strictly increasing subsequence of positions; weights count at
/// least 1. In n log n steps: for each position the heaviest chain that ends below it is kept in a
/// Fenwick tree.
pub(super) fn heaviest(items: &[(u32, u64)]) -> Vec<bool> {
    let mut ranks: Vec<u32> = items.iter().map(|(position, _)| *position).collect();
    ranks.sort_unstable();
    ranks.dedup();
    // By rank: weight of the heaviest chain that ends at or below it, and its last member.
    let mut tree: Vec<(u64, Option<usize>)> = vec![(0, None); ranks.len() + 1];
    let mut chains: Vec<Option<usize>> = Vec::with_capacity(items.len());
    let mut best = (0, None);
    for (index, (position, weight)) in items.iter().enumerate() {
        let rank = ranks.partition_point(|rank| rank < position);
        let (before, last) = below(&tree, rank);
        let weight = before + (*weight).max(1);
        chains.push(last);
        raise(&mut tree, rank + 1, (weight, Some(index)));
        if weight > best.0 {
            best = (weight, Some(index));
        }
    }
    let mut kept = vec![false; items.len()];
    let mut next = best.1;
    while let Some(index) = next {
        kept.get_mut(index).into_iter().for_each(|kept| *kept = true);
        next = chains.get(index).copied().flatten();
    }
    kept
}

/// The heaviest of the first `count` ranks.
fn below(tree: &[(u64, Option<usize>)], count: usize) -> (u64, Option<usize>) {
    let mut best = (0, None);
    let mut at = count;
    while at > 0 {
        let here = tree.get(at).copied().unwrap_or_default();
        if here.0 > best.0 {
            best = here;
        }
        at &= at - 1;
    }
    best
}

fn raise(tree: &mut [(u64, Option<usize>)], rank: usize, chain: (u64, Option<usize>)) {
    let mut at = rank;
    while let Some(here) = tree.get_mut(at) {
        if chain.0 > here.0 {
            *here = chain;
        }
        at += at & at.wrapping_neg();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_heavier_stays() {
        let kept = |items: &[(u32, u64)]| heaviest(items);
        assert_eq!(kept(&[(3, 1), (1, 1), (2, 1)]), [false, true, true]);
        assert_eq!(kept(&[(3, 9), (1, 1), (2, 1)]), [true, false, false]);
        assert_eq!(kept(&[]), Vec::<bool>::new());
    }

    proptest! {
        #[test]
        fn it_is_as_heavy_as_the_best_of_all(items in prop::collection::vec((0_u32..12, 1_u64..9), 0..11)) {
            let kept = heaviest(&items);
            let chosen: Vec<_> = items.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(item, _)| *item).collect();
            prop_assert!(chosen.windows(2).all(|two| two[0].0 < two[1].0));
            let weight: u64 = chosen.iter().map(|(_, weight)| weight).sum();
            let best = (0_u32..1 << items.len())
                .filter_map(|mask| {
                    let some: Vec<_> = items.iter().enumerate().filter(|(n, _)| mask >> n & 1 == 1).map(|(_, item)| *item).collect();
                    some.windows(2).all(|two| two[0].0 < two[1].0).then(|| some.iter().map(|(_, weight)| weight).sum::<u64>())
                })
                .max();
            prop_assert_eq!(Some(weight), best);
        }
    }
}
