//! Which line of one version of a program is which of the other: hand-made pairs with the mapping that
//! a reader expects, and edits made to long files of the standard library.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use scalene_mcp::analysis::compare::{Alignment, LineStatus, Named, Place, align};
use scalene_mcp::profile::{FileProfile, LineNo, Percent, Source};

use crate::support::pythons;

/// Files of one version.
struct Version(Vec<(String, FileProfile)>);

impl Version {
    fn new<N: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        let file = |(name, text): (N, T)| {
            let name = name.into();
            let source = Source::new(text.into());
            (name.clone(), FileProfile::new(name, source, Vec::new(), Percent::ZERO))
        };
        Self(files.into_iter().map(file).collect())
    }

    fn of(text: impl Into<String>) -> Self {
        Self::new([("app.py", text)])
    }

    fn named(&self) -> Vec<Named<'_>> {
        let named = |(name, file)| Named { name, file, main: false };
        self.0.iter().map(|(name, file)| named((name.clone(), file))).collect()
    }
}

/// `file:line` in either version, and what became of it.
type Row = (Option<(String, u32)>, Option<(String, u32)>, LineStatus);

fn lines(named: &[Named<'_>]) -> Vec<Place> {
    let of = |(file, named): (usize, &Named<'_>)| {
        let numbers = (1..).map_while(LineNo::new).take(named.file.source.line_count());
        let filled = numbers.filter(|line| !named.file.text(*line).trim().is_empty());
        filled.map(|line| Place { file, line }).collect::<Vec<_>>()
    };
    named.iter().enumerate().flat_map(of).collect()
}

/// Every line that is not blank, from both sides; the sides must agree.
fn rows(alignment: &Alignment<'_>) -> BTreeSet<Row> {
    let name =
        |files: &[Named<'_>], place: Place| (files[place.file].name.clone(), place.line.get());
    let mut rows = BTreeSet::new();
    for place in lines(&alignment.before) {
        let fate = alignment.of_before(place).unwrap();
        let other = fate.other.map(|other| name(&alignment.after, other));
        assert_eq!(other.is_none(), fate.status == LineStatus::Removed);
        if let Some(other) = fate.other {
            let back = alignment.of_after(other).unwrap();
            assert_eq!((back.other, back.status), (Some(place), fate.status));
        }
        rows.insert((Some(name(&alignment.before, place)), other, fate.status));
    }
    for place in lines(&alignment.after) {
        let fate = alignment.of_after(place).unwrap();
        let other = fate.other.map(|other| name(&alignment.before, other));
        assert_eq!(other.is_none(), fate.status == LineStatus::New);
        rows.insert((other, Some(name(&alignment.after, place)), fate.status));
    }
    rows
}

/// The same seen from the other side.
fn inverted(rows: &BTreeSet<Row>) -> BTreeSet<Row> {
    let invert = |(before, after, status): &Row| {
        let status = match status {
            LineStatus::New => LineStatus::Removed,
            LineStatus::Removed => LineStatus::New,
            other => *other,
        };
        (after.clone(), before.clone(), status)
    };
    rows.iter().map(invert).collect()
}

/// Renamed, moved, new and gone functions, in the words of the fixtures.
fn functions(alignment: &Alignment<'_>) -> BTreeSet<String> {
    let words = |pair: &scalene_mcp::analysis::compare::FunctionPair<'_>| match (
        pair.before.as_ref(),
        pair.after.as_ref(),
    ) {
        (Some(one), None) if one.name != "<module>" => Some(format!("gone {}", one.name)),
        (None, Some(two)) if two.name != "<module>" => Some(format!("new {}", two.name)),
        (Some(one), Some(two)) if pair.renamed() => {
            Some(format!("renamed {} -> {}", one.name, two.name))
        }
        (Some(one), Some(_)) if pair.moved => Some(format!("moved {}", one.name)),
        _ => None,
    };
    alignment.functions.iter().filter_map(words).collect()
}

/// Aligns both ways; what the one says must be the inverse of what the other says.
fn both_ways(before: &Version, after: &Version) -> (BTreeSet<Row>, BTreeSet<String>) {
    let there = align(before.named(), after.named());
    let back = align(after.named(), before.named());
    let rows = rows(&there);
    assert!(inverted(&rows) == self::rows(&back), "swapping the versions gives another alignment");
    let swapped = functions(&back).into_iter().map(|words| match words.split_once(' ').unwrap() {
        ("gone", name) => format!("new {name}"),
        ("new", name) => format!("gone {name}"),
        ("renamed", names) => {
            let (one, two) = names.split_once(" -> ").unwrap();
            format!("renamed {two} -> {one}")
        }
        _ => words,
    });
    let functions = functions(&there);
    assert_eq!(functions, swapped.collect(), "swapping the versions gives other functions");
    (rows, functions)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/alignment")
}

fn version(folder: &Path) -> Version {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    });
    Version::new(files)
}

/// `app.py:3-5` as its lines.
fn stretch(text: &str) -> Vec<(String, u32)> {
    let (file, lines) = text.rsplit_once(':').unwrap();
    let (first, last) = lines.split_once('-').unwrap_or((lines, lines));
    let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
    (first..=last).map(|line| (file.to_owned(), line)).collect()
}

/// The rows of `expected.txt`.
fn expected(text: &str) -> (BTreeSet<Row>, BTreeSet<String>) {
    let (mut rows, mut functions) = (BTreeSet::new(), BTreeSet::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').unwrap();
        let (first, second) = rest.split_once(" -> ").map_or((rest, None), |(a, b)| (a, Some(b)));
        let both = |status| {
            let ends = stretch(first).into_iter().zip(stretch(second.unwrap()));
            ends.map(|(one, two)| (Some(one), Some(two), status)).collect::<Vec<Row>>()
        };
        match word {
            "function" => drop(functions.insert(rest.to_owned())),
            "same" => rows.extend(both(LineStatus::Same)),
            "edited" => rows.extend(both(LineStatus::Edited)),
            "moved" => rows.extend(both(LineStatus::Moved)),
            "new" => {
                rows.extend(stretch(rest).into_iter().map(|at| (None, Some(at), LineStatus::New)));
            }
            "removed" => {
                rows.extend(
                    stretch(rest).into_iter().map(|at| (Some(at), None, LineStatus::Removed)),
                );
            }
            _ => panic!("what is `{word}`?"),
        }
    }
    (rows, functions)
}

#[test]
fn edits_as_an_agent_makes_them_are_followed() {
    let mut cases: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|case| case.is_dir());
    cases.sort();
    assert_eq!(cases.len(), 15);
    let mut wrong = String::new();
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let (before, after) = (version(&case.join("before")), version(&case.join("after")));
        let found = both_ways(&before, &after);
        let wanted = expected(&std::fs::read_to_string(case.join("expected.txt")).unwrap());
        for row in found.0.difference(&wanted.0) {
            wrong.push_str(&format!("{name}: found {row:?}\n"));
        }
        for row in wanted.0.difference(&found.0) {
            wrong.push_str(&format!("{name}: expected {row:?}\n"));
        }
        if found.1 != wanted.1 {
            wrong.push_str(&format!("{name}: functions {:?}, expected {:?}\n", found.1, wanted.1));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Long files of the standard library, with what they contain.
fn library() -> &'static [(String, String)] {
    static FILES: OnceLock<Vec<(String, String)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let script = "import sysconfig; print(sysconfig.get_path('stdlib'))";
        let output =
            pythons::command(pythons::system_python()).args(["-c", script]).output().unwrap();
        let folder = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
        let names =
            ["argparse.py", "tarfile.py", "difflib.py", "inspect.py", "typing.py", "mailbox.py"];
        let read = |name: &str| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(text.lines().count() > 1_000, "{name} is short");
            (name.to_owned(), text)
        };
        names.into_iter().map(read).collect()
    })
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// Top-level functions and methods without inner ones, decorators and comments above them: index of the
/// first line and of the line after the last.
fn leaves(text: &str) -> Vec<(usize, usize, String)> {
    let file =
        FileProfile::new("x".into(), Source::new(text.to_owned()), Vec::new(), Percent::ZERO);
    let lines: Vec<&str> = text.lines().collect();
    let spans = file.functions();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for span in spans {
        *names.entry(&span.name).or_default() += 1;
    }
    let leaf = |span: &scalene_mcp::profile::FunctionSpan| {
        let (first, last) = (span.start.get() as usize - 1, span.end.get() as usize);
        let inner =
            spans.iter().filter(|other| span.start < other.start && other.start <= span.end);
        let above = first.checked_sub(1).map_or("", |above| lines[above].trim());
        let alone = above.is_empty() && names[span.name.as_str()] == 1 && inner.count() == 0;
        let def = lines[first].trim_start().starts_with("def ");
        (alone && def && last - first >= 5).then(|| (first, last, span.name.clone()))
    };
    spans.iter().filter_map(leaf).collect()
}

/// A version with some of its lines replaced.
fn edited(text: &str, first: usize, last: usize, by: &[String]) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let by = by.iter().map(String::as_str);
    let all = lines[..first].iter().copied().chain(by).chain(lines[last..].iter().copied());
    all.map(|line| format!("{line}\n")).collect()
}

fn count(rows: &BTreeSet<Row>, status: LineStatus) -> usize {
    rows.iter().filter(|(_, _, found)| *found == status).count()
}

fn filled(text: &str) -> usize {
    text.lines().filter(|line| !line.trim().is_empty()).count()
}

/// Numbers of the lines of one side that have a status.
fn numbers(rows: &BTreeSet<Row>, status: LineStatus) -> Vec<u32> {
    let of_status = rows.iter().filter(|(_, _, found)| *found == status);
    let mut numbers: Vec<u32> = of_status
        .filter_map(|(before, after, _)| after.as_ref().or(before.as_ref()).map(|(_, line)| *line))
        .collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_file_is_the_same_as_itself_under_any_name() {
    for (name, text) in library() {
        let one = Version::of(text.as_str());
        for other in [Version::of(text.as_str()), Version::new([("renamed.py", text.as_str())])] {
            let (rows, functions) = both_ways(&one, &other);
            assert_eq!(count(&rows, LineStatus::Same), filled(text), "{name}");
            assert_eq!((rows.len(), functions.len()), (filled(text), 0), "{name}");
        }
    }
}

#[test]
fn lines_put_in_are_new_and_nothing_else_is() {
    let mut dice = Dice(1);
    for (name, text) in library() {
        let lines = text.lines().count();
        let mut places: Vec<usize> = (0..12).map(|_| dice.below(lines)).collect();
        places.sort_unstable();
        let mut all: Vec<String> = text.lines().map(str::to_owned).collect();
        for (index, place) in places.iter().enumerate().rev() {
            all.insert(*place, format!("# note {index} on what follows"));
        }
        let after = all.join("\n") + "\n";
        let (rows, functions) =
            both_ways(&Version::of(text.as_str()), &Version::of(after.as_str()));
        let put_in: Vec<u32> = (1_u32..)
            .zip(&all)
            .filter(|(_, line)| line.starts_with("# note ") && line.ends_with("what follows"))
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers(&rows, LineStatus::New), put_in, "{name}");
        assert_eq!(count(&rows, LineStatus::Same), filled(text), "{name}");
        assert!(functions.is_empty(), "{name}: {functions:?}");
    }
}

#[test]
fn functions_taken_out_are_gone_and_nothing_else_is() {
    let mut dice = Dice(2);
    let mut tried = 0;
    for (name, text) in library() {
        let leaves = leaves(text);
        for _ in 0..4 {
            let (first, last, function) = leaves[dice.below(leaves.len())].clone();
            let after = edited(text, first, last, &[]);
            let (rows, functions) =
                both_ways(&Version::of(text.as_str()), &Version::of(after.as_str()));
            let gone: Vec<u32> = (1_u32..)
                .zip(text.lines())
                .filter(|(number, line)| {
                    (first + 1..=last).contains(&(*number as usize)) && !line.trim().is_empty()
                })
                .map(|(number, _)| number)
                .collect();
            assert_eq!(numbers(&rows, LineStatus::Removed), gone, "{name}: {function}");
            assert_eq!(count(&rows, LineStatus::Same), filled(&after), "{name}: {function}");
            assert_eq!(functions, BTreeSet::from([format!("gone {function}")]), "{name}");
            tried += 1;
        }
    }
    assert_eq!(tried, 24);
}

#[test]
fn functions_put_elsewhere_have_moved_and_nothing_is_new() {
    let mut dice = Dice(3);
    let mut tried = 0;
    for (name, text) in library() {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let all = leaves(text);
        // Top-level functions, each put before another one.
        let top: Vec<_> =
            all.iter().filter(|(first, _, _)| lines[*first].starts_with("def ")).collect();
        for _ in 0..4.min(top.len() * 2) {
            let (first, last, function) = top[dice.below(top.len())];
            let (target, _, _) = top[dice.below(top.len())];
            if target == first {
                continue;
            }
            let block = [&lines[*first..*last], &[String::new(), String::new()]].concat();
            let after = if target < first {
                let without = edited(text, *first, *last, &[]);
                edited(&without, *target, *target, &block)
            } else {
                let with = edited(text, *target, *target, &block);
                edited(&with, *first, *last, &[])
            };
            // Where it passes no function its place among them is the same.
            let (from, to) = if target < first { (*target, *first) } else { (*last, *target) };
            let is_function = |line: &String| line.trim_start().starts_with("def ");
            if !lines[from..to].iter().any(is_function) {
                continue;
            }
            let (rows, functions) =
                both_ways(&Version::of(text.as_str()), &Version::of(after.as_str()));
            let moved = count(&rows, LineStatus::Moved);
            // What moved is the function, or everything that it was put past if that is less.
            assert!(moved > 0 && moved <= filled(&block.join("\n")), "{name}: {function} {moved}");
            assert_eq!(count(&rows, LineStatus::Same) + moved, filled(text), "{name}: {function}");
            assert!(functions.iter().all(|words| words.starts_with("moved ")), "{functions:?}");
            tried += 1;
        }
    }
    assert!(tried >= 8, "{tried}");
}

#[test]
fn text_that_is_indented_is_the_same_text() {
    for (name, text) in library() {
        let indented: String = text
            .lines()
            .map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") })
            .collect();
        let after = format!("if True:\n{indented}");
        let (rows, functions) =
            both_ways(&Version::of(text.as_str()), &Version::of(after.as_str()));
        assert_eq!(count(&rows, LineStatus::Same), filled(text), "{name}");
        assert_eq!(numbers(&rows, LineStatus::New), [1], "{name}");
        assert!(functions.is_empty(), "{name}: {functions:?}");
        let (before, after) = (Version::of(text.as_str()), Version::of(after.as_str()));
        let alignment = align(before.named(), after.named());
        let place = Place { file: 0, line: LineNo::new(2).unwrap() };
        assert!(alignment.of_after(place).unwrap().reindented, "{name}");
    }
}

/// Replaces a name wherever it is a whole word.
fn renamed(text: &str, name: &str, by: &str) -> String {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let (head, tail) = (&rest[..at], &rest[at + name.len()..]);
        let whole = !head.ends_with(word) && !tail.starts_with(word);
        out.push_str(head);
        out.push_str(if whole { by } else { name });
        rest = tail;
    }
    out + rest
}

#[test]
fn a_function_is_found_under_another_name() {
    let mut dice = Dice(4);
    let mut rewrites = 0;
    for (name, text) in library() {
        let leaves = leaves(text);
        for _ in 0..12 {
            let (first, last, function) = &leaves[dice.below(leaves.len())];
            let own = function.rsplit('.').next().unwrap();
            if text.matches(&format!("def {own}(")).count() > 1 {
                continue;
            }
            // Its definition and its callers.
            let after = renamed(text, own, &format!("{own}_anew"));
            assert!(after.contains(&format!("def {own}_anew(")), "{name}: {function}");
            let (rows, functions) =
                both_ways(&Version::of(text.as_str()), &Version::of(after.as_str()));
            let untouched = text.lines().zip(after.lines()).filter(|(a, b)| a == b);
            let untouched = untouched.filter(|(line, _)| !line.trim().is_empty()).count();
            assert!(count(&rows, LineStatus::Same) >= untouched, "{name}: {function}");
            let wanted = format!("renamed {function} -> {function}_anew");
            assert_eq!(functions, BTreeSet::from([wanted.clone()]), "{name}");
            // And where a third of it was rewritten at the same time; not where that opens a string.
            let mut own_lines = text.lines().skip(*first).take(last - first);
            if own_lines.any(|line| line.contains("\"\"\"")) {
                continue;
            }
            let rewritten: Vec<String> = (0..)
                .zip(after.lines().skip(*first).take(last - first))
                .map(|(n, line): (u32, &str)| {
                    let indent = &line[..line.len() - line.trim_start().len()];
                    let rewrite = n % 3 == 2 && !indent.is_empty();
                    if rewrite {
                        format!("{indent}step_{n} = prepare({n})")
                    } else {
                        line.to_owned()
                    }
                })
                .collect();
            let after = edited(&after, *first, *last, &rewritten);
            let (_, functions) =
                both_ways(&Version::of(text.as_str()), &Version::of(after.as_str()));
            assert!(functions.contains(&wanted), "{name}: {functions:?} lack {wanted}");
            rewrites += 1;
        }
    }
    assert!(rewrites >= 10, "{rewrites}");
}

#[test]
fn functions_that_have_nothing_in_common_are_not_renamed() {
    let mut dice = Dice(6);
    let (mut tried, mut taken) = (0, Vec::new());
    for (name, text) in library() {
        let leaves = leaves(text);
        for _ in 0..40 {
            let (one, two) = (dice.below(leaves.len()), dice.below(leaves.len()));
            let ((first, last, gone), (start, end, new)) =
                (&leaves[one.min(two)], &leaves[one.max(two)]);
            // The baseline lacks the second one, the candidate the first.
            let before = edited(text, *start, *end, &[]);
            let after = edited(text, *first, *last, &[]);
            if gone.rsplit('.').next() == new.rsplit('.').next() {
                continue;
            }
            let (before, after) = (Version::of(before), Version::of(after));
            let found = functions(&align(before.named(), after.named()));
            tried += 1;
            if found != BTreeSet::from([format!("gone {gone}"), format!("new {new}")]) {
                taken.push(format!("{name}: {found:?}"));
            }
        }
    }
    assert!(tried > 150 && taken.len() * 20 < tried, "{tried}: {taken:#?}");
}

/// Source of so many lines in functions of ten.
fn long(lines: usize, tag: &str) -> String {
    (0..lines)
        .map(|n| match n % 10 {
            0 => format!("def {tag}_{n}(rows, limit={n}):\n"),
            8 => "    return found\n".to_owned(),
            9 => "\n".to_owned(),
            k => format!("    found{k} = rows[{tag}_{n} + {k}] * limit - {n}\n"),
        })
        .collect()
}

#[test]
fn hostile_files_take_bounded_time() {
    const LINES: usize = 20_000;
    let every_other: String = long(LINES, "a")
        .lines()
        .zip(0..)
        .map(
            |(line, n)| {
                if n % 2 == 1 { format!("    changed = {n}\n") } else { format!("{line}\n") }
            },
        )
        .collect();
    let flat =
        |tag: &str| -> String { (0..LINES).map(|n| format!("{tag}{n} = {n} + {tag}\n")).collect() };
    let shuffled: String = {
        let mut lines: Vec<String> = flat("x").lines().map(|line| format!("{line}\n")).collect();
        let mut dice = Dice(5);
        for at in (1..lines.len()).rev() {
            lines.swap(at, dice.below(at + 1));
        }
        lines.concat()
    };
    let two_texts = |period: usize| -> String {
        (0..LINES).map(|n| if n % period == 0 { "go_on()\n" } else { "wait_for_it()\n" }).collect()
    };
    let flat_every_other: String = flat("x")
        .lines()
        .zip(0..)
        .map(|(line, n)| if n % 2 == 1 { format!("y{n} = x{n}\n") } else { format!("{line}\n") })
        .collect();
    let cases = [
        ("every other line changed", long(LINES, "a"), every_other),
        ("nothing equal", long(LINES, "a"), long(LINES, "b").replace("found", "kept")),
        ("nothing equal, no functions", flat("x"), flat("y").replace('+', "*")),
        ("every other line changed, no functions", flat("x"), flat_every_other),
        ("another order", flat("x"), shuffled),
        ("all lines equal", "step()\n".repeat(LINES), "step()\n".repeat(LINES / 2)),
        ("two texts in another rhythm", two_texts(3), two_texts(7)),
        ("reversed", long(LINES, "a"), {
            let text = long(LINES, "a");
            let mut lines: Vec<&str> = text.lines().collect();
            lines.reverse();
            lines.join("\n")
        }),
    ];
    for (name, before, after) in cases {
        let (before, after) = (Version::of(before), Version::of(after));
        let started = Instant::now();
        let alignment = align(before.named(), after.named());
        let took = started.elapsed();
        println!("{name}: {:.0} ms", took.as_secs_f64() * 1e3);
        // Debug builds on a busy machine; work that grows with the square would take minutes.
        assert!(took < Duration::from_secs(60), "{name}: {took:?}");
        rows(&alignment);
    }
}
