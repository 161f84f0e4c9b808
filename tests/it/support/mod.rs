//! What tests share: a client on the built binary, places to work in, Pythons with Scalene.

pub(crate) mod client;
pub(crate) mod place;
pub(crate) mod pythons;
pub(crate) mod schema;
#[cfg(target_os = "linux")]
pub(crate) mod traces;
pub(crate) mod wire;
