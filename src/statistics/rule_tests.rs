//! The rule by example, and its properties; how often it errs is the business of `tests/statistics`.

use proptest::prelude::*;

use super::*;
use crate::statistics::{Side, estimate, order};

fn pairs(ratios: &[f64]) -> Vec<Pair> {
    ratios.iter().map(|ratio| Pair { baseline: 2.0, candidate: 2.0 * ratio }).collect()
}

fn around(centre: f64, part: f64, n: u8) -> Vec<Pair> {
    let ratios: Vec<f64> =
        (0..n).map(|k| centre * (1.0 + part * (f64::from(k % 5) - 2.0) / 2.0)).collect();
    pairs(&ratios)
}

#[test]
fn a_ratio_that_never_varies_is_known_exactly() {
    let rule = Rule::default();
    let same = rule.ratio(&pairs(&[1.0; 12])).unwrap();
    assert_eq!((same.ratio, same.low, same.high, same.pairs), (1.0, 1.0, 1.0, 12));
    assert_eq!(rule.verdict(Some(&same)), Verdict::NoDifference);
    assert_eq!(rule.decide(&pairs(&[1.0; 12])), Step::Go);
    assert_eq!(rule.decide(&pairs(&[1.0; 18])), Step::Stop(Why::Narrow));
    // Below the smallest effect: real, and of no account.
    let little = rule.ratio(&pairs(&[0.99; 12])).unwrap();
    assert_eq!((little.low, little.high), (little.ratio, little.ratio));
    assert_eq!(rule.verdict(Some(&little)), Verdict::NoDifference);
}

#[test]
fn few_pairs_are_judged_by_whether_the_sides_overlap() {
    let rule = Rule::default();
    assert_eq!(rule.ratio(&around(0.5, 0.2, 3)), None);
    assert!(estimate(&around(0.5, 0.2, 3)).is_some_and(|ratio| (0.4..0.5).contains(&ratio)));
    assert_eq!(rule.more_pairs(&around(0.5, 0.2, 3)), Some(1));
    let apart = rule.ratio(&around(0.5, 0.2, 4));
    assert_eq!(rule.verdict(apart.as_ref()), Verdict::Faster);
    let slower = rule.ratio(&around(2.0, 0.2, 4));
    assert_eq!(rule.verdict(slower.as_ref()), Verdict::Slower);
    // Each candidate below its own baseline, and above another: 4 pairs cannot tell.
    let mixed: Vec<Pair> =
        [1.0, 1.3, 1.6, 1.9].map(|speed| Pair { baseline: speed, candidate: 0.9 * speed }).to_vec();
    assert_eq!(rule.verdict(rule.ratio(&mixed).as_ref()), Verdict::Undecided);
}

#[test]
fn a_clear_difference_ends_at_the_first_look() {
    let rule = Rule::default();
    let steps: Vec<_> = (1..=8).map(|n| rule.decide(&around(0.5, 0.2, n))).collect();
    assert_eq!(steps[..7], [Step::Go; 7]);
    assert_eq!(steps[7], Step::Stop(Why::Clear));
    assert_eq!(rule.decide(&around(1.0, 0.2, 8)), Step::Go);
    let last = Rule { most: 20, ..rule };
    assert_eq!(last.decide(&around(1.0, 0.5, 20)), Step::Stop(Why::Most));
}

#[test]
fn a_narrow_interval_at_the_smallest_effect_ends_the_runs() {
    let rule = Rule::default();
    let at_the_limit = around(1.0 / 1.028, 0.006, 27);
    assert_eq!(rule.verdict(rule.ratio(&at_the_limit).as_ref()), Verdict::Undecided);
    assert_eq!(rule.decide(&at_the_limit), Step::Stop(Why::Narrow));
    // Within a tenth of a percent of the limit, no reasonable number of pairs would do.
    assert_eq!(rule.more_pairs(&around(1.0 / 1.029, 0.05, 27)), None);
}

#[test]
fn more_pairs_would_decide() {
    let rule = Rule::default();
    for (centre, noise) in [(0.95, 0.2), (1.002, 0.12), (1.07, 0.2)] {
        let noisy = around(centre, noise, 10);
        assert_eq!(rule.verdict(rule.ratio(&noisy).as_ref()), Verdict::Undecided, "{centre}");
        let more = rule.more_pairs(&noisy).unwrap();
        assert!((1..2_000).contains(&more), "{centre}: {more}");
        // With about as many, of the same kind, it is.
        let wanted = u16::try_from(10 + more + more / 3).unwrap();
        let many: Vec<Pair> = (0..wanted).map(|n| noisy[usize::from(n) % noisy.len()]).collect();
        let verdict = rule.verdict(rule.ratio(&many).as_ref());
        assert_ne!(verdict, Verdict::Undecided, "{centre}: {more} more");
        assert_eq!(rule.more_pairs(&many), None);
    }
}

#[test]
fn nothing_is_concluded_from_values_that_are_none() {
    let rule = Rule::default();
    let mut broken = around(0.5, 0.2, 10);
    broken[3].candidate = 0.0;
    assert_eq!((rule.ratio(&broken), rule.more_pairs(&broken)), (None, None));
    assert_eq!(rule.verdict(None), Verdict::Undecided);
    assert_eq!(rule.decide(&[]), Step::Go);
}

#[test]
fn the_order_of_runs_alone_never_makes_a_verdict() {
    // A machine that slows by 1 % from run to run: chance in the order is all that keeps it honest.
    let rule = Rule::default();
    let wrong = (0..200)
        .filter(|seed| {
            let mut speed = 1.0;
            let mut run = || {
                speed *= 1.01;
                speed
            };
            let pairs: Vec<Pair> = order(*seed)
                .take(30)
                .map(|[first, _]| {
                    let (one, other) = (run(), run());
                    let (baseline, candidate) =
                        if first == Side::Baseline { (one, other) } else { (other, one) };
                    Pair { baseline, candidate }
                })
                .collect();
            let verdict = rule.verdict(rule.ratio(&pairs).as_ref());
            matches!(verdict, Verdict::Faster | Verdict::Slower)
        })
        .count();
    assert_eq!(wrong, 0);
}

prop_compose! {
    fn some_pairs()(values in prop::collection::vec((1e-3..1e3_f64, 1e-3..1e3_f64), 4..40)) -> Vec<Pair> {
        values.into_iter().map(|(baseline, candidate)| Pair { baseline, candidate }).collect()
    }
}

fn near(one: f64, other: f64) -> bool {
    (one / other - 1.0).abs() < 1e-9
}

proptest! {
    #[test]
    fn the_interval_holds_the_estimate(pairs in some_pairs()) {
        let found = Rule::default().ratio(&pairs).unwrap();
        prop_assert!(found.low <= found.ratio && found.ratio <= found.high);
        prop_assert_eq!(found.pairs, pairs.len());
    }

    #[test]
    fn swapping_the_sides_inverts_everything(pairs in some_pairs()) {
        let rule = Rule::default();
        let swapped: Vec<Pair> = pairs
            .iter()
            .map(|pair| Pair { baseline: pair.candidate, candidate: pair.baseline })
            .collect();
        let (one, other) = (rule.ratio(&pairs).unwrap(), rule.ratio(&swapped).unwrap());
        prop_assert!(near(one.ratio, 1.0 / other.ratio));
        prop_assert!(near(one.low, 1.0 / other.high) && near(one.high, 1.0 / other.low));
    }

    #[test]
    fn the_unit_does_not_matter(pairs in some_pairs(), unit in 1e-6..1e6_f64) {
        let rule = Rule::default();
        let scaled: Vec<Pair> = pairs
            .iter()
            .map(|pair| Pair { baseline: unit * pair.baseline, candidate: unit * pair.candidate })
            .collect();
        let (one, other) = (rule.ratio(&pairs).unwrap(), rule.ratio(&scaled).unwrap());
        prop_assert!(near(one.ratio, other.ratio) && near(one.low, other.low) && near(one.high, other.high));
    }

    #[test]
    fn the_order_of_the_pairs_does_not_matter(
        (pairs, shuffled) in some_pairs().prop_flat_map(|pairs| (Just(pairs.clone()), Just(pairs).prop_shuffle()))
    ) {
        let rule = Rule::default();
        prop_assert_eq!(rule.ratio(&pairs), rule.ratio(&shuffled));
        prop_assert_eq!(rule.decide(&pairs), rule.decide(&shuffled));
    }

    #[test]
    fn what_all_pairs_say_is_not_doubted(factor in 1.1..20.0_f64, n in 6_u8..60) {
        let rule = Rule::default();
        let verdict = |pairs: &[Pair]| rule.verdict(rule.ratio(pairs).as_ref());
        prop_assert_eq!(verdict(&around(1.0 / factor, 0.05, n)), Verdict::Faster);
        prop_assert_eq!(verdict(&around(factor, 0.05, n)), Verdict::Slower);
    }
}
