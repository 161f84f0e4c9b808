//! Which function a source line belongs to.
//!
//! Scalene's own function rows do not add up to their lines and old versions name only
//! some functions, so names and ranges come from the stored source itself.

use tree_sitter::{Node, Parser, TreeCursor};

use super::ids::LineNo;

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
    let mut parser = Parser::new();
    if parser.set_language(&tree_sitter_python::LANGUAGE.into()).is_err() {
        return Vec::new();
    }
    let Some(tree) = parser.parse(source, None) else { return Vec::new() };
    let mut spans = Vec::new();
    walk(&mut tree.walk(), source, &mut spans);
    spans
}

/// The functions of a source and the owner of each line.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    pub(super) functions: Vec<FunctionSpan>,
    /// By line, from the first: index of the innermost function plus one, 0 for the module.
    owners: Vec<u32>,
}

impl Outline {
    /// Bytes by line of source: the owner, and a tenth of a function with its name.
    pub(super) const BYTES_PER_LINE: usize =
        size_of::<u32>() + (size_of::<FunctionSpan>() + 24) / 10;

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

/// Depth-first without recursion: a hostile source may nest thousands of levels deep.
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
    if end.column == 0 { end.row.saturating_sub(1).max(node.start_position().row) } else { end.row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
}
