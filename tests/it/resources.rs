//! Resources through a real client: what is behind each, pages, completion, subscriptions, links.

use std::time::{Duration, Instant};

use rmcp::ServiceError;
use rmcp::model::{
    ArgumentInfo, CallToolResult, CompleteRequestParams, CompletionContext, PaginatedRequestParams,
    ReadResourceRequestParams, Reference, ResourceContents, ServerNotification,
    SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use scalene_mcp::store::{Bounds, Store};
use serde_json::{Value, json};

use crate::support::client::{LIST, Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::recorded;
use crate::support::wire::Wire;

const SOURCE: &str = "profile://{profile_id}/source/{file}";
/// Longest wait for something to happen.
const PATIENCE: Duration = Duration::from_secs(90);

/// The text of a resource, which must be there.
async fn read(session: &Session, uri: &str) -> String {
    match try_read(session, uri).await {
        Ok(text) => text,
        Err(error) => panic!("{uri}: {error}"),
    }
}

/// The text of a resource, or what its reader is told.
async fn try_read(session: &Session, uri: &str) -> Result<String, String> {
    match session.service.read_resource(ReadResourceRequestParams::new(uri)).await {
        Ok(found) => match &found.contents[0] {
            ResourceContents::TextResourceContents { text, uri: of, .. } => {
                assert_eq!(of, uri);
                Ok(text.clone())
            }
            other => panic!("{uri} is no text: {other:?}"),
        },
        Err(ServiceError::McpError(error)) => {
            assert_eq!(error.code.0, -32002, "{error}");
            assert_eq!(error.data.unwrap()["uri"], uri);
            Err(error.message.into_owned())
        }
        Err(error) => panic!("{uri}: {error}"),
    }
}

async fn load(session: &Session, name: &str) -> String {
    let loaded = session.call("load_profile", json!({"path": recorded::path(name)})).await;
    loaded.structured["profile_id"].as_str().unwrap().to_owned()
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The row of a listing that has this source, without the source.
fn margin<'a>(listing: &'a str, code: &str) -> &'a str {
    let row = listing.lines().find(|row| row.contains(code)).unwrap_or_else(|| panic!("{listing}"));
    row.split_once('|').unwrap().0
}

#[tokio::test]
async fn every_view_of_a_loaded_profile_is_read() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let id = load(&session, "shop_main--2.4.0").await;
    let raw = read(&session, &format!("profile://{id}/raw")).await;
    let written = std::fs::read_to_string(recorded::path("shop_main--2.4.0")).unwrap();
    assert!(raw == written, "{} of {} bytes", raw.len(), written.len());

    let listing = read(&session, &format!("profile://{id}/source/shop/pricing.py")).await;
    for same in ["shop%2Fpricing.py", "pricing.py", "%70ricing.py", "/tmp/demo/shop/pricing.py"] {
        assert_eq!(read(&session, &format!("profile://{id}/source/{same}")).await, listing);
    }
    // What get_file_details says of the same lines.
    let file = json!({"profile_id": id, "file_path": "pricing.py"});
    let details = session.call("get_file_details", file).await.structured;
    let line = &details["lines"].as_array().unwrap().iter().find(|line| line["line_number"] == 8);
    let line = line.unwrap();
    let cells: Vec<f64> = margin(&listing, "(price * step) % 97")
        .split_whitespace()
        .map(|cell| cell.parse().unwrap())
        .collect();
    let figures = ["percent_of_total", "python_time_sec", "c_time_sec", "system_time_sec"];
    assert_eq!(cells, figures.map(|name| line[name].as_f64().unwrap()), "{listing}");
    assert_eq!(margin(&listing, "def quote(items):").trim(), "", "no sample, no figure");
    assert!(listing.contains("|  8          "), "numbered and indented: {listing}");
    assert!(listing.starts_with(&format!("shop/pricing.py  profile {id}: ")), "{listing}");

    for (below, why) in [
        ("/source/nope.py", "no file `nope.py` (files with samples: shop/pricing.py"),
        ("/source", "followed by the path of a file"),
        ("/source/%FF", "no percent-encoded UTF-8"),
        ("/output", "was loaded from a file"),
        ("/lines", "no view `lines`"),
    ] {
        let said = try_read(&session, &format!("profile://{id}{below}")).await.unwrap_err();
        assert!(said.contains(why), "{below}: {said}");
    }
    session.close().await;
}

#[tokio::test]
async fn memory_is_in_the_margin_where_it_was_sampled() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let id = load(&session, "leak_list--2.4.0").await;
    let listing = read(&session, &format!("profile://{id}/source/leak_list.py")).await;
    let titles = listing.lines().find(|row| row.contains("share %")).unwrap();
    assert!(titles.contains("alloc MiB") && titles.contains("peak MiB"), "{listing}");
    // The share, three times, the volume, the peak.
    let cells: Vec<_> = margin(&listing, "CACHE.append(").split_whitespace().collect();
    assert_eq!((cells.len(), cells[4]), (6, "401"), "{listing}");
    // Without memory there are no such columns.
    let plain = load(&session, "operator_lines.cpu-only--2.4.0").await;
    let listing = read(&session, &format!("profile://{plain}/source/operator_lines.py")).await;
    assert!(!listing.contains("MiB"), "{listing}");
    session.close().await;
}

#[tokio::test]
async fn a_real_run_has_its_document_and_files_are_told_apart() {
    let place = Place::new();
    let spin = |name: &str| {
        format!(
            "import time\ndef {name}(until):\n    while time.perf_counter() < until:\n        sum(range(50))\n"
        )
    };
    place.write("one/core.py", &spin("one"));
    place.write("two/core.py", &spin("two"));
    let main = "import time\nfrom one.core import one\nfrom two.core import two\nprint('begun')\n\
                one(time.perf_counter() + 0.6)\ntwo(time.perf_counter() + 0.6)\n";
    let script = place.write("main.py", main);
    let session = Session::open(&place.path()).await;
    let run = json!({"script_path": script, "memory": false});
    let run = session.call("profile_script", run).await.structured;
    let id = run["profile_id"].as_str().unwrap();
    let raw: Value =
        serde_json::from_str(&read(&session, &format!("profile://{id}/raw")).await).unwrap();
    assert!(raw["files"].as_object().is_some_and(|files| !files.is_empty()), "{raw}");
    let said = try_read(&session, &format!("profile://{id}/source/core.py")).await.unwrap_err();
    assert!(said.contains("fits several files") && said.contains("one/core.py"), "{said}");
    let two = read(&session, &format!("profile://{id}/source/two%2Fcore.py")).await;
    assert!(two.contains("def two") && !two.contains("def one"), "{two}");
    let code = json!({"code": busy(0.4), "memory": false});
    let snippet = session.call("profile_code", code).await.structured;
    let uri = format!("profile://{}/source/%3Csnippet%3E", snippet["profile_id"].as_str().unwrap());
    assert!(read(&session, &uri).await.contains("def busy(until):"));

    let several = json!({"script_path": script, "memory": false, "repeat": 2});
    let several = session.call("profile_script", several).await.structured;
    let uri = format!("profile://{}/raw", several["profile_id"].as_str().unwrap());
    let said = try_read(&session, &uri).await.unwrap_err();
    assert!(said.contains("the mean of several runs"), "{said}");
    session.close().await;
}

#[tokio::test]
async fn the_document_outlives_the_server() {
    let place = Place::new();
    let store = place.path().join("store");
    let command = || server_command(&place.path(), &["--store", store.to_str().unwrap()]);
    let first = Session::open_with(command()).await;
    let id = load(&first, "shop_main--2.4.0").await;
    let uri = format!("profile://{id}/raw");
    let before = read(&first, &uri).await;
    first.close().await;
    let second = Session::open_with(command()).await;
    assert!(read(&second, &uri).await == before);
    second.close().await;
}

#[tokio::test]
async fn a_run_is_read_while_it_goes_on_and_after_it_failed() {
    let place = Place::new();
    place.write("slow.py", "import time\nprint('begun', flush=True)\ntime.sleep(60)\n");
    place.write("broken.py", "print('so far')\nraise ValueError('on purpose')\n");
    let session = Session::open(&place.path()).await;
    let run = json!({"script_path": "slow.py", "memory": false, "wait_sec": 0});
    let run = session.call("profile_script", run).await.structured;
    let id = run["profile_id"].as_str().unwrap();
    let uri = format!("profile://{id}/output");
    until("the output of the running program", async || {
        try_read(&session, &uri).await.is_ok_and(|text| {
            let output: Value = serde_json::from_str(&text).unwrap();
            output["stdout"]["head"] == "begun\n"
        })
    })
    .await;
    let whole: Value =
        serde_json::from_str(&read(&session, &format!("profile://{id}")).await).unwrap();
    assert_eq!(whole["status"], "running", "{whole}");
    for view in ["raw", "source/slow.py"] {
        let said = try_read(&session, &format!("profile://{id}/{view}")).await.unwrap_err();
        assert!(said.contains("is not finished"), "{said}");
    }
    session.raw("stop_profile", json!({"profile_id": id})).await;

    let run = json!({"script_path": "broken.py", "memory": false, "wait_sec": 0});
    let run = session.call("profile_script", run).await.structured;
    let id = run["profile_id"].as_str().unwrap();
    let failed = session.failure("get_profile", json!({"profile_id": id})).await;
    assert!(failed.contains("on purpose"), "{failed}");
    let output: Value =
        serde_json::from_str(&read(&session, &format!("profile://{id}/output")).await).unwrap();
    assert_eq!(output["stdout"]["head"], "so far\n");
    assert!(output["stderr"]["head"].as_str().unwrap().contains("on purpose"), "{output}");
    let said = try_read(&session, &format!("profile://{id}")).await.unwrap_err();
    assert!(said.contains("has no profile"), "{said}");
    session.close().await;
}

#[tokio::test]
async fn the_list_comes_in_pages_that_do_not_move() {
    let place = Place::new();
    let dir = place.path().join("store");
    let store = Store::open(&dir, Bounds::default()).unwrap();
    let mut stored: Vec<String> = Vec::new();
    for _ in 0..120 {
        let mut profile = recorded::profile("cpu_functions--2.4.0");
        profile.id = store.draw_id(|_| false);
        stored.push(store.insert(profile).id.to_string());
    }
    stored.reverse();
    let session =
        Session::open_with(server_command(&place.path(), &["--store", dir.to_str().unwrap()]))
            .await;
    let page = async |cursor: Option<String>| {
        let params = PaginatedRequestParams::default().with_cursor(cursor);
        session.service.list_resources(Some(params)).await
    };
    let first = page(None).await.unwrap();
    // Something new comes before what was listed, and moves nothing.
    load(&session, "shop_main--2.4.0").await;
    let second = page(first.next_cursor.clone()).await.unwrap();
    let third = page(second.next_cursor.clone()).await.unwrap();
    assert_eq!(third.next_cursor, None);
    let pages = [&first, &second, &third];
    assert_eq!(pages.map(|page| page.resources.len()), [50, 50, 20]);
    let uris: Vec<_> =
        pages.iter().flat_map(|page| &page.resources).map(|it| it.uri.clone()).collect();
    let expected: Vec<_> = stored.iter().map(|id| format!("profile://{id}")).collect();
    assert_eq!(uris, expected, "newest first, each once");
    assert_eq!(page(second.next_cursor.clone()).await.unwrap().resources, third.resources);
    let cursor = first.next_cursor.unwrap();
    for wrong in ["", "zzz", "0", &format!("0{cursor}"), &cursor.replace('-', "+")] {
        let error = page(Some(wrong.to_owned())).await.unwrap_err();
        let ServiceError::McpError(error) = error else { panic!("{error}") };
        assert_eq!(error.code.0, -32602, "{wrong}: {error}");
    }
    session.close().await;
}

/// Values that complete an argument of a template.
async fn completed(
    session: &Session,
    template: &str,
    argument: (&str, &str),
    profile: Option<&str>,
) -> Result<Vec<String>, String> {
    let known = profile.map(|id| ("profile_id".to_owned(), id.to_owned()));
    let params = CompleteRequestParams::new(
        Reference::for_resource(template),
        ArgumentInfo::new(argument.0, argument.1),
    )
    .with_context(CompletionContext::with_arguments(known.into_iter().collect()));
    match session.service.complete(params).await {
        Ok(found) => {
            assert_eq!(found.completion.total, u32::try_from(found.completion.values.len()).ok());
            assert_eq!(found.completion.has_more, Some(false));
            Ok(found.completion.values)
        }
        Err(ServiceError::McpError(error)) => {
            assert_eq!(error.code.0, -32602, "{error}");
            Err(error.message.into_owned())
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn ids_and_files_are_completed() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let none = completed(&session, SOURCE, ("profile_id", ""), None).await.unwrap();
    assert_eq!(none, Vec::<String>::new());
    let shop = load(&session, "shop_main--2.4.0").await;
    let leak = load(&session, "leak_list--2.4.0").await;
    for template in ["profile://{profile_id}", "profile://{profile_id}/raw", SOURCE] {
        let ids = completed(&session, template, ("profile_id", ""), None).await.unwrap();
        assert_eq!(ids, [&leak, &shop, "latest", "previous"], "{template}");
    }
    let latest = completed(&session, SOURCE, ("profile_id", "lat"), None).await.unwrap();
    assert_eq!(latest, ["latest"]);
    let of_shop = async |typed: &str| {
        completed(&session, SOURCE, ("file", typed), Some(&shop)).await.unwrap()
    };
    assert_eq!(of_shop("").await, ["shop/pricing.py", "shop/store.py"], "hottest first");
    assert_eq!(of_shop("shop/s").await, ["shop/store.py"]);
    assert_eq!(of_shop("pri").await, ["shop/pricing.py"], "by the end of its path");
    assert_eq!(of_shop("zzz").await, Vec::<String>::new());
    let of_newest = completed(&session, SOURCE, ("file", ""), None).await.unwrap();
    assert_eq!(of_newest, ["leak_list.py"]);
    for (template, argument) in
        [("profile://{id}", "id"), (SOURCE, "line"), ("profile://{profile_id}", "file")]
    {
        let said = completed(&session, template, (argument, ""), None).await.unwrap_err();
        assert!(said.contains(&format!("`{template}`")), "{said}");
    }
    session.close().await;
}

#[expect(deprecated, reason = "versions with a handshake have no other way")]
async fn subscribe(session: &Session, uri: &str) -> Result<(), ServiceError> {
    session.service.subscribe(SubscribeRequestParams::new(uri)).await
}

#[expect(deprecated, reason = "versions with a handshake have no other way")]
async fn unsubscribe(session: &Session, uri: &str) {
    session.service.unsubscribe(UnsubscribeRequestParams::new(uri)).await.unwrap();
}

/// How often something has been said to have changed.
fn heard(session: &Session, what: &str) -> usize {
    session.listener.changed.lock().unwrap().iter().filter(|one| *one == what).count()
}

#[tokio::test]
async fn subscribers_hear_of_what_changes() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let capabilities = session.service.peer_info().unwrap().capabilities.clone();
    let resources = capabilities.resources.unwrap();
    assert_eq!((resources.subscribe, resources.list_changed), (Some(true), Some(true)));
    let prompts = capabilities.prompts.unwrap();
    assert_eq!(prompts.list_changed, None, "the same as long as the server runs");
    assert!(capabilities.completions.is_some());

    let latest = "profile://latest";
    subscribe(&session, latest).await.unwrap();
    load(&session, "shop_main--2.4.0").await;
    until("latest", async || heard(&session, latest) == 1 && heard(&session, LIST) == 1).await;
    unsubscribe(&session, latest).await;

    place.write("app.py", &busy(1.5));
    let run = json!({"script_path": "app.py", "memory": false, "wait_sec": 0});
    let run = session.call("profile_script", run).await.structured;
    let uri = format!("profile://{}", run["profile_id"].as_str().unwrap());
    subscribe(&session, &uri).await.unwrap();
    until("the end of the run", async || {
        heard(&session, &uri) > 0 && {
            let whole: Value = serde_json::from_str(&read(&session, &uri).await).unwrap();
            whole["status"] == "complete"
        }
    })
    .await;
    until("a longer list", async || heard(&session, LIST) == 2).await;
    // What was subscribed to no more would have come between these.
    load(&session, "shop_main--2.4.0").await;
    load(&session, "shop_main--2.4.0").await;
    until("a longer list", async || heard(&session, LIST) == 4).await;
    assert_eq!(heard(&session, latest), 1);

    for uri in ["profile://zzz", "profile://latest/zzz", "file:///etc/passwd"] {
        let error = subscribe(&session, uri).await.unwrap_err();
        let ServiceError::McpError(error) = error else { panic!("{error}") };
        assert_eq!(error.code.0, -32002, "{uri}: {error}");
    }
    session.close().await;
}

#[tokio::test]
async fn a_client_without_a_handshake_listens_for_changes() {
    let place = Place::new();
    let session = Session::open_stateless(&place.path()).await;
    let first = load(&session, "shop_main--2.4.0").await;
    let uri = format!("profile://{first}/raw");
    let latest = "profile://latest";
    let asked = SubscriptionFilter::builder()
        .resources_list_changed()
        .prompts_list_changed()
        .resource_subscriptions([latest, &uri, "profile://zzz"])
        .build();
    let mut listening = session.service.listen(asked).await.unwrap();
    let accepted = SubscriptionFilter::builder()
        .resources_list_changed()
        .resource_subscriptions([latest, &uri])
        .build();
    assert_eq!(*listening.acknowledged(), accepted);
    load(&session, "leak_list--2.4.0").await;
    let mut told = Vec::new();
    while told.len() < 2 {
        let next = tokio::time::timeout(PATIENCE, listening.next()).await.unwrap().unwrap();
        match next.expect("it goes on") {
            ServerNotification::ResourceListChangedNotification(_) => told.push(LIST.to_owned()),
            ServerNotification::ResourceUpdatedNotification(it) => told.push(it.params.uri),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, [LIST, latest], "the other profile has not changed");
    listening.cancel().await.unwrap();
    assert_eq!(*session.listener.changed.lock().unwrap(), Vec::<String>::new(), "nothing unasked");
    session.close().await;
}

#[tokio::test]
async fn an_answer_that_is_a_profile_links_to_all_of_it() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let links = |result: &CallToolResult| -> Vec<String> {
        let blocks = result.content.iter();
        blocks.filter_map(|block| Some(block.as_resource_link()?.uri.clone())).collect()
    };
    let path = json!({"path": recorded::path("shop_main--2.4.0")});
    let loaded = session.raw("load_profile", path.clone()).await;
    let id = loaded.structured_content.as_ref().unwrap()["profile_id"].as_str().unwrap().to_owned();
    assert_eq!(links(&loaded), [format!("profile://{id}")]);
    read(&session, &links(&loaded)[0]).await;
    let again = session.raw("get_profile", json!({"profile_id": id})).await;
    assert_eq!(links(&again), links(&loaded));
    place.write("app.py", &busy(0.5));
    let run = json!({"script_path": "app.py", "memory": false, "wait_sec": 0});
    let running = session.raw("profile_script", run).await;
    assert_eq!(running.structured_content.as_ref().unwrap()["status"], "running");
    assert_eq!(links(&running), Vec::<String>::new(), "there is no profile yet");
    let list = session.raw("list_profiles", json!({})).await;
    assert_eq!(links(&list), Vec::<String>::new());
    session.close().await;

    // A client of before there were links could not read them.
    for (version, blocks) in [("2025-03-26", 1), ("2025-06-18", 2)] {
        let mut wire = Wire::open(server_command(&place.path(), &[]), version).await;
        let call = json!({"name": "load_profile", "arguments": path});
        let loaded = wire.result(1, "tools/call", call).await;
        assert_eq!(loaded["content"].as_array().unwrap().len(), blocks, "{version}: {loaded}");
    }
}
