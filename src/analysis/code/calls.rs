//! What the functions of a file are called with.

use std::collections::{HashMap, HashSet};

use super::names::Code;
use super::tree::Id;

impl<'s> Code<'s> {
    /// Arguments by function and parameter, where all calls are in sight.
    pub(super) fn note_calls(&self) -> HashMap<(Id, &'s str), Vec<Option<Id>>> {
        let escaped = self.names_used_otherwise();
        let mut calls: HashMap<Id, Vec<Id>> = HashMap::new();
        for call in self.each("call") {
            let Some(function) = self.definition(call) else { continue };
            let name = self.child(function, "name").map_or("", |name| self.text(name));
            if self.kind(function) == "function_definition" && !escaped.contains(name) {
                calls.entry(function).or_default().push(call);
            }
        }
        let mut passed = HashMap::new();
        for (function, calls) in calls {
            for (index, (name, default)) in self.parameters(function).into_iter().enumerate() {
                let values = calls.iter().map(|call| self.argument(*call, index, name, default));
                passed.insert((function, name), values.collect());
            }
        }
        passed
    }

    /// Names that stand anywhere but before the brackets of a call or after `def`: a function of
    /// this name may be called from anywhere.
    fn names_used_otherwise(&self) -> HashSet<&'s str> {
        self.each("identifier")
            .filter(|id| {
                let role = self.role(*id);
                let called = role == "function"
                    || (role == "attribute"
                        && self.parent(*id).is_some_and(|parent| self.role(parent) == "function"));
                !called && role != "name"
            })
            .map(|id| self.text(id))
            .collect()
    }

    /// Parameters without annotation in order, `self` left out, with their defaults. Empty for a
    /// signature with more than that.
    fn parameters(&self, function: Id) -> Vec<(&'s str, Option<Id>)> {
        let Some(list) = self.child(function, "parameters") else { return Vec::new() };
        let mut found = Vec::new();
        for parameter in self.children(list) {
            match self.kind(parameter) {
                "identifier" => found.push((self.text(parameter), None)),
                "default_parameter" => {
                    let Some(name) = self.child(parameter, "name") else { return Vec::new() };
                    found.push((self.text(name), self.child(parameter, "value")));
                }
                _ => return Vec::new(),
            }
        }
        if found.first().is_some_and(|(name, _)| matches!(*name, "self" | "cls")) {
            found.remove(0);
        }
        found
    }

    fn argument(&self, call: Id, index: usize, name: &str, default: Option<Id>) -> Option<Id> {
        let list = self.child(call, "arguments")?;
        let plain = self.kind(list) == "argument_list"
            && self.children(list).all(|arg| !self.kind(arg).ends_with("_splat"));
        if !plain {
            return None;
        }
        self.args(call).get(index).copied().or_else(|| self.keyword(call, name)).or(default)
    }

    /// Results of a plain function: the values of its `return` statements, `None` for one without.
    pub(super) fn results(&self, function: Id) -> Option<Vec<Option<Id>>> {
        let own = |id: &Id| self.scope(*id) == function;
        if self.text(function).starts_with("async")
            || self.below(function).filter(own).any(|id| self.kind(id) == "yield")
        {
            return None;
        }
        let returns =
            self.below(function).filter(own).filter(|id| self.kind(*id) == "return_statement");
        Some(returns.map(|id| self.children(id).next()).collect())
    }
}
