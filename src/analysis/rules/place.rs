//! Places in the source: which lines a finding is about, and whose time counts for it.
//!
//! Stacks are exact about lines ([`FileProfile::exact`]). Scalene's time of a line is approximate. A call's time is on its line. The time of operators
//! (`x in y`, `a + b`, `a[i]`) is on whatever line comes next, and Scalene 2.2 and later spreads a
//! loop without calls evenly over its lines; so operators are counted by their loop.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::rc::Rc;

use super::super::code::{Code, Id, is_loop};
use super::super::thresholds::TIGHT_NODES;
use super::figures::{Figures, Ranges};
use crate::profile::FileProfile;

/// A hot file as rules see it.
pub(in crate::analysis) struct Seen<'s> {
    pub(super) code: Code<'s>,
    pub(super) file: &'s FileProfile,
    /// Lines of loops that call nothing, as far as asked for.
    free: RefCell<HashMap<Id, Rc<Ranges>>>,
}

impl<'s> Seen<'s> {
    pub(super) fn new(code: Code<'s>, file: &'s FileProfile) -> Self {
        Self { code, file, free: RefCell::default() }
    }
}

impl<'s> Deref for Seen<'s> {
    type Target = Code<'s>;

    fn deref(&self) -> &Code<'s> {
        &self.code
    }
}

/// A place where the code shows a rule's pattern.
#[derive(Debug, Clone)]
pub(in crate::analysis) struct Site {
    /// What should change.
    pub(super) lines: (u32, u32),
    /// The lines whose time the change would remove or shrink.
    pub(super) counted: Ranges,
    /// What is there.
    pub(super) issue: String,
    /// What to change.
    pub(super) advice: String,
    /// What else the code says, and doubts.
    pub(super) notes: Vec<String>,
    /// The place is only where the time shows.
    pub(super) stays: bool,
    /// Line of `def` of the function that is called too often, where that is the problem.
    pub(super) called: Option<u32>,
    /// What is counted beside the place are functions that it calls: time that others reach them by is not
    /// the place's.
    pub(super) through: bool,
}

impl Site {
    pub(super) fn new(
        lines: (u32, u32),
        counted: Ranges,
        issue: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            lines,
            counted: merged(counted),
            issue: bounded(issue.into()),
            advice: bounded(advice.into()),
            notes: Vec::new(),
            stays: false,
            called: None,
            through: false,
        }
    }

    /// The time is not spent at the place itself, so that removing it has no ceiling to speak of.
    pub(super) fn without_ceiling(self) -> Self {
        Self { stays: true, ..self }
    }

    /// Of the functions that are counted only the time counts that is reached from the place.
    pub(super) fn reached_here(self) -> Self {
        Self { through: true, ..self }
    }

    /// Its problem is how often a function is called: counts of its calls are evidence.
    pub(super) fn calls(self, definition: u32) -> Self {
        Self { called: Some(definition), ..self }
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(bounded(note.into()));
        self
    }

    pub(super) fn maybe(self, note: Option<String>) -> Self {
        match note {
            Some(note) => self.note(note),
            None => self,
        }
    }
}

/// Sorted, without overlaps.
pub(super) fn merged(mut ranges: Ranges) -> Ranges {
    ranges.sort_unstable();
    let mut result: Ranges = Vec::new();
    for (first, last) in ranges {
        match result.last_mut() {
            Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
            _ => result.push((first, last)),
        }
    }
    result
}

/// Lines of `outer` that are in none of `holes`.
fn without(outer: (u32, u32), holes: &[(u32, u32)]) -> Ranges {
    let mut rest = Vec::new();
    let mut next = outer.0;
    for (first, last) in merged(holes.to_vec()) {
        if first > next {
            rest.push((next, (first - 1).min(outer.1)));
        }
        next = next.max(last.saturating_add(1));
    }
    if next <= outer.1 {
        rest.push((next, outer.1));
    }
    rest
}

/// Longest sentence of a finding; a name in it may be as long as a file.
const LONGEST_SENTENCE: usize = 600;

/// A sentence, cut where it is long.
fn bounded(mut sentence: String) -> String {
    if let Some((end, _)) = sentence.char_indices().nth(LONGEST_SENTENCE) {
        sentence.truncate(end);
        sentence.push('…');
    }
    sentence
}

/// Longest piece of source that is quoted.
const QUOTED: usize = 60;

/// Python reads `text` in one line, cut where it is long.
pub(super) fn quote(text: &str) -> String {
    let line = text.split_whitespace().take(QUOTED).collect::<Vec<_>>().join(" ");
    if line.chars().count() <= QUOTED {
        return line;
    }
    let cut: String = line.chars().take(QUOTED - 1).collect();
    format!("{cut}…")
}

impl Seen<'_> {
    /// Source of a node, in one line.
    pub(super) fn quoted(&self, id: Id) -> String {
        // What is longer than this is cut anyway.
        let text = self.text(id);
        let end = text.char_indices().nth(8 * QUOTED).map_or(text.len(), |(at, _)| at);
        quote(text.get(..end).unwrap_or_default())
    }

    /// A loop's `for x in y`, in one line.
    pub(super) fn head(&self, looped: Id) -> String {
        let text = self.quoted(looped);
        match self.kind(looped) {
            "for_statement" => {
                let part = |role| self.child(looped, role).map(|id| self.quoted(id));
                format!(
                    "for {} in {}",
                    part("left").unwrap_or_default(),
                    part("right").unwrap_or_default()
                )
            }
            "while_statement" => {
                let condition = self.child(looped, "condition").map(|id| self.quoted(id));
                format!("while {}", condition.unwrap_or_default())
            }
            _ => text,
        }
    }

    /// Whether a loop binds the name itself, by other means than `except`.
    pub(super) fn binds_anew(&self, looped: Id, name: Id, except: Option<Id>) -> bool {
        if !self.is_tight(looped) {
            return true;
        }
        let text = self.text(name);
        let has = |target: Id| {
            std::iter::once(target).chain(self.below(target)).any(|id| self.text(id) == text)
        };
        self.child(looped, "left").is_some_and(has)
            || self.below(looped).any(|id| {
                let binds = matches!(
                    self.kind(id),
                    "assignment" | "for_statement" | "for_in_clause" | "as_pattern"
                );
                binds
                    && Some(id) != except
                    && match self.kind(id) {
                        "as_pattern" => has(id),
                        _ => self.child(id, "left").is_some_and(has),
                    }
            })
    }

    /// Whether a call may be of a function or class of this file, by its last name.
    pub(super) fn calls_python(&self, call: Id) -> bool {
        let Some(function) = self.child(call, "function") else { return true };
        let name = self.child(function, "attribute").unwrap_or(function);
        self.is_defined_here(self.text(name))
    }

    /// Whether the node runs more than once: in a loop, or in a function.
    pub(super) fn repeats(&self, id: Id) -> bool {
        self.looped(id).is_some() || self.function(id).is_some()
    }

    /// The function that the node is in.
    pub(super) fn function(&self, id: Id) -> Option<Id> {
        let scope = self.scope(id);
        (self.kind(scope) == "function_definition").then_some(scope)
    }

    /// `in the loop on line 3` or `on every call of f()`.
    pub(super) fn how_often(&self, id: Id) -> String {
        if let Some(looped) = self.looped(id) {
            return format!("in every round of the loop on line {}", self.line(looped));
        }
        let name = self.function(id).and_then(|function| self.child(function, "name"));
        name.map_or_else(
            || "once".to_owned(),
            |name| format!("on every call of {}()", self.text(name)),
        )
    }

    /// The node's statement: where the time of a call is.
    pub(super) fn by_statement(&self, id: Id) -> Ranges {
        vec![self.statement_lines(id)]
    }

    /// All lines of a loop, inner loops included.
    pub(super) fn by_loop(&self, looped: Id) -> Ranges {
        let head = self.head_of_only_loop(looped);
        merged(std::iter::once(self.lines(looped)).chain(head).collect())
    }

    /// The `def` line of a function whose only loop this is, or is around this one.
    ///
    /// Python 3.11 cannot be interrupted in a loop that ends in an `if`: the samples of such a loop
    /// land where the function begins. Recursion lands there too, so that it is left alone.
    fn head_of_only_loop(&self, looped: Id) -> Option<(u32, u32)> {
        if self.file.exact {
            return None;
        }
        let function = self.function(looped).filter(|function| self.is_tight(*function))?;
        let name = self.child(function, "name").map(|name| self.text(name))?;
        let mut outermost = self.below(function).filter(|id| {
            self.function(*id) == Some(function)
                && is_loop(self.kind(*id))
                && self.looped(*id).is_none()
        });
        let only = outermost.next().filter(|_| outermost.next().is_none())?;
        let recursive = || {
            self.calls_in(function).any(|call| {
                self.child(call, "function").is_some_and(|callee| self.text(callee).ends_with(name))
            })
        };
        let line = self.line(function);
        let sampled = Figures::of(self.file, &[(line, line)]).total() > 0.0;
        (sampled && self.within(looped, only) && !recursive()).then_some((line, line))
    }

    /// All lines of a function.
    pub(super) fn by_function(&self, function: Id) -> Ranges {
        vec![self.lines(function)]
    }

    /// Where the time of an operator is: on its statement; as Scalene sees it, also on the lines of its
    /// loop that call nothing, and on the line after it.
    pub(super) fn by_operator(&self, id: Id) -> Ranges {
        if self.file.exact {
            return self.by_statement(id);
        }
        let mut ranges = self.with_next(id);
        if let Some(looped) = self.looped(id).filter(|looped| self.is_tight(*looped)) {
            ranges.extend(self.free_lines(looped).iter().copied());
            ranges.extend(self.head_of_only_loop(looped));
        }
        merged(ranges)
    }

    /// The statement and the line after it.
    pub(super) fn with_next(&self, id: Id) -> Ranges {
        let after = self.line_after(id).map(|line| (line, line));
        std::iter::once(self.statement_lines(id)).chain(after).collect()
    }

    /// Lines of a loop that are in no inner loop and call nothing.
    fn free_lines(&self, looped: Id) -> Rc<Ranges> {
        if let Some(known) = self.free.borrow().get(&looped) {
            return Rc::clone(known);
        }
        let outer = self.lines(looped);
        let inner = self.inner_loops(looped).map(|inner| self.lines(inner));
        let mut holes: Vec<_> =
            inner.filter(|lines| lines.0 > outer.0 || lines.1 < outer.1).collect();
        if let Some(body) = self.child(looped, "body") {
            holes.extend(self.calls_in(body).map(|call| self.statement_lines(call)));
        }
        let free = Rc::new(without(outer, &holes));
        self.free.borrow_mut().insert(looped, Rc::clone(&free));
        free
    }

    /// Whether a loop is small enough to look at all of it for one pattern.
    pub(super) fn is_tight(&self, looped: Id) -> bool {
        f64::from(self.size(looped)) <= TIGHT_NODES.value
    }

    fn line_after(&self, id: Id) -> Option<u32> {
        let statement = self.statement(id);
        let (_, last) = self.statement_lines(id);
        let inside = self
            .children(statement)
            .find(|child| self.kind(*child) == "block" && !self.within(id, *child))
            .and_then(|block| self.children(block).next());
        let next = inside.or_else(|| self.sibling(statement));
        next.map(|next| self.line(next)).filter(|line| *line > last)
    }

    /// What to say where Scalene spread the time of a loop over its lines.
    pub(super) fn spread_note(&self, id: Id) -> Option<String> {
        if self.file.exact {
            return None;
        }
        let looped = self.looped(id)?;
        let (first, last) = self.lines(looped);
        (first < last && self.is_call_free(looped)).then(|| {
            format!(
                "the loop calls nothing, so Scalene 2.2 and later spreads its time evenly over lines \
                 {first}-{last}: they are counted together"
            )
        })
    }

    /// The statement or loop that should change, as lines.
    pub(super) fn at(&self, id: Id) -> (u32, u32) {
        self.statement_lines(id)
    }
}
