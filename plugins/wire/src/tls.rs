//! Whom the HTTP check trusts, and what a failed handshake means in plain words.
//!
//! The CA certificates are read for each connection: a renewed CA works without a restart, and checks are rare. The
//! cryptography is named explicitly, so that nothing depends on a default of the process.

use crate::connect::Wire;
use crate::failure::Failure;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, StreamOwned,
};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where distributions keep the CA certificates of the system: Debian, Red Hat, SUSE, Alpine.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What is demanded of a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Signed by a trusted CA, in force, for the name in the address.
    Ca,
    /// Signed by a trusted CA and in force, for whatever name.
    CaWithoutName,
    /// Nothing: whoever answers is believed.
    None,
}

/// Whom to trust how.
#[derive(Debug, Clone)]
pub struct Trust {
    /// How much is verified.
    pub verify: Verify,
    /// These CAs instead of the system's.
    pub ca_file: Option<PathBuf>,
}

impl Verify {
    /// Reads the text of the setting.
    ///
    /// # Errors
    /// A phrase with the choices.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "ca" => Ok(Self::Ca),
            "ca-without-name" => Ok(Self::CaWithoutName),
            "none" => Ok(Self::None),
            _ => Err(format!("{text:?} is none of ca, ca-without-name, none")),
        }
    }
}

impl Trust {
    /// Encrypts the connection.
    ///
    /// # Errors
    /// [`Failure::Trust`] before, [`Failure::Tls`] during the handshake.
    pub fn secure(&self, mut wire: Wire, host: &str) -> Result<StreamOwned<ClientConnection, Wire>, Failure> {
        let peer = wire.peer;
        let failed = |why| Failure::Tls { peer, why };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| failed(format!("{host:?} cannot be the name in a certificate")))?;
        let config = self.config()?;
        let mut connection =
            ClientConnection::new(Arc::new(config), name).map_err(|error| failed(error.to_string()))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut wire).map_err(|error| failed(broken_handshake(&error)))?;
        }
        Ok(StreamOwned::new(connection, wire))
    }

    fn config(&self) -> Result<ClientConfig, Failure> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::Trust { why: error.to_string() })?;
        let config = match self.verify {
            Verify::Ca => builder.with_root_certificates(self.roots()?),
            Verify::CaWithoutName => {
                let roots = Some(self.roots()?);
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Lenient { roots, provider }))
            }
            Verify::None => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Lenient { roots: None, provider })),
        };
        Ok(config.with_no_client_auth())
    }

    fn roots(&self) -> Result<RootCertStore, Failure> {
        match &self.ca_file {
            Some(path) => {
                read(path).map_err(|why| Failure::Trust { why: format!("{}: {why}", path.display()) })
            }
            None => match BUNDLES.iter().map(Path::new).find(|path| path.exists()) {
                Some(path) => {
                    read(path).map_err(|why| Failure::Trust { why: format!("{}: {why}", path.display()) })
                }
                None => Err(Failure::Trust { why: format!("none of {} exists", BUNDLES.join(", ")) }),
            },
        }
    }
}

/// Certificates in a bundle that are not understood are skipped, as everywhere; none at all is an error.
fn read(path: &Path) -> Result<RootCertStore, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.map_err(|error| format!("not PEM: {error}"))?);
    if roots.is_empty() { Err("it holds no CA certificate".to_owned()) } else { Ok(roots) }
}

/// Verifies the signer but not the name, or nothing without roots. Handshake signatures are always verified.
#[derive(Debug)]
struct Lenient {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(roots) = &self.roots {
            let parsed = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The TLS error inside an input/output error.
pub fn tls_cause(error: &io::Error) -> Option<&Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn broken_handshake(error: &io::Error) -> String {
    match tls_cause(error) {
        Some(tls) => explain(tls),
        None if error.kind() == io::ErrorKind::TimedOut => {
            "the handshake was not finished in time".to_owned()
        }
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the server closed the connection during the handshake; does it speak TLS on this port?"
                .to_owned()
        }
        None => format!("the connection broke during the handshake: {error}"),
    }
}

/// What a TLS error means and what to do about it.
pub fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(why) => certificate(why),
        Error::InvalidMessage(_) => {
            format!("the server does not speak TLS on this port, perhaps plain http:// ({error})")
        }
        Error::AlertReceived(alert) => format!("the server refused it ({alert:?})"),
        Error::PeerIncompatible(why) => {
            format!("the server offers nothing that pm accepts, which is TLS 1.2 and 1.3 ({why:?})")
        }
        other => other.to_string(),
    }
}

fn certificate(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => {
            "its certificate comes from an unknown CA; set ca_file to that CA's certificate".to_owned()
        }
        CertificateError::BadSignature => "its certificate comes from a CA with the name of a trusted one but another key; is \
             ca_file that of an older CA?"
            .to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name ({why}); correct the url, or set tls_verify = ca-without-name")
        }
        CertificateError::ExpiredContext { time, not_after } => {
            let days = time.as_secs().saturating_sub(not_after.as_secs()) / 86_400;
            format!("its certificate expired {days} days ago; renew it, or correct the clock of this host")
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            let days = not_before.as_secs().saturating_sub(time.as_secs()).div_ceil(86_400);
            format!("its certificate is in force only in {days} days; is the clock of this host right?")
        }
        CertificateError::Other(inner) if inner.to_string().contains("CaUsedAsEndEntity") => {
            "its certificate is that of a CA (self-signed with CA:TRUE), which a server must not use; give it one with \
             CA:FALSE, or set tls_verify = none"
                .to_owned()
        }
        other => format!("its certificate is not acceptable: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verification_is_full_unless_told_otherwise_by_name() {
        assert_eq!(Verify::parse("ca"), Ok(Verify::Ca));
        assert_eq!(Verify::parse("ca-without-name"), Ok(Verify::CaWithoutName));
        assert_eq!(Verify::parse("none"), Ok(Verify::None));
        for text in ["", "no", "CA", "full"] {
            assert!(Verify::parse(text).unwrap_err().contains("ca, ca-without-name, none"));
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        assert!(read(&path).unwrap_err().contains("No such file"));
        std::fs::write(&path, "no certificate here\n").unwrap();
        assert_eq!(read(&path).unwrap_err(), "it holds no CA certificate");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
        assert!(read(&path).unwrap_err().starts_with("not PEM: "), "{}", read(&path).unwrap_err());
    }
}
