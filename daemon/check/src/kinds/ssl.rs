//! The TLS side of `SSL_GET`: what the `SSL` block has us show, what a certificate says, and what a failure is called.
//!
//! As with keepalived, nobody is refused for the certificate: the check asks whether the page is the right one. What the
//! certificate is like (until when it holds, and whether the `ca` would have it) is measured and told.

use std::{io, net::IpAddr};

use genhash::tls::{Client, Identity, Stream};
use jiff::Timestamp;
use keepwatch_bus::fact::{Certificate, FailureReason};
use keepwatch_model::{Name, Ssl};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};
use tokio::net::TcpStream;
use x509_cert::der::Decode;

use crate::{
    connect::{plain, refusal},
    outcome::{Observed, Outcome},
};

#[cfg(test)]
mod tests;

/// How an encrypted PKCS #8 key begins in PEM (RFC 7468 section 11).
const ENCRYPTED: &str = "ENCRYPTED PRIVATE KEY";

/// TLS as the `SSL` block has it; without one, with nothing to show.
///
/// # Errors
/// Which file is not as it should be, and in what way.
pub(super) fn client(ssl: Option<&Ssl>) -> Result<Client, String> {
    let Some(ssl) = ssl else { return Client::new(None, None).map_err(|error| error.to_string()) };
    let identity = match (&ssl.certificate, &ssl.key) {
        (Some(certificate), Some(key)) => {
            Some(Identity { chain: certificates("certificate", certificate)?, key: private_key(ssl, key)? })
        }
        // One half is nothing to show: as with keepalived the checks go on without, and the configuration was warned of it.
        (Some(_), None) | (None, _) => None,
    };
    let roots = match &ssl.ca {
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            let (taken, _) = roots.add_parsable_certificates(certificates("ca", ca)?);
            if taken == 0 {
                return Err(format!("SSL: ca {ca}: no certificate of a CA is in it"));
            }
            Some(roots)
        }
        None => None,
    };
    Client::new(identity, roots).map_err(|error| match (&error, &ssl.certificate, &ssl.key) {
        (rustls::Error::InconsistentKeys(_), Some(certificate), Some(key)) => {
            format!("SSL: key {key} is not that of certificate {certificate}")
        }
        _ => format!("SSL: {error}"),
    })
}

fn certificates(keyword: &str, file: &Name) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: String| format!("SSL: {keyword} {file}: {error}");
    let found = CertificateDer::pem_file_iter(&**file).map_err(|error| wrong(error.to_string()))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("no certificate is in it".to_owned())) } else { Ok(found) }
}

fn private_key(ssl: &Ssl, file: &Name) -> Result<PrivateKeyDer<'static>, String> {
    let wrong = |error: String| format!("SSL: key {file}: {error}");
    let text = std::fs::read_to_string(&**file).map_err(|error| wrong(error.to_string()))?;
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        let mend = format!("`openssl pkcs8 -topk8 -in {file}` makes one that can be read");
        return Err(wrong(format!("encrypted in the old way of OpenSSL; {mend}")));
    }
    let Some(begin) = text.find(&format!("-----BEGIN {ENCRYPTED}")) else {
        return PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| wrong(error.to_string()));
    };
    let Some(password) = &ssl.password else {
        return Err(wrong("encrypted, and there is no `password`".into()));
    };
    let text = text.get(begin..).unwrap_or_default();
    let end = format!("-----END {ENCRYPTED}-----");
    let text = text.find(&end).and_then(|at| text.get(..at + end.len())).unwrap_or(text);
    let (_, key) = pkcs8::SecretDocument::from_pem(text).map_err(|error| wrong(error.to_string()))?;
    let key =
        pkcs8::EncryptedPrivateKeyInfo::try_from(key.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let key = key
        .decrypt(password.reveal().as_bytes())
        .map_err(|error| wrong(format!("the password does not open it ({error})")))?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

/// What the certificate of a connection says.
pub(super) fn examine(
    client: &Client,
    stream: &Stream<TcpStream>,
    server: IpAddr,
    name: Option<&str>,
) -> Option<Observed> {
    let certificate = x509_cert::Certificate::from_der(client.certificate(stream)?).ok()?.tbs_certificate;
    let seconds = certificate.validity.not_after.to_unix_duration().as_secs();
    Some(Observed::Certificate(Certificate {
        subject: certificate.subject.to_string().into(),
        issuer: certificate.issuer.to_string().into(),
        not_after: Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?,
        distrust: client.distrust(stream, server, name).map(|error| error.to_string().into()),
    }))
}

/// Is it TLS that went wrong, and not the connection below?
pub(super) fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// What an alert of the server means for whoever has to mend it.
fn hint(error: &rustls::Error) -> &'static str {
    use rustls::AlertDescription::{
        CertificateRequired, HandshakeFailure, ProtocolVersion, UnrecognisedName,
    };
    match error {
        rustls::Error::AlertReceived(ProtocolVersion) => " (it has neither TLS 1.2 nor TLS 1.3)",
        rustls::Error::AlertReceived(HandshakeFailure) => {
            " (it has none of the ciphers with ECDHE and AEAD, or wants a certificate: `certificate` and `key` of `SSL`)"
        }
        rustls::Error::AlertReceived(CertificateRequired) => {
            " (it wants a certificate: `certificate` and `key` of `SSL`)"
        }
        rustls::Error::AlertReceived(UnrecognisedName) => {
            " (it wants another name: `enable_sni`, `sni_name`)"
        }
        _ => "",
    }
}

/// What a failure of TLS comes to.
pub(super) fn failure(error: &io::Error) -> Outcome {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let text = match (inner, error.kind()) {
        (Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)), _) => {
            "TLS: the server does not speak it on this port".to_owned()
        }
        (Some(inner), _) => format!("TLS: {inner}{}", hint(inner)),
        (None, io::ErrorKind::UnexpectedEof) => {
            "TLS: the server ended the connection within the handshake".to_owned()
        }
        (None, io::ErrorKind::ConnectionReset) => format!("TLS: {} within the handshake", plain(error)),
        // A name that cannot be sent is nobody's fault but ours.
        (None, io::ErrorKind::InvalidInput) => return Outcome::NotRun(format!("server name: {error}")),
        (None, _) => return refusal(error),
    };
    Outcome::failed(FailureReason::Tls, text)
}
