//! Which side runs first.

use rand_pcg::Pcg32;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// One of the two versions that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// What is compared with.
    Baseline,
    /// What is judged.
    Candidate,
}

/// The order of runs within each pair, drawn anew for every pair; without end, and always the same for
/// one seed.
///
/// Drawn independently rather than in balanced blocks: then signs of the differences are independent whatever
/// the machine does, and the signed-rank test is exact.
pub fn order(seed: u64) -> impl Iterator<Item = [Side; 2]> {
    let mut random = Pcg32::seed_from_u64(seed);
    std::iter::repeat_with(move || {
        if random.next_u32() >> 31 == 0 {
            [Side::Baseline, Side::Candidate]
        } else {
            [Side::Candidate, Side::Baseline]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_the_seeds_and_fair() {
        let draw = |seed| order(seed).take(10_000).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let first = draw(7).iter().filter(|pair| pair[0] == Side::Baseline).count();
        assert!((4_800..5_200).contains(&first), "{first}");
        // As often followed by the same order as by the other.
        let same = draw(7).windows(2).filter(|two| two[0] == two[1]).count();
        assert!((4_800..5_200).contains(&same), "{same}");
    }
}
