//! What the code does with what a line allocates: keep it, drop it, or hand it on.
//!
//! Scalene charges growth to the line whose allocation happened to be sampled. Whether that line
//! can keep anything is in the source. This reads one file and errs towards "cannot say".

use std::collections::{BTreeMap, HashSet};

use tree_sitter::{Node, Point, Tree};

use crate::analysis::code::parse_within_bounds;
use crate::profile::LineNo;

/// Methods that put an object into a container.
const STORES: &[&str] =
    &["append", "appendleft", "add", "extend", "insert", "setdefault", "update", "push", "put"];
/// Methods that take objects out of one.
const SHRINKS: &[&str] =
    &["pop", "popleft", "popitem", "clear", "remove", "discard", "cache_clear", "get_nowait"];
/// Storing statements listed of one file.
const MOST_KEEPERS: usize = 200;
/// Functions that keep no reference to their arguments.
const LOOKS_ONLY: &[&str] = &[
    "len",
    "sum",
    "min",
    "max",
    "any",
    "all",
    "print",
    "repr",
    "str",
    "int",
    "float",
    "bool",
    "id",
    "hash",
    "isinstance",
    "type",
    "range",
];
/// Definitions looked up when a value is followed from function to function.
const MOST_STEPS: usize = 4;

/// The container a line stores into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// As written: `CACHE`, `self.items`.
    pub name: String,
    /// It outlives the function that stores into it.
    pub outlives_call: bool,
    /// Somewhere in the file objects are taken out of it again.
    pub shrinks: bool,
}

/// What becomes of a line's allocations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retention {
    /// Stored into a container.
    Kept(Container),
    /// Not referenced any more when the function or the round of the loop ends.
    Dropped,
    /// Returned, yielded, or otherwise out of sight.
    Unclear,
}

/// The parsed source of a file.
pub(super) struct Code<'a> {
    tree: Tree,
    source: &'a str,
    /// Containers out of which something is taken, anywhere in the file.
    shrinking: HashSet<&'a str>,
}

impl<'a> Code<'a> {
    pub(super) fn new(source: &'a str) -> Option<Self> {
        let tree = parse_within_bounds(source)?;
        let shrinking = nodes(tree.root_node()).filter_map(|node| shrunk(node, source)).collect();
        Some(Self { tree, source, shrinking })
    }

    fn text(&self, node: Node<'_>) -> &'a str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    /// The statement that a line belongs to.
    fn statement(&self, line: LineNo) -> Option<Node<'_>> {
        let row = line.get() as usize - 1;
        let text = self.source.lines().nth(row)?;
        let column = text.len() - text.trim_start().len();
        let point = Point::new(row, column);
        let mut node = self.tree.root_node().descendant_for_point_range(point, point)?;
        while !is_statement(node) {
            node = node.parent()?;
        }
        Some(node)
    }

    /// Whether a line can run more than once: it is in a function or a loop.
    pub(super) fn can_repeat(&self, line: LineNo) -> bool {
        let Some(node) = self.statement(line) else { return true };
        ancestors(node).any(|node| is_loop(node) || node.kind() == "function_definition")
    }

    /// What becomes of what a line allocates.
    pub(super) fn retention(&self, line: LineNo) -> Retention {
        self.statement(line).map_or(Retention::Unclear, |node| self.of_statement(node, 0))
    }

    /// Statements that store into a container which outlives their function and never shrinks.
    pub(super) fn keepers(&self) -> Vec<(LineNo, Container)> {
        let mut found = BTreeMap::new();
        let root = self.tree.root_node();
        for function in nodes(root).filter(|node| node.kind() == "function_definition") {
            for node in nodes(function).filter(|node| node.kind() == "expression_statement") {
                let Some(container) = self.stored_into(node, Some(function)) else { continue };
                let line = u32::try_from(node.start_position().row + 1).ok().and_then(LineNo::new);
                if let Some(line) = line.filter(|_| container.outlives_call && !container.shrinks) {
                    // Inner functions are walked after outer ones and know better.
                    found.insert(line, container);
                }
            }
            if found.len() > MOST_KEEPERS {
                break;
            }
        }
        found.into_iter().collect()
    }

    fn of_statement(&self, statement: Node<'_>, steps: usize) -> Retention {
        if steps > MOST_STEPS {
            return Retention::Unclear;
        }
        if let Some(container) = self.stored_into(statement, function_of(statement)) {
            return Retention::Kept(container);
        }
        match statement.kind() {
            "return_statement" => self.of_result(statement, steps),
            "expression_statement" => self.of_expression(statement, steps),
            _ => Retention::Unclear,
        }
    }

    /// `x = …` is followed through `x`; a bare call or value is dropped at once.
    fn of_expression(&self, statement: Node<'_>, steps: usize) -> Retention {
        let Some(inner) = statement.named_child(0) else { return Retention::Unclear };
        match inner.kind() {
            "assignment" => {
                let Some(left) = inner.child_by_field_name("left") else {
                    return Retention::Unclear;
                };
                let function = function_of(statement);
                match (left.kind(), function) {
                    ("identifier", Some(function)) => {
                        self.of_local(self.text(left), function, statement, steps)
                    }
                    _ => Retention::Unclear,
                }
            }
            "call" | "list" | "list_comprehension" | "string" | "binary_operator" => {
                // The callee may keep its arguments; a value made by an operator cannot.
                if inner.kind() == "call" { Retention::Unclear } else { Retention::Dropped }
            }
            _ => Retention::Unclear,
        }
    }

    /// A local name: kept if a statement stores it, handed on if it is returned, yielded, passed to
    /// a call or captured, else dropped.
    fn of_local(
        &self,
        name: &str,
        function: Node<'_>,
        assignment: Node<'_>,
        steps: usize,
    ) -> Retention {
        if self.is_declared_outside(name, function) {
            return Retention::Unclear;
        }
        for node in nodes(function) {
            let is_use = node.kind() == "identifier"
                && self.text(node) == name
                && !assignment.byte_range().contains(&node.start_byte());
            if !is_use {
                continue;
            }
            if function_of(node).map(|f| f.id()) != Some(function.id()) {
                return Retention::Unclear;
            }
            let Some(statement) = ancestors(node).find(|node| is_statement(*node)) else {
                continue;
            };
            if is_plain_use(node, |node| self.text(node)) {
                continue;
            }
            return match self.stored_into(statement, Some(function)) {
                Some(container) => Retention::Kept(container),
                None if statement.kind() == "return_statement" => self.of_result(statement, steps),
                None => Retention::Unclear,
            };
        }
        Retention::Dropped
    }

    /// A function's result: dropped if every call in this file is a statement of its own.
    fn of_result(&self, statement: Node<'_>, steps: usize) -> Retention {
        let function = function_of(statement);
        let name = function.and_then(|function| function.child_by_field_name("name"));
        let Some((function, name)) = function.zip(name) else { return Retention::Unclear };
        let is_method = ancestors(function).any(|node| node.kind() == "class_definition");
        let is_wrapped =
            function.parent().is_some_and(|node| node.kind() == "decorated_definition");
        if is_wrapped || is_method {
            return Retention::Unclear;
        }
        let name_text = self.text(name);
        let mut outcome = None;
        for node in nodes(self.tree.root_node()) {
            if node.kind() != "identifier" || self.text(node) != name_text || node.id() == name.id()
            {
                continue;
            }
            let call = node.parent().filter(|parent| {
                parent.kind() == "call"
                    && parent.child_by_field_name("function").is_some_and(|f| f.id() == node.id())
            });
            // The function itself is passed around: its callers are out of sight.
            let Some(call) = call else { return Retention::Unclear };
            let Some(parent) = call.parent() else { return Retention::Unclear };
            let here = match parent.kind() {
                "expression_statement" => Retention::Dropped,
                "assignment" => parent
                    .parent()
                    .map_or(Retention::Unclear, |outer| self.of_statement(outer, steps + 1)),
                "return_statement" => self.of_statement(parent, steps + 1),
                _ => Retention::Unclear,
            };
            match (&outcome, here) {
                (_, kept @ Retention::Kept(_)) => return kept,
                (None, here) => outcome = Some(here),
                (Some(Retention::Dropped), Retention::Dropped) => {}
                _ => outcome = Some(Retention::Unclear),
            }
        }
        outcome.unwrap_or(Retention::Unclear)
    }

    /// The container that a statement stores something into.
    fn stored_into(&self, statement: Node<'_>, function: Option<Node<'_>>) -> Option<Container> {
        if statement.kind() != "expression_statement" {
            return None;
        }
        let inner = statement.named_child(0)?;
        let target = match inner.kind() {
            "call" => {
                let method =
                    inner.child_by_field_name("function").filter(|f| f.kind() == "attribute")?;
                let name = self.text(method.child_by_field_name("attribute")?);
                STORES.contains(&name).then(|| method.child_by_field_name("object"))??
            }
            "assignment" | "augmented_assignment" => {
                let left = inner.child_by_field_name("left")?;
                match (left.kind(), inner.kind()) {
                    ("subscript", _) => left.child_by_field_name("value")?,
                    ("identifier" | "attribute", "augmented_assignment") => left,
                    _ => return None,
                }
            }
            _ => return None,
        };
        self.container(target, function)
    }

    fn container(&self, target: Node<'_>, function: Option<Node<'_>>) -> Option<Container> {
        let outlives_call = match target.kind() {
            "identifier" => {
                let name = self.text(target);
                // Outside functions a container lives as long as the code that fills it.
                match function.map(|function| self.binding(name, function)) {
                    Some(Binding::Outside) => true,
                    Some(Binding::Local) | None => false,
                    Some(Binding::Parameter) => return None,
                }
            }
            "attribute" => true,
            _ => return None,
        };
        let name = self.text(target);
        let shrinks = self.shrinking.contains(name);
        Some(Container { shrinks, name: name.to_owned(), outlives_call })
    }

    fn is_declared_outside(&self, name: &str, function: Node<'_>) -> bool {
        nodes(function).any(|node| {
            matches!(node.kind(), "global_statement" | "nonlocal_statement")
                && children(node).any(|child| self.text(child) == name)
        })
    }

    fn binding(&self, name: &str, function: Node<'_>) -> Binding {
        if self.is_declared_outside(name, function) {
            return Binding::Outside;
        }
        if let Some(parameters) = function.child_by_field_name("parameters") {
            for parameter in children(parameters) {
                let named = parameter.child_by_field_name("name").or(parameter.named_child(0));
                if self.text(named.unwrap_or(parameter)) == name {
                    // A mutable default lives as long as the function does.
                    let default = parameter.child_by_field_name("value");
                    let mutable = default.is_some_and(|value| {
                        matches!(value.kind(), "list" | "dictionary" | "set" | "call")
                    });
                    return if mutable { Binding::Outside } else { Binding::Parameter };
                }
            }
        }
        let assigned = nodes(function).any(|node| {
            let target = match node.kind() {
                "assignment" | "for_statement" | "for_in_clause" => {
                    node.child_by_field_name("left")
                }
                "named_expression" => node.child_by_field_name("name"),
                "as_pattern_target" => Some(node),
                _ => None,
            };
            target.is_some_and(|target| {
                target.kind() != "subscript"
                    && target.kind() != "attribute"
                    && nodes(target)
                        .any(|part| part.kind() == "identifier" && self.text(part) == name)
            })
        });
        if assigned { Binding::Local } else { Binding::Outside }
    }
}

/// The container out of which a node takes something, or which it empties or bounds.
fn shrunk<'a>(node: Node<'_>, source: &'a str) -> Option<&'a str> {
    let text = |node: Node<'_>| source.get(node.byte_range());
    match node.kind() {
        "call" => {
            let method =
                node.child_by_field_name("function").filter(|f| f.kind() == "attribute")?;
            let name = text(method.child_by_field_name("attribute")?)?;
            SHRINKS.contains(&name).then(|| method.child_by_field_name("object").and_then(text))?
        }
        "delete_statement" => {
            let part = nodes(node).find(|part| part.kind() == "subscript")?;
            text(part.child_by_field_name("value")?)
        }
        "assignment" => {
            let left = node.child_by_field_name("left")?;
            let right = node.child_by_field_name("right")?;
            // `CACHE = deque(maxlen=100)`, or a new empty one inside a function.
            let bounded = right.kind() == "call" && text(right)?.contains("maxlen");
            let emptied = matches!(right.kind(), "list" | "dictionary" | "set" | "call")
                && function_of(node)
                    .and_then(|function| text(function.child_by_field_name("name")?))
                    .is_some_and(|name| name != "__init__");
            (bounded || emptied).then(|| text(left))?
        }
        _ => None,
    }
}

enum Binding {
    Local,
    Parameter,
    Outside,
}

fn is_statement(node: Node<'_>) -> bool {
    let kind = node.kind();
    (kind.ends_with("_statement") || kind.ends_with("_definition")) && kind != "module"
}

fn is_loop(node: Node<'_>) -> bool {
    matches!(node.kind(), "for_statement" | "while_statement")
}

/// A use of a name that keeps no reference to its object: an operand, an index, a length.
fn is_plain_use<'s>(node: Node<'_>, text: impl Fn(Node<'_>) -> &'s str) -> bool {
    let Some(parent) = node.parent() else { return false };
    match parent.kind() {
        "subscript" => {
            parent.child_by_field_name("value").is_some_and(|value| value.id() == node.id())
        }
        "binary_operator"
        | "comparison_operator"
        | "boolean_operator"
        | "not_operator"
        | "unary_operator"
        | "if_statement"
        | "while_statement"
        | "assert_statement" => true,
        // `len(x)` and the like; other calls may keep their arguments.
        "argument_list" => parent
            .parent()
            .and_then(|call| call.child_by_field_name("function"))
            .is_some_and(|function| LOOKS_ONLY.contains(&text(function))),
        _ => false,
    }
}

fn function_of(node: Node<'_>) -> Option<Node<'_>> {
    ancestors(node).find(|node| node.kind() == "function_definition")
}

/// A node's parents, nearest first.
fn ancestors(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    std::iter::successors(node.parent(), Node::parent)
}

fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.named_child_count())
        .filter_map(move |index| node.named_child(u32::try_from(index).ok()?))
}

/// A node and everything below it, without recursion.
fn nodes(root: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let mut cursor = root.walk();
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let node = cursor.node();
        if !cursor.goto_first_child() {
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    done = true;
                    break;
                }
            }
        }
        Some(node)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What becomes of the line that ends in `# here`.
    fn of(source: &str) -> Retention {
        let line = source.lines().position(|line| line.ends_with("# here")).unwrap() + 1;
        Code::new(source).unwrap().retention(LineNo::new(u32::try_from(line).unwrap()).unwrap())
    }

    fn kept(source: &str) -> (String, bool, bool) {
        match of(source) {
            Retention::Kept(kept) => (kept.name, kept.outlives_call, kept.shrinks),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn containers_that_outlive_the_call() {
        for (source, name) in [
            ("C = []\ndef f(x):\n    C.append(bytes(x))  # here\n", "C"),
            ("C = {}\ndef f(x):\n    C[x] = bytes(x)  # here\n", "C"),
            (
                "class A:\n    def f(self, x):\n        self.seen.add(bytes(x))  # here\n",
                "self.seen",
            ),
            ("def f(x, seen=[]):\n    seen.append(bytes(x))  # here\n", "seen"),
            ("N = []\ndef f(x):\n    global N\n    N += [bytes(x)]  # here\n", "N"),
            ("C = []\ndef f(x):\n    item = bytes(x)  # here\n    C.append(item)\n", "C"),
            (
                "C = []\ndef make(x):\n    return bytes(x)  # here\ndef f(x):\n    C.append(1)\n    y = make(x)\n    C.append(y)\n",
                "C",
            ),
        ] {
            assert_eq!(kept(source), (name.to_owned(), true, false), "{source}");
        }
    }

    #[test]
    fn containers_that_give_back_or_end_with_the_call() {
        let popped =
            "C = []\ndef f(x):\n    C.append(bytes(x))  # here\n    if len(C) > 9: C.pop()\n";
        let deleted = "C = {}\ndef f(x):\n    C[x] = bytes(x)  # here\ndef g(x):\n    del C[x]\n";
        let bounded = "C = deque(maxlen=9)\ndef f(x):\n    C.append(bytes(x))  # here\n";
        let emptied = "class A:\n    def f(self, x):\n        self.a.append(bytes(x))  # here\n    def flush(self):\n        self.a = []\n";
        for source in [popped, deleted, bounded, emptied] {
            let (_, outlives_call, shrinks) = kept(source);
            assert!(outlives_call && shrinks, "{source}");
        }
        let local = "def f(xs):\n    out = []\n    for x in xs:\n        out.append(bytes(x))  # here\n    return out\n";
        assert!(!kept(local).1);
        let module = "out = []\nfor x in range(9):\n    out.append(bytes(x))  # here\n";
        assert!(!kept(module).1, "lives as long as the loop that fills it: a result, perhaps");
    }

    #[test]
    fn what_is_dropped_and_what_cannot_be_said() {
        for source in [
            "def f():\n    return [0] * 9  # here\nfor i in range(9):\n    f()\n",
            "def f(x):\n    buf = bytearray(x)  # here\n    buf[0] = 1\n    return len(buf)\n",
        ] {
            assert_eq!(of(source), Retention::Dropped, "{source}");
        }
        for source in [
            "def f():\n    return [0] * 9  # here\nkeep(f)\n",
            "def f():\n    return [0] * 9  # here\n",
            "def f():\n    return [0] * 9  # here\nfor i in range(9):\n    x = f()\n",
            "def f(x):\n    buf = bytearray(x)  # here\n    send(buf)\n",
            "def f(x):\n    buf = bytearray(x)  # here\n    return lambda: buf\n",
            "def f(x, out):\n    out.append(bytes(x))  # here\n",
            "def f(x):\n    yield bytes(x)  # here\n",
            "send(bytes(9))  # here\n",
        ] {
            assert_eq!(of(source), Retention::Unclear, "{source}");
        }
    }

    #[test]
    fn keepers_are_those_that_only_grow() {
        let source = "A = []\nB = {}\ndef f(x):\n    A.append(x)\n    B[x] = 1\n    y = []\n    y.append(x)\ndef g():\n    A.clear()\n";
        let keepers = Code::new(source).unwrap().keepers();
        let lines: Vec<_> =
            keepers.iter().map(|(line, kept)| (line.get(), kept.name.as_str())).collect();
        assert_eq!(lines, [(5, "B")]);
    }

    proptest! {
        #[test]
        fn any_source_is_answered(
            source in "(?s)(def f\\(x\\):\n|    |x = |C\\.append\\(|\\)|return |del C\\[|\\]|\n|[a-z( ])*",
            line in 1_u32..9,
        ) {
            if let Some(code) = Code::new(&source) {
                let line = LineNo::new(line).unwrap();
                let _ = (code.retention(line), code.can_repeat(line), code.keepers());
            }
        }
    }
}
