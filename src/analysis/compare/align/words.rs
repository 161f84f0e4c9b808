//! Words of a line, and how alike two lines are.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Words of one line that are looked at; what follows is not seen.
const MOST_WORDS: usize = 64;

/// Words that say little about what a line is: many lines share them.
const COMMON: &[&str] = &[
    "and", "as", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
    "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "None",
    "not", "or", "pass", "raise", "return", "self", "try", "while", "with", "yield", "True",
    "False",
];

/// Words and signs of a text, in order, white space left out.
pub(super) fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let end = if in_word(first) {
            rest.find(|c| !in_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(word)
    })
}

/// Whether two lines differ in nothing but the names of the functions that they belong to.
pub(super) fn same_but_for(one: &str, name: &str, two: &str, other: &str) -> bool {
    let masked = |text, own| split(text).map(move |word| if word == own { "\0" } else { word });
    masked(one, name).eq(masked(two, other))
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Letters and digits of a line, at most so many that one line does not outweigh a function.
pub(super) fn letters(text: &str) -> u32 {
    const MOST: usize = 100;
    let count = text.chars().take(4 * MOST).filter(|c| c.is_alphanumeric()).take(MOST).count();
    u32::try_from(count).unwrap_or(0)
}

/// A hash of a text that is the same in every process.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The words of a text regardless of their order, each with a weight: a name or a number counts
/// twice, a word of the language or an operator once, brackets and commas not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bag {
    /// In order; the lowest two bits are the weight.
    words: Vec<u64>,
    weight: u64,
}

impl Bag {
    pub(super) fn of_line(text: &str) -> Self {
        Self::of(split(text).take(MOST_WORDS).map(|word| (word, weight(word))))
    }

    /// From words and their weights, 0 to 3.
    pub(super) fn of<'a>(words: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut words: Vec<u64> = words
            .filter(|(_, weight)| *weight > 0)
            .map(|(word, weight)| (hash(word) & !3) | weight.min(3))
            .collect();
        words.sort_unstable();
        let weight = words.iter().map(|word| word & 3).sum();
        Self { words, weight }
    }

    /// How much two have in common: 0 to 1, twice the common weight over both weights (Dice).
    #[expect(clippy::cast_precision_loss, reason = "weights are small")]
    pub(super) fn likeness(&self, other: &Self) -> f64 {
        let (lighter, all) = (self.weight.min(other.weight), self.weight + other.weight);
        if lighter == 0 {
            return 0.0;
        }
        let (mut one, mut two) = (self.words.iter().peekable(), other.words.iter().peekable());
        let mut common = 0;
        while let (Some(a), Some(b)) = (one.peek(), two.peek()) {
            match a.cmp(b) {
                std::cmp::Ordering::Less => drop(one.next()),
                std::cmp::Ordering::Greater => drop(two.next()),
                std::cmp::Ordering::Equal => {
                    common += **a & 3;
                    one.next();
                    two.next();
                }
            }
        }
        2.0 * common as f64 / all as f64
    }
}

fn weight(word: &str) -> u64 {
    match word.chars().next() {
        Some(c) if in_word(c) => 1 + u64::from(!is_common(word)),
        Some('(' | ')' | '[' | ']' | '{' | '}' | ',' | ':' | '.' | '"' | '\'') | None => 0,
        Some(_) => 1,
    }
}

/// Whether a word is of the language, or on most lines of a class.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_into_words_and_signs() {
        let words: Vec<_> = split("  total_é += items[0].x\t ").collect();
        assert_eq!(words, ["total_é", "+", "=", "items", "[", "0", "]", ".", "x"]);
        assert_eq!((letters("a_b = 12"), letters(&"x".repeat(10_000))), (4, 100));
    }

    #[test]
    fn likeness_is_symmetric_and_one_only_for_the_same_words() {
        let (a, b) = (Bag::of_line("total += i"), Bag::of_line("total += i * i"));
        assert_eq!(a.likeness(&a).to_bits(), 1.0_f64.to_bits());
        assert_eq!(a.likeness(&b).to_bits(), b.likeness(&a).to_bits());
        assert!(a.likeness(&b) > 0.7 && a.likeness(&b) < 1.0, "{}", a.likeness(&b));
        assert!(Bag::of_line("return x").likeness(&Bag::of_line("return y")) < 0.4);
        assert_eq!(Bag::of_line("()").likeness(&a).to_bits(), 0.0_f64.to_bits());
    }
}
