//! What a confined program cannot do, tried by real programs; and that it can do the rest.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use scalene_mcp::ScaleneProfiler;
use scalene_mcp::recording::{Guard, RunRequest, Settings, Target};
use scalene_mcp::sandbox::Mode;
use serde_json::{Map, Value, json};

use crate::support::client::{BINARY, Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::pythons;
use crate::support::traces::names;

const ESCAPES: &str = include_str!("../../fixtures/sandbox/escapes.py");
/// Attempts that have another outcome here whatever the sandbox does.
const ALSO_REFUSED: [&str; 2] = ["plant_counter", "change_attributes"];

/// A project with the program, a folder that is none of its business, and somebody at every socket.
struct Ground {
    project: Place,
    outside: Place,
    results: Place,
    tcp: TcpListener,
    udp: UdpSocket,
    unix: UnixListener,
    datagram: UnixDatagram,
    abstract_unix: UnixListener,
    abstract_name: String,
}

impl Ground {
    fn new() -> Self {
        let (project, outside, results) = (Place::new(), Place::new(), Place::new());
        project.write("escapes.py", ESCAPES);
        outside.write("victim", "as it was");
        outside.write("secret", "a secret");
        let tool = outside.write("tool", "#!/bin/sh\nexit 0\n");
        std::fs::set_permissions(tool, PermissionsExt::from_mode(0o755)).unwrap();
        let abstract_name = format!("smt-{}", outside.path().display());
        let address = SocketAddr::from_abstract_name(&abstract_name).unwrap();
        Self {
            tcp: TcpListener::bind("127.0.0.1:0").unwrap(),
            udp: UdpSocket::bind("127.0.0.1:0").unwrap(),
            unix: UnixListener::bind(results.path().join("socket")).unwrap(),
            datagram: UnixDatagram::bind(results.path().join("datagram")).unwrap(),
            abstract_unix: UnixListener::bind_addr(&address).unwrap(),
            abstract_name,
            project,
            outside,
            results,
        }
    }

    fn call(&self, session: &Session, sandbox: &str) -> Value {
        // Only that: the sockets beside it must not be reached by way of the listed path.
        let folder = self.results.path().join("written");
        std::fs::create_dir_all(&folder).unwrap();
        let harmless = if sandbox == "off" { "1" } else { "" };
        let port =
            |address: std::io::Result<std::net::SocketAddr>| address.unwrap().port().to_string();
        json!({
            "script_path": "escapes.py", "python": pythons::with_scalene("2.4.0"), "memory": false,
            "sandbox": sandbox, "writable": [folder],
            "env": {
                "OUTSIDE": self.outside.path(), "SERVER": session.server_pid.to_string(), "HARMLESS": harmless,
                "TCP": port(self.tcp.local_addr()), "UDP": port(self.udp.local_addr()),
                "SOCKET": self.results.path().join("socket"), "DATAGRAM": self.results.path().join("datagram"),
                "ABSTRACT": self.abstract_name, "RESULTS": folder.join("results.json"),
            }
        })
    }

    fn results(&self) -> Map<String, Value> {
        let path = self.results.path().join("written/results.json");
        let text = std::fs::read_to_string(&path).expect("the program wrote its results");
        std::fs::remove_file(path).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Name, mode, time of change and content of everything outside.
    fn state(&self) -> Vec<(String, u32, i64, Vec<u8>)> {
        let each = names(&self.outside.path()).into_iter().map(|name| {
            let path = self.outside.path().join(&name);
            let found = path.symlink_metadata().unwrap();
            (name, found.mode(), found.ctime_nsec(), std::fs::read(path).unwrap_or_default())
        });
        each.collect()
    }

    /// How many have come to the sockets since the last time: TCP, UDP, path, datagram, abstract.
    fn visitors(&self) -> [usize; 5] {
        self.tcp.set_nonblocking(true).unwrap();
        self.udp.set_nonblocking(true).unwrap();
        self.unix.set_nonblocking(true).unwrap();
        self.datagram.set_nonblocking(true).unwrap();
        self.abstract_unix.set_nonblocking(true).unwrap();
        let buffer = &mut [0; 8];
        [
            std::iter::from_fn(|| self.tcp.accept().ok()).count(),
            std::iter::from_fn(|| self.udp.recv(buffer).ok()).count(),
            std::iter::from_fn(|| self.unix.accept().ok()).count(),
            std::iter::from_fn(|| self.datagram.recv(&mut [0; 8]).ok()).count(),
            std::iter::from_fn(|| self.abstract_unix.accept().ok()).count(),
        ]
    }
}

fn allowed(results: &Map<String, Value>) -> Vec<&str> {
    results.iter().filter(|(_, value)| *value == "allowed").map(|(name, _)| name.as_str()).collect()
}

/// The hot line of the newest profile, and that stacks were sampled beside Scalene.
async fn hot_line(session: &Session) -> String {
    // Not the waits for children.
    let ask = json!({"profile_id": "latest", "include_system": false});
    let hot = session.call("get_cpu_hotspots", ask).await;
    let paths = session.call("get_call_paths", json!({"profile_id": "latest"})).await;
    assert!(paths.text.contains("busy"), "{}", paths.text);
    hot.structured["hotspots"][0]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_escape_works_without_a_sandbox_and_is_refused_in_one() {
    let ground = Ground::new();
    let session = Session::open(&ground.project.path()).await;

    // An attempt that fails anyway proves nothing.
    session.call("profile_script", ground.call(&session, "off")).await;
    let tried = ground.results();
    let refused: Vec<_> =
        tried.iter().filter(|(_, value)| *value != "allowed").map(|(name, _)| name).collect();
    let unexpected: Vec<_> =
        refused.iter().filter(|name| !ALSO_REFUSED.contains(&name.as_str())).collect();
    assert!(unexpected.is_empty(), "fail without a sandbox: {unexpected:?} in {tried:?}");
    assert!(ground.visitors().iter().all(|visitors| *visitors > 0));
    let unconfined = hot_line(&session).await;
    session.close().await;
    assert!(unconfined.contains("n += sum(range(50))"), "{unconfined}");

    for (mode, free) in [("writes", true), ("strict", false)] {
        let ground = Ground::new();
        let session = Session::open(&ground.project.path()).await;
        let before = ground.state();
        let answer = session.call("profile_script", ground.call(&session, mode)).await;
        assert_eq!(answer.structured["status"], "complete", "{}", answer.text);
        let tried = ground.results();
        assert!(tried.len() > tried_at_least(), "{tried:?}");
        let got_out = allowed(&tried);
        let (strict, always): (Vec<&str>, Vec<&str>) =
            got_out.into_iter().partition(|name| name.starts_with("strict_"));
        assert_eq!(always, Vec::<&str>::new(), "{mode}: {tried:?}");
        let of_strict = tried.keys().filter(|name| name.starts_with("strict_")).count();
        assert_eq!(strict.len(), if free { of_strict } else { 0 }, "{mode}: {strict:?}");
        assert_eq!(ground.state(), before, "{mode}");
        let [tcp, udp, others @ ..] = ground.visitors();
        assert_eq!((tcp > 0, udp > 0, others), (free, free, [0; 3]), "{mode}");
        assert_eq!(hot_line(&session).await, unconfined, "{mode}");
        // The server still answers, and nothing is left of the run.
        session.call("list_profiles", json!({})).await;
        session.close().await;
    }
}

/// Attempts in a sandbox, at the least.
fn tried_at_least() -> usize {
    ESCAPES.matches("\n@attempt\n").count() + ESCAPES.matches("\n@hurts\n").count() - 1
}

/// Work that keeps to itself: everything that a program does with files and processes of its own.
const HONEST: &str = "\
import json, multiprocessing, os, pickle, sqlite3, subprocess, sys, tempfile, threading, time
import numpy
from multiprocessing import shared_memory

def square(n):
    return n * n

def busy(until):
    n = 0
    while time.perf_counter() < until:
        n += sum(range(50))
    return n

def main():
    with tempfile.TemporaryDirectory() as folder:
        base = sqlite3.connect(os.path.join(folder, 'base.sqlite'))
        base.execute('create table t (n integer)')
        base.executemany('insert into t values (?)', [(n,) for n in range(1000)])
        base.commit()
        assert base.execute('select sum(n) from t').fetchone() == (499500,)
        base.close()
        numpy.save(os.path.join(folder, 'a.npy'), numpy.arange(1000.0))
        assert numpy.load(os.path.join(folder, 'a.npy')).sum() == 499500
        os.rename(os.path.join(folder, 'a.npy'), os.path.join(folder, 'b.npy'))
    for start in ('fork', 'spawn'):
        with multiprocessing.get_context(start).Pool(2) as pool:
            assert pool.map(square, range(5)) == [0, 1, 4, 9, 16]
    memory = shared_memory.SharedMemory(create=True, size=1000)
    memory.close()
    memory.unlink()
    queue = multiprocessing.Queue()
    queue.put(1)
    assert queue.get() == 1
    worker = multiprocessing.Process(target=time.sleep, args=(1000,))
    worker.start()
    worker.terminate()
    worker.join()
    thread = threading.Thread(target=square, args=(1,))
    thread.start()
    thread.join()
    assert subprocess.check_output(['sh', '-c', 'echo said']) == b'said\\n'
    assert subprocess.check_output([sys.executable, '-c', 'print(1)']) == b'1\\n'
    open(os.devnull, 'w').write('x')
    os.urandom(8)
    with open('beside.txt') as file:
        assert file.read() == 'beside'
    kept = [bytearray(1 << 20) for _ in range(40)]
    busy(time.perf_counter() + 1)
    print('all is well')

if __name__ == '__main__':
    main()
";

#[tokio::test]
async fn a_program_that_keeps_to_itself_works_in_every_mode() {
    let place = Place::new();
    place.write("honest.py", HONEST);
    place.write("beside.txt", "beside");
    let session = Session::open(&place.path()).await;
    for version in ["1.5.55", "2.4.0"] {
        for mode in ["off", "writes", "strict"] {
            let python = pythons::with_scalene(version);
            let call = json!({"script_path": "honest.py", "sandbox": mode, "python": python});
            let answer = session.call("profile_script", call).await;
            let profile = &answer.structured;
            assert_eq!(profile["outcome"]["exit_code"], 0, "{version} {mode}: {}", answer.text);
            assert_eq!(profile["status"], "complete", "{version} {mode}: {}", answer.text);
            assert!(profile["stdout"]["head"].as_str().unwrap().contains("all is well"));
            let lines = profile["memory_profile"]["lines"].as_object().unwrap();
            let place_of = lines.keys().find(|key| key.starts_with("honest.py:47"));
            assert!(place_of.is_some(), "{version} {mode}: {lines:?}");
            let functions = session.call("get_function_summary", json!({"profile_id": "latest"}));
            let functions = functions.await.structured["functions"].as_array().unwrap().clone();
            assert!(functions.iter().any(|function| function["function_name"] == "busy"));
        }
    }
    session.close().await;
}

#[tokio::test]
async fn runs_that_repeat_a_program_are_confined_too() {
    let (place, outside) = (Place::new(), Place::new());
    let victim = outside.write("victim", "");
    let source = format!(
        "try:\n    open({victim:?}, 'a').write('x')\nexcept OSError as error:\n    print(error)\n\
         kept = []\ndef keep():\n    kept.append(bytearray(1 << 20))\nfor _ in range(60):\n    keep()\n{}",
        busy(1.0)
    );
    place.write("app.py", &source);
    let session = Session::open(&place.path()).await;
    let python = pythons::with_scalene("2.4.0");
    let call = |mode: &str| json!({"script_path": "app.py", "sandbox": mode, "count_calls": true, "python": python});
    let counted = session.call("profile_script", call("strict")).await;
    assert!(!counted.text.contains("calls could not be counted"), "{}", counted.text);
    let functions = session.call("get_function_summary", json!({"profile_id": "latest"})).await;
    let functions = functions.structured["functions"].as_array().unwrap().clone();
    let calls = functions.iter().map(|function| &function["num_calls"]);
    assert!(calls.clone().any(Value::is_number), "{functions:?}");
    let proof = json!({"profile_id": "latest", "confirm": true});
    let proof = session.call("get_memory_leaks", proof).await;
    assert!(proof.structured["proof"].is_object(), "{}", proof.text);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "", "profiled, counted and tracked");
    // The same without a sandbox writes once in each run.
    session.call("profile_script", call("off")).await;
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "xx");
    session.close().await;
}

#[tokio::test]
async fn a_client_cannot_ask_for_less_than_the_server_demands() {
    let place = Place::new();
    let python = pythons::with_scalene("2.4.0");
    let args = ["--min-sandbox", "writes", "--python", python.to_str().unwrap()];
    let session = Session::open_with(server_command(&place.path(), &args)).await;
    let code = busy(0.6);
    let call = |more: Value| {
        let mut call = json!({"code": code, "memory": false});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    let failure = session.failure("profile_code", call(json!({"sandbox": "off"}))).await;
    assert!(failure.starts_with("sandbox_refused: "), "{failure}");
    assert!(failure.contains("only `writes` and `strict`"), "{failure}");
    let failure = session.failure("profile_code", call(json!({"sandbox": "tight"}))).await;
    assert!(failure.starts_with("invalid_argument: "), "{failure}");
    assert!(failure.contains("`off`, `writes`, `strict`"), "{failure}");
    let failure = session.failure("profile_code", call(json!({"writable": ["/"]}))).await;
    assert!(failure.starts_with("outside_roots: "), "{failure}");

    let failure = session.failure("profile_code", call(json!({"python": python}))).await;
    assert!(failure.starts_with("invalid_argument: python: "), "{failure}");

    let tries = format!("open({:?}, 'w')\n", place.path().join("new"));
    let write = json!({"code": format!("{code}\n{tries}"), "memory": false});
    let answer = session.call("profile_code", write).await;
    assert_eq!(answer.structured["outcome"]["exit_code"], 1, "{}", answer.text);
    assert!(
        answer.text.contains("PermissionError may come from sandbox `writes`"),
        "{}",
        answer.text
    );
    assert_eq!(names(&place.path()), Vec::<String>::new());
    session.close().await;
}

#[tokio::test]
async fn nothing_outside_the_roots_is_run_or_read() {
    let (inside, outside) = (Place::new(), Place::new());
    inside.write("sub/app.py", &busy(0.6));
    outside.write("app.py", &busy(0.6));
    let recorded =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles/shop_main--2.4.0.json");
    let recorded = std::fs::read_to_string(recorded).unwrap();
    inside.write("profile.json", &recorded);
    outside.write("profile.json", &recorded);
    let root = inside.path();
    symlink(outside.path().join("app.py"), root.join("link.py")).unwrap();
    symlink(outside.path(), root.join("folder")).unwrap();
    let args = ["--root", root.to_str().unwrap()];
    let session = Session::open_with(server_command(&root, &args)).await;

    let up = format!("../{}/app.py", outside.path().file_name().unwrap().to_str().unwrap());
    let far = outside.path().join("app.py");
    let missing = outside.path().join("missing.py");
    for script in
        [far.to_str().unwrap(), "link.py", "folder/app.py", &up, missing.to_str().unwrap()]
    {
        let failure = session.failure("profile_script", json!({"script_path": script})).await;
        assert!(failure.starts_with("outside_roots: script_path: "), "{script}: {failure}");
        assert!(failure.contains(root.to_str().unwrap()), "{failure}");
    }
    for cwd in [outside.path(), root.join("folder"), root.join(".."), PathBuf::from("/")] {
        let script = json!({"script_path": root.join("sub/app.py"), "cwd": cwd});
        let failure = session.failure("profile_script", script).await;
        assert!(failure.starts_with("outside_roots: cwd: "), "{}: {failure}", cwd.display());
        let failure = session.failure("profile_code", json!({"code": "1", "cwd": cwd})).await;
        assert!(failure.starts_with("outside_roots: cwd: "), "{}: {failure}", cwd.display());
    }
    for path in [outside.path().join("profile.json"), root.join("folder/profile.json")] {
        let failure = session.failure("load_profile", json!({"path": path})).await;
        assert!(failure.starts_with("outside_roots: path: "), "{failure}");
    }
    let unconfined = json!({"code": "1", "writable": [root]});
    let failure = session.failure("profile_code", unconfined).await;
    assert!(failure.starts_with("invalid_argument: writable: "), "{failure}");
    let writable = json!({"code": "1", "sandbox": "writes", "writable": [outside.path()]});
    let failure = session.failure("profile_code", writable).await;
    assert!(failure.starts_with("outside_roots: writable: "), "{failure}");

    let python = pythons::with_scalene("2.4.0");
    let fine = json!({"script_path": "sub/app.py", "memory": false, "python": python});
    session.call("profile_script", fine).await;
    session.call("load_profile", json!({"path": root.join("profile.json")})).await;
    session.close().await;
}

/// Says which of some variables a program sees.
const SEES: &str = "\
import os
print([n for n in ('A_TOKEN', 'B_PASSWORD', 'C_SECRET', 'DATABASE', 'PLAIN') if n in os.environ])
";

#[tokio::test]
async fn credentials_stay_with_the_server_unless_named() {
    let place = Place::new();
    let mut command = server_command(&place.path(), &["--pass-env", "C_SECRET"]);
    // What else the person who runs the tests has: not of interest here.
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("SCALENE_MCP_CACHE_DIR", pythons::cache_dir());
    for name in ["A_TOKEN", "B_PASSWORD", "C_SECRET", "PLAIN"] {
        command.env(name, "of-the-server");
    }
    command.env("DATABASE", "postgres://me:hidden@db/x");
    let session = Session::open_with(command).await;
    let code = format!("{SEES}{}", busy(0.6));
    for mode in ["off", "strict"] {
        let call = json!({"code": code, "memory": false, "sandbox": mode, "count_calls": true,
            "python": pythons::with_scalene("2.4.0"), "env": {"B_PASSWORD": "given"}});
        let answer = session.call("profile_code", call).await;
        let said = answer.structured["stdout"]["head"].as_str().unwrap();
        assert_eq!(said.trim(), "['B_PASSWORD', 'C_SECRET', 'PLAIN']", "{mode}");
        assert!(
            answer.text.contains("look like credentials: A_TOKEN, DATABASE ("),
            "{}",
            answer.text
        );
        assert!(!answer.text.contains("hidden") && !answer.text.contains("of-the-server"));
    }
    session.close().await;
}

#[tokio::test]
async fn what_cannot_be_enforced_is_not_run() {
    // A program that uses the library has to say where the helper is.
    let (place, outside) = (Place::new(), Place::new());
    let victim = outside.path().join("victim");
    let code = format!("open({victim:?}, 'w')\n{}", busy(0.6));
    let mut request = RunRequest::new(Target::Snippet(code));
    request.sandbox = Some(Mode::Writes);
    request.cwd = Some(place.path());
    request.python = Some(pythons::with_scalene("2.4.0").to_string_lossy().into_owned());
    request.measure.memory = false;
    for helper in [None, Some(place.path().join("missing")), Some(PathBuf::from("/bin/true"))] {
        let guard = Guard { helper: helper.clone(), ..Guard::default() };
        let settings = Settings { cache_dir: pythons::cache_dir(), guard, ..Settings::default() };
        let result = ScaleneProfiler::with_settings(settings).profile(&request).await;
        // `true` confines nothing, and is believed; what follows is not the program either.
        assert!(result.is_err(), "{helper:?}");
        assert!(!victim.exists(), "{helper:?}");
    }
    let guard = Guard { helper: Some(BINARY.into()), ..Guard::default() };
    let settings = Settings { cache_dir: pythons::cache_dir(), guard, ..Settings::default() };
    let error = ScaleneProfiler::with_settings(settings).profile(&request).await.unwrap_err();
    assert_eq!(error.code(), "program_failed");
    assert!(error.hint().unwrap().contains("sandbox `writes`"), "{:?}", error.hint());
    assert!(!victim.exists());

    let unset = ScaleneProfiler::with_settings(Settings::default()).profile(&request).await;
    assert_eq!(unset.unwrap_err().code(), "sandbox_unavailable");
}

/// Runs the helper as the kernel of an older system would let it.
fn on_kernel(landlock: &str, program: &[&str]) -> (Option<i32>, String) {
    let mut command = pythons::command(BINARY);
    command.args(["confine", "--mode=strict", "--landlock-at-most", landlock, "--"]).args(program);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn older_kernels_are_refused_or_made_up_for() {
    let (code, said) = on_kernel("2", &["/bin/sh", "-c", "exit 3"]);
    assert_eq!(code, Some(125), "{said}");
    assert!(said.contains("version 3 is needed"), "{said}");
    // Before Linux 6.12 Landlock does not know signals.
    for landlock in ["3", "5", "6"] {
        let kill = "kill -0 $$ || exit 4; kill -0 $PPID && exit 5; exit 3";
        let (code, said) = on_kernel(landlock, &["/bin/sh", "-c", kill]);
        assert_eq!(code, Some(3), "{landlock}: {said}");
    }
}
