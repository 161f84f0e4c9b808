//! The rules against recorded runs: each fires on a program made for it, at the marked line, and
//! is silent on that program's innocent twin although the twin is hot at the same place.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use proptest::prelude::*;
use scalene_mcp::analysis::{Finding, Severity, THRESHOLDS, findings, rules};
use scalene_mcp::profile::{
    FileProfile, Line, LineCpu, LineMemory, LineNo, Mebibytes, MebibytesPerSec, Percent, Profile,
    Source, outline,
};

use crate::support::recorded;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules")
}

fn fixture(id: &str, name: &str) -> Profile {
    recorded::profile_at(&folder().join(id).join(format!("{name}.json")), "2.4.0")
}

/// The line of the program with a marker at its end.
fn marked(id: &str, name: &str, marker: &str) -> LineNo {
    let text = std::fs::read_to_string(folder().join(id).join(format!("{name}.py"))).unwrap();
    let at = text.lines().position(|line| line.ends_with(marker));
    let at = at.unwrap_or_else(|| panic!("{id}/{name}.py has no `{marker}`"));
    LineNo::new(u32::try_from(at).unwrap() + 1).unwrap()
}

/// A finding in lines, as a snapshot shows it.
fn text(finding: &Finding<'_>) -> String {
    let place = finding.lines.map_or("run".to_owned(), |(first, last)| format!("{first}-{last}"));
    let share = finding.share.map_or("-".to_owned(), |share| share.to_string());
    let mut text = format!(
        "[{}] {} {place} {} {share} %\n  {}\n",
        finding.severity.name(),
        finding.rule.id,
        finding.function,
        finding.issue
    );
    for evidence in &finding.evidence {
        writeln!(text, "  - {evidence}").unwrap();
    }
    writeln!(text, "  > {}", finding.advice).unwrap();
    if let Some(ceiling) = finding.ceiling_text() {
        writeln!(text, "  = {ceiling}").unwrap();
    }
    text
}

fn all_text(profile: &Profile) -> String {
    let found: Vec<_> = findings(profile).iter().map(text).collect();
    if found.is_empty() { "nothing\n".to_owned() } else { found.concat() }
}

#[test]
fn every_rule_has_its_two_programs() {
    let known: BTreeSet<_> = rules().iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(known.len(), rules().len(), "an id twice");
    let folders: BTreeSet<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(known, folders);
}

#[test]
fn every_rule_fires_where_it_should() {
    let mut wrong = Vec::new();
    for rule in rules() {
        let profile = fixture(rule.id, "fires");
        let expected = marked(rule.id, "fires", "# expect");
        let all = findings(&profile);
        let at_place = all.iter().any(|finding| {
            finding.rule.id == rule.id
                && finding.lines.is_none_or(|(first, last)| first <= expected && expected <= last)
        });
        if !at_place {
            wrong.push(format!("{} not on line {expected}:\n{}", rule.id, all_text(&profile)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_rule_fires_on_the_twin() {
    let mut wrong = Vec::new();
    for rule in rules() {
        let profile = fixture(rule.id, "near_miss");
        let hot = marked(rule.id, "near_miss", "# hot");
        let file = &profile.files[0];
        let spans = outline(file.source.text());
        let (first, last) = spans
            .iter()
            .rfind(|span| span.contains(hot))
            .map_or((hot, hot), |span| (span.start, span.end));
        let lines = file.lines.iter().filter(|line| first <= line.number && line.number <= last);
        let (mut share, mut mib) = (0.0, 0.0);
        for line in lines {
            share += line.cpu.total().get();
            mib += line.memory.as_ref().map_or(0.0, |memory| memory.allocated.get());
        }
        if share < 10.0 && mib < 20.0 {
            wrong.push(format!("{}: the twin is not hot: {share} %, {mib} MiB", rule.id));
        }
        if findings(&profile).iter().any(|finding| finding.rule.id == rule.id) {
            wrong.push(format!("{} on its twin:\n{}", rule.id, all_text(&profile)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn findings_of_the_twins() {
    let texts: Vec<_> = rules()
        .iter()
        .map(|rule| format!("# {}\n{}", rule.id, all_text(&fixture(rule.id, "near_miss"))))
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn findings_of_the_programs() {
    let texts: Vec<_> = rules()
        .iter()
        .map(|rule| format!("# {}\n{}", rule.id, all_text(&fixture(rule.id, "fires"))))
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn findings_of_recorded_profiles() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    let mut paths: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name.starts_with("too_short") {
            continue;
        }
        let version = name.rsplit("--").next().unwrap();
        texts.push(format!("# {name}\n{}", all_text(&recorded::profile_at(&path, version))));
    }
    insta::assert_snapshot!(texts.join("\n"));
}

#[test]
fn older_versions_give_the_same_causes() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let id = path.file_name().unwrap().to_string_lossy().into_owned();
        for version in ["2.0.1", "1.5.55"] {
            let recorded = path.join(format!("fires--{version}.json"));
            if !recorded.exists() {
                continue;
            }
            let profile = recorded::profile_at(&recorded, version);
            let fired = findings(&profile).iter().any(|finding| finding.rule.id == id);
            assert!(fired, "{id} with {version}:\n{}", all_text(&profile));
            seen += 1;
        }
    }
    assert!(seen >= 6, "{seen} recordings of older versions");
}

/// A profile of one file whose every line holds the same share.
fn uniform(source: &str, share: f64, lines: impl Iterator<Item = u32>) -> Profile {
    let mut profile = fixture("hot-loop", "fires");
    let line = |number| Line {
        number: LineNo::new(number).unwrap(),
        cpu: LineCpu {
            python: Percent::from_percent(share * 0.7).unwrap(),
            native: Percent::from_percent(share * 0.2).unwrap(),
            system: Percent::from_percent(share * 0.1).unwrap(),
            samples: 3,
            core_utilization: None,
        },
        memory: Some(LineMemory {
            allocated: Mebibytes::from_mib(30.0).unwrap(),
            copy_rate: MebibytesPerSec::from_mib_per_sec(200.0).unwrap(),
            ..LineMemory::default()
        }),
        ..profile.files[0].lines[0].clone()
    };
    let lines = lines.map(line).collect();
    let source = Source::new(source.to_owned());
    let file = &profile.files[0];
    profile.files = vec![FileProfile::new(file.path.clone(), source, lines, file.cpu_share)];
    profile
}

fn check(profile: &Profile) {
    let all = findings(profile);
    for finding in &all {
        assert!(finding.ceiling.is_none_or(|ceiling| (1.0..=100.001).contains(&ceiling)));
        assert!(finding.share.is_none_or(|share| share.get() >= 0.0));
        assert!(!finding.issue.is_empty() && !finding.advice.is_empty());
        assert!(finding.lines.is_none_or(|(first, last)| first <= last));
    }
    for pair in all.windows(2) {
        assert!(pair[0].severity <= pair[1].severity);
    }
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            let same = one.rule == other.rule && one.file.is_some() && one.lines == other.lines;
            assert!(!same, "{} twice on one place", one.rule.id);
        }
    }
}

#[test]
fn hostile_sources_are_no_danger() {
    let deep = |open: &str, close: &str, n: usize| {
        format!("def f():\n    for x in y:\n        z = {}1{}\n", open.repeat(n), close.repeat(n))
    };
    let nested: String = (0..300).map(|n| format!("{}for x in y:\n", " ".repeat(n))).collect();
    let sources = [
        deep("(", ")", 20_000),
        deep("[x for x in ", "]", 1_000),
        deep("f(", ")", 5_000),
        deep("not ", "", 5_000),
        format!("s = ''\nfor x in y:\n    s += {}\n", "1 + ".repeat(20_000) + "1"),
        format!("x = '{}'\n", "a".repeat(1_000_000)),
        format!("for x in y:\n  a = {}\n", "b, ".repeat(100_000)),
        nested,
        "for x in y:\n if x in z:\n".repeat(1_000),
        "\u{0}\u{feff}for \t\r\r\n é in 'ü: (((".to_owned(),
    ];
    for source in sources {
        let profile = uniform(&source, 20.0, 1..=5);
        let start = Instant::now();
        check(&profile);
        let elapsed = start.elapsed();
        assert!(elapsed.as_secs() < 60, "{} bytes: {elapsed:?}", source.len());
    }
}

#[test]
fn findings_stay_short_whatever_the_source() {
    let long = "n".repeat(100_000);
    for source in [
        "for x in y:\n    pass\n".repeat(300),
        format!("for x in {long}:\n    pass\n").repeat(4),
        format!("def fib(n):\n    return 0{}\n", "\\\n + fib(n - 1)".repeat(300)),
        format!("{long} = []\nfor x in y:\n    if x in {long}:\n        {long}.pop(0)\n"),
    ] {
        let count = u32::try_from(source.lines().count()).unwrap();
        let profile = uniform(&source, 90.0 / f64::from(count), 1..=count);
        let all = findings(&profile);
        assert!(!all.is_empty(), "{}", &source[..60]);
        for finding in all {
            for text in [&finding.issue, &finding.advice].into_iter().chain(&finding.evidence) {
                assert!(text.chars().count() <= 601, "{}: {text}", finding.rule.id);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_source_gives_sane_findings(
        fragments in prop::collection::vec(
            prop::sample::select(vec![
                "for x in y:\n    ", "while q:\n    ", "def f(a):\n    ", "class C:\n    ", "x = []\n",
                "if x in y:\n        ", "s = ''\n", "s += 'a'\n    ", "import re\n", "re.match('a', s)\n",
                "y.pop(0)\n", "sorted(x)\n    ", "f(a - 1) + f(a - 2)\n", "return ", "try:\n  ",
                "except E:\n   pass\n", "with lock:\n    ", "time.sleep(1)\n", "self.a.b", "[a for a in x]",
                "(", ")", "[", "]", ":", "\n", "    ", "é", "'", "\"\"\"", "await f(x)\n", "lambda: ",
                "sum([n for n in x])\n", "x = x[1:]\n", "np.append(a, 1)\n", "print(x)\n", "= ", ", ",
            ]),
            0..60,
        ),
        share in 0.0..30.0,
    ) {
        let source = fragments.concat();
        let count = u32::try_from(source.lines().count()).unwrap();
        check(&uniform(&source, share, 1..=count));
    }
}

#[test]
fn severity_is_a_matter_of_share() {
    let of = [50.0, 49.9, 20.0, 5.0, 4.9].map(Severity::of);
    assert_eq!(
        of,
        [Severity::Critical, Severity::High, Severity::High, Severity::Medium, Severity::Low]
    );
}

/// `docs/analysis.md` from the tables.
fn document() -> String {
    let mut text = String::from(include_str!("support/analysis_intro.md"));
    for rule in rules() {
        let names: Vec<_> = rule.thresholds.iter().map(|threshold| threshold.name).collect();
        writeln!(
            text,
            "### `{}`\n\n{} ({}).\n\n- Fires on: {}.\n- Its share: {}.\n- Advice: {}\n- Thresholds: {}.\n- Source: {}.",
            rule.id, capital(rule.title), rule.kind.name(), rule.detects, rule.counts, rule.advice, names.join(", "), rule.source
        )
        .unwrap();
        if rule.at_most != Severity::Critical {
            writeln!(text, "- At most: {}.", rule.at_most.name()).unwrap();
        }
        text.push('\n');
    }
    text.push_str("## Thresholds\n\n| name | value | meaning | why |\n|---|---|---|---|\n");
    for threshold in THRESHOLDS {
        writeln!(
            text,
            "| {} | {} {} | {} | {} |",
            threshold.name, threshold.value, threshold.unit, threshold.meaning, threshold.source
        )
        .unwrap();
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

#[test]
fn the_document_is_made_from_the_tables() {
    crate::docs::check("analysis.md", &document());
}

/// What the first `for` of a comprehension runs over is computed once: no advice for a loop applies to it.
#[test]
fn what_a_comprehension_runs_over_is_no_part_of_its_rounds() {
    for source in [
        "def load(n):\n    return [str(i) for i in range(n)]\n\nrows = {r: len(r) for r in load(900)}\n",
        "def load(n):\n    return [str(i) for i in range(n)]\n\nrows = [len(r) for r in load(900)]\n",
        "s = {str(i) for i in range(900)}\n\n\nprint(max(len(x) for x in sorted(s)))\n",
    ] {
        let profile = uniform(source, 90.0, 4..=4);
        for finding in findings(&profile) {
            let said = text(&finding);
            assert!(!said.contains("in every round"), "{source}\n{said}");
        }
    }
    // The second `for` is another matter: it is computed in each round of the first.
    let nested = "def load(n):\n    return [str(i) for i in range(n)]\n\nall = [r for _ in range(9) for r in load(900)]\n";
    let said = all_text(&uniform(nested, 90.0, 4..=4));
    assert!(said.contains("`load(900)` in every round"), "{said}");
}
