//! One version of a program in tables: its lines as numbers, its functions with their own lines.

use std::collections::HashMap;

use super::Named;
use super::words::letters;
use crate::profile::{FunctionKind, FunctionSpan, LineNo};

/// Texts by number: equal texts have equal numbers, in both versions. White space at either end of a
/// line does not count.
#[derive(Debug, Default)]
pub(super) struct Interner<'a> {
    numbers: HashMap<&'a str, u32>,
    texts: Vec<&'a str>,
    letters: Vec<u32>,
}

impl<'a> Interner<'a> {
    fn number(&mut self, text: &'a str) -> u32 {
        let next = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(text).or_insert(next);
        if number == next {
            self.texts.push(text);
            self.letters.push(letters(text));
        }
        number
    }

    pub(super) fn text(&self, number: u32) -> &'a str {
        self.texts.get(number as usize).copied().unwrap_or_default()
    }

    /// Letters and digits of a text: what it says.
    pub(super) fn letters(&self, number: u32) -> u64 {
        self.letters.get(number as usize).copied().unwrap_or(0).into()
    }
}

/// A line, known by its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    /// Number of its text without the white space around it.
    pub(super) number: u32,
    /// Bytes of white space before it.
    pub(super) indent: u32,
    /// There is nothing on it.
    pub(super) blank: bool,
    /// Index of the unit that it is an own line of.
    pub(super) unit: u32,
}

/// A function, a class body or module-level code, with the lines that are its own.
#[derive(Debug, Clone)]
pub(super) struct Unit<'a> {
    pub(super) file: usize,
    pub(super) name: &'a str,
    pub(super) class: bool,
    pub(super) spans: Vec<usize>,
    /// Indices of its lines in the file, in order, blank ones left out. A decorator or a comment right
    /// above `def` is the function's. None in a file that needs no alignment.
    pub(super) lines: Vec<u32>,
    /// Letters and digits of these lines.
    pub(super) weight: u64,
}

impl Unit<'_> {
    pub(super) fn is_module(&self) -> bool {
        self.spans.is_empty()
    }

    /// `scale` of `Shape.scale.<locals>.scale`.
    pub(super) fn last_name(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }
}

/// One version.
#[derive(Debug)]
pub(super) struct Version<'a> {
    /// By file, by line; empty for files that need no alignment.
    pub(super) lines: Vec<Vec<Text>>,
    /// Units by file, module-level code first, then in the order of the file.
    pub(super) units: Vec<Unit<'a>>,
    /// First unit of each file.
    pub(super) first_unit: Vec<usize>,
}

impl<'a> Version<'a> {
    pub(super) fn read(
        files: &[Named<'a>],
        skipped: impl Fn(usize) -> bool,
        interner: &mut Interner<'a>,
    ) -> Self {
        let mut version = Self { lines: Vec::new(), units: Vec::new(), first_unit: Vec::new() };
        for (index, named) in files.iter().enumerate() {
            version.first_unit.push(version.units.len());
            let by_span = version.add_units(index, named);
            let lines =
                if skipped(index) { Vec::new() } else { version.texts(named, &by_span, interner) };
            version.lines.push(lines);
        }
        version
    }

    /// Units of a file; by index of a span plus one, the module at 0, the index of its unit.
    fn add_units(&mut self, file: usize, named: &Named<'a>) -> Vec<u32> {
        let spans = named.file.functions();
        let mut by_name: HashMap<&str, usize> = HashMap::with_capacity(spans.len());
        let unit = |name, class| Unit {
            file,
            name,
            class,
            spans: Vec::new(),
            lines: Vec::new(),
            weight: 0,
        };
        let mut by_span = vec![number(self.units.len())];
        self.units.push(unit(FunctionSpan::MODULE, false));
        for (index, span) in spans.iter().enumerate() {
            let place = *by_name.entry(span.name.as_str()).or_insert(self.units.len());
            if place == self.units.len() {
                self.units.push(unit(&span.name, span.kind == FunctionKind::Class));
            }
            if let Some(unit) = self.units.get_mut(place) {
                unit.spans.push(index);
            }
            by_span.push(number(place));
        }
        by_span
    }

    fn texts(
        &mut self,
        named: &Named<'a>,
        by_span: &[u32],
        interner: &mut Interner<'a>,
    ) -> Vec<Text> {
        let file = named.file;
        let mut lines: Vec<Text> = (1..)
            .map_while(|number| {
                LineNo::new(number).filter(|n| n.get() as usize <= file.source.line_count())
            })
            .map(|number| {
                let text = file.text(number);
                let code = text.trim();
                let owner = file.function_index(number).map_or(0, |span| span + 1);
                Text {
                    number: interner.number(code),
                    indent: self::number(text.len() - text.trim_start().len()),
                    blank: code.is_empty(),
                    unit: by_span.get(owner).copied().unwrap_or(0),
                }
            })
            .collect();
        decorators(file.functions(), by_span, interner, &mut lines);
        for (index, line) in lines.iter().enumerate().filter(|(_, line)| !line.blank) {
            if let Some(unit) = self.units.get_mut(line.unit as usize) {
                unit.lines.push(number(index));
                unit.weight += interner.letters(line.number);
            }
        }
        lines
    }

    pub(super) fn text(&self, file: usize, line: u32) -> Option<&Text> {
        self.lines.get(file)?.get(line as usize)
    }

    pub(super) fn unit(&self, unit: usize) -> Option<&Unit<'a>> {
        self.units.get(unit)
    }

    /// Number of the text of a line.
    pub(super) fn number(&self, file: usize, line: u32) -> u32 {
        self.text(file, line).map_or(u32::MAX, |text| text.number)
    }
}

/// Hands decorators and comments right above a `def` to its function.
fn decorators(
    spans: &[FunctionSpan],
    by_span: &[u32],
    interner: &Interner<'_>,
    lines: &mut [Text],
) {
    for (span, unit) in spans.iter().zip(by_span.iter().skip(1)) {
        let first = span.start.get() as usize - 1;
        let Some((above, rest)) = lines.split_at_mut_checked(first) else { continue };
        let Some(indent) = rest.first().map(|def| def.indent) else { continue };
        let belongs = |line: &Text| {
            let text = interner.text(line.number);
            text.starts_with('#') || (text.starts_with('@') && line.indent == indent)
        };
        for line in above.iter_mut().rev().take_while(|line| belongs(line)) {
            line.unit = *unit;
        }
    }
}

/// A small number; no source has more lines than this holds.
pub(super) fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
