//! The `scalene-mcp` binary.

fn main() {}
