//! Parts of runs: programs that do not end, warm-up that is skipped, a command that drives a server.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::Place;
use crate::support::traces::{processes_with, until};

/// Works for ever in `work`, after `start` seconds in `warm_up`; says when it begins, and how it ends.
fn endless(start: f64) -> String {
    format!(
        "\
import signal, sys, time

def busy(until):
    while time.perf_counter() < until:
        pass

def warm_up(until):
    while time.perf_counter() < until:
        kept.append(bytearray(20_000))

def work():
    total = 0
    for n in range(20_000):
        total += n * n % 7
    return total

def end(number, frame):
    print('bye', flush=True)
    sys.exit(0)

kept = []
if 'handler' in sys.argv:
    signal.signal(signal.SIGTERM, end)
warm_up(time.perf_counter() + {start})
print('ready', 'now', flush=True)
began = time.perf_counter()
while 'short' not in sys.argv or time.perf_counter() < began + 2.5:
    work()
"
    )
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Share of the time in a function, in percent.
fn share(answer: &Value, function: &str) -> f64 {
    let lines = answer["cpu_profile"]["lines"].as_object().unwrap();
    let own = lines.values().filter(|line| line["function_name"] == function);
    own.map(|line| number(&line["percent_of_total"])).sum()
}

fn warnings(answer: &Value) -> String {
    answer["warnings"].to_string()
}

/// A port that nobody has.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_program_that_does_not_end_is_profiled_for_as_long_as_asked() {
    let place = Place::new();
    place.write("app.py", &endless(0.0));
    let session = Session::open(&place.path()).await;
    for (args, said) in [(json!([]), ""), (json!(["handler"]), "bye")] {
        let arguments =
            json!({"script_path": "app.py", "args": args, "duration_sec": 2, "memory": false});
        let answer = session.call("profile_script", arguments).await;
        let found = &answer.structured;
        assert_eq!(found["status"], "complete", "{}", answer.text);
        assert_eq!(found["outcome"]["description"], "stopped at the end of the part asked for");
        assert_eq!(found["window"]["ended_by"], "duration_sec");
        assert_eq!(found["window"]["from_sec"], 0.0);
        let elapsed = number(&found["summary"]["elapsed_time_sec"]);
        assert!((1.5..4.0).contains(&elapsed), "{}", answer.text);
        assert!(share(found, "work") > 80.0, "{}", answer.text);
        assert!(found["errors"].as_array().unwrap().is_empty(), "{}", answer.text);
        assert!(found["stdout"]["head"].as_str().unwrap().contains(said), "{}", answer.text);
        assert!(answer.text.contains("Covered: "), "{}", answer.text);
    }
    session.close().await;
}

#[tokio::test]
async fn what_comes_before_the_part_is_not_in_it() {
    let place = Place::new();
    place.write("app.py", &endless(1.5));
    let session = Session::open(&place.path()).await;
    let base = json!({"script_path": "app.py", "args": ["short"]});
    let late = [json!({"delay_sec": 2.0}), json!({"ready": "output:ready now"})];
    for extra in late {
        let mut arguments = base.clone();
        let all = arguments.as_object_mut().unwrap();
        all.extend(extra.as_object().unwrap().clone());
        let answer = session.call("profile_script", arguments).await;
        let found = &answer.structured;
        assert_eq!(found["outcome"]["exit_code"], 0, "{}", answer.text);
        assert_eq!(found["window"]["ended_by"], "program", "{}", answer.text);
        assert!(number(&found["window"]["from_sec"]) >= 1.4, "{}", answer.text);
        assert!(share(found, "work") > 80.0, "{}", answer.text);
        assert!(share(found, "warm_up") < 5.0, "{}", answer.text);
        let elapsed = number(&found["summary"]["elapsed_time_sec"]);
        assert!((0.5..4.0).contains(&elapsed), "{}", answer.text);
        // What the start allocates, some 100 MiB, is not the part's.
        let memory = found["memory_profile"]["lines"].as_object().unwrap();
        assert!(
            !memory.values().any(|line| line["content"].as_str().unwrap().contains("bytearray")),
            "{}",
            answer.text
        );
    }
    session.close().await;
}

/// Serves on the port in its first argument; `hot` is where a request's time goes.
const SERVER: &str = "\
import http.server, sys, time

def hot():
    total = 0
    for n in range(400_000):
        total += n * n % 7
    return total

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'%d' % hot()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

def start():
    until = time.perf_counter() + 1.0
    while time.perf_counter() < until:
        pass

start()
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()
";

/// Asks a server again and again, for as many seconds as its second argument says, and ends with its third.
const CLIENT: &str = "\
import sys, time, urllib.request
port, seconds, code = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
until, asked = time.perf_counter() + seconds, 0
while time.perf_counter() < until:
    urllib.request.urlopen('http://127.0.0.1:%d/' % port, timeout=20).read()
    asked += 1
print('asked', asked, 'times')
if code:
    sys.stderr.write('it is as it is\\n')
sys.exit(code)
";

#[tokio::test]
async fn a_server_is_profiled_while_a_command_asks_it() {
    let place = Place::new();
    place.write("server.py", SERVER);
    place.write("client.py", CLIENT);
    let session = Session::open(&place.path()).await;
    for code in [0, 3] {
        let port = free_port().to_string();
        let arguments = json!({
            "script_path": "server.py", "args": [port], "memory": false, "ready": format!("port:{port}"),
            "drive": ["python", "client.py", port, "2.5", code.to_string()],
        });
        let answer = session.call("profile_script", arguments).await;
        let found = &answer.structured;
        assert_eq!(found["status"], "complete", "{}", answer.text);
        assert_eq!(found["window"]["ended_by"], "drive", "{}", answer.text);
        assert!(number(&found["window"]["from_sec"]) >= 0.9, "{}", answer.text);
        assert_eq!(found["drive"]["exit_code"], code, "{}", answer.text);
        let said = found["drive"]["stdout"]["head"].as_str().unwrap();
        assert!(said.starts_with("asked ") && said.ends_with(" times\n"), "{said}");
        let id = json!({"profile_id": found["profile_id"]});
        let hot = session.call("get_cpu_hotspots", id.clone()).await;
        assert_eq!(hot.structured["hotspots"][0]["function_name"], "hot", "{}", hot.text);
        assert!(share(found, "hot") > 20.0, "{}", answer.text);
        assert!(share(found, "start") < 3.0, "{}", answer.text);
        let elapsed = number(&found["summary"]["elapsed_time_sec"]);
        assert!((2.0..6.0).contains(&elapsed), "{}", answer.text);
        let failed = warnings(found).contains("failed with exit code 3 (it is as it is)");
        assert_eq!(failed, code == 3, "{}", answer.text);
        // A server cannot be run in turns with another version of itself.
        let next = session.call("get_bottlenecks", id).await;
        assert!(!next.text.contains("verify_speedup"), "{}", next.text);
    }
    session.close().await;
}

#[tokio::test]
async fn a_command_goes_on_no_longer_than_what_it_drives() {
    let place = Place::new();
    let marker = format!("SMT_MARKER={}", place.path().display());
    let (name, value) = marker.split_once('=').unwrap();
    place.write("app.py", &endless(0.0));
    place.write("ends.py", "import time\nprint('up', flush=True)\nuntil = time.time() + 2\nwhile time.time() < until: pass\n");
    place.write("sleeps.py", "import time\nopen('driven', 'w').close()\ntime.sleep(1000)\n");
    let session = Session::open_with(server_command(&place.path(), &[])).await;
    let call = |script: &str, duration: Option<f64>| {
        json!({
            "script_path": script, "memory": false, "ready": "0.2", "duration_sec": duration,
            "drive": ["python3", "sleeps.py"], "env": {name: value},
        })
    };
    let cut = session.call("profile_script", call("app.py", Some(1.5))).await;
    assert_eq!(cut.structured["window"]["ended_by"], "duration_sec", "{}", cut.text);
    assert_eq!(cut.structured["drive"]["description"], "stopped with the program", "{}", cut.text);
    assert!(
        warnings(&cut.structured).contains("was not over when duration_sec was"),
        "{}",
        cut.text
    );
    let ended = session.call("profile_script", call("ends.py", None)).await;
    assert_eq!(ended.structured["window"]["ended_by"], "program", "{}", ended.text);
    assert_eq!(ended.structured["outcome"]["exit_code"], 0, "{}", ended.text);
    assert!(
        warnings(&ended.structured).contains("ended before the drive command"),
        "{}",
        ended.text
    );
    assert_eq!(processes_with(&marker), Vec::<u32>::new(), "{}", ended.text);

    // Taken back in the middle of it.
    std::fs::remove_file(place.path().join("driven")).unwrap();
    let mut wait = call("app.py", None);
    wait["wait_sec"] = json!(0);
    let id = session.call("profile_script", wait).await.structured["profile_id"].clone();
    until("it is driven", || place.path().join("driven").exists()).await;
    // Long enough that there is something to keep.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stopped = session.call("stop_profile", json!({"profile_id": id})).await;
    assert_eq!(stopped.structured["status"], "partial", "{}", stopped.text);
    assert_eq!(processes_with(&marker), Vec::<u32>::new(), "{}", stopped.text);
    session.close().await;
}

#[tokio::test]
async fn a_part_that_never_begins_is_an_error_with_the_reason() {
    let place = Place::new();
    place.write("app.py", &endless(0.0));
    place.write("short.py", "print('no port here')\n");
    let session = Session::open(&place.path()).await;
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let open = format!("port:{}", taken.local_addr().unwrap().port());
    let closed = format!("port:{}", free_port());
    let drive = json!(["python", "-c", "pass"]);
    let cases = [
        (json!({"ready": open}), "invalid_argument: ready: port", "is open already"),
        (json!({"ready": "8000"}), "not_ready", "waited for 8000 s to pass"),
        (
            json!({"ready": closed, "drive": drive}),
            "not_ready",
            "ended while it was waited for port",
        ),
        (json!({"ready": "output:no port here", "delay_sec": 60}), "not_ready", "the program"),
        (json!({"drive": drive}), "invalid_argument: ready", "say when that is"),
        (
            json!({"ready": "0", "drive": ["no-such-program", "x"]}),
            "invalid_argument: drive",
            "no program `no-such-program`",
        ),
        (json!({"ready": "0", "drive": []}), "invalid_argument: drive", "the list is empty"),
        (json!({"ready": "when it is up"}), "invalid_argument: ready", "none of port:NUMBER"),
        (json!({"duration_sec": 0}), "invalid_argument: duration_sec", "nothing to profile"),
        (
            json!({"duration_sec": 1, "plain_run": true}),
            "invalid_argument: plain_run",
            "only a part",
        ),
    ];
    for (extra, code, why) in cases {
        let mut arguments = json!({"script_path": "short.py", "memory": false});
        arguments.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let failure = session.failure("profile_script", arguments).await;
        assert!(failure.starts_with(code) && failure.contains(why), "{extra}: {failure}");
    }
    let late = json!({"script_path": "app.py", "ready": closed, "timeout": 2, "memory": false});
    let failure = session.failure("profile_script", late).await;
    assert!(failure.starts_with("not_ready: ") && failure.contains("ready now"), "{failure}");
    session.close().await;
}
