//! The table of all rules.

use super::super::thresholds::{
    ALLOCATED_MIB, ALLOCATED_PART, CATCH_ALL_SHARE, COPIED_MIB, PLACE_SHARE, SURE_SHARE,
    WAITING_PART,
};
use super::{
    Limit, Quantity, Rule, awaiting, calls, copies, frames, general, inputs, invariants, lists,
    memory, numpy, objects, searches, strings, whole_run,
};

/// A place of any heat that rules look at.
pub(super) const PLACE: &[Limit] = &[Limit { of: Quantity::Share, least: PLACE_SHARE }];
/// A place that is hot beyond doubt.
pub(super) const SURE: &[Limit] = &[Limit { of: Quantity::Share, least: SURE_SHARE }];
/// A place that is worth a word without a known cause.
pub(super) const LARGE: &[Limit] = &[Limit { of: Quantity::Share, least: CATCH_ALL_SHARE }];
/// A place that mostly waits.
pub(super) const WAITS: &[Limit] = &[
    Limit { of: Quantity::Share, least: PLACE_SHARE },
    Limit { of: Quantity::WaitingPart, least: WAITING_PART },
];
/// A place that allocates much.
pub(super) const ALLOCATES: &[Limit] = &[
    Limit { of: Quantity::Allocated, least: ALLOCATED_MIB },
    Limit { of: Quantity::AllocatedPart, least: ALLOCATED_PART },
];
/// A place that copies much and is hot.
pub(super) const COPIES: &[Limit] = &[
    Limit { of: Quantity::Share, least: PLACE_SHARE },
    Limit { of: Quantity::Copied, least: COPIED_MIB },
];

static RULES: [Rule; 40] = [
    lists::MEMBERSHIP,
    lists::FRONT,
    lists::SORT,
    lists::PASSES,
    searches::JOIN,
    strings::CONCAT,
    strings::REGEX,
    strings::OUTPUT,
    strings::ROUND_TRIP,
    invariants::INVARIANT,
    invariants::PURE_CALL,
    invariants::LOOKUPS,
    objects::RECURSION,
    objects::SPECIAL,
    objects::EXCEPTIONS,
    copies::DEEPCOPY,
    copies::SLICE,
    copies::COPY_VOLUME,
    numpy::ELEMENTS,
    numpy::OBJECTS,
    numpy::GROW,
    frames::ITERROWS,
    frames::APPLY,
    frames::GROW,
    inputs::QUERY,
    inputs::OPEN,
    inputs::SUBPROCESS,
    inputs::LOCK,
    inputs::POLLING,
    awaiting::SEQUENTIAL,
    calls::THREADS,
    memory::MATERIALIZED,
    memory::WHOLE_FILE,
    memory::GROWING,
    whole_run::IMPORTS,
    whole_run::ONE_CORE,
    general::WAITING,
    general::NATIVE,
    general::HOT_LOOP,
    general::HOT_LINE,
];

/// The table: patterns first, what knows least last.
pub fn rules() -> &'static [Rule] {
    &RULES
}
