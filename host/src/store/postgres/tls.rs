//! Encryption towards the server, from the same files and with the same trust as for the other engines.
//!
//! One stack for everything: rustls on ring. The public authorities are built in; those of `tls_ca_file` are trusted
//! besides them. The files are read anew for each connection, so that a renewed certificate needs no restart.

use super::failure::Fault;
use crate::store::{ClientCertificate, Trust};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What encrypts a connection.
pub(super) fn encryption(
    trust: Trust,
    ca_file: Option<&PathBuf>,
    client: Option<&ClientCertificate>,
) -> Result<MakeRustlsConnect, Fault> {
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(authorities(ca_file)?);
    let verifier = match trust {
        Trust::Anybody => None,
        Trust::Authority | Trust::AuthorityAndName => Some(
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
                .build()
                .map_err(|error| Fault::Files(error.to_string()))?,
        ),
    };
    let verifier = Verifier { verifier, trust, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::Files(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match client {
        None => config.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_file(&own.key_file)
                .map_err(|error| unusable(&own.key_file, &error.to_string()))?;
            config
                .with_client_auth_cert(certificates(&own.cert_file)?, key)
                .map_err(|error| unusable(&own.cert_file, &error.to_string()))?
        }
    };
    Ok(MakeRustlsConnect::new(config))
}

fn authorities(ca_file: Option<&PathBuf>) -> Result<RootCertStore, Fault> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let Some(file) = ca_file else { return Ok(roots) };
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| unusable(file, &error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(file, &error.to_string()))?;
    if found.is_empty() {
        return Err(unusable(file, "there is no certificate in it"));
    }
    Ok(found)
}

fn unusable(file: &Path, why: &str) -> Fault {
    Fault::Files(format!("{} cannot be used: {why}", file.display()))
}

/// Verifies as far as the server must prove itself.
#[derive(Debug)]
struct Verifier {
    /// None: anybody may answer.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.verifier else { return Ok(ServerCertVerified::assertion()) };
        let verified =
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.trust == Trust::Authority => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
