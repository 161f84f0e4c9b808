//! What the code does with what a line allocates: keep it, drop it, or hand it on.
//!
//! Scalene charges growth to the line whose allocation happened to be sampled. Whether that line
//! can keep anything is in the source. This reads one file and errs towards "cannot say".

use std::collections::{BTreeMap, HashSet};

use tree_sitter::{Node, Point, Tree};

use super::syntax::{
    ancestors, asked, children, function_of, is_loop, is_plain_use, is_statement, nodes, shrunk,
};
use crate::analysis::code::parse_within_bounds;
use crate::profile::LineNo;

/// Methods of texts, bytes and arrays whose result holds nothing of the object itself.
const MAKERS: [&str; 9] =
    ["split", "rsplit", "splitlines", "encode", "decode", "hex", "lower", "upper", "tolist"];
/// Methods that put an object into a container.
const STORES: &[&str] =
    &["append", "appendleft", "add", "extend", "insert", "setdefault", "update", "push", "put"];
/// Storing statements listed of one file.
const MOST_KEEPERS: usize = 200;
/// Definitions looked up when a value is followed from function to function.
const MOST_STEPS: usize = 4;

/// The container a line stores into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// As written: `CACHE`, `self.items`.
    pub name: String,
    /// It outlives the function that stores into it.
    pub outlives_call: bool,
    /// Somewhere in the file objects are taken out of it again, or its size is bounded.
    pub shrinks: bool,
    /// The file looks things up in it: it may be a working set.
    pub looked_up: bool,
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
    /// Containers in which something is looked up, anywhere in the file.
    looked_up: HashSet<&'a str>,
}

impl<'a> Code<'a> {
    pub(super) fn new(source: &'a str) -> Option<Self> {
        let tree = parse_within_bounds(source)?;
        let shrinking = nodes(tree.root_node()).filter_map(|node| shrunk(node, source)).collect();
        let looked_up = nodes(tree.root_node()).filter_map(|node| asked(node, source)).collect();
        Some(Self { tree, source, shrinking, looked_up })
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
        let Some(statement) = self.statement(line) else { return Retention::Unclear };
        match self.of_statement(statement, 0) {
            Retention::Unclear => {
                self.cached(statement).map_or(Retention::Unclear, Retention::Kept)
            }
            known => known,
        }
    }

    /// The cache of a decorated function, when its result is not otherwise accounted for.
    fn cached(&self, statement: Node<'_>) -> Option<Container> {
        let function = function_of(statement)?;
        let outer = function.parent().filter(|node| node.kind() == "decorated_definition")?;
        let name = self.text(function.child_by_field_name("name")?);
        let decorator = children(outer)
            .filter(|node| node.kind() == "decorator")
            .map(|node| self.text(node).trim_start_matches('@').trim())
            .find(|text| {
                let called = text.split('(').next().unwrap_or(text);
                matches!(called, "cache" | "functools.cache" | "lru_cache" | "functools.lru_cache")
            })?;
        let unbounded = decorator.ends_with("cache") && !decorator.ends_with("lru_cache")
            || decorator.contains("None");
        Some(Container {
            name: format!("@{decorator} of {name}()"),
            outlives_call: true,
            shrinks: !unbounded,
            looked_up: false,
        })
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
            return self.of_container(container, statement, steps);
        }
        match statement.kind() {
            "return_statement" => self.of_result(statement, steps),
            "expression_statement" => self.of_expression(statement, steps),
            _ => Retention::Unclear,
        }
    }

    /// What is stored into a local container shares the container's fate.
    fn of_container(&self, container: Container, statement: Node<'_>, steps: usize) -> Retention {
        let function = function_of(statement);
        match function.filter(|_| !container.outlives_call && !container.name.contains('.')) {
            None => Retention::Kept(container),
            Some(function) => {
                match self.of_local(&container.name, function, statement, steps + 1) {
                    // Handed on, to where is not visible: it lives at least as long as the call.
                    Retention::Unclear => Retention::Kept(container),
                    known => known,
                }
            }
        }
    }

    /// Where a method puts its own object: `Widget.instances.append(self)`.
    fn keeps_self(&self, function: Node<'_>) -> Option<Container> {
        nodes(function).filter(|node| node.kind() == "expression_statement").find_map(|node| {
            let container = self.stored_into(node, Some(function))?;
            let stores_self = nodes(node).any(|part| {
                part.kind() == "identifier"
                    && self.text(part) == "self"
                    && part.parent().is_some_and(|parent| {
                        matches!(parent.kind(), "argument_list" | "assignment")
                    })
            });
            (stores_self && container.outlives_call && !container.name.starts_with("self."))
                .then_some(container)
        })
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
                    // An attribute lives as long as its object.
                    ("attribute", Some(function)) if self.text(left).starts_with("self.") => {
                        self.keeps_self(function).map_or(Retention::Unclear, Retention::Kept)
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
            if is_plain_use(node, |node| self.text(node))
                || self.is_folded(node, statement)
                || self.is_made_anew(node)
            {
                continue;
            }
            return match self.stored_into(statement, Some(function)) {
                Some(container) if container.name == name => continue,
                Some(container) => Retention::Kept(container),
                None if statement.kind() == "return_statement" => self.of_result(statement, steps),
                None => Retention::Unclear,
            };
        }
        Retention::Dropped
    }

    /// `return "".join(x)`: a new object is returned, `x` is not in it.
    fn is_folded(&self, node: Node<'_>, statement: Node<'_>) -> bool {
        let call = node
            .parent()
            .filter(|list| list.kind() == "argument_list")
            .and_then(|list| list.parent());
        let method = call.and_then(|call| call.child_by_field_name("function"));
        let joins = method
            .and_then(|method| method.child_by_field_name("attribute"))
            .is_some_and(|name| self.text(name) == "join");
        joins && statement.kind() != "function_definition"
    }

    /// `x.split()`: what is kept of it, if anything, is a new object.
    fn is_made_anew(&self, node: Node<'_>) -> bool {
        let method = node.parent().filter(|parent| parent.kind() == "attribute");
        let called = method.filter(|method| {
            method.child_by_field_name("object").is_some_and(|object| object.id() == node.id())
                && method.parent().is_some_and(|call| call.kind() == "call")
        });
        let name = called.and_then(|method| method.child_by_field_name("attribute"));
        name.is_some_and(|name| MAKERS.contains(&self.text(name)))
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
                let right = inner.child_by_field_name("right")?;
                match (left.kind(), inner.kind()) {
                    // `totals[k] += n` and `totals[k] = totals.get(k, 0) + n` replace what is there.
                    ("subscript", "assignment") => {
                        let container = left.child_by_field_name("value")?;
                        let name = self.text(container);
                        let operator = right.kind() == "binary_operator";
                        let updates = operator && nodes(right).any(|part| self.text(part) == name);
                        let number = matches!(right.kind(), "integer" | "float" | "true" | "false")
                            || operator
                                && !nodes(right)
                                    .any(|part| matches!(part.kind(), "string" | "call" | "list"));
                        if updates || number {
                            return None;
                        }
                        container
                    }
                    // Only what is certainly a sequence grows by `+=`: numbers add up.
                    ("identifier" | "attribute", "augmented_assignment")
                        if matches!(right.kind(), "list" | "list_comprehension" | "tuple") =>
                    {
                        left
                    }
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
        let looked_up = self.looked_up.contains(name);
        Some(Container { shrinks, looked_up, name: name.to_owned(), outlives_call })
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

enum Binding {
    Local,
    Parameter,
    Outside,
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
