//! The list of resources, page by page.

use rmcp::ErrorData;
use rmcp::model::{ListResourcesResult, Resource};

use super::of_profile;
use crate::answer::one_line;
use crate::store::{Store, Summary};

/// Resources of one page.
const PAGE: usize = 50;
/// Characters of a program's name in a title.
const NAME_CHARS: usize = 160;

/// The place of a profile in the list, newest first: what a cursor says of the last one of a page. A profile that is
/// stored or dropped meanwhile moves nothing.
type Place = (u64, String);

/// One page; the first without a cursor.
pub(in crate::server) fn page(
    store: &Store,
    cursor: Option<&str>,
) -> Result<ListResourcesResult, ErrorData> {
    let after = cursor.map(|cursor| read_cursor(cursor).ok_or(cursor)).transpose();
    let after = after.map_err(super::super::unknown_cursor)?;
    let (stored, _) = store.list();
    let is_later = |summary: &&Summary| after.as_ref().is_none_or(|after| place(summary) < *after);
    let mut rest = stored.iter().filter(is_later);
    let page: Vec<_> = rest.by_ref().take(PAGE).collect();
    let more = rest.next().is_some();
    let mut list = ListResourcesResult::with_all_items(page.iter().map(|s| resource(s)).collect());
    list.next_cursor = page.last().filter(|_| more).map(|last| write_cursor(&place(last)));
    Ok(list)
}

fn resource(summary: &Summary) -> Resource {
    let program = one_line(&summary.program.name, NAME_CHARS);
    of_profile(summary.id.as_str()).with_title(format!("Profile {} of {program}", summary.id))
}

fn place(summary: &Summary) -> Place {
    (summary.saved_at_ms, summary.id.to_string())
}

fn write_cursor((saved, id): &Place) -> String {
    format!("{saved:x}-{id}")
}

fn read_cursor(cursor: &str) -> Option<Place> {
    let (saved, id) = cursor.split_once('-')?;
    let place = (u64::from_str_radix(saved, 16).ok()?, id.to_owned());
    // Of several spellings of a number only ours is ours.
    (write_cursor(&place) == cursor && id.starts_with('p')).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cursors_of_ours_are_read() {
        let place = (1_764_129_600_123, "p12ab".to_owned());
        assert_eq!(read_cursor(&write_cursor(&place)), Some(place));
        for cursor in ["", "zzz", "1", "-p12ab", "+1-p12ab", "01-p12ab", "1-", "1-x"] {
            assert_eq!(read_cursor(cursor), None, "{cursor}");
        }
    }
}
