//! How much work an alignment may take; what is beyond is given up, and never guessed.

/// Levels at which a stretch is divided at its unique lines. Below, lines are matched by a diff that
/// need not be minimal.
pub(super) const DEEPEST: usize = 24;

/// Pairs of places at which a block that moved may begin, for one text. A line that is left over more
/// often on both sides moves only as a part of a larger block.
pub(super) const MOST_PLACES: usize = 16;

/// Lines of a replaced stretch whose successors are looked for among all lines of the other side. A
/// longer stretch is cut into so many even parts, each of which is held against its counterpart.
pub(super) const HUNK: usize = 64;

/// Pairs of lines whose likeness is looked at, for a whole comparison. Beyond, lines of replaced
/// stretches are new and removed.
pub(super) const MOST_LIKENESSES: usize = 1_000_000;

/// Pairs of functions without a namesake that are held against each other. With more of them only those
/// are that share their last name, or a line which is rare.
pub(super) const MOST_FUNCTION_PAIRS: usize = 40_000;

/// Functions, or files, of one version up to which a text that they share is rare.
pub(super) const RARE: usize = 4;
