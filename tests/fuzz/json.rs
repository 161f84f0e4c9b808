//! Documents with something wrong in them: values changed where they stand, then the text.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::random::Random;

const STRINGS: [&str; 12] = [
    "",
    "7",
    "seven",
    "\u{0}",
    "a\nb",
    "\u{1f600}",
    "é",
    "<module>",
    "../../etc",
    "def f():\n    return 1\n",
    "x = [1]\n",
    "a.py f:3;",
];

/// Tokens that stand for a number in hostile JSON.
const NUMBERS: [&str; 18] = [
    "0",
    "-0.0",
    "1",
    "-1",
    "1e308",
    "-1e308",
    "1e400",
    "1e-320",
    "4294967296",
    "18446744073709551616",
    "9223372036854775808",
    "2.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "null",
    "\"1\"",
    "[[[1]]]",
];

/// Changes a document in some places of its structure.
pub(crate) fn change(value: &mut Value, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let count = size(value);
        let at = random.below(count);
        let mut left = at;
        if let Some(node) = node(value, &mut left) {
            change_node(node, random);
        }
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(object) => object.values().map(size).sum::<usize>(),
        _ => 0,
    }
}

fn node<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| node(item, left)),
        Value::Object(object) => object.values_mut().find_map(|item| node(item, left)),
        _ => None,
    }
}

fn change_node(node: &mut Value, random: &mut Random) {
    match (random.below(4), &mut *node) {
        (0 | 1, Value::Object(object)) => change_object(object, random),
        (0 | 1, Value::Array(items)) if !items.is_empty() => {
            let at = random.below(items.len());
            match random.below(4) {
                0 => drop(items.remove(at)),
                1 => items.truncate(at),
                2 => items.reverse(),
                // Doubling what may be large already would only be slow.
                _ if size(&items[at]) < 200 => {
                    let copy = items[at].clone();
                    items.extend(std::iter::repeat_n(copy, 1 + random.below(40)));
                }
                _ => {}
            }
        }
        _ => *node = other(node, random),
    }
}

fn change_object(object: &mut Map<String, Value>, random: &mut Random) {
    let keys: Vec<String> = object.keys().cloned().collect();
    let Some(key) = keys.get(random.below(keys.len().max(1))) else {
        object.insert("lines".to_owned(), Value::Null);
        return;
    };
    match random.below(4) {
        0 => drop(object.shift_remove(key)),
        1 => {
            let value = object.shift_remove(key).unwrap_or_default();
            object.insert(random.pick(&STRINGS).to_owned(), value);
        }
        2 => {
            let from = &keys[random.below(keys.len())];
            let value = object.get(from).cloned().unwrap_or_default();
            object.insert(key.clone(), value);
        }
        _ => drop(object.insert(random.pick(&STRINGS).to_owned(), Value::Bool(true))),
    }
}

/// Something else in the place of a value.
fn other(node: &Value, random: &mut Random) -> Value {
    match random.below(9) {
        0 => Value::Null,
        1 => Value::Bool(random.once_in(2)),
        2 => Value::from(random.pick(&STRINGS)),
        3 => Value::Array(Vec::new()),
        4 => Value::Object(Map::new()),
        // Deeper than the reader goes, now and then.
        5 => (0..=random.below(150)).fold(Value::Null, |inner, _| Value::Array(vec![inner])),
        6 => node.as_f64().map_or(Value::from(1e308), |number| Value::from(number * -1e6)),
        7 => node.as_f64().map_or(Value::from(u64::MAX), |number| Value::from(number + 0.5)),
        _ => Value::from(u64::from(random.byte()) << random.below(56)),
    }
}

/// The text of a document, indented as Scalene writes it or in one line.
pub(crate) fn text(value: &Value, random: &mut Random) -> Vec<u8> {
    let mut text = Vec::new();
    if random.once_in(3) {
        serde_json::to_writer(&mut text, value).unwrap();
    } else {
        let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, format)).unwrap();
    }
    text
}

/// Changes a text without regard to what it means.
pub(crate) fn damage(text: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(4) {
        if text.is_empty() {
            return;
        }
        let at = random.below(text.len());
        match random.below(8) {
            0 => text.truncate(at),
            1 => text[at] = random.byte(),
            2 => text.insert(at, random.byte()),
            3 => {
                let end = (at + 1 + random.below(200)).min(text.len());
                text.drain(at..end);
            }
            // A line twice: in an indented document that is a key twice.
            4 => {
                let line = line_at(text, at);
                let copy = text[line.clone()].to_vec();
                text.splice(line.start..line.start, copy);
            }
            5 => {
                let line = line_at(text, at);
                text.drain(line);
            }
            6 => replace_number(text, at, random),
            _ => {
                let junk: &[u8] = random.pick(&[
                    &b"\xff\xfe"[..],
                    b"\\ud800",
                    b"\r",
                    b"\0",
                    b"\xef\xbb\xbf",
                    b",,",
                    b"}",
                    b"[",
                ]);
                text.splice(at..at, junk.iter().copied());
            }
        }
    }
}

fn line_at(text: &[u8], at: usize) -> std::ops::Range<usize> {
    let start = text[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let end =
        text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| at + end + 1);
    start..end
}

fn replace_number(text: &mut Vec<u8>, at: usize, random: &mut Random) {
    let is_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    let Some(start) = text[at..].iter().position(u8::is_ascii_digit).map(|start| at + start) else {
        return;
    };
    let end = text[start..]
        .iter()
        .position(|byte| !is_number(byte))
        .map_or(text.len(), |end| start + end);
    text.splice(start..end, random.pick(&NUMBERS).bytes());
}

/// A value of no form in particular.
pub(crate) fn any(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 6 } else { 8 }) {
        0 => Value::Null,
        1 => Value::Bool(random.once_in(2)),
        2 => Value::from(random.pick(&STRINGS)),
        3 => Value::from(i64::from(random.byte()) - 100),
        4 => Value::from([0.5, -1e308, 1e18, 4.0][random.below(4)]),
        5 => Value::from(u64::MAX),
        6 => (0..random.below(4)).map(|_| any(random, depth - 1)).collect(),
        _ => {
            let pair =
                |random: &mut Random| (random.pick(&STRINGS).to_owned(), any(random, depth - 1));
            Value::Object((0..random.below(4)).map(|_| pair(random)).collect())
        }
    }
}
