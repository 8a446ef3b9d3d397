//! The client of those whose receiver speaks HTTP: one POST, bounded in time, and what its answer means.

use std::time::Duration;

use keepwatch_model::Secret;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity, Response, StatusCode, Url};

/// Of an answer nobody wants to read more than this.
const LONGEST_ANSWER: usize = 64 * 1024;
/// Of an error page this much is told.
const LONGEST_REASON: usize = 200;

/// Where to post, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The whole address.
    pub url: Box<str>,
    /// Further headers: what they hold is often a password.
    pub headers: Vec<(Box<str>, Secret<Box<str>>)>,
    /// Bound of one try, from the connection to the end of the answer.
    pub timeout: Duration,
    /// Certificates (PEM) to trust instead of the system's.
    pub authority: Option<Vec<u8>>,
    /// Certificate and key (PEM, one after the other) to show.
    pub identity: Option<Secret<Box<[u8]>>>,
}

/// Why there is no such client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("`{url}` is no address: {reason}; it should be like http://10.0.0.1:4318")]
    Address {
        /// As configured.
        url: Box<str>,
        /// What is wrong.
        reason: String,
    },
    /// A header can't be sent.
    #[error("`{0}` is no header that can be sent")]
    Header(Box<str>),
    /// A certificate or key can't be used.
    #[error("certificate: {0}")]
    Certificate(String),
}

/// A client of one receiver. It keeps its connection.
#[derive(Clone, Debug)]
pub struct Client {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
}

/// What the receiver answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx: it has taken it. The body may be cut short.
    Taken(Vec<u8>),
    /// Another status.
    Status {
        /// Which.
        status: u16,
        /// In words, with the beginning of its text.
        text: String,
        /// When to come again, if it said so.
        again: Option<Duration>,
    },
    /// None.
    Nothing(String),
}

impl Client {
    /// Reads the system's certificates where the address is one of `https`, so it may take a moment.
    ///
    /// # Errors
    /// When something of the settings can't be used.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        // reqwest takes the provider of the process; that there is one already is no error.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let address = |reason: String| Error::Address { url: settings.url.clone(), reason };
        let url = Url::parse(&settings.url).map_err(|error| address(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(address("neither http nor https".into()));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let refused = || Error::Header(name.clone());
            let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| refused())?;
            value.set_sensitive(true);
            headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?, value);
        }
        let certificate = |error: reqwest::Error| Error::Certificate(whole(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("keepwatch/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            // A POST that follows becomes a GET: who moved should be told in the configuration.
            .redirect(Policy::none())
            .no_proxy();
        if let Some(pem) = &settings.authority {
            let trusted = Certificate::from_pem_bundle(pem).map_err(certificate)?;
            builder = builder.tls_certs_only(trusted);
        } else if url.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        }
        if let Some(identity) = &settings.identity {
            builder = builder.identity(Identity::from_pem(identity.reveal()).map_err(certificate)?);
        }
        Ok(Self { client: builder.build().map_err(certificate)?, url, headers })
    }

    /// Posts once.
    pub async fn post(&self, headers: &[(&'static str, &'static str)], body: Vec<u8>) -> Answer {
        let mut request = self.client.post(self.url.clone()).headers(self.headers.clone()).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match request.send().await {
            Err(error) => Answer::Nothing(whole(&error.without_url())),
            Ok(response) => answer(response).await,
        }
    }
}

/// The header that says what is posted.
pub const TYPE: &str = "content-type";

async fn answer(mut response: Response) -> Answer {
    let status = response.status();
    let again = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let location = response.headers().get(LOCATION).and_then(|value| Some(value.to_str().ok()?.to_owned()));
    let mut body = Vec::new();
    // Whether the rest comes matters no more: the status has said what became of it.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk[..chunk.len().min(LONGEST_ANSWER - body.len())]);
        if body.len() >= LONGEST_ANSWER {
            break;
        }
    }
    if status.is_success() {
        return Answer::Taken(body);
    }
    let text = reason(status, location.as_deref(), &body);
    Answer::Status { status: status.as_u16(), text, again: again.map(Duration::from_secs) }
}

fn reason(status: StatusCode, location: Option<&str>, body: &[u8]) -> String {
    if let Some(location) = location {
        return format!("it answers {status}: it has moved to {location}");
    }
    let text = String::from_utf8_lossy(&body[..body.len().min(LONGEST_REASON)]);
    let text = text.lines().next().unwrap_or("").trim();
    let colon = if text.is_empty() { "" } else { ": " };
    format!("it answers {status}{colon}{text}")
}

/// The error with all that caused it: the outermost says only `error sending request`.
fn whole(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}
