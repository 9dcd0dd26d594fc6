//! `pm completions` and `pm man`: made from the definitions of the command line, so they are never out of date.

use crate::cli::arguments::{Arguments, CompletionsOptions};
use crate::cli::{Failure, Terminal};
use clap::CommandFactory as _;
use clap_mangen::Man;
use std::io::Write as _;

pub(crate) fn completions(options: &CompletionsOptions, terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "pm", &mut script);
    Ok(terminal.out.write_all(&script)?)
}

/// One page: pm itself, then one section per command.
pub(crate) fn man(terminal: &mut Terminal<'_>) -> Result<(), Failure> {
    let mut command = Arguments::command().about("turns alarms in a database table into verified restarts");
    command.build();
    let mut page = Vec::new();
    let man = Man::new(command.clone()).section("8").manual("System administration");
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    writeln!(page, ".SH \"EXAMPLES, FILES, EXIT CODES\"")?;
    write_notes(&command, &mut page)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        write_verb(verb, "pm", &mut page)?;
    }
    man.render_version_section(&mut page)?;
    Ok(terminal.out.write_all(&page)?)
}

fn write_verb(verb: &clap::Command, above: &str, page: &mut Vec<u8>) -> Result<(), Failure> {
    let name = format!("{above} {}", verb.get_name());
    writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
    let mut own = verb.clone().display_name(name.clone()).bin_name(name.clone());
    // What every command has stands at the top of the page.
    for shared in ["config", "plugins_dir", "help"] {
        own = own.mut_arg(shared, |argument| argument.hide(true));
    }
    let man = Man::new(own);
    let mut sections = Vec::new();
    man.render_synopsis_section(&mut sections)?;
    man.render_description_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    // The name of the command is heading enough for its few lines.
    for line in String::from_utf8_lossy(&sections).lines() {
        writeln!(page, "{}", if line.starts_with(".SH ") { ".PP" } else { line })?;
    }
    write_notes(verb, page)?;
    for below in verb.get_subcommands().filter(|below| below.get_name() != "help") {
        write_verb(below, &name, page)?;
    }
    Ok(())
}

/// What stands below the help of a command, in its lines.
fn write_notes(verb: &clap::Command, page: &mut Vec<u8>) -> Result<(), Failure> {
    let Some(notes) = verb.get_after_help() else { return Ok(()) };
    writeln!(page, ".PP\n.nf")?;
    for line in notes.to_string().lines() {
        // A line that begins with a dot or an apostrophe would be an order to the formatter.
        writeln!(page, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    writeln!(page, ".fi")?;
    Ok(())
}
