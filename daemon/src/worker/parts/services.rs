//! The side of the virtual servers: the IPVS engine, the checkers that it listens to, and the virtual router that its
//! connection synchronisation follows. In: configurations, health, changes of state. Out: a table that follows them.

use std::collections::BTreeMap;
use std::time::Duration;

use keepwatch_bus::beat::{self, Beat};
use keepwatch_bus::fact::ConsumerFact;
use keepwatch_bus::mailbox::Receiver;
use keepwatch_bus::subject::{Name, RealKey, ServiceKey, VrrpState};
use keepwatch_bus::{Bus, Counters, EventId, Reader};
use keepwatch_check::{Checkers, HealthChanges};
use keepwatch_config::Config;
use keepwatch_config::model::LvsFlushOnStop;
use keepwatch_ipvs::{Access, Desired, Engine, EngineSettings, Farewell, SyncRole};
use keepwatch_vrrp::Notice;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::own_threads::OwnThreads;
use super::present;
use super::trackers::Followed;
use crate::cli::DataplaneKind;
use crate::worker::settings::Settings;

/// What taking everything out of the table may take.
const STOP_WITHIN: Duration = Duration::from_secs(2);
/// What the end of commands of checkers may take, which have been asked to end, and are killed soon.
const COMMANDS_WITHIN: Duration = Duration::from_millis(800);

/// The side of the virtual servers.
pub(in crate::worker) struct Services {
    engine: Engine,
    checkers: Checkers,
    /// How things stand that real servers follow.
    followed: Followed,
    /// Of virtual servers with several entries in the table, each but the first, which checkers know the server by.
    firsts: BTreeMap<ServiceKey, ServiceKey>,
    /// The virtual router that connection synchronisation follows.
    follows: watch::Sender<Option<Name>>,
    /// Virtual servers whose checkers rest while their address is elsewhere.
    suspendable: watch::Sender<present::Watched>,
    flush_on_stop: LvsFlushOnStop,
    /// The command line's, for commands.
    umask: Option<u32>,
    tasks: Vec<JoinHandle<()>>,
    /// Where they run, if not with everybody else; dropped last of all.
    own: Option<OwnThreads>,
}

impl Services {
    /// Starts engine and checkers with the definitions of `config`. `notices` are the virtual routers' changes of
    /// state, where those run too; `followed` knows how things stand that real servers follow.
    pub(in crate::worker) fn start(
        settings: &Settings,
        config: &Config,
        bus: &Bus,
        reader: &Reader,
        notices: Option<Receiver<Notice>>,
        followed: Followed,
        cause: EventId,
    ) -> Self {
        raise_file_limit();
        let own = OwnThreads::start(&config.global.processes).unwrap_or_else(|error| {
            // They run all the same, though not as it was wished.
            let error = format!("a thread of their own for checkers: {error}");
            bus.publish(Some(cause), ConsumerFact::ConsumerFailed { consumer: "checkers".into(), error });
            None
        });
        let entered = own.as_ref().and_then(OwnThreads::enter);
        let engine = Engine::start(
            EngineSettings {
                dataplane: dataplane(settings.dataplane()),
                flush_at_start: config.global.lvs_flush,
                access: Access::of(&config.global),
                ..EngineSettings::default()
            },
            bus.clone(),
        );
        let (checkers, health) = Checkers::start(bus.clone(), reader.counters(), seed());
        let (follows, chosen) = watch::channel(None);
        let (suspendable, suspended) = watch::channel(present::Watched::default());
        let mut tasks = vec![
            tokio::spawn(report(health, engine.clone())),
            tokio::spawn(present::follow(suspended, checkers.clone(), engine.clone())),
        ];
        tasks.extend(notices.map(|notices| tokio::spawn(follow(notices, chosen, engine.clone()))));
        drop(entered);
        let flush_on_stop = LvsFlushOnStop::No;
        let umask = settings.cli.umask;
        followed.tell(checkers.clone());
        let firsts = BTreeMap::new();
        let mut services = Self {
            engine,
            checkers,
            followed,
            firsts,
            follows,
            suspendable,
            flush_on_stop,
            umask,
            tasks,
            own,
        };
        services.apply(config, reader.counters(), cause);
        services
    }

    /// Makes the definitions of `config` true; what did not change sees nothing.
    pub(in crate::worker) fn apply(&mut self, config: &Config, counters: &Counters, cause: EventId) {
        self.flush_on_stop = config.global.lvs_flush_on_stop;
        let followed = config.global.lvs_sync_daemon.as_ref().and_then(|daemon| daemon.instance.clone());
        self.follows.send_replace(followed);
        // First who may be in the table, then their checkers: what a check finds is about a real server that is known.
        let definitions = keepwatch_check::definitions(config, counters, self.umask);
        let (checkers, followers) = (self.checkers.clone(), keepwatch_check::followers(config));
        let told = move || checkers.apply(definitions, followers, Some(cause));
        self.engine.apply(Desired::from_config(config, counters, &self.followed.levels()), Some(cause), told);
        self.suspendable.send_replace(present::watched(config));
        self.firsts.clear();
        for (_, entries) in config.services() {
            if let Some((first, others)) = entries.split_first() {
                self.firsts.extend(others.iter().map(|other| (*other, *first)));
            }
        }
    }

    /// Gives a real server another weight.
    pub(in crate::worker) fn weigh(&self, real: RealKey, weight: u32, cause: EventId) {
        self.engine.weigh(real, weight, Some(cause));
        let service = *self.firsts.get(&real.service).unwrap_or(&real.service);
        let checkers = self.checkers.clone();
        self.engine.afterwards(move || checkers.weigh(RealKey { service, ..real }, weight, Some(cause)));
    }

    /// How engine and checkers show that they live.
    pub(in crate::worker) fn beats(&self) -> [(&'static str, Beat); 2] {
        [(beat::CHECKERS, self.checkers.beat()), (beat::IPVS, self.engine.beat())]
    }

    /// Stops checking, and takes the virtual servers out of the table unless they shall stay.
    pub(in crate::worker) async fn stop(self, settings: &Settings, cause: EventId) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.followed.be_silent();
        self.checkers.stop();
        let farewell = match self.flush_on_stop {
            _ if settings.cli.dont_release_ipvs => Farewell::Keep,
            LvsFlushOnStop::All => Farewell::Flush,
            LvsFlushOnStop::No | LvsFlushOnStop::VirtualServers => Farewell::Release,
        };
        // A kernel that hangs must not keep the daemon from ending.
        let _ = timeout(STOP_WITHIN, self.engine.stop(farewell, Some(cause))).await;
        // Nor must a command that is being killed; but none is left behind.
        let gone = async {
            while keepwatch_check::commands_under_way() > 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = timeout(COMMANDS_WITHIN, gone).await;
        drop(self.own);
    }
}

/// What checkers say, to the engine.
async fn report(mut health: HealthChanges, engine: Engine) {
    while let Some(change) = health.recv().await {
        engine.report(change.real, change.health, change.cause);
    }
}

/// What the virtual router does that connection synchronisation follows, to the engine; also when a reload makes it
/// follow another one.
async fn follow(mut notices: Receiver<Notice>, mut followed: watch::Receiver<Option<Name>>, engine: Engine) {
    let mut states = std::collections::HashMap::<Name, VrrpState>::new();
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Ok(Some(Notice::RouterState { instance, state, .. })) => {
                    states.insert(instance.clone(), state);
                    if followed.borrow().as_ref() == Some(&instance) {
                        engine.synchronize(role(state));
                    }
                }
                Ok(Some(Notice::GroupState { .. })) => {}
                // The virtual routers have stopped.
                Ok(None) | Err(_) => return,
            },
            changed = followed.changed() => {
                if changed.is_err() {
                    return;
                }
                let state = followed.borrow_and_update().as_ref().and_then(|name| states.get(name)).copied();
                engine.synchronize(state.and_then(role));
            }
        }
    }
}

/// As keepalived: the master tells of its connections, everybody else listens.
fn role(state: VrrpState) -> Option<SyncRole> {
    match state {
        VrrpState::Init => None,
        VrrpState::Master => Some(SyncRole::Master),
        VrrpState::Backup | VrrpState::Fault => Some(SyncRole::Backup),
    }
}

fn dataplane(kind: DataplaneKind) -> keepwatch_ipvs::DataplaneKind {
    match kind {
        DataplaneKind::Ipvs => keepwatch_ipvs::DataplaneKind::Kernel,
        DataplaneKind::Memory => keepwatch_ipvs::DataplaneKind::Memory,
        DataplaneKind::Shadow => keepwatch_ipvs::DataplaneKind::Shadow,
    }
}

/// Lets the process have as many sockets as the system allows: a check of a machine that does not answer holds one
/// until it times out, and there may be thousands.
fn raise_file_limit() {
    keepwatch_process::keep_file_limit();
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        // Where it is refused, checks that find no socket say so and condemn nobody.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

/// For the random delay of first checks: any number that two daemons started together do not share.
fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    (now.as_nanos() as u64) ^ (u64::from(std::process::id()) << 32)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Instant;

    use keepwatch_bus::{BusSettings, Hub};
    use keepwatch_config::{Options, load_text};
    use tokio::runtime::Builder;
    use tokio::task::spawn_blocking;

    use super::*;
    use crate::cli::Cli;

    /// The first check comes a second after the start; reading the table may take longer.
    #[test]
    fn what_a_first_check_finds_is_known_though_the_table_is_read_for_longer() {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            // The only thread that may read the table has something else to do.
            let _busy = spawn_blocking(|| std::thread::sleep(Duration::from_millis(2500)));
            let text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nreal_server 127.0.0.1 1 {\n\
                        TCP_CHECK {\nwarmup 0\n}\n}\n}\n";
            let loaded = load_text(Path::new("t"), text.to_owned(), &Options::default());
            let config = loaded.config.expect("a configuration that can run");
            let words = ["keepwatchd", "--dataplane", "memory"];
            let settings = Settings::new(Cli::read(words.map(Into::into)).unwrap());
            let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
            let reader = hub.reader();
            let hub = tokio::spawn(hub.run());
            let cause =
                bus.publish(None, ConsumerFact::ConsumerFailed { consumer: "x".into(), error: "".into() });
            let services =
                Services::start(&settings, &config, &bus, &reader, None, Followed::default(), cause);
            let failure = || {
                let world = reader.world();
                let real = world.services.values().next()?.reals.values().next()?;
                (!real.up).then(|| real.checkers.first()?.failure.clone())
            };
            let began = Instant::now();
            while failure().is_none() {
                assert!(began.elapsed() < Duration::from_secs(30), "nobody misses the server");
                sleep(Duration::from_millis(20)).await;
            }
            assert!(failure().flatten().is_some(), "it is down, and nobody knows why");
            hub.abort();
            drop(services);
        });
    }
}
