//! Environment variables that look like credentials: they stay with the server.
//!
//! A program that is profiled for somebody need not see what that somebody may open. Names are
//! judged word by word, so that `GITHUB_TOKEN` is withheld and `TOKENIZERS_PARALLELISM` is not;
//! values only by a password in a URL. docs/sandbox.md has the rules for users.

use std::ffi::{OsStr, OsString};

use super::request::RunRequest;

/// Parts of a name that mean a credential wherever they are.
const PARTS: [&str; 7] =
    ["PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY", "API_KEY", "CREDENTIAL", "PRIVATE_KEY"];
/// Words that mean one, alone or at the end of a longer word.
const WORDS: [&str; 3] = ["TOKEN", "SECRET", "SECRETS"];
/// Last words that mean one, where another word stands before them.
const LAST: [&str; 7] = ["KEY", "PWD", "PASS", "PAT", "AUTH", "DSN", "COOKIE"];
/// Names that mean one and follow no rule.
const NAMES: [&str; 5] =
    ["AWS_ACCESS_KEY_ID", "DOCKER_AUTH_CONFIG", "SSHPASS", "SSH_AUTH_SOCK", "NETRC"];

/// Names of inherited variables that the program of a run does not see.
pub(super) fn withheld(request: &RunRequest, pass: &[String]) -> Vec<OsString> {
    choose(std::env::vars_os(), request, pass)
}

fn choose(
    inherited: impl Iterator<Item = (OsString, OsString)>,
    request: &RunRequest,
    pass: &[String],
) -> Vec<OsString> {
    let named = |name: &OsStr| {
        request.env.iter().any(|(given, _)| OsStr::new(given) == name)
            || pass.iter().any(|passed| OsStr::new(passed) == name)
    };
    let mut found: Vec<OsString> = inherited
        .filter(|(name, value)| !value.is_empty() && !named(name) && is_secret(name, value))
        .map(|(name, _)| name)
        .collect();
    found.sort();
    found
}

/// The sentence about them, if there are any. Never a value.
pub(super) fn warning(withheld: &[OsString]) -> Option<String> {
    let names: Vec<_> = withheld.iter().map(|name| name.to_string_lossy()).collect();
    (!names.is_empty()).then(|| {
        format!(
            "not passed to the program, since they look like credentials: {} (give a value in `env`, or start the \
             server with --pass-env NAME)",
            names.join(", ")
        )
    })
}

/// A command line without what looks like a credential.
pub(super) fn without(words: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = Vec::with_capacity(words.len());
    let mut hide = false;
    for word in words {
        let (name, value) =
            word.split_once('=').map_or((word.as_str(), None), |(n, v)| (n, Some(v)));
        let option = name.trim_start_matches('-');
        let secret = is_secret(OsStr::new(option), OsStr::new(""));
        shown.push(match value {
            _ if hide || has_password(word) => HIDDEN.to_owned(),
            Some(_) if secret => format!("{name}={HIDDEN}"),
            _ => word.clone(),
        });
        hide = value.is_none() && secret && option.len() < name.len();
    }
    shown
}

/// What stands in the place of a credential.
const HIDDEN: &str = "***";

fn is_secret(name: &OsStr, value: &OsStr) -> bool {
    let name = name.to_string_lossy().to_uppercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    NAMES.contains(&name.as_str())
        || PARTS.iter().any(|part| name.contains(part))
        || words.iter().any(|word| WORDS.iter().any(|secret| word.ends_with(secret)))
        || (words.len() > 1 && words.last().is_some_and(|last| LAST.contains(last)))
        || has_password(&value.to_string_lossy())
}

/// A URL with a user and a password, as in `postgres://user:password@host/`.
fn has_password(value: &str) -> bool {
    value.match_indices("://").any(|(at, mark)| {
        let rest = value.get(at + mark.len()..).unwrap_or_default();
        let authority = rest.split(['/', '?', '#', ' ', ',']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        user.split_once(':').is_some_and(|(_, password)| !password.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Target;

    fn secret(name: &str, value: &str) -> bool {
        is_secret(OsStr::new(name), OsStr::new(value))
    }

    #[test]
    fn command_lines_are_told_without_credentials() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let told = |text| without(&words(text)).join(" ");
        assert_eq!(told("python app.py --api-key abc --n 3"), "python app.py --api-key *** --n 3");
        assert_eq!(told("python a.py --token=abc key=1"), "python a.py --token=*** key=1");
        assert_eq!(told("python a.py postgres://u:p@h/db"), "python a.py ***");
        assert_eq!(told("python -m http.server 80"), "python -m http.server 80");
    }

    #[test]
    fn credentials_are_told_from_other_variables() {
        for name in [
            "GITHUB_TOKEN",
            "NPM_TOKEN",
            "githubToken",
            "OPENAI_API_KEY",
            "STRIPE_KEY",
            "SECRET_KEY",
            "PGPASSWORD",
            "MYSQL_PWD",
            "DB_PASS",
            "SENTRY_DSN",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "SSH_AUTH_SOCK",
            "SSH_PRIVATE_KEY",
            "CLIENT_SECRETS",
        ] {
            assert!(secret(name, "x"), "{name}");
        }
        for name in [
            "PATH",
            "PWD",
            "OLDPWD",
            "HOME",
            "KEY",
            "KEYBOARD",
            "TOKENIZERS_PARALLELISM",
            "MAX_TOKENS",
            "XAUTHORITY",
            "GIT_AUTHOR_NAME",
            "MONKEYPATCH",
            "COMPASS_URL",
            "PYTHONHASHSEED",
        ] {
            assert!(!secret(name, "x"), "{name}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_one() {
        for value in
            ["postgres://me:pw@db/x", "redis://:pw@cache:6379/0", "http://p.example,https://u:p@x/"]
        {
            assert!(secret("SERVICE", value), "{value}");
        }
        for value in [
            "postgres://me@db/x",
            "http://host:8080/a@b",
            "https://x/?mail=a:b@c",
            "git@host:path",
            "a:b@c",
        ] {
            assert!(!secret("SERVICE", value), "{value}");
        }
    }

    #[test]
    fn those_that_are_named_are_passed_and_empty_ones_do_not_matter() {
        let mut request = RunRequest::new(Target::Snippet("1".to_owned()));
        request.env = vec![("A_TOKEN".to_owned(), "mine".to_owned())];
        let inherited = ["A_TOKEN", "B_TOKEN", "C_TOKEN", "D_TOKEN"].into_iter();
        let value = |name: &str| if name == "D_TOKEN" { "" } else { "x" };
        let inherited = inherited.map(|name| (name.into(), value(name).into()));
        let found = choose(inherited, &request, &["C_TOKEN".to_owned()]);
        assert_eq!(found, ["B_TOKEN"]);
        let said = warning(&found).unwrap();
        assert!(said.contains("credentials: B_TOKEN ("), "{said}");
        assert_eq!(warning(&[]), None);
    }
}
