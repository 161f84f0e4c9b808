//! `scalene-mcp config`: every client's file, through the built binary in a home of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::client::{BINARY, Session, server_command};
use crate::support::place::Place;

const CLIENTS: [&str; 8] =
    ["claude-desktop", "claude-code", "vscode", "cursor", "windsurf", "codex", "gemini", "zed"];

/// What a call printed, and its exit code.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn call(program: &Path, cwd: &Path, args: &[&str]) -> Ended {
    #[expect(clippy::disallowed_methods, reason = "a user starts the program")]
    let mut command = Command::new(program);
    // None of the variables that move the files.
    command.env_clear().current_dir(cwd).arg("config").args(args);
    for name in ["HOME", "USERPROFILE"] {
        command.env(name, cwd);
    }
    // A home folder that is not there: only the server's cache would need one.
    command.env("SCALENE_MCP_CACHE_DIR", cwd.join("cache"));
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn config(home: &Path, args: &[&str]) -> Ended {
    call(Path::new(BINARY), home, args)
}

fn done(home: &Path, args: &[&str]) -> String {
    let ended = config(home, args);
    assert_eq!(ended.code, 0, "{args:?}: {}", ended.stderr);
    ended.stdout
}

/// The file of a client, as the list of clients names it.
fn file(home: &Path, client: &str) -> PathBuf {
    let list = done(home, &[]);
    let line = list.lines().find(|line| line.split_whitespace().next() == Some(client)).unwrap();
    let at = line.find(home.to_str().unwrap()).unwrap();
    PathBuf::from(&line[at..])
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Everything below a folder, with its content.
fn all_below(dir: &Path) -> Vec<(PathBuf, Option<String>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(all_below(&path));
            all.push((path, None));
        } else {
            let content = read(&path);
            all.push((path, Some(content)));
        }
    }
    all.sort();
    all
}

/// A file with other servers, unknown keys, and what comments its client reads.
fn lived_in(client: &str) -> &'static str {
    match client {
        "codex" => {
            "# mine\nmodel = \"o3\"   # which\n\n[mcp_servers.other]\ncommand = \"npx\"\nargs = [\"-y\", \"x\"] # pinned\n\n\
             [mcp_servers.other.env]\nA = \"1\"\n\n[profiles.quick]\nmodel = \"o4\"\n# end\n"
        }
        "vscode" => {
            "{\n\t// mine\n\t\"inputs\": [ ],\n\n\t\"servers\": {\n\t\t\"other\": { \"command\": \"npx\" }, // pinned\n\
             \t\t/* to come */\n\t},\n}\n"
        }
        "zed" => {
            "// Zed settings\n{\n  \"theme\": \"One Dark\",\n  \"context_servers\": {\n    \"other\": {\"command\": \"npx\", \
             \"args\": []}, // pinned\n  },\n\n  /* end */\n  \"vim_mode\": true,\n}\n"
        }
        "gemini" => {
            "{\n  // mine\n  \"ui\": { \"theme\": \"Default\" },\n  \"mcpServers\": {\n    \"other\": {\n      \"command\": \"npx\" \
             // pinned\n    }\n  }\n}\n"
        }
        _ => {
            "{\r\n    \"numStartups\": 1.50,\r\n    \"mcpServers\": {\r\n        \"other\": {\"command\": \"npx\", \"args\": [\"-y\"]}\r\n    },\r\n\
             \r\n    \"big\": 123456789012345678901,\r\n    \"projects\": {\"/p\": {\"mcpServers\": {}}}\r\n}"
        }
    }
}

#[test]
fn a_new_file_holds_the_snippet_and_goes_again() {
    for client in CLIENTS {
        let place = Place::new();
        let home = place.path();
        let path = file(&home, client);
        assert!(done(&home, &[client, "--write"]).contains("which is new"), "{client}");
        assert_eq!(read(&path), done(&home, &[client]), "{client}");
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        let again = done(&home, &[client, "--write"]);
        assert!(again.contains("is already there"), "{client}: {again}");
        assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before, "{client}");
        let row = done(&home, &[]);
        let row = row.lines().find(|line| line.starts_with(client)).unwrap();
        assert!(row.contains(" configured"), "{row}");
        let gone = done(&home, &[client, "--remove"]);
        assert!(gone.contains("is gone") && !path.exists(), "{client}: {gone}");
        assert!(done(&home, &[client, "--remove"]).contains("is not there"), "{client}");
    }
}

#[test]
fn all_else_in_a_file_stays_as_it_is() {
    for client in CLIENTS {
        let place = Place::new();
        let home = place.path();
        let path = file(&home, client);
        let original = lived_in(client);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, original).unwrap();
        done(&home, &[client, "--write"]);
        let written = read(&path);
        // Each line in its order, with at most a comma more; two servers instead of one.
        let mut lines = written.split_inclusive('\n');
        for line in original.split_inclusive('\n') {
            let with_comma = format!("{},", line.trim_end());
            let more = line.replacen("\"npx\"", "\"npx\",", 1);
            assert!(
                lines.any(|other| other == line || other.trim_end() == with_comma || other == more),
                "{client}: {line:?} in\n{written}"
            );
        }
        assert_eq!(written.matches("\"npx\"").count(), 1, "{client}");
        assert_eq!(written.matches(BINARY).count(), 1, "{client}");
        let crlf = original.contains("\r\n");
        assert_eq!(crlf, !written.replace("\r\n", "").contains('\n'), "{client}: {written:?}");
        assert_eq!(read(&beside(&path, ".bak")), original, "{client}");
        assert!(done(&home, &[client, "--write"]).contains("is already there"), "{client}");
        assert_eq!(read(&path), written, "{client}");
        done(&home, &[client, "--remove"]);
        assert_eq!(read(&path), original, "{client}");
        // Without a backup to go by, too.
        done(&home, &[client, "--write"]);
        for ending in [".bak", ".bak.1"] {
            std::fs::remove_file(beside(&path, ending)).unwrap();
        }
        done(&home, &[client, "--remove"]);
        assert_eq!(read(&path), original, "{client}");
    }
}

#[test]
fn an_invalid_file_is_refused_with_its_place() {
    for client in CLIENTS {
        let place = Place::new();
        let home = place.path();
        let path = file(&home, client);
        let text = if client == "codex" { "a = 1\nb = = 2\n" } else { "{\n  \"a\": tru\n}\n" };
        let spot = if client == "codex" { ":2:5 " } else { ":2:8 " };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let before = all_below(&home);
        for action in ["--write", "--remove", "--dry-run"] {
            let ended = config(&home, &[client, action]);
            assert_eq!(ended.code, 1, "{client} {action}");
            let named = format!("{}{spot}is not valid: ", path.display());
            assert!(ended.stderr.contains(&named), "{client} {action}: {}", ended.stderr);
            assert!(ended.stderr.contains("\nNext: "), "{client} {action}: {}", ended.stderr);
        }
        assert_eq!(all_below(&home), before, "{client}");
        assert!(done(&home, &[]).contains("invalid"), "{client}");
    }
}

#[test]
fn comments_are_refused_where_the_client_reads_none() {
    for client in ["claude-desktop", "claude-code"] {
        let place = Place::new();
        let home = place.path();
        let path = file(&home, client);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "{\n  // mine\n}\n").unwrap();
        let ended = config(&home, &[client, "--write"]);
        assert_eq!(ended.code, 1, "{client}");
        assert!(
            ended.stderr.contains(":2:3 is not valid: its client reads no comments"),
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn a_dry_run_shows_the_difference_and_writes_nothing() {
    for client in CLIENTS {
        let place = Place::new();
        let home = place.path();
        let before = all_below(&home);
        for args in [&[client, "--dry-run"][..], &[client, "--write", "--dry-run"]] {
            let shown = done(&home, args);
            assert!(shown.contains("\n@@ ") && shown.contains(BINARY), "{client}: {shown}");
            assert!(shown.lines().skip(3).all(|line| line.starts_with('+')), "{client}: {shown}");
        }
        assert_eq!(all_below(&home), before, "{client}");
        done(&home, &[client, "--write"]);
        let before = all_below(&home);
        let shown = done(&home, &[client, "--remove", "--dry-run"]);
        assert!(shown.lines().skip(3).all(|line| line.starts_with('-')), "{client}: {shown}");
        assert_eq!(all_below(&home), before, "{client}");
    }
}

#[test]
fn older_backups_are_kept() {
    let place = Place::new();
    let home = place.path();
    let path = place.write(".cursor/mcp.json", "{}\n");
    place.write(".cursor/mcp.json.bak", "older");
    let told = done(&home, &["cursor", "--write"]);
    assert!(told.contains("mcp.json.bak.1"), "{told}");
    assert_eq!(read(&beside(&path, ".bak")), "older");
    assert_eq!(read(&beside(&path, ".bak.1")), "{}\n");
    done(&home, &["cursor", "--remove"]);
    assert_eq!(read(&path), "{}\n");
    done(&home, &["cursor", "--write"]);
    // The same content is not copied twice.
    assert!(!beside(&path, ".bak.3").exists());
}

#[cfg(unix)]
#[test]
fn modes_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    let home = place.path();
    let real = place.write("dotfiles/mcp.json", "{ \"a\": 1 }\n");
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).unwrap();
    std::fs::create_dir(home.join(".cursor")).unwrap();
    let link = home.join(".cursor/mcp.json");
    symlink("../dotfiles/mcp.json", &link).unwrap();
    let told = done(&home, &["cursor", "--write"]);
    assert!(told.contains("It is a link"), "{told}");
    assert!(link.is_symlink() && read(&real).contains(BINARY));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&real), 0o640);
    assert_eq!(mode(&beside(&real, ".bak")), 0o640);
    // A link to nothing: what it leads to is made, and emptied again.
    std::fs::remove_file(&real).unwrap();
    std::fs::remove_file(beside(&real, ".bak")).unwrap();
    done(&home, &["cursor", "--write"]);
    assert!(link.is_symlink() && read(&real).contains(BINARY));
    assert_eq!(mode(&real), 0o600);
    done(&home, &["cursor", "--remove"]);
    assert!(link.is_symlink() && !read(&real).contains(BINARY));
    // A circle.
    symlink("b", home.join("a")).unwrap();
    symlink("a", home.join("b")).unwrap();
    let ended = config(&home, &["cursor", "--write", "--file", "a"]);
    assert!(ended.code == 1 && ended.stderr.contains("circle"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn a_read_only_file_is_left_alone() {
    use std::os::unix::fs::PermissionsExt;
    for client in CLIENTS {
        let place = Place::new();
        let home = place.path();
        let path = file(&home, client);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, lived_in(client)).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
        let before = all_below(&home);
        let ended = config(&home, &[client, "--write"]);
        assert_eq!(ended.code, 1, "{client}");
        assert!(ended.stderr.contains("is read-only"), "{client}: {}", ended.stderr);
        assert_eq!(all_below(&home), before, "{client}");
    }
}

#[test]
fn projects_have_files_of_their_own() {
    let files = [
        ("claude-code", ".mcp.json"),
        ("vscode", ".vscode/mcp.json"),
        ("cursor", ".cursor/mcp.json"),
        ("codex", ".codex/config.toml"),
        ("gemini", ".gemini/settings.json"),
        ("zed", ".zed/settings.json"),
    ];
    let place = Place::new();
    let home = place.path();
    let project = home.join("project");
    std::fs::create_dir(&project).unwrap();
    for (client, name) in files {
        done(&home, &[client, "--project=project", "--write"]);
        assert_eq!(read(&project.join(name)), done(&home, &[client]), "{client}");
    }
    // The flag without a folder means the current one.
    done(&home, &["--project", "claude-code", "--write"]);
    assert!(read(&home.join(".mcp.json")).contains(BINARY));
    for client in ["claude-desktop", "windsurf"] {
        let ended = config(&home, &[client, "--project=project"]);
        assert!(ended.code == 1 && ended.stderr.contains("one file for all"), "{}", ended.stderr);
    }
    let ended = config(&home, &["zed", "--project=nowhere"]);
    assert!(ended.code == 1 && ended.stderr.contains("is not a folder"), "{}", ended.stderr);
}

#[test]
fn an_older_entry_is_brought_up_to_date() {
    let place = Place::new();
    let home = place.path();
    let older = "{\n  \"mcpServers\": {\n    \"scalene\": {\n      \"command\": \"/old/scalene-mcp\",\n      \"env\": {\"A\": \"1\"}\n    }\n  }\n}\n";
    let path = place.write(".cursor/mcp.json", older);
    done(&home, &["cursor", "--write", "--no-install"]);
    let new = read(&path);
    assert!(new.contains("{\"A\": \"1\"}") && new.contains("--no-install"), "{new}");
    assert!(new.contains(BINARY) && !new.contains("/old/"), "{new}");
    let other = "{\"mcpServers\": {\"scalene\": {\"command\": \"npx\", \"args\": [\"other\"]}}}";
    std::fs::write(&path, other).unwrap();
    for action in ["--write", "--remove"] {
        let ended = config(&home, &["cursor", action]);
        assert!(ended.code == 1 && ended.stderr.contains("another server's"), "{}", ended.stderr);
    }
    assert_eq!(read(&path), other);
    done(&home, &["cursor", "--write", "--name", "scalene-2"]);
    assert!(read(&path).contains("\"scalene-2\""));
    done(&home, &["cursor", "--remove", "--name", "scalene-2"]);
    assert_eq!(read(&path), other);
}

#[test]
fn options_of_the_server_are_passed_on() {
    let place = Place::new();
    let home = place.path();
    std::fs::create_dir(home.join("root")).unwrap();
    let args =
        ["cursor", "--root", "root", "--no-install", "--", "--store=profiles", "--pass-env", "A"];
    let value: serde_json::Value = serde_json::from_str(&done(&home, &args)).unwrap();
    let at = |name: &str| home.join(name).to_str().unwrap().to_owned();
    let expected = serde_json::json!([
        "--no-install",
        "--root",
        at("root"),
        "--store",
        at("profiles"),
        "--pass-env",
        "A"
    ]);
    assert_eq!(value["mcpServers"]["scalene"]["args"], expected);
    // What the server would not start with.
    let wrong: [&[&str]; 5] = [
        &["cursor", "--root", "nowhere"],
        &["cursor", "--", "--no-such-option"],
        &["cursor", "--", "doctor"],
        &["cursor", "--store", "a", "--", "--store", "b"],
        &["cursor", "--write", "--remove"],
    ];
    for args in wrong {
        assert_eq!(config(&home, args).code, 2, "{args:?}");
    }
    assert!(!home.join("a").exists(), "a store was made");
    for (client, name) in [("gemini", "a_b"), ("claude-code", "workspace"), ("zed", "a b")] {
        let ended = config(&home, &[client, "--name", name]);
        assert!(ended.code == 1 && ended.stderr.contains("--name"), "{}", ended.stderr);
    }
    let ended = config(&home, &["curser"]);
    assert!(ended.code == 2 && ended.stderr.contains("cursor"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn a_link_to_the_program_stays_a_link() {
    let place = Place::new();
    let home = place.path();
    let link = home.join("bin-scalene-mcp");
    std::os::unix::fs::symlink(BINARY, &link).unwrap();
    for program in [link.as_path(), Path::new("./bin-scalene-mcp")] {
        let ended = call(program, &home, &["cursor"]);
        let value: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(value["mcpServers"]["scalene"]["command"], link.to_str().unwrap());
        assert!(ended.stderr.contains("is a link, kept as one"), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn the_entry_starts_the_server() {
    let place = Place::new();
    let home = place.path();
    done(&home, &["cursor", "--write", "--root", ".", "--store", "profiles"]);
    let value: serde_json::Value =
        serde_json::from_str(&read(&home.join(".cursor/mcp.json"))).unwrap();
    let entry = &value["mcpServers"]["scalene"];
    assert_eq!(entry["command"], BINARY);
    let args: Vec<&str> =
        entry["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let session = Session::open_with(server_command(&home, &args)).await;
    assert!(!session.service.list_all_tools().await.unwrap().is_empty());
    assert!(home.join("profiles").is_dir());
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_printed_for_each_client() {
    let place = Place::new();
    let home = place.path();
    let mut text = String::new();
    for client in CLIENTS {
        let ended = config(&home, &[client, "--root", "."]);
        text += &format!("=== {client}\n{}---\n{}\n", ended.stdout, ended.stderr);
    }
    let text = text.replace(BINARY, "/path/to/scalene-mcp").replace(home.to_str().unwrap(), "~");
    insta::assert_snapshot!(text);
}

#[test]
fn the_document_has_the_snippets_and_the_files() {
    let document = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/clients.md"));
    let place = Place::new();
    let home = place.path();
    for client in CLIENTS {
        let start = document.find(&format!("`scalene-mcp config {client} --write`")).unwrap();
        let section = &document[start..];
        let section = &section[..section.find("\n## ").unwrap_or(section.len())];
        let snippet = done(&home, &[client]).replace(BINARY, "/path/to/scalene-mcp");
        assert!(section.contains(&snippet), "{client}: {snippet}");
        let name = file(&home, client);
        let name = name.file_name().unwrap().to_str().unwrap();
        assert!(section.contains(name), "{client}: {name}");
    }
}
