//! TLS of the client side without verification of certificates: a connected stream in, an encrypted one out.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Tls;

/// Accepts whatever certificate the server shows, as keepalived does.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// An encrypted connection.
pub type Stream<S> = TlsStream<S>;

/// What a client shows when it is asked who it is: its certificate with the chain, and the key of it.
#[derive(Debug)]
pub struct Identity {
    /// The certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

/// TLS of the client side, made once for many connections. Sessions are not resumed: each is a whole handshake.
#[derive(Debug)]
pub struct Client {
    config: Arc<ClientConfig>,
    /// Who would have to have signed a certificate for it to be trusted, where anybody asks.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Client {
    /// One that shows this identity, if a server asks for one, and connects to anybody. `roots` are for
    /// [`Client::distrust`] alone.
    ///
    /// # Errors
    /// Certificate and key do not go together, or are of a kind that is not known.
    pub fn new(identity: Option<Identity>, roots: Option<RootCertStore>) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(Arc::clone(&provider))));
        let mut config = match identity {
            Some(Identity { chain, key }) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        let verifier = roots.map(|roots| {
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| rustls::Error::General(error.to_string()))
        });
        Ok(Self { config: Arc::new(config), verifier: verifier.transpose()? })
    }

    /// Performs the handshake over `stream`, which is connected to `server`. Sends a server name (SNI) only if `name` is
    /// one: of a host with a port the host, of an address nothing.
    ///
    /// # Errors
    /// What the handshake failed of.
    pub async fn connect<S>(&self, stream: S, server: IpAddr, name: Option<&str>) -> io::Result<Stream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(server_name(server, name), stream).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the server ended the connection"),
            _ => error,
        })
    }

    /// The certificate that the server showed, DER.
    pub fn certificate<'a, S>(&self, stream: &'a Stream<S>) -> Option<&'a [u8]> {
        Some(stream.get_ref().1.peer_certificates()?.first()?.as_ref())
    }

    /// Why the certificate that the server showed is not to be trusted, were anybody to ask: by the roots that were given,
    /// for this name, now. Without a name nobody knows by which one clients ask, and any will do. `None` if it is to be
    /// trusted, or if there are no roots.
    pub fn distrust<S>(
        &self,
        stream: &Stream<S>,
        server: IpAddr,
        name: Option<&str>,
    ) -> Option<rustls::Error> {
        let verifier = self.verifier.as_ref()?;
        let (first, rest) = stream.get_ref().1.peer_certificates()?.split_first()?;
        let wanted = server_name(server, name);
        // The name is looked at when all else is well.
        let is_of_name = |error: &rustls::Error| {
            use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
            matches!(
                error,
                rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })
            )
        };
        let distrust = verifier.verify_server_cert(first, rest, &wanted, &[], UnixTime::now()).err();
        distrust.filter(|error| name.is_some() || !is_of_name(error))
    }
}

/// The name of the server. An address is a name that is not sent; it stands in for what can't be one, for a server that
/// needs no name answers then.
fn server_name(server: IpAddr, name: Option<&str>) -> ServerName<'static> {
    let name = name.and_then(|name| ServerName::try_from(host(name).to_owned()).ok());
    name.unwrap_or_else(|| ServerName::from(server))
}

/// What a Host header says without its port, and without the dot of the root, which RFC 6066 has nobody send.
fn host(header: &str) -> &str {
    if let Some((address, _)) = header.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    let host = match header.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => header,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// Performs the handshake over `stream`, which is connected to `server`. Sends a server name only if `tls` has one.
///
/// # Errors
/// What the handshake failed of.
pub async fn connect<S>(stream: S, server: IpAddr, tls: &Tls) -> io::Result<Stream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let client = Client::new(None, None).map_err(io::Error::other)?;
    client.connect(stream, server, tls.server_name.as_deref()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_host_gives_the_name_that_is_sent() {
        let server = IpAddr::from([192, 0, 2, 1]);
        let dns = |name: &'static str| ServerName::try_from(name).unwrap();
        for (header, expected) in [
            ("www.example.com", dns("www.example.com")),
            ("www.example.com:8443", dns("www.example.com")),
            ("www.example.com.", dns("www.example.com")),
            ("my_host", dns("my_host")),
            ("10.0.0.1:8443", IpAddr::from([10, 0, 0, 1]).into()),
            ("[::1]:8443", IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]).into()),
            ("::1", IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]).into()),
            ("*.example.com", server.into()),
            ("no name", server.into()),
            ("", server.into()),
        ] {
            assert_eq!(server_name(server, Some(header)), expected, "{header}");
        }
        assert_eq!(server_name(server, None), server.into());
    }
}
