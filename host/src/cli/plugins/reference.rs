//! `pm plugins reference`: every setting of every part as a page of the book, made from what the libraries say.
//!
//! The page is the same wherever it is made from the same libraries: no version, no path, no date.

use crate::cli::Failure;
use crate::plugins::Registry;
use crate::policy::name::printable;
use pm_plugin_api::manifest::Offer;
use pm_plugin_api::settings::Key;
use pm_plugin_api::value::in_words;
use std::collections::BTreeSet;
use std::io::Write;

const HEAD: &str = "\
<!-- Written by `pm plugins reference`; `make reference` writes it anew. Changes belong beside the settings in the source. -->

# Keys of strategies, checks and notifiers

What the libraries that come with pm can be told, as `pm plugins info NAME` tells it too; `pm plugins reference` writes such a
page for the libraries of your own directory. The keys of a strategy or a check may stand in `[process.NAME]`,
`[process.default]` or `[plugin.PART]` ([configuration](configuration.md)), those of a notifier in `[notify.NAME]` or
`[plugin.PART]`. How a library is run is said elsewhere, in [`[library.NAME]`](configuration.md#libraryname).

A key without a default may be left out, unless it is *required*.
";

/// The kinds in the order of the page, and their headings. Others come behind them.
const KINDS: [&str; 3] = ["strategy", "check", "notifier"];

/// Writes the page.
pub(super) fn reference(registry: &Registry, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(refusal) = registry.refusal() {
        return Err(Failure::Plugin(refusal.to_string()));
    }
    let offers = registry.offers();
    writeln!(out, "{HEAD}")?;
    types(&offers, out)?;
    let rank = |offer: &Offer| KINDS.iter().position(|kind| *kind == offer.kind).unwrap_or(KINDS.len());
    let mut sorted: Vec<_> = offers.iter().collect();
    sorted.sort_by_key(|offer| (rank(offer), &offer.kind, &offer.name));
    for offer in sorted {
        part(offer, out)?;
    }
    Ok(())
}

/// What the words in the column "Type" mean, as far as they occur.
fn types(offers: &[Offer], out: &mut dyn Write) -> Result<(), Failure> {
    let kinds: BTreeSet<&str> =
        offers.iter().flat_map(|offer| &offer.keys).map(|key| key.kind.as_str()).collect();
    writeln!(out, "| Type | What to write |\n|---|---|")?;
    for kind in kinds {
        writeln!(out, "| {} | {} |", cell(kind), cell(&in_words(kind)))?;
    }
    Ok(())
}

fn part(offer: &Offer, out: &mut dyn Write) -> Result<(), Failure> {
    let mut kind = offer.kind.clone();
    if let Some(first) = kind.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    writeln!(out, "\n## {} `{}`\n", cell(&kind), cell(&offer.name))?;
    if offer.keys.is_empty() {
        writeln!(out, "It has no settings.")?;
        return Ok(());
    }
    writeln!(out, "| Key | Type | Unit | Default | Meaning |\n|---|---|---|---|---|")?;
    for key in &offer.keys {
        let unit = key.unit.as_deref().map_or_else(|| "–".to_owned(), cell);
        let default = match (&key.default, key.required) {
            (Some(default), _) => format!("`{}`", cell(default)),
            (None, true) => "*required*".to_owned(),
            (None, false) => "–".to_owned(),
        };
        let (name, kind) = (cell(&key.name), cell(&key.kind));
        writeln!(out, "| `{name}` | {kind} | {unit} | {default} | {} |", meaning(key))?;
    }
    Ok(())
}

fn meaning(key: &Key) -> String {
    let text = cell(&key.text);
    let Some(allowed) = &key.allowed else { return text };
    match allowed.split_once("..") {
        Some((least, "")) => format!("{text} At least {}.", cell(least)),
        Some(("", most)) => format!("{text} At most {}.", cell(most)),
        Some((least, most)) => format!("{text} From {} to {}.", cell(least), cell(most)),
        // Mostly the text says what each of them means.
        None if allowed.split('|').all(|word| key.text.contains(word)) => text,
        None => {
            let words: Vec<_> = allowed.split('|').map(|word| format!("`{}`", cell(word))).collect();
            format!("{text} One of {}.", words.join(", "))
        }
    }
}

/// A text of a library as the content of a cell: nothing of it is taken for the table's own or for HTML.
fn cell(text: &str) -> String {
    printable(text).to_string().replace('|', "\\|").replace('<', "&lt;")
}
