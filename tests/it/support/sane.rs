//! What holds for every answer about any profile.

use scalene_mcp::analysis::leaks::LeakConfidence;
use scalene_mcp::analysis::{CpuBasis, MemoryMetric};
use scalene_mcp::answer::{
    AnalysisAnswer, Answer, BlocksAnswer, BottlenecksAnswer, ComparisonAnswer, CpuHotspotsAnswer,
    FileAnswer, FileQuery, Focus, FunctionsAnswer, GpuHotspotsAnswer, LeaksAnswer,
    MemoryHotspotsAnswer, ProfileAnswer,
};
use scalene_mcp::profile::Profile;
use serde_json::Value;

/// An answer: its structured form, its text, and the largest text allowed.
pub(crate) type Built = (Value, String, usize);

/// What is looked at of an answer.
pub(crate) fn built<A: Answer>(answer: &A, cap: usize) -> Built {
    (serde_json::to_value(answer).unwrap(), answer.text(), cap)
}

fn answers(profile: &Profile) -> Vec<Built> {
    const KIB: usize = 1024;
    let mut all = vec![
        built(&ProfileAnswer::new(profile), 4 * KIB),
        built(&FunctionsAnswer::new(profile, 20), 4 * KIB),
        built(&FunctionsAnswer::new(profile, 100), 24 * KIB),
    ];
    all.push(built(&BlocksAnswer::new(profile, 20), 4 * KIB));
    all.push(built(&BlocksAnswer::new(profile, 100), 24 * KIB));
    for focus in [Focus::Overall, Focus::Cpu, Focus::Memory, Focus::Gpu] {
        all.push(built(&AnalysisAnswer::new(profile, focus), 4 * KIB));
    }
    all.push(built(&BottlenecksAnswer::new(profile, 5), 4 * KIB));
    all.push(built(&BottlenecksAnswer::new(profile, 100), 24 * KIB));
    all.push(built(&GpuHotspotsAnswer::new(profile, 10), 4 * KIB));
    all.push(built(&LeaksAnswer::new(profile, LeakConfidence::Low), 4 * KIB));
    all.push(built(&ComparisonAnswer::new(profile, profile, 0.05), 4 * KIB));
    for basis in [CpuBasis::OnCpu, CpuBasis::WithSystem] {
        all.push(built(&CpuHotspotsAnswer::new(profile, 10, basis), 4 * KIB));
        all.push(built(&CpuHotspotsAnswer::new(profile, 100, basis), 24 * KIB));
    }
    for metric in [MemoryMetric::Peak, MemoryMetric::Average, MemoryMetric::Allocation] {
        all.push(built(&MemoryHotspotsAnswer::new(profile, 10, metric), 4 * KIB));
        all.push(built(&MemoryHotspotsAnswer::new(profile, 100, metric), 24 * KIB));
    }
    for file in profile.files.iter().take(3) {
        all.push(built(&FileAnswer::new(profile, file, FileQuery::default()), 6 * KIB));
        let range = FileQuery { start: Some(1), end: Some(u32::MAX), limit: None };
        all.push(built(&FileAnswer::new(profile, file, range), 24 * KIB));
    }
    all
}

/// Numbers are there, not negative, and shares are at most the whole. NaN would be null.
pub(crate) fn check_numbers(key: &str, value: &Value) {
    match value {
        Value::Null => panic!("{key} is null"),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            assert!(number.is_finite() && number >= 0.0, "{key}: {number}");
            assert!(!key.contains("percent") || number <= 100.0, "{key}: {number}");
        }
        Value::Array(items) => items.iter().for_each(|item| check_numbers(key, item)),
        Value::Object(object) => object.iter().for_each(|(key, value)| check_numbers(key, value)),
        Value::Bool(_) | Value::String(_) => {}
    }
}

/// Every answer about a profile: its numbers in their ranges, its text within its budget.
pub(crate) fn check(profile: &Profile) {
    check_text(profile, false);
}

/// The same where the program's own text may say what no figure may be.
pub(crate) fn check_text(profile: &Profile, says_nan: bool) {
    for (structured, text, cap) in answers(profile) {
        check_numbers("answer", &structured);
        assert!(
            text.len() <= cap && (says_nan || !text.contains("NaN")),
            "{} bytes:\n{text}",
            text.len()
        );
    }
}
