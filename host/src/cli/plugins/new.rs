//! `pm plugins new NAME`: a crate that builds, has a test and loads, from the templates in `host/templates/plugin`.
//!
//! Everything is judged before anything is written, and nothing that is there is written over. The crate depends on
//! pm-plugin-api by its path, because that is published nowhere else: the one that came with this pm, or what `--api` says.

use crate::cli::Failure;
use crate::cli::arguments::{NewKind, NewOptions};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The manifest has 48 bytes for the name of the package, which begins with `pm-plugin-`.
const LONGEST: usize = 38;

/// The templates of one kind, and what is special about it.
struct Template {
    kind: &'static str,
    /// What the type is called after the name.
    suffix: &'static str,
    code: &'static str,
    tests: &'static str,
    /// The words of an example of `pm plugins call`.
    call: &'static str,
    /// What the operator writes.
    section: &'static str,
}

const MANIFEST: &str = include_str!("../../../templates/plugin/manifest.toml");
const README: &str = include_str!("../../../templates/plugin/readme.md");
const GITIGNORE: &str = include_str!("../../../templates/plugin/gitignore");

const STRATEGY: Template = Template {
    kind: "strategy",
    suffix: "Strategy",
    code: include_str!("../../../templates/plugin/strategy.rs"),
    tests: include_str!("../../../templates/plugin/strategy_tests.rs"),
    call: "restart web {{key}}_program=/bin/echo",
    section: "[process.web]\nrestart_strategy = {{name}}",
};
const CHECK: Template = Template {
    kind: "check",
    suffix: "Check",
    code: include_str!("../../../templates/plugin/check.rs"),
    tests: include_str!("../../../templates/plugin/check_tests.rs"),
    call: "check web {{key}}_dir=/tmp",
    section: "[process.web]\nhealth_check = {{name}}",
};
const NOTIFIER: Template = Template {
    kind: "notifier",
    suffix: "Notifier",
    code: include_str!("../../../templates/plugin/notifier.rs"),
    tests: include_str!("../../../templates/plugin/notifier_tests.rs"),
    call: "notify 'It works' {{key}}_file=/tmp/{{name}}.log",
    section: "[notify.operators]\nnotifier = {{name}}",
};

pub(super) fn new(options: &NewOptions, out: &mut dyn Write) -> Result<(), Failure> {
    let template = match options.kind {
        NewKind::Strategy => &STRATEGY,
        NewKind::Check => &CHECK,
        NewKind::Notifier => &NOTIFIER,
    };
    let name = name(&options.name).map_err(Failure::Usage)?;
    let api = api(options.api.as_deref())?;
    let words = Words::of(name, template, &api);
    let folder = if options.dir == Path::new(".") { PathBuf::from(name) } else { options.dir.join(name) };
    write_crate(&folder, template, &words).map_err(|error| {
        let place = folder.display();
        Failure::Failed(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{place} is there already, and nothing is written over; choose another NAME or --dir")
            }
            _ => format!("making {place}: {error}"),
        })
    })?;
    writeln!(
        out,
        "Made the {} \"{name}\" in {}, with pm-plugin-api of {}.",
        template.kind,
        folder.display(),
        api.display()
    )?;
    writeln!(out, "\nNow:\n")?;
    for line in [
        format!("cd {}", folder.display()),
        "cargo test".to_owned(),
        "cargo build --release".to_owned(),
        words.fill("pm plugins verify target/release/{{library}}"),
        words.fill("{{call}}"),
    ] {
        writeln!(out, "  {line}")?;
    }
    Ok(writeln!(out, "\nsrc/lib.rs is where it does something; README.md says how it is installed.")?)
}

/// The name, if it can be that of a part, a package, a type and the beginning of keys.
fn name(text: &str) -> Result<&str, String> {
    let wrong = |why: &str| Err(format!("{text:?} cannot be the name of a plugin: {why}, as in my-strategy"));
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || !text.chars().all(word) {
        return wrong("it has only lower-case letters, digits and hyphens");
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) || text.ends_with('-') || text.contains("--") {
        return wrong("it begins with a letter, and hyphens stand alone between words");
    }
    if text.len() > LONGEST {
        return wrong(&format!("it has at most {LONGEST} characters"));
    }
    if text.starts_with("pm-plugin") {
        return wrong("the package gets the prefix pm-plugin- by itself");
    }
    Ok(text)
}

/// The folder of pm-plugin-api: as told, else of the source tree that this program was built in, else as installed.
fn api(told: Option<&Path>) -> Result<PathBuf, Failure> {
    let exe = std::env::current_exe().unwrap_or_default();
    let above: Vec<_> = exe.ancestors().skip(1).map(Path::to_owned).collect();
    let built = above.iter().map(|folder| folder.join("plugin-api"));
    // `/usr/bin/pm` belongs to `/usr/share/pm`.
    let installed = above.iter().skip(1).take(1).map(|prefix| prefix.join("share/pm/plugin-api"));
    let usual = installed.chain([PathBuf::from("/usr/share/pm/plugin-api")]);
    let found = match told {
        Some(folder) if is_api(folder) => Some(folder.to_owned()),
        Some(folder) => {
            let folder = folder.display();
            return Err(Failure::Usage(format!(
                "{folder} is not the crate pm-plugin-api (no Cargo.toml of that name in it); it is the folder plugin-api \
                 of pm's source"
            )));
        }
        None => built.chain(usual).find(|folder| is_api(folder)),
    };
    let found = found.ok_or_else(|| {
        Failure::Usage(
            "the crate pm-plugin-api is needed, and is not in /usr/share/pm/plugin-api; install the part of the package \
             that is for authors, or name its folder with --api (plugin-api in pm's source)"
                .to_owned(),
        )
    })?;
    let folder = fs::canonicalize(&found).unwrap_or(found);
    // It stands between apostrophes in a file of TOML.
    match folder.to_str() {
        Some(text) if !text.contains('\'') && !text.chars().any(char::is_control) => Ok(folder),
        _ => Err(Failure::Usage(format!(
            "cargo cannot be told the path {}; copy the folder elsewhere",
            folder.display()
        ))),
    }
}

fn is_api(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "name = \"pm-plugin-api\""))
}

/// What the marks of the templates stand for.
struct Words(Vec<(&'static str, String)>);

impl Words {
    fn of(name: &str, template: &Template, api: &Path) -> Self {
        let key = name.replace('-', "_");
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        let words: String = name.split('-').map(capital).collect();
        // The suffix also keeps the name from being one of the interface's or the language's.
        let kind = if words.ends_with(template.suffix) && words.len() > template.suffix.len() {
            words
        } else {
            words + template.suffix
        };
        let library = format!("libpm_plugin_{key}.so");
        let call =
            format!("pm plugins call target/release/{library} {}:{name} {}", template.kind, template.call);
        // Those that hold marks come first.
        Self(vec![
            ("call", call),
            ("section", template.section.to_owned()),
            ("kind", template.kind.to_owned()),
            ("library", library),
            ("api", api.display().to_string()),
            ("name", name.to_owned()),
            ("type", kind),
            ("key", key),
        ])
    }

    fn fill(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (mark, word)| text.replace(&format!("{{{{{mark}}}}}"), word))
    }
}

fn write_crate(folder: &Path, template: &Template, words: &Words) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above)?;
    }
    fs::create_dir(folder)?;
    fs::create_dir(folder.join("src"))?;
    let files = [
        ("Cargo.toml", MANIFEST),
        ("README.md", README),
        (".gitignore", GITIGNORE),
        ("src/lib.rs", template.code),
        ("src/tests.rs", template.tests),
    ];
    for (file, text) in files {
        File::create_new(folder.join(file))?.write_all(words.fill(text).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_not_be_built_or_written_in_a_file_are_refused_with_the_reason() {
        for good in ["x", "my-strategy", "s3", "self", "strategy", "a-1"] {
            assert_eq!(name(good), Ok(good));
        }
        let long = "x".repeat(LONGEST + 1);
        let bad =
            ["", "My", "a_b", "a b", "1a", "-a", "a-", "a--b", "../x", "a/b", "ș", "pm-plugin-x", &long];
        for bad in bad {
            assert!(name(bad).unwrap_err().contains("cannot be the name of a plugin: "), "{bad}");
        }
    }

    #[test]
    fn no_mark_is_left_and_no_type_is_called_like_one_of_the_interface() {
        for template in [&STRATEGY, &CHECK, &NOTIFIER] {
            for (name, kind) in
                [("self", "Self"), ("strategy", "Strategy"), ("my-check", "MyCheck"), ("error", "Error")]
            {
                let words = Words::of(name, template, Path::new("/api"));
                for text in [MANIFEST, README, GITIGNORE, template.code, template.tests] {
                    let filled = words.fill(text);
                    assert!(!filled.contains("{{") && !filled.contains("}}"), "{filled}");
                    let taken = ["Self", "Strategy", "Check", "Notifier", "Error"];
                    assert!(
                        !taken.contains(&kind) || !filled.contains(&format!("struct {kind}(")),
                        "{filled}"
                    );
                }
            }
        }
    }
}
