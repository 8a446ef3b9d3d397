//! The worker: the process that does the work. In: the command line, the configuration, signals. Out: everything.
//!
//! | file | what |
//! |---|---|
//! | [`settings`] | what the command line and the configuration decide together |
//! | [`configuration`] | loading a file, and what is said about its mistakes |
//! | [`publishers`] | what acts: virtual routers, checkers, the IPVS engine |
//! | [`consumers`] | what watches: log, history, control socket, HTTP, SNMP, mail |
//! | [`reload`] | from one configuration to the next |
//! | `changes` | what that changes |
//! | [`rights`] | which capabilities it keeps |
//! | [`pulse`] | the line to the supervisor, and beats over it |
//! | [`parts`] | what both are made of |
//! | `standstill` | beats of what virtual routers do not depend on |
//! | `settled` | memory that is given back |
//!
//! Order matters twice. At the start, what acts comes before what watches, for failover must not wait for a
//! listener. At the end, what acts stops first, so that what watches can still tell of it.

mod changes;
pub mod configuration;
mod consumers;
pub(crate) mod parts;
mod publishers;
pub(crate) mod pulse;
pub mod reload;
pub(crate) mod rights;
pub mod settings;
mod settled;
mod signals;
mod standstill;

use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use keepwatch_bus::fact::DaemonFact;
use keepwatch_bus::{Bus, EventId, Hub};
use keepwatch_dbus::Request;
use keepwatch_mib::SetRequest;
use keepwatch_net::{memory, namespace};
use keepwatch_vrrp::runner;
use nix::sys::signal::Signal;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::cli::Cli;
use crate::kept::Kept;
use crate::stage::{self, Started};
use crate::supervisor::line::Report;
use crate::supervisor::pulse::Pace;
use crate::supervisor::{self, EXIT_NO_CONFIG};
use crate::{config_test, systemd};
use changes::InForce;
use configuration::Accepted;
use consumers::Consumers;
use parts::dumps::Dump;
use parts::history::Earlier;
use parts::local_igmp::LocalIgmp;
use parts::placed;
use parts::saved::Saved;
use parts::turning_points::TurningPoint;
use publishers::Publishers;
use pulse::{Line, ToSupervisor};
use reload::{AtStart, Extent, Reload, Wanted};
use rights::Rights;
use settings::Settings;
use settled::Settled;
use signals::{Asked, Signals};

/// Threads of the ordinary runtime. Nothing that decides about failover runs there; two let one task be slow.
const THREADS: usize = 2;
/// Reloads that may be asked for and not yet heard.
const WANTED: usize = 16;
/// What the runtime may take to end when all is done.
const LAST_TASKS: Duration = Duration::from_millis(100);

/// Runs until told to stop; the exit status.
///
/// # Errors
/// When something is missing without which nothing can run.
pub fn run(cli: Box<Cli>, started: Started) -> Result<i32> {
    let (runtime, begun) = match begin(cli, started)? {
        ControlFlow::Continue(begun) => begun,
        ControlFlow::Break(status) => return Ok(status),
    };
    let status = begun.and_then(|begun| match begun {
        Begun::Runs(worker, signals, wanted, asked) => {
            runtime.block_on(worker.until_stopped(signals, wanted, asked))
        }
        Begun::Stopped => Ok(0),
    });
    runtime.shutdown_timeout(LAST_TASKS);
    status
}

/// The beginning of that, up to where everything runs, or the exit status. By itself, for what it needs of the stack would
/// otherwise be held for all the time that follows.
#[inline(never)]
fn begin(cli: Box<Cli>, started: Started) -> Result<ControlFlow<i32, (Runtime, Result<Begun>)>> {
    abort_with_the_vrrp_thread();
    // A worker never outlives its supervisor: it stops cleanly, as if told to.
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM).context("asking to be told of the supervisor's end")?;
    if stage::orphaned() {
        return Ok(ControlFlow::Break(supervisor::EXIT_FATAL));
    }
    let handed_in = systemd::listener();
    let Started { reason, background, line, kept, .. } = started;
    let (to_supervisor, mut line) = pulse::line(line);
    if !cli.dont_fork && !background {
        line.say_early([Report::Background]);
        return Ok(ControlFlow::Break(0));
    }
    let settings = Settings::new(*cli);
    line.say_early([Report::Supervise(settings.terms())]);
    if let Some(mask) = settings.cli.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
    }
    if let Some(lacking) = Some(&settings).filter(|s| s.vrrp()).and_then(|s| rights::lacking(s.dataplane())) {
        bail!(lacking);
    }
    let in_force = kept.as_ref().and_then(Kept::texts);
    let Some(mut accepted) = configuration::at_start(&settings, in_force.as_deref()) else {
        return Ok(ControlFlow::Break(EXIT_NO_CONFIG));
    };
    accepted.keep(kept.as_ref());
    if !line.may_begin(settings.pid_files(&accepted.config)) {
        return Ok(ControlFlow::Break(supervisor::EXIT_FATAL));
    }
    to_supervisor.say(Report::Manner(reload::manner(&accepted.config)));
    if let Some(name) = settings.process_name(&accepted.config) {
        stage::name_process(name);
    }
    if let Some(name) = &accepted.config.global.net_namespace {
        // Before there is any other thread: they all live where this one does.
        namespace::enter(name)?;
    }
    let rights = Rights::needed(&settings, &accepted);
    rights.keep().context("giving up capabilities")?;
    if !settings.vrrp() {
        // The threads of virtual routers never share a heap, and so its lock, with whoever may be held up while he has it.
        memory::share_heaps();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("keepwatch")
        .on_thread_park(memory::before_waiting)
        .enable_all()
        .build()
        .context("starting the runtime")?;
    let begun = runtime.block_on(Box::pin(Worker::begin(
        settings,
        accepted,
        rights,
        reason,
        kept,
        (to_supervisor, line),
        handed_in,
    )));
    Ok(ControlFlow::Continue((runtime, begun)))
}

/// A mistake of ours in a VRRP thread, or in the one whose sessions virtual routers follow, ends the process at once, so that
/// another one takes over in a moment; one
/// anywhere else must not take the virtual routers along.
fn abort_with_the_vrrp_thread() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        let needed = |name: &str| runner::THREADS.contains(&name) || name == keepwatch_track::BFD_THREAD;
        if std::thread::current().name().is_some_and(needed) {
            std::process::abort();
        }
    }));
}

struct Worker {
    settings: Arc<Settings>,
    to_supervisor: ToSupervisor,
    bus: Bus,
    publishers: Publishers,
    consumers: Consumers,
    at_start: AtStart,
    in_force: InForce,
    extent: Extent,
    /// Where the configuration in force is kept for the worker after this one.
    kept: Option<Kept>,
    /// How soon it is to be found out that this worker hangs.
    pace: Pace,
    rights: Rights,
    /// What is kept around reloads.
    saved: Saved,
    /// What is run at the very end.
    end: Option<TurningPoint>,
    /// When memory is given back.
    settled: Settled,
}

/// What came of the beginning.
enum Begun {
    /// Everything runs: the worker, how it hears of signals and wishes, and what somebody wanted before it could do it.
    Runs(Box<Worker>, Signals, mpsc::Receiver<Wanted>, Vec<Asked>),
    /// It was told to stop before there was anything to run.
    Stopped,
}

impl Worker {
    async fn begin(
        settings: Settings,
        accepted: Accepted,
        rights: Rights,
        restart: Option<String>,
        kept: Option<Kept>,
        (to_supervisor, mut line): (ToSupervisor, Line),
        handed_in: Option<TcpListener>,
    ) -> Result<Begun> {
        let mut signals = Signals::take().context("taking over signals")?;
        if settings.cli.ignore_sigint {
            crate::signals::ignore_interrupts().context("ignoring SIGINT")?;
        }
        let config = &accepted.config;
        if let (None, Some(mask)) = (settings.cli.umask, config.global.umask) {
            nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
        }
        let earlier = Earlier::read(&settings, config);
        let first = restart.is_none();
        let count = earlier.restarts() + 1;
        let (bus, hub) = Hub::new(earlier.bus.clone()).context("starting the bus")?;
        let mut cause =
            bus.publish(None, DaemonFact::DaemonStarted { settings: Box::new(settings.process(config)) });
        if let Some(reason) = restart {
            cause = bus.publish(Some(cause), DaemonFact::WorkerRestarted { reason, count });
        }
        let cause = bus.publish(Some(cause), configuration::loaded(&settings, config, None));
        accepted.tell(&bus, cause);
        let hub_beat = hub.heartbeat();
        let patience = placed::patience(&settings, config);
        to_supervisor.say(Report::Patience(patience));
        line.say_early(placed::possible(&settings, config));
        if config.global.disable_local_igmp
            && let Some(intention) = LocalIgmp::intention()
        {
            // What is said later waits until the pulse has begun.
            line.say_early([intention]);
        }
        let mut consumers = Consumers::start(&settings, config, earlier, hub, &bus, &to_supervisor);
        let mut asked = Vec::new();
        if let Some(script) = TurningPoint::start(&settings, config).filter(|_| first)
            && !begin_with(&script, &bus, cause, &mut signals, &mut line, &mut asked).await
        {
            drop(bus);
            consumers.finish_telling().await.stop().await;
            return Ok(Begun::Stopped);
        }
        let publishers =
            Publishers::start(&settings, config, &bus, consumers.reader(), cause, &to_supervisor)?;
        let pace = Pace::of(patience);
        publishers.turns_every(pace.turns_every());
        let runtime_beat = Arc::new(AtomicU64::new(0));
        tokio::spawn(pulse::runtime_beat(runtime_beat.clone()));
        let beats = [publishers.beat(), Some(hub_beat), Some(runtime_beat)];
        line.beat(beats).context("starting the pulse")?;
        standstill::watch(publishers.aside(), bus.downgrade()).context("starting to watch the rest")?;
        let (reloads, wanted) = mpsc::channel(WANTED);
        consumers.open(&settings, config, &bus, handed_in, reloads.clone()).await;
        tokio::spawn(parts::schedule::follow(consumers.reader().clone(), bus.downgrade(), reloads));
        if settings.cli.address_monitoring {
            parts::reflector::start(bus.downgrade()).context("starting to watch addresses")?;
        }
        if settings.cli.dump_conf {
            // Nobody may be there to read it.
            let _ = config_test::dump(config);
        }
        if !settings.cli.dont_fork {
            let _ = stage::leave_terminal();
        }
        to_supervisor.say(Report::Ready);
        if let Some(texts) = kept.as_ref().filter(|_| accepted.is_kept).and_then(Kept::texts) {
            let (bus, file) = (bus.downgrade(), settings.file.clone());
            // The files may lie on a disk that hangs.
            tokio::task::spawn_blocking(move || configuration::tell_changes(&texts, &file, &bus, cause));
        }
        let (extent, at_start) = (Extent::of(&settings, config), AtStart::of(config));
        let in_force = InForce::of(config);
        let settings = Arc::new(settings);
        let end = TurningPoint::end(&settings, config);
        let sources = accepted.sources();
        let saved = Saved::start(config, sources, consumers.reader().clone(), &bus);
        let processes = &config.global.processes;
        let mut settled = Settled::new(processes.urgent(&processes.vrrp));
        // A large configuration takes room, and its sources with it.
        drop(accepted);
        settled.soon();
        settled.after_floods(consumers.reader().clone());
        let worker = Self {
            settings,
            to_supervisor,
            bus,
            publishers,
            consumers,
            at_start,
            in_force,
            extent,
            kept,
            pace,
            rights,
            saved,
            end,
            settled,
        };
        Ok(Begun::Runs(Box::new(worker), signals, wanted, asked))
    }

    /// `asked_before`: what somebody wanted before this was able to do it.
    async fn until_stopped(
        mut self: Box<Self>,
        mut signals: Signals,
        mut wanted: mpsc::Receiver<Wanted>,
        asked_before: Vec<Asked>,
    ) -> Result<i32> {
        let mut reload = Reload::default();
        let mut managers = self.consumers.take_asked();
        for asked in asked_before {
            match asked {
                Asked::Reload => {
                    self.to_supervisor.say(Report::Reloading);
                    reload.ask(&self.settings, self.consumers.reader(), None);
                }
                Asked::Dump(dump) => self.consumers.dump(dump),
                // It would not have come so far.
                Asked::Stop(_) => {}
            }
        }
        loop {
            // A file that takes long to be read must not keep us from stopping.
            let asked = tokio::select! {
                asked = signals.next() => asked,
                // Nobody asks this way any more: then it never yields again.
                Some(wanted) = wanted.recv() => {
                    self.to_supervisor.say(Report::Reloading);
                    reload.ask(&self.settings, self.consumers.reader(), wanted);
                    continue;
                }
                Some(asked) = managed(&mut managers) => {
                    self.publishers.obey(asked);
                    continue;
                }
                asked = self.consumers.asked() => match asked.request {
                    Request::Reload => Asked::Reload,
                    Request::Announce(instance) => {
                        self.publishers.announce(instance, asked.cause);
                        continue;
                    }
                    Request::PrintData => Asked::Dump(Dump::Data),
                    Request::PrintStats => Asked::Dump(Dump::Stats),
                    Request::PrintStatsClear => Asked::Dump(Dump::ClearStats),
                },
                () = self.settled.due() => {
                    self.settled.give_back();
                    continue;
                }
                loaded = reload.loaded() => {
                    reload.answer(&self.settle(loaded));
                    self.settled.soon();
                    self.consumers.reader().counters().tallies.reloads_took.observe(reload.took());
                    if !reload.again(&self.settings, self.consumers.reader()) {
                        self.to_supervisor.say(Report::Reloaded);
                    }
                    continue;
                }
            };
            match asked {
                Asked::Reload => {
                    self.to_supervisor.say(Report::Reloading);
                    reload.ask(&self.settings, self.consumers.reader(), None);
                }
                Asked::Dump(dump) => self.consumers.dump(dump),
                Asked::Stop(reason) => {
                    let done = Box::pin(self.stop(reason)).await;
                    // Then the supervisor takes the addresses off.
                    return Ok(if done { 0 } else { supervisor::EXIT_FATAL });
                }
            }
        }
    }

    /// Whether the virtual routers have released what they are to release.
    async fn stop(mut self: Box<Self>, reason: &str) -> bool {
        self.to_supervisor.say(Report::Ending(Duration::ZERO));
        self.saved.stop();
        let begun = Instant::now();
        let cause = self.bus.publish(None, DaemonFact::DaemonStopping { reason: reason.into() });
        let done = self.publishers.stop(&self.settings, cause).await;
        let cause = self.bus.publish(Some(cause), DaemonFact::DaemonStopped { took: begun.elapsed() });
        let remaining = self.consumers.finish_telling().await;
        if let Some(script) = self.end {
            self.to_supervisor.say(Report::Ending(script.bound()));
            script.run(&self.bus, cause).await;
        }
        drop(self.bus);
        remaining.stop().await;
        done
    }
}

/// What a manager sets next; never, once nobody is left who could say so.
async fn managed(managers: &mut Option<mpsc::UnboundedReceiver<SetRequest>>) -> Option<SetRequest> {
    match managers {
        Some(managers) => managers.recv().await,
        None => std::future::pending().await,
    }
}

/// Runs the script that comes before everything; false if keepwatchd was told to stop meanwhile. `later`: what else was asked
/// for, which has to wait.
async fn begin_with(
    script: &TurningPoint,
    bus: &Bus,
    cause: EventId,
    signals: &mut Signals,
    line: &mut Line,
    later: &mut Vec<Asked>,
) -> bool {
    line.say_early([Report::Preparing(script.bound())]);
    let run = script.run(bus, cause);
    tokio::pin!(run);
    loop {
        tokio::select! {
            () = &mut run => return true,
            asked = signals.next() => match asked {
                Asked::Stop(reason) => {
                    bus.publish(None, DaemonFact::DaemonStopping { reason: reason.into() });
                    return false;
                }
                // As a signal that is held back: the same one twice is once.
                asked if later.contains(&asked) => {}
                asked @ (Asked::Reload | Asked::Dump(_)) => later.push(asked),
            }
        }
    }
}
