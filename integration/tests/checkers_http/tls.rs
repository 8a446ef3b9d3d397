//! `SSL_GET`: servers with TLS, and the ways in which it fails.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use integration::background::Acceptor;
use integration::{Lab, keepwatchd::Keepwatchd, wait};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, server::WebPkiClientVerifier};

use crate::HELLO;
use crate::answers;
use crate::cells::{self, Cell, DOWN, Server, cell};

/// A certificate that signed itself, with its key, in PEM.
fn self_signed(name: &str) -> Result<(String, String, ServerConfigParts)> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()])?;
    let key: PrivateKeyDer<'static> = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    Ok((made.cert.pem(), made.signing_key.serialize_pem(), (made.cert.der().clone(), key)))
}

type ServerConfigParts = (rustls::pki_types::CertificateDer<'static>, PrivateKeyDer<'static>);

fn builder() -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?)
}

fn config() -> Option<Arc<ServerConfig>> {
    static CONFIG: OnceLock<Option<Arc<ServerConfig>>> = OnceLock::new();
    let make = || {
        let (_, _, (certificate, key)) = self_signed("web.example")?;
        let config = builder()?.with_no_client_auth().with_single_cert(vec![certificate], key)?;
        anyhow::Ok(Arc::new(config))
    };
    CONFIG.get_or_init(|| make().ok()).clone()
}

/// Answers with the page over TLS; gives the name that the client sent. Ends without a goodbye, as many servers do.
fn answer(config: Arc<ServerConfig>, stream: TcpStream, page: &[u8]) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    answers::request(&mut stream)?;
    stream.write_all(page).ok()?;
    stream.flush().ok()?;
    Some(stream.conn.server_name().unwrap_or_default().to_owned())
}

fn good(stream: TcpStream) {
    if let Some(config) = config() {
        answer(config, stream, answers::PAGE);
    }
}

fn other_body(stream: TcpStream) {
    if let Some(config) = config() {
        answer(config, stream, b"HTTP/1.1 200 OK\r\n\r\nhello there");
    }
}

fn refuses_client(stream: TcpStream) {
    static CONFIG: OnceLock<Option<Arc<ServerConfig>>> = OnceLock::new();
    if let Some(config) = CONFIG.get_or_init(|| no_client_fits().ok()).clone() {
        answer(config, stream, answers::PAGE);
    }
}

/// Wants a certificate that nobody has.
fn no_client_fits() -> Result<Arc<ServerConfig>> {
    let (_, _, (certificate, key)) = self_signed("web.example")?;
    let mut roots = RootCertStore::empty();
    roots.add(self_signed("nobody.example")?.2.0)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    Ok(Arc::new(builder()?.with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key)?))
}

fn plain_text(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    answers::linger(stream);
}

/// Resets once the client has said something.
fn resets(mut stream: TcpStream) {
    let _ = std::io::Read::read(&mut stream, &mut [0; 1]);
    answers::reset(stream);
}

fn closes(stream: TcpStream) {
    drop(stream.shutdown(std::net::Shutdown::Write));
    answers::linger(stream);
}

fn ssl_get(timeout: &str) -> String {
    format!("SSL_GET {{\n connect_timeout {timeout}\n url {{\n path /page\n digest {HELLO}\n }}\n }}")
}

#[test]
fn a_tls_server_that_fails_in_any_way_leaves_and_comes_back() -> Result<()> {
    let cells = [
        DOWN,
        cell(other_body, "digest", "of /page is not 5eb63bbbe01eeed093cb22bb8f5acdc3"),
        cell(plain_text, "tls", "TLS: the server does not speak it on this port"),
        cell(closes, "tls", "TLS: the server ended the connection within the handshake"),
        cell(resets, "tls", "TLS: connection reset by peer within the handshake"),
        cell(refuses_client, "tls", "TLS: received fatal alert: CertificateRequired (it wants a certificate"),
        Cell { timeout: "1", ..cell(answers::silent, "timeout", "no end of the TLS handshake within 1s") },
    ];
    cells::play("tls-matrix", good, &cells, "", ssl_get)
}

#[test]
fn names_certificates_and_keys_go_where_they_should_and_the_end_of_a_certificate_is_measured() -> Result<()> {
    let lab = Lab::new("tls-names")?;
    let host = lab.host("director")?;
    let (web, _, (certificate, key)) = self_signed("web.example")?;
    let (client, client_key, (client_der, _)) = self_signed("client.example")?;
    let mut roots = RootCertStore::empty();
    roots.add(client_der)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
    let config = builder()?.with_client_cert_verifier(verifier).with_single_cert(vec![certificate], key)?;
    let config = Arc::new(config);
    let (sender, names) = std::sync::mpsc::channel();
    let _server = Acceptor::start(&host, ([127, 0, 1, 1], 443).into(), "tls", move |stream| {
        let (config, sender) = (Arc::clone(&config), sender.clone());
        drop(thread::Builder::new().spawn(move || {
            if let Some(name) = answer(config, stream, answers::PAGE) {
                let _ = sender.send(name);
            }
        }));
    })?;
    let file = |name: &str, text: &str| host.file(name, text).map(|path| path.display().to_string());
    let ssl = format!(
        "SSL {{\n certificate {}\n key {}\n ca {}\n}}\n",
        file("client.pem", &client)?,
        file("client.key", &client_key)?,
        file("ca.pem", &web)?
    );
    let url = "url {\n path /\n }\n";
    let text = format!(
        "{ssl}virtual_server 10.78.9.9 443 {{\n delay_loop 0.3\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n warmup 0\n \
         real_server 127.0.1.1 443 {{\n SSL_GET {{\n virtualhost host.example\n {url} }}\n \
         SSL_GET {{\n virtualhost host.example\n enable_sni\n {url} }}\n \
         SSL_GET {{\n virtualhost host.example\n sni_name other.example\n tls_compliant\n {url} }}\n }}\n}}\n"
    );
    let daemon = Keepwatchd::on(&host).config(text).flags(&["--check", "--dataplane", "memory"]).start()?;
    let mut missing = vec!["", "host.example", "other.example"];
    while !missing.is_empty() {
        let came = names.recv_timeout(wait::LONG).with_context(|| daemon.process().log())?;
        ensure!(["", "host.example", "other.example"].contains(&&*came), "{came:?} was sent");
        missing.retain(|name| *name != came);
    }
    // The certificate of rcgen holds until the year 4096; it is for another name than the one that is sent, which is told
    // and condemns nobody.
    let until = || daemon.metric("keepwatch_check_certificate_not_after_timestamp_seconds", &["index=\"1\""]);
    let end = wait::value("the end of the certificate is measured", wait::LONG, until)?;
    ensure!(end > 4e9, "{end}");
    daemon.wait_for_log("service [127.0.1.1]:tcp:443 shows the certificate of CN=rcgen self signed cert")?;
    let distrusted = daemon.metric("keepwatch_check_certificate_distrusted", &["index=\"1\""]);
    ensure!(distrusted == Some(1.0), "{distrusted:?}");
    // Where no name is sent nobody knows by which one clients ask.
    let nameless = daemon.metric("keepwatch_check_certificate_distrusted", &["index=\"0\""]);
    ensure!(nameless == Some(0.0), "{nameless:?}");
    wait::until("it is up all the same", wait::LONG, || {
        daemon.metric("keepwatch_real_server_up", &["real_server=\"127.0.1.1:443\""]) == Some(1.0)
    })?;
    // A file that is not there: nobody is condemned, the file is named, and nobody says that the server is well.
    let text = fs::read_to_string(daemon.config_path())?;
    fs::write(daemon.config_path(), text.replace("client.key", "nosuch.key"))?;
    daemon.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    daemon.wait_for_log("nosuch.key: No such file or directory")?;
    let of_server = |metric| daemon.metric(metric, &["real_server=\"127.0.1.1:443\""]);
    let known = || (of_server("keepwatch_real_server_up"), of_server("keepwatch_real_server_checked"));
    wait::until("nobody knows how it is", wait::LONG, || known() == (None, Some(0.0)))?;
    let shown = daemon.answer(&["status"])?;
    ensure!(shown.contains("checks can't be made") && shown.contains("nosuch.key: No such file"), "{shown}");
    ensure!(
        shown.lines().any(|line| line.contains("127.0.1.1:443") && line.contains("unchecked")),
        "{shown}"
    );
    // The file is there again, and a check was made.
    fs::write(daemon.config_path(), text)?;
    daemon.process().signal(nix::sys::signal::Signal::SIGHUP)?;
    wait::until("it is known to be up", wait::LONG, || known() == (Some(1.0), Some(1.0)))?;
    let shown = daemon.answer(&["status"])?;
    ensure!(!shown.contains("can't be made"), "{shown}");
    Ok(())
}

/// 200 checkers of one server, for a while.
pub(crate) fn two_hundred(span: Duration) -> Result<()> {
    static ANSWERED: AtomicU32 = AtomicU32::new(0);
    static CAME: AtomicBool = AtomicBool::new(false);
    fn counted(stream: TcpStream) {
        CAME.store(true, Ordering::Relaxed);
        if config().and_then(|config| answer(config, stream, answers::PAGE)).is_some() {
            ANSWERED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let lab = Lab::new("tls-many")?;
    let host = lab.host("director")?;
    let _server = Server::start(&host, ([127, 0, 1, 1], 443).into(), counted)?;
    let mut text = "virtual_server 10.78.9.9 443 {\n delay_loop 1\n lvs_sched rr\n lvs_method NAT\n protocol TCP\n retry 0\n"
        .to_owned();
    for port in 1..=200 {
        text += &format!(
            " real_server 127.0.1.1 {port} {{\n SSL_GET {{\n connect_timeout 5\n connect_port 443\n url {{\n path /\n digest {HELLO}\n }}\n }}\n }}\n"
        );
    }
    text += "}\n";
    let daemon = Keepwatchd::on(&host).config(text).flags(&["--check", "--dataplane", "memory"]).start()?;
    wait::until("checks come", wait::LONG, || CAME.load(Ordering::Relaxed))?;
    let began = Instant::now();
    wait::until("1000 checks were answered", wait::LONG, || {
        ANSWERED.load(Ordering::Relaxed) >= 1000 && began.elapsed() >= span
    })?;
    let log = daemon.process().log();
    ensure!(!log.contains("failed"), "a server that is well was thought ill\n{log}");
    Ok(())
}
