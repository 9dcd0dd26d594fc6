//! A row of numbers as a line of little bars, in the characters that the terminal has.

/// The characters of bars, from nothing to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// For a UTF-8 terminal.
    Blocks,
    /// For every other one.
    Ascii,
}

impl Alphabet {
    /// By the locale, as programs do; a C locale or none at all has ASCII.
    pub(super) fn of_terminal() -> Self {
        let set = |key| std::env::var(key).ok().filter(|value| !value.is_empty());
        Self::of_locale(["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).as_deref())
    }

    fn of_locale(locale: Option<&str>) -> Self {
        let locale = locale.unwrap_or_default().to_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { Self::Blocks } else { Self::Ascii }
    }

    fn bars(self) -> &'static [char] {
        match self {
            Self::Blocks => &['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
            Self::Ascii => &['.', ':', '-', '=', '+', '*', '%', '#'],
        }
    }

    /// One bar per number. The lowest bar is for none, so that a day without is told from one with a few.
    pub(super) fn line(self, numbers: &[u64]) -> String {
        let (bars, most) = (self.bars(), numbers.iter().copied().max().unwrap_or_default().max(1));
        let steps = bars.len() as u64 - 1;
        let bar = |number: &u64| bars[usize::try_from((number * steps).div_ceil(most)).unwrap_or_default()];
        numbers.iter().map(bar).collect()
    }
}

/// The numbers in at most so many columns: neighbours are added up, the last column ends with the last number.
pub(super) fn columns(numbers: &[u64], most: usize) -> Vec<u64> {
    let width = numbers.len().div_ceil(most.max(1)).max(1);
    let mut sums: Vec<u64> = numbers.rchunks(width).map(|chunk| chunk.iter().sum()).collect();
    sums.reverse();
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_a_bar_and_none_is_lower_than_one() {
        assert_eq!(Alphabet::Blocks.line(&[0, 1, 7, 0]), "▁▂█▁");
        assert_eq!(Alphabet::Ascii.line(&[0, 1, 700]), ".:#");
        assert_eq!(Alphabet::Ascii.line(&[0, 0]), "..");
        assert_eq!(Alphabet::Ascii.line(&[]), "");
    }

    #[test]
    fn the_locale_decides_the_characters() {
        assert_eq!(Alphabet::of_locale(Some("ro_RO.UTF-8")), Alphabet::Blocks);
        assert_eq!(Alphabet::of_locale(Some("C.utf8")), Alphabet::Blocks);
        for locale in [Some("C"), Some("ro_RO.ISO-8859-2"), None] {
            assert_eq!(Alphabet::of_locale(locale), Alphabet::Ascii, "{locale:?}");
        }
    }

    #[test]
    fn more_days_than_columns_are_added_up() {
        assert_eq!(columns(&[1, 2, 3, 4, 5], 30), [1, 2, 3, 4, 5]);
        assert_eq!(columns(&[1, 2, 3, 4, 5], 3), [1, 5, 9]);
        let year = vec![1; 365];
        let shown = columns(&year, 30);
        assert!(shown.len() <= 30 && shown.iter().sum::<u64>() == 365, "{shown:?}");
    }
}
