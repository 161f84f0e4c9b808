//! Which machine code a line's native time went to.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::amount;
use crate::profile::Line;

/// A function of machine code that ran while a line did.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NativeRow {
    /// Its symbol; `<native code>` where the library has no name for it.
    pub name: String,
    /// The library or program that it is in.
    pub library: String,
    /// Its part of the line's time, in percent, from where threads were when they were stopped (Linux).
    pub percent: f64,
}

/// The first `most` of a line; none where it is mostly Python, or nothing is known.
pub(super) fn of(line: &Line, most: usize) -> Vec<NativeRow> {
    let row = |one: &crate::profile::NativeFunction| NativeRow {
        name: one.name.clone(),
        library: one.library.clone(),
        percent: one.part.rounded(),
    };
    line.native_functions.iter().take(most).map(row).collect()
}

/// In words; empty when there are none.
pub(super) fn text(rows: &[NativeRow]) -> String {
    let words = |row: &NativeRow| {
        let library = row.library.split(".so").next().unwrap_or_default();
        let library = library.split(".cpython").next().unwrap_or_default();
        format!("{} ({library}) {} %", row.name, amount(row.percent))
    };
    let all: Vec<String> = rows.iter().map(words).collect();
    if all.is_empty() { String::new() } else { format!("  [in {}]", all.join(", ")) }
}
