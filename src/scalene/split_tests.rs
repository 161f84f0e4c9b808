use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::scalene::convert::{Parsed, convert};

fn recorded() -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap()))
        .collect();
    all.sort();
    all
}

fn whole(text: &str) -> Option<Parsed> {
    Some(convert(serde_json::from_str(text).ok()?, Vec::new()))
}

fn in_parts(text: &str) -> Option<Parsed> {
    Some(convert(Split::new(text.as_bytes())?.read()?, Vec::new()))
}

/// A document of two recorded ones: the files of both.
fn joined(first: &str, second: &str) -> Option<String> {
    let cut = |text: &'_ str| {
        let (head, rest) = text.split_once("\n    \"files\": {")?;
        let (files, tail) = rest.split_once("\n    }")?;
        Some([head, files, tail].map(str::to_owned))
    };
    let [head, files, tail] = cut(first)?;
    let [_, more, _] = cut(second)?;
    Some(format!("{head}\n    \"files\": {{{files},{more}\n    }}{tail}"))
}

#[test]
fn recorded_documents_are_the_same_in_parts() {
    let mut split = 0;
    for (path, text) in recorded() {
        let Some(parsed) = in_parts(&text) else { continue };
        assert_eq!(Some(parsed), whole(&text), "{path}");
        split += 1;
    }
    assert!(split >= 50, "only {split} documents could be split");
}

#[test]
fn doubts_and_order_are_those_of_the_whole() {
    let file = |path: &str, share: &str| {
        format!(
            "\n        \"{path}\": {{\"percent_cpu_time\": {share}, \"lines\": [{{\"lineno\": 1, \
             \"line\": \"x\\n\", \"n_cpu_percent_c\": {share}, \"cpu_samples_list\": [{share}]}}]}}"
        )
    };
    let shares = ["3", "null", "\"x\"", "-1", "4.5"];
    let files: Vec<_> =
        (0..40).map(|n| file(&format!("/p/{}.py", (n * 7) % 23), shares[n % 5])).collect();
    let text = format!(
        "{{\n    \"elapsed_time_sec\": 2.0,\n    \"files\": {{{}\n    }}\n}}",
        files.join(",")
    );
    let parsed = in_parts(&text).unwrap();
    assert!(!parsed.warnings.is_empty() && parsed.files.len() == 23);
    assert_eq!(Some(parsed), whole(&text));
}

#[test]
fn cuts_that_are_not_between_files_are_refused() {
    let cases = [
        // Of an object further in.
        "{\"other\": {\n    \"files\": {\n        \"a\": {}\n    }\n}, \"files\": {}}",
        "{\"other\": {\n    \"files\": {\n        \"a\": {}\n    }\n}}",
        // Of an entry's own keys.
        "{\n    \"files\": {\n        \"a\": {\"leaks\": {},\n        \"lines\": []}\n    }\n}",
        // Too many or too few separators.
        "{\n    \"files\": {\n        \"a\": {},\n    }\n}",
        "{\n    \"files\": {,\n        \"a\": {}\n    }\n}",
        "{\n    \"files\": {\n        \"a\": {} {}\n    }\n}",
        // Two of the name.
        "{\n    \"files\": {\n        \"a\": {}\n    },\n    \"files\": {\n        \"b\": {}\n    }\n}",
    ];
    for text in cases {
        assert_eq!(in_parts(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn a_damaged_document_is_the_same_or_refused(
        which in any::<(prop::sample::Index, prop::sample::Index)>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(
            vec!["", " ", "\n", "{", "}", "[", "]", ",", ":", "\"", "\\", "0", ",\n        \"", "\n    }", "é"],
        )), 0..3),
    ) {
        let documents = recorded();
        let (_, first) = which.0.get(&documents);
        let (_, second) = which.1.get(&documents);
        let mut text = joined(first, second).unwrap_or_else(|| first.clone());
        for (at, instead) in damage {
            // Near the entries more often than by chance.
            let from = text.find("\"files\"").unwrap_or(0);
            let mut at = from + at.index((text.len() - from).min(2_000));
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let length = text[at..].chars().next().map_or(0, char::len_utf8);
            text.replace_range(at..at + length, instead);
        }
        if let Some(parsed) = in_parts(&text) {
            prop_assert_eq!(Some(parsed), whole(&text));
        }
    }
}
