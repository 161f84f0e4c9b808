//! What holds for any document and a profile of any size: no panic, no figure out of its range, no
//! text over its budget.

use proptest::prelude::*;
use scalene_mcp::answer::ProfileAnswer;
use scalene_mcp::profile::{FileProfile, Percent, Profile, Source};
use scalene_mcp::scalene::{Parsed, parse};
use scalene_mcp::store::Store;

use crate::support::sane::{built, check, check_numbers};
use crate::support::{recorded, synthetic};

/// A value as text, in place of a number: JSON has no NaN, Python writes it.
fn number() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "0",
        "0.0",
        "-0.0",
        "1",
        "3",
        "12.5",
        "100.0",
        "100.3",
        "250",
        "-1",
        "1e308",
        "-1e308",
        "1e400",
        "1e-320",
        "4e9",
        "18446744073709551616",
        "NaN",
        "Infinity",
        "-Infinity",
        "null",
        "true",
        "\"7\"",
        "[]",
        "[[1]]",
        "{}",
    ]);
    prop_oneof![3 => fixed.prop_map(str::to_owned), 1 => (0.0..60.0).prop_map(|n: f64| n.to_string())]
}

/// A line of source as it stands in the document.
fn source_line() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "\"def f(x):\\n\"",
        "\"    return x\\n\"",
        "\"async def g():\\r\\n\"",
        "\"for i in range(9):\\n\"",
        "\"\"",
        "\"\\n\"",
        "\"\\f\\n\"",
        "\"x = 1\\ry = 2\\n\"",
        "\"a\\nb\\n\"",
        "\"'\\udc80'\\n\"",
        "\"\\ud83d\\ude00\\n\"",
        "\"a \\\\u003c b \\\\u0026\\n\"",
        "\"class C(((((((((:\\n\"",
        "\"\\u0000\\u001b[31m\\n\"",
        "null",
        "7",
        "[\"x\"]",
    ])
    .prop_map(str::to_owned)
}

const LINE_KEYS: [&str; 20] = [
    "n_cpu_percent_python",
    "n_cpu_percent_c",
    "n_sys_percent",
    "n_core_utilization",
    "n_malloc_mb",
    "n_mallocs",
    "n_avg_mb",
    "n_peak_mb",
    "n_python_fraction",
    "n_copy_mb_s",
    "n_gpu_percent",
    "n_gpu_avg_memory_mb",
    "n_gpu_peak_memory_mb",
    "n_async_await_percent",
    "start_region_line",
    "end_region_line",
    "lineno",
    "cpu_samples_list",
    "memory_samples",
    "n_cpu_percent_python",
];

fn line() -> impl Strategy<Value = String> {
    let lineno = prop_oneof![
        4 => (1_u32..9).prop_map(|n| n.to_string()),
        1 => prop::sample::select(vec!["0", "4e9", "1900000", "2.5", "99999"]).prop_map(str::to_owned),
    ];
    let fields = prop::collection::vec((prop::sample::select(LINE_KEYS.to_vec()), number()), 0..14);
    let lists = prop::collection::vec(number(), 0..6);
    (lineno, source_line(), fields, lists).prop_map(|(lineno, text, fields, list)| {
        let fields: String =
            fields.iter().map(|(key, value)| format!(", \"{key}\": {value}")).collect();
        let pairs: Vec<_> = list.iter().map(|value| format!("[{value}, {value}]")).collect();
        format!(
            "{{\"lineno\": {lineno}, \"line\": {text}, \"cpu_samples_list\": [{}], \"memory_samples\": [{}]{fields}}}",
            list.join(", "),
            pairs.join(", ")
        )
    })
}

fn document() -> impl Strategy<Value = String> {
    let file = (number(), prop::collection::vec(line(), 0..12), number()).prop_map(|(share, lines, leak)| {
        format!(
            "{{\"percent_cpu_time\": {share}, \"lines\": [{}], \"leaks\": {{\"3\": {{\"likelihood\": {leak}}}}}}}",
            lines.join(", ")
        )
    });
    let name = prop::sample::select(vec![
        "/tmp/demo/a.py",
        "/tmp/demo/b \\udc80.py",
        "<string>",
        "",
        "c\\n.py",
    ]);
    let files = prop::collection::vec((name, file), 0..4);
    let top_keys = vec![
        "elapsed_time_sec",
        "start_time_perf",
        "alloc_samples",
        "growth_rate",
        "max_footprint_mb",
        "max_footprint_lineno",
        "max_footprint_python_fraction",
        "start_time_absolute",
        "samples",
        "memory",
        "gpu",
    ];
    let top = prop::collection::vec((prop::sample::select(top_keys), number()), 0..8);
    (files, top, number(), any::<bool>()).prop_map(|(files, top, value, gpu)| {
        let files: Vec<_> = files.iter().map(|(name, file)| format!("\"{name}\": {file}")).collect();
        let top: String = top.iter().map(|(key, value)| format!(", \"{key}\": {value}")).collect();
        let gpu = if gpu { ", \"gpu_device\": \"GPU\"" } else { "" };
        format!(
            "{{\"files\": {{{}}}, \"max_footprint_fname\": \"a.py\", \"stacks\": [[[\"a.py f:3;\"], {{\"count\": {value}, \
             \"python_time\": {value}, \"c_time\": {value}}}]], \"memory_stacks\": [[[{{\"display_name\": \"f\", \
             \"filename_or_module\": \"a.py\", \"line\": {value}}}], {value}]], \"samples\": [[{value}, {value}]]{gpu}{top}}}",
            files.join(", ")
        )
    })
}

fn profile(parsed: Parsed) -> Profile {
    let mut profile = recorded::with(parsed, "2.4.0");
    profile.reporting.cpu_percent_threshold = 0.0;
    profile.reporting.malloc_threshold = 0;
    profile
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_hostile_document_gives_figures_within_their_ranges(text in document()) {
        // What is no profile is said to be none; everything else is answered.
        let Ok(parsed) = parse(text.as_bytes()) else { return Ok(()) };
        prop_assert_eq!(&parse(text.as_bytes()).unwrap(), &parsed, "read twice");
        let profile = profile(parsed);
        check(&profile);
        let (structured, text, _) = built(&ProfileAnswer::whole(&profile), usize::MAX);
        check_numbers("whole", &structured);
        prop_assert!(!text.contains("NaN"));
        let copy = profile.clone();
        let store = Store::default();
        let id = store.insert(profile).id.to_string();
        prop_assert_eq!(&*store.get(&id).unwrap(), &copy, "kept and found again");
    }

    #[test]
    fn any_bytes_in_a_document_are_answered(text in document(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(parsed) = parse(&bytes) {
            check(&profile(parsed));
        }
    }
}

#[test]
fn most_hostile_documents_are_read() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let read = (0..50)
        .filter(|_| {
            let text = document().new_tree(&mut runner).unwrap().current();
            let read = parse(text.as_bytes());
            if let Err(why) = &read {
                println!("{why}");
            }
            read.is_ok()
        })
        .count();
    assert!(read >= 30, "only {read} of 50 are profiles: the properties look at too little");
}

#[test]
fn shares_of_more_than_the_whole_are_scaled_and_said() {
    let line = |number| {
        format!(
            "{{\"lineno\": {number}, \"line\": \"x\\n\", \"n_cpu_percent_c\": 80.0, \
             \"cpu_samples_list\": [1.0], \"n_gpu_percent\": 50.0}}"
        )
    };
    let text = format!(
        "{{\"elapsed_time_sec\": 2.0, \"gpu_device\": \"GPU\", \
         \"files\": {{\"a.py\": {{\"lines\": [{}, {}]}}}}}}",
        line(1),
        line(2)
    );
    let parsed = parse(text.as_bytes()).unwrap();
    assert_eq!(parsed.files[0].lines[0].cpu.native, Percent::from_percent(50.0).unwrap());
    assert_eq!(parsed.files[0].lines[0].gpu.unwrap().share, Percent::from_percent(25.0).unwrap());
    assert_eq!(parsed.warnings.len(), 1);
    assert!(parsed.warnings[0].contains("add up to 160.0 %"), "{:?}", parsed.warnings);
}

#[test]
fn a_hundred_thousand_lines_and_ten_thousand_functions_fit_every_budget() {
    let mut profile = synthetic::profile(1, 100_000);
    profile.reporting.cpu_percent_threshold = 0.0;
    profile.run.stdout.head = "o".repeat(8_000);
    check(&profile);
    assert_eq!(profile.files[0].functions().len(), 100_000 / synthetic::FUNCTION_LINES);
}

#[test]
fn lines_of_a_megabyte_and_deep_nesting_fit_every_budget() {
    let mut profile = synthetic::profile(1, 40);
    let measured = profile.files[0].lines.clone();
    let nested = format!("x = {}1{}\n", "(".repeat(20_000), ")".repeat(20_000));
    let long =
        [format!("{}\n", "é".repeat(500_000)), format!("{}# x\n", "\t ".repeat(500_000)), nested];
    let source: String = (0..40)
        .map(|number| long[[2, 2, 2, 0, 2, 1][number % 6].min(2)].as_str())
        .take(8)
        .collect();
    let path = profile.files[0].path.clone();
    profile.files = vec![FileProfile::new(path, Source::new(source), measured, Percent::ZERO)];
    profile.reporting.cpu_percent_threshold = 0.0;
    check(&profile);
}

#[test]
fn stretches_of_recorded_documents_are_loops() {
    let mut found = 0;
    for name in
        ["cpu_functions", "leak_list", "exception_midrun", "numpy_vectorised", "asyncio_mix"]
    {
        for version in ["2.2.1", "2.4.0"] {
            for file in recorded::parsed(&format!("{name}--{version}")).files {
                for line in file.lines.iter().filter(|line| line.spread.is_some()) {
                    let head = file.text(line.region.unwrap().0).trim_start();
                    assert!(
                        head.starts_with("for ") || head.starts_with("while "),
                        "{name} {version}: {head}"
                    );
                    found += 1;
                }
            }
        }
    }
    assert!(found >= 4, "{found} lines of stretches");
    for name in [
        "cpu_functions--1.5.55",
        "cpu_functions--2.0.1",
        "leak_list--1.5.55",
        "exception_midrun--2.0.1",
    ] {
        let files = recorded::parsed(name).files;
        assert!(
            files.iter().flat_map(|file| &file.lines).all(|line| line.spread.is_none()),
            "{name}"
        );
    }
}
