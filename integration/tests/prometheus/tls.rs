//! Certificates for these tests, and a server that shows one.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use integration::Host;
use integration::background::Acceptor;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate that signed itself, and its key, in PEM.
pub(crate) fn certificate(names: &[&str]) -> Result<(String, String)> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names)?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

/// Answers each request with an empty page, over TLS.
pub(crate) fn server(host: &Host, at: SocketAddr) -> Result<Acceptor> {
    let made = rcgen::generate_simple_self_signed(vec!["web.example".to_owned()])?;
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let config = Arc::new(config);
    Acceptor::start(host, at, "web.example", move |stream| {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let Ok(connection) = ServerConnection::new(config.clone()) else { return };
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = [0; 1024];
        if stream.read(&mut request).is_ok() {
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    })
}
