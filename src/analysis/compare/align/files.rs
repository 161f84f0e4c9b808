//! Which file of one version is which of the other.

use std::collections::HashMap;

use super::bounds::RARE;
use super::links::Identical;
use super::version::{Interner, Version};
use super::{FilePair, Named};
use crate::analysis::thresholds::{RENAMED_FILE_PART, SAME_BASE_NAME_PART};

/// Pairs files: by name; the main file with the main file; by the last part of a name that is unique
/// on both sides, if some text is shared; by text, the most alike first.
pub(super) fn pairs(
    before: &[Named<'_>],
    after: &[Named<'_>],
    identical: &Identical,
    versions: (&Version<'_>, &Version<'_>),
    interner: &Interner<'_>,
) -> Vec<FilePair> {
    let mut paired = Paired { before: vec![None; before.len()], after: vec![None; after.len()] };
    let by_name: HashMap<&str, usize> =
        after.iter().enumerate().map(|(index, file)| (file.name.as_str(), index)).collect();
    for (one, file) in before.iter().enumerate() {
        if let Some(two) = by_name.get(file.name.as_str()) {
            paired.join(one, *two);
        }
    }
    let main = |files: &[Named<'_>]| files.iter().position(|file| file.main);
    if let Some((one, two)) = main(before).zip(main(after)) {
        paired.join(one, two);
    }
    let alike = Alike::of(&paired, versions, interner);
    for (one, two, part) in alike.pairs() {
        let names = (before.get(one), after.get(two));
        let namesakes = names.0.zip(names.1).is_some_and(|(one, two)| {
            let base = base_name(&one.name);
            let unique = |files: &[Named<'_>]| {
                files.iter().filter(|file| base_name(&file.name) == base).count() == 1
            };
            base == base_name(&two.name) && unique(before) && unique(after)
        });
        let least = if namesakes { SAME_BASE_NAME_PART } else { RENAMED_FILE_PART };
        if part >= least.value {
            paired.join(one, two);
        }
    }
    paired.all(identical)
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

struct Paired {
    before: Vec<Option<usize>>,
    after: Vec<Option<usize>>,
}

impl Paired {
    /// Unless one of the two has a partner.
    fn join(&mut self, one: usize, two: usize) {
        if let (Some(before @ None), Some(after @ None)) =
            (self.before.get_mut(one), self.after.get_mut(two))
        {
            (*before, *after) = (Some(two), Some(one));
        }
    }

    fn all(&self, identical: &Identical) -> Vec<FilePair> {
        let old = self.before.iter().enumerate().map(|(index, other)| FilePair {
            before: Some(index),
            after: *other,
            identical: identical.before(index).is_some(),
        });
        let alone = self.after.iter().enumerate().filter(|(_, other)| other.is_none());
        let new =
            alone.map(|(index, _)| FilePair { before: None, after: Some(index), identical: false });
        old.chain(new).collect()
    }
}

/// Letters of the lines that files without a partner share.
struct Alike {
    shared: HashMap<(usize, usize), u64>,
    before: HashMap<usize, u64>,
    after: HashMap<usize, u64>,
}

/// By text, the files that have it and how often.
type Holders = HashMap<u32, Vec<(usize, u64)>>;

impl Alike {
    fn of(
        paired: &Paired,
        (old, new): (&Version<'_>, &Version<'_>),
        interner: &Interner<'_>,
    ) -> Self {
        let (holders_old, before) = holders(old, &paired.before, interner);
        let (holders_new, after) = holders(new, &paired.after, interner);
        let mut shared = HashMap::new();
        for (text, ones) in &holders_old {
            let Some(twos) = holders_new.get(text) else { continue };
            if ones.len() > RARE || twos.len() > RARE {
                continue;
            }
            for (one, count) in ones {
                for (two, others) in twos {
                    let letters = interner.letters(*text) * *count.min(others);
                    *shared.entry((*one, *two)).or_insert(0) += letters;
                }
            }
        }
        Self { shared, before, after }
    }

    /// Pairs and the part of their text that they share, largest first.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    fn pairs(&self) -> Vec<(usize, usize, f64)> {
        let weight = |files: &HashMap<usize, u64>, file| files.get(&file).copied().unwrap_or(0);
        let mut pairs: Vec<_> = self
            .shared
            .iter()
            .map(|((one, two), shared)| {
                let all = weight(&self.before, *one) + weight(&self.after, *two);
                (*one, *two, 2.0 * *shared as f64 / all.max(1) as f64)
            })
            .collect();
        pairs.sort_by(|a, b| b.2.total_cmp(&a.2).then((a.0, a.1).cmp(&(b.0, b.1))));
        pairs
    }
}

/// The texts of files without a partner, and the letters of each such file.
fn holders(
    version: &Version<'_>,
    partners: &[Option<usize>],
    interner: &Interner<'_>,
) -> (Holders, HashMap<usize, u64>) {
    let mut holders: Holders = HashMap::new();
    let mut weights = HashMap::new();
    let alone = version.lines.iter().zip(partners).enumerate();
    for (file, (lines, _)) in alone.filter(|(_, (_, partner))| partner.is_none()) {
        for text in lines.iter().filter(|text| !text.blank) {
            *weights.entry(file).or_insert(0) += interner.letters(text.number);
            let files = holders.entry(text.number).or_default();
            match files.last_mut() {
                Some((last, count)) if *last == file => *count += 1,
                _ => files.push((file, 1)),
            }
        }
    }
    (holders, weights)
}
