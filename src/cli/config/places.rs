//! Where the clients keep their files, on each system.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::clients::Client;

/// An operating system, as far as paths and shells go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    Linux,
    MacOs,
    Windows,
}

impl System {
    /// The one that this program runs on. Other Unix systems follow Linux.
    pub(super) const fn here() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::MacOs
        } else {
            Self::Linux
        }
    }

    /// A word as it is typed in the usual shell.
    pub(super) fn quoted(self, word: &str) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+~\\".contains(c);
        let plain = |c: char| plain(c) && (self == Self::Windows || !"~\\".contains(c));
        if !word.is_empty() && word.chars().all(plain) {
            return word.to_owned();
        }
        match self {
            Self::Windows => format!("\"{}\"", word.replace('"', "\\\"")),
            _ => format!("'{}'", word.replace('\'', r"'\''")),
        }
    }
}

/// What paths depend on.
pub(super) struct Surroundings<'a> {
    pub(super) system: System,
    pub(super) home: PathBuf,
    /// An environment variable.
    pub(super) variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Surroundings<'_> {
    /// A folder named by a variable; an empty one counts as not set.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        (self.variable)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Where programs of this system keep their settings.
    fn settings(&self) -> PathBuf {
        match self.system {
            // A relative value is invalid by the specification.
            System::Linux => self
                .folder("XDG_CONFIG_HOME")
                .filter(|dir| dir.is_absolute())
                .unwrap_or_else(|| self.home.join(".config")),
            System::MacOs => self.home.join("Library").join("Application Support"),
            System::Windows => {
                self.folder("APPDATA").unwrap_or_else(|| self.home.join("AppData").join("Roaming"))
            }
        }
    }

    /// The user's file of a client.
    pub(super) fn user_file(&self, client: Client) -> PathBuf {
        let home = &self.home;
        match client {
            Client::ClaudeDesktop => self.claude_desktop(),
            Client::ClaudeCode => self
                .folder("CLAUDE_CONFIG_DIR")
                .unwrap_or_else(|| home.clone())
                .join(".claude.json"),
            Client::VsCode => self.vscode().join("User").join("mcp.json"),
            Client::Cursor => home.join(".cursor").join("mcp.json"),
            Client::Windsurf => home.join(".codeium").join("windsurf").join("mcp_config.json"),
            Client::Codex => {
                self.folder("CODEX_HOME").unwrap_or_else(|| home.join(".codex")).join("config.toml")
            }
            Client::Gemini => self
                .folder("GEMINI_CLI_HOME")
                .unwrap_or_else(|| home.clone())
                .join(".gemini")
                .join("settings.json"),
            Client::Zed => self.zed().join("settings.json"),
        }
    }

    /// Windows' packaged edition reads a folder of its own, whatever lies in the usual one.
    fn claude_desktop(&self) -> PathBuf {
        let file = "claude_desktop_config.json";
        if self.system == System::Windows {
            let local = self
                .folder("LOCALAPPDATA")
                .unwrap_or_else(|| self.home.join("AppData").join("Local"));
            let mut packaged = packages(&local.join("Packages"));
            packaged.sort_by_key(|dir| (!dir.join(file).is_file(), dir.clone()));
            if let Some(dir) = packaged.first() {
                return dir.join(file);
            }
        }
        self.settings().join("Claude").join(file)
    }

    fn vscode(&self) -> PathBuf {
        if let Some(portable) = self.folder("VSCODE_PORTABLE") {
            return portable.join("user-data");
        }
        self.folder("VSCODE_APPDATA").unwrap_or_else(|| self.settings()).join("Code")
    }

    fn zed(&self) -> PathBuf {
        match self.system {
            System::Windows => self.settings().join("Zed"),
            System::MacOs => self.home.join(".config").join("zed"),
            System::Linux => self
                .folder("FLATPAK_XDG_CONFIG_HOME")
                .unwrap_or_else(|| self.settings())
                .join("zed"),
        }
    }
}

/// Folders of Claude Desktop as a Windows package.
fn packages(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("Claude_"));
    let roaming = named.map(|entry| entry.path().join("LocalCache").join("Roaming").join("Claude"));
    roaming.filter(|dir| dir.is_dir()).collect()
}

/// The file of a project, where the client has one.
pub(super) fn project_file(client: Client, project: &Path) -> Option<PathBuf> {
    let (folder, file) = match client {
        Client::ClaudeCode => return Some(project.join(".mcp.json")),
        Client::VsCode => (".vscode", "mcp.json"),
        Client::Cursor => (".cursor", "mcp.json"),
        Client::Codex => (".codex", "config.toml"),
        Client::Gemini => (".gemini", "settings.json"),
        Client::Zed => (".zed", "settings.json"),
        Client::ClaudeDesktop | Client::Windsurf => return None,
    };
    Some(project.join(folder).join(file))
}

/// The path by which this program was started, if it leads to it: a link outlives the file that
/// it leads to when a package manager brings the next version.
pub(super) fn own_path(typed: Option<OsString>, path: Option<&OsStr>) -> std::io::Result<PathBuf> {
    let real = std::env::current_exe()?;
    let same = real.canonicalize()?;
    let leads_here =
        |path: &PathBuf| path.canonicalize().is_ok_and(|other| other == same) && path.is_absolute();
    let typed = PathBuf::from(typed.unwrap_or_default());
    let candidates: Vec<PathBuf> = if typed.components().count() > 1 {
        std::path::absolute(&typed).into_iter().collect()
    } else {
        let name = format!("{}{}", typed.display(), std::env::consts::EXE_SUFFIX);
        let dirs = path.into_iter().flat_map(std::env::split_paths).collect::<Vec<_>>();
        dirs.iter().flat_map(|dir| [dir.join(&typed), dir.join(&name)]).collect()
    };
    Ok(candidates.into_iter().find(leads_here).unwrap_or(real))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(system: System, client: Client, set: &[(&str, &str)]) -> PathBuf {
        let variable = |name: &str| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        Surroundings { system, home: PathBuf::from("/h"), variable: &variable }.user_file(client)
    }

    #[test]
    fn files_of_each_system() {
        let expected = [
            (
                Client::ClaudeDesktop,
                "/h/.config/Claude/claude_desktop_config.json",
                "/h/Library/Application Support/Claude/claude_desktop_config.json",
                "/h/AppData/Roaming/Claude/claude_desktop_config.json",
            ),
            (Client::ClaudeCode, "/h/.claude.json", "/h/.claude.json", "/h/.claude.json"),
            (
                Client::VsCode,
                "/h/.config/Code/User/mcp.json",
                "/h/Library/Application Support/Code/User/mcp.json",
                "/h/AppData/Roaming/Code/User/mcp.json",
            ),
            (Client::Cursor, "/h/.cursor/mcp.json", "/h/.cursor/mcp.json", "/h/.cursor/mcp.json"),
            (
                Client::Windsurf,
                "/h/.codeium/windsurf/mcp_config.json",
                "/h/.codeium/windsurf/mcp_config.json",
                "/h/.codeium/windsurf/mcp_config.json",
            ),
            (
                Client::Codex,
                "/h/.codex/config.toml",
                "/h/.codex/config.toml",
                "/h/.codex/config.toml",
            ),
            (
                Client::Gemini,
                "/h/.gemini/settings.json",
                "/h/.gemini/settings.json",
                "/h/.gemini/settings.json",
            ),
            (
                Client::Zed,
                "/h/.config/zed/settings.json",
                "/h/.config/zed/settings.json",
                "/h/AppData/Roaming/Zed/settings.json",
            ),
        ];
        for (client, linux, mac, windows) in expected {
            assert_eq!(file(System::Linux, client, &[]), Path::new(linux));
            assert_eq!(file(System::MacOs, client, &[]), Path::new(mac));
            assert_eq!(file(System::Windows, client, &[]), Path::new(windows));
        }
    }

    #[cfg(unix)]
    #[test]
    fn variables_move_them() {
        let moved = [
            (
                Client::ClaudeDesktop,
                ("XDG_CONFIG_HOME", "/x"),
                "/x/Claude/claude_desktop_config.json",
            ),
            (Client::ClaudeCode, ("CLAUDE_CONFIG_DIR", "/c"), "/c/.claude.json"),
            (Client::VsCode, ("XDG_CONFIG_HOME", "/x"), "/x/Code/User/mcp.json"),
            (Client::VsCode, ("XDG_CONFIG_HOME", "x"), "/h/.config/Code/User/mcp.json"),
            (Client::VsCode, ("XDG_CONFIG_HOME", ""), "/h/.config/Code/User/mcp.json"),
            (Client::VsCode, ("VSCODE_APPDATA", "/a"), "/a/Code/User/mcp.json"),
            (Client::VsCode, ("VSCODE_PORTABLE", "/p"), "/p/user-data/User/mcp.json"),
            (Client::Codex, ("CODEX_HOME", "/o"), "/o/config.toml"),
            (Client::Gemini, ("GEMINI_CLI_HOME", "/g"), "/g/.gemini/settings.json"),
            (Client::Zed, ("XDG_CONFIG_HOME", "/x"), "/x/zed/settings.json"),
            (Client::Zed, ("FLATPAK_XDG_CONFIG_HOME", "/f"), "/f/zed/settings.json"),
        ];
        for (client, variable, expected) in moved {
            assert_eq!(file(System::Linux, client, &[variable]), Path::new(expected));
        }
        let windows = file(System::Windows, Client::Zed, &[("APPDATA", "/r")]);
        assert_eq!(windows, Path::new("/r/Zed/settings.json"));
        let mac = file(System::MacOs, Client::Zed, &[("XDG_CONFIG_HOME", "/x")]);
        assert_eq!(mac, Path::new("/h/.config/zed/settings.json"));
    }

    #[test]
    fn a_windows_package_reads_its_own_folder() {
        let place = tempfile::tempdir().unwrap();
        let local = place.path().to_str().unwrap();
        let name = "claude_desktop_config.json";
        let usual = Path::new("/r/Claude").join(name);
        let set = [("LOCALAPPDATA", local), ("APPDATA", "/r")];
        assert_eq!(file(System::Windows, Client::ClaudeDesktop, &set), usual);
        let dir = |package: &str| {
            place.path().join("Packages").join(package).join("LocalCache/Roaming/Claude")
        };
        for package in ["Claude_b", "Claude_a", "Other_c"] {
            std::fs::create_dir_all(dir(package)).unwrap();
        }
        let found = file(System::Windows, Client::ClaudeDesktop, &set);
        assert_eq!(found, dir("Claude_a").join(name));
        std::fs::write(dir("Claude_b").join(name), "{}").unwrap();
        let found = file(System::Windows, Client::ClaudeDesktop, &set);
        assert_eq!(found, dir("Claude_b").join(name));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_on_the_path_is_the_name_of_this_program() {
        let place = tempfile::tempdir().unwrap();
        let real = std::env::current_exe().unwrap();
        let link = place.path().join("linked");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        std::fs::write(place.path().join("other"), "").unwrap();
        let path = std::env::join_paths([Path::new("/nowhere"), place.path()]).unwrap();
        let found = |typed: &str| own_path(Some(typed.into()), Some(&path)).unwrap();
        assert_eq!(found("linked"), link);
        assert_eq!(found(link.to_str().unwrap()), link);
        // What is called so leads elsewhere, or is not there.
        assert_eq!(found("other"), real);
        assert_eq!(found("missing"), real);
        assert_eq!(own_path(None, None).unwrap(), real);
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(System::Linux.quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(System::Linux.quoted("/a b/it's"), r"'/a b/it'\''s'");
        assert_eq!(System::Linux.quoted("a\\b"), "'a\\b'");
        assert_eq!(System::Windows.quoted(r"C:\a\b.exe"), r"C:\a\b.exe");
        assert_eq!(System::Windows.quoted(r#"{"a b"}"#), r#""{\"a b\"}""#);
        assert_eq!(System::Linux.quoted(""), "''");
    }
}
