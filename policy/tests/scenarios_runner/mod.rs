//! Runs one scenario: a script becomes a transcript.
//!
//! Deterministic: time is a number, and nothing is read besides the script.

mod actions;
mod file;
mod hand;
mod host;
mod life;
mod script;
mod setup;
mod words;
mod world;

/// The transcript of a script.
///
/// # Errors
/// What cannot be understood, with the number of its line.
pub(super) fn transcript(text: &str) -> Result<String, String> {
    let (setup, steps) = script::read(text)?;
    let mut host = host::Host::new(setup);
    for step in steps {
        host.run_until(step.at);
        host.happens(&step)?;
    }
    host.look();
    Ok(host.transcript())
}
