//! For the tests: servers that answer as told, or misbehave in all the ways that servers do.
//!
//! Each has a port of its own on 127.0.0.1 and a thread per connection; threads end with the test's process.

mod hook;
mod mail;

pub use hook::{Hook, Posted};
pub use mail::{Letter, MailServer, Manner};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Either kind of connection.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// See the module.
pub struct Server {
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Gives every connection to `serve` as it is.
    pub fn raw(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self::raw_on(0, serve)
    }

    /// The same on a port that is known before.
    pub fn raw_on(port: u16, serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self { port, requests: Arc::default() }
    }

    /// Reads the head of a request, then lets `answer` write; the connection is closed after it.
    pub fn http(answer: impl Fn(&str, &mut dyn Stream) + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let server = Self::raw(move |mut stream| serve(&mut stream, &seen, &answer));
        Self { requests, ..server }
    }

    /// The same text to everybody.
    pub fn saying(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::http(move |_, stream| stream.write_all(text.as_bytes()).unwrap())
    }

    /// As [`Server::http`], encrypted with this identity.
    pub fn https(identity: &Identity, text: impl Into<String>) -> Self {
        let (config, text) = (identity.server(), text.into());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let server = Self::raw(move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            serve(&mut stream, &seen, &|_, stream| stream.write_all(text.as_bytes()).unwrap());
        });
        Self { requests, ..server }
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(stream: &mut dyn Stream, seen: &Mutex<Vec<String>>, answer: &dyn Fn(&str, &mut dyn Stream)) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        // A client that gave up (a certificate it does not like) is no request.
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    answer(&head, stream);
}

/// A whole answer.
pub fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A CA and a certificate from it.
pub struct Identity {
    dir: tempfile::TempDir,
    chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Identity {
    /// A certificate for `name` (a name or an address) from a CA called `ca`, that expires when `year` begins.
    pub fn new(ca: &str, name: &str, year: i32) -> Self {
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name.push(DnType::CommonName, ca);
        issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca_certificate = issuer.self_signed(&ca_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut server = CertificateParams::new([name.to_owned()]).unwrap();
        server.not_before = rcgen::date_time_ymd(2001, 1, 1);
        server.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = server.signed_by(&key, &Issuer::from_params(&issuer, &ca_key)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), ca_certificate.pem()).unwrap();
        Self { dir, chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// A CA certificate that its owner uses for the server as well.
    pub fn ca_as_server(name: &str) -> Self {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { dir, chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// The PEM file with the CA.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        Arc::new(config)
    }
}
