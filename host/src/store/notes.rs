//! The note that pm leaves in a row: pure text work, in characters as the column counts them.
//!
//! The stamp ` - Restarted at YYYY-MM-DD HH:MM:SS` (local time) is a contract: other programs look for it. A note
//! never grows beyond its column: the oldest stamps go first, and only when none is left is the end of the original
//! text cut in favour of the new stamp. A stamp is kept or left out whole, because half a date misleads.

use crate::policy::time::Wall;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const STAMP: &str = " - Restarted at ";
/// `YYYY-MM-DD HH:MM:SS`, digits as zeros.
const DATE: &[u8] = b"0000-00-00 00:00:00";

/// The stamp for a restart at `at`.
pub(super) fn stamp(at: Wall, zone: &TimeZone) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{STAMP}{}", at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S"))
}

/// `notes` with `stamp` at its end, in at most `limit` characters.
pub(super) fn appended(notes: Option<&str>, stamp: &str, limit: Option<usize>) -> String {
    let mut text = notes.unwrap_or_default().to_owned();
    let Some(limit) = limit else { return text + stamp };
    let Some(room) = limit.checked_sub(stamp.chars().count()) else {
        return fitted(&text, Some(limit)).to_owned();
    };
    while text.chars().count() > room {
        let Some((start, end)) = oldest_stamp(&text) else {
            text.truncate(fitted(&text, Some(room)).len());
            break;
        };
        text.replace_range(start..end, "");
    }
    text + stamp
}

/// `text`, cut after `limit` characters.
pub(super) fn fitted(text: &str, limit: Option<usize>) -> &str {
    let end = limit.and_then(|limit| text.char_indices().nth(limit)).map_or(text.len(), |(end, _)| end);
    &text[..end]
}

/// Where the first stamp stands, in bytes.
fn oldest_stamp(text: &str) -> Option<(usize, usize)> {
    text.match_indices(STAMP).find_map(|(start, _)| {
        let date = start + STAMP.len();
        let end = date + DATE.len();
        let found = text.as_bytes().get(date..end)?;
        let same =
            |(&here, &there): (&u8, &u8)| if there == b'0' { here.is_ascii_digit() } else { here == there };
        found.iter().zip(DATE).all(same).then_some((start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NEW: &str = " - Restarted at 2026-03-01 12:00:00";

    #[test]
    fn the_stamp_is_local_time_in_35_characters() {
        let zone = TimeZone::get("Europe/Bucharest").unwrap();
        let stamp = stamp(Wall(1_767_225_600_000), &zone);
        assert_eq!(stamp, " - Restarted at 2026-01-01 02:00:00");
        assert_eq!(stamp.chars().count(), 35);
        assert_eq!(super::stamp(Wall(i64::MAX), &TimeZone::UTC), " - Restarted at 1970-01-01 00:00:00");
    }

    #[test]
    fn null_and_short_notes_get_the_stamp_appended() {
        assert_eq!(appended(None, NEW, Some(100)), NEW);
        assert_eq!(appended(Some("disk"), NEW, Some(100)), format!("disk{NEW}"));
        assert_eq!(appended(Some(&"x".repeat(500)), NEW, None), format!("{}{NEW}", "x".repeat(500)));
    }

    #[test]
    fn the_oldest_stamps_make_room_first() {
        let old = " - Restarted at 2025-01-01 01:01:01";
        let mid = " - Restarted at 2025-02-02 02:02:02";
        let notes = format!("disk full{old} by hand{mid}");
        assert_eq!(appended(Some(&notes), NEW, Some(100)), format!("disk full by hand{mid}{NEW}"));
        assert_eq!(appended(Some(&notes), NEW, Some(60)), format!("disk full by hand{NEW}"));
    }

    #[test]
    fn text_that_only_looks_like_a_stamp_is_text() {
        let notes = "x - Restarted at noon, they say - Restarted at 2025-13-xx 00:00:00 and so on";
        let cut = appended(Some(notes), NEW, Some(100));
        assert_eq!(cut, format!("{}{NEW}", &notes[..65]));
    }

    #[test]
    fn long_text_is_cut_between_characters_and_the_stamp_stays_whole() {
        let notes = "ă".repeat(100);
        assert_eq!(appended(Some(&notes), NEW, Some(100)), format!("{}{NEW}", "ă".repeat(65)));
        assert_eq!(appended(Some(&notes), NEW, Some(20)), "ă".repeat(20), "no room for any stamp");
        assert_eq!(fitted("ăîș", Some(2)), "ăî");
        assert_eq!(fitted("ăîș", None), "ăîș");
    }

    proptest! {
        #[test]
        fn a_note_never_exceeds_its_column_and_shows_the_newest_restart(
            parts in proptest::collection::vec("(\\PC{0,12}| - Restarted at 20[0-9]{2}-0[1-9]-0[1-9] 0[0-9]:00:00)", 0..8),
            limit in 0_usize..200,
        ) {
            let note = appended(Some(&parts.concat()), NEW, Some(limit));
            prop_assert!(note.chars().count() <= limit);
            prop_assert_eq!(note.ends_with(NEW), limit >= 35);
        }
    }
}
