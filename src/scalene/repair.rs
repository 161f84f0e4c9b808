//! Second chances for documents that do not read at once.
//!
//! Python writes `NaN` and `Infinity`, which JSON does not have; a field may hold another
//! kind of value than it should. Neither may cost the profile.

use serde_json::{Map, Value};

/// The kinds of value that the reader insists on, where it does not read leniently.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Flag,
    List,
    Object,
}

/// What each key of the document must hold, if it is there at all.
const TOP: &[(&str, Kind)] = &[
    ("program", Kind::Text),
    ("args", Kind::List),
    ("max_footprint_fname", Kind::Text),
    ("memory", Kind::Flag),
    ("gpu", Kind::Flag),
    ("gpu_device", Kind::Text),
    ("samples", Kind::List),
    ("stacks", Kind::List),
    ("memory_stacks", Kind::List),
    ("files", Kind::Object),
];
const FILE: &[(&str, Kind)] = &[("lines", Kind::List), ("leaks", Kind::Object)];
const LINE: &[(&str, Kind)] =
    &[("line", Kind::Text), ("cpu_samples_list", Kind::List), ("memory_samples", Kind::List)];
const FRAME: &[(&str, Kind)] = &[("display_name", Kind::Text), ("filename_or_module", Kind::Text)];

impl Kind {
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Flag => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
        }
    }
}

/// Replaces `NaN`, `Infinity`, `-Infinity` and numbers too large for any type outside strings with
/// `null`.
pub(super) fn without_non_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(next) = rest.chars().next() {
        let taken = match (in_string, next) {
            (true, '\\') => next.len_utf8() + rest.chars().nth(1).map_or(0, char::len_utf8),
            (_, '"') => {
                in_string = !in_string;
                1
            }
            (false, _) => {
                let word = ["-Infinity", "Infinity", "NaN"].iter().find(|w| rest.starts_with(**w));
                if let Some(word) = word {
                    out.push_str("null");
                    rest = rest.split_at(word.len()).1;
                    continue;
                }
                let number = number(rest);
                if number.parse().is_ok_and(f64::is_infinite) {
                    out.push_str("null");
                    rest = rest.split_at(number.len()).1;
                    continue;
                }
                number.len().max(next.len_utf8())
            }
            _ => next.len_utf8(),
        };
        let (piece, after) = rest.split_at(taken);
        out.push_str(piece);
        rest = after;
    }
    out
}

/// The characters of a number that a text begins with.
fn number(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c)));
    text.split_at(end.unwrap_or(text.len())).0
}

/// Replaces halves of surrogate pairs that stand alone in strings: Python writes them for bytes of
/// a path that are no text.
pub(super) fn without_lone_surrogates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let unit = code_unit(escape);
        let second = escape.get(6..).and_then(code_unit);
        let length = match (unit, second) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                out.push('\u{FFFD}');
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (kept, after) = escape.split_at(length.min(escape.len()));
        out.push_str(kept);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The number of an escape such as `\ud800`, if a text begins with one.
fn code_unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// Removes what the reader could not take, and says what that was.
pub(super) fn drop_misfits(document: &mut Value) -> Vec<String> {
    let mut dropped = Vec::new();
    let Some(top) = document.as_object_mut() else { return dropped };
    check(top, TOP, "", &mut dropped);
    if let Some(args) = top.get_mut("args") {
        keep(args, "args", &mut dropped, Value::is_string);
    }
    if let Some(samples) = top.get_mut("samples") {
        keep(samples, "samples", &mut dropped, Value::is_array);
    }
    if let Some(stacks) = top.get_mut("stacks") {
        keep(stacks, "stacks", &mut dropped, is_stack);
    }
    if let Some(paths) = top.get_mut("memory_stacks") {
        keep(paths, "memory_stacks", &mut dropped, is_allocation_path);
        for frame in paths.as_array_mut().into_iter().flatten().flat_map(frames_of) {
            check(frame, FRAME, "memory_stacks: ", &mut dropped);
        }
    }
    let Some(files) = top.get_mut("files").and_then(Value::as_object_mut) else { return dropped };
    keep_entries(files, "files", &mut dropped);
    for (path, file) in files.iter_mut() {
        let at = format!("files[{path:?}].");
        let Some(file) = file.as_object_mut() else { continue };
        check(file, FILE, &at, &mut dropped);
        if let Some(leaks) = file.get_mut("leaks").and_then(Value::as_object_mut) {
            keep_entries(leaks, &format!("{at}leaks"), &mut dropped);
        }
        let Some(lines) = file.get_mut("lines") else { continue };
        keep(lines, &format!("{at}lines"), &mut dropped, Value::is_object);
        for (index, line) in lines.as_array_mut().into_iter().flatten().enumerate() {
            let Some(line) = line.as_object_mut() else { continue };
            let at = format!("{at}lines[{index}].");
            check(line, LINE, &at, &mut dropped);
            if let Some(samples) = line.get_mut("memory_samples") {
                keep(samples, &format!("{at}memory_samples"), &mut dropped, is_pair);
            }
        }
    }
    dropped
}

fn check(
    object: &mut Map<String, Value>,
    kinds: &[(&str, Kind)],
    at: &str,
    dropped: &mut Vec<String>,
) {
    for (key, kind) in kinds {
        let misfit = object.get(*key).is_some_and(|value| !value.is_null() && !kind.fits(value));
        // A null list or object is no harm to anybody, but is not read as an empty one.
        let null = object.get(*key).is_some_and(Value::is_null);
        if misfit {
            dropped.push(format!("{at}{key}"));
        }
        if misfit || null {
            object.remove(*key);
        }
    }
}

fn keep(list: &mut Value, at: &str, dropped: &mut Vec<String>, fits: fn(&Value) -> bool) {
    let Some(list) = list.as_array_mut() else { return };
    let before = list.len();
    list.retain(fits);
    if list.len() < before {
        dropped.push(format!("{} of {before} entries of {at}", before - list.len()));
    }
}

fn keep_entries(object: &mut Map<String, Value>, at: &str, dropped: &mut Vec<String>) {
    object.retain(|key, value| {
        let fits = value.is_object();
        if !fits {
            dropped.push(format!("{at}[{key:?}]"));
        }
        fits
    });
}

fn is_stack(value: &Value) -> bool {
    let Some([Value::Array(frames), Value::Object(_)]) = value.as_array().map(Vec::as_slice) else {
        return false;
    };
    frames.iter().all(Value::is_string)
}

fn is_pair(value: &Value) -> bool {
    value.as_array().is_some_and(|pair| pair.len() == 2)
}

fn is_allocation_path(value: &Value) -> bool {
    let Some([Value::Array(frames), _]) = value.as_array().map(Vec::as_slice) else { return false };
    frames.iter().all(Value::is_object)
}

fn frames_of(path: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let frames =
        path.as_array_mut().and_then(|path| path.first_mut()).and_then(Value::as_array_mut);
    frames.into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn non_numbers_become_null_outside_strings_only() {
        let text =
            r#"{"a": NaN, "b": [-Infinity, Infinity, 1e400, -1e5], "c": "NaN \" Infinity 1e400"}"#;
        let expected =
            r#"{"a": null, "b": [null, null, null, -1e5], "c": "NaN \" Infinity 1e400"}"#;
        assert_eq!(without_non_numbers(text), expected);
    }

    #[test]
    fn halves_of_surrogate_pairs_do_not_cost_the_document() {
        let text = r#"["\udc80.py", "\ud83d\ude00", "\ud83dx", "\\udc80", "caf\u00e9", "\ud800"]"#;
        let expected = "[\"\u{FFFD}.py\", \"\\ud83d\\ude00\", \"\u{FFFD}x\", \"\\\\udc80\", \"caf\\u00e9\", \"\u{FFFD}\"]";
        assert_eq!(without_lone_surrogates(text), expected);
        assert!(serde_json::from_str::<Value>(expected).is_ok());
        assert_eq!(without_lone_surrogates("\"a\\"), "\"a\\");
    }

    #[test]
    fn misfits_are_named_and_the_rest_stays() {
        let mut document = json!({
            "program": 7,
            "files": {"a.py": {"lines": [3, {"lineno": 1, "line": ["x"]}]}, "b.py": null}
        });
        let dropped = drop_misfits(&mut document);
        assert_eq!(document, json!({"files": {"a.py": {"lines": [{"lineno": 1}]}}}));
        assert_eq!(
            dropped,
            [
                "program",
                "files[\"b.py\"]",
                "1 of 2 entries of files[\"a.py\"].lines",
                "files[\"a.py\"].lines[0].line"
            ]
        );
    }
}
