//! `scalene-mcp config`: the entry of this server in the settings of MCP clients.

mod clients;
mod edit;
mod file;
mod json;
mod options;
mod passed;
mod places;
mod toml;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use imara_diff::{Algorithm, BasicLineDiffPrinter, Diff, InternedInput, UnifiedDiffConfig};

use clients::{Client, Entry, Launch};
use edit::{Edit, Found, Refusal};
use file::Document;
use places::{Surroundings, System};

pub(super) use options::ConfigOptions;
pub(super) use passed::typed;

/// A file of a client, and the entry that is meant.
struct Target {
    client: Client,
    file: PathBuf,
    /// Whether the file is a project's.
    project: bool,
    entry: Entry,
}

/// Runs the command. `server` are the options for the server.
pub(super) fn run(options: &ConfigOptions, server: Vec<String>) -> ExitCode {
    let launch = match own_command() {
        Ok(command) => Launch { command, args: server },
        Err(refusal) => return refused(None, &refusal),
    };
    let Some(client) = options.client else { return said(&list(options, &launch)) };
    let target = match target(client, options, launch) {
        Ok(target) => target,
        Err(refusal) => return refused(None, &refusal),
    };
    let done = if options.remove {
        remove(&target, options.dry_run)
    } else if options.write || options.dry_run {
        write(&target, options.dry_run)
    } else {
        print(&target)
    };
    match done {
        Ok(text) => said(&text),
        Err(refusal) => refused(Some(&target.file), &refusal),
    }
}

/// Prints what was done. Whoever has stopped reading misses only this.
fn said(text: &str) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn refused(file: Option<&Path>, refusal: &Refusal) -> ExitCode {
    let place = refusal.at.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
    let file = file.map_or_else(String::new, |file| format!("{}{place} ", file.display()));
    eprintln!("scalene-mcp: {file}{}\nNext: {}", refusal.what, refusal.next);
    ExitCode::from(super::FAILURE)
}

fn own_command() -> Result<String, Refusal> {
    let path = places::own_path(std::env::args_os().next(), std::env::var_os("PATH").as_deref())
        .map_err(|why| {
            Refusal::new(format!("its own path is not known: {why}"), "start it by its full path")
        })?;
    path.into_os_string().into_string().map_err(|path| {
        Refusal::new(
            format!("its own path `{}` is not UTF-8", path.display()),
            "move it to a path that settings files can be written with",
        )
    })
}

fn target(client: Client, options: &ConfigOptions, launch: Launch) -> Result<Target, Refusal> {
    if let Some(why) = client.objection(&options.name) {
        return Err(Refusal::new(format!("--name: `{}` cannot be used", options.name), why));
    }
    let entry = client.entry(&options.name, launch);
    let (file, project) = match (&options.file, &options.project) {
        (Some(file), _) => (absolute(file), false),
        (None, Some(project)) => (project_file(client, project)?, true),
        (None, None) => (user_file(client)?, false),
    };
    Ok(Target { client, file, project, entry })
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn user_file(client: Client) -> Result<PathBuf, Refusal> {
    let home = std::env::home_dir()
        .filter(|home| !home.as_os_str().is_empty())
        .ok_or_else(|| Refusal::new("there is no home folder", "name the file with --file"))?;
    let variable = |name: &str| std::env::var_os(name);
    Ok(Surroundings { system: System::here(), home, variable: &variable }.user_file(client))
}

fn project_file(client: Client, project: &Path) -> Result<PathBuf, Refusal> {
    let project = absolute(project);
    // `absolute` keeps a `.` at the end on some systems.
    let project: PathBuf = project.components().collect();
    if !project.is_dir() {
        return Err(Refusal::new(
            format!("--project: `{}` is not a folder", project.display()),
            "name the project's folder",
        ));
    }
    places::project_file(client, &project).ok_or_else(|| {
        Refusal::new(
            format!("--project: {} has one file for all projects", client.title()),
            "leave --project out",
        )
    })
}

/// One line for each client.
fn list(options: &ConfigOptions, launch: &Launch) -> String {
    let mut text = format!("{:<15} {:<15} file\n", "client", "state");
    for client in Client::value_variants() {
        let file = match &options.project {
            Some(project) => project_file(*client, project),
            None => user_file(*client),
        };
        let (state, file) = match file {
            Ok(file) => (state(*client, &file, &options.name, launch), file.display().to_string()),
            Err(refusal) => ("-".to_owned(), refusal.what),
        };
        text += &format!("{:<15} {state:<15} {file}\n", client.id());
    }
    text += "\nNext: `scalene-mcp config CLIENT` prints the snippet, `--write` merges it into the file.\n";
    text
}

fn state(client: Client, file: &Path, name: &str, launch: &Launch) -> String {
    let Ok(document) = Document::read(file) else { return "unreadable".to_owned() };
    if !document.exists() {
        return "no file".to_owned();
    }
    match edit::find(client.format(), document.text(), client.section(), name) {
        Ok(Found::Program(found)) if found == *launch => "configured".to_owned(),
        Ok(Found::Program(_) | Found::Other) => "differs".to_owned(),
        Ok(Found::Nothing) => "not configured".to_owned(),
        Err(_) => "invalid".to_owned(),
    }
}

/// The snippet on standard output, what to do with it on standard error.
fn print(target: &Target) -> Result<String, Refusal> {
    let Target { client, file, project, entry } = target;
    let snippet = edit::snippet(client.format(), client.section(), entry)?;
    let exists = if file.exists() { "" } else { " (no such file yet)" };
    eprintln!("{}: {}{exists}\n", client.title(), file.display());
    said(&snippet);
    eprintln!("\nTo merge it into the file, add --write (--dry-run shows what would change)");
    if let Some(command) = client.own_command(entry, *project, System::here()) {
        eprintln!("Or let {} do it: {command}", client.title());
    }
    let command = Path::new(&entry.launch.command);
    if let Some(real) = command.canonicalize().ok().filter(|real| is_link(command, real)) {
        eprintln!("The command is a link, kept as one; it leads to {}", real.display());
    }
    eprintln!("Then: {}", client.then(*project));
    Ok(String::new())
}

/// Whether a path is another name of a file, and not only of a folder on the way to it.
fn is_link(path: &Path, real: &Path) -> bool {
    path != real && path.is_symlink()
}

fn write(target: &Target, dry_run: bool) -> Result<String, Refusal> {
    let Target { client, file, entry, .. } = target;
    let document = Document::read(file)?;
    let edit = edit::merge(client.format(), document.text(), client.section(), entry)?;
    let Edit::Text(after) = edit else {
        return Ok(format!(
            "`{}` is already there: {} was not touched\n",
            entry.name,
            file.display()
        ));
    };
    if dry_run {
        return Ok(difference(&document, &after));
    }
    let backup = document.replace(&after, !target.project)?;
    let made = if document.exists() { "" } else { ", which is new" };
    Ok(format!(
        "`{}` written into {}{made}\n{}Next: {}\n",
        entry.name,
        file.display(),
        besides(&document, backup.as_deref()),
        client.then(target.project)
    ))
}

fn remove(target: &Target, dry_run: bool) -> Result<String, Refusal> {
    let Target { client, file, entry, .. } = target;
    let document = Document::read(file)?;
    let edit = edit::remove(client.format(), document.text(), client.section(), entry)?;
    let Edit::Text(after) = edit else {
        return Ok(format!("`{}` is not there: {} was not touched\n", entry.name, file.display()));
    };
    let original = original(target, &document);
    let unmade = original.as_deref() == Some("") && !document.linked();
    let after = original.unwrap_or(after);
    if dry_run {
        return Ok(difference(&document, &after));
    }
    if unmade {
        document.delete()?;
        return Ok(format!(
            "`{}` removed: {} held nothing else and is gone\n",
            entry.name,
            file.display()
        ));
    }
    let backup = document.replace(&after, !target.project)?;
    let besides = besides(&document, backup.as_deref());
    Ok(format!("`{}` removed from {}\n{besides}", entry.name, file.display()))
}

/// What the file was before this program wrote into it, if nothing has changed since: the text
/// that gives the present one when the entry is merged into it. Empty for a file that it made.
fn original(target: &Target, document: &Document) -> Option<String> {
    let Target { client, entry, .. } = target;
    let (format, section) = (client.format(), client.section());
    let found = edit::find(format, document.text(), section, &entry.name).ok()?;
    let Found::Program(launch) = found else { return None };
    let entry = client.entry(&entry.name, launch);
    let gives_this = |text: &String| {
        let merged = edit::merge(format, text, section, &entry);
        matches!(merged, Ok(Edit::Text(merged)) if merged == document.text())
            && edit::find(format, text, section, &entry.name).is_ok_and(|was| was == Found::Nothing)
    };
    document.earlier().into_iter().chain([String::new()]).find(gives_this)
}

/// Where the link leads, and where the backup lies.
fn besides(document: &Document, backup: Option<&Path>) -> String {
    let mut text = String::new();
    if document.linked() {
        let real = document.path().display();
        text += &format!("It is a link: what it leads to was changed, {real}\n");
    }
    if let Some(backup) = backup {
        text += &format!("As it was before: {}\n", backup.display());
    }
    text
}

fn difference(document: &Document, after: &str) -> String {
    let name = document.path().display().to_string();
    let input = InternedInput::new(document.text(), after);
    let mut diff = Diff::compute(Algorithm::Histogram, &input);
    diff.postprocess_lines(&input);
    let printer = BasicLineDiffPrinter(&input.interner);
    let hunks = diff.unified_diff(&printer, UnifiedDiffConfig::default(), &input);
    format!("--- {name}\n+++ {name}\n{hunks}")
}
