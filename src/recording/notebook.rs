//! Notebooks: their code cells, as Jupyter keeps them in a file.

use std::path::Path;

use serde_json::Value;

use super::error::RecordError;
use super::workspace;

/// Largest notebook that is read; outputs with pictures make them large.
const LARGEST: u64 = 256 << 20;

/// The text of each code cell that has one, in order.
///
/// # Errors
/// [`RecordError::NotAScript`] for what is no notebook, or one of another language.
pub(super) fn read(path: &Path) -> Result<Vec<String>, RecordError> {
    let refused = |why: String| RecordError::NotAScript { path: path.to_owned(), why };
    let bytes = workspace::read_linked(path, LARGEST).ok_or_else(|| {
        refused(format!("it cannot be read, or is larger than {} MiB", LARGEST >> 20))
    })?;
    let notebook: Value = serde_json::from_slice(&bytes)
        .map_err(|error| refused(format!("it is no notebook: no valid JSON ({error})")))?;
    let metadata = notebook.get("metadata");
    let language = metadata.and_then(|all| {
        let of_kernel = all.pointer("/kernelspec/language");
        all.pointer("/language_info/name").or(of_kernel)?.as_str()
    });
    if let Some(other) = language.filter(|name| !name.to_lowercase().contains("python")) {
        return Err(refused(format!("it is a notebook of another language ({other})")));
    }
    let cells = cells(&notebook)
        .ok_or_else(|| refused("it is no notebook: it has no list of `cells`".to_owned()))?;
    let texts: Vec<String> = cells.into_iter().filter_map(code).collect();
    if texts.is_empty() {
        return Err(refused("it is a notebook without any code".to_owned()));
    }
    Ok(texts)
}

/// All cells: those of the file, or of its worksheets before format 4.
fn cells(notebook: &Value) -> Option<Vec<&Value>> {
    if let Some(cells) = notebook.get("cells").and_then(Value::as_array) {
        return Some(cells.iter().collect());
    }
    let sheets = notebook.get("worksheets").and_then(Value::as_array)?;
    let each = sheets.iter().filter_map(|sheet| sheet.get("cells")?.as_array());
    Some(each.flatten().collect())
}

/// The text of a code cell, as one text or as a list of lines.
fn code(cell: &Value) -> Option<String> {
    if cell.get("cell_type")?.as_str()? != "code" {
        return None;
    }
    let text = match cell.get("source").or_else(|| cell.get("input"))? {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    // As in a file: the launcher and the reader of the profile count the same lines.
    let text = text.replace("\r\n", "\n");
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(json: &str) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json).unwrap();
        read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn code_cells_of_both_formats_are_found() {
        let four = r##"{"nbformat": 4, "metadata": {"language_info": {"name": "python"}}, "cells": [
            {"cell_type": "markdown", "source": ["# Title"]},
            {"cell_type": "code", "source": ["a = 1\n", "b = 2"]},
            {"cell_type": "code", "source": "  \n"},
            {"cell_type": "code", "source": "c = 3\r\nd = 4"}]}"##;
        assert_eq!(texts(four).unwrap(), ["a = 1\nb = 2", "c = 3\nd = 4"]);
        let three = r#"{"nbformat": 3, "worksheets": [
            {"cells": [{"cell_type": "code", "input": ["a = 1"]}]},
            {"cells": [{"cell_type": "code", "input": "b = 2"}, {"cell_type": "heading", "source": "c"}]}]}"#;
        assert_eq!(texts(three).unwrap(), ["a = 1", "b = 2"]);
    }

    #[test]
    fn what_is_no_notebook_says_why() {
        for (json, why) in [
            ("{\"cells\": [", "no valid JSON"),
            ("{}", "no list of `cells`"),
            ("{\"cells\": []}", "without any code"),
            (
                r#"{"metadata": {"kernelspec": {"language": "R"}}, "cells": []}"#,
                "another language (R)",
            ),
        ] {
            let error = texts(json).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
