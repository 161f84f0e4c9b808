//! The `scalene-mcp` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    scalene_mcp::cli::main()
}
