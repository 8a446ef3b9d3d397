//! `genhash`: fetches a page and prints what its digest is, for the `digest` keyword of HTTP_GET and SSL_GET.
//!
//! Options are those of keepalived's genhash; arguments in, dumps and the digest on standard output. Exit code 0 when
//! there was an answer, 1 otherwise.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Parser;
use clap::error::ErrorKind;
use genhash::live::{self, Daemon, World};
use genhash::{Algorithm, HttpVersion, Request, Tls, dump};
use tokio::task::JoinSet;

/// Pages that are asked for at once where there are many.
const AT_A_TIME: usize = 32;
/// How long one of those may take to connect, and for each piece.
const PATIENCE: Duration = Duration::from_secs(3);

/// Fetch a web page and print its digest, as keepwatchd's HTTP_GET and SSL_GET checks compute it.
#[derive(Debug, Parser)]
#[command(name = "genhash", disable_version_flag = true)]
struct Arguments {
    /// Use TLS (certificates are not verified)
    #[arg(short = 'S', long)]
    use_ssl: bool,
    /// Send the virtual host as server name (SNI) in the TLS handshake
    #[arg(short = 'I', long, requires = "use_virtualhost")]
    use_sni: bool,
    /// Address or name of the server
    #[arg(short, long, value_name = "HOST", required_unless_present_any = ["release", "live"])]
    server: Option<String>,
    /// Port of the server
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..), required_unless_present_any = ["release", "live"])]
    port: Option<u16>,
    /// Path of the page
    #[arg(short, long, value_name = "PATH", required_unless_present_any = ["release", "live"])]
    url: Option<String>,
    /// Host header to send
    #[arg(short = 'V', long, value_name = "HOST")]
    use_virtualhost: Option<String>,
    /// Hash: md5, sha1 or sha256
    #[arg(short = 'H', long, default_value = "md5", value_name = "HASH")]
    hash: Algorithm,
    /// HTTP version: 1.0, 1.0c (1.0 with `Connection: close`) or 1.1
    #[arg(short = 'P', long, default_value = "1.0", value_name = "VERSION")]
    protocol: HttpVersion,
    /// Seconds to wait for the connection and for each piece of the answer
    #[arg(short, long, default_value_t = 5, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    timeout: u32,
    /// Firewall mark of the socket
    #[arg(short = 'm', long, value_name = "MARK")]
    fwmark: Option<u32>,
    /// Print everything keepalived's genhash prints with -v: header also as text, digest also as a dump, response time
    #[arg(short, long)]
    verbose: bool,
    /// Print only the digest, as keepalived's genhash does without -v
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Ask again every so many seconds, and print a line whenever the digest is another one; until it is stopped
    #[arg(short, long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["verbose", "quiet"])]
    watch: Option<u32>,
    /// List what a running daemon knows of the pages of its HTTP_GET and SSL_GET checkers. It is asked over its control
    /// socket (PATH) or over HTTP (ADDRESS:PORT) [default: /run/keepwatch/control.sock, else 127.0.0.1:9165]
    #[arg(long, value_name = "PATH | ADDRESS:PORT", num_args = 0..=1,
          conflicts_with_all = ["server", "port", "url", "watch"])]
    live: Option<Option<Daemon>>,
    /// Print the version
    #[arg(short, long)]
    release: bool,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let wanted = matches!(error.kind(), ErrorKind::DisplayHelp);
            // Nothing is left to do if not even the usage text can be written.
            let _ = error.print();
            return ExitCode::from(u8::from(!wanted));
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "genhash: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.release {
        writeln!(io::stdout(), "genhash v{}", env!("CARGO_PKG_VERSION"))?;
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if let Some(daemon) = &arguments.live {
            return live(daemon.as_ref()).await;
        }
        if let Some(pause) = arguments.watch {
            return watch(&request(arguments).await?, Duration::from_secs(pause.into())).await;
        }
        let request = request(arguments).await?;
        let started = Instant::now();
        let page = genhash::digest(&request).await?;
        let took = started.elapsed();
        print(arguments, &request, &page, took).context("standard output")
    })
}

/// Lists the pages of a daemon: of this one, or of the one that is where daemons are.
async fn live(daemon: Option<&Daemon>) -> anyhow::Result<()> {
    let world = match daemon {
        Some(daemon) => World::ask(daemon).await.context("asking the daemon")?,
        None => match World::ask(&Daemon::Socket(live::CONTROL_SOCKET.into())).await {
            Ok(world) => world,
            Err(by_socket) => World::ask(&Daemon::Listener(live::LISTENER)).await.map_err(|by_http| {
                anyhow!("no daemon answers:\n  {by_socket}\n  {by_http}\nSay where it is: --live PATH | ADDRESS:PORT")
            })?,
        },
    };
    let now = fetch(world.without_digest()).await;
    let mut out = io::BufWriter::new(io::stdout().lock());
    world.list(now, &mut out).and_then(|()| out.flush()).context("standard output")
}

/// Asks for these pages, several at a time.
async fn fetch(requests: Vec<Request>) -> Vec<Option<Result<genhash::Page, genhash::Error>>> {
    let mut pages: Vec<Option<_>> = requests.iter().map(|_| None).collect();
    let (mut waiting, mut under_way) = (requests.into_iter().enumerate(), JoinSet::new());
    loop {
        while under_way.len() < AT_A_TIME
            && let Some((at, mut request)) = waiting.next()
        {
            (request.limits.connect, request.limits.idle) = (PATIENCE, PATIENCE);
            under_way.spawn(async move { (at, genhash::digest(&request).await) });
        }
        match under_way.join_next().await {
            Some(Ok((at, page))) => pages[at] = Some(page),
            // A mistake of ours is told by who made it.
            Some(Err(_)) => {}
            None => return pages,
        }
    }
}

/// Follows a page: a line for every change of its digest, of its status, or of why it can't be had.
async fn watch(request: &Request, pause: Duration) -> anyhow::Result<()> {
    let mut last = None;
    loop {
        let now = match genhash::digest(request).await {
            Ok(page) => format!("{} (status {}, {} bytes)", page.digest, page.status, page.body.len()),
            Err(error) => format!("- ({error})"),
        };
        if last.as_ref() != Some(&now) {
            writeln!(io::stdout(), "{:.0} {now}", jiff::Timestamp::now()).context("standard output")?;
            last = Some(now);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The request that the arguments describe; a name of a server is looked up.
async fn request(arguments: &Arguments) -> anyhow::Result<Request> {
    // clap requires the three of them unless -r is given.
    let missing = || anyhow!("-s, -p and -u are needed");
    let host = arguments.server.as_deref().ok_or_else(missing)?;
    let port = arguments.port.ok_or_else(missing)?;
    let path = arguments.url.as_deref().ok_or_else(missing)?;

    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let (server, name) = match bare.parse() {
        Ok(address) => (SocketAddr::new(address, port), None),
        Err(_) => (look_up(bare, port).await?, Some(format!("{bare}:{port}"))),
    };

    let mut request = Request::new(server, path);
    request.virtual_host = arguments.use_virtualhost.clone().or(name);
    request.version = arguments.protocol;
    request.algorithm = arguments.hash;
    request.fwmark = arguments.fwmark;
    request.limits.connect = Duration::from_secs(arguments.timeout.into());
    request.limits.idle = request.limits.connect;
    request.limits.total = request.limits.total.max(request.limits.connect * 4);
    request.tls = arguments
        .use_ssl
        .then(|| Tls { server_name: arguments.use_virtualhost.clone().filter(|_| arguments.use_sni) });
    Ok(request)
}

async fn look_up(host: &str, port: u16) -> anyhow::Result<SocketAddr> {
    tokio::net::lookup_host((host, port))
        .await
        .with_context(|| format!("looking up {host}"))?
        .next()
        .with_context(|| format!("{host} has no address"))
}

fn print(arguments: &Arguments, request: &Request, page: &genhash::Page, took: Duration) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.quiet {
        writeln!(out, "{}", page.digest)?;
    } else if arguments.verbose {
        dump::verbose(&mut out, page, &request.path, took)?;
    } else {
        dump::guide(&mut out, page, request.algorithm)?;
    }
    out.flush()
}
