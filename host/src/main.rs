//! The program `pm`: hands its arguments to the library and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    pm_plugin_api::detach::pass_nothing_on();
    ExitCode::from(pm_host::cli::main(std::env::args_os(), &mut std::io::stdout(), &mut std::io::stderr()))
}
