//! Clients of others on the built binary: the SDKs, the MCP Inspector and a scorer, each of a pinned
//! version from its registry. By hand: `cargo test --test clients`.
//!
//! ```sh
//! cargo test --test clients                        # all of them
//! cargo test --test clients -- python inspector    # those with one of these words in their name
//! SCALENE_MCP_NO_NODE=1 cargo test --test clients  # without those that need Node.js
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a suite that cannot go on has failed, and its table is for people"
)]

#[cfg(target_os = "linux")]
mod installed;
#[cfg(target_os = "linux")]
mod judged;
#[cfg(target_os = "linux")]
mod session;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    suite::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("what a run leaves behind is read from /proc, which this system does not have");
}

#[cfg(target_os = "linux")]
mod suite {
    use std::process::ExitCode;
    use std::time::Instant;

    use crate::installed::{self, Tools};
    use crate::{judged, session};

    const LEGACY: &str = "2025-11-25";
    const MODERN: &str = "2026-07-28";

    /// A client by name, whether it needs Node.js, and what it does; the text is for the table.
    type Client = (&'static str, bool, fn(&Tools) -> String);

    const CLIENTS: [Client; 12] = [
        ("python-legacy", false, |tools| session::python(tools, "legacy", LEGACY)),
        ("python-auto", false, |tools| session::python(tools, "auto", MODERN)),
        ("messages-legacy", false, |tools| session::messages(tools, LEGACY)),
        ("messages-modern", false, |tools| session::messages(tools, MODERN)),
        ("mcpscore", false, judged::mcpscore),
        ("typescript-v1", true, |tools| {
            session::node(tools, "typescript_v1.mjs", "legacy", LEGACY)
        }),
        ("typescript-v2-legacy", true, |tools| {
            session::node(tools, "typescript_v2.mjs", "legacy", LEGACY)
        }),
        ("typescript-v2-auto", true, |tools| {
            session::node(tools, "typescript_v2.mjs", "auto", MODERN)
        }),
        ("inspector-legacy", true, |tools| judged::inspector(tools, "legacy")),
        ("inspector-auto", true, |tools| judged::inspector(tools, "auto")),
        ("conformance", true, judged::conformance),
        ("inspector-modern", true, |tools| judged::inspector(tools, "modern")),
    ];

    pub(super) fn main() -> ExitCode {
        let asked: Vec<String> =
            std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
        let no_node = std::env::var_os("SCALENE_MCP_NO_NODE").is_some();
        let wanted = |(name, needs_node, _): &&Client| {
            (asked.is_empty() || asked.iter().any(|word| name.contains(word)))
                && !(no_node && *needs_node)
        };
        let chosen: Vec<&Client> = CLIENTS.iter().filter(wanted).collect();
        if no_node {
            println!(
                "SCALENE_MCP_NO_NODE is set: no TypeScript SDK, no MCP Inspector, no conformance suite"
            );
        }
        let began = Instant::now();
        let tools = installed::tools(chosen.iter().any(|(_, needs_node, _)| *needs_node));
        println!("installed within {:.0} s", began.elapsed().as_secs_f64());
        let mut failed = 0;
        for (name, _, run) in &chosen {
            let began = Instant::now();
            // What is wrong has been printed by the panic itself.
            let said = std::panic::catch_unwind(|| run(&tools)).ok();
            failed += usize::from(said.is_none());
            let said = said.as_deref().unwrap_or("FAILED, see above");
            println!("{name}: {said} ({:.0} s)", began.elapsed().as_secs_f64());
        }
        println!("{} passed, {failed} failed", chosen.len() - failed);
        ExitCode::from(u8::from(failed > 0 || chosen.is_empty()))
    }
}
