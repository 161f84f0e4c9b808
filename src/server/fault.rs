//! Failures on demand, for tests of what a bug costs. A release build has none.

/// Panics in a debug build whose environment names this place in `SCALENE_MCP_TEST_PANIC`.
#[cfg(debug_assertions)]
pub(super) fn at(place: &str) {
    let named = std::env::var("SCALENE_MCP_TEST_PANIC").unwrap_or_default();
    let wanted = named.split(',').any(|name| name == place);
    assert!(!wanted, "{place}, as SCALENE_MCP_TEST_PANIC asks");
}

#[cfg(not(debug_assertions))]
pub(super) fn at(_: &str) {}
