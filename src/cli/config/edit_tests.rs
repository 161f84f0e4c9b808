//! Edits of text of any shape, without files.

use proptest::prelude::*;

use super::super::clients::Client;
use super::super::json::Dialect;
use super::*;

fn entry(args: &[&str]) -> Entry {
    let args = args.iter().map(|&word| word.to_owned()).collect();
    Client::Cursor.entry("scalene", Launch { command: "/bin/scalene-mcp".to_owned(), args })
}

fn merged(format: Format, text: &str, entry: &Entry) -> String {
    match merge(format, text, "servers", entry).unwrap() {
        Edit::Text(text) => text,
        Edit::Nothing => panic!("nothing was to be done"),
    }
}

const LOOSE: Format = Format::Json(Dialect::CommentsAndCommas);

#[test]
fn an_entry_comes_after_the_comments_of_the_last_one() {
    let before = "{\n\t\"servers\": {\n\t\t\"a\": {}, // of a\n\t\t// of none\n\t}, // end\n}\n";
    let after = merged(LOOSE, before, &entry(&[]));
    let expected = "{\n\t\"servers\": {\n\t\t\"a\": {}, // of a\n\t\t\"scalene\": {\n\t\t\t\"type\": \"stdio\",\n\
        \t\t\t\"command\": \"/bin/scalene-mcp\",\n\t\t\t\"args\": []\n\t\t},\n\t\t// of none\n\t}, // end\n}\n";
    assert_eq!(after, expected);
}

#[test]
fn one_line_stays_one_line() {
    let after = merged(LOOSE, r#"{"servers": {"a": {}}, "b": 1}"#, &entry(&["x, y", "[ {"]));
    let expected = r#"{"servers": {"a": {}, "scalene": {"type": "stdio", "command": "/bin/scalene-mcp", "args": ["x, y", "[ {"]}}, "b": 1}"#;
    assert_eq!(after, expected);
}

#[test]
fn an_entry_that_is_there_keeps_its_other_keys() {
    let before = "{\"servers\": {\"scalene\": {\n  \"env\": {\"A\": \"1\"}, // mine\n  \"command\": \"/old/scalene-mcp\"\n}}}";
    let after = merged(LOOSE, before, &entry(&["-x"]));
    let expected = "{\"servers\": {\"scalene\": {\n  \"env\": {\"A\": \"1\"}, // mine\n  \"command\": \"/bin/scalene-mcp\",\n  \
        \"args\": [\n    \"-x\"\n  ]\n}}}";
    assert_eq!(after, expected);
    let before = "[servers.scalene] # a\ncommand = \"/old/scalene-mcp\" # b\nargs = [] # c\nenv = { A = \"1\" } # d\n";
    let after = merged(Format::Toml, before, &entry(&["-x"]));
    let expected = "[servers.scalene] # a\ncommand = \"/bin/scalene-mcp\" # b\nargs = [\"-x\"] # c\nenv = { A = \"1\" } # d\n";
    assert_eq!(after, expected);
}

#[test]
fn servers_of_others_are_not_overwritten() {
    let others = [
        (LOOSE, r#"{"servers": {"scalene": {"command": "npx", "args": ["-y", "other"]}}}"#),
        (LOOSE, r#"{"servers": {"scalene": {"url": "https://example.org"}}}"#),
        (LOOSE, r#"{"servers": {"scalene": []}}"#),
        (Format::Toml, "[servers.scalene]\ncommand = \"npx\"\n"),
        (Format::Toml, "servers.scalene = 3\n"),
    ];
    for (format, text) in others {
        assert!(merge(format, text, "servers", &entry(&[])).is_err(), "{text}");
        assert!(remove(format, text, "servers", &entry(&[])).is_err(), "{text}");
    }
    let by_others = r#"{"servers": {"scalene": {"command": "uvx", "args": ["scalene-mcp"]}}}"#;
    assert!(merge(LOOSE, by_others, "servers", &entry(&[])).is_ok());
}

#[test]
fn what_is_not_as_expected_is_refused_with_its_place() {
    let places = [
        (LOOSE, "[1]", Some((1, 1))),
        (LOOSE, "{\n  \"servers\": 3\n}", Some((2, 14))),
        (LOOSE, "{\n  \"a\": tru\n}", Some((2, 8))),
        (LOOSE, "{\"ä\": 1", Some((1, 1))),
        (Format::Json(Dialect::Strict), "{ // c\n}", Some((1, 3))),
        (Format::Json(Dialect::Comments), "{ // c\n \"a\": 1,\n}", Some((2, 8))),
        (Format::Toml, "a = 1\nb = = 2\n", Some((2, 5))),
        (Format::Toml, "servers = 3\n", None),
    ];
    for (format, text, place) in places {
        let refusal = merge(format, text, "servers", &entry(&[])).unwrap_err();
        assert_eq!(refusal.at, place, "{text}: {}", refusal.what);
    }
}

/// A JSON value without its spaces.
#[derive(Debug, Clone)]
enum Node {
    Leaf(&'static str),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

fn node() -> impl Strategy<Value = Node> {
    let leaf = prop::sample::select(vec![
        "1",
        "-0.10",
        "1e400",
        "123456789012345678901",
        "true",
        "null",
        "\"\"",
        "\"a // b\"",
        "\"{,}\"",
        "\"\\u00e4\\n\"",
        "\"ö\"",
    ]);
    leaf.prop_map(Node::Leaf).prop_recursive(3, 20, 4, |inner| {
        let key = prop::sample::select(vec!["a", "command", "servers", "x y", "ü", "\\\""]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Node::Array),
            prop::collection::vec((key.prop_map(str::to_owned), inner), 0..4)
                .prop_map(Node::Object),
        ]
    })
}

/// Writes a value with spaces, line ends and comments as the choices say.
struct Writer {
    choices: Vec<u8>,
    at: usize,
    comments: usize,
    dialect: Dialect,
    newline: &'static str,
    out: String,
}

impl Writer {
    fn choice(&mut self, of: u8) -> u8 {
        self.at += 1;
        self.choices[self.at % self.choices.len()].wrapping_add(u8::try_from(self.at % 7).unwrap())
            % of
    }

    fn gap(&mut self) {
        let comments = self.dialect != Dialect::Strict;
        match self.choice(9) {
            0..4 => {}
            4 => self.out.push(' '),
            5 => self.out += self.newline,
            6 => self.out += &format!("{}  ", self.newline),
            7 if comments => {
                self.out += &format!(" // c{}.{}\t", self.comments, self.newline);
                self.comments += 1;
            }
            8 if comments => {
                self.out += &format!("/* c{}. */", self.comments);
                self.comments += 1;
            }
            _ => self.out.push('\t'),
        }
    }

    fn items(&mut self, open: char, close: char, items: &[(Option<&str>, &Node)]) {
        self.out.push(open);
        self.gap();
        for (index, (key, item)) in items.iter().enumerate() {
            if let Some(key) = key {
                self.out += &format!("\"{key}\"");
                self.gap();
                self.out.push(':');
                self.gap();
            }
            self.node(item);
            self.gap();
            let trailing = self.dialect == Dialect::CommentsAndCommas && self.choice(3) == 0;
            if index + 1 < items.len() || trailing {
                self.out.push(',');
                self.gap();
            }
        }
        self.out.push(close);
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Leaf(text) => self.out += text,
            Node::Array(items) => {
                let items: Vec<_> = items.iter().map(|item| (None, item)).collect();
                self.items('[', ']', &items);
            }
            Node::Object(items) => {
                let items: Vec<_> =
                    items.iter().map(|(key, item)| (Some(key.as_str()), item)).collect();
                self.items('{', '}', &items);
            }
        }
    }
}

fn json_file() -> impl Strategy<Value = (Dialect, String, usize)> {
    let dialect =
        prop::sample::select(vec![Dialect::Strict, Dialect::Comments, Dialect::CommentsAndCommas]);
    let keyed = |names: &'static [&'static str]| {
        prop::collection::vec((prop::sample::select(names).prop_map(str::to_owned), node()), 0..4)
    };
    let file = (keyed(&["a", "b", "mcpServers"]), keyed(&["a", "b", "scalene2"]), 0..5_usize);
    let choices = prop::collection::vec(any::<u8>(), 1..40);
    (dialect, file, choices, any::<bool>()).prop_map(
        |(dialect, (mut root, servers, at), choices, crlf)| {
            if at < 4 {
                root.insert(at.min(root.len()), ("servers".to_owned(), Node::Object(servers)));
            }
            let newline = if crlf { "\r\n" } else { "\n" };
            let mut writer =
                Writer { choices, at: 0, comments: 0, dialect, newline, out: String::new() };
            writer.gap();
            writer.node(&Node::Object(root));
            writer.gap();
            (dialect, writer.out, writer.comments)
        },
    )
}

fn toml_file() -> impl Strategy<Value = String> {
    let pieces = vec![
        "# top",
        "model = \"o3\" # which",
        "n = [ 1, # one\n  2 ]",
        "s = '''\nraw # no comment\n'''",
        "servers.dotted.command = \"d\" # dotted",
        "[a.b] # of b",
        "x = 1e3",
        "[[list]]",
        "y = 2",
        "[[list]]",
        "[servers.other] # of other",
        "command = \"npx\"",
        "args = [\"-y\"] # pinned",
        "[servers.other.env]",
        "A = \"1\"",
        "[z]",
        "# end",
    ];
    let count = pieces.len();
    let inline = "servers = { other = { command = \"x\" } } # inline";
    (prop::sample::subsequence(pieces, 0..count), any::<[bool; 4]>())
        .prop_map(move |(mut pieces, [is_inline, crlf, ended, spaced])| {
            if is_inline {
                pieces.retain(|piece| !piece.contains("servers"));
                pieces.insert(0, inline);
            }
            let text = pieces.join(if spaced { "\n\n" } else { "\n" });
            let text = if ended && !text.is_empty() { text + "\n" } else { text };
            if crlf { text.replace('\n', "\r\n") } else { text }
        })
        .prop_filter("valid", |text| text.parse::<toml_edit::DocumentMut>().is_ok())
}

/// Whether all that is no space stands in the other text, in the same order.
fn within(part: &str, whole: &str) -> bool {
    let mut whole = whole.chars();
    part.chars().filter(|c| !c.is_whitespace()).all(|c| whole.any(|other| other == c))
}

/// Puts the entry in and takes it out, and holds the text against what it was.
fn round(format: Format, before: &str) -> (String, String) {
    let entry = entry(&["--root", "/a b"]);
    let after = merged(format, before, &entry);
    assert!(within(before, &after), "{before:?}\n{after:?}");
    assert!(matches!(merge(format, &after, "servers", &entry), Ok(Edit::Nothing)));
    let crlf = before.contains("\r\n");
    assert!(!crlf || !after.replace("\r\n", "").contains('\n'), "line ends: {after:?}");
    let Edit::Text(removed) = remove(format, &after, "servers", &entry).unwrap() else {
        panic!("nothing to remove in {after:?}")
    };
    (after, removed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn other_keys_and_comments_of_json_are_as_before((dialect, before, comments) in json_file()) {
        let format = Format::Json(dialect);
        let (after, removed) = round(format, &before);
        for index in 0..comments {
            let comment = format!("c{index}.");
            prop_assert!(after.contains(&comment) && removed.contains(&comment), "{before:?}\n{after:?}\n{removed:?}");
        }
        let others = |text: &str| json::others(text, dialect, "servers", "scalene").unwrap();
        prop_assert_eq!(others(&before), others(&after));
        prop_assert_eq!(others(&before), others(&removed));
    }

    #[test]
    fn other_keys_and_comments_of_toml_are_as_before(before in toml_file()) {
        let (_, removed) = round(Format::Toml, &before);
        prop_assert!(within(&before, &removed), "{before:?}\n{removed:?}");
        let others = |text: &str| toml::others(text, "servers", "scalene").unwrap();
        prop_assert_eq!(others(&before), others(&removed));
    }

    #[test]
    fn files_that_are_cut_off_are_refused_or_kept(
        (dialect, text, _) in json_file(), toml in toml_file(), part in 0.0..1.0_f64,
    ) {
        let files = [(Format::Json(dialect), text), (Format::Toml, toml)];
        for (format, text) in files {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a part of a short text")]
            let at = (text.len() as f64 * part) as usize;
            let cut: String = text.chars().take(at).collect();
            if let Ok(Edit::Text(after)) = merge(format, &cut, "servers", &entry(&[])) {
                prop_assert!(within(&cut, &after), "{cut:?}\n{after:?}");
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:/*=#\\r\\n\\\\ a.']{0,40}") {
        for format in [LOOSE, Format::Json(Dialect::Strict), Format::Toml] {
            if let Ok(Edit::Text(after)) = merge(format, &text, "servers", &entry(&[])) {
                prop_assert!(within(&text, &after), "{text:?}\n{after:?}");
            }
        }
    }
}
