//! `pm completions` and `pm man`: made from the definitions of the command line, so they are never out of date.

use crate::cli::arguments::{Arguments, CompletionsOptions};
use crate::cli::{Failure, Terminal};
use clap::CommandFactory as _;
use std::io::Write as _;

pub(crate) fn completions(options: &CompletionsOptions, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "pm", &mut script);
    Ok(terminal.out.write_all(&script)?)
}

/// One page for pm and, below it, one section per command.
pub(crate) fn man(terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    let man = clap_mangen::Man::new(command.clone()).section("8").manual("System administration");
    man.render(&mut page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        write_verb(verb, "pm", &mut page)?;
    }
    Ok(terminal.out.write_all(&page)?)
}

fn write_verb(verb: &clap::Command, above: &str, page: &mut Vec<u8>) -> Result<(), Failure> {
    let name = format!("{above} {}", verb.get_name());
    writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
    let man = clap_mangen::Man::new(verb.clone().display_name(name.clone()).bin_name(name.clone()));
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    for below in verb.get_subcommands().filter(|below| below.get_name() != "help") {
        write_verb(below, &name, page)?;
    }
    Ok(())
}
