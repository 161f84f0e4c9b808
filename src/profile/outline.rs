//! Which function a source line belongs to.
//!
//! Scalene's own function rows do not add up to their lines and old versions name only
//! some functions, so names and ranges come from the stored source itself.
//!
//! A scanner of our own, not a parser: it only has to know where logical lines begin, which takes
//! strings, brackets and line continuations, and reads a hundred thousand lines in milliseconds;
//! a full parser takes seconds for them. Tests hold it against one.

use super::ids::LineNo;
use super::totals::FunctionTotals;

/// What a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionKind {
    /// `def` or `async def`.
    Function,
    /// The body of a `class`, which runs once when the class is made.
    Class,
}

/// A function, method or class body in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpan {
    /// Qualified name as Python gives it: `Shape.scale.<locals>.nested`.
    pub name: String,
    /// Function or class body.
    pub kind: FunctionKind,
    /// Declared with `async def`.
    pub is_async: bool,
    /// Line of `def` or `class`.
    pub start: LineNo,
    /// Last line of the body.
    pub end: LineNo,
}

impl FunctionSpan {
    /// The name under which code outside every function is reported.
    pub const MODULE: &str = "<module>";

    /// Whether a line lies in the span.
    pub fn contains(&self, line: LineNo) -> bool {
        self.start <= line && line <= self.end
    }
}

/// Lists the functions and classes of a Python source in order of their first line.
///
/// Source that is not Python, or broken, gives what could be recognised.
pub fn outline(source: &str) -> Vec<FunctionSpan> {
    let mut scan = Scan::default();
    for (row, line) in source.split_inclusive('\n').enumerate() {
        let Some(number) = u32::try_from(row + 1).ok().and_then(LineNo::new) else { break };
        scan.line(line, number);
    }
    scan.close(0);
    scan.spans
}

/// Definitions nested deeper than this are left out; Python itself allows 100 levels.
const MOST_NESTED: usize = 100;
/// Columns to which a tab leads.
const TAB: usize = 8;

/// A definition whose body is being read.
struct Open {
    indent: usize,
    span: usize,
}

/// Where the scanner is between two lines.
#[derive(Default)]
struct Scan {
    spans: Vec<FunctionSpan>,
    open: Vec<Open>,
    /// Quote of the string in three quotes that the last line left open.
    triple: Option<u8>,
    /// A string in single quotes goes on, because its line ended in a backslash.
    quoted: Option<u8>,
    /// Brackets left open.
    depth: usize,
    /// The last line ended in a backslash.
    continued: bool,
    /// Last line with code on it.
    last: Option<LineNo>,
}

impl Scan {
    fn line(&mut self, text: &str, number: LineNo) {
        let code = text.trim_start_matches([' ', '\t', '\x0c']);
        let in_string = self.triple.is_some() || self.quoted.is_some();
        let begins = !in_string && !self.continued && self.depth == 0;
        let empty = code.trim_end().is_empty() || code.starts_with('#');
        if begins && empty {
            return;
        }
        // No expression holds a definition: a bracket before one was never closed.
        let found = if in_string || self.continued { None } else { definition(code) };
        if begins || found.is_some() {
            self.depth = 0;
            let indent = indent(text);
            self.close(indent);
            if let Some(found) = found {
                self.push(found, indent, number);
            }
        }
        self.scan(code.as_bytes());
        if !empty || in_string {
            self.last = Some(number);
        }
    }

    /// Ends the definitions that a line at this indentation is not part of.
    fn close(&mut self, indent: usize) {
        while let Some(open) = self.open.pop_if(|open| open.indent >= indent) {
            let last = self.last;
            if let Some(span) = self.spans.get_mut(open.span) {
                span.end = last.map_or(span.start, |last| last.max(span.start));
            }
        }
    }

    fn push(&mut self, found: Definition<'_>, indent: usize, start: LineNo) {
        if self.open.len() >= MOST_NESTED {
            return;
        }
        let outer = self.open.last().and_then(|open| self.spans.get(open.span));
        let name = match outer {
            None => found.name.to_owned(),
            Some(outer) if outer.kind == FunctionKind::Class => {
                format!("{}.{}", outer.name, found.name)
            }
            Some(outer) => format!("{}.<locals>.{}", outer.name, found.name),
        };
        self.open.push(Open { indent, span: self.spans.len() });
        let (kind, is_async) = (found.kind, found.is_async);
        self.spans.push(FunctionSpan { name, kind, is_async, start, end: start });
    }

    /// Follows strings, brackets and comments to the end of a line.
    fn scan(&mut self, line: &[u8]) {
        self.continued = false;
        let mut quote = self.quoted.take();
        let mut rest = line;
        while let Some((byte, after)) = rest.split_first() {
            rest = after;
            match (self.triple.or(quote), *byte) {
                (_, b'\n' | b'\r') => {}
                (inside, b'\\') => match rest {
                    [] | [b'\n' | b'\r', ..] => {
                        self.continued = inside.is_none();
                        self.quoted = quote;
                    }
                    [_, after @ ..] => rest = after,
                },
                (Some(open), byte) if byte == open => match (self.triple, rest) {
                    (None, _) => quote = None,
                    (Some(_), [a, b, after @ ..]) if *a == open && *b == open => {
                        self.triple = None;
                        rest = after;
                    }
                    _ => {}
                },
                (None, quoted @ (b'"' | b'\'')) => match rest {
                    [a, b, after @ ..] if *a == quoted && *b == quoted => {
                        self.triple = Some(quoted);
                        rest = after;
                    }
                    _ => quote = Some(quoted),
                },
                (None, b'#') => return,
                (None, b'(' | b'[' | b'{') => self.depth += 1,
                (None, b')' | b']' | b'}') => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// Columns before the code of a line; a form feed begins anew.
fn indent(text: &str) -> usize {
    let mut columns = 0;
    for byte in text.bytes() {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns = (columns / TAB + 1) * TAB,
            b'\x0c' => columns = 0,
            _ => break,
        }
    }
    columns
}

/// The head of a definition.
#[derive(Clone, Copy)]
struct Definition<'a> {
    kind: FunctionKind,
    is_async: bool,
    name: &'a str,
}

/// Reads `def name`, `async def name` or `class name`.
fn definition(code: &str) -> Option<Definition<'_>> {
    let word = |text: &'_ str, word: &str| -> Option<usize> {
        let rest = text.strip_prefix(word)?;
        rest.starts_with([' ', '\t', '\x0c']).then(|| text.len() - rest.trim_start().len())
    };
    let (is_async, rest) = match word(code, "async") {
        Some(at) => (true, code.get(at..)?),
        None => (false, code),
    };
    let (kind, rest) = match (word(rest, "def"), word(rest, "class")) {
        (Some(at), _) => (FunctionKind::Function, rest.get(at..)?),
        (None, Some(at)) if !is_async => (FunctionKind::Class, rest.get(at..)?),
        _ => return None,
    };
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let proper = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let head = after.trim_start_matches([' ', '\t']);
    let follows = match kind {
        FunctionKind::Function => head.starts_with(['(', '[']),
        FunctionKind::Class => head.starts_with(['(', '[', ':']),
    };
    (proper && (follows || head.starts_with('\\'))).then_some(Definition { kind, is_async, name })
}

/// The functions of a source and the owner of each line.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    pub(super) functions: Vec<FunctionSpan>,
    /// By line, from the first: index of the innermost function plus one, 0 for the module.
    owners: Vec<u32>,
}

impl Outline {
    /// Bytes by line of source: the owner, and a tenth of a function with its name and sums.
    pub(super) const BYTES_PER_LINE: usize =
        size_of::<u32>() + (size_of::<FunctionSpan>() + 24 + size_of::<FunctionTotals>()) / 10;

    pub(super) fn new(source: &str, lines: usize) -> Self {
        let functions = outline(source);
        let mut owners = vec![0; lines];
        // Inner functions begin after outer ones, so that the last to claim a line is innermost.
        for (index, span) in functions.iter().enumerate() {
            let range =
                (span.start.get() as usize).saturating_sub(1)..lines.min(span.end.get() as usize);
            let owner = u32::try_from(index + 1).unwrap_or(0);
            owners.get_mut(range).into_iter().for_each(|lines| lines.fill(owner));
        }
        Self { functions, owners }
    }

    pub(super) fn owner(&self, line: LineNo) -> Option<usize> {
        let owner = *self.owners.get(line.get() as usize - 1)?;
        (owner as usize).checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tree_sitter::{Node, Parser, TreeCursor};

    fn rows(source: &str) -> Vec<(String, u32, u32)> {
        outline(source)
            .into_iter()
            .map(|span| (span.name, span.start.get(), span.end.get()))
            .collect()
    }

    #[test]
    fn names_are_qualified_as_python_does() {
        let source = "\
import x

@deco
def plain():
    return 1

class Shape:
    size = 3

    async def area(self):
        def nested(k):
            return k

        return nested

def last(): pass
";
        assert_eq!(
            rows(source),
            [
                ("plain".to_owned(), 4, 5),
                ("Shape".to_owned(), 7, 14),
                ("Shape.area".to_owned(), 10, 14),
                ("Shape.area.<locals>.nested".to_owned(), 11, 12),
                ("last".to_owned(), 16, 16),
            ]
        );
    }

    #[test]
    fn coroutines_are_marked() {
        let spans = outline("async def a(): pass\ndef b(): pass\n@d\nasync def c(): pass\n");
        assert_eq!(spans.iter().map(|span| span.is_async).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_line_belongs_to_the_innermost_function() {
        let source = "def f():\n    def g():\n        pass\n    return g\nf()\n";
        let outline = Outline::new(source, 5);
        let owner = |line| {
            let index = outline.owner(LineNo::new(line).unwrap());
            index.map(|index| &*outline.functions[index].name)
        };
        assert_eq!(
            [owner(1), owner(3), owner(4), owner(5)],
            [Some("f"), Some("f.<locals>.g"), Some("f"), None]
        );
    }

    #[test]
    fn broken_source_still_names_what_is_whole() {
        assert_eq!(rows("def f():\n    return 1\n\ndef g(:\n  ((\n")[0].0, "f");
    }

    #[test]
    fn deep_nesting_is_no_danger() {
        let source = format!("x = {}1{}\n", "(".repeat(20_000), ")".repeat(20_000));
        assert_eq!(rows(&source), []);
    }

    proptest! {
        #[test]
        fn any_text_gives_ordered_spans(source in "(?s)(def |class |[a-z(:]|\n| ){0,200}") {
            let spans = outline(&source);
            for pair in spans.windows(2) {
                prop_assert!(pair[0].start <= pair[1].start);
            }
            for span in &spans {
                prop_assert!(span.start <= span.end);
            }
        }
    }

    /// The same from a full parser.
    fn parsed(source: &str) -> Vec<FunctionSpan> {
        let mut parser = Parser::new();
        parser.set_language(&tree_sitter_python::LANGUAGE.into()).unwrap();
        let mut spans = Vec::new();
        walk(&mut parser.parse(source, None).unwrap().walk(), source, &mut spans);
        spans
    }

    fn walk(cursor: &mut TreeCursor<'_>, source: &str, spans: &mut Vec<FunctionSpan>) {
        // One prefix per definition we are inside of, with the depth at which it opened.
        let mut prefixes: Vec<(u32, String)> = Vec::new();
        loop {
            while prefixes.last().is_some_and(|(depth, _)| *depth >= cursor.depth()) {
                prefixes.pop();
            }
            let prefix = prefixes.last().map_or("", |(_, prefix)| prefix);
            if let Some((span, inner)) = definition(cursor.node(), prefix, source) {
                spans.push(span);
                prefixes.push((cursor.depth(), inner));
            }
            if holds_statements(cursor.node()) && cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
            }
        }
    }

    /// Whether definitions can be below a node. They cannot be inside expressions.
    fn holds_statements(node: Node<'_>) -> bool {
        let kind = node.kind();
        matches!(kind, "module" | "block" | "ERROR")
            || kind.ends_with("_definition")
            || kind.ends_with("_clause")
            || (kind.ends_with("_statement") && kind != "expression_statement")
    }

    /// The span of a definition node, and the prefix of names inside it.
    fn definition(node: Node<'_>, prefix: &str, source: &str) -> Option<(FunctionSpan, String)> {
        let (kind, separator) = match node.kind() {
            "function_definition" => (FunctionKind::Function, ".<locals>."),
            "class_definition" => (FunctionKind::Class, "."),
            _ => return None,
        };
        let name = source.get(node.child_by_field_name("name")?.byte_range())?;
        let name = format!("{prefix}{name}");
        let last = last_row(node);
        let line = |row: usize| u32::try_from(row).ok().and_then(|row| LineNo::new(row + 1));
        let is_async = node.child(0).is_some_and(|first| first.kind() == "async");
        let inner = format!("{name}{separator}");
        let span = FunctionSpan {
            name,
            kind,
            is_async,
            start: line(node.start_position().row)?,
            end: line(last)?,
        };
        Some((span, inner))
    }

    /// The row of the last character that belongs to a node.
    fn last_row(node: Node<'_>) -> usize {
        let end = node.end_position();
        if end.column == 0 {
            end.row.saturating_sub(1).max(node.start_position().row)
        } else {
            end.row
        }
    }

    /// Every Python file of the repository, and constructs that a scanner may trip over.
    #[test]
    fn the_scanner_agrees_with_a_parser() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut folders = vec![root.join("fixtures"), root.join("src")];
        let mut sources = vec![TRICKY.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "py") {
                    sources.push(std::fs::read_to_string(path).unwrap());
                }
            }
        }
        assert!(sources.len() > 80, "{} sources", sources.len());
        for source in sources {
            assert_eq!(outline(&source), parsed(&source), "{source}");
        }
    }

    const TRICKY: &str = r#"
def one(a=")", b="(", c='''
def not_me(): pass
'''):
    """Doc with "quotes" and
def nor_me():
    """
    x = [  # ( [ {
        1,
    ]
    return "\\" + 'it\'s' + r"\"" + \
        "def nor_this(): pass"

class A(
    object,
):
    x: int = 1
    async   def b(self): return {"a": (1, 2)}
    @property
    def c(self):
        if True:
            def d(): pass
        else:
            class E: y = 1
        return f"{d}{'x'}"

defx = 1
class_ = 2
def généré(): return 1
def generic[T](x: T) -> T:
	return x
if one:
    def conditional():
        return 1

# def commented(): pass
def last():
    pass

"#;
}
