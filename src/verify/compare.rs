//! Whether two outputs say the same, and where they first do not.

use crate::process::Whole;

/// Characters shown of a line that differs.
const SHOWN: usize = 160;
/// Tolerances that are tried when numbers differ, smallest first.
const TOLERANCES: [f64; 4] = [1e-12, 1e-9, 1e-6, 1e-3];

/// The first place at which two outputs differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Line, from 1; absent where it lies beyond what is compared.
    pub line: Option<usize>,
    /// That line of the baseline; absent where its output has ended.
    pub baseline: Option<String>,
    /// That line of the candidate, or of the baseline's second run where the baseline differs from itself.
    pub other: Option<String>,
    /// The smallest of a few tolerances with which they would be equal.
    pub tolerance: Option<f64>,
    /// Lines that the baseline repeats, of all its lines; where it differs from itself.
    pub repeated: Option<(usize, usize)>,
    /// What to know besides.
    pub remark: Option<String>,
}

impl Difference {
    /// One that is no line of an output.
    pub(super) fn told(remark: String) -> Self {
        Self {
            line: None,
            baseline: None,
            other: None,
            tolerance: None,
            repeated: None,
            remark: Some(remark),
        }
    }
}

/// The first difference of two outputs; `None` where they are the same.
pub(super) fn difference(a: &Whole, b: &Whole, tolerance: Option<f64>) -> Option<Difference> {
    if a.digest == b.digest && a.total_bytes == b.total_bytes {
        return None;
    }
    let complete = a.is_complete() && b.is_complete();
    let (left, right) = (String::from_utf8_lossy(&a.bytes), String::from_utf8_lossy(&b.bytes));
    let found = first(&left, &right, tolerance);
    let Some((line, left_line, right_line)) = found else {
        // The same as far as it is compared: equal within the tolerance, or different further on.
        return (!complete).then(|| {
            Difference::told(format!(
                "they differ after the first {} MiB, beyond what is looked at line by line",
                a.bytes.len().min(b.bytes.len()) >> 20
            ))
        });
    };
    let would_do = |candidate: &f64| first(&left, &right, Some(*candidate)).is_none();
    let larger = TOLERANCES.into_iter().filter(|it| tolerance.is_none_or(|given| *it > given));
    let tolerance = if complete { larger.into_iter().find(would_do) } else { None };
    let remark = match (left_line, right_line) {
        (None, None) => Some("only the last line break differs"),
        (Some(_), Some(_)) if shown(left_line) == shown(right_line) => {
            Some("they differ in control characters or far to the right")
        }
        _ => None,
    };
    Some(Difference {
        line: Some(line),
        baseline: shown(left_line),
        other: shown(right_line),
        tolerance,
        repeated: None,
        remark: remark.map(str::to_owned),
    })
}

/// What becomes of a comparison with a baseline that differs from itself: only lines count that it repeats.
///
/// Returns lines repeated, all lines, and the first repeated line that the candidate has otherwise.
pub(super) fn repeated(
    one: &Whole,
    again: &Whole,
    candidate: &Whole,
    tolerance: Option<f64>,
) -> Option<(usize, usize, Option<usize>)> {
    let text = |whole: &Whole| String::from_utf8_lossy(&whole.bytes).into_owned();
    let (one, again, candidate) = (text(one), text(again), text(candidate));
    let [one, again, candidate] =
        [&one, &again, &candidate].map(|text| text.lines().collect::<Vec<_>>());
    // Lines that come and go have no counterpart.
    if one.len() != again.len() {
        return None;
    }
    let same = |a: &str, b: &str| same_line(a, b, tolerance);
    let steady: Vec<usize> = { one.iter().zip(&again).enumerate() }
        .filter(|(_, (a, b))| same(a, b))
        .map(|(index, _)| index)
        .collect();
    let broken = steady.iter().copied().find(|index| {
        let (a, b) = (one.get(*index), candidate.get(*index));
        !matches!((a, b), (Some(a), Some(b)) if same(a, b))
    });
    // More lines than the baseline has are a difference, too.
    let longer = (candidate.len() > one.len()).then_some(one.len());
    Some((steady.len(), one.len(), broken.or(longer).map(|index| index + 1)))
}

/// One line of each, for a difference at a line that is known.
pub(super) fn at_line(a: &Whole, b: &Whole, line: usize) -> Difference {
    let pick = |whole: &Whole| {
        let text = String::from_utf8_lossy(&whole.bytes);
        shown(text.lines().nth(line.saturating_sub(1)))
    };
    Difference {
        line: Some(line),
        baseline: pick(a),
        other: pick(b),
        tolerance: None,
        repeated: None,
        remark: None,
    }
}

pub(super) fn shown(line: Option<&str>) -> Option<String> {
    let line = line?;
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut text: String = line.chars().take(SHOWN).map(clean).collect();
    if line.chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    Some(text)
}

/// Number and text of the first lines that differ.
fn first<'a>(
    a: &'a str,
    b: &'a str,
    tolerance: Option<f64>,
) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
    let (mut left, mut right) = (a.split('\n'), b.split('\n'));
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => return None,
            (Some(one), Some(other)) if same_line(one, other, tolerance) => {}
            // What follows the last line break is a line only if there is something.
            (Some(""), None) | (None, Some("")) => {
                return Some((number, None, None));
            }
            (one, other) => return Some((number, one, other)),
        }
    }
    None
}

fn same_line(a: &str, b: &str, tolerance: Option<f64>) -> bool {
    a == b || tolerance.is_some_and(|tolerance| close(a, b, tolerance))
}

/// A piece of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    Number(&'a str),
}

/// Whether two lines differ in floating-point numbers only, and those by little.
fn close(a: &str, b: &str, tolerance: f64) -> bool {
    let (left, right) = (pieces(a), pieces(b));
    left.len() == right.len()
        && left.iter().zip(&right).all(|pair| match pair {
            (Piece::Text(a), Piece::Text(b)) => a == b,
            (Piece::Number(a), Piece::Number(b)) => a == b || near(a, b, tolerance),
            _ => false,
        })
}

/// Whole numbers count things: they are equal or not.
fn near(a: &str, b: &str, tolerance: f64) -> bool {
    let is_whole = |text: &str| !text.contains(['.', 'e', 'E']);
    if is_whole(a) && is_whole(b) {
        return false;
    }
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
}

fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut all = Vec::new();
    let (mut rest, mut text_from, mut at) = (line, 0, 0);
    let mut before: Option<char> = None;
    while let Some(next) = rest.chars().next() {
        let length = if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            0
        } else {
            number_length(rest)
        };
        if length == 0 {
            at += next.len_utf8();
            before = Some(next);
        } else {
            if let Some(text) = line.get(text_from..at).filter(|text| !text.is_empty()) {
                all.push(Piece::Text(text));
            }
            all.push(Piece::Number(line.get(at..at + length).unwrap_or_default()));
            at += length;
            text_from = at;
            before = Some('0');
        }
        rest = line.get(at..).unwrap_or_default();
    }
    if let Some(text) = line.get(text_from..).filter(|text| !text.is_empty()) {
        all.push(Piece::Text(text));
    }
    all
}

/// Bytes of the number with which a text begins; 0 where it begins with none.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let whole = digits(sign);
    let mut end = sign + whole;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if end == sign {
        return 0;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Whole {
        Whole::of(text.as_bytes().to_vec())
    }

    #[test]
    fn the_first_difference_is_named_by_its_line() {
        let found = difference(&whole("a\nb\nc\n"), &whole("a\nB\nC\n"), None).unwrap();
        assert_eq!((found.line, found.baseline.as_deref()), (Some(2), Some("b")));
        assert_eq!(found.other.as_deref(), Some("B"));
        let shorter = difference(&whole("a\nb\n"), &whole("a\n"), None).unwrap();
        assert_eq!((shorter.line, shorter.baseline.as_deref()), (Some(2), Some("b")));
        assert_eq!(shorter.other.as_deref(), Some(""));
        assert_eq!(difference(&whole("a\n"), &whole("a\n"), None), None);
        let spaces = difference(&whole("a\n"), &whole("a\r\n"), None).unwrap();
        assert_ne!(spaces.baseline, None);
    }

    #[test]
    fn floats_may_lie_close_and_everything_else_is_equal() {
        for (a, b, tolerance, same) in [
            ("sum 1.0000001", "sum 1.0", 1e-6, true),
            ("sum 1.1", "sum 1.0", 1e-6, false),
            ("n=100000000", "n=100000001", 1e-6, false),
            ("n=3", "n=3.0", 1e-6, true),
            ("x -1.5e-3 y", "x -1.5000001e-3 y", 1e-6, true),
            ("x 1.0 y", "x 1.0 z", 1e-6, false),
            ("v2.0 1.0", "v2.1 1.0", 1e-6, false),
            ("[0.30000000000000004, 1]", "[0.3, 1]", 1e-12, true),
            ("1.0 2.0", "1.0", 1e-6, false),
            (".5", "0.5", 0.0, true),
            ("-1.0", "1.0", 1e-6, false),
        ] {
            let found = difference(&whole(a), &whole(b), Some(tolerance));
            assert_eq!(found.is_none(), same, "{a} / {b}");
        }
        let found = difference(&whole("s 0.30000000000000004"), &whole("s 0.3"), None).unwrap();
        assert_eq!(found.tolerance, Some(1e-12));
    }

    #[test]
    fn what_is_too_long_to_be_looked_at_is_told_by_its_digest() {
        let cut = |digest| Whole { bytes: b"same".to_vec(), total_bytes: 9, digest };
        assert_eq!(difference(&cut(1), &cut(1), None), None);
        let found = difference(&cut(1), &cut(2), Some(1e-3)).unwrap();
        assert_eq!((found.line, found.remark.is_some()), (None, true));
    }

    #[test]
    fn lines_that_the_baseline_repeats_must_be_the_candidates_too() {
        let (one, again) = (whole("total 5\ntook 1.2 s\n"), whole("total 5\ntook 1.3 s\n"));
        let of = |text: &str| repeated(&one, &again, &whole(text), None);
        assert_eq!(of("total 5\ntook 0.1 s\n"), Some((1, 2, None)));
        assert_eq!(of("total 6\ntook 0.1 s\n"), Some((1, 2, Some(1))));
        assert_eq!(of("total 5\ntook 0.1 s\nmore\n"), Some((1, 2, Some(3))));
        assert_eq!(repeated(&one, &whole("total 5\n"), &one, None), None);
    }
}
