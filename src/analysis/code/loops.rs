//! What changes in a loop and what does not.

use std::collections::HashSet;
use std::rc::Rc;

use super::names::Code;
use super::tree::{Id, is_loop};

/// Builtins whose result depends on their arguments alone.
const PURE: &[&str] = &[
    "abs",
    "all",
    "any",
    "bool",
    "dict",
    "divmod",
    "float",
    "frozenset",
    "int",
    "len",
    "list",
    "max",
    "min",
    "pow",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "zip",
    "enumerate",
];
/// Methods that leave their object as it is.
const READING: &[&str] = &[
    "copy",
    "count",
    "endswith",
    "find",
    "format",
    "get",
    "index",
    "items",
    "join",
    "keys",
    "lower",
    "lstrip",
    "mean",
    "replace",
    "rstrip",
    "split",
    "startswith",
    "std",
    "strip",
    "sum",
    "upper",
    "values",
    "union",
    "intersection",
    "difference",
];

impl Code<'_> {
    /// Names that a loop binds, and names of what it may change.
    ///
    /// What is handed to a function that is not known to be pure counts as changed.
    pub(in crate::analysis) fn changed_in(&self, looped: Id) -> Rc<HashSet<String>> {
        if let Some(known) = self.changed.borrow().get(&looped) {
            return Rc::clone(known);
        }
        let mut changed = HashSet::new();
        for id in self.below(looped) {
            match self.kind(id) {
                "assignment" | "augmented_assignment" | "for_statement" | "for_in_clause" => {
                    if let Some(target) = self.child(id, "left") {
                        self.add_roots(target, &mut changed);
                    }
                }
                "named_expression" | "as_pattern" => {
                    let name = self.child(id, "name").or_else(|| self.children(id).last());
                    self.add_roots(name.unwrap_or(id), &mut changed);
                }
                "delete_statement" => self.add_roots(id, &mut changed),
                "call" => self.add_call(id, &mut changed),
                _ => {}
            }
        }
        if let Some(target) = self.child(looped, "left") {
            self.add_roots(target, &mut changed);
        }
        let changed = Rc::new(changed);
        self.changed.borrow_mut().insert(looped, Rc::clone(&changed));
        changed
    }

    fn add_call(&self, call: Id, changed: &mut HashSet<String>) {
        let known = self.callee(call).is_some_and(|path| is_pure(&path) || leaves_alone(&path));
        let own = || self.definition(call).is_some_and(|function| self.is_effect_free(function));
        if known || own() {
            return;
        }
        match self.method(call) {
            Some((_, name)) if READING.contains(&name) => {}
            Some((object, _)) => self.add_roots(object, changed),
            None => {}
        }
        // What `append` or `add` puts away is kept, not changed.
        let keeps = self.method(call).is_some_and(|(_, name)| {
            READING.contains(&name) || ["append", "add", "insert", "write"].contains(&name)
        });
        if !keeps {
            for arg in self.args(call) {
                // Numbers and texts cannot be changed by the called.
                if !matches!(self.ty(arg), super::types::Ty::Number | super::types::Ty::Str) {
                    self.add_roots(arg, changed);
                }
            }
        }
    }

    fn add_roots(&self, id: Id, changed: &mut HashSet<String>) {
        for node in std::iter::once(id).chain(self.below(id)) {
            if self.kind(node) == "identifier" && self.role(node) != "attribute" {
                changed.insert(self.text(node).to_owned());
            }
        }
    }

    /// Whether an expression gives the same in every round of a loop: it reads only names that the
    /// loop does not touch and calls only what is known to be pure.
    pub(in crate::analysis) fn is_invariant(&self, id: Id, looped: Id) -> bool {
        let changed = self.changed_in(looped);
        let own = |node: Id| -> HashSet<String> {
            let mut bound = HashSet::new();
            for inner in std::iter::once(node).chain(self.below(node)) {
                if self.kind(inner) == "for_in_clause"
                    && let Some(target) = self.child(inner, "left")
                {
                    self.add_roots(target, &mut bound);
                }
            }
            bound
        };
        let bound = own(id);
        std::iter::once(id).chain(self.below(id)).all(|node| match self.kind(node) {
            "identifier" if matches!(self.role(node), "attribute" | "name") => true,
            "identifier" => bound.contains(self.text(node)) || !changed.contains(self.text(node)),
            "call" => self.is_pure_call(node),
            "await" | "yield" | "named_expression" | "lambda" => false,
            _ => true,
        })
    }

    /// Whether a call is known to have no effect and to depend on its arguments alone.
    pub(in crate::analysis) fn is_pure_call(&self, call: Id) -> bool {
        if self.callee(call).is_some_and(|path| is_pure(&path)) {
            return true;
        }
        self.method(call).is_some_and(|(_, name)| READING.contains(&name))
    }

    /// Whether a function only computes: it binds local names, calls what is known to be pure or
    /// itself, and neither waits, yields nor raises on purpose.
    pub(in crate::analysis) fn is_effect_free(&self, function: Id) -> bool {
        if let Some(known) = self.effect_free.borrow().get(&function) {
            return *known;
        }
        let free = self.only_computes(function);
        self.effect_free.borrow_mut().insert(function, free);
        free
    }

    fn only_computes(&self, function: Id) -> bool {
        let own_name = self.child(function, "name").map(|name| self.text(name));
        let Some(body) = self.child(function, "body") else { return false };
        let returns = self.below(body).any(|id| self.kind(id) == "return_statement");
        returns
            && self.below(body).all(|id| match self.kind(id) {
                "await" | "yield" | "raise_statement" | "global_statement"
                | "nonlocal_statement" | "delete_statement" | "with_statement"
                | "import_statement" => false,
                "assignment" | "augmented_assignment" => {
                    self.child(id, "left").is_some_and(|target| {
                        matches!(self.kind(target), "identifier" | "pattern_list")
                    })
                }
                "call" => {
                    let called = self.child(id, "function").map(|called| self.text(called));
                    called == own_name || self.fills_local(id) || self.is_pure_call(id)
                }
                _ => true,
            })
    }

    /// Whether a call adds to a container that the function made itself.
    fn fills_local(&self, call: Id) -> bool {
        self.method(call).is_some_and(|(object, name)| {
            matches!(name, "append" | "add" | "extend")
                && self.kind(object) == "identifier"
                && self.binding_scope(object) == Some(self.scope(call))
                && self.ty(object) != super::types::Ty::Unknown
        })
    }

    /// Whether lines of the loop, inner loops left out, call nothing.
    pub(in crate::analysis) fn is_call_free(&self, looped: Id) -> bool {
        if let Some(known) = self.call_free.borrow().get(&looped) {
            return *known;
        }
        let free = !self.below(looped).any(|id| matches!(self.kind(id), "call" | "await"));
        self.call_free.borrow_mut().insert(looped, free);
        free
    }

    /// The loops inside a loop.
    pub(in crate::analysis) fn inner_loops(&self, looped: Id) -> impl Iterator<Item = Id> + '_ {
        self.below(looped).filter(|id| is_loop(self.kind(*id)))
    }
}

/// Functions with effects, but none on their arguments.
fn leaves_alone(path: &str) -> bool {
    matches!(path, "print" | "open" | "isinstance" | "input")
        || ["re.", "os.", "json.", "time.", "logging.", "subprocess.", "asyncio."]
            .iter()
            .any(|module| path.starts_with(module))
}

fn is_pure(path: &str) -> bool {
    PURE.contains(&path)
        || path.starts_with("math.")
        || matches!(path, "re.compile" | "json.dumps" | "copy.deepcopy" | "hash" | "isinstance")
}
