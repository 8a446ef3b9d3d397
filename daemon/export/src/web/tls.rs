//! From the words of the file to what speaks TLS.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, crypto::ring};

use super::file::{ClientAuth, Tls, Version, beside};

/// What answers handshakes; `file` is where `tls` was read.
///
/// # Errors
/// Which file can't be used, and why.
pub(super) fn acceptor(tls: &Tls, file: &Path) -> Result<TlsAcceptor, String> {
    let chain = certificates(&beside(file, &tls.cert_file)).map_err(|error| format!("cert_file: {error}"))?;
    let key_file = beside(file, &tls.key_file);
    let key = PrivateKeyDer::from_pem_file(&key_file)
        .map_err(|error| format!("key_file: {}: {error}", key_file.display()))?;
    let versions: Vec<&SupportedProtocolVersion> = [(Version::Tls12, &TLS12), (Version::Tls13, &TLS13)]
        .into_iter()
        .filter(|(version, _)| {
            *version >= tls.min_version && tls.max_version.is_none_or(|most| *version <= most)
        })
        .map(|(_, version)| version)
        .collect();
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&versions)
        .map_err(|error| error.to_string())?;
    let builder = match (&tls.client_ca_file, tls.client_auth_type) {
        (Some(ca), ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert) => {
            let ca = beside(file, ca);
            let told = |error: String| format!("client_ca_file: {}: {error}", ca.display());
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&ca).map_err(|error| format!("client_ca_file: {error}"))? {
                roots.add(certificate).map_err(|error| told(error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            let verifier = match tls.client_auth_type {
                ClientAuth::RequireAndVerifyClientCert => verifier,
                ClientAuth::NoClientCert | ClientAuth::VerifyClientCertIfGiven => {
                    verifier.allow_unauthenticated()
                }
            };
            builder.with_client_cert_verifier(verifier.build().map_err(|error| told(error.to_string()))?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| format!("cert_file and key_file do not go together: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let all = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match all {
        Ok(all) if all.is_empty() => Err(told(&"no certificate in it")),
        Ok(all) => Ok(all),
        Err(error) => Err(told(&error)),
    }
}
