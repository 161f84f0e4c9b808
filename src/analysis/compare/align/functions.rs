//! Which function of one version is which of the other.
//!
//! By file and qualified name; what is left by text, its own name left out; classes then by the
//! methods that were found, and further methods by the names of their classes.

use std::collections::{HashMap, HashSet};

use super::bounds::{MOST_FUNCTION_PAIRS, RARE};
use super::links::Links;
use super::version::{Interner, Unit, Version};
use super::words::{Bag, hash, is_common, split};
use super::{FilePair, Function, FunctionPair};
use crate::analysis::thresholds::{NAMESAKE_GAIN, RELATED_NAME_GAIN, RENAMED_PART, TEXT_PART};

/// Two units that belong together, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) before: usize,
    pub(super) after: usize,
    /// In a file that is not what its file became.
    pub(super) elsewhere: bool,
}

/// Pairs units, in the order of the first version.
pub(super) fn pairs(
    old: &Version<'_>,
    new: &Version<'_>,
    files: &[FilePair],
    interner: &Interner<'_>,
) -> Vec<Pair> {
    let mut found =
        Found { before: vec![None; old.units.len()], after: vec![None; new.units.len()] };
    by_name(old, new, files, &mut found);
    if found.some_are_left() {
        by_text(old, new, interner, &mut found);
        classes_by_members(old, new, &mut found);
        members_by_class(old, new, &mut found);
    }
    let partner: HashMap<usize, usize> =
        files.iter().filter_map(|pair| Some((pair.before?, pair.after?))).collect();
    let units = found.before.iter().enumerate();
    units
        .filter_map(|(before, after)| {
            let (one, two) = (old.unit(before)?, new.unit((*after)?)?);
            let elsewhere = partner.get(&one.file) != Some(&two.file);
            Some(Pair { before, after: (*after)?, elsewhere })
        })
        .collect()
}

struct Found {
    before: Vec<Option<usize>>,
    after: Vec<Option<usize>>,
}

impl Found {
    fn join(&mut self, one: usize, two: usize) {
        if let (Some(before @ None), Some(after @ None)) =
            (self.before.get_mut(one), self.after.get_mut(two))
        {
            (*before, *after) = (Some(two), Some(one));
        }
    }

    /// Whether both versions have units without a partner.
    fn some_are_left(&self) -> bool {
        self.before.contains(&None) && self.after.contains(&None)
    }

    fn is_free_before(&self, unit: usize) -> bool {
        self.before.get(unit) == Some(&None)
    }

    fn is_free_after(&self, unit: usize) -> bool {
        self.after.get(unit) == Some(&None)
    }
}

/// Units of a file with their indices.
fn of_file<'v, 'a>(
    version: &'v Version<'a>,
    file: usize,
) -> impl Iterator<Item = (usize, &'v Unit<'a>)> {
    let first = version.first_unit.get(file).copied().unwrap_or(version.units.len());
    let units = version.units.iter().enumerate().skip(first);
    units.take_while(move |(_, unit)| unit.file == file)
}

fn by_name(old: &Version<'_>, new: &Version<'_>, files: &[FilePair], found: &mut Found) {
    for pair in files {
        let Some((before, after)) = pair.before.zip(pair.after) else { continue };
        let names: HashMap<&str, usize> =
            of_file(new, after).map(|(index, unit)| (unit.name, index)).collect();
        for (index, unit) in of_file(old, before) {
            if let Some(other) = names.get(unit.name) {
                found.join(index, *other);
            }
        }
    }
}

/// What a unit says, its own name left out.
struct Described {
    index: usize,
    /// Hashes of its lines in order of size, and the letters of each.
    lines: Vec<(u64, u64)>,
    weight: u64,
    words: Bag,
}

impl Described {
    fn of(index: usize, unit: &Unit<'_>, version: &Version<'_>, interner: &Interner<'_>) -> Self {
        let own = unit.last_name();
        let (mut lines, mut words) = (Vec::new(), Vec::new());
        for line in &unit.lines {
            let number = version.number(unit.file, *line);
            let text = interner.text(number);
            let named: Vec<&str> =
                split(text).map(|word| if word == own { "\0" } else { word }).collect();
            lines.push((hash(&named.join(" ")), interner.letters(number)));
            words.extend(named);
        }
        lines.sort_unstable();
        let telling = words.iter().filter(|word| !is_common(word) && is_name(word));
        let words = Bag::of(telling.map(|word| (*word, 1)));
        Self { index, lines, weight: unit.weight, words }
    }

    /// How alike two are, 0 to 1: by their lines, or by their words.
    fn likeness(&self, other: &Self) -> f64 {
        let lines = self.common_lines(other);
        lines.max(TEXT_PART.value * self.words.likeness(&other.words))
    }

    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    fn common_lines(&self, other: &Self) -> f64 {
        let (mut one, mut two) = (self.lines.iter().peekable(), other.lines.iter().peekable());
        let mut common = 0;
        while let (Some(a), Some(b)) = (one.peek(), two.peek()) {
            match a.0.cmp(&b.0) {
                std::cmp::Ordering::Less => drop(one.next()),
                std::cmp::Ordering::Greater => drop(two.next()),
                std::cmp::Ordering::Equal => {
                    // Of the line with the functions' own names, each has its own letters.
                    common += a.1 + b.1;
                    one.next();
                    two.next();
                }
            }
        }
        common as f64 / (self.weight + other.weight).max(1) as f64
    }
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '\0')
}

fn by_text(old: &Version<'_>, new: &Version<'_>, interner: &Interner<'_>, found: &mut Found) {
    let describe = |version: &Version<'_>, partners: &[Option<usize>]| -> Vec<Described> {
        let alone = version.units.iter().zip(partners).enumerate();
        alone
            .filter(|(_, (unit, partner))| partner.is_none() && !unit.is_module())
            .map(|(index, (unit, _))| Described::of(index, unit, version, interner))
            .collect()
    };
    let (ones, twos) = (describe(old, &found.before), describe(new, &found.after));
    let mut alike: Vec<(f64, usize, usize)> = candidates(&ones, &twos, (old, new))
        .into_iter()
        .filter_map(|(one, two)| {
            let (one, two) = (ones.get(one)?, twos.get(two)?);
            let units = (old.unit(one.index)?, new.unit(two.index)?);
            let likeness = one.likeness(two) + gain(units.0, units.1);
            (units.0.class == units.1.class && likeness >= RENAMED_PART.value)
                .then_some((likeness, one.index, two.index))
        })
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    for (_, one, two) in alike {
        found.join(one, two);
    }
}

/// Pairs worth a closer look, by index in the lists.
fn candidates(
    ones: &[Described],
    twos: &[Described],
    (old, new): (&Version<'_>, &Version<'_>),
) -> Vec<(usize, usize)> {
    if ones.len().saturating_mul(twos.len()) <= MOST_FUNCTION_PAIRS {
        return (0..ones.len())
            .flat_map(|one| (0..twos.len()).map(move |two| (one, two)))
            .collect();
    }
    let keys = |list: &[Described], version: &Version<'_>| -> HashMap<u64, Vec<usize>> {
        let mut holders: HashMap<u64, Vec<usize>> = HashMap::new();
        for (place, unit) in list.iter().enumerate() {
            let name = version.unit(unit.index).map(|unit| hash(unit.last_name()));
            for key in unit.lines.iter().map(|(line, _)| *line).chain(name) {
                let places = holders.entry(key).or_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        holders.retain(|_, places| places.len() <= RARE);
        holders
    };
    let (before, after) = (keys(ones, old), keys(twos, new));
    let mut pairs = HashSet::new();
    for (key, places) in &before {
        for two in after.get(key).into_iter().flatten() {
            pairs.extend(places.iter().map(|one| (*one, *two)));
        }
    }
    pairs.into_iter().collect()
}

/// What the names add to the likeness of two functions.
fn gain(one: &Unit<'_>, two: &Unit<'_>) -> f64 {
    let (first, second) = (one.last_name(), two.last_name());
    // Every class has an `__init__`.
    if first.starts_with("__") && first.ends_with("__") {
        return 0.0;
    }
    let parts = |name: &'_ str| -> HashSet<String> {
        name.split('_').filter(|part| !part.is_empty()).map(str::to_lowercase).collect()
    };
    if first == second {
        NAMESAKE_GAIN.value
    } else {
        let (first, second) = (parts(first), parts(second));
        let related = first.is_subset(&second) || second.is_subset(&first);
        if related { RELATED_NAME_GAIN.value } else { 0.0 }
    }
}

/// `Shape` of `Shape.scale` and of `Shape.scale.<locals>.inner` too.
fn enclosing(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        rest = rest.rsplit_once('.')?.0;
        Some(rest.strip_suffix(".<locals>").unwrap_or(rest))
    })
}

/// A class without a partner belongs to the one that most of its methods went to.
fn classes_by_members(old: &Version<'_>, new: &Version<'_>, found: &mut Found) {
    let places = |version: &Version<'_>| -> HashMap<(usize, String), usize> {
        let classes = version.units.iter().enumerate().filter(|(_, unit)| unit.class);
        classes.map(|(index, unit)| ((unit.file, unit.name.to_owned()), index)).collect()
    };
    let (before, after) = (places(old), places(new));
    let mut votes: HashMap<(usize, usize), u64> = HashMap::new();
    for (index, other) in found.before.iter().enumerate() {
        let Some((one, two)) = old.unit(index).zip(other.and_then(|other| new.unit(other))) else {
            continue;
        };
        let class = |unit: &Unit<'_>, places: &HashMap<(usize, String), usize>| {
            let name = enclosing(unit.name).next()?;
            places.get(&(unit.file, name.to_owned())).copied()
        };
        let Some((from, to)) = class(one, &before).zip(class(two, &after)) else { continue };
        if found.is_free_before(from) && found.is_free_after(to) {
            *votes.entry((from, to)).or_insert(0) += one.weight.min(two.weight);
        }
    }
    let mut votes: Vec<_> = votes.into_iter().collect();
    votes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    for ((from, to), _) in votes {
        found.join(from, to);
    }
}

/// A method without a partner belongs to its namesake in the class that its class became; so do
/// functions inside functions.
fn members_by_class(old: &Version<'_>, new: &Version<'_>, found: &mut Found) {
    let mut names: HashMap<usize, HashMap<&str, usize>> = HashMap::new();
    for (index, unit) in new.units.iter().enumerate() {
        names.entry(unit.file).or_default().insert(unit.name, index);
    }
    let mut became: HashMap<(usize, &str), (usize, &str)> = HashMap::new();
    for (index, unit) in old.units.iter().enumerate() {
        let other = found.before.get(index).copied().flatten();
        if other.is_none() && !unit.is_module() {
            // Outer units come before inner ones, so that what they became is known.
            let new_name = enclosing(unit.name).find_map(|outer| {
                let (file, name) = became.get(&(unit.file, outer))?;
                Some((*file, format!("{name}{}", unit.name.strip_prefix(outer)?)))
            });
            let namesake = new_name.and_then(|(file, name)| names.get(&file)?.get(name.as_str()));
            if let Some(namesake) = namesake {
                found.join(index, *namesake);
            }
        }
        let other = found.before.get(index).copied().flatten().and_then(|other| new.unit(other));
        if let Some(other) = other {
            became.insert((unit.file, unit.name), (other.file, other.name));
        }
    }
}

/// All units, paired or not, as callers see them.
pub(super) fn described<'a>(
    pairs: &[Pair],
    (old, new): (&Version<'a>, &Version<'a>),
    interner: &Interner<'_>,
    links: &Links,
) -> Vec<FunctionPair<'a>> {
    let function =
        |unit: &Unit<'a>| Function { file: unit.file, name: unit.name, spans: unit.spans.clone() };
    let alone = |unit: &Unit<'a>, before: bool| FunctionPair {
        before: before.then(|| function(unit)),
        after: (!before).then(|| function(unit)),
        moved: false,
        edited: false,
        common: 0.0,
    };
    let mut all = Vec::with_capacity(old.units.len());
    let mut paired = vec![false; new.units.len()];
    // In the order of the units.
    let mut next = pairs.iter().peekable();
    for (index, unit) in old.units.iter().enumerate() {
        let pair = next.next_if(|pair| pair.before == index);
        let Some((pair, other)) = pair.and_then(|pair| Some((pair, new.unit(pair.after)?))) else {
            all.push(alone(unit, true));
            continue;
        };
        if let Some(paired) = paired.get_mut(pair.after) {
            *paired = true;
        }
        let (edited, common) = links.shared(unit, other, (old, new), interner);
        all.push(FunctionPair {
            before: Some(function(unit)),
            after: Some(function(other)),
            moved: pair.elsewhere,
            edited,
            common,
        });
    }
    let rest = new.units.iter().zip(paired).filter(|(_, paired)| !paired);
    all.extend(rest.map(|(unit, _)| alone(unit, false)));
    all
}
