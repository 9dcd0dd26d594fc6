//! The notifiers "webhook", "email" and "command": how pm tells people what happened.
//!
//! Each delivers one notice with one try, within one deadline, and answers when the receiver has taken it. Queues, pauses,
//! limits and further tries are pm's affair. An error of the kinds "config" and "permission" says that another try is useless.
//!
//! It must not print what may be secret: the path of a webhook's address (it often is the key), header values, passwords.
//! What a notice says is data: never part of a command line, a header that it could break out of, or markup.

#![forbid(unsafe_code)]

mod command;
mod email;
mod letter;
mod secret;
mod smtp;
mod webhook;

#[cfg(test)]
mod tests;

use command::Command;
use email::Email;
use webhook::Webhook;

pm_plugin_api::export! {
    notifier "webhook" => Webhook,
    notifier "email" => Email,
    notifier "command" => Command,
}
