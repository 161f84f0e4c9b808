//! Profiles that outlive the server, and what may happen to their files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, TestRunner};
use scalene_mcp::store::{Bounds, Store};
use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::recorded;

async fn open(place: &Place) -> Session {
    let dir = place.path().join("store");
    Session::open_with(server_command(&place.path(), &["--store", dir.to_str().unwrap()])).await
}

/// The files of the store, in order of their names.
fn files(place: &Place) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(place.path().join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

async fn load(session: &Session, name: &str) -> String {
    let path = json!({"path": recorded::path(name)});
    let loaded = session.call("load_profile", path).await.structured;
    loaded["profile_id"].as_str().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<&str> {
    let rows = list["profiles"].as_array().unwrap();
    rows.iter().map(|row| row["profile_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_profile_is_there_when_the_server_starts_again() {
    let place = Place::new();
    let script = place.write("work.py", &busy(0.6));
    let first = open(&place).await;
    let blocks = json!([{"name": "busy", "function": "busy"}]);
    let run = json!({"script_path": script, "blocks": blocks});
    let run = first.call("profile_script", run).await.structured;
    let run = run["profile_id"].as_str().unwrap();
    let loaded = load(&first, "shop_main--2.4.0").await;
    let questions = [
        (run, "analyze_profile"),
        (run, "get_call_paths"),
        (run, "get_blocks"),
        (&loaded, "analyze_profile"),
        (&loaded, "get_memory_hotspots"),
    ];
    let mut before = Vec::new();
    for (id, tool) in questions {
        before.push(first.call(tool, json!({"profile_id": id})).await.text);
    }
    first.close().await;

    let second = open(&place).await;
    let list = second.call("list_profiles", json!({})).await;
    assert_eq!(ids(&list.structured), [&loaded, run], "newest first: {}", list.text);
    let mut after = Vec::new();
    for (id, tool) in questions {
        after.push(second.call(tool, json!({"profile_id": id})).await.text);
    }
    assert_eq!(before, after);
    let of_script = second.call("list_profiles", json!({"script": "work"})).await.structured;
    assert_eq!(ids(&of_script), [run]);
    assert_eq!(of_script["total"], 1);
    let latest = second.call("analyze_profile", json!({"profile_id": "latest"})).await;
    assert_eq!(latest.structured["profile_id"], loaded.as_str());
    // What this server makes comes before what it found.
    let third = load(&second, "cpu_functions--2.4.0").await;
    let compared = json!({"profile_id1": "previous", "profile_id2": "latest"});
    let compared = second.call("compare_profiles", compared).await.structured;
    assert_eq!(compared["profile_id2"], third.as_str());
    second.close().await;
}

#[tokio::test]
async fn two_servers_share_a_folder() {
    let place = Place::new();
    let (one, other) = tokio::join!(open(&place), open(&place));
    let fill = async |session: &Session| {
        let mut made = Vec::new();
        for _ in 0..10 {
            made.push(load(session, "cpu_functions--2.4.0").await);
        }
        made
    };
    let (mut made, others) = tokio::join!(fill(&one), fill(&other));
    let newest = json!({"profile_id": "latest"});
    let own = one.call("analyze_profile", newest).await.structured["profile_id"].clone();
    assert_eq!(own, made[9].as_str(), "the newest of its own");
    made.extend(others);
    made.sort();
    for session in [&one, &other] {
        let list = session.call("list_profiles", json!({"limit": 100})).await.structured;
        let mut listed = ids(&list);
        listed.sort_unstable();
        assert_eq!(listed, made);
        for id in &made {
            session.call("get_function_summary", json!({"profile_id": id})).await;
        }
    }
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_left_out_and_named() {
    let place = Place::new();
    let first = open(&place).await;
    let good = load(&first, "cpu_functions--2.4.0").await;
    first.close().await;
    let file = files(&place).remove(0);
    let whole = fs::read(&file).unwrap();
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let header_of = |id: &str, from: &str, to: &str| {
        let text = String::from_utf8(whole[..=header].to_vec()).unwrap();
        assert!(text.contains(from), "{text}");
        let mut bytes = text.replace(&good, id).replace(from, to).into_bytes();
        bytes.extend(&whole[header + 1..]);
        bytes
    };
    let write = |id: &str, bytes: &[u8]| {
        fs::write(file.with_file_name(format!("{id}.profile")), bytes).unwrap();
    };
    write("p0001", b"");
    write("p0002", b"no profile at all");
    write("p0003", &whole[..header / 2]);
    write("p0004", &header_of("p0004", "\"version\":1", "\"version\":7"));
    write("p0005", &whole);
    write("p0006", &header_of("p0006", "\"version\":1", "\"version\":1"));
    let mut cut = header_of("p0007", "\"version\":1", "\"version\":1");
    cut.truncate(cut.len() - 20);
    write("p0007", &cut);
    fs::write(file.with_file_name("notes.txt"), "of somebody else").unwrap();

    let second = open(&place).await;
    let list = second.call("list_profiles", json!({})).await;
    let warnings: Vec<_> = list.structured["warnings"].as_array().unwrap().clone();
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    let all = format!("{warnings:?}");
    for (id, why) in [
        ("p0001", "no stored profile"),
        ("p0002", "no stored profile"),
        ("p0003", "no stored profile"),
        ("p0004", "newer scalene-mcp (format 7, this one reads up to 1)"),
        ("p0005", &format!("holds profile {good}")),
    ] {
        assert!(list.text.contains(id) && all.contains(why), "{id}: {all}");
        let failure = second.failure("analyze_profile", json!({"profile_id": id})).await;
        assert!(failure.contains(id), "{failure}");
    }
    for (id, why) in [("p0006", "do not belong together"), ("p0007", "damaged")] {
        let failure = second.failure("analyze_profile", json!({"profile_id": id})).await;
        assert!(failure.starts_with("profile_unreadable"), "{failure}");
        assert!(failure.contains(id) && failure.contains(why), "{failure}");
    }
    second.call("analyze_profile", json!({"profile_id": good})).await;
    assert!(file.with_file_name("notes.txt").exists());
    second.close().await;
}

/// Every write fails, as on a full disk: the folder has gone.
#[tokio::test]
async fn a_profile_that_cannot_be_written_is_kept_in_memory() {
    let place = Place::new();
    let session = open(&place).await;
    fs::remove_dir_all(place.path().join("store")).unwrap();
    let path = json!({"path": recorded::path("cpu_functions--2.4.0")});
    let loaded = session.call("load_profile", path).await;
    assert!(loaded.text.contains("was not written to the store"), "{}", loaded.text);
    let id = loaded.structured["profile_id"].clone();
    session.call("analyze_profile", json!({"profile_id": id})).await;
    let list = session.call("list_profiles", json!({})).await.structured;
    assert_eq!(ids(&list), [id.as_str().unwrap()]);
    session.close().await;
}

#[test]
fn a_folder_that_is_none_is_refused_at_once() {
    let place = Place::new();
    let file = place.write("file", "");
    #[expect(clippy::disallowed_methods, reason = "a user starts the program")]
    let mut command = std::process::Command::new(crate::support::client::BINARY);
    let ended = command.arg("--store").arg(&file).arg("serve").output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("--store") && said.contains("\nNext: "), "{said}");
}

#[test]
fn every_recorded_profile_comes_back_as_it_was() {
    let place = Place::new();
    let dir = place.path().join("store");
    let names: Vec<_> =
        recorded::names().into_iter().filter(|name| !name.starts_with("too_short")).collect();
    assert!(names.len() > 20);
    let store = Store::open(&dir, Bounds::default()).unwrap();
    let kept: Vec<_> = names
        .iter()
        .map(|name| {
            let mut profile = recorded::profile(name);
            profile.id = store.draw_id(|_| false);
            store.insert(profile)
        })
        .collect();
    let again = Store::open(&dir, Bounds::default()).unwrap();
    for profile in kept {
        assert_eq!(*again.get(profile.id.as_str()).unwrap(), *profile);
    }
    assert!(again.list().1.is_empty());
}

/// A byte that has changed, or an end that is missing: an error, or the very profile; never another one.
#[test]
fn damage_is_found() {
    let place = Place::new();
    let dir = place.path().join("store");
    let store = Store::open(&dir, Bounds::default()).unwrap();
    let profile = store.insert(recorded::profile("cpu_functions--2.4.0"));
    let file = dir.join(format!("{}.profile", profile.id));
    let whole = fs::read(&file).unwrap();
    let damage = (0..whole.len(), 1..=255_u8, proptest::bool::ANY);
    let refused = std::cell::Cell::new(0);
    TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() })
        .run(&damage, |(place, bits, cut)| {
            let mut bytes = whole.clone();
            if cut {
                bytes.truncate(place);
            } else {
                bytes[place] ^= bits;
            }
            fs::write(&file, bytes).unwrap();
            let read = Store::open(&dir, Bounds::default()).unwrap().get(profile.id.as_str());
            match read {
                Ok(read) => proptest::prop_assert_eq!(&*read, &*profile),
                Err(_) => refused.set(refused.get() + 1),
            }
            Ok(())
        })
        .unwrap();
    assert!(refused.get() > 300, "{} of 400", refused.get());
}

/// Sends what a client sends until it has loaded a profile, and says when it is answered.
struct Loader {
    server: std::process::Child,
    answers: std::io::BufReader<std::process::ChildStdout>,
}

impl Loader {
    fn start(store: &Path) -> Self {
        use std::io::Write;
        #[expect(clippy::disallowed_methods, reason = "a client starts its server")]
        let mut command = std::process::Command::new(crate::support::client::BINARY);
        command.arg("--store").arg(store).stderr(std::process::Stdio::null());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut server = command.spawn().unwrap();
        let stdin = server.stdin.as_mut().unwrap();
        let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": {"name": "loader", "version": "1"}}});
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let path = recorded::path("shop_main--2.4.0");
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "load_profile", "arguments": {"path": path}}});
        write!(stdin, "{hello}\n{ready}\n{call}\n").unwrap();
        let answers = std::io::BufReader::new(server.stdout.take().unwrap());
        Self { server, answers }
    }

    /// The id of the profile, once the server has said it; none when it ended before.
    fn answered(&mut self) -> Option<String> {
        use std::io::BufRead;
        for line in (&mut self.answers).lines() {
            let answer: Value = serde_json::from_str(&line.ok()?).ok()?;
            if answer["id"] == 1 {
                let id = &answer["result"]["structuredContent"]["profile_id"];
                return id.as_str().map(str::to_owned);
            }
        }
        None
    }

    fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

/// Killed again and again at any moment between start and answer (60 times; `STORE_KILLS` sets another number).
#[test]
fn a_server_killed_in_the_middle_of_a_write_loses_nothing_but_that() {
    let place = Place::new();
    let dir = place.path().join("store");
    let kills: u32 = std::env::var("STORE_KILLS").map_or(60, |kills| kills.parse().unwrap());
    let begun = Instant::now();
    let mut whole = Loader::start(&dir);
    let mut promised = vec![whole.answered().unwrap()];
    let usual = begun.elapsed();
    whole.kill();
    for round in 0..kills {
        let mut loader = Loader::start(&dir);
        std::thread::sleep(usual * (round % 60) / 50 + Duration::from_micros(u64::from(round)));
        loader.kill();
        promised.extend(loader.answered());
    }
    let store = Store::open(&dir, Bounds::default()).unwrap();
    let (all, unreadable) = store.list();
    assert_eq!(unreadable, Vec::<String>::new());
    assert!(all.len() > 1 && all.len() < kills as usize, "{} of {kills} were written", all.len());
    for summary in &all {
        store.get(summary.id.as_str()).unwrap();
    }
    for id in &promised {
        assert!(store.contains(id), "{id} was answered and is not there");
    }
}
