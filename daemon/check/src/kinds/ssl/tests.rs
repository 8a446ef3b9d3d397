//! The files of the `SSL` block.

use std::{fs, path::Path};

use keepwatch_model::Secret;

use super::*;

fn name(path: &Path) -> Option<Name> {
    Some(path.to_string_lossy().as_ref().into())
}

#[test]
fn what_the_block_names_is_read_and_what_is_wrong_with_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let at = |file: &str| folder.path().join(file);
    let made = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
    let der = made.signing_key.serialize_der();
    let key = pkcs8::PrivateKeyInfo::try_from(&der[..]).unwrap();
    // PBES2 with PBKDF2 and AES-256, as `openssl pkcs8 -topk8` makes them.
    let parameters =
        pkcs8::pkcs5::pbes2::Parameters::pbkdf2_sha256_aes256cbc(2048, &[7; 16], &[9; 16]).unwrap();
    let locked = key.encrypt_with_params(parameters, "opensesame").unwrap();
    let locked = locked.to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF).unwrap();
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    fs::write(at("cert.pem"), made.cert.pem()).unwrap();
    fs::write(at("key.pem"), made.signing_key.serialize_pem()).unwrap();
    // Text before the key is usual.
    fs::write(at("locked.pem"), format!("Bag Attributes\n{}", &*locked)).unwrap();
    fs::write(at("old.pem"), old).unwrap();
    fs::write(at("empty.pem"), "").unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["b.example".to_owned()]).unwrap();
    fs::write(at("other.pem"), other.signing_key.serialize_pem()).unwrap();
    let certificate = name(&at("cert.pem"));
    let with = |key: &str, password: Option<&str>| Ssl {
        certificate: certificate.clone(),
        key: name(&at(key)),
        password: password.map(|text| Secret::new(text.into())),
        ca: certificate.clone(),
    };
    let cases: Vec<(Ssl, Option<&str>)> = vec![
        (Ssl::default(), None),
        (with("key.pem", None), None),
        (with("locked.pem", Some("opensesame")), None),
        (with("locked.pem", Some("wrong")), Some("the password does not open it")),
        (with("locked.pem", None), Some("encrypted, and there is no `password`")),
        (with("old.pem", Some("x")), Some("openssl pkcs8 -topk8")),
        (with("nosuch.pem", None), Some("No such file")),
        (with("other.pem", None), Some("other.pem is not that of certificate ")),
        (Ssl { key: None, ..with("key.pem", None) }, None),
        (Ssl { ca: name(&at("empty.pem")), ..Ssl::default() }, Some("no certificate is in it")),
        (Ssl { ca: name(&at("nosuch.pem")), ..Ssl::default() }, Some("SSL: ca ")),
    ];
    for (ssl, expected) in cases {
        match (client(Some(&ssl)), expected) {
            (Ok(_), None) => (),
            (Err(error), Some(expected)) => assert!(error.contains(expected), "{error}"),
            (Ok(_), Some(expected)) => panic!("{ssl:?}: no error, where {expected:?} should be said"),
            (Err(error), None) => panic!("{ssl:?}: {error}"),
        }
    }
}

#[test]
fn an_alert_is_told_with_what_it_asks_for() {
    let said = |alert| {
        let error = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::AlertReceived(alert));
        match failure(&error) {
            Outcome::Failed(failure) => failure.error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    use rustls::AlertDescription::{CertificateRequired, HandshakeFailure, InternalError, ProtocolVersion};
    assert!(said(ProtocolVersion).ends_with("ProtocolVersion (it has neither TLS 1.2 nor TLS 1.3)"));
    assert!(said(CertificateRequired).contains("`certificate` and `key` of `SSL`"));
    assert!(said(HandshakeFailure).contains("ECDHE"));
    assert_eq!(said(InternalError), "TLS: received fatal alert: InternalError");
}
