//! `HTTP_GET` and `SSL_GET`: pages are as they should be.
//!
//! Every round asks for all URLs in their order, each over a connection of its own, until one is not as it should be. The
//! exchange is genhash's, so that what is digested here is what `genhash` prints; the body is looked at as it comes, and
//! not kept.

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Weak},
    time::Duration,
};

use genhash::{Answer, Error, Exchange, HeaderError, Limits, Step, tls::Client};
use keepwatch_bus::fact::FailureReason;
use keepwatch_model::{BodyRegex, Checker, HttpGet, HttpVersion, Ssl, TlsUrl, Url};
use parking_lot::Mutex;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    connect::{self, plain, refusal, seconds},
    outcome::{Checked, Observed, Outcome},
    search::{Pattern, Search},
};

/// The whole exchange may take so many times the `connect_timeout`, which is the limit of each of its steps: a server that
/// sends one byte at a time is not waited for endlessly.
const PATIENCE: u32 = 10;

/// The largest body, in bytes.
const BODY: usize = 16 << 20;

/// The largest header, in bytes.
const HEADER: usize = 64 << 10;

/// What checks have in common: patterns that are compiled, and TLS. One for each time that definitions are taken over.
#[derive(Default)]
pub(crate) struct Workshop {
    patterns: Vec<(BodyRegex, Weak<Pattern>)>,
    tls: Option<Result<Arc<Client>, String>>,
}

impl Workshop {
    /// The pattern, compiled; the same for all that have it.
    fn pattern(&mut self, regex: &BodyRegex) -> Result<Arc<Pattern>, String> {
        let known = self.patterns.iter().find(|(known, _)| known == regex);
        if let Some(pattern) = known.and_then(|(_, pattern)| pattern.upgrade()) {
            return Ok(pattern);
        }
        let pattern = Arc::new(Pattern::new(regex).map_err(|error| format!("regex: {error}"))?);
        self.patterns.push((regex.clone(), Arc::downgrade(&pattern)));
        Ok(pattern)
    }

    /// TLS as the `SSL` block has it. Its files are read once for all checkers.
    fn tls(&mut self, ssl: Option<&Ssl>) -> Result<Arc<Client>, String> {
        self.tls.get_or_insert_with(|| super::ssl::client(ssl).map(Arc::new)).clone()
    }
}

/// The pages of one checker, ready to be asked for. There may be tens of thousands, so it holds only what cannot be had from
/// the settings at once.
#[derive(Debug)]
pub(crate) struct Pages {
    checker: Arc<Checker>,
    pages: Box<[Page]>,
    /// Without it the pages are asked for in plain text.
    tls: Option<Arc<Client>>,
}

#[derive(Debug)]
struct Page {
    pattern: Option<Arc<Pattern>>,
    seen: Mutex<Seen>,
}

/// What was seen of a page last, by its digest: only what is new is told.
#[derive(Debug, Default)]
struct Seen {
    body: Option<Box<genhash::Digest>>,
    certificate: Option<Box<genhash::Digest>>,
}

impl Seen {
    /// Whether this is another one than before; it is the one before from now on.
    fn is_new(before: &mut Option<Box<genhash::Digest>>, digest: &genhash::Digest) -> bool {
        let new = before.as_deref() != Some(digest);
        if new {
            *before = Some(Box::new(digest.clone()));
        }
        new
    }
}

impl Pages {
    /// Prepares the pages of a checker.
    ///
    /// # Errors
    /// Why they cannot be asked for: a file of the `SSL` block, a pattern.
    pub(super) fn new(
        checker: &Arc<Checker>,
        settings: &HttpGet,
        ssl: Option<&Ssl>,
        workshop: &mut Workshop,
    ) -> Result<Self, String> {
        let tls = settings.tls.then(|| workshop.tls(ssl)).transpose()?;
        let pages = settings.urls.iter().map(|url| {
            Ok(Page {
                pattern: url.regex.as_ref().map(|regex| workshop.pattern(regex)).transpose()?,
                seen: Mutex::default(),
            })
        });
        Ok(Self { pages: pages.collect::<Result<_, String>>()?, checker: checker.clone(), tls })
    }

    /// Makes one check.
    pub(super) async fn check(&self) -> Checked {
        let mut observed = Vec::new();
        let keepwatch_model::CheckerKind::Http(settings) = &self.checker.kind else {
            return Outcome::NotRun("no pages to ask for".to_owned()).into();
        };
        for (index, (url, page)) in (0u16..).zip(settings.urls.iter().zip(&self.pages)) {
            if let Err(outcome) = self.ask(settings, index, url, page, &mut observed).await {
                return Checked { outcome, observed };
            }
        }
        Checked { outcome: Outcome::GOOD, observed }
    }

    async fn ask(
        &self,
        settings: &HttpGet,
        index: u16,
        url: &Url,
        page: &Page,
        observed: &mut Vec<Observed>,
    ) -> Result<(), Outcome> {
        let mut search = match &page.pattern {
            Some(pattern) => Some(Search::new(pattern).map_err(Outcome::NotRun)?),
            None => None,
        };
        let mut body = |bytes: &[u8]| {
            if let Some(search) = &mut search {
                search.push(bytes);
            }
        };
        let exchange = Exchange {
            server: settings.connection.connect_to,
            request: &request(settings, url),
            limits: &limits(settings),
            digest: url.digest.map(|_| genhash::Algorithm::Md5),
        };
        let mut stream = connect::tcp(&settings.connection).await?;
        let answer = match (&self.tls, &url.tls) {
            (Some(client), Some(tls)) => {
                // Apart, as it needs much room while it lasts, and most checks are in plain text.
                let over_tls = self.over_tls(client, tls, stream, &exchange, (page, &mut body), observed);
                Box::pin(over_tls).await?
            }
            _ => exchange.run(&mut stream, &mut body).await,
        };
        let answer = answer.map_err(|error| failure(url, &error))?;
        judge(index, url, page, &answer, search, observed)
    }

    /// The exchange over TLS.
    async fn over_tls(
        &self,
        client: &Client,
        tls: &TlsUrl,
        stream: TcpStream,
        exchange: &Exchange<'_>,
        (page, body): (&Page, &mut impl FnMut(&[u8])),
        observed: &mut Vec<Observed>,
    ) -> Result<Result<Answer, Error>, Outcome> {
        let (server, name) = (exchange.server.ip(), tls.server_name.as_deref());
        let idle = exchange.limits.idle;
        let mut stream = handshake(client, stream, server, name, idle).await?;
        if let Some(certificate) = client.certificate(&stream) {
            let mark = genhash::Digest::of(genhash::Algorithm::Md5, certificate);
            if Seen::is_new(&mut page.seen.lock().certificate, &mark) {
                observed.extend(super::ssl::examine(client, &stream, server, name));
            }
        }
        let answer = exchange.run(&mut stream, body).await;
        if tls.compliant {
            // Whoever does not take our goodbye has answered all the same.
            let goodbye = tokio::io::AsyncWriteExt::shutdown(&mut stream);
            let _ = timeout(idle, goodbye).await;
        }
        Ok(answer)
    }
}

async fn handshake(
    client: &Client,
    stream: TcpStream,
    server: IpAddr,
    name: Option<&str>,
    limit: Duration,
) -> Result<genhash::tls::Stream<TcpStream>, Outcome> {
    match timeout(limit, client.connect(stream, server, name)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(super::ssl::failure(&error)),
        Err(_) => {
            let error = format!("no end of the TLS handshake within {}", seconds(limit));
            Err(Outcome::failed(FailureReason::Timeout, error))
        }
    }
}

/// How long each part of an exchange may take, and how much may come.
fn limits(settings: &HttpGet) -> Limits {
    let step = settings.connection.connect_timeout;
    Limits { connect: step, idle: step, total: step.saturating_mul(PATIENCE), header: HEADER, body: BODY }
}

/// The request, byte for byte as keepalived sends it.
fn request(settings: &HttpGet, url: &Url) -> Vec<u8> {
    let mut request = genhash::Request::new(settings.connection.connect_to, &*url.path);
    request.virtual_host = url.host.as_deref().map(str::to_owned);
    request.version = match settings.version {
        HttpVersion::Http10 => genhash::HttpVersion::V1_0,
        HttpVersion::Http10Close => genhash::HttpVersion::V1_0Close,
        HttpVersion::Http11 => genhash::HttpVersion::V1_1,
    };
    request.to_bytes()
}

/// Is the page as it should be? Status, digest and pattern, those that are given.
fn judge(
    index: u16,
    url: &Url,
    page: &Page,
    answer: &Answer,
    search: Option<Search>,
    observed: &mut Vec<Observed>,
) -> Result<(), Outcome> {
    let path = &url.path;
    if !url.status.contains(answer.status) {
        let error = format!("status {} for {path} is not in {}", answer.status, url.status);
        return Err(Outcome::failed(FailureReason::Status, error));
    }
    if let (Some(expected), Some(digest)) = (&url.digest, &answer.digest) {
        if Seen::is_new(&mut page.seen.lock().body, digest) {
            observed.push(Observed::Digest { url: index, digest: digest.to_string().into() });
        }
        if digest.as_bytes() != expected.0 {
            let error = format!("digest {digest} of {path} is not {expected}");
            return Err(Outcome::failed(FailureReason::Digest, error));
        }
    }
    let (Some(search), Some(regex)) = (search, &url.regex) else { return Ok(()) };
    let error = match search.finish() {
        Ok(found) if found != regex.no_match => return Ok(()),
        Ok(true) => format!("{path} matches regex `{}`", regex.pattern),
        Ok(false) => format!("{path} does not match regex `{}`", regex.pattern),
        Err(error) => format!("regex `{}` on {path}: {error}", regex.pattern),
    };
    Err(Outcome::failed(FailureReason::Regex, error))
}

/// Why there is no answer to judge.
fn failure(url: &Url, error: &Error) -> Outcome {
    let path = &url.path;
    let limit = |limit: Duration| seconds(limit);
    let (reason, error) = match error {
        Error::Io { cause, .. } if super::ssl::is_tls(cause) => return super::ssl::failure(cause),
        Error::Io { cause, .. } if cause.kind() == io::ErrorKind::ConnectionReset => {
            (FailureReason::Reset, format!("{} before the answer to {path} was there", plain(cause)))
        }
        Error::Io { cause, .. } => return refusal(cause),
        Error::TimedOut { step: Step::Receive, limit: after, .. } => {
            (FailureReason::Timeout, format!("no end of the answer to {path} within {}", limit(*after)))
        }
        Error::TimedOut { limit: after, .. } => return connect::timed_out(*after),
        Error::Header { cause: HeaderError::Nothing, .. } => {
            (FailureReason::Closed, format!("connection closed without an answer to {path}"))
        }
        Error::Header { cause: HeaderError::Incomplete(bytes), .. } => {
            (FailureReason::Closed, format!("connection closed after {bytes} bytes of the header for {path}"))
        }
        Error::Header { cause: cause @ HeaderError::TooLong(_), .. } => {
            (FailureReason::TooLarge, format!("{cause} for {path}"))
        }
        Error::Header { cause: cause @ HeaderError::Malformed(_), .. } => {
            (FailureReason::Garbage, format!("{cause} for {path}"))
        }
        Error::BodyTooLong { limit, .. } => {
            (FailureReason::TooLarge, format!("the body of {path} is longer than {limit} bytes"))
        }
        Error::Request(_) => return Outcome::NotRun(error.to_string()),
    };
    Outcome::failed(reason, error)
}
