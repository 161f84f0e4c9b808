//! What is fed to the library itself: documents of Scalene and of the tracker, and Python source.

use std::path::{Path, PathBuf};

use scalene_mcp::ProfileParser;
use scalene_mcp::analysis::MemoryMetric;
use scalene_mcp::analysis::findings;
use scalene_mcp::analysis::leaks::LeakConfidence;
use scalene_mcp::analysis::leaks::leaks;
use scalene_mcp::answer::{Answer, LeaksAnswer, MemoryHotspotsAnswer};
use scalene_mcp::profile::{
    FileProfile, Line, LineCpu, LineMemory, LineNo, Mebibytes, MebibytesPerSec, Percent, Profile,
    Source,
};
use scalene_mcp::scalene::parse;
use scalene_mcp::store::Store;
use serde_json::{Value, json};

use crate::json;
use crate::random::Random;
use crate::sane::{check, check_numbers, check_text};

fn fixtures(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder)
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Documents of Scalene that are recorded, but not the largest: a case has to be short.
pub(crate) struct Documents(Vec<Value>);

impl Documents {
    pub(crate) fn read() -> Self {
        let paths = [fixtures("profiles"), fixtures("rules")]
            .iter()
            .flat_map(|dir| files(dir, ".json"))
            .collect::<Vec<_>>();
        let texts = paths.iter().map(|path| std::fs::read(path).unwrap());
        Self(
            texts
                .filter(|text| text.len() < 60_000)
                .map(|text| serde_json::from_slice(&text).unwrap())
                .collect(),
        )
    }

    pub(crate) fn make(&self, random: &mut Random) -> Vec<u8> {
        let mut document = self.0[random.below(self.0.len())].clone();
        json::change(&mut document, random);
        if random.once_in(20)
            && let Some(object) = document.as_object_mut()
        {
            // Large documents are read in pieces.
            object.shift_insert(0, "padding".to_owned(), Value::from(" ".repeat(4_100_000)));
        }
        let mut text = json::text(&document, random);
        if random.once_in(2) {
            json::damage(&mut text, random);
        }
        text
    }
}

/// Reads a document and asks everything about it.
pub(crate) fn document(text: &[u8]) -> bool {
    let Ok(profile) = ProfileParser::new().parse_json(text) else {
        assert!(parse(text).is_err());
        return false;
    };
    sums_hold(&profile);
    let mut profile = profile;
    profile.reporting.cpu_percent_threshold = 0.0;
    profile.reporting.malloc_threshold = 0;
    check_text(&profile, memchr::memmem::find(text, b"NaN").is_some());
    Store::default().insert(profile);
    true
}

/// Shares of lines add up to the whole at most, and those of functions to their lines'.
fn sums_hold(profile: &Profile) {
    let mut all = 0.0;
    for file in &profile.files {
        let lines: f64 = file.lines.iter().map(|line| line.cpu.total().get()).sum();
        let functions: f64 =
            file.function_totals().iter().map(|function| function.total().get()).sum();
        assert!(
            (lines - file.totals().total().get()).abs() < 1e-6,
            "{}: {lines} by line",
            file.path
        );
        assert!(
            functions <= lines + 1e-6,
            "{}: {functions} by function, {lines} by line",
            file.path
        );
        all += lines;
    }
    // What rounding of Scalene's adds is let pass.
    assert!(all <= 100.41, "{all} % of the time");
}

const FRAMES: [&str; 6] = ["/p/a.py", "/p/b.py", "/lib/json.py", "", "<string>", "/p/é \n.py"];

/// A document of the tracker that is right, before it is changed.
pub(crate) fn tracked(random: &mut Random) -> Vec<u8> {
    let points = 1 + random.below(12);
    let size = |random: &mut Random| u64::from(random.byte()) << random.below(44);
    let stack = |random: &mut Random| {
        let mut series = || (0..points).map(|_| size(random)).collect::<Vec<_>>();
        let (alive, objects, pooled) = (series(), series(), series());
        let frame = |random: &mut Random| json!([random.pick(&FRAMES), "f", random.below(90)]);
        let frames: Vec<_> = (0..random.below(5)).map(|_| frame(random)).collect();
        json!({"frames": frames, "peak": size(random), "alive": alive, "objects": objects, "pooled": pooled})
    };
    let stacks: Vec<_> = (0..random.below(8)).map(|_| stack(random)).collect();
    let totals: Vec<_> = (0..points).map(|_| size(random)).collect();
    let mut document = json!({
        "tracker": "memray", "version": "1", "refused": null, "totals": totals, "peak": size(random),
        "points": (1..=points).map(|at| at as f64 / 7.0).collect::<Vec<_>>(), "peak_at": 0.5, "stacks": stacks
    });
    if !random.once_in(3) {
        json::change(&mut document, random);
    }
    let mut text = json::text(&document, random);
    if random.once_in(3) {
        json::damage(&mut text, random);
    }
    text
}

/// Reads a document of the tracker and asks what it is evidence for.
pub(crate) fn proof(text: &[u8], base: &Profile) -> bool {
    let names = |file: &str| file.strip_prefix("/p/").map(str::to_owned);
    let Ok(proof) = scalene_mcp::tracker::read(text, &names) else { return false };
    let mut profile = base.clone();
    profile.proof = Some(proof);
    let leaks = LeaksAnswer::new(&profile, LeakConfidence::Low);
    check_numbers("leaks", &serde_json::to_value(&leaks).unwrap());
    assert!(leaks.text().len() <= 4 * 1024, "{}", leaks.text());
    let memory = MemoryHotspotsAnswer::new(&profile, 10, MemoryMetric::Peak);
    check_numbers("memory", &serde_json::to_value(&memory).unwrap());
    Store::default().insert(profile);
    true
}

/// The last place at or before `at` where a character begins.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Sources of the programs of the repository.
pub(crate) struct Sources(Vec<String>);

const FRAGMENTS: [&str; 40] = [
    "for x in y:\n    ",
    "while q:\n    ",
    "def f(a):\n    ",
    "async def g():\n",
    "class C:\n    ",
    "x = []\n",
    "if x in y:\n        ",
    "s += 'a'\n    ",
    "re.match('a', s)\n",
    "y.pop(0)\n",
    "try:\n  ",
    "except E:\n   pass\n",
    "with lock:\n    ",
    "await f(x)\n",
    "lambda: ",
    "x = x[1:]\n",
    "\"\"\"",
    "'''",
    "'",
    "\"",
    "\\\n",
    "#",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ":",
    "\t",
    "\r",
    "\r\n",
    "\u{0}",
    "\u{c}",
    "é",
    "\u{feff}",
    "f'{",
    "}'",
    "@",
    "match x:\n case ",
];

impl Sources {
    pub(crate) fn read() -> Self {
        let paths = ["programs", "accuracy", "rules"]
            .map(|folder| files(&fixtures(folder), ".py"))
            .concat();
        Self(paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect())
    }

    pub(crate) fn make(&self, random: &mut Random) -> Vec<u8> {
        let text = &self.0[random.below(self.0.len())];
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        for _ in 0..random.below(12) {
            self.change(&mut lines, random);
        }
        let mut text = lines.concat();
        text.truncate(boundary(&text, 40_000));
        text.into_bytes()
    }

    fn change(&self, lines: &mut Vec<String>, random: &mut Random) {
        let at = random.below(lines.len().max(1));
        let Some(line) = lines.get_mut(at) else { return lines.push("x = 1\n".to_owned()) };
        let within = boundary(line, random.below(line.len() + 1));
        match random.below(11) {
            0 => drop(lines.remove(at)),
            1 => {
                let copy = std::iter::repeat_n(line.clone(), 1 + random.below(60));
                lines.splice(at..at, copy.collect::<Vec<_>>());
            }
            2 => line.insert_str(within, random.pick(&FRAGMENTS)),
            3 => line.insert_str(0, &" ".repeat(random.below(12))),
            4 => *line = line.trim_start().to_owned(),
            5 => line.truncate(within),
            6 => lines.truncate(at),
            7 => {
                let other = &self.0[random.below(self.0.len())];
                let taken =
                    other.split_inclusive('\n').skip(random.below(20)).take(1 + random.below(20));
                lines.splice(at..at, taken.map(str::to_owned).collect::<Vec<_>>());
            }
            8 => {
                let deep = 1 + random.below(600);
                let (open, close) =
                    [("(", ")"), ("[x for x in ", "]"), ("not ", ""), ("f(", ")"), ("{", "}")]
                        [random.below(5)];
                line.insert_str(within, &format!("{}1{}", open.repeat(deep), close.repeat(deep)));
            }
            9 => {
                let nested =
                    (0..random.below(120)).map(|n| format!("{}for x in y:\n", " ".repeat(n)));
                lines.splice(at..at, nested.collect::<Vec<_>>());
            }
            _ => line.insert_str(within, &random.pick(&FRAGMENTS).repeat(random.below(300))),
        }
    }
}

/// A profile in which every line of a source is hot and large.
pub(crate) fn source(text: &[u8], base: &Profile) -> bool {
    let text = String::from_utf8_lossy(text).into_owned();
    let source = Source::new(text);
    let count = u32::try_from(source.line_count()).unwrap();
    let share = 90.0 / f64::from(count.max(1));
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
        ..base.files[0].lines[0].clone()
    };
    let file = FileProfile::new(
        "a.py".to_owned(),
        source,
        (1..=count).map(line).collect(),
        Percent::from_percent(90.0).unwrap(),
    );
    for span in file.functions() {
        assert!(span.start <= span.end && span.end.get() <= count, "{span:?} of {count} lines");
    }
    let mut profile = base.clone();
    profile.files = vec![file];
    profile.reporting.cpu_percent_threshold = 0.0;
    sums_hold(&profile);
    for finding in findings(&profile) {
        assert!(finding.ceiling.is_none_or(|ceiling| (1.0..=100.001).contains(&ceiling)));
        assert!(finding.lines.is_none_or(|(first, last)| first <= last && last.get() <= count));
    }
    leaks(&profile);
    check(&profile);
    true
}
