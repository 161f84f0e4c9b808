//! The reader against recorded documents of every version, broken ones, and arbitrary ones.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::profile::{FunctionSpan, LineNo, Percent};
use crate::scalene::{ParseError, Parsed, parse};

fn recorded() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    let mut paths: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "json"))
        .collect();
    paths.sort();
    paths
}

fn read(name: &str) -> Parsed {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    parse(&std::fs::read(dir.join(format!("{name}.json"))).unwrap()).unwrap()
}

/// Share of sampled time by function, rounded, largest first, of the first file.
fn by_function(parsed: &Parsed, file: usize) -> Vec<(String, f64)> {
    let file = &parsed.files[file];
    let mut sums: Vec<(String, f64)> = Vec::new();
    for line in &file.lines {
        let name = file.function_name(line).to_owned();
        let share = line.cpu.total().get();
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += share,
            None => sums.push((name, share)),
        }
    }
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    sums
}

#[test]
fn every_recorded_document_reads_without_a_doubt() {
    let mut empty = 0;
    for path in recorded() {
        match parse(&std::fs::read(&path).unwrap()) {
            Ok(parsed) => {
                assert_eq!(parsed.warnings, Vec::<String>::new(), "{}", path.display());
                assert!(parsed.elapsed.unwrap().get() > 0.1, "{}", path.display());
            }
            Err(ParseError::Empty) => empty += 1,
            Err(other) => panic!("{}: {other}", path.display()),
        }
    }
    assert_eq!(empty, 5, "the five recordings of too_short.py");
}

#[test]
fn lines_add_up_to_their_file_in_every_version() {
    for path in recorded() {
        let Ok(parsed) = parse(&std::fs::read(&path).unwrap()) else { continue };
        for file in &parsed.files {
            let lines: Percent = file.lines.iter().map(|line| line.cpu.total()).sum();
            let gap = (lines.get() - file.cpu_share.get()).abs();
            assert!(gap < 1.5, "{}: lines and file differ by {gap}", path.display());
        }
    }
}

#[test]
fn functions_get_their_qualified_names_in_every_version() {
    for version in ["1.5.55", "2.0.1", "2.2.1", "2.4.0"] {
        let sums = by_function(&read(&format!("cpu_functions--{version}")), 0);
        assert_eq!(sums[0].0, "heavy", "{version}: {sums:?}");
        assert!((50.0..80.0).contains(&sums[0].1), "{version}: {sums:?}");
        assert_eq!(sums[1].0, "Shape.area_sum", "{version}: {sums:?}");
    }
    let module = by_function(&read("print_then_spin.cpu-only--2.4.0"), 0);
    assert_eq!(module[0].0, FunctionSpan::MODULE);
}

#[test]
fn memory_is_unknown_when_it_was_off() {
    let parsed = read("cpu_functions.cpu-only--2.4.0");
    assert!(!parsed.memory && parsed.footprint.is_none());
    assert!(parsed.files[0].lines.iter().all(|line| line.memory.is_none()));
    assert_eq!(parsed.gpu, None);
}

#[test]
fn memory_is_in_mebibytes_and_names_the_line() {
    let parsed = read("leak_list--2.4.0");
    let footprint = parsed.footprint.unwrap();
    assert!((400.0..450.0).contains(&footprint.peak.get()), "{footprint:?}");
    let average = footprint.average(parsed.elapsed).unwrap().get();
    assert!((150.0..300.0).contains(&average), "grows steadily to 416, mean {average}");
    assert_eq!(footprint.peak_at.unwrap().1.get(), 13);
}

#[test]
fn source_text_is_unescaped_and_whole() {
    let parsed = read("escapes_html--2.4.0");
    let file = &parsed.files[0];
    assert_eq!(
        file.text(LineNo::new(8).unwrap()),
        "        a = (a & 0xFF) + 1 if i < n and a > -1 else 0  # café <b>漢字</b> & co"
    );
    assert_eq!(file.source.line_count(), 12);
}

#[test]
fn call_paths_are_shares_of_the_whole() {
    let parsed = read("shop_main.stacks--2.4.0");
    let total: Percent = parsed.call_paths.iter().map(|path| path.share).sum();
    assert!((total.get() - 100.0).abs() < 1e-6);
    let functions: Vec<_> =
        parsed.call_paths[0].frames.iter().map(|frame| frame.function.as_str()).collect();
    assert_eq!(functions, ["<module>", "main", "quote"]);
    assert_eq!(parsed.call_paths[0].samples, 119);
}

#[test]
fn a_stopped_run_has_no_arguments_and_no_guess() {
    assert_eq!(read("runs_forever.sigterm--2.4.0").args, None);
    assert_eq!(read("shop_main--2.4.0").args, Some(Vec::new()));
}

#[test]
fn a_deleted_source_leaves_the_rest() {
    let parsed = read("deletes_itself.cpu-only--2.4.0");
    assert!(parsed.files.is_empty() && parsed.elapsed.is_some());
}

fn small() -> Value {
    json!({
        "program": "/p/a.py", "args": ["a.py", "x"], "elapsed_time_sec": 2.0, "memory": true,
        "max_footprint_mb": 5, "samples": [[1_000_000_000, 5.0], [2_000_000_000_u64, 7.0]],
        "files": {"/p/a.py": {"percent_cpu_time": 100.0, "lines": [
            {"lineno": 1, "line": "x = 1\n", "n_cpu_percent_python": 60.0, "n_malloc_mb": 3.0},
            {"lineno": 2, "line": "y = 2\n", "n_cpu_percent_c": 40.0}
        ]}}
    })
}

#[test]
fn a_bad_number_costs_itself_and_is_named() {
    for bad in [json!(null), json!("7"), json!(-3.0), json!([1]), json!({"a": 1}), json!(true)] {
        let mut document = small();
        document["files"]["/p/a.py"]["lines"][0]["n_cpu_percent_python"] = bad.clone();
        let parsed = parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(parsed.warnings.len(), 1, "{bad}: {:?}", parsed.warnings);
        assert!(parsed.warnings[0].starts_with("`n_cpu_percent_python`"), "{:?}", parsed.warnings);
        assert_eq!(parsed.files[0].lines[1].cpu.native, Percent::from_percent(40.0).unwrap());
    }
}

#[test]
fn not_a_number_in_the_text_costs_itself() {
    let text = small().to_string().replace("60.0", "NaN").replace("3.0", "-Infinity");
    let parsed = parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.files[0].lines.len(), 2 - 1, "line 1 has nothing left");
    assert_eq!(parsed.warnings.len(), 2, "{:?}", parsed.warnings);
}

#[test]
fn a_wrong_kind_of_value_costs_itself() {
    let mut document = small();
    document["program"] = json!(3);
    document["stacks"] = json!("none");
    document["files"]["/p/a.py"]["lines"][0]["line"] = json!(["x"]);
    let parsed = parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.files[0].lines.len(), 2);
    assert_eq!(parsed.warnings.len(), 3, "{:?}", parsed.warnings);
}

#[test]
fn unknown_keys_are_welcome() {
    let mut document = small();
    document["brand_new"] = json!({"a": [1]});
    document["files"]["/p/a.py"]["lines"][0]["n_new"] = json!(1);
    assert_eq!(parse(document.to_string().as_bytes()).unwrap().warnings, Vec::<String>::new());
}

#[test]
fn what_is_no_profile_says_what_it_is() {
    let text = |bytes: &[u8]| parse(bytes).unwrap_err().to_string();
    assert_eq!(text(b"{}\n"), "the profile is empty: Scalene recorded no sample");
    assert_eq!(text(b"{\"files\": {\"a\""), "the profile is cut off after 14 bytes");
    assert_eq!(text(b"[1]"), "the document is JSON but no Scalene profile: it is not an object");
    assert_eq!(
        text(b"{\"program\": \"x\"}"),
        "the document is JSON but no Scalene profile: it has no `files`"
    );
    assert!(text(b"hello").starts_with("the profile is not JSON: line 1, column 1"));
    assert_eq!(text(b""), "the profile is cut off after 0 bytes");
}

#[test]
fn a_hostile_line_number_makes_no_giant_text() {
    let mut document = small();
    document["files"]["/p/a.py"]["lines"][1]["lineno"] = json!(1_900_000);
    let parsed = parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.files[0].source.line_count(), 1);
    assert_eq!(parsed.warnings.len(), 1);
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z_\\\\u03c<>]{0,12}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        "[a-z]{1,4}",
        prop::sample::select(vec![
            "files",
            "lines",
            "lineno",
            "line",
            "n_malloc_mb",
            "n_cpu_percent_c",
            "samples",
            "stacks",
            "args",
            "leaks",
            "elapsed_time_sec",
            "memory",
            "cpu_samples_list",
            "gpu_device",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn any_json_is_answered(files in arbitrary_json(), lines in arbitrary_json()) {
        let document = json!({"elapsed_time_sec": 1.0, "files": {"a.py": {"lines": [lines]}, "b": files}});
        let parsed = parse(document.to_string().as_bytes()).unwrap();
        for line in parsed.files.iter().flat_map(|file| &file.lines) {
            prop_assert!(line.cpu.total().get().is_finite());
        }
    }

    #[test]
    fn a_cut_document_is_never_taken_for_a_whole_one(part in 0.0..1.0) {
        let text = small().to_string();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss,
            reason = "a cut point anywhere in the text")]
        let cut = (text.len() as f64 * part) as usize;
        prop_assert!(parse(&text.as_bytes()[..cut]).is_err());
    }
}
