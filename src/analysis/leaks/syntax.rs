//! Small questions to the syntax tree: what a node does with a name or a container, and what is around it.

use tree_sitter::Node;

/// Methods that take objects out of one.
const SHRINKS: &[&str] =
    &["pop", "popleft", "popitem", "clear", "remove", "discard", "cache_clear", "get_nowait"];
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

/// The container out of which a node takes something, or which it empties or bounds.
pub(super) fn shrunk<'a>(node: Node<'_>, source: &'a str) -> Option<&'a str> {
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

/// The container in which a node looks something up: `x in c`, `c[x]` that is read, `c.get(x)`.
pub(super) fn asked<'a>(node: Node<'_>, source: &'a str) -> Option<&'a str> {
    let text = |node: Node<'_>| source.get(node.byte_range());
    match node.kind() {
        "comparison_operator" => {
            let last =
                node.named_child(u32::try_from(node.named_child_count()).ok()?.checked_sub(1)?)?;
            let operators =
                children_with_tokens(node).any(|part| matches!(part.kind(), "in" | "not in"));
            operators.then(|| text(last))?
        }
        "subscript" => {
            let parent = node.parent()?;
            let written =
                parent.child_by_field_name("left").is_some_and(|left| left.id() == node.id())
                    || parent.kind() == "delete_statement";
            if written { None } else { text(node.child_by_field_name("value")?) }
        }
        "call" => {
            let method =
                node.child_by_field_name("function").filter(|f| f.kind() == "attribute")?;
            let name = text(method.child_by_field_name("attribute")?)?;
            (name == "get").then(|| method.child_by_field_name("object").and_then(text))?
        }
        _ => None,
    }
}

/// A node's children, keywords included.
fn children_with_tokens(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.child_count()).filter_map(move |index| node.child(u32::try_from(index).ok()?))
}

pub(super) fn is_statement(node: Node<'_>) -> bool {
    let kind = node.kind();
    (kind.ends_with("_statement") || kind.ends_with("_definition")) && kind != "module"
}

pub(super) fn is_loop(node: Node<'_>) -> bool {
    matches!(node.kind(), "for_statement" | "while_statement")
}

/// A use of a name that keeps no reference to its object: an operand, an index, a length.
pub(super) fn is_plain_use<'s>(node: Node<'_>, text: impl Fn(Node<'_>) -> &'s str) -> bool {
    let Some(parent) = node.parent() else { return false };
    match parent.kind() {
        // Bound anew.
        "assignment" => {
            parent.child_by_field_name("left").is_some_and(|left| left.id() == node.id())
        }
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

pub(super) fn function_of(node: Node<'_>) -> Option<Node<'_>> {
    ancestors(node).find(|node| node.kind() == "function_definition")
}

/// A node's parents, nearest first.
pub(super) fn ancestors(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    std::iter::successors(node.parent(), Node::parent)
}

pub(super) fn children(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    (0..node.named_child_count())
        .filter_map(move |index| node.named_child(u32::try_from(index).ok()?))
}

/// A node and everything below it, without recursion.
pub(super) fn nodes(root: Node<'_>) -> impl Iterator<Item = Node<'_>> {
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
