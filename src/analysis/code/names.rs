//! What names stand for: imports, bindings, definitions.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ops::Deref;

use super::tree::{Id, Tree};
use super::types::Ty;

/// A source with its names; the syntax is reached through it.
pub(in crate::analysis) struct Code<'s> {
    tree: Tree<'s>,
    /// Local name to what was imported: `np` to `numpy`, `c` to `re.compile`.
    imports: HashMap<&'s str, String>,
    /// Values bound to a name, by scope. `None`: bound in a way that says nothing.
    bindings: HashMap<(Id, &'s str), Vec<Option<Id>>>,
    /// Values bound to `self.name`, by class.
    attributes: HashMap<(Id, &'s str), Vec<Option<Id>>>,
    /// Functions and classes by scope and name.
    definitions: HashMap<(Id, &'s str), Vec<Id>>,
    /// What the calls in this file pass for a parameter without annotation, by function and name;
    /// `None` for a call that does not show it. Only for functions that are called and nothing else.
    pub(super) passed: HashMap<(Id, &'s str), Vec<Option<Id>>>,
    /// Types already worked out, and those being worked out.
    pub(super) known: RefCell<HashMap<Id, Ty>>,
    /// Functions known to have an effect or none.
    pub(super) effect_free: RefCell<HashMap<Id, bool>>,
    /// Loops known to call something or nothing.
    pub(super) call_free: RefCell<HashMap<Id, bool>>,
    /// Names bound or changed in a loop.
    pub(super) changed: RefCell<HashMap<Id, std::rc::Rc<HashSet<String>>>>,
}

impl<'s> Deref for Code<'s> {
    type Target = Tree<'s>;

    fn deref(&self) -> &Tree<'s> {
        &self.tree
    }
}

impl<'s> Code<'s> {
    /// Reads the names of a tree.
    pub(in crate::analysis) fn new(tree: Tree<'s>) -> Self {
        let mut code = Self {
            tree,
            imports: HashMap::new(),
            bindings: HashMap::new(),
            attributes: HashMap::new(),
            definitions: HashMap::new(),
            passed: HashMap::new(),
            known: RefCell::default(),
            effect_free: RefCell::default(),
            call_free: RefCell::default(),
            changed: RefCell::default(),
        };
        for id in code.tree.all() {
            code.note(id);
        }
        code.passed = code.note_calls();
        code
    }

    fn note(&mut self, id: Id) {
        match self.tree.kind(id) {
            "import_statement" | "import_from_statement" => self.note_import(id),
            "assignment" => {
                let value = self.tree.child(id, "right").or_else(|| self.tree.child(id, "type"));
                if let Some(target) = self.tree.child(id, "left") {
                    self.bind(target, value);
                }
            }
            "named_expression" => {
                if let Some(name) = self.tree.child(id, "name") {
                    let value = self.tree.child(id, "value");
                    self.bind(name, value);
                }
            }
            "for_statement" | "for_in_clause" => {
                if let Some(target) = self.tree.child(id, "left") {
                    self.bind(target, None);
                }
            }
            "as_pattern" => self.note_as(id),
            "function_definition" | "class_definition" => self.note_definition(id),
            "global_statement" | "nonlocal_statement" => {
                let names: Vec<_> = self.tree.children(id).collect();
                for name in names {
                    let text = self.tree.text(name);
                    self.bindings.entry((Id::ROOT, text)).or_default().push(None);
                }
            }
            _ => {}
        }
    }

    /// `with open(x) as f`, `except E as e`: only the first says what the name is.
    fn note_as(&mut self, id: Id) {
        let parts: Vec<_> = self.tree.children(id).collect();
        if let [value, target] = parts.as_slice() {
            let name = self.tree.children(*target).next().unwrap_or(*target);
            let value = (self.tree.kind(*value) == "call").then_some(*value);
            self.bind(name, value);
        }
    }

    fn note_import(&mut self, id: Id) {
        let tree = &self.tree;
        let module = tree.child(id, "module_name").map(|module| tree.text(module));
        let named: Vec<_> = tree.children(id).filter(|part| tree.role(*part) == "name").collect();
        for part in named {
            let alias = tree.child(part, "alias").map(|alias| tree.text(alias));
            let name = tree.child(part, "name").map_or(tree.text(part), |name| tree.text(name));
            let (local, path) = match (module, alias) {
                (Some(module), alias) => (alias.unwrap_or(name), format!("{module}.{name}")),
                (None, Some(alias)) => (alias, name.to_owned()),
                (None, None) => {
                    let first = name.split('.').next().unwrap_or(name);
                    (first, first.to_owned())
                }
            };
            self.imports.insert(local, path);
        }
    }

    fn note_definition(&mut self, id: Id) {
        let scope = self.tree.scope(id);
        if let Some(name) = self.tree.child(id, "name") {
            let name = self.tree.text(name);
            self.definitions.entry((scope, name)).or_default().push(id);
            self.bindings.entry((scope, name)).or_default().push(None);
        }
        let Some(parameters) = self.tree.child(id, "parameters") else { return };
        let all: Vec<_> = self.tree.children(parameters).collect();
        for parameter in all {
            let annotation = self.tree.child(parameter, "type");
            let name = match self.tree.kind(parameter) {
                "identifier" => Some(parameter),
                _ => self.tree.child(parameter, "name").or_else(|| {
                    self.tree.below(parameter).find(|n| self.tree.kind(*n) == "identifier")
                }),
            };
            if let Some(name) = name {
                let text = self.tree.text(name);
                self.bindings.entry((id, text)).or_default().push(annotation);
            }
        }
    }

    fn bind(&mut self, target: Id, value: Option<Id>) {
        match self.tree.kind(target) {
            "identifier" => {
                let key = (self.tree.scope(target), self.tree.text(target));
                self.bindings.entry(key).or_default().push(value);
            }
            "attribute" => {
                if let Some((class, name)) = self.own_attribute(target) {
                    self.attributes.entry((class, name)).or_default().push(value);
                }
            }
            "pattern_list" | "tuple_pattern" | "list_pattern" | "tuple" | "list" => {
                let parts: Vec<_> = self.tree.children(target).collect();
                for part in parts {
                    // A nesting of patterns is as deep as the tree, which is bounded.
                    self.bind(part, None);
                }
            }
            _ => {}
        }
    }

    /// The class and name of `self.name` inside a method.
    fn own_attribute(&self, id: Id) -> Option<(Id, &'s str)> {
        let tree = &self.tree;
        let object = tree.child(id, "object")?;
        if tree.kind(object) != "identifier" || tree.text(object) != "self" {
            return None;
        }
        let name = tree.text(tree.child(id, "attribute")?);
        let mut scope = tree.scope(id);
        while scope != Id::ROOT {
            if tree.kind(scope) == "class_definition" {
                return Some((scope, name));
            }
            scope = tree.scope(scope);
        }
        None
    }

    /// Values bound to a name or to `self.name`; `None` for other expressions and unbound names.
    pub(in crate::analysis) fn values(&self, id: Id) -> Option<&[Option<Id>]> {
        match self.kind(id) {
            "identifier" => {
                let scope = self.binding_scope(id)?;
                self.bindings.get(&(scope, self.text(id))).map(Vec::as_slice)
            }
            "attribute" => {
                let key = self.own_attribute(id)?;
                self.attributes.get(&key).map(Vec::as_slice)
            }
            _ => None,
        }
    }

    /// The scope whose binding of the name is meant.
    pub(in crate::analysis) fn binding_scope(&self, id: Id) -> Option<Id> {
        let name = self.text(id);
        let mut scope = self.scope(id);
        let mut own = true;
        loop {
            let visible = own || self.kind(scope) != "class_definition";
            if visible && self.bindings.contains_key(&(scope, name)) {
                return Some(scope);
            }
            if scope == Id::ROOT {
                return None;
            }
            own = false;
            scope = self.scope(scope);
        }
    }

    /// Dotted path of a name or attribute, imports resolved: `np.append` is `numpy.append`.
    ///
    /// Names that are bound in the file are not resolved, but for imports.
    pub(in crate::analysis) fn path(&self, id: Id) -> Option<String> {
        let mut names = Vec::new();
        let mut at = id;
        while self.kind(at) == "attribute" {
            names.push(self.text(self.child(at, "attribute")?));
            at = self.child(at, "object")?;
        }
        if self.kind(at) != "identifier" || self.binding_scope(at).is_some() {
            return None;
        }
        let first = self.text(at);
        let mut path = self.imports.get(first).cloned().unwrap_or_else(|| first.to_owned());
        for name in names.into_iter().rev() {
            path.push('.');
            path.push_str(name);
        }
        Some(path)
    }

    /// Path of what a call calls.
    pub(in crate::analysis) fn callee(&self, call: Id) -> Option<String> {
        if self.kind(call) != "call" {
            return None;
        }
        self.path(self.child(call, "function")?)
    }

    /// Object and name of a method call.
    pub(in crate::analysis) fn method(&self, call: Id) -> Option<(Id, &'s str)> {
        if self.kind(call) != "call" {
            return None;
        }
        let function = self.child(call, "function")?;
        let object = self.child(function, "object")?;
        Some((object, self.text(self.child(function, "attribute")?)))
    }

    /// Positional arguments of a call; a generator that stands without brackets is one.
    pub(in crate::analysis) fn args(&self, call: Id) -> Vec<Id> {
        let Some(list) = self.child(call, "arguments") else { return Vec::new() };
        if self.kind(list) != "argument_list" {
            return vec![list];
        }
        self.children(list).filter(|arg| self.kind(*arg) != "keyword_argument").collect()
    }

    /// Value of a keyword argument.
    pub(in crate::analysis) fn keyword(&self, call: Id, name: &str) -> Option<Id> {
        let list = self.child(call, "arguments")?;
        let found = self
            .children(list)
            .find(|arg| self.child(*arg, "name").is_some_and(|key| self.text(key) == name))?;
        self.child(found, "value")
    }

    /// The one function or class of this file that a call calls.
    pub(in crate::analysis) fn definition(&self, call: Id) -> Option<Id> {
        let function = self.child(call, "function")?;
        let key = match self.kind(function) {
            "identifier" => (self.binding_scope(function)?, self.text(function)),
            "attribute" => self.own_attribute(function)?,
            _ => return None,
        };
        let bound = self.bindings.get(&key)?;
        match (self.definitions.get(&key)?.as_slice(), bound.len()) {
            ([only], 1) => Some(*only),
            _ => None,
        }
    }

    /// Whether any function or class of the file has this name.
    pub(in crate::analysis) fn is_defined_here(&self, name: &str) -> bool {
        self.definitions.keys().any(|(_, known)| *known == name)
    }

    /// All calls below a node or the node itself, those of nested functions included.
    pub(in crate::analysis) fn calls_in(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        std::iter::once(id).chain(self.below(id)).filter(|id| self.kind(*id) == "call")
    }

    /// All nodes of a kind in the file.
    pub(in crate::analysis) fn each(&self, kind: &'static str) -> impl Iterator<Item = Id> + '_ {
        self.all().filter(move |id| self.kind(*id) == kind)
    }
}
