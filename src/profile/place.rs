//! How places are written.

use std::path::Path;

/// The name of a cell of a notebook, as that of a file. Its number is that of `In [4]` after all cells have run once from
/// the top: cells without text are not counted.
pub fn cell_name(notebook: &str, number: usize) -> String {
    format!("{notebook} cell {number}")
}

/// Whether a file is a notebook, by its name.
pub fn is_notebook(path: impl AsRef<Path>) -> bool {
    path.as_ref().extension().is_some_and(|ending| ending.eq_ignore_ascii_case("ipynb"))
}

/// `app.py:7`, or `app.py:7-8` for a stretch; in a notebook `sales.ipynb cell 4, line 2`.
pub fn place(file: &str, line: u32, end_line: Option<u32>) -> String {
    let end = end_line.filter(|end| *end != line);
    let is_cell = file.rsplit_once(".ipynb cell ").is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|letter| letter.is_ascii_digit())
    });
    match (end, is_cell) {
        (None, false) => format!("{file}:{line}"),
        (Some(end), false) => format!("{file}:{line}-{end}"),
        (None, true) => format!("{file}, line {line}"),
        (Some(end), true) => format!("{file}, lines {line}-{end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_notebooks_are_named_as_their_readers_do() {
        assert_eq!(place("app.py", 7, None), "app.py:7");
        assert_eq!(place("app.py", 7, Some(9)), "app.py:7-9");
        let cell = cell_name("lab/sales.ipynb", 4);
        assert_eq!(place(&cell, 2, Some(2)), "lab/sales.ipynb cell 4, line 2");
        assert_eq!(place(&cell, 2, Some(3)), "lab/sales.ipynb cell 4, lines 2-3");
        assert_eq!(place("a.ipynb cell x", 2, None), "a.ipynb cell x:2");
    }
}
