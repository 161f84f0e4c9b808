//! What tests share: a client on the built binary, places to work in, Pythons with Scalene.

pub(crate) mod client;
pub(crate) mod place;
pub(crate) mod pythons;
pub(crate) mod recorded;
pub(crate) mod sane;
pub(crate) mod schema;
#[cfg(target_os = "linux")]
pub(crate) mod serving;
#[expect(dead_code, reason = "the bench of the analysis uses all of it")]
pub(crate) mod synthetic;
pub(crate) mod traces;
pub(crate) mod wire;
