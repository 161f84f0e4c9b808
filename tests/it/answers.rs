//! What callers see of recorded profiles: every answer as text, the sums behind them, and
//! the budgets for profiles of any size.

use proptest::prelude::*;
use scalene_mcp::analysis::leaks::LeakConfidence;
use scalene_mcp::analysis::{CpuBasis, MemoryMetric};
use scalene_mcp::answer::{
    AnalysisAnswer, Answer, BottlenecksAnswer, CpuHotspotsAnswer, FileAnswer, FileQuery, Focus,
    FunctionsAnswer, GpuHotspotsAnswer, LeaksAnswer, MemoryHotspotsAnswer, ProfileAnswer,
};
use scalene_mcp::profile::Profile;
use scalene_mcp::scalene::parse;
use serde_json::{Value, json};

use crate::support::recorded;

/// One answer in both forms.
struct Both {
    tool: &'static str,
    structured: Value,
    text: String,
    /// Largest text of a default answer, in bytes.
    budget: usize,
}

fn both(tool: &'static str, answer: &impl Answer) -> Both {
    let budget = if tool == "get_file_details" { 6 * 1024 } else { 4 * 1024 };
    Both { tool, structured: serde_json::to_value(answer).unwrap(), text: answer.text(), budget }
}

/// What every analysis tool says of a profile, with default arguments.
fn every_answer(profile: &Profile) -> Vec<Both> {
    let mut answers = vec![
        both("profile_script", &ProfileAnswer::new(profile)),
        both("analyze_profile", &AnalysisAnswer::new(profile, Focus::Overall)),
        both("analyze_profile cpu", &AnalysisAnswer::new(profile, Focus::Cpu)),
        both("analyze_profile memory", &AnalysisAnswer::new(profile, Focus::Memory)),
        both("analyze_profile gpu", &AnalysisAnswer::new(profile, Focus::Gpu)),
        both("get_bottlenecks", &BottlenecksAnswer::new(profile, 5)),
        both("get_cpu_hotspots", &CpuHotspotsAnswer::new(profile, 10, CpuBasis::OnCpu)),
        both("get_cpu_hotspots all", &CpuHotspotsAnswer::new(profile, 10, CpuBasis::WithSystem)),
        both(
            "get_memory_hotspots peak",
            &MemoryHotspotsAnswer::new(profile, 10, MemoryMetric::Peak),
        ),
        both(
            "get_memory_hotspots average",
            &MemoryHotspotsAnswer::new(profile, 10, MemoryMetric::Average),
        ),
        both(
            "get_memory_hotspots allocation",
            &MemoryHotspotsAnswer::new(profile, 10, MemoryMetric::Allocation),
        ),
        both("get_gpu_hotspots", &GpuHotspotsAnswer::new(profile, 10)),
        both("get_memory_leaks", &LeaksAnswer::new(profile, LeakConfidence::Low)),
        both("get_function_summary", &FunctionsAnswer::new(profile, 20)),
    ];
    for file in &profile.files {
        answers
            .push(both("get_file_details", &FileAnswer::new(profile, file, FileQuery::default())));
    }
    answers
}

/// The recorded documents that hold a profile, of every version.
fn recorded_names() -> Vec<String> {
    let names: Vec<_> =
        recorded::names().into_iter().filter(|name| !name.starts_with("too_short")).collect();
    assert_eq!(names.len(), 61, "{names:?}");
    names
}

/// One field a line, so that a change is a line in a diff.
fn fields(structured: &Value) -> String {
    let object = structured.as_object().unwrap();
    object.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

#[test]
fn every_answer_of_every_recorded_profile() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots/recorded");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for name in recorded_names() {
        let profile = recorded::profile(&name);
        let mut all = String::new();
        for Both { tool, structured, text, budget } in every_answer(&profile) {
            assert!(text.len() <= budget, "{name} {tool}: {} bytes", text.len());
            all.push_str(&format!("## {tool}\n{text}\n{}\n", fields(&structured)));
        }
        let all = all.replace(profile.id.as_str(), "pID");
        settings.bind(|| insta::assert_snapshot!(name, all));
    }
}

/// The true leaks are found in every version, the innocent are left alone.
#[test]
fn leaks_of_recorded_profiles() {
    let found = |name: &str, least| {
        let profile = recorded::profile(name);
        let answer = LeaksAnswer::new(&profile, least);
        println!("{name}: {}", answer.text());
        let leaks = answer.leaks.clone().unwrap_or_default();
        let lines =
            leaks.iter().map(|leak| (leak.line, leak.confidence.clone())).collect::<Vec<_>>();
        (lines, answer)
    };
    for version in ["1.5.51", "1.5.55", "2.0.1", "2.2.1", "2.4.0"] {
        let (lines, answer) = found(&format!("leak_list--{version}"), LeakConfidence::Medium);
        assert_eq!(lines, [(13, "high".to_owned())], "{version}");
        let leak = &answer.leaks.as_ref().unwrap()[0];
        assert!((385.0..410.0).contains(&leak.total_leaked_mb), "{version}: {leak:?}");
        let velocity = leak.velocity_mb_per_sec.unwrap();
        assert!(
            (280.0..380.0).contains(&velocity),
            "{version}: {velocity} MiB/s, about 330 are true"
        );
    }
    let (lines, answer) = found("leak_masked--2.4.0", LeakConfidence::Medium);
    assert_eq!(lines, [(9, "medium".to_owned())], "line 14 is innocent");
    assert_eq!(answer.cleared[0].location, "leak_masked.py:14");
    for name in [
        "no_leak_buffers--2.4.0",
        "alloc_churn--2.4.0",
        "copy_heavy--2.4.0",
        "copy_heavy--1.5.55",
        "copy_heavy--2.0.1",
        "numpy_vectorised--2.4.0",
    ] {
        let (lines, answer) = found(name, LeakConfidence::Low);
        assert_eq!(lines, [], "{name}: {}", answer.text());
    }
}

/// Every number and text of an answer that is not a fixed word.
fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.values().for_each(|value| leaves(value, found)),
        Value::Array(items) => items.iter().for_each(|value| leaves(value, found)),
        Value::Number(number) => found.push(scalene_mcp::answer::amount(number.as_f64().unwrap())),
        Value::String(text) => found.extend(text.lines().map(|line| line.trim().to_owned())),
        Value::Null | Value::Bool(_) => {}
    }
}

#[test]
fn the_text_holds_every_fact_of_the_structured_form() {
    // Said by the tool's name or by a word of its own.
    let said = ["complete", "partial", "cpu", "time", "memory", "gpu"];
    for name in recorded_names() {
        for Both { tool, mut structured, text, .. } in every_answer(&recorded::profile(&name)) {
            let mut facts = Vec::new();
            // A recommendation is a place and a change: the text has them on two lines.
            if let Some(Value::Array(advice)) = structured.get_mut("recommendations") {
                let change = |advice: &Value| {
                    advice.as_str().unwrap().split_once(": ").unwrap().1.to_owned()
                };
                facts.extend(advice.drain(..).map(|advice| change(&advice)));
            }
            leaves(&structured, &mut facts);
            assert!(facts.len() >= 3, "{name} {tool}: {structured}");
            for fact in facts.iter().filter(|fact| !said.contains(&fact.as_str())) {
                assert!(text.contains(fact.as_str()), "{name} {tool}: `{fact}` is not in\n{text}");
            }
        }
    }
}

#[test]
fn functions_add_up_to_their_lines_and_lines_to_the_whole() {
    for name in recorded_names() {
        let profile = recorded::profile(&name);
        let on_cpu = profile.sum(|line| line.cpu.on_cpu()).get();
        let functions: f64 = scalene_mcp::analysis::functions(&profile)
            .iter()
            .map(|function| function.on_cpu.get())
            .sum();
        assert!((functions - on_cpu).abs() < 1e-9, "{name}: {functions} and {on_cpu}");
        let whole = profile.sum(|line| line.cpu.total()).get();
        assert!(
            profile.files.is_empty() || (85.0..100.1).contains(&whole),
            "{name}: {whole} % of the samples"
        );
    }
}

#[test]
fn a_file_is_found_by_any_unique_end_of_its_path() {
    use scalene_mcp::analysis::{FileLookup, find_file};
    let profile = recorded::profile("shop_main.stacks--2.4.0");
    for wanted in
        ["/tmp/demo/shop/pricing.py", "shop/pricing.py", "./shop/pricing.py", "pricing.py"]
    {
        let FileLookup::Found(file) = find_file(&profile, wanted) else { panic!("{wanted}") };
        assert_eq!(file.path, "/tmp/demo/shop/pricing.py");
    }
    assert_eq!(find_file(&profile, "icing.py"), FileLookup::Missing);
}

/// A document with many files, lines and functions, each line with time and memory.
#[expect(clippy::cast_precision_loss, reason = "a few thousand lines")]
fn large(files: usize, lines: usize, width: usize) -> Profile {
    let share = 100.0 / (files * lines) as f64;
    let file = |index: usize| {
        let line = |number: usize| {
            let text = match number % 10 {
                1 => format!("def function_{index}_{number}_{}(x):\n", "n".repeat(width % 200)),
                _ => format!("    x = '{}'\n", "é".repeat(width)),
            };
            json!({"lineno": number, "line": text, "n_cpu_percent_python": share, "n_cpu_percent_c": 0.0,
                "n_sys_percent": 0.0, "n_malloc_mb": 1.5, "n_peak_mb": 1.5, "n_avg_mb": 1.2, "n_copy_mb_s": 3.25})
        };
        let lines: Vec<Value> = (1..=lines).map(line).collect();
        let path = format!("/tmp/demo/{}/module_{index}.py", "deep/".repeat(width % 30));
        (path, json!({"percent_cpu_time": share * lines.len() as f64, "lines": lines}))
    };
    let files: serde_json::Map<String, Value> = (0..files).map(file).collect();
    let document = json!({"program": "/tmp/demo/x.py", "elapsed_time_sec": 10.0, "memory": true,
        "max_footprint_mb": 500.0, "alloc_samples": 9, "files": files});
    let mut profile = recorded::with(parse(document.to_string().as_bytes()).unwrap(), "2.4.0");
    profile.run.stdout.head = "o".repeat(8_000);
    profile.run.stdout.tail = "é".repeat(12_000);
    profile.run.stdout.total_bytes = 100_000_000;
    profile.run.stderr = profile.run.stdout.clone();
    profile.reporting.cpu_percent_threshold = 0.0;
    profile
}

#[test]
fn default_answers_of_a_large_file_fit_their_budgets() {
    let profile = large(1, 1_000, 60);
    let file = FileAnswer::new(&profile, &profile.files[0], FileQuery::default());
    assert!(file.text().len() <= 6 * 1024, "{}", file.text().len());
    assert!(file.shown >= 20, "{} lines are too few to be of use", file.shown);
    let answer = ProfileAnswer::new(&profile);
    assert!(answer.text().len() <= 4 * 1024, "{}", answer.text());
    assert!(answer.cpu_profile.as_ref().unwrap().shown >= 4, "{}", answer.text());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn no_profile_breaks_a_budget(files in 1_usize..12, lines in 1_usize..300, width in 0_usize..4_000) {
        let profile = large(files, lines, width);
        let defaults = [
            ProfileAnswer::new(&profile).text(),
            CpuHotspotsAnswer::new(&profile, 10, CpuBasis::OnCpu).text(),
            MemoryHotspotsAnswer::new(&profile, 10, MemoryMetric::Peak).text(),
            FunctionsAnswer::new(&profile, 20).text(),
        ];
        for text in defaults {
            prop_assert!(text.len() <= 4 * 1024, "{} bytes:\n{text}", text.len());
        }
        let file = &profile.files[0];
        prop_assert!(FileAnswer::new(&profile, file, FileQuery::default()).text().len() <= 6 * 1024);
        let most = [
            CpuHotspotsAnswer::new(&profile, 100, CpuBasis::OnCpu).text(),
            FunctionsAnswer::new(&profile, 100).text(),
            FileAnswer::new(&profile, file, FileQuery { start: Some(1), end: Some(u32::MAX), limit: None }).text(),
        ];
        for text in most {
            prop_assert!(text.len() <= 24 * 1024, "{} bytes", text.len());
        }
    }
}
