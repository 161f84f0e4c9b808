//! What can be typed after `config`.

use std::path::PathBuf;

use clap::Args;

use super::clients::Client;

/// Options of `config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  scalene-mcp config                                    which clients there are, and where their files lie
  scalene-mcp config claude-code                        print the snippet
  scalene-mcp config claude-code --write                merge it into the file
  scalene-mcp config vscode --project --dry-run         what would change in .vscode/mcp.json
  scalene-mcp config codex --write --root . --store ~/profiles
  scalene-mcp config cursor --remove

Options of the server (--root, --store, --sandbox, …) are written into the entry, paths made absolute; \
they may stand before or after `--`.")]
#[group(skip)]
pub(crate) struct ConfigOptions {
    /// The client; without it, all are listed
    #[arg(value_enum)]
    pub(super) client: Option<Client>,

    /// Merge the entry into the client's file, with a backup beside it
    #[arg(long, requires = "client", conflicts_with = "remove")]
    pub(super) write: bool,

    /// Take the entry out of the client's file again
    #[arg(long, requires = "client")]
    pub(super) remove: bool,

    /// Show what would change, and change nothing
    #[arg(long, requires = "client")]
    pub(super) dry_run: bool,

    /// The file of one project instead of the user's; DIR is its folder [default: the current one]
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "."
    )]
    pub(super) project: Option<PathBuf>,

    /// This file instead, for editions and profiles that keep their own
    #[arg(long, value_name = "FILE", requires = "client", conflicts_with = "project")]
    pub(super) file: Option<PathBuf>,

    /// Name of the server's entry
    #[arg(long, value_name = "NAME", default_value = "scalene")]
    pub(super) name: String,

    /// Options for the server
    #[arg(last = true, value_name = "SERVER OPTIONS")]
    pub(crate) server: Vec<String>,
}
