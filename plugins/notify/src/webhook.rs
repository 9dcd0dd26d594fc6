//! The notifier "webhook": one POST with the notice as JSON, or as a message that Slack and its like understand.
//!
//! The path of the address often is the key to a channel, so messages name scheme, host and port only. Redirects are not
//! followed: they would hand the headers on.

use crate::command::text;
use crate::secret::Secret;
use pm_plugin_api::{Error, ErrorKind, Notice, Notifier, Result, Severity};
use pm_wire::address::{Address, host_and_port};
use pm_wire::deadline::Deadline;
use pm_wire::header;
use pm_wire::tls::{Trust, Verify};
use pm_wire::transport::send;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderName, HeaderValue, Request};

pm_plugin_api::settings! {
    /// Settings of the notifier "webhook".
    pub struct WebhookSettings {
        /// Where to send it: https://host/path; user:password@ in front of the host is sent as basic authentication. Only
        /// scheme, host and port are ever shown, because the path of many webhooks is a secret.
        pub url: Option<String>,
        /// A file that holds the address, in place of url; read at each delivery.
        pub url_file: Option<PathBuf>,
        /// What is sent: json (every field), or slack ({"text": ...}, which Slack, Mattermost and others understand).
        #[allowed = "json|slack"]
        pub webhook_format: String = "json",
        /// Request headers as Name: value, several separated by \n.
        pub header: Option<String>,
        /// The same for headers that are secret, such as Authorization; masked wherever settings are shown.
        pub secret_header: Option<String>,
        /// A file that holds such headers, one in a line, in place of secret_header; read at each delivery.
        pub secret_header_file: Option<PathBuf>,
        /// What is demanded of the server's certificate: ca (signed by a trusted CA, for this name),
        /// ca-without-name, or none (anybody can answer in the server's place).
        #[allowed = "ca|ca-without-name|none"]
        pub tls_verify: String = "ca",
        /// PEM file with the CAs to trust instead of those of the system.
        pub ca_file: Option<PathBuf>,
        /// How long one delivery may take in all; pm's own limit is never exceeded.
        pub webhook_timeout: Duration = "10s",
    }
}

#[derive(Clone, Copy)]
enum Format {
    Json,
    Slack,
}

/// See the module.
pub(crate) struct Webhook {
    url: Secret,
    format: Format,
    headers: Vec<(HeaderName, HeaderValue)>,
    secret_headers: Option<Secret>,
    trust: Trust,
    timeout: Duration,
}

fn at(key: &'static str) -> impl Fn(String) -> Error {
    move |why| Error::config(format!("{key}: {why}"))
}

impl Notifier for Webhook {
    type Settings = WebhookSettings;

    fn new(settings: WebhookSettings) -> Result<Self> {
        let url = Secret::choose("url", settings.url, settings.url_file)?
            .ok_or_else(|| Error::config("url: is required; write https://host/path, or url_file"))?;
        let secret_headers =
            Secret::choose("secret_header", settings.secret_header, settings.secret_header_file)?;
        if let Secret::Text(text) = &url {
            Address::parse(text).map_err(at("url"))?;
        }
        if let Some(Secret::Text(text)) = &secret_headers {
            header::parse(text).map_err(at("secret_header"))?;
        }
        Ok(Self {
            url,
            format: match settings.webhook_format.as_str() {
                "json" => Format::Json,
                "slack" => Format::Slack,
                other => return Err(at("webhook_format")(format!("{other:?} is none of json, slack"))),
            },
            headers: header::parse(&settings.header.unwrap_or_default()).map_err(at("header"))?,
            secret_headers,
            trust: Trust {
                verify: Verify::parse(&settings.tls_verify).map_err(at("tls_verify"))?,
                ca_file: settings.ca_file,
            },
            timeout: settings.webhook_timeout,
        })
    }

    fn notify(&self, notice: &Notice) -> Result<()> {
        let deadline = Deadline::new(self.timeout, notice.timeout());
        let (address, credentials) = Address::parse(&self.url.reveal()?).map_err(at("url"))?;
        let mut headers: Vec<_> = credentials.map(|value| (AUTHORIZATION, value)).into_iter().collect();
        headers.extend(self.headers.iter().cloned());
        if let Some(secret) = &self.secret_headers {
            headers.extend(header::parse(&secret.reveal()?).map_err(at("secret_header"))?);
        }
        let mut request = Request::post(address.uri().clone()).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = match self.format {
            Format::Json => body(notice),
            Format::Slack => slack(notice),
        };
        let request = request.body(body.to_string()).map_err(|error| at("header")(error.to_string()))?;
        let place = place(&address);
        let response =
            send(request, &self.trust, deadline).map_err(|failure| failure.error().context(&place))?;
        judge(response.status().as_u16()).map_err(|error| error.context(place))
    }
}

/// `POST https://host:443`, without what may be secret.
fn place(address: &Address) -> String {
    let (host, port) = host_and_port(address.uri());
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("POST {}://{host}:{port}", address.uri().scheme_str().unwrap_or("http"))
}

/// What an answer means: taken, come again, or never like this.
fn judge(status: u16) -> Result<()> {
    let (kind, what) = match status {
        200..=299 => return Ok(()),
        300..=399 => (ErrorKind::Config, "which sends elsewhere; write the new address"),
        401 | 403 | 407 => (ErrorKind::Permission, "so it does not let pm in; see url and secret_header"),
        404 | 410 => (ErrorKind::Config, "so there is nothing at this address; see url"),
        408 | 425 | 429 => (ErrorKind::Unavailable, "so it wants it later"),
        400..=499 => (ErrorKind::Config, "so it does not understand it; see url and webhook_format"),
        _ => (ErrorKind::Unavailable, "so it has trouble of its own"),
    };
    Err(Error::new(kind, format!("the answer has status {status}, {what}")))
}

/// Every field for programs. Names and meanings stay; new ones may come.
pub(crate) fn body(notice: &Notice) -> Value {
    json!({
        "event": notice.event,
        "severity": notice.severity.word(),
        "subject": notice.subject,
        "host": notice.host,
        "summary": notice.summary,
        "detail": notice.detail,
        "time_ms": notice.time_ms,
        "repeated": notice.repeated,
        "language": notice.language,
        "id": notice.id,
    })
}

/// What Slack reads as markup is escaped, so that no name can ring everybody (`<!channel>`).
fn slack(notice: &Notice) -> Value {
    let escaped = text(notice).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let sign = match notice.severity {
        Severity::Critical => ":red_circle: ",
        Severity::Warning => ":large_orange_circle: ",
        _ => "",
    };
    json!({ "text": format!("{sign}{escaped}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_come_right_by_itself_is_tried_again() {
        for (status, kind) in [
            (302, ErrorKind::Config),
            (400, ErrorKind::Config),
            (401, ErrorKind::Permission),
            (404, ErrorKind::Config),
            (429, ErrorKind::Unavailable),
            (503, ErrorKind::Unavailable),
        ] {
            assert_eq!(judge(status).unwrap_err().kind, kind, "{status}");
        }
        assert_eq!(judge(204), Ok(()));
    }

    #[test]
    fn a_name_cannot_ring_everybody_in_a_channel() {
        let mut notice = Notice::of("x", "<!channel> & co");
        notice.severity = Severity::Critical;
        notice.detail = "more".to_owned();
        assert_eq!(slack(&notice)["text"], ":red_circle: &lt;!channel&gt; &amp; co\nmore");
    }
}
