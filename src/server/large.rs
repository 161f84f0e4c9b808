//! The id of a message that is too large to be kept, found while it passes.

use rmcp::model::RequestId;

/// Longer text is no id of ours to echo.
const LONGEST: usize = 256;

/// Looks for the value of `id` in the outermost object.
#[derive(Debug, Default)]
pub(super) struct IdFinder {
    depth: u32,
    in_text: bool,
    escaped: bool,
    /// The outermost key or value that passes now, or passed last.
    token: Vec<u8>,
    key_is_id: bool,
    id: Option<RequestId>,
}

impl IdFinder {
    /// Looks at the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// What was found.
    pub(super) fn found(&self) -> Option<RequestId> {
        self.id.clone()
    }

    fn step(&mut self, byte: u8) {
        if self.in_text {
            self.keep(byte);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.keep(byte);
            }
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.token.clear();
            }
            b'}' | b']' => {
                self.value_ends();
                self.depth = self.depth.saturating_sub(1);
            }
            b',' => self.value_ends(),
            b':' if self.depth == 1 => {
                self.key_is_id = self.token.trim_ascii() == b"\"id\"";
                self.token.clear();
            }
            _ => self.keep(byte),
        }
    }

    fn keep(&mut self, byte: u8) {
        if self.depth == 1 && self.token.len() < LONGEST {
            self.token.push(byte);
        }
    }

    fn value_ends(&mut self) {
        if self.depth != 1 {
            return;
        }
        if self.key_is_id {
            self.id = serde_json::from_slice(&self.token).ok();
        }
        self.key_is_id = false;
        self.token.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_id_of_the_message_itself_is_found() {
        let found = |text: &str| {
            let mut finder = IdFinder::default();
            // In pieces, as it comes from a pipe.
            for piece in text.as_bytes().chunks(3) {
                finder.feed(piece);
            }
            finder.found().map(|id| id.to_string())
        };
        for (text, id) in [
            (r#"{"jsonrpc":"2.0", "id": 17 ,"params":{"id":3,"a":["id",{"id":4}]}}"#, Some("17")),
            (r#"{"params":{"id":3,"text":"\"id\": 9, \\"},"id":"a-1"}"#, Some("a-1")),
            (r#"{"id":1,"params":{"code":"x"#, Some("1")),
            (r#"{"params":{"code":"\"},\"id\":5"#, None),
            (r#"{"id":{"id":5},"params":"x"}"#, None),
            (r#"[{"id":5}]"#, None),
            (r#"{"text":"id","id" : "x" }"#, Some("x")),
        ] {
            assert_eq!(found(text).as_deref(), id, "{text}");
        }
        let long = format!("{{\"id\":\"{}\"}}", "x".repeat(1000));
        assert_eq!(found(&long), None);
    }
}
