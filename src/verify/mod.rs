//! Did it really get faster? Two versions of a program run in turns without any profiler, after it
//! has been shown that they do the same work.
//!
//! Owns: where the two versions come from (files, text, a revision, a profile), the comparison of
//! what they print, the runs, and the verdict. How runs are made safe is [`crate::recording`]'s,
//! what they support is [`crate::statistics`]'. Entry point: [`Verifier::verify`].
//!
//! Reading order: `request` (what is asked for), `verifier` (the story), `sides` with `git`, `restore` and `beside`
//! (the two programs), `oracle` and `compare` (the same work?), `trial` (one run), `timing` (the pairs),
//! `result` (what is found out).

mod beside;
mod compare;
mod git;
mod oracle;
mod request;
mod restore;
mod result;
mod sides;
mod timing;
mod trial;
mod verifier;

pub use compare::Difference;
pub use request::{Origin, VerifyRequest};
pub use result::{
    Ended, Failure, Finding, Noise, Progress, SideFigures, SoFar, Verdict, Verification,
};
pub use verifier::Verifier;

pub use crate::statistics::Side;
