//! No answer is longer than an agent can afford.

/// What an answer to default arguments should take, in bytes.
pub(super) const DEFAULT: usize = 4 * 1024;
/// Hard cap of any text, in bytes.
pub(super) const HARD_CAP: usize = 24 * 1024;

/// Cuts a text at a line end below the cap, and says that it did and how to ask for less.
pub(super) fn cap(mut text: String) -> String {
    const NOTE: &str = "… cut at 24 KiB: ask for fewer lines (limit, start_line, end_line)\n";
    if text.len() <= HARD_CAP {
        return text;
    }
    let mut end = HARD_CAP - NOTE.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let end = text.get(..end).and_then(|kept| kept.rfind('\n')).map_or(end, |at| at + 1);
    text.truncate(end);
    text.push_str(NOTE);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_cap_holds(line in "[é漢a-z]{0,300}", lines in 0_usize..200) {
            let text = format!("{line}\n").repeat(lines);
            let capped = cap(text.clone());
            prop_assert!(capped.len() <= HARD_CAP);
            prop_assert!(capped == text || capped.contains("… cut at 24 KiB"));
        }
    }
}
