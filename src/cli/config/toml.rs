//! Codex's file, in TOML.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, TomlError, Value};

use super::clients::{Entry, Launch};
use super::edit::{Found, Refusal};

fn parse(text: &str) -> Result<DocumentMut, Refusal> {
    text.parse::<DocumentMut>().map_err(|error: TomlError| {
        let at = error.span().map_or(0, |span| span.start);
        Refusal::invalid(error.message()).at(text, at)
    })
}

fn servers<'a>(
    document: &'a DocumentMut,
    section: &str,
) -> Result<Option<&'a dyn TableLike>, Refusal> {
    match document.get(section) {
        None => Ok(None),
        Some(item) => item.as_table_like().map(Some).ok_or_else(|| no_table(section)),
    }
}

fn no_table(name: &str) -> Refusal {
    Refusal::shape(format!("has a `{name}` that is not a table"))
}

/// What stands under `name`.
pub(super) fn find(text: &str, section: &str, name: &str) -> Result<Found, Refusal> {
    let document = parse(text)?;
    let Some(servers) = servers(&document, section)? else { return Ok(Found::Nothing) };
    let Some(entry) = servers.get(name) else { return Ok(Found::Nothing) };
    Ok(entry.as_table_like().and_then(launch).map_or(Found::Other, Found::Program))
}

fn launch(entry: &dyn TableLike) -> Option<Launch> {
    let command = entry.get("command")?.as_str()?.to_owned();
    let args = match entry.get("args") {
        None => Vec::new(),
        Some(args) => {
            let words = args.as_array()?.iter().map(|word| word.as_str().map(str::to_owned));
            words.collect::<Option<_>>()?
        }
    };
    Some(Launch { command, args })
}

/// All else: every value outside the entry, with its path.
pub(super) fn others(text: &str, section: &str, name: &str) -> Result<Vec<String>, Refusal> {
    let document = parse(text)?;
    let mut all = Vec::new();
    for (key, item) in document.iter() {
        match item.as_table_like() {
            Some(servers) if key == section => {
                for (other, item) in servers.iter().filter(|(other, _)| *other != name) {
                    values(&format!("{key:?}.{other:?}"), item, &mut all);
                }
            }
            _ => values(&format!("{key:?}"), item, &mut all),
        }
    }
    all.sort();
    Ok(all)
}

fn values(path: &str, item: &Item, all: &mut Vec<String>) {
    if let Some(table) = item.as_table_like() {
        all.push(path.to_owned());
        for (key, item) in table.iter() {
            values(&format!("{path}.{key:?}"), item, all);
        }
    } else if let Some(tables) = item.as_array_of_tables() {
        for (index, table) in tables.iter().enumerate() {
            all.push(format!("{path}[{index}]"));
            for (key, item) in table {
                values(&format!("{path}[{index}].{key:?}"), item, all);
            }
        }
    } else {
        all.push(format!("{path} = {}", item.to_string().trim().replace('\r', "")));
    }
}

/// Puts the entry in, or its `command` and `args` into the entry that is there.
pub(super) fn merge(text: &str, section: &str, entry: &Entry) -> Result<String, Refusal> {
    let mut document = parse(text)?;
    let empty = text.trim().is_empty();
    let root = document.as_table_mut();
    if !root.contains_key(section) {
        let mut servers = Table::new();
        servers.set_implicit(true);
        root.insert(section, Item::Table(servers));
    }
    let servers = root.get_mut(section).ok_or_else(|| no_table(section))?;
    let inline = servers.is_inline_table();
    let servers = servers.as_table_like_mut().ok_or_else(|| no_table(section))?;
    let command = Value::from(entry.launch.command.as_str());
    let args = Value::from(entry.launch.args.iter().collect::<Array>());
    if let Some(old) = servers.get_mut(&entry.name) {
        let old = old.as_table_like_mut().ok_or_else(|| no_table(&entry.name))?;
        set(old, "command", command);
        set(old, "args", args);
    } else if inline {
        let mut new = InlineTable::new();
        new.insert("command", command);
        new.insert("args", args);
        servers.insert(&entry.name, Item::Value(Value::InlineTable(new)));
    } else {
        let mut new = Table::new();
        new.insert("command", Item::Value(command));
        new.insert("args", Item::Value(args));
        if !empty {
            new.decor_mut().set_prefix("\n");
        }
        servers.insert(&entry.name, Item::Table(new));
    }
    Ok(with_line_ends_of(text, &document.to_string()))
}

/// A value in place of another, whose comments and spaces stay.
fn set(table: &mut dyn TableLike, key: &str, mut new: Value) {
    if let Some(old) = table.get_mut(key).and_then(Item::as_value_mut) {
        new.decor_mut().clone_from(old.decor());
        *old = new;
    } else {
        table.insert(key, Item::Value(new));
    }
}

/// Takes an entry out.
pub(super) fn remove(text: &str, section: &str, name: &str) -> Result<String, Refusal> {
    let mut document = parse(text)?;
    if let Some(servers) = document.get_mut(section).and_then(Item::as_table_like_mut) {
        servers.remove(name);
    }
    Ok(with_line_ends_of(text, &document.to_string()))
}

/// The crate ends lines with `\n`. Lines that were there keep their own end, new ones get that of
/// the first.
fn with_line_ends_of(before: &str, after: &str) -> String {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let bare = |line: &str| line.trim_end_matches(['\n', '\r']).to_owned();
    let same = |(old, new): &(&&str, &&str)| bare(old) == bare(new);
    let head = old.iter().zip(&new).take_while(same).count();
    let left = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(left).take_while(same).count();
    let newline =
        if old.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" };
    let mut out = String::new();
    for line in old.iter().take(head) {
        out += line;
    }
    let middle = new.len() - head - tail;
    if middle > 0 && !out.is_empty() && !out.ends_with('\n') {
        out += newline;
    }
    for line in new.iter().skip(head).take(middle) {
        out += &bare(line);
        out += newline;
    }
    for line in old.iter().skip(old.len() - tail) {
        out += line;
    }
    out
}
