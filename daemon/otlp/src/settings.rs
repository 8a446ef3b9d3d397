//! What the configuration and the environment say together. The environment's variables are those of OpenTelemetry's
//! specification and win, as the command line does over the file elsewhere.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use keepwatch_deliver::{Batch, http};
use keepwatch_model::{Config, Header, OtlpProtocol, Secret};

use crate::chains::Sampler;

/// The longest time that a variable may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// What is sent where.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where traces go; nowhere if `None`.
    pub traces: Option<Target>,
    /// Where log records go; nowhere if `None`.
    pub logs: Option<Target>,
    /// What is said of this host and process with each batch.
    pub resource: Vec<(String, String)>,
    /// Which traces are sent.
    pub sampler: Sampler,
    /// Of chains of nothing but checks, one in so many is sent; none if 0.
    pub one_check_in: u32,
}

/// A collector, for one signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// How it is spoken to.
    pub protocol: OtlpProtocol,
    /// Where (for gRPC without the path), with headers, bound of a try, and certificates.
    pub http: http::Settings,
    /// Whether what is sent is compressed (gzip).
    pub gzip: bool,
    /// How it is batched.
    pub batch: Batch,
    /// How much of it may wait.
    pub queue: usize,
}

/// What is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable has a value that it can't have.
    #[error("{name}=`{value}`: {expected}")]
    Variable {
        /// The variable.
        name: String,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A file that a variable names can't be read.
    #[error("{name}={path}: {error}")]
    File {
        /// The variable.
        name: String,
        /// The file.
        path: String,
        /// Why not.
        error: std::io::Error,
    },
    /// There is no client by these settings.
    #[error(transparent)]
    Client(#[from] http::Error),
    /// There is no client of gRPC by these settings.
    #[error("{url}: {reason}")]
    Grpc {
        /// The address.
        url: Box<str>,
        /// Why not.
        reason: String,
    },
}

/// Who sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The name of the host.
    pub host: String,
    /// The version of keepwatch.
    pub version: String,
    /// The process.
    pub pid: u32,
}

/// One of the two kinds of data, as it is called in variables and paths.
#[derive(Clone, Copy)]
struct Signal {
    name: &'static str,
    path: &'static str,
    batch: &'static str,
    linger: u64,
}

const TRACES: Signal = Signal { name: "TRACES", path: "v1/traces", batch: "BSP", linger: 5000 };
const LOGS: Signal = Signal { name: "LOGS", path: "v1/logs", batch: "BLRP", linger: 1000 };

impl Settings {
    /// What `config` and the environment say; `None` if nothing is to be sent. `variable` looks one up.
    ///
    /// # Errors
    /// When a variable can't be followed.
    pub fn of(
        config: &Config,
        sender: &Sender,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        // An empty variable is as good as none (OpenTelemetry specification, "Parsing empty value").
        let variables = Variables(&|name: &str| variable(name).filter(|value| !value.trim().is_empty()));
        if variables.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let traces = variables.target(config, TRACES)?;
        let logs = variables.target(config, LOGS)?;
        if traces.is_none() && logs.is_none() {
            return Ok(None);
        }
        let (sampler, one_check_in) = (variables.sampler()?, config.observability.otlp.sample_checks);
        let resource = variables.resource(config, sender)?;
        Ok(Some(Self { traces, logs, resource, sampler, one_check_in }))
    }
}

struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn get(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// The variable for one signal, else that for all, with the name of the one that it was.
    fn for_signal(&self, signal: Signal, what: &str) -> Option<(String, String)> {
        let names =
            [format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.name), format!("OTEL_EXPORTER_OTLP_{what}")];
        names.into_iter().find_map(|name| self.get(&name).map(|value| (name, value)))
    }

    fn target(&self, config: &Config, signal: Signal) -> Result<Option<Target>, Error> {
        let exporter = format!("OTEL_{}_EXPORTER", signal.name);
        match self.get(&exporter).as_deref() {
            Some("none") => return Ok(None),
            Some("otlp") | None => {}
            Some(value) => return Err(refused(&exporter, value, "it is `otlp` or `none` here")),
        }
        let written = &config.observability.otlp;
        let own = self.get(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.name));
        let common = self.get("OTEL_EXPORTER_OTLP_ENDPOINT");
        let from_file = common.is_none() && own.is_none();
        let common = common.or_else(|| written.endpoint.as_ref().map(ToString::to_string));
        let protocol = match self.for_signal(signal, "PROTOCOL") {
            None => written.protocol,
            Some((name, value)) => match value.as_str() {
                "grpc" => OtlpProtocol::Grpc,
                "http/protobuf" => OtlpProtocol::Http,
                value => return Err(refused(&name, value, "it is `grpc` or `http/protobuf` here")),
            },
        };
        let url = match (own, common, protocol) {
            (Some(url), ..) | (None, Some(url), OtlpProtocol::Grpc) => url,
            (None, Some(url), OtlpProtocol::Http) => format!("{}/{}", url.trim_end_matches('/'), signal.path),
            (None, None, _) => return Ok(None),
        };
        let timeout = match self.for_signal(signal, "TIMEOUT") {
            Some((name, value)) => milliseconds(&name, &value)?,
            None => written.timeout,
        };
        // What is meant for one collector is not told to another.
        let mut headers = if from_file { of_file(&written.headers) } else { Vec::new() };
        if let Some((name, value)) = self.for_signal(signal, "HEADERS") {
            headers = pairs(&name, &value)?
                .into_iter()
                .map(|(name, value)| (name.into(), Secret::new(value.into())))
                .collect();
        }
        let gzip = match self.for_signal(signal, "COMPRESSION") {
            None => false,
            Some((_, value)) if value == "none" => false,
            Some((_, value)) if value == "gzip" => true,
            Some((name, value)) => return Err(refused(&name, &value, "it is `gzip` or `none`")),
        };
        let authority = self.for_signal(signal, "CERTIFICATE").map(|named| file(&named)).transpose()?;
        let identity = match self.for_signal(signal, "CLIENT_CERTIFICATE") {
            None => None,
            Some(certificate) => {
                let mut pem = file(&certificate)?;
                if let Some(key) = self.for_signal(signal, "CLIENT_KEY") {
                    pem.push(b'\n');
                    pem.extend(file(&key)?);
                }
                Some(Secret::new(pem.into()))
            }
        };
        let number = |what: &str, default: usize| {
            let name = format!("OTEL_{}_{what}", signal.batch);
            let parsed = |value: String| {
                let number = value.trim().parse().ok().filter(|number| (1..=1_000_000).contains(number));
                number.ok_or_else(|| refused(&name, &value, "it is a number from 1 to 1000000"))
            };
            self.get(&name).map_or(Ok(default), parsed)
        };
        let queue = number("MAX_QUEUE_SIZE", 2048)?;
        let size = number("MAX_EXPORT_BATCH_SIZE", 512)?.min(queue);
        let name = format!("OTEL_{}_SCHEDULE_DELAY", signal.batch);
        let linger = match self.get(&name) {
            Some(value) => milliseconds(&name, &value)?,
            None => Duration::from_millis(signal.linger),
        };
        let http = http::Settings { url: url.into(), headers, timeout, authority, identity };
        Ok(Some(Target { protocol, http, gzip, batch: Batch { size, linger }, queue }))
    }

    fn sampler(&self) -> Result<Sampler, Error> {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(sampler) = self.get(NAME) else { return Ok(Sampler::AlwaysOn) };
        // Our roots have no parents elsewhere, so that what a parent decides never comes into it.
        match sampler.strip_prefix("parentbased_").unwrap_or(&sampler) {
            "always_on" => Ok(Sampler::AlwaysOn),
            "always_off" => Ok(Sampler::AlwaysOff),
            "traceidratio" => {
                let Some(value) = self.get(ARGUMENT) else { return Ok(Sampler::AlwaysOn) };
                let ratio = f64::from_str(value.trim()).ok().filter(|ratio| (0.0..=1.0).contains(ratio));
                ratio
                    .map(Sampler::Ratio)
                    .ok_or_else(|| refused(ARGUMENT, &value, "it is a number from 0 to 1"))
            }
            _ => Err(refused(
                NAME,
                &sampler,
                "it is `always_on`, `always_off` or `traceidratio`, or one of these after `parentbased_`",
            )),
        }
    }

    fn resource(&self, config: &Config, sender: &Sender) -> Result<Vec<(String, String)>, Error> {
        const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let mut all: Vec<(String, String)> = [
            ("service.name", "keepwatch"),
            ("service.version", &sender.version),
            ("service.instance.id", &sender.host),
            ("host.name", &sender.host),
            ("process.pid", &sender.pid.to_string()),
            ("keepwatch.router_id", &config.global.router_id),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let mut set = |name: String, value: String| match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => all.push((name, value)),
        };
        if let Some(value) = self.get(NAME) {
            pairs(NAME, &value)?.into_iter().for_each(|(name, value)| set(name, value));
        }
        if let Some(name) = self.get("OTEL_SERVICE_NAME") {
            set("service.name".into(), name);
        }
        Ok(all)
    }
}

fn refused(name: &str, value: &str, expected: &'static str) -> Error {
    Error::Variable { name: name.into(), value: value.into(), expected }
}

fn of_file(headers: &[Header]) -> Vec<(Box<str>, Secret<Box<str>>)> {
    headers.iter().map(|header| (header.name.clone(), header.value.clone())).collect()
}

fn milliseconds(name: &str, value: &str) -> Result<Duration, Error> {
    let time = value.trim().parse().ok().map(Duration::from_millis);
    time.filter(|time| *time <= LONGEST && !time.is_zero())
        .ok_or_else(|| refused(name, value, "it is a number of milliseconds from 1 to 3600000"))
}

fn file((name, path): &(String, String)) -> Result<Vec<u8>, Error> {
    std::fs::read(Path::new(path)).map_err(|error| Error::File {
        name: name.clone(),
        path: path.clone(),
        error,
    })
}

/// `name=value,name=value`, percent-encoded (W3C Baggage, section 3.3.1). The error does not show the value: it may be a
/// password.
fn pairs(name: &str, text: &str) -> Result<Vec<(String, String)>, Error> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let key = decoded(key.trim())?;
        (!key.is_empty()).then_some((key, decoded(value.trim())?))
    };
    let all: Option<Vec<_>> = text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect();
    all.ok_or_else(|| {
        refused(name, "…", "it is a list like `name=value,other=value`, with `%20` for a space")
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16);
                bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
                after
            }
            (b'%', _) => return None,
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
