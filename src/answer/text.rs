//! Small pieces of text shared by all answers.

use crate::profile::round_for_display;

/// Longest source text shown of a line, in characters.
const SOURCE_CHARS: usize = 80;

/// A number as people read it: three significant digits, no trailing noise.
pub fn amount(value: f64) -> String {
    format!("{}", round_for_display(value))
}

/// A number, or a dash for what nobody measured.
pub(super) fn amount_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), amount)
}

/// One line of bounded length, without control characters that would move a cursor.
pub fn one_line(text: &str, limit: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    // Of a line of megabytes only what is shown is looked at.
    let text = text.trim_matches(|c: char| c.is_control() || c.is_whitespace());
    if text.chars().nth(limit).is_none() {
        return text.chars().map(clean).collect();
    }
    let kept: String = text.chars().map(clean).take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `1 line`, `2 lines`.
pub fn count(number: impl Into<u64>, noun: &str) -> String {
    let number = number.into();
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Source text of a line as answers show it.
pub(super) fn source(text: &str) -> String {
    one_line(text, SOURCE_CHARS)
}

/// Source text of a line with its indentation, for listings of whole stretches.
pub(super) fn one_line_indented(text: &str) -> String {
    let text = text.trim_end().replace('\t', "    ");
    let indent: String = text.chars().take_while(|c| *c == ' ').take(SOURCE_CHARS / 2).collect();
    format!("{indent}{}", one_line(&text, SOURCE_CHARS + 20))
}

/// A table with aligned columns: numbers to the right, the last column as it is.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|cell| cell.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let last = cells.len().saturating_sub(1);
        let mut text = String::new();
        for (index, cell) in cells.iter().enumerate() {
            let width = widths.get(index).copied().unwrap_or(0);
            if index == last {
                text.push_str(cell);
            } else {
                text.push_str(&format!("{cell:>width$}  "));
            }
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(header);
    for row in rows {
        text.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0.0, 6.4149, 12.0, 1234.6, 0.0123].map(amount),
            ["0", "6.41", "12", "1235", "0.0123"]
        );
        assert_eq!(amount_or_dash(None), "-");
    }

    #[test]
    fn a_line_stays_one_line() {
        assert_eq!(one_line("  a\tb\r\n", 10), "a b");
        assert_eq!(one_line("abcdef", 4), "abc…");
        assert_eq!(one_line("\u{1b}[31mred", 20), "[31mred");
    }

    #[test]
    fn columns_align() {
        let rows = vec![vec!["1".into(), "x".into()], vec!["100".into(), "y  z".into()]];
        assert_eq!(table(&["n", "what"], &rows), "  n  what\n  1  x\n100  y  z\n");
    }
}
