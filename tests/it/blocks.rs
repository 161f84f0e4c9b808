//! Named parts of a program: by lines, by function, by marks in the code.

use std::path::Path;

use scalene_mcp::scalene::{BLOCKS, BLOCKS_MODULE, NO_BLOCKS};
use serde_json::{Value, json};

use crate::support::client::{Answer, Session};
use crate::support::place::{Place, Started};
use crate::support::pythons;

/// Works for so much CPU time of its thread, however busy the machine is.
const SPIN: &str = "\
import time

def spin(seconds):
    end, n = time.thread_time() + seconds, 0
    while time.thread_time() < end:
        n += 1
    return n

";

fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn rows(answer: &Answer) -> &[Value] {
    answer.structured["blocks"].as_array().unwrap()
}

/// The row of a block by its path; `kind` tells markers from ranges.
fn row<'a>(answer: &'a Answer, kind: &str, path: &[&str]) -> &'a Value {
    let mut open: Vec<&str> = Vec::new();
    for row in rows(answer) {
        open.truncate(usize::try_from(row["depth"].as_u64().unwrap()).unwrap());
        open.push(row["name"].as_str().unwrap());
        if open == path && row["kind"] == kind {
            return row;
        }
    }
    panic!("no {kind} {path:?}: {}", answer.text)
}

fn within(value: &Value, range: std::ops::Range<f64>, text: &str) {
    assert!(range.contains(&f(value)), "{value} is outside {range:?}\n{text}");
}

/// Profiles a program, and asks for its blocks.
async fn blocks(session: &Session, arguments: Value) -> Answer {
    let tool = if arguments["code"].is_string() { "profile_code" } else { "profile_script" };
    let mut all = json!({"memory": false, "wait_sec": 300});
    all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
    session.call(tool, all).await;
    session.call("get_blocks", json!({"profile_id": "latest"})).await
}

/// Behind [`SPIN`], `load` is on lines 11 to 13, `parse` on 18 to 21.
const NESTED: &str = "\
from scalene_mcp_blocks import block

@block('load')
def load():
    spin(0.2)

def main():
    with block('all'):
        for _ in range(3):
            with block('parse'):
                spin(0.2)
                with block('inner'):
                    spin(0.1)
        with block('wait'):
            time.sleep(0.4)
        load()
    try:
        with block('fails'):
            raise KeyError
    except KeyError:
        pass

main()
";

/// What all Pythons must say of [`NESTED`].
fn check_nested(answer: &Answer) {
    let text = &answer.text;
    let at = |path: &[&str]| row(answer, "marker", path);
    let (all, parse) = (at(&["all"]), at(&["all", "parse"]));
    let (inner, wait) = (at(&["all", "parse", "inner"]), at(&["all", "wait"]));
    let load = at(&["all", "load"]);
    for (row, calls) in
        [(all, 1), (parse, 3), (inner, 3), (wait, 1), (load, 1), (at(&["fails"]), 1)]
    {
        assert_eq!(row["calls"], calls, "{text}");
        assert_eq!(row.get("open"), None, "{text}");
        assert!(f(&row["self_sec"]) <= f(&row["total_sec"]), "{text}");
    }
    // CPU time is what the program burnt, on any machine.
    within(&parse["cpu_sec"], 0.88..1.4, text);
    within(&parse["self_cpu_sec"], 0.58..0.9, text);
    within(&inner["cpu_sec"], 0.29..0.55, text);
    within(&load["cpu_sec"], 0.19..0.4, text);
    within(&all["cpu_sec"], 1.09..1.9, text);
    within(&wait["cpu_sec"], 0.0..0.15, text);
    within(&wait["waiting_sec"], 0.3..60.0, text);
    // One thread: a block is its own time and that of those inside it. Each figure has three digits.
    for (around, inside) in [(parse, vec![inner]), (all, vec![parse, wait, load])] {
        let inner: f64 = inside.iter().map(|row| f(&row["total_sec"])).sum();
        let (own, total) = (f(&around["self_sec"]), f(&around["total_sec"]));
        assert!(
            (own + inner - total).abs() <= 0.012 * total,
            "{own} + {inner}, not {total}\n{text}"
        );
    }
}

#[tokio::test]
async fn marks_nest_and_add_up_on_every_python() {
    let place = Place::new();
    let script = place.write("app.py", &format!("{SPIN}{NESTED}"));
    let session = Session::open(&place.path()).await;
    let pythons = pythons::of_minors(&[8, 11, 12, 13]);
    assert!(!pythons.is_empty());
    for (_, python) in pythons {
        let asked = json!({"script_path": script, "python": python, "blocks": [
            {"name": "by lines", "start_line": 18, "end_line": 21},
            {"name": "in it", "file": "app.py", "start_line": 20, "end_line": 21},
            {"name": "by function", "function": "load"},
        ]});
        let answer = blocks(&session, asked).await;
        check_nested(&answer);
        let marked = row(&answer, "marker", &["all", "parse"]);
        assert_eq!(marked["places"], json!(["app.py:18-21"]), "{}", answer.text);
        assert_eq!(row(&answer, "marker", &["all", "load"])["places"], json!(["app.py:11-13"]));
        let next = &answer.structured["next"][0];
        assert_eq!(next["tool"], "get_file_details", "{}", answer.text);
        let details = session.call("get_file_details", next["arguments"].clone()).await;
        assert_eq!(details.structured["file"], "app.py");
        check_stacks(&answer);
    }
    session.close().await;
}

/// The same by stacks, which see it every 10 ms.
#[cfg(target_os = "linux")]
fn check_stacks(answer: &Answer) {
    let text = &answer.text;
    let (lines, inner) =
        (row(answer, "lines", &["by lines"]), row(answer, "lines", &["by lines", "in it"]));
    let load = row(answer, "function", &["by function"]);
    let (own, total) = (f(&lines["self_sec"]), f(&lines["total_sec"]));
    assert!((own + f(&inner["total_sec"]) - total).abs() <= 0.012 * total, "{text}");
    for (row, path) in [
        (lines, &["all", "parse"] as &[&str]),
        (inner, &["all", "parse", "inner"]),
        (load, &["all", "load"]),
    ] {
        let marked = f(&super::blocks::row(answer, "marker", path)["total_sec"]);
        assert!((f(&row["total_sec"]) - marked).abs() < 0.25 + 0.5 * marked, "{path:?}\n{text}");
        assert!(f(&row["samples"]) >= 1.0, "{text}");
        assert_eq!(row.get("calls"), None, "nobody counted: {text}");
    }
    within(&row(answer, "marker", &["all", "parse"])["samples"], 5.0..1e6, text);
    within(&lines["percent_of_total"], 35.0..90.0, text);
}

#[cfg(not(target_os = "linux"))]
fn check_stacks(answer: &Answer) {
    assert!(answer.text.contains("by lines"), "{}", answer.text);
}

#[test]
fn marks_say_exactly_what_a_model_says() {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/blocks/model.py");
    for (_, python) in pythons::of_minors(&[8, 11, 12, 13]) {
        for seed in ["1", "2", "3"] {
            let place = Place::new();
            place.write(&format!("b/{BLOCKS_MODULE}.py"), BLOCKS);
            std::fs::create_dir(place.path().join("o")).unwrap();
            let mut run = pythons::command(&python);
            let ran = run.arg(&model).arg(place.path()).arg(seed).output().unwrap();
            let said = String::from_utf8_lossy(&ran.stdout);
            let errors = String::from_utf8_lossy(&ran.stderr);
            let places = said.trim().strip_prefix("same ").and_then(|n| n.parse::<u32>().ok());
            assert!(places > Some(100), "{python:?} {seed}: {said}{errors}");
        }
    }
}

/// Tasks that take turns: one computes, the other hardly does.
const TASKS: &str = "\
import asyncio
from scalene_mcp_blocks import block

async def work(name, cpu):
    with block(name):
        for _ in range(10):
            spin(cpu / 10)
            await asyncio.sleep(0.01)

@block('step')
async def step():
    spin(0.05)
    await asyncio.sleep(0.05)

async def main():
    with block('all'):
        await asyncio.gather(work('light', 0.05), work('heavy', 0.8))
        await step()
        await asyncio.to_thread(late) if hasattr(asyncio, 'to_thread') else late()

def late():
    with block('late'):
        spin(0.1)

asyncio.run(main())
";

#[tokio::test]
async fn tasks_that_take_turns_have_their_own_cpu_time() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    for (_, python) in pythons::of_minors(&[8, 11, 13]) {
        let code = format!("{SPIN}{TASKS}");
        let answer = blocks(&session, json!({"code": code, "python": python})).await;
        let text = &answer.text;
        let at = |name: &str| row(&answer, "marker", &["all", name]);
        for name in ["light", "heavy", "step", "late"] {
            assert_eq!(at(name)["calls"], 1, "{text}");
        }
        // In turns for most of the time; the other's turn is waiting.
        within(&at("light")["cpu_sec"], 0.045..0.2, text);
        within(&at("heavy")["cpu_sec"], 0.78..1.1, text);
        within(&at("light")["waiting_sec"], 0.3..60.0, text);
        within(&at("step")["cpu_sec"], 0.045..0.15, text);
        within(&at("step")["waiting_sec"], 0.045..60.0, text);
        within(&at("late")["cpu_sec"], 0.09..0.2, text);
        let all = row(&answer, "marker", &["all"]);
        // While both were open nothing is its own.
        let total = f(&all["total_sec"]);
        let longest = f(&at("heavy")["total_sec"]).max(f(&at("light")["total_sec"]));
        assert!(f(&all["self_sec"]) <= total - 0.9 * longest, "{text}");
        within(&all["cpu_sec"], 0.95..1.5, text);
    }
    session.close().await;
}

const THREADS: &str = "\
import contextvars, threading
from concurrent.futures import ThreadPoolExecutor
from scalene_mcp_blocks import block

shared = block('shared')

def job(n):
    for _ in range(500):
        with block('job'):
            with shared:
                with shared:
                    pass

with ThreadPoolExecutor(4) as pool:
    list(pool.map(job, range(4)))
for _ in range(120):
    thread = threading.Thread(target=job, args=(0,))
    thread.start()
    thread.join()
with block('outer'):
    thread = threading.Thread(target=contextvars.copy_context().run, args=(job, 0))
    thread.start()
    thread.join()
spin(0.5)
";

#[tokio::test]
async fn threads_count_exactly_and_nest_by_their_context() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    for (_, python) in pythons::of_minors(&[8, 12]) {
        let code = format!("{SPIN}{THREADS}");
        let answer = blocks(&session, json!({"code": code, "python": python})).await;
        let at = |path: &[&str]| row(&answer, "marker", path)["calls"].clone();
        assert_eq!(at(&["job"]), 62_000, "{}", answer.text);
        // Inside itself it counts, and its time stays where it is.
        assert_eq!(at(&["job", "shared"]), 124_000);
        assert_eq!([at(&["outer"]), at(&["outer", "job"])], [1, 500]);
        assert_eq!(rows(&answer).len(), 5, "{}", answer.text);
    }
    session.close().await;
}

const GENERATORS: &str = "\
import asyncio, inspect
from scalene_mcp_blocks import block

@block('rows')
def rows():
    got = []
    for i in range(4):
        spin(0.02)
        got.append((yield i))
    return got

@block('ticks')
async def ticks():
    for i in range(3):
        spin(0.02)
        yield i

@block('failing')
def failing():
    try:
        yield 1
    except KeyError:
        yield 'caught'

def held():
    with block('held'):
        yield 1
        yield 2

class Shop:
    @block('static')
    @staticmethod
    def static(x): return x
    @block('method')
    def method(self, x, *, y): return (x, y)

def use():
    generator, got = rows(), None
    next(generator)
    try:
        while True:
            with block('consume'):
                spin(0.05)
            generator.send('x')
    except StopIteration as stop:
        got = stop.value
    return got

async def main():
    async for _ in ticks():
        with block('between'):
            spin(0.05)

with block('use'):
    print(use())
asyncio.run(main())
generator = failing()
print(next(generator), generator.throw(KeyError()))
generator.close()
one = held()
next(one)
with block('after'):
    next(one)
    for _ in one: pass
    with block('inside'):
        pass
with block('free'):
    pass
print(Shop.static(7), Shop().method(1, y=2), Shop.method.__name__, inspect.isgeneratorfunction(rows),
      inspect.isasyncgenfunction(ticks), inspect.iscoroutinefunction(main))
";

#[tokio::test]
async fn generators_have_the_time_of_their_own_steps() {
    let place = Place::new();
    let script = place.write("app.py", &format!("{SPIN}{GENERATORS}"));
    let session = Session::open(&place.path()).await;
    for (_, python) in pythons::of_minors(&[8, 13]) {
        let asked = json!({"script_path": script, "python": python, "memory": false});
        let profile = session.call("profile_script", asked).await;
        let printed = "['x', 'x', 'x', 'x']\n1 caught\n7 (1, 2) method True True True\n";
        assert_eq!(profile.structured["stdout"]["head"], printed, "{}", profile.text);
        assert!(profile.text.contains("Block use: "), "{}", profile.text);
        let answer = session.call("get_blocks", json!({"profile_id": "latest"})).await;
        let text = &answer.text;
        let at = |path: &[&str]| row(&answer, "marker", path);
        assert_eq!(at(&["use", "rows"])["calls"], 1, "{text}");
        within(&at(&["use", "rows"])["cpu_sec"], 0.075..0.15, text);
        assert_eq!(at(&["use", "consume"])["calls"], 4, "not inside the generator: {text}");
        within(&at(&["use", "consume"])["cpu_sec"], 0.19..0.3, text);
        within(&at(&["ticks"])["cpu_sec"], 0.055..0.12, text);
        assert_eq!(at(&["between"])["calls"], 3, "{text}");
        for path in [&["failing"] as &[&str], &["static"], &["method"], &["held"], &["free"]] {
            assert_eq!(at(path)["calls"], 1, "{path:?} {text}");
        }
        // What is entered while a generator stands still in a block counts as inside it.
        assert_eq!(at(&["held", "after"])["calls"], 1, "{text}");
        assert_eq!(at(&["held", "after", "inside"])["calls"], 1, "{text}");
    }
    session.close().await;
}

const PROCESSES: &str = "\
import multiprocessing, os, subprocess, sys
from scalene_mcp_blocks import block

def work(n):
    with block('work'):
        spin(0.05)
    return n

if __name__ == '__main__':
    with block('main'):
        with multiprocessing.get_context('fork').Pool(2) as pool:
            pool.map(work, range(6), chunksize=1)
            pool.close()
            pool.join()
        with multiprocessing.get_context('spawn').Pool(1) as pool:
            pool.map(work, range(2))
            pool.close()
            pool.join()
        spin(0.3)
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn children_of_the_program_are_counted_too() {
    let place = Place::new();
    place.write("app.py", &format!("{SPIN}{PROCESSES}"));
    let session = Session::open(&place.path()).await;
    let answer = blocks(&session, json!({"script_path": "app.py"})).await;
    let forked = row(&answer, "marker", &["main", "work"]);
    assert_eq!(forked["calls"], 6, "{}", answer.text);
    within(&forked["cpu_sec"], 0.29..0.6, &answer.text);
    assert_eq!(row(&answer, "marker", &["work"])["calls"], 2, "{}", answer.text);
    assert_eq!(row(&answer, "marker", &["main"])["calls"], 1, "{}", answer.text);
    assert!(answer.text.contains("processes: their seconds add up"), "{}", answer.text);
    session.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_confined_program_can_mark_blocks() {
    let place = Place::new();
    place.write("app.py", &format!("{SPIN}{PROCESSES}"));
    let session = Session::open(&place.path()).await;
    let answer = blocks(&session, json!({"script_path": "app.py", "sandbox": "strict"})).await;
    assert_eq!(row(&answer, "marker", &["main", "work"])["calls"], 6, "{}", answer.text);
    assert_eq!(row(&answer, "marker", &["work"])["calls"], 2, "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn a_program_keeps_its_own_module_of_that_name() {
    let place = Place::new();
    place.write(&format!("{BLOCKS_MODULE}.py"), "print('mine')\n");
    place.write("app.py", &format!("{SPIN}import {BLOCKS_MODULE}\nspin(0.5)\n"));
    let session = Session::open(&place.path()).await;
    let profile =
        session.call("profile_script", json!({"script_path": "app.py", "memory": false})).await;
    assert_eq!(profile.structured["stdout"]["head"], "mine\n", "{}", profile.text);
    let answer = session.call("get_blocks", json!({"profile_id": "latest"})).await;
    assert!(rows(&answer).is_empty(), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn a_profile_without_blocks_says_how_to_name_some() {
    let place = Place::new();
    let program = format!("{SPIN}def main():\n    spin(0.6)\nmain()\n");
    let script = place.write("app.py", &program);
    let session = Session::open(&place.path()).await;
    let answer = blocks(&session, json!({"script_path": script})).await;
    let how = answer.structured["how"].as_str().unwrap().to_owned();
    assert!(answer.text.contains(&how) && answer.text.contains("the profile has no blocks"));
    // The call that it recommends works as it stands.
    let next = &answer.structured["next"][0];
    assert_eq!(next["tool"], "profile_script", "{}", answer.text);
    let asked = &next["arguments"]["blocks"][0];
    assert_eq!((&asked["name"], &asked["start_line"]), (&json!("spin"), &json!(3)), "{next}");
    session.call("profile_script", next["arguments"].clone()).await;
    let found = session.call("get_blocks", json!({"profile_id": "latest"})).await;
    assert_eq!(row(&found, "lines", &["spin"])["places"], json!(["app.py:3-7"]), "{}", found.text);

    // So does what is pasted, without us too.
    let lines: Vec<&str> = how
        .lines()
        .filter(|line| line.starts_with("try: ") || line.starts_with("except "))
        .collect();
    assert_eq!(lines.len(), 2, "{how}");
    let uses = "with block('with'):\n    spin(0.2)\n@block('def')\ndef f(x):\n    return x\nprint(f(3), f.__name__)\n";
    let pasted =
        place.write("pasted.py", &format!("{}\n{SPIN}{uses}spin(0.3)\n", lines.join("\n")));
    for (_, python) in pythons::of_minors(&[8, 13]) {
        let plain = pythons::command(&python).arg(&pasted).output().unwrap();
        assert_eq!(String::from_utf8(plain.stdout).unwrap(), "3 f\n", "{python:?}");
        let ours = blocks(&session, json!({"script_path": pasted, "python": python})).await;
        assert_eq!(row(&ours, "marker", &["with"])["calls"], 1, "{}", ours.text);
        assert_eq!(row(&ours, "marker", &["def"])["calls"], 1, "{}", ours.text);
    }
    assert!(how.contains(NO_BLOCKS));
    session.close().await;
}

const ENDLESS: &str = "\
from scalene_mcp_blocks import block

with block('forever'):
    while True:
        with block('round'):
            spin(0.05)
";

#[tokio::test]
async fn a_run_that_is_stopped_keeps_its_blocks() {
    let place = Place::new();
    place.write("app.py", &format!("{SPIN}{ENDLESS}"));
    let session = Session::open(&place.path()).await;
    let answer = blocks(&session, json!({"script_path": "app.py", "timeout": 2.0})).await;
    let text = &answer.text;
    let (all, round) =
        (row(&answer, "marker", &["forever"]), row(&answer, "marker", &["forever", "round"]));
    assert_eq!((&all["calls"], &all["open"]), (&json!(1), &json!(1)), "{text}");
    within(&round["calls"], 4.0..100.0, text);
    assert!(f(&all["total_sec"]) >= 0.99 * f(&round["total_sec"]), "{text}");
    within(&all["total_sec"], 1.0..60.0, text);
    assert!(text.contains("not left by the end of the run: `forever`"), "{text}");
    session.close().await;
}

/// Is killed: a call that Python does not interrupt keeps the handler of SIGTERM from running.
const DEAF: &str = "\
from scalene_mcp_blocks import block

for _ in range(24):
    with block('early'):
        spin(0.05)
with block('late'):
    sum(range(10 ** 15))
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_is_killed_keeps_what_was_written_before() {
    let place = Place::new();
    place.write("app.py", &format!("{SPIN}{DEAF}"));
    let session = Session::open(&place.path()).await;
    let answer = blocks(&session, json!({"script_path": "app.py", "timeout": 12.0})).await;
    let early = row(&answer, "marker", &["early"]);
    within(&early["calls"], 5.0..25.0, &answer.text);
    assert!(answer.text.contains("ended from outside"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn too_many_blocks_are_bounded_and_the_rest_is_said() {
    let place = Place::new();
    let many = "from scalene_mcp_blocks import block\n\
                for n in range(3000):\n    with block(f'item {n}'):\n        pass\n\
                with block('x' * 5000):\n    pass\n\
                def deep(n):\n    with block('deep'):\n        if n: deep(n - 1)\n\
                deep(200)\nspin(0.5)\n";
    let session = Session::open(&place.path()).await;
    let answer = blocks(&session, json!({"code": format!("{SPIN}{many}")})).await;
    assert_eq!(answer.structured["total"], 1000, "{}", answer.text);
    // 2,000 items, the long name, and 201 times `deep`, for which there was no room any more.
    assert!(
        answer.text.contains("2202 entries of further blocks were left out"),
        "{}",
        answer.text
    );
    session.close().await;
}

#[tokio::test]
async fn more_runs_are_one_tree_and_other_runs_know_the_module() {
    let place = Place::new();
    let code = "from scalene_mcp_blocks import block\n\
                @block('part')\ndef part():\n    spin(0.3)\n\
                for _ in range(2):\n    part()\n";
    place.write("app.py", &format!("{SPIN}{code}"));
    let session = Session::open(&place.path()).await;
    let asked = json!({"script_path": "app.py", "repeat": 2, "count_calls": true, "plain_run": true,
        "blocks": [{"name": "function", "function": "part"}]});
    let answer = blocks(&session, asked).await;
    let part = row(&answer, "marker", &["part"]);
    assert_eq!(part["calls"], 2, "a mean: {}", answer.text);
    within(&part["cpu_sec"], 0.59..0.8, &answer.text);
    assert_eq!(row(&answer, "function", &["function"])["calls"], 2, "{}", answer.text);
    let profile = session.call("get_profile", json!({"profile_id": "latest"})).await;
    assert!(profile.structured["summary"]["plain_elapsed_sec"].is_number(), "{}", profile.text);
    session.close().await;
}

#[tokio::test]
async fn blocks_of_two_profiles_are_compared_by_their_path() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    for seconds in [0.8, 0.2] {
        let code = format!(
            "{SPIN}from scalene_mcp_blocks import block\nwith block('all'):\n    with block('part'):\n        \
             spin({seconds})\n    spin(0.3)\n"
        );
        place.write("app.py", &code);
        session.call("profile_script", json!({"script_path": "app.py", "memory": false})).await;
    }
    let ids = json!({"profile_id1": "previous", "profile_id2": "latest"});
    let answer = session.call("compare_profiles", ids).await;
    let part = rows(&answer).iter().find(|row| row["path"] == json!(["all", "part"])).unwrap();
    assert!(f(&part["ratio"]) < 0.6, "{}", answer.text);
    assert_eq!((&part["calls_before"], &part["calls_after"]), (&json!(1), &json!(1)), "{part}");
    assert!(answer.text.contains("all > part"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn blocks_that_cannot_be_are_refused_before_anything_runs() {
    let place = Place::new();
    place.write("app.py", "def parse():\n    pass\n\nclass A:\n    def same(self): pass\nclass B:\n    def same(self): pass\n");
    place.write("one.py", "def twice(): pass\n");
    place.write("two.py", "def twice(): pass\ndef elsewhere():\n    open('ran', 'w')\n");
    let session = Session::open(&place.path()).await;
    let lines = |start: u32, end: u32| json!({"name": "a", "start_line": start, "end_line": end});
    let function = |name: &str| json!({"name": "a", "function": name});
    let many: Vec<_> =
        (0..51).map(|n| json!({"name": n.to_string(), "start_line": 1, "end_line": 1})).collect();
    for (blocks, part) in [
        (json!([lines(3, 2)]), "lines 3 to 2 are none"),
        (json!([lines(1, 99)]), "which has 7 lines"),
        (json!([lines(1, 2), lines(2, 3)]), "two blocks are named `a`"),
        (json!([{"name": "a", "file": "ap.py", "start_line": 1, "end_line": 1}]), "app.py"),
        (json!([{"name": "a", "start_line": 1}]), "give start_line and end_line, or function"),
        (json!([function("pars")]), "closest: parse"),
        (json!([function("same")]), "several functions: A.same, B.same"),
        (json!([function("twice")]), "several files have a function `twice`"),
        (json!([{"name": "a", "file": "one.py", "function": "elsewhere"}]), "has no function"),
        (json!([{"name": "a", "lines": 3}]), "unknown field `lines`"),
        (json!(many), "51 are more than 50"),
        (json!([{"name": "", "start_line": 1, "end_line": 1}]), "1 to 200 characters"),
    ] {
        let text = session
            .failure("profile_script", json!({"script_path": "app.py", "blocks": blocks.clone()}))
            .await;
        assert!(text.starts_with("invalid_argument: ") && text.contains(part), "{blocks}: {text}");
    }
    let text = session
        .failure("profile_script", json!({"script_path": "-m app", "blocks": [lines(1, 2)]}))
        .await;
    assert!(text.contains("name the `file`"), "{text}");
    session.close().await;
}

#[tokio::test]
async fn lines_that_overlap_or_never_ran_are_told() {
    let place = Place::new();
    let code = format!(
        "{SPIN}def idle():\n    spin(9)\ndef main():\n    spin(0.4)\n    spin(0.4)\n    spin(0.4)\nmain()\n"
    );
    let session = Session::open(&place.path()).await;
    let asked = json!({"code": code, "blocks": [
        {"name": "first", "start_line": 12, "end_line": 13},
        {"name": "second", "start_line": 13, "end_line": 14},
        {"name": "idle", "function": "idle"},
    ]});
    let answer = blocks(&session, asked).await;
    assert!(answer.text.contains("`first` and `second` overlap"), "{}", answer.text);
    assert!(answer.text.contains("no sample fell into `idle`"), "{}", answer.text);
    let (both, alone) =
        (row(&answer, "lines", &["first", "second"]), row(&answer, "lines", &["second"]));
    assert!(f(&both["total_sec"]) > 0.2 && f(&alone["total_sec"]) > 0.2, "{}", answer.text);
    session.close().await;
}

/// `price` takes three quarters of its time on line 8, and a quarter on line 9.
const SHOP: &str = "\
def step(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total

def price(n):
    first = step(3 * n)
    second = step(n)
    return first + second
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn every_way_in_tells_its_blocks() {
    let place = Place::new();
    place.write("shop.py", SHOP);
    place.write("endless.py", "import shop\nwhile True:\n    shop.price(20_000)\n");
    let suite = "import unittest\nfrom shop import price\n\n\
                 class Prices(unittest.TestCase):\n    def test_price(self):\n        \
                 self.assertGreater(price(1_000_000), 0)\n";
    place.write("test_shop.py", suite);
    let python = pythons::system_python();
    let endless =
        Started::new(pythons::command(&python).arg("endless.py").current_dir(place.path()));
    let session = Session::open(&place.path()).await;
    let ways = [
        ("profile_process", json!({"pid": endless.pid(), "duration_sec": 4})),
        ("profile_function", json!({"target": "shop.py:price", "args": [20_000], "memory": false})),
        ("profile_tests", json!({"selector": ["test_shop"]})),
        (
            "profile_script",
            json!({"script_path": "endless.py", "engine": "sampler", "duration_sec": 2}),
        ),
    ];
    for (tool, arguments) in ways {
        let mut all = json!({"wait_sec": 300, "blocks": [
            {"name": "all", "function": "price", "file": "shop.py"},
            {"name": "first", "file": "shop.py", "start_line": 8, "end_line": 8},
            {"name": "second", "file": "shop.py", "start_line": 9, "end_line": 9}]});
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        session.call(tool, all).await;
        let answer = session.call("get_blocks", json!({"profile_id": "latest"})).await;
        let whole = f(&row(&answer, "function", &["all"])["total_sec"]);
        let parts =
            ["first", "second"].map(|name| f(&row(&answer, "lines", &["all", name])["total_sec"]));
        let told = format!("{tool}\n{}", answer.text);
        assert!(whole > 0.3, "{told}");
        assert!((0.55..0.92).contains(&(parts[0] / whole)), "{told}");
        assert!((0.9..1.05).contains(&((parts[0] + parts[1]) / whole)), "{told}");
    }
    drop(endless);
    let wrong = json!({"pid": std::process::id(), "blocks": [{"name": "a"}]});
    let failure = session.failure("profile_process", wrong).await;
    assert!(failure.contains("blocks: `a`: give start_line and end_line"), "{failure}");
    session.close().await;
}
