//! The clients, installed once below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::pythons::{command, system_python};

const PYTHON_PACKAGES: [&str; 3] = ["mcp==2.3.0", "mcp-types==2.3.0", "mcpscore==1.29.0"];
/// Both versions of the TypeScript SDK have names of their own. The conformance suite needs a newer Node.js than others.
const NODE_PACKAGES: &str = r#"{
  "private": true,
  "type": "module",
  "dependencies": {
    "@modelcontextprotocol/sdk": "1.32.2",
    "@modelcontextprotocol/client": "2.4.0",
    "@modelcontextprotocol/inspector": "2.12.0",
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    "mcp-proxy": "6.7.19",
    "node-linux-CPU": "22.23.3"
  }
}
"#;
const OLDEST_NODE: u32 = 20;

/// The scripts; those for Node.js must lie beside their packages.
const SCRIPTS: [(&str, &str); 6] = [
    ("processes.py", include_str!("scripts/processes.py")),
    ("python_sdk.py", include_str!("scripts/python_sdk.py")),
    ("messages.py", include_str!("scripts/messages.py")),
    ("session.mjs", include_str!("scripts/session.mjs")),
    ("typescript_v1.mjs", include_str!("scripts/typescript_v1.mjs")),
    ("typescript_v2.mjs", include_str!("scripts/typescript_v2.mjs")),
];

/// Where the clients are.
pub(crate) struct Tools {
    base: PathBuf,
}

impl Tools {
    /// A program of the environment for Python.
    pub(crate) fn python(&self, name: &str) -> PathBuf {
        self.base.join("python/bin").join(name)
    }

    /// A program of the packages for Node.js.
    pub(crate) fn node(&self, name: &str) -> PathBuf {
        self.base.join("node/node_modules/.bin").join(name)
    }

    /// A Node.js that the conformance suite runs on, whatever the machine has.
    pub(crate) fn newer_node(&self) -> PathBuf {
        let packages = self.base.join("node/node_modules");
        let found = std::fs::read_dir(packages).unwrap().flatten().find_map(|entry| {
            let node = entry.path().join("bin/node");
            let of_package = entry.file_name().to_string_lossy().starts_with("node-");
            (of_package && node.is_file()).then_some(node)
        });
        found.expect("npm installs a Node.js for this machine")
    }

    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.base.join("node").join(name)
    }
}

/// Installs what is missing; ends the suite with a sentence where it cannot.
pub(crate) fn tools(with_node: bool) -> Tools {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(base.join("node")).unwrap();
    let lock = std::fs::File::create(base.join("lock")).unwrap();
    lock.lock().unwrap();
    if with_node {
        check_node();
    }
    once(&base.join("python"), &PYTHON_PACKAGES.join("\n"), |dir| {
        run(command(system_python()).args(["-m", "venv", "--clear"]).arg(dir));
        let install = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        run(command(dir.join("bin/python")).args(install).args(PYTHON_PACKAGES));
    });
    if with_node {
        let cpu = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
        let packages = NODE_PACKAGES.replace("CPU", cpu);
        once(&base.join("node"), &packages, |dir| {
            std::fs::write(dir.join("package.json"), &packages).unwrap();
            let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
            run(command("npm").args(install).current_dir(dir));
        });
    }
    for (name, content) in SCRIPTS {
        std::fs::write(base.join("node").join(name), content).unwrap();
    }
    Tools { base }
}

/// Installs into a folder unless it has just these packages.
fn once(dir: &Path, packages: &str, install: impl Fn(&Path)) {
    let complete = dir.join("complete");
    if std::fs::read_to_string(&complete).ok().as_deref() != Some(packages) {
        install(dir);
        std::fs::write(complete, packages).unwrap();
    }
}

fn check_node() {
    let version = |program: &str| {
        let output = command(program).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let (node, npm) = (version("node"), version("npm"));
    let major = node
        .as_deref()
        .and_then(|text| text.trim_start_matches('v').split('.').next()?.parse::<u32>().ok());
    assert!(
        major.is_some_and(|major| major >= OLDEST_NODE) && npm.is_some(),
        "the TypeScript SDKs and the MCP Inspector need Node.js {OLDEST_NODE} or newer with npm on PATH \
         (node: {node:?}, npm: {npm:?}); install them, or set SCALENE_MCP_NO_NODE=1 to leave these clients out"
    );
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
