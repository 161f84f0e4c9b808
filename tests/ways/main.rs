//! Real servers under load from a real client, and real suites of tests, on every Python there is.
//!
//! It takes minutes, needs interpreters that a machine may not have, and the package index on the first
//! run, so `cargo test` leaves it out:
//!
//! ```text
//! cargo test --test ways                        # every Python found
//! cargo test --test ways -- 3.12 uvicorn        # this version, these rows
//! ```
//!
//! It prints one row for each Python and each way, and fails if any row is wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; its table is for people"
)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

#[path = "../it/support/installed.rs"]
mod installed;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

use support::client::{Session, text};
use support::place::Place;
use support::pythons;

/// What all servers serve: `hot` is where a request's time goes, `start` where that of the start goes.
const WORK: &str = "\
import time

def hot():
    total = 0
    for n in range(200_000):
        total += n * n % 7
    return b'%d' % total

def start():
    until = time.perf_counter() + 0.7
    while time.perf_counter() < until:
        pass

start()
";
const WSGI: &str = "\
from work import hot

def app(environ, start_response):
    body = hot()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";
const WAITRESS: &str = "\
import sys
import waitress
from wsgi import app
waitress.serve(app, host='127.0.0.1', port=int(sys.argv[1]), threads=4)
";
const FLASK: &str = "\
import sys
import flask, waitress
from work import hot
app = flask.Flask(__name__)

@app.route('/')
def index():
    return hot()

waitress.serve(app, host='127.0.0.1', port=int(sys.argv[1]), threads=4)
";
const ASGI: &str = "\
from work import hot

async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    body = hot()
    head = [(b'content-length', b'%d' % len(body))]
    await send({'type': 'http.response.start', 'status': 200, 'headers': head})
    await send({'type': 'http.response.body', 'body': body})
";
/// Four callers at once, for five seconds.
const CLIENT: &str = "\
import sys, threading, time, urllib.request
until, asked = time.perf_counter() + 5, []

def ask():
    while time.perf_counter() < until:
        url = 'http://127.0.0.1:%s/' % sys.argv[1]
        asked.append(len(urllib.request.urlopen(url, timeout=30).read()))

threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print('asked', len(asked), 'times')
sys.exit(0 if asked else 1)
";

const CODE: &str = "\
def price(quantity):
    total = 0
    for step in range(quantity):
        total += step * step % 97
    return total
";
const PYTEST: &str = "\
import time
import pytest
from shop import price

@pytest.fixture(scope='session')
def database():
    time.sleep(0.1)
    return {}

@pytest.mark.parametrize('quantity', [200_000, 300_000])
def test_price(quantity, database):
    assert price(quantity) > 0

def test_wrong():
    assert price(3) == 1
";
/// Runs in parallel and with coverage, if nobody turns that off.
const PARALLEL: &str = "[pytest]\naddopts = -n 2 --cov=shop\n";
const UNITTEST: &str = "\
import unittest
from shop import price

class Prices(unittest.TestCase):
    def test_price(self):
        self.assertGreater(price(200_000), 0)

    def test_wrong(self):
        self.assertEqual(price(3), 1)
";

const PACKAGES: [&str; 7] =
    ["waitress", "flask", "gunicorn", "uvicorn", "pytest", "pytest-xdist", "pytest-cov"];
const WAYS: [&str; 7] =
    ["waitress", "flask", "gunicorn", "uvicorn", "pytest", "pytest-parallel", "unittest"];

fn main() -> ExitCode {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let (versions, names): (Vec<String>, Vec<String>) =
        asked.into_iter().partition(|word| word.contains('/') || word.starts_with("3."));
    let ways: Vec<&str> = { WAYS.into_iter() }
        .filter(|way| names.is_empty() || names.iter().any(|name| way.contains(name.as_str())))
        .collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut good, mut bad) = (0, 0);
    for ((major, minor), python) in installed::pythons(&versions) {
        if !(8..=13).contains(&minor) {
            continue;
        }
        let packages = pythons::with_packages(&python, &format!("ways-{major}.{minor}"), &PACKAGES);
        for way in &ways {
            let began = Instant::now();
            let row = runtime.block_on(tried(way, &packages));
            let (word, said) = match &row {
                Ok(said) => ("ok", said),
                Err(said) => ("WRONG", said),
            };
            *(if row.is_ok() { &mut good } else { &mut bad }) += 1;
            let seconds = began.elapsed().as_secs_f64();
            println!("{major}.{minor:<3} {way:<16} {word:<6} {seconds:>5.1} s  {said}");
        }
    }
    println!("{good} passed, {bad} failed");
    ExitCode::from(u8::from(bad > 0 || good == 0))
}

async fn tried(way: &str, python: &Path) -> Result<String, String> {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let tried = match way {
        "waitress" | "flask" | "gunicorn" | "uvicorn" => {
            served(&session, &place, way, python).await
        }
        _ => suite(&session, &place, way, python).await,
    };
    session.close().await;
    tried
}

async fn called(
    session: &Session,
    tool: &str,
    arguments: Value,
) -> Result<(Value, String), String> {
    let result = session.raw(tool, arguments).await;
    let text = text(&result);
    if result.is_error == Some(true) {
        return Err(text);
    }
    Ok((result.structured_content.unwrap(), text))
}

fn share(answer: &Value, function: &str) -> f64 {
    let lines = answer["cpu_profile"]["lines"].as_object().unwrap();
    let own = lines.values().filter(|line| line["function_name"] == function);
    own.map(|line| line["percent_of_total"].as_f64().unwrap()).sum()
}

/// A server, asked by a client.
async fn served(
    session: &Session,
    place: &Place,
    way: &str,
    python: &Path,
) -> Result<String, String> {
    for (name, source) in [
        ("work.py", WORK),
        ("wsgi.py", WSGI),
        ("asgi.py", ASGI),
        ("waitress_app.py", WAITRESS),
        ("flask_app.py", FLASK),
        ("client.py", CLIENT),
    ] {
        place.write(name, source);
    }
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    drop(listener);
    let bind = format!("127.0.0.1:{port}");
    let (script, args) = match way {
        "waitress" => ("waitress_app.py", vec![port.as_str()]),
        "flask" => ("flask_app.py", vec![port.as_str()]),
        "gunicorn" => ("-m gunicorn", vec!["--workers", "1", "--bind", &bind, "wsgi:app"]),
        _ => ("-m uvicorn", vec!["--port", &port, "asgi:app"]),
    };
    let arguments = json!({
        "script_path": script, "args": args, "python": python, "ready": format!("port:{port}"),
        "drive": ["python", "client.py", port], "wait_sec": 300, "cwd": place.path(),
        // Its port is open before its worker has loaded the application.
        "delay_sec": if way == "gunicorn" { 2.0 } else { 0.0 },
    });
    let (answer, text) = called(session, "profile_script", arguments).await?;
    // Waits for the next request are a server's as well: of the time on a CPU the handler has most.
    let id = json!({"profile_id": answer["profile_id"]});
    let (hottest, _) = called(session, "get_cpu_hotspots", id).await?;
    let hot = share(&answer, "hot");
    let right = answer["status"] == "complete"
        && answer["window"]["ended_by"] == "drive"
        && answer["drive"]["exit_code"] == 0
        && hottest["hotspots"][0]["function_name"] == "hot"
        && share(&answer, "start") < 3.0
        && !answer["warnings"].to_string().contains("was killed");
    let said = answer["drive"]["stdout"]["head"].as_str().unwrap_or_default().trim().to_owned();
    if right {
        Ok(format!("hot {hot:.0} %, {said}, warnings {}", answer["warnings"]))
    } else {
        Err(text)
    }
}

/// A suite of tests.
async fn suite(
    session: &Session,
    place: &Place,
    way: &str,
    python: &Path,
) -> Result<String, String> {
    place.write("shop.py", CODE);
    let tests = if way == "unittest" { UNITTEST } else { PYTEST };
    place.write("tests/test_shop.py", tests);
    if way == "pytest-parallel" {
        place.write("pytest.ini", PARALLEL);
    }
    let selector = if way == "unittest" { json!(["tests.test_shop"]) } else { json!(["tests"]) };
    let arguments =
        json!({"selector": selector, "python": python, "wait_sec": 300, "cwd": place.path()});
    let (answer, text) = called(session, "profile_tests", arguments).await?;
    let tests = &answer["tests"];
    let passed = if way == "unittest" { 1 } else { 2 };
    // The fixture of the session sleeps longer than the tests work.
    let lines = answer["top_lines"].as_array().unwrap();
    let first = if way == "unittest" { "price" } else { "database" };
    let mut names = lines.iter().map(|line| line["function_name"].as_str().unwrap());
    let hottest = names.find(|name| *name != "database").unwrap_or_default();
    let in_order = lines[0]["function_name"] == first;
    let warnings = answer["warnings"].to_string();
    let told =
        way != "pytest-parallel" || (warnings.contains("xdist") && warnings.contains("--no-cov"));
    let clean = ["__pycache__", ".pytest_cache", ".coverage"];
    let left: Vec<PathBuf> =
        clean.iter().map(|name| place.path().join(name)).filter(|path| path.exists()).collect();
    let right = tests["passed"] == passed
        && tests["failed"] == 1
        && hottest == "price"
        && in_order
        && told
        && left.is_empty();
    if right {
        Ok(format!("{}, price {:.0} %", tests["runner"], share(&answer, "price")))
    } else {
        Err(format!("{text}\nleft: {left:?}"))
    }
}
