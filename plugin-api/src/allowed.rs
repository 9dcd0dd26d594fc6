//! Which values of its type a setting may have: some words, or a range. Written by the author beside the key, so that
//! `pm check` refuses with file and line what the part would refuse at its first call.

use crate::settings::Key;
use crate::value::{Size, Value, validate};
use std::time::Duration;

/// Whether `text` can be the value of `key`: of its type, and among what is allowed.
///
/// # Errors
/// A phrase that completes "KEY: …".
pub fn judge(key: &Key, text: &str) -> Result<(), String> {
    validate(&key.kind, text)?;
    key.allowed.as_deref().map_or(Ok(()), |allowed| within(&key.kind, allowed, text))
}

/// Whether a valid `text` of the type `kind` is allowed. `allowed` is `A|B|C` for texts and each item of a list, and
/// `LEAST..MOST`, both included and either missing, for what has an order; anything else allows everything.
pub(crate) fn within(kind: &str, allowed: &str, text: &str) -> Result<(), String> {
    match kind {
        <String as Value>::TYPE => word(allowed, text),
        <Vec<String> as Value>::TYPE => {
            <Vec<String>>::parse(text)?.iter().try_for_each(|item| word(allowed, item))
        }
        <u16 as Value>::TYPE | <u32 as Value>::TYPE | <u64 as Value>::TYPE => range::<u64>(allowed, text),
        <Duration as Value>::TYPE => range::<Duration>(allowed, text),
        <Size as Value>::TYPE => range::<Size>(allowed, text),
        _ => Ok(()),
    }
}

fn word(allowed: &str, text: &str) -> Result<(), String> {
    if allowed.is_empty() || allowed.split('|').any(|word| word == text) {
        return Ok(());
    }
    Err(format!("{text:?} is none of: {}", allowed.replace('|', ", ")))
}

fn range<T: Value + PartialOrd>(allowed: &str, text: &str) -> Result<(), String> {
    let Some((least, most)) = allowed.split_once("..") else { return Ok(()) };
    let (value, bound) = (T::parse(text)?, |text: &str| T::parse(text).ok());
    let low = bound(least).is_none_or(|least| value >= least);
    let high = bound(most).is_none_or(|most| value <= most);
    match (low && high, least.is_empty(), most.is_empty()) {
        (true, ..) => Ok(()),
        (false, true, _) => Err(format!("{text:?} is more than {most}")),
        (false, _, true) => Err(format!("{text:?} is less than {least}")),
        (false, ..) => Err(format!("{text:?} is not from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(kind: &str, allowed: &str, text: &str) -> String {
        match within(kind, allowed, text) {
            Ok(()) => "good".to_owned(),
            Err(why) => why,
        }
    }

    #[test]
    fn a_text_is_one_of_the_words_and_a_list_holds_nothing_else() {
        assert_eq!(said("text", "ca|none", "none"), "good");
        assert_eq!(said("text", "ca|none", "None"), "\"None\" is none of: ca, none");
        assert_eq!(said("list", "a|b", "b, a"), "good");
        assert_eq!(said("list", "a|b", "b, c"), "\"c\" is none of: a, b");
        assert_eq!(said("text", "", "anything"), "good");
    }

    #[test]
    fn what_has_an_order_lies_between_both_ends() {
        assert_eq!(said("number", "0..20", "20"), "good");
        assert_eq!(said("number", "0..20", "21"), "\"21\" is not from 0 to 20");
        assert_eq!(said("number16", "1..", "0"), "\"0\" is less than 1");
        assert_eq!(said("duration", "..1h", "90m"), "\"90m\" is more than 1h");
        assert_eq!(said("size", "1M..1G", "1048576"), "good");
        assert_eq!(said("number", "few", "7"), "good");
        assert_eq!(said("boolean", "yes", "no"), "good");
    }
}
