//! The URIs of resources: `profile://ID`, and views of it below that.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{FILE, PROFILE_ID};

/// What all URIs begin with.
pub(in crate::server) const SCHEME: &str = "profile://";

/// What of a profile is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::server) enum View<'a> {
    /// All of it, structured.
    Whole,
    /// Scalene's document.
    Raw,
    /// What the program wrote.
    Output,
    /// A file with figures in its margin: its path or the end of it.
    Source(&'a str),
}

impl View<'_> {
    /// The URI template of such a resource.
    pub(super) fn template(&self) -> String {
        let below = match self {
            Self::Whole => String::new(),
            Self::Raw => "/raw".to_owned(),
            Self::Output => "/output".to_owned(),
            Self::Source(_) => format!("/source/{{{FILE}}}"),
        };
        format!("{SCHEME}{{{PROFILE_ID}}}{below}")
    }

    pub(super) fn mime_type(&self) -> &'static str {
        match self {
            Self::Source(_) => "text/plain",
            Self::Whole | Self::Raw | Self::Output => "application/json",
        }
    }
}

/// A URI, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// An id, the beginning of one, `latest` or `previous`.
    pub(super) name: Cow<'a, str>,
    pub(super) view: View<'a>,
}

impl<'a> Address<'a> {
    /// Takes a URI apart; an error says what is wrong with it, in words.
    pub(super) fn parse(uri: &'a str) -> Result<Self, String> {
        let place =
            uri.strip_prefix(SCHEME).ok_or_else(|| format!("`{uri}` is not below {SCHEME}"))?;
        let (name, view) = place.split_once('/').unwrap_or((place, ""));
        let name = decoded(name)?;
        let view = match view.split_once('/').unwrap_or((view, "")) {
            ("", "") => View::Whole,
            ("raw", "") => View::Raw,
            ("output", "") => View::Output,
            ("source", "") => return Err("`source` is followed by the path of a file".to_owned()),
            // Decoded by whoever looks the file up.
            ("source", file) => View::Source(file),
            _ => {
                return Err(format!(
                    "a profile has no view `{view}` (known: output, raw, source/FILE)"
                ));
            }
        };
        Ok(Self { name, view })
    }
}

/// A part of a URI as it was before it was encoded.
pub(super) fn decoded(part: &str) -> Result<Cow<'_, str>, String> {
    percent_decode_str(part)
        .decode_utf8()
        .map_err(|_| format!("`{part}` is no percent-encoded UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(uri: &str) -> (String, View<'_>) {
        let address = Address::parse(uri).unwrap();
        (address.name.into_owned(), address.view)
    }

    #[test]
    fn every_view_has_its_uri() {
        let id = |view| ("p12ab".to_owned(), view);
        assert_eq!(parsed("profile://p12ab"), id(View::Whole));
        assert_eq!(parsed("profile://p12ab/"), id(View::Whole));
        assert_eq!(parsed("profile://p12ab/raw"), id(View::Raw));
        assert_eq!(parsed("profile://p12ab/output"), id(View::Output));
        assert_eq!(parsed("profile://p12ab/source/a/b.py"), id(View::Source("a/b.py")));
        assert_eq!(parsed("profile://p12ab/source//p/b.py"), id(View::Source("/p/b.py")));
        assert_eq!(decoded("%3Csnippet%3E").unwrap(), "<snippet>");
        assert_eq!(decoded("a%2Fb%20c%25.py").unwrap(), "a/b c%.py");
    }

    #[test]
    fn what_is_no_resource_is_named() {
        for (uri, why) in [
            ("file:///p/b.py", "`file:///p/b.py` is not below profile://"),
            ("profile://p12ab/lines", "no view `lines`"),
            ("profile://p12ab/raw/x", "no view `raw/x`"),
            ("profile://p12ab/source", "followed by the path"),
            ("profile://p12ab/source/", "followed by the path"),
            ("profile://%FF", "no percent-encoded UTF-8"),
        ] {
            let said = Address::parse(uri).unwrap_err();
            assert!(said.contains(why), "{uri}: {said}");
        }
    }
}
