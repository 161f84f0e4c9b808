//! What the program wrote.

use schemars::JsonSchema;
use serde::Serialize;

use crate::profile::Output;

/// Bytes of a stream that an answer shows: all of it, or this much of each end.
const HEAD_BYTES: f64 = 200.0;
const TAIL_BYTES: f64 = 800.0;

/// One stream, cut in the middle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutputInfo {
    /// The beginning; everything when nothing was left out.
    pub head: String,
    /// The end; empty when `head` is everything.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// Bytes left out between head and tail.
    pub omitted_bytes: u64,
    /// Bytes written in all.
    pub total_bytes: u64,
}

impl OutputInfo {
    /// Shortens a stream for an answer.
    pub fn new(output: &Output) -> Self {
        Self::within(output, 1.0)
    }

    /// Shortens a stream to a part of the usual size.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part from 0 to 1 of a small number"
    )]
    pub(super) fn within(output: &Output, part: f64) -> Self {
        let [head_bytes, tail_bytes] =
            [HEAD_BYTES, TAIL_BYTES].map(|bytes| (bytes * part) as usize);
        let whole = output.tail.is_empty();
        if whole && output.head.len() <= head_bytes + tail_bytes {
            return Self {
                head: output.head.clone(),
                tail: String::new(),
                omitted_bytes: output.omitted_bytes,
                total_bytes: output.total_bytes,
            };
        }
        let head = first(&output.head, head_bytes);
        let tail = last(if whole { &output.head } else { &output.tail }, tail_bytes);
        let shown = (head.len() + tail.len()) as u64;
        Self {
            omitted_bytes: output.total_bytes.saturating_sub(shown),
            head: head.to_owned(),
            tail: tail.to_owned(),
            total_bytes: output.total_bytes,
        }
    }

    /// Everything that was kept.
    pub fn whole(output: &Output) -> Self {
        Self {
            head: output.head.clone(),
            tail: output.tail.clone(),
            omitted_bytes: output.omitted_bytes,
            total_bytes: output.total_bytes,
        }
    }

    /// The stream for a reader: indented, with its name and what was left out.
    pub fn text(&self, name: &str) -> String {
        if self.total_bytes == 0 {
            return String::new();
        }
        let indented = |text: &str| -> String {
            text.lines().map(|line| format!("  {}\n", printable(line.trim_end()))).collect()
        };
        let mut text = format!("{name} ({} bytes):\n{}", self.total_bytes, indented(&self.head));
        if self.omitted_bytes > 0 {
            text.push_str(&format!("  … {} bytes left out …\n", self.omitted_bytes));
        }
        text.push_str(&indented(&self.tail));
        text
    }
}

/// Without characters that would move a cursor or change colours.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

fn first(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn last(text: &str, bytes: usize) -> &str {
    let start =
        (text.len().saturating_sub(bytes)..text.len()).find(|at| text.is_char_boundary(*at));
    start.and_then(|start| text.get(start..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_output_is_shown_whole() {
        let output = Output { head: "a\nb\n".into(), total_bytes: 4, ..Output::default() };
        assert_eq!(OutputInfo::new(&output).text("stdout"), "stdout (4 bytes):\n  a\n  b\n");
        assert_eq!(OutputInfo::new(&Output::default()).text("stderr"), "");
    }

    #[test]
    fn long_output_keeps_both_ends_and_counts_the_rest() {
        let head = format!("first {}", "é".repeat(3_000));
        let total_bytes = head.len() as u64;
        let info = OutputInfo::new(&Output { head, total_bytes, ..Output::default() });
        assert!(info.head.starts_with("first") && info.tail.ends_with('é'));
        assert_eq!(info.omitted_bytes + (info.head.len() + info.tail.len()) as u64, total_bytes);
    }
}
