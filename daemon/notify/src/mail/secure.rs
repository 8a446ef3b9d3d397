//! The connection to the mail server: encrypted, and as whom, as the configuration says. Nothing is sent less safely than
//! that.

use std::path::PathBuf;

use keepwatch_model::MailTls;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::ClientId;

use super::{SendError, reason, server};
use crate::MailSettings;

/// A connection over which mail can be handed over.
pub(super) async fn connect(settings: &MailSettings) -> Result<AsyncSmtpConnection, SendError> {
    let failed = |error| SendError::Server { server: server(settings), error };
    let unencrypted = |reason: String| SendError::Unencrypted { server: server(settings), reason };
    let (host, port) = &settings.server;
    let hello = ClientId::Domain(settings.helo.clone());
    let mode = settings.mail.encryption();
    let tls = match mode {
        MailTls::Off => None,
        MailTls::StartTls | MailTls::Implicit => {
            Some(parameters(host.clone(), settings.mail.certificates.clone()).await.map_err(unencrypted)?)
        }
    };
    let from_the_beginning = tls.clone().filter(|_| mode == MailTls::Implicit);
    let (at, limit) = ((host.as_str(), *port), Some(settings.connect_timeout));
    let mut connection = AsyncSmtpConnection::connect_tokio1(at, limit, &hello, from_the_beginning, None)
        .await
        .map_err(failed)?;
    if let (MailTls::StartTls, Some(tls)) = (mode, tls) {
        if !connection.can_starttls() {
            return Err(unencrypted("it offers no STARTTLS".into()));
        }
        connection.starttls(tls, &hello).await.map_err(failed)?;
    }
    if let Some(user) = &settings.mail.user {
        let credentials = Credentials::new(user.name.to_string(), user.password.reveal().to_string());
        let known = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        known.map_err(|error| SendError::User {
            server: server(settings),
            user: user.name.to_string(),
            reason: reason(&error),
        })?;
    }
    Ok(connection)
}

/// Whom to trust. Read aside: the system's list is long.
async fn parameters(host: String, certificates: Option<PathBuf>) -> Result<TlsParameters, String> {
    let read = move || {
        let mut builder = TlsParameters::builder(host);
        if let Some(file) = certificates {
            let told = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
            let pem = std::fs::read(&file).map_err(|error| told(&error))?;
            builder = builder.certificate_store(CertificateStore::None);
            builder =
                builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| told(&error))?);
        }
        builder.build_rustls().map_err(|error| error.to_string())
    };
    tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?
}
