//! The checkers of a configuration, each with all that it needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use keepwatch_bus::Counters;
use keepwatch_bus::counters::CheckerCounters;
use keepwatch_bus::histogram::{Histogram, Works};
use keepwatch_bus::subject::{CheckerKey, Name, RealKey};
use keepwatch_model::{Checker, CheckerKind, Config, HttpGet, Ssl};
use keepwatch_process::Manner;

/// One checker of one real server.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Which one it is.
    pub key: CheckerKey,
    /// What it does, and when.
    pub checker: Arc<Checker>,
    /// The weight that is configured for the real server.
    pub weight: i32,
    /// What a checker that speaks TLS shows and trusts.
    pub ssl: Option<Arc<Ssl>>,
    /// How commands are run.
    pub manner: Manner,
    /// Where it counts.
    pub counters: Arc<CheckerCounters>,
    /// How long checks of this kind take, for the whole virtual server.
    pub latency: Arc<Histogram<Works>>,
}

/// The definitions of a configuration's checkers. A virtual server that answers to nothing is not checked. `umask` is the
/// command line's, for commands.
#[must_use]
pub fn definitions(config: &Config, counters: &Counters, umask: Option<u32>) -> Vec<Definition> {
    let manner = Manner::of(&config.global, umask);
    let mut definitions = Vec::new();
    // One name for each kind, however many checkers there are.
    let mut kinds: BTreeMap<&'static str, Name> = BTreeMap::new();
    let ssl = config.ssl.clone().map(Arc::new);
    for (server, services) in config.services() {
        let Some(service) = services.first().copied() else { continue };
        for real in &server.real_servers {
            for (index, checker) in (0u16..).zip(&real.checkers) {
                let keyword = checker.kind.keyword();
                let kind = kinds.entry(keyword).or_insert_with(|| keyword.into()).clone();
                let key = CheckerKey::new(RealKey { service, real: real.address }, kind, index);
                let latency = counters.checks.resolve(&(service, key.kind.clone()));
                let (key, counters) = counters.checkers.resolve_shared(&key);
                let weight = i32::try_from(real.weight.0).unwrap_or(i32::MAX);
                let speaks_tls = matches!(&checker.kind, CheckerKind::Http(HttpGet { tls: true, .. }));
                let ssl = ssl.clone().filter(|_| speaks_tls);
                let checker = checker.clone();
                definitions.push(Definition { key, checker, weight, ssl, manner, counters, latency });
            }
        }
    }
    definitions
}
