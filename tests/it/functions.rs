//! Calls of one function: what a call takes, and a profile of the calls alone.

use serde_json::{Value, json};

use crate::support::client::{Answer, Session};
use crate::support::place::Place;
use crate::support::pythons;
use crate::support::traces::until;

/// Its import takes a second and a half.
const SHOP: &str = r#"
import time
from functools import lru_cache

RATE = 3

def prepare(seconds):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(50))

prepare(1.5)

def quote(qty, unit="kg", *, rate=RATE):
    total = 0
    for step in range(qty):
        total += step % 97 * rate
    return total

def helper(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total

class Cart:
    def __init__(self, size):
        self.size = size
    def total(self):
        return helper(self.size)
    @classmethod
    def of(cls, size):
        return cls(size).total()
    @staticmethod
    def fixed(size):
        return helper(size)

async def fetch(n):
    return helper(n)

def each(n):
    for i in range(n):
        yield i * i % 7

async def stream(n):
    for i in range(n):
        yield i * i % 7

def drain(items):
    total = 0
    while items:
        total += items.pop() % 7
    return total

def fill(n):
    return [i * i % 7 for i in range(n)]

TABLE = {}
def lookup(n):
    if not TABLE:
        prepare(0.2)
        TABLE.update((i, i) for i in range(1000))
    total = 0
    for i in range(n):
        total += TABLE[i % 1000]
    return total

def broken(n):
    if n > 2:
        raise ValueError("n is %d" % n)
    return helper(2000)

COUNT = 7
"#;

async fn profiled(session: &Session, arguments: Value) -> Answer {
    let mut all = json!({"memory": false, "min_time_sec": 0.8});
    all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
    session.call("profile_function", all).await
}

/// Share of the lines of a function, in percent.
async fn share(session: &Session, function: &str) -> f64 {
    let answer = session
        .call("get_function_summary", json!({"profile_id": "latest", "limit": 50}))
        .await
        .structured;
    let rows = answer["functions"].as_array().unwrap().iter();
    let of = |row: &Value| {
        let named = row["function_name"].as_str().unwrap() == function;
        named.then(|| row["percent_of_total_cpu"].as_f64().unwrap_or(0.0))
    };
    rows.filter_map(of).sum()
}

#[tokio::test]
async fn the_profile_is_of_the_calls_alone() {
    let place = Place::new();
    place.write("shop/__init__.py", "");
    place.write("shop/pricing.py", SHOP);
    for python in pythons::of_both_kinds() {
        let session = Session::open(&place.path()).await;
        let call = json!({"target": "shop.pricing:quote", "args": [20_000, "t"],
            "kwargs": {"rate": 2}, "setup": "prepare(1.5)", "memory": true, "min_time_sec": 1.5,
            "python": python});
        let answer = profiled(&session, call).await;
        let found = &answer.structured["per_call"];
        let of = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{name} in {found}"));
        assert!(0.0 < of("min_sec") && of("min_sec") <= of("median_sec"), "{found}");
        assert!(of("median_sec") <= of("p95_sec"), "{found}");
        // A call is some thousand additions; the import takes a second and a half.
        assert!(of("first_call_sec") < 1.0 && of("median_sec") < 0.1, "{found}");
        assert!(of("calls") >= 5.0 && of("profiled_calls") >= 2.0, "{found}");
        assert!(of("peak_bytes") < 100_000.0, "{found}");
        assert!(answer.text.contains("Per call: median "), "{}", answer.text);
        let top = &answer.structured["top_lines"][0];
        assert_eq!(top["function_name"], "quote", "{}", answer.text);
        let quote = share(&session, "quote").await;
        assert!(quote > 90.0, "{python:?}: {quote} %\n{}", answer.text);
        assert!(!answer.text.contains("prepare"), "{}", answer.text);
        let elapsed = answer.structured["summary"]["elapsed_time_sec"].as_f64().unwrap();
        assert!(elapsed >= 0.9, "{elapsed}");
        #[cfg(target_os = "linux")]
        {
            let paths = session.call("get_call_paths", json!({"profile_id": "latest"})).await;
            let root = &paths.structured["calls"][0];
            assert_eq!(root["function_name"], "quote", "{}", paths.text);
            assert!(root["percent_of_total"].as_f64().unwrap() > 90.0, "{}", paths.text);
        }
        session.close().await;
    }
}

#[tokio::test]
async fn every_kind_of_function_is_called_as_it_is_meant() {
    let place = Place::new();
    let file = place.write("lib/shop.py", &SHOP.replace("prepare(1.5)\n", ""));
    let session = Session::open(&place.path()).await;
    let call = |name: &str, hot: &'static str| {
        (json!({"target": format!("lib/shop.py:{name}"), "args": [20_000]}), hot)
    };
    let instance = json!({"target": file, "setup": "cart = Cart(20_000)", "call": "cart.total()"});
    let bound =
        json!({"target": format!("{}:cart.total", file.display()), "setup": "cart = Cart(20_000)"});
    let cases = [
        call("fetch", "helper"),
        call("each", "each"),
        call("stream", "stream"),
        call("Cart.of", "helper"),
        call("Cart.fixed", "helper"),
        (instance, "helper"),
        (bound, "helper"),
    ];
    for (mut arguments, hot) in cases {
        arguments["min_time_sec"] = json!(1.2);
        let answer = profiled(&session, arguments.clone()).await;
        let median = answer.structured["per_call"]["median_sec"].as_f64().unwrap();
        // All of 20,000 steps: neither a coroutine nor a generator that was only made.
        assert!(median > 100e-6, "{arguments}: {median}");
        let percent = share(&session, hot).await;
        // The rest of what drives an asynchronous generator is the event loop, which each call makes anew.
        assert!(percent > 65.0, "{arguments}: {percent} %\n{}", answer.text);
    }
    // A function of the library's in C has no lines: the call itself stands for it.
    let native = json!({"target": "math:factorial", "args": [3000]});
    let answer = profiled(&session, native).await;
    let top = answer.structured["top_lines"][0]["location"].as_str().unwrap().to_owned();
    assert_eq!(top, "<snippet>:1", "{}", answer.text);
    // One of Python's own library has.
    let call = "textwrap.wrap('a bc def ' * 300)";
    let library = json!({"target": "textwrap", "setup": "import textwrap", "call": call});
    profiled(&session, library).await;
    let library = json!({"target": "textwrap:wrap", "args": ["a bc def ".repeat(300)]});
    let answer = profiled(&session, library).await;
    assert!(answer.text.contains("textwrap.py:"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn what_is_renewed_before_each_call_is_not_measured() {
    let place = Place::new();
    place.write("shop.py", &SHOP.replace("prepare(1.5)\n", ""));
    let session = Session::open(&place.path()).await;
    let call = json!({"target": "shop:drain", "setup_each": "items = fill(100_000)", "call": "drain(items)",
        "min_time_sec": 1.0});
    let answer = profiled(&session, call).await;
    let [drain, fill] = [share(&session, "drain").await, share(&session, "fill").await];
    assert!(drain > 85.0 && fill < 10.0, "drain {drain} %, fill {fill} %\n{}", answer.text);
    assert_eq!(answer.structured["per_call"]["notes"], json!([]), "{}", answer.text);

    // Without it the first call leaves nothing for the others, and that is said.
    let spoilt = json!({"target": "shop:drain", "args": [vec![1; 100_000]]});
    let answer = profiled(&session, spoilt).await;
    let notes = answer.structured["per_call"]["notes"].to_string();
    assert!(
        notes.contains("changes its arguments") && notes.contains("the first call took"),
        "{notes}"
    );
    session.close().await;
}

#[tokio::test]
async fn a_first_call_that_differs_is_told_and_two_profiles_compare_a_call() {
    let place = Place::new();
    place.write("shop.py", &SHOP.replace("prepare(1.5)\n", ""));
    let session = Session::open(&place.path()).await;
    let lookup = |n: u32| json!({"target": "shop:lookup", "args": [n]});
    let first = profiled(&session, lookup(20_000)).await;
    let notes = first.structured["per_call"]["notes"].to_string();
    assert!(notes.contains("the first call took") && notes.contains("caches"), "{notes}");
    let percent = share(&session, "prepare").await;
    assert!(percent < 5.0, "{percent} % in what only the first call does");
    let second = profiled(&session, lookup(60_000)).await;
    let id = |answer: &Answer| answer.structured["profile_id"].clone();
    let ids = json!({"profile_id1": id(&first), "profile_id2": id(&second)});
    let compared = session.call("compare_profiles", ids).await;
    let change = &compared.structured["per_call"];
    let of = |name: &str| change[name].as_f64().unwrap();
    // The shortest call is hardly disturbed by what else the machine does.
    let ratio = of("min_after_sec") / of("min_before_sec");
    assert!((1.5..6.0).contains(&ratio), "three times the work: {change}");
    assert!(change["median_change_pct"].is_number(), "{change}");
    assert!(compared.text.contains("Per call, without a profiler: median "), "{}", compared.text);
    assert_eq!(compared.structured["reasons"][0]["code"], "repeated_calls", "{}", compared.text);
    session.close().await;
}

#[tokio::test]
async fn what_cannot_be_called_says_why() {
    let place = Place::new();
    place.write("shop/__init__.py", "");
    place.write("shop/pricing.py", &SHOP.replace("prepare(1.5)\n", ""));
    place.write("shop/torn.py", "import nothing_of_this_name\n");
    let session = Session::open(&place.path()).await;
    let failure = async |arguments: Value| session.failure("profile_function", arguments).await;
    let of = |target: &str| json!({"target": format!("shop.pricing:{target}"), "memory": false});
    let with = |target: &str, key: &str, value: Value| {
        let mut arguments = of(target);
        arguments[key] = value;
        arguments
    };
    for (arguments, code, said) in [
        (json!({"target": "shop.princing:quote"}), "target_not_found", "shop.pricing"),
        (json!({"target": "shpo.pricing:quote"}), "target_not_found", "no module `shpo`"),
        (of("qoute"), "target_not_found", "there are: quote"),
        (of("Cart.totl"), "target_not_found", "there are: total"),
        (of("COUNT"), "not_callable", "is a int"),
        (of("Cart.total"), "bad_call", "method of an instance"),
        (of("quote"), "bad_call", "missing a required argument: 'qty'"),
        (
            with("quote", "kwargs", json!({"quantity": 3})),
            "bad_call",
            "quote(qty, unit='kg', *, rate=3)",
        ),
        (with("quote", "call", json!("quote(3")), "bad_call", "`call` is no Python"),
        (with("quote", "setup", json!("1 / 0")), "setup_failed", "ZeroDivisionError"),
        (json!({"target": "shop.torn:f"}), "setup_failed", "nothing_of_this_name"),
        (with("broken", "args", json!([3])), "call_failed", "ValueError: n is 3"),
        (
            json!({"target": "shop.pricing.quote"}),
            "invalid_argument",
            "did you mean `shop.pricing:quote`?",
        ),
        (json!({"target": "shop/prices.py:quote"}), "script_not_found", "pricing.py"),
        (with("quote", "args", json!("[3]")), "invalid_argument", "expected a list"),
        (with("quote", "kwargs", json!([3])), "invalid_argument", "expected an object"),
        (with("quote", "min_time_sec", json!(0)), "invalid_argument", "min_time_sec"),
    ] {
        let text = failure(arguments.clone()).await;
        assert!(
            text.starts_with(&format!("{code}: ")) && text.contains(said),
            "{arguments}: {text}"
        );
    }
    let raised = failure(with("broken", "args", json!([3]))).await;
    assert!(raised.contains("Traceback (most recent call last)"), "{raised}");
    assert!(raised.contains("pricing.py\", line") && raised.contains("in broken"), "{raised}");
    assert!(!raised.contains("call.py"), "what is ours is no part of it: {raised}");
    // One that raises later says when.
    let later = json!({"target": "shop.pricing:broken", "memory": false, "setup": "n = iter(range(4))", "call": "broken(next(n))"});
    let later = failure(later).await;
    assert!(later.starts_with("call_failed: ") && later.contains("calls or more"), "{later}");
    session.close().await;
}

#[tokio::test]
async fn a_call_that_never_returns_has_a_partial_profile() {
    let place = Place::new();
    place.write("shop.py", &SHOP.replace("prepare(1.5)\n", ""));
    let session = Session::open(&place.path()).await;
    let call = json!({"target": "shop:prepare", "args": [3600], "timeout": 2});
    let answer = profiled(&session, call).await;
    assert_eq!(answer.structured["status"], "partial", "{}", answer.text);
    assert_eq!(answer.structured["per_call"], Value::Null);
    assert!(answer.text.contains("nothing is known of single calls"), "{}", answer.text);
    assert!(answer.text.contains("shop.py:"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn calls_that_do_not_end_can_be_stopped_while_they_are_timed() {
    let place = Place::new();
    let hangs = "import time\ndef f():\n    print('in it', flush=True)\n    \
                 open('began', 'w').close()\n    time.sleep(600)\n";
    place.write("hangs.py", hangs);
    let session = Session::open(&place.path()).await;
    let call = json!({"target": "hangs.py:f", "wait_sec": 0, "cwd": place.path()});
    let id = session.call("profile_function", call).await.structured["profile_id"].clone();
    let began = place.path().join("began");
    until("the function is called", || began.exists()).await;
    let failure = session.failure("stop_profile", json!({"profile_id": id})).await;
    assert!(failure.starts_with("stopped: ") && failure.contains("in it"), "{failure}");
    session.close().await;
}

/// A coroutine that mostly waits: nothing but the event loop is on the stack then.
#[tokio::test]
async fn a_coroutine_that_waits_is_seen_to_wait() {
    let place = Place::new();
    let code = "import asyncio\ntry:\n    from scalene_mcp_blocks import block\nexcept ImportError:\n    block = None\n\
                assert block is not None\n\n\
                async def fetch(n):\n    await asyncio.sleep(0.05)\n    return sum(i * i for i in range(n))\n";
    place.write("slow.py", code);
    let session = Session::open(&place.path()).await;
    for python in pythons::of_both_kinds() {
        let call = json!({"target": "slow.py:fetch", "args": [5000], "python": python});
        let answer = profiled(&session, call).await;
        let top = &answer.structured["top_lines"][0];
        assert_eq!(top["content"], "fetch(5000)", "{}", answer.text);
        let line = &answer.structured["cpu_profile"]["lines"];
        let waits =
            line.as_object().unwrap().values().find(|line| line["content"] == "fetch(5000)");
        let share = waits.unwrap()["percent_of_total"].as_f64().unwrap();
        assert!(share > 60.0, "{python:?} {share}: {}", answer.text);
    }
    session.close().await;
}
