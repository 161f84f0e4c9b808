//! What the server offers, decided once at its start.

use std::str::FromStr;

/// What is offered, and how answers are given.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which tools.
    pub tools: Toolset,
    /// Only tools that run nothing: profiles are loaded, or in the store.
    pub read_only: bool,
    /// Form of answers.
    pub output: Output,
}

/// Which tools are offered: words of a list, each a set or the name of a tool.
#[derive(Debug, Clone)]
pub struct Toolset(Vec<String>);

impl Default for Toolset {
    fn default() -> Self {
        Self(vec![Self::ALL.to_owned()])
    }
}

impl Toolset {
    /// Every tool.
    const ALL: &str = "all";
    /// The tools of the documented API, and those for runs that take long.
    const CORE: &str = "core";

    /// Whether a tool is one of them; `core`: it belongs to that set.
    pub(super) fn has(&self, name: &str, core: bool) -> bool {
        self.0.iter().any(|word| word == Self::ALL || word == name || (core && word == Self::CORE))
    }
}

impl FromStr for Toolset {
    type Err = String;

    /// Reads `core`, `all`, or names of sets and tools with commas between them.
    fn from_str(text: &str) -> Result<Self, String> {
        let names: Vec<&str> = super::tools::names().collect();
        let words: Vec<String> = text
            .split(',')
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect();
        let sets = [Self::ALL, Self::CORE];
        let unknown =
            words.iter().find(|word| !sets.iter().chain(&names).any(|known| known == word));
        match unknown {
            Some(word) => {
                Err(format!("there is no tool `{word}` (all, core, {})", names.join(", ")))
            }
            None if words.is_empty() => Err("it names no tool".to_owned()),
            None => Ok(Self(words)),
        }
    }
}

/// Form of answers. Clients show the model one of the two forms, and some send both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Output {
    /// Text only, and no output schemas.
    Text,
    /// Structured content; the text is the same as JSON.
    Structured,
    /// Text and structured content.
    #[default]
    Both,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "structured" => Ok(Self::Structured),
            "both" => Ok(Self::Both),
            other => Err(format!("`{other}` is none of text, structured, both")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_names_can_be_mixed() {
        let tools: Toolset = "core, get_call_paths".parse().unwrap();
        assert!(tools.has("get_call_paths", false) && tools.has("anything", true));
        assert!(!tools.has("load_profile", false));
        assert!(Toolset::default().has("load_profile", false));
        for (text, why) in [("", "no tool"), (",", "no tool"), ("core,profil_code", "profil_code")]
        {
            let refused = text.parse::<Toolset>().unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
