//! JSON files, with comments or without: text is put in or cut out, and the rest stays as it is.

use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::tokens::{Token, TokenAndRange};
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, ParseResult};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::clients::{Entry, Launch};
use super::edit::{Found, Refusal};

/// What a client's reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Strict,
    Comments,
    CommentsAndCommas,
}

impl Dialect {
    fn options(self) -> ParseOptions {
        ParseOptions {
            allow_comments: self != Self::Strict,
            allow_trailing_commas: self == Self::CommentsAndCommas,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        }
    }
}

fn parse(text: &str, dialect: Dialect) -> Result<ParseResult<'_>, Refusal> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
    let parsed = jsonc_parser::parse_to_ast(text, &collect, &dialect.options())
        .map_err(|error| Refusal::invalid(error.kind()).at(text, error.range().start))?;
    // The parser takes them whatever the options say where they are asked for as tokens.
    let mut tokens = parsed.tokens.iter().flatten();
    match tokens.find(|token| dialect == Dialect::Strict && comment(token)) {
        None => Ok(parsed),
        Some(token) => {
            let why = "its client reads no comments";
            Err(Refusal::invalid(why).at(text, token.start()))
        }
    }
}

/// The outermost object; `None` where there is nothing yet.
fn root<'a, 'b>(
    text: &str,
    parsed: &'b ParseResult<'a>,
) -> Result<Option<&'b Object<'a>>, Refusal> {
    match &parsed.value {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(Refusal::shape("is not an object").at(text, other.range().start)),
    }
}

/// The last one of a name, which is the one that JSON readers take.
fn property<'a, 'b>(object: &'b Object<'a>, name: &str) -> Option<&'b ObjectProp<'a>> {
    object.properties.iter().rev().find(|property| property.name.as_str() == name)
}

fn servers<'a, 'b>(
    text: &str,
    root: &'b Object<'a>,
    section: &str,
) -> Result<Option<&'b Object<'a>>, Refusal> {
    match property(root, section).map(|property| &property.value) {
        None => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(Refusal::shape(format!("has a `{section}` that is not an object"))
            .at(text, other.range().start)),
    }
}

/// What stands under `name`.
pub(super) fn find(
    text: &str,
    dialect: Dialect,
    section: &str,
    name: &str,
) -> Result<Found, Refusal> {
    let parsed = parse(text, dialect)?;
    let Some(root) = root(text, &parsed)? else { return Ok(Found::Nothing) };
    let Some(servers) = servers(text, root, section)? else { return Ok(Found::Nothing) };
    let Some(entry) = property(servers, name) else { return Ok(Found::Nothing) };
    Ok(launch(&entry.value).map_or(Found::Other, Found::Program))
}

fn launch(value: &Value<'_>) -> Option<Launch> {
    let object = value.as_object()?;
    let command = property(object, "command")?.value.as_string_lit()?.value.to_string();
    let args = match property(object, "args") {
        None => Vec::new(),
        Some(args) => {
            let elements = &args.value.as_array()?.elements;
            let words =
                elements.iter().map(|word| word.as_string_lit().map(|word| word.value.to_string()));
            words.collect::<Option<_>>()?
        }
    };
    Some(Launch { command, args })
}

/// All else: the text of every other key and of every other server.
pub(super) fn others(
    text: &str,
    dialect: Dialect,
    section: &str,
    name: &str,
) -> Result<Vec<String>, Refusal> {
    let parsed = parse(text, dialect)?;
    let Some(root) = root(text, &parsed)? else { return Ok(Vec::new()) };
    let raw = |property: &ObjectProp<'_>| {
        text.get(property.start()..property.end()).unwrap_or_default().to_owned()
    };
    let of = |object: &Object<'_>, left_out: &str| {
        let kept = object.properties.iter().filter(|property| property.name.as_str() != left_out);
        kept.map(raw).collect::<Vec<_>>()
    };
    let mut all = of(root, section);
    if let Some(servers) = servers(text, root, section)? {
        all.extend(of(servers, name));
    }
    Ok(all)
}

/// Puts the entry in, or its `command` and `args` into the entry that is there.
pub(super) fn merge(
    text: &str,
    dialect: Dialect,
    section: &str,
    entry: &Entry,
) -> Result<String, Refusal> {
    let parsed = parse(text, dialect)?;
    let page = Page::new(text, &parsed);
    let fresh = |depth: &str| {
        let mut whole = serde_json::Map::new();
        whole.insert(entry.name.clone(), entry.value());
        page.written(section, &serde_json::Value::Object(whole), depth)
    };
    let Some(root) = root(text, &parsed)? else {
        let inner = page.unit.clone();
        let nl = page.newline;
        // After comments, which may be all that there is.
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { nl };
        return Ok(format!("{text}{gap}{{{nl}{inner}{}{nl}}}{nl}", fresh(&inner)));
    };
    let Some(servers) = servers(text, root, section)? else {
        return Ok(page.apply(page.insertion(root, &fresh)));
    };
    let Some(old) = property(servers, &entry.name) else {
        let new = |depth: &str| page.written(&entry.name, &entry.value(), depth);
        return Ok(page.apply(page.insertion(servers, &new)));
    };
    let Some(old) = old.value.as_object() else {
        return Err(Refusal::shape(format!("has a `{}` that is not an object", entry.name)));
    };
    Ok(update(&page, dialect, old, entry))
}

/// The command and the arguments of an entry; its other keys stay.
fn update(page: &Page<'_>, dialect: Dialect, old: &Object<'_>, entry: &Entry) -> String {
    let mut cuts = Vec::new();
    let mut missing = Vec::new();
    if let serde_json::Value::Object(wanted) = entry.value() {
        for (key, value) in wanted.into_iter().filter(|(key, _)| key != "type") {
            match property(old, &key) {
                Some(property) => {
                    let depth = page.indent_at(property.start());
                    let text = page.rendered(&value, &depth);
                    cuts.push((property.value.start()..property.value.end(), text));
                }
                None => missing.push((key, value)),
            }
        }
    }
    let text = page.apply(cuts);
    let Some((key, value)) = missing.into_iter().next() else { return text };
    // Where `args` is missing, `command` was there: the entry starts a program.
    let again = parse(&text, dialect).ok().and_then(|parsed| {
        let page = Page::new(&text, &parsed);
        let object = object_at(parsed.value.as_ref()?, old.start())?;
        let new = |depth: &str| page.written(&key, &value, depth);
        Some(page.apply(page.insertion(object, &new)))
    });
    again.unwrap_or(text)
}

/// The object that begins at a byte.
fn object_at<'a, 'b>(value: &'b Value<'a>, start: usize) -> Option<&'b Object<'a>> {
    let object = value.as_object()?;
    if object.start() == start {
        return Some(object);
    }
    object.properties.iter().find_map(|property| object_at(&property.value, start))
}

/// Takes an entry out, with the comma that belongs to it.
pub(super) fn remove(
    text: &str,
    dialect: Dialect,
    section: &str,
    name: &str,
) -> Result<String, Refusal> {
    let parsed = parse(text, dialect)?;
    let page = Page::new(text, &parsed);
    let found = root(text, &parsed)?
        .map(|root| servers(text, root, section))
        .transpose()?
        .flatten()
        .and_then(|servers| Some((servers, property(servers, name)?)));
    let Some((servers, entry)) = found else { return Ok(text.to_owned()) };
    Ok(page.apply(page.removal(servers, entry)))
}

/// A text with what is needed to cut and paste in it.
struct Page<'a> {
    text: &'a str,
    tokens: &'a [TokenAndRange<'a>],
    newline: &'static str,
    /// One step of indentation.
    unit: String,
}

type Cut = (Range<usize>, String);

impl<'a> Page<'a> {
    fn new(text: &'a str, parsed: &'a ParseResult<'a>) -> Self {
        let first = parsed.value.as_ref().and_then(|value| value.as_object()?.properties.first());
        let mut page = Self {
            text,
            tokens: parsed.tokens.as_deref().unwrap_or_default(),
            newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
            unit: "  ".to_owned(),
        };
        if let Some(first) = first {
            let indent = page.indent_at(first.start());
            if page.begins_line(first.start()) && !indent.is_empty() {
                page.unit = indent;
            }
        }
        page
    }

    fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    fn line_start(&self, byte: usize) -> usize {
        self.slice(0..byte).rfind('\n').map_or(0, |index| index + 1)
    }

    /// The white space with which the line of a byte begins.
    fn indent_at(&self, byte: usize) -> String {
        let line = self.slice(self.line_start(byte)..byte);
        line.chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
    }

    fn begins_line(&self, byte: usize) -> bool {
        self.slice(self.line_start(byte)..byte).trim().is_empty()
    }

    /// Makes the cuts, which do not overlap.
    fn apply(&self, mut cuts: Vec<Cut>) -> String {
        cuts.sort_by_key(|(range, _)| range.start);
        let mut out = String::new();
        let mut at = 0;
        for (range, new) in cuts {
            out += self.slice(at..range.start);
            out += &new;
            at = range.end;
        }
        out + self.slice(at..self.text.len())
    }

    /// A value, its lines but the first behind `depth`.
    fn rendered(&self, value: &serde_json::Value, depth: &str) -> String {
        let mut bytes = Vec::new();
        let format = PrettyFormatter::with_indent(self.unit.as_bytes());
        // Writing to memory does not fail.
        let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, format));
        let text = String::from_utf8(bytes).unwrap_or_default();
        text.replace('\n', &format!("{}{depth}", self.newline))
    }

    /// A key and its value.
    fn written(&self, key: &str, value: &serde_json::Value, depth: &str) -> String {
        format!("{}: {}", serde_json::Value::from(key), self.rendered(value, depth))
    }

    /// The token after a byte that is a comma, or none if something else comes first.
    fn comma_after(&self, byte: usize) -> Option<Range<usize>> {
        let mut after = self.tokens.iter().filter(|token| token.start() >= byte);
        let token = after.find(|token| !comment(token))?;
        matches!(token.token, Token::Comma).then(|| token.start()..token.end())
    }

    /// The end of the comments that stand on the line of a byte, after it.
    fn line_tail(&self, byte: usize) -> usize {
        let mut end = byte;
        for token in self.tokens.iter().filter(|token| token.start() >= byte) {
            if !comment(token) || self.slice(end..token.start()).contains('\n') {
                break;
            }
            end = token.end();
        }
        end
    }

    /// Puts a property at the end of an object. `new` is its text at an indentation.
    fn insertion(&self, object: &Object<'_>, new: &dyn Fn(&str) -> String) -> Vec<Cut> {
        let Some(last) = object.properties.last() else { return self.first(object, new) };
        let comma = self.comma_after(last.end());
        let inner = self.slice(object.start()..object.end());
        if !inner.contains('\n') {
            let new = compact(&new(""));
            let (at, text) = match &comma {
                Some(comma) => (comma.end, format!(" {new},")),
                None => (last.end(), format!(", {new}")),
            };
            return vec![(at..at, text)];
        }
        let depth = if self.begins_line(last.start()) {
            self.indent_at(last.start())
        } else {
            self.indent_at(object.start()) + &self.unit
        };
        let tail = self.line_tail(comma.as_ref().map_or(last.end(), |comma| comma.end));
        let after = if comma.is_some() { "," } else { "" };
        let mut cuts = Vec::new();
        if comma.is_none() {
            cuts.push((last.end()..last.end(), ",".to_owned()));
        }
        cuts.push((tail..tail, format!("{}{depth}{}{after}", self.newline, new(&depth))));
        cuts
    }

    /// The same in an object that has no property yet.
    fn first(&self, object: &Object<'_>, new: &dyn Fn(&str) -> String) -> Vec<Cut> {
        let one_line = !self.text.trim().contains('\n') && self.text.trim().len() > 2;
        let inner = object.start() + 1..object.end().saturating_sub(1);
        if one_line && self.slice(inner.clone()).trim().is_empty() {
            return vec![(inner, compact(&new("")))];
        }
        let outer = self.indent_at(object.start());
        let depth = format!("{outer}{}", self.unit);
        let comments = self.tokens.iter().filter(|token| {
            comment(token) && token.start() >= inner.start && token.end() <= inner.end
        });
        let at = comments.map(Ranged::end).max().unwrap_or(inner.start);
        let close = if self.slice(at..inner.end).contains('\n') {
            String::new()
        } else {
            format!("{}{outer}", self.newline)
        };
        vec![(at..at, format!("{}{depth}{}{close}", self.newline, new(&depth)))]
    }

    /// Takes a property out, with its comma and the comments on its line.
    fn removal(&self, object: &Object<'_>, entry: &ObjectProp<'_>) -> Vec<Cut> {
        let comma = self.comma_after(entry.end());
        let before = self
            .tokens
            .iter()
            .rev()
            .filter(|token| token.end() <= entry.start())
            .find(|token| !comment(token))
            .filter(|token| matches!(token.token, Token::Comma))
            .map(|token| token.start()..token.end());
        let own_end = comma.as_ref().map_or(entry.end(), |comma| comma.end);
        let last = object.properties.last().is_some_and(|last| last.start() == entry.start());
        let mut cuts = Vec::new();
        if let (None, Some(before)) = (&comma, &before) {
            cuts.push((before.clone(), String::new()));
        }
        let own_line = self.begins_line(entry.start());
        if own_line {
            let end = self.line_tail(own_end);
            let line = self.line_start(entry.start());
            let start = self.slice(0..line).trim_end_matches(['\n', '\r']).len();
            // Blank lines above stay; only this line's own end goes.
            let start = self.slice(start..line).rfind('\n').map_or(start, |index| {
                let newline = start + index;
                if self.slice(start..newline).ends_with('\r') { newline - 1 } else { newline }
            });
            cuts.push((start..end, String::new()));
        } else if last {
            let start = before.as_ref().map_or(object.start() + 1, |before| before.end);
            cuts.push((start..own_end, String::new()));
        } else {
            let next = object.properties.iter().find(|next| next.start() > entry.start());
            let end = next.map_or(own_end, ObjectProp::start);
            cuts.push((entry.start()..end, String::new()));
        }
        cuts
    }
}

fn comment(token: &TokenAndRange<'_>) -> bool {
    matches!(token.token, Token::CommentLine(_) | Token::CommentBlock(_))
}

/// Rendered JSON on one line. Line ends are only between its parts: in strings they are escaped.
fn compact(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        let opens = out.ends_with(['{', '[']);
        let closes = line.starts_with(['}', ']']);
        if index > 0 && !opens && !closes {
            out.push(' ');
        }
        out += line;
    }
    out
}
