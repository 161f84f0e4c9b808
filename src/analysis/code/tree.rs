//! Python syntax as a flat list of nodes in source order.
//!
//! A node's descendants are the nodes right behind it, so that walks are plain ranges, and what
//! rules ask most (the loop and the function around a node) is worked out once. Nothing recurses.

use std::ops::ControlFlow;

use tree_sitter::{ParseOptions, Parser, TreeCursor};

/// Syntax below this depth is left out: Python itself refuses 100 levels of blocks and 200 of
/// brackets, so that only hostile text is deeper.
const DEEPEST: u32 = 400;
/// Nodes kept of one file; about a hundred thousand lines of hot code.
const MOST_NODES: usize = 1_500_000;

/// A node of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::analysis) struct Id(u32);

impl Id {
    /// The whole module.
    pub(in crate::analysis) const ROOT: Self = Self(0);
}

#[derive(Debug, Clone, Copy)]
struct Node {
    kind: &'static str,
    field: &'static str,
    parent: u32,
    /// One past the last descendant.
    end: u32,
    bytes: (u32, u32),
    rows: (u32, u32),
    scope: u32,
    looped: Option<u32>,
}

const NOTHING: Node = Node {
    kind: "",
    field: "",
    parent: 0,
    end: 0,
    bytes: (0, 0),
    rows: (0, 0),
    scope: 0,
    looped: None,
};

/// The syntax of a source.
pub(in crate::analysis) struct Tree<'s> {
    source: &'s str,
    nodes: Vec<Node>,
}

/// Kinds whose body runs again and again.
const LOOPS: [&str; 6] = [
    "for_statement",
    "while_statement",
    "list_comprehension",
    "set_comprehension",
    "dictionary_comprehension",
    "generator_expression",
];

impl<'s> Tree<'s> {
    /// Reads a source; top-level definitions that hold no line which `wanted` says yes to are kept
    /// without their bodies.
    pub(in crate::analysis) fn parse(source: &'s str, wanted: impl Fn(u32, u32) -> bool) -> Self {
        let mut tree = Self { source, nodes: Vec::new() };
        if let Some(parsed) = parse_within_bounds(source) {
            tree.fill(&mut parsed.walk(), &wanted);
        }
        tree
    }

    fn fill(&mut self, cursor: &mut TreeCursor<'_>, wanted: &impl Fn(u32, u32) -> bool) {
        // Open ancestors: position in `nodes` and depth.
        let mut open: Vec<(u32, u32)> = Vec::new();
        loop {
            let depth = cursor.depth();
            self.close(&mut open, depth);
            let kept = self.keep(cursor, &mut open, depth);
            let skip = !kept || depth >= DEEPEST || self.is_cold(cursor, &open, wanted);
            if !skip && cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    self.close(&mut open, 0);
                    return;
                }
            }
            if self.nodes.len() >= MOST_NODES {
                self.close(&mut open, 0);
                return;
            }
        }
    }

    /// Ends all open nodes that are not ancestors of a node at this depth.
    fn close(&mut self, open: &mut Vec<(u32, u32)>, depth: u32) {
        let end = self.count();
        while open.last().is_some_and(|(_, above)| *above >= depth) {
            if let Some((position, _)) = open.pop()
                && let Some(node) = self.nodes.get_mut(position as usize)
            {
                node.end = end;
            }
        }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)
    }

    /// Whether the node is the body of a definition in which nothing was measured.
    fn is_cold(
        &self,
        cursor: &TreeCursor<'_>,
        open: &[(u32, u32)],
        wanted: &impl Fn(u32, u32) -> bool,
    ) -> bool {
        let node = cursor.node();
        if node.kind() != "block" {
            return false;
        }
        // The body (last), the definition (before it), at the top but for a decorator.
        let Some((definition, _)) = open.len().checked_sub(2).and_then(|at| open.get(at)) else {
            return false;
        };
        let definition = self.node(Id(*definition));
        let top = definition.scope == 0
            && matches!(definition.kind, "function_definition" | "class_definition");
        // A coroutine waits where nothing is sampled.
        let text = self.source.get(definition.bytes.0 as usize..).unwrap_or_default();
        top && !text.starts_with("async") && !wanted(definition.rows.0 + 1, definition.rows.1 + 1)
    }

    /// Adds the node under the cursor, if it is one that matters.
    fn keep(&mut self, cursor: &TreeCursor<'_>, open: &mut Vec<(u32, u32)>, depth: u32) -> bool {
        let node = cursor.node();
        let field = cursor.field_name().unwrap_or_default();
        if !(node.is_named() || field == "operator" || field == "operators") {
            return false;
        }
        let short = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let parent = open.last().map_or(0, |(position, _)| *position);
        let (scope, looped) = self.surroundings(parent, field);
        let end = node.end_position();
        let last = if end.column == 0 && end.row > node.start_position().row {
            end.row - 1
        } else {
            end.row
        };
        let own = self.count();
        self.nodes.push(Node {
            kind: node.kind(),
            field,
            parent,
            end: own + 1,
            bytes: (short(node.start_byte()), short(node.end_byte())),
            rows: (short(node.start_position().row), short(last)),
            scope,
            looped,
        });
        open.push((own, depth));
        true
    }

    /// Scope and innermost loop of a child of `parent`.
    fn surroundings(&self, parent: u32, field: &str) -> (u32, Option<u32>) {
        let above = self.node(Id(parent));
        match above.kind {
            "function_definition" | "class_definition" if field == "body" => (parent, None),
            "for_statement" if field == "body" || field == "left" => (above.scope, Some(parent)),
            "while_statement" if field == "body" || field == "condition" => {
                (above.scope, Some(parent))
            }
            // What the first `for` of a comprehension runs over is computed once.
            comprehension if LOOPS.contains(&comprehension) && field != "alternative" => {
                let looped = !comprehension.ends_with("statement");
                (above.scope, if looped { Some(parent) } else { above.looped })
            }
            "for_in_clause" if field == "right" && self.is_first_clause(Id(parent)) => {
                let comprehension = self.node(Id(above.parent));
                (above.scope, comprehension.looped)
            }
            _ => (above.scope, above.looped),
        }
    }

    /// Asked while the comprehension is still open: its end is not known, what came before the clause is.
    fn is_first_clause(&self, clause: Id) -> bool {
        let comprehension = self.node(clause).parent;
        let before = self.nodes.get(comprehension as usize + 1..clause.0 as usize);
        let is_clause = |node: &Node| node.kind == "for_in_clause" && node.parent == comprehension;
        !before.unwrap_or_default().iter().any(is_clause)
    }

    fn node(&self, id: Id) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&NOTHING)
    }

    /// Grammar's name of the node.
    pub(in crate::analysis) fn kind(&self, id: Id) -> &'static str {
        self.node(id).kind
    }

    /// Role of the node in its parent; empty for plain children.
    pub(in crate::analysis) fn role(&self, id: Id) -> &'static str {
        self.node(id).field
    }

    /// Source text of the node.
    pub(in crate::analysis) fn text(&self, id: Id) -> &'s str {
        let (start, end) = self.node(id).bytes;
        self.source.get(start as usize..end as usize).unwrap_or_default()
    }

    /// First and last line, from 1.
    pub(in crate::analysis) fn lines(&self, id: Id) -> (u32, u32) {
        let (first, last) = self.node(id).rows;
        (first.saturating_add(1), last.saturating_add(1))
    }

    /// First line, from 1.
    pub(in crate::analysis) fn line(&self, id: Id) -> u32 {
        self.lines(id).0
    }

    /// The node around it.
    pub(in crate::analysis) fn parent(&self, id: Id) -> Option<Id> {
        (id != Id::ROOT).then(|| Id(self.node(id).parent))
    }

    /// Ancestors, innermost first.
    pub(in crate::analysis) fn ancestors(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::successors(self.parent(id), |above| self.parent(*above))
    }

    /// All nodes in source order.
    pub(in crate::analysis) fn all(&self) -> impl DoubleEndedIterator<Item = Id> + use<> {
        (0..self.count()).map(Id)
    }

    /// The nodes below, in source order.
    pub(in crate::analysis) fn below(&self, id: Id) -> impl Iterator<Item = Id> + use<> {
        (id.0.saturating_add(1)..self.node(id).end).map(Id)
    }

    /// Whether `inner` is `outer` or below it.
    pub(in crate::analysis) fn within(&self, inner: Id, outer: Id) -> bool {
        inner.0 >= outer.0 && inner.0 < self.node(outer).end.max(outer.0 + 1)
    }

    /// Direct children, comments left out.
    pub(in crate::analysis) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let end = self.node(id).end;
        let mut next = id.0.saturating_add(1);
        std::iter::from_fn(move || {
            while next < end {
                let child = Id(next);
                next = self.node(child).end.max(next + 1);
                if self.kind(child) != "comment" {
                    return Some(child);
                }
            }
            None
        })
    }

    /// The next child of the same parent.
    pub(in crate::analysis) fn sibling(&self, id: Id) -> Option<Id> {
        let end = self.node(self.parent(id)?).end;
        let mut next = self.node(id).end;
        while next < end {
            if self.kind(Id(next)) != "comment" {
                return Some(Id(next));
            }
            next = self.node(Id(next)).end.max(next + 1);
        }
        None
    }

    /// Number of nodes below.
    pub(in crate::analysis) fn size(&self, id: Id) -> u32 {
        self.node(id).end.saturating_sub(id.0)
    }

    /// The child in a role.
    pub(in crate::analysis) fn child(&self, id: Id, role: &str) -> Option<Id> {
        self.children(id).find(|child| self.role(*child) == role)
    }

    /// The function or class body that the node is in; the root for module level.
    pub(in crate::analysis) fn scope(&self, id: Id) -> Id {
        Id(self.node(id).scope)
    }

    /// The innermost loop or comprehension that runs the node again and again, within its function.
    pub(in crate::analysis) fn looped(&self, id: Id) -> Option<Id> {
        self.node(id).looped.map(Id)
    }

    /// The innermost statement that the node is part of.
    pub(in crate::analysis) fn statement(&self, id: Id) -> Id {
        let mut inner = id;
        for above in self.ancestors(id) {
            if matches!(self.kind(above), "block" | "module") {
                return inner;
            }
            inner = above;
        }
        inner
    }

    /// Lines of the statement that the node is part of, without the block of a compound statement.
    pub(in crate::analysis) fn statement_lines(&self, id: Id) -> (u32, u32) {
        let statement = self.statement(id);
        let (first, last) = self.lines(statement);
        let body = self.children(statement).find(|child| self.kind(*child) == "block");
        match body {
            Some(body) if !self.within(id, body) => {
                let head = self.line(body).saturating_sub(1).max(first);
                // An expression inside an `elif` or after the first block: its own lines.
                let own = self.lines(id);
                if own.0 > head { own } else { (first, head) }
            }
            _ => (first, last),
        }
    }
}

/// The parser reports every hundred steps. Python needs fewer than one step per byte; broken text
/// can need steps without end.
const REPORTS_PER_BYTE: f64 = 0.1;
const FEWEST_REPORTS: f64 = 1_000.0;

/// Parses Python; `None` where the text is so broken that it takes more steps than Python needs.
pub(in crate::analysis) fn parse_within_bounds(source: &str) -> Option<tree_sitter::Tree> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a length")]
    let mut left = FEWEST_REPORTS + REPORTS_PER_BYTE * source.len() as f64;
    let mut count = |_: &tree_sitter::ParseState| {
        left -= 1.0;
        if left > 0.0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut count);
    let mut text = |offset: usize, _| source.as_bytes().get(offset..).unwrap_or_default();
    parser.parse_with_options(&mut text, None, Some(options))
}

/// Whether a kind is a loop.
pub(in crate::analysis) fn is_loop(kind: &str) -> bool {
    LOOPS.contains(&kind)
}
