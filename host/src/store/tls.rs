//! What the engines share of encryption: which file cannot be read, and what a refused certificate means, in words.
//!
//! How a connection is encrypted is for each driver; nothing here connects.

use super::Tls;
use crate::ports::Trouble;
use rustls::CertificateError;

/// The first file of the encryption that cannot be read; drivers do not say which one it is.
pub(super) fn unreadable(tls: &Tls) -> Option<String> {
    let Tls::Required { ca_file, client, .. } = tls else { return None };
    let own = client.iter().flat_map(|client| [&client.cert_file, &client.key_file]);
    ca_file.iter().chain(own).find_map(|file| {
        let error = std::fs::read(file).err()?;
        Some(format!("cannot read {}: {error}", file.display()))
    })
}

/// The trouble, why, and what to do.
pub(super) fn explain(error: &rustls::Error) -> (Trouble, String, Option<&'static str>) {
    let text = error.to_string();
    let (why, hint) = match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => (
            "the server's certificate is not of an authority that pm trusts".to_owned(),
            "set tls_ca_file in [database] to the authority of the server",
        ),
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })
            if presented.is_empty() =>
        {
            (
                "the server's certificate holds no name at all (no subject alternative name)".to_owned(),
                "give the server a certificate with its name, or set tls = verify-ca in [database]",
            )
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            format!("the server's certificate is for another name: {text}"),
            "set host in [database] to a name in the certificate, or set tls = verify-ca",
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => (
            format!("the server's certificate has expired: {text}"),
            "renew it, or correct the clock of this host",
        ),
        rustls::Error::InvalidCertificate(_) => (
            format!("the server's certificate cannot be verified: {text}"),
            "check tls_ca_file in [database], and give the server a certificate of version 3 with its name",
        ),
        _ => (format!("TLS failed: {text}"), "check the TLS settings of the server and of [database]"),
    };
    (Trouble::Refused, why, Some(hint))
}
