//! Identifiers.

use std::fmt;

use serde::{Deserialize, Serialize};

use uuid::Uuid;

/// Hex digits in the shortest id; grows when the store already has that id.
const SHORTEST: usize = 4;

/// Names a stored profile. Short, so that a model repeats it without an error: `p3f2a`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProfileId(String);

impl TryFrom<String> for ProfileId {
    type Error = String;

    /// Takes the text of an id as [`ProfileId::as_str`] gives it.
    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('p').unwrap_or_default();
        let valid = (SHORTEST..=32).contains(&digits.len())
            && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if valid { Ok(Self(text)) } else { Err(format!("`{text}` is no id of a profile")) }
    }
}

impl ProfileId {
    /// Draws an id that `taken` does not know.
    pub fn draw(taken: impl FnMut(&str) -> bool) -> Self {
        Self::draw_as('p', taken)
    }

    /// The same for what is no profile and begins with another letter.
    pub fn draw_as(letter: char, mut taken: impl FnMut(&str) -> bool) -> Self {
        let random = Uuid::new_v4().simple().to_string();
        (SHORTEST..random.len())
            .filter_map(|length| random.get(..length))
            .map(|digits| format!("{letter}{digits}"))
            .find(|id| !taken(id))
            .map_or_else(|| Self(format!("{letter}{random}")), Self)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A line of a source file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32")]
pub struct LineNo(u32);

impl TryFrom<u32> for LineNo {
    type Error = &'static str;
    fn try_from(number: u32) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("lines are counted from 1")
    }
}

impl LineNo {
    /// The first line.
    pub const FIRST: Self = Self(1);

    /// The line with this number; `None` for 0.
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number, from 1.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LineNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_id_grows() {
        let mut seen = Vec::new();
        let id = ProfileId::draw(|id| {
            seen.push(id.to_owned());
            seen.len() < 3
        });
        assert_eq!(seen.iter().map(String::len).collect::<Vec<_>>(), [5, 6, 7]);
        assert_eq!(id.as_str(), seen[2]);
    }
}
