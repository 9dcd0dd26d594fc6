//! The check "http": one request, redirects followed, status and body compared with what is expected.
//!
//! The connection is made anew each time, without a proxy. Headers from the configuration and credentials go to the
//! address of the configuration only, never to another host that a redirect names.

use crate::body::{Demand, Found};
use crate::status::Expected;
use pm_plugin_api::{Error, Health, HealthCheck, Result, Target};
use pm_wire::address::Address;
use pm_wire::deadline::Deadline;
use pm_wire::failure::Failure;
use pm_wire::header;
use pm_wire::tls::{Trust, Verify};
use pm_wire::transport::send;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use ureq::http::header::{AUTHORIZATION, LOCATION};
use ureq::http::{HeaderName, HeaderValue, Method, Request, Response};

pm_plugin_api::settings! {
    /// Settings of the check "http".
    pub struct HttpSettings {
        /// What to ask: http://host:port/path or https://host/; user:password@ in front of the host is sent as basic
        /// authentication and never shown.
        pub url: String,
        /// GET, HEAD, OPTIONS, or POST with an empty body.
        #[allowed = "GET|HEAD|OPTIONS|POST"]
        pub method: String = "GET",
        /// Status codes that are right: 200 or 200-299 or 200,204,301-308. A redirect whose own status is right is
        /// not followed.
        pub expected_status: String = "200-299",
        /// Text that the body must contain; looked for in the first 1 MiB.
        pub body_match: Option<String>,
        /// Regular expression that the body must match, instead of body_match.
        pub body_regex: Option<String>,
        /// Request headers as Name: value, several separated by \n.
        pub header: Option<String>,
        /// The same for headers that are secret, such as Authorization; masked wherever settings are shown.
        pub secret_header: Option<String>,
        /// How many redirects are followed, at most 20; only for GET and HEAD.
        #[allowed = "0..20"]
        pub redirects: u32 = "5",
        /// What is demanded of the server's certificate: ca (signed by a trusted CA, for this name),
        /// ca-without-name, or none (anybody can answer in the server's place).
        #[allowed = "ca|ca-without-name|none"]
        pub tls_verify: String = "ca",
        /// PEM file with the CAs to trust instead of those of the system.
        pub ca_file: Option<PathBuf>,
        /// How long one look may take in all; pm's own limit is never exceeded.
        pub http_timeout: Duration = "5s",
    }
}

/// See the module.
pub(crate) struct Http {
    address: Address,
    method: Method,
    expected: Expected,
    demand: Option<Demand>,
    headers: Vec<(HeaderName, HeaderValue)>,
    redirects: u32,
    trust: Trust,
    timeout: Duration,
}

impl HealthCheck for Http {
    type Settings = HttpSettings;

    fn new(settings: HttpSettings) -> Result<Self> {
        let at = |key: &'static str| move |why: String| Error::config(format!("{key}: {why}"));
        let (address, credentials) = Address::parse(&settings.url).map_err(at("url"))?;
        let method = match settings.method.as_str() {
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "OPTIONS" => Method::OPTIONS,
            "POST" => Method::POST,
            other => return Err(at("method")(format!("{other:?} is none of GET, HEAD, OPTIONS, POST"))),
        };
        let demand =
            Demand::parse(settings.body_match, settings.body_regex.as_deref()).map_err(Error::config)?;
        if demand.is_some() && method == Method::HEAD {
            return Err(at("method")(
                "an answer to HEAD has no body for body_match and body_regex".to_owned(),
            ));
        }
        let mut headers: Vec<_> = credentials.map(|value| (AUTHORIZATION, value)).into_iter().collect();
        for (key, text) in [("header", &settings.header), ("secret_header", &settings.secret_header)] {
            headers.extend(header::parse(text.as_deref().unwrap_or_default()).map_err(at(key))?);
        }
        if headers.iter().filter(|(name, _)| *name == AUTHORIZATION).count() > 1 {
            return Err(at("header")(
                "Authorization is there more than once, counting user:password@ in the url".to_owned(),
            ));
        }
        let verify = Verify::parse(&settings.tls_verify).map_err(at("tls_verify"))?;
        Ok(Self {
            address,
            method,
            expected: Expected::parse(&settings.expected_status).map_err(at("expected_status"))?,
            demand,
            headers,
            redirects: settings.redirects,
            trust: Trust { verify, ca_file: settings.ca_file },
            timeout: settings.http_timeout,
        })
    }

    fn check(&self, target: &Target) -> Result<Health> {
        let begun = Instant::now();
        let deadline = Deadline::new(self.timeout, target.timeout());
        let mut at = self.address.clone();
        let mut redirects_left = self.redirects;
        loop {
            let response = match self.ask(&at, deadline) {
                Ok(response) => response,
                Err(failure) => return self.failed(failure, &at),
            };
            match self.next(&response, redirects_left, &at) {
                Next::Judge => return Ok(self.judge(response, &at, begun)),
                Next::Wrong(why) => return Ok(self.unhealthy(&at, &why)),
                Next::Follow(address) => at = address,
            }
            redirects_left -= 1;
        }
    }
}

/// What an answer means for the way there.
enum Next {
    Judge,
    Follow(Address),
    Wrong(String),
}

impl Http {
    fn ask(&self, at: &Address, deadline: Deadline) -> Result<Response<ureq::Body>, Failure> {
        let mut request = Request::builder().method(self.method.clone()).uri(at.uri().clone());
        if at.same_origin(&self.address) {
            for (name, value) in &self.headers {
                request = request.header(name, value);
            }
        }
        let request = request.body(()).map_err(|error| Failure::Request { why: error.to_string() })?;
        send(request, &self.trust, deadline)
    }

    fn next(&self, response: &Response<ureq::Body>, redirects_left: u32, at: &Address) -> Next {
        let status = response.status().as_u16();
        let follows = matches!(status, 301 | 302 | 303 | 307 | 308)
            && matches!(self.method, Method::GET | Method::HEAD)
            && self.redirects > 0
            && !self.expected.contains(status);
        let Some(location) = response.headers().get(LOCATION).filter(|_| follows) else { return Next::Judge };
        if redirects_left == 0 {
            return Next::Wrong(format!(
                "more than {} redirects, the last one with status {status}",
                self.redirects
            ));
        }
        match location
            .to_str()
            .map_err(|_| "has other characters than ASCII".to_owned())
            .and_then(|to| at.redirected(to))
        {
            Ok(address) => Next::Follow(address),
            Err(why) => Next::Wrong(format!("status {status} with a Location that {why}")),
        }
    }

    fn judge(&self, response: Response<ureq::Body>, at: &Address, begun: Instant) -> Health {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or("without a known meaning");
        let code = status.as_u16();
        if !self.expected.contains(code) {
            return self.unhealthy(at, &format!("got {code} {reason}, expected {}", self.expected));
        }
        if let Some(demand) = &self.demand
            && let Found::No(why) = demand.look_in(&mut response.into_body().into_reader())
        {
            return self.unhealthy(at, &format!("got {code} {reason}, but {why}"));
        }
        Health::healthy(format!("{code} {reason} in {} ms", begun.elapsed().as_millis()))
    }

    fn failed(&self, failure: Failure, at: &Address) -> Result<Health> {
        let begin = self.place(at);
        Ok(match failure.verdict()? {
            Health::Unhealthy { why } => Health::unhealthy(format!("{begin}{why}")),
            Health::Unknown { why } => Health::unknown(format!("{begin}{why}")),
            other => other,
        })
    }

    fn unhealthy(&self, at: &Address, why: &str) -> Health {
        Health::unhealthy(format!("{}{why}", self.place(at)))
    }

    /// `GET http://host/path: `, with the way there when redirects led elsewhere.
    fn place(&self, at: &Address) -> String {
        let redirected = if *at == self.address { String::new() } else { format!(", redirected to {at}") };
        format!("{} {}{redirected}: ", self.method, self.address)
    }
}
