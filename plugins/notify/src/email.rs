//! The notifier "email": one letter to one server, which passes it on.

use crate::letter::{Login, Post};
use crate::secret::Secret;
use crate::smtp::{Security, Session};
use pm_plugin_api::{Error, Notice, Notifier, Result};
use pm_wire::deadline::Deadline;
use pm_wire::tls::{Trust, Verify};
use std::path::PathBuf;
use std::time::Duration;

pm_plugin_api::settings! {
    /// Settings of the notifier "email".
    pub struct EmailSettings {
        /// The server that takes the letters: a name or an address.
        pub smtp_host: String,
        /// Its port; 587 with starttls, 465 with tls, 25 with none.
        #[allowed = "1.."]
        pub smtp_port: Option<u16>,
        /// starttls (encrypted after the greeting), tls (from the beginning), or none (readable on the way).
        #[allowed = "starttls|tls|none"]
        pub smtp_security: String = "starttls",
        /// Who logs in; without it nobody does.
        pub smtp_user: Option<String>,
        /// The password of smtp_user.
        pub smtp_password: Option<String>,
        /// A file that holds the password, in place of smtp_password; read at each delivery.
        pub smtp_password_file: Option<PathBuf>,
        /// The sender: name@domain or Name <name@domain>.
        pub from: String,
        /// The receivers, separated by commas.
        pub to: Vec<String>,
        /// What is demanded of the server's certificate: ca (signed by a trusted CA, for this name),
        /// ca-without-name, or none (anybody can answer in the server's place).
        #[allowed = "ca|ca-without-name|none"]
        pub tls_verify: String = "ca",
        /// PEM file with the CAs to trust instead of those of the system.
        pub ca_file: Option<PathBuf>,
        /// How long one delivery may take in all; pm's own limit is never exceeded.
        pub smtp_timeout: Duration = "20s",
    }
}

/// See the module.
pub(crate) struct Email {
    host: String,
    port: u16,
    security: Security,
    login: Option<Login>,
    post: Post,
    trust: Trust,
    timeout: Duration,
}

impl Notifier for Email {
    type Settings = EmailSettings;

    fn new(settings: EmailSettings) -> Result<Self> {
        let security = Security::parse(&settings.smtp_security)?;
        let password = Secret::choose("smtp_password", settings.smtp_password, settings.smtp_password_file)?;
        let login = match (settings.smtp_user, password) {
            (None, None) => None,
            (Some(user), Some(password)) => Some(Login { user, password }),
            (Some(_), None) => {
                return Err(Error::config(
                    "smtp_password: is required with smtp_user; or write smtp_password_file",
                ));
            }
            (None, Some(_)) => return Err(Error::config("smtp_user: is required with a password")),
        };
        if login.is_some() && security == Security::None && !is_local(&settings.smtp_host) {
            return Err(Error::config(
                "smtp_security: with none anybody on the way could read the password; write starttls or tls",
            ));
        }
        let verify =
            Verify::parse(&settings.tls_verify).map_err(|why| Error::config(format!("tls_verify: {why}")))?;
        Ok(Self {
            port: settings.smtp_port.unwrap_or(security.port()),
            host: settings.smtp_host,
            security,
            login,
            post: Post::parse(&settings.from, &settings.to)?,
            trust: Trust { verify, ca_file: settings.ca_file },
            timeout: settings.smtp_timeout,
        })
    }

    fn notify(&self, notice: &Notice) -> Result<()> {
        let deadline = Deadline::new(self.timeout, notice.timeout());
        self.deliver(notice, deadline)
            .map_err(|error| error.context(format_args!("mail by {}:{}", self.host, self.port)))
    }
}

impl Email {
    fn deliver(&self, notice: &Notice, deadline: Deadline) -> Result<()> {
        let letter = self.post.letter(notice)?;
        let mut session =
            Session::open(&self.host, self.port, self.security, &self.trust, &notice.host, deadline)?;
        if let Some(login) = &self.login {
            session.log_in(&login.user, &login.password.reveal()?)?;
        }
        session.send(&self.post, &letter)
    }
}

/// Whether nobody is on the way.
fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
