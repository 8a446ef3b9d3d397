//! The play: what happens to the network, step by step, and what is measured of it.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use integration::{Capture, binaries, wait, web::WebServer};
use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::{Event, Fact, subject::VrrpState};

use crate::{
    client::{Client, Summary},
    network::{Director, Network, PORT, VIP, WEB, address_of, priority_of},
    story::{Story, Voice},
    table::{Outage, Row, master_down, skew},
};

/// Set by Ctrl-C and by the other ways of asking the demo to end.
pub(crate) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long any step may take before the demo gives up.
const LIMIT: Duration = Duration::from_secs(20);
/// After a step, until all polls under way have ended.
const SETTLE: Duration = Duration::from_millis(600);

/// The network with everything that runs on it. Fields are dropped in order: what watches goes first.
pub(crate) struct Play {
    story: Arc<Story>,
    client: Client,
    wire: Capture,
    directors: [Option<Director>; 2],
    web: [Option<WebServer>; 2],
    metrics: Option<TcpListener>,
    /// What came out so far.
    pub(crate) rows: Vec<Row>,
    network: Network,
}

/// A word that a shell leaves as it is.
fn quoted(word: &str) -> String {
    if word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

impl Play {
    /// Builds the network and starts everything but the directors. `metrics` is the listening socket that the first
    /// director shall serve its metrics on.
    pub(crate) fn set_up(story: Arc<Story>, metrics: Option<TcpListener>) -> Result<Self> {
        let network = Network::new()?;
        let client = Client::start(&network.client, format!("{VIP}:{PORT}").parse()?)?;
        let wire = network.lan.capture()?;
        let mut play = Self {
            story,
            client,
            wire,
            directors: [None, None],
            web: [None, None],
            metrics,
            rows: Vec::new(),
            network,
        };
        play.start_web(0)?;
        play.start_web(1)?;
        Ok(play)
    }

    fn start_web(&mut self, i: usize) -> Result<()> {
        let host = &self.network.web[i];
        let at = format!("{}:{PORT}", WEB[i]).parse()?;
        self.web[i] = Some(WebServer::start(host, at, &format!("{}\n", host.name()))?);
        Ok(())
    }

    fn start_director(&mut self, i: usize) -> Result<()> {
        let metrics = self.metrics.as_ref().filter(|_| i == 0);
        self.directors[i] = Some(Director::start(&self.network, i, &self.story, metrics)?);
        Ok(())
    }

    fn say(&self, text: &str) {
        self.story.say(Voice::Demo, text);
    }

    /// Two directors start; the higher priority wins.
    pub(crate) fn election(&mut self) -> Result<()> {
        self.story.act("Election: two keepwatchd start, nobody has the address yet");
        self.start_director(0)?;
        self.start_director(1)?;
        let backup = self.state_of(0, VrrpState::Backup)?;
        let master = self.state_of(0, VrrpState::Master)?;
        self.vip_answers(Instant::now(), |_| true)?;
        self.both_tables_have(2)?;
        let outage = Outage { expected: master_down(priority_of(0)), measured: master.since(&backup) };
        self.rows.push(Row {
            step: "election (start to MASTER, by the bus)",
            outage: Some(outage),
            client: None,
        });
        Ok(())
    }

    /// A web server dies: the checkers take it out.
    pub(crate) fn web_server_dies(&mut self) -> Result<()> {
        self.story.act("A web server dies");
        let since = Instant::now();
        self.say("web1 stops listening");
        self.web[0] = None;
        self.both_tables_have(1)?;
        let client = self.settled(since);
        self.rows.push(Row {
            step: "web1 dies, until both directors took it out",
            outage: None,
            client: Some(client),
        });
        Ok(())
    }

    /// It comes back: the checkers put it back.
    pub(crate) fn web_server_returns(&mut self) -> Result<()> {
        self.story.act("The web server returns");
        let since = Instant::now();
        self.say("web1 listens again");
        self.start_web(0)?;
        self.both_tables_have(2)?;
        self.vip_answers(Instant::now(), |page| page == "web1")?;
        let client = self.settled(since);
        self.rows.push(Row {
            step: "web1 returns, until both put it back",
            outage: None,
            client: Some(client),
        });
        Ok(())
    }

    /// The master is killed, right after it sent an advert: the backup has to wait the longest time there is.
    pub(crate) fn master_is_killed(&mut self) -> Result<()> {
        self.story.act("The master is killed");
        let seen = self.wire.adverts_from(address_of(0)).len();
        self.until("the master sends an advert", || self.wire.adverts_from(address_of(0)).len() > seen)?;
        let master = self.directors[0].take().context("director1 does not run")?;
        let since = master.kill();
        self.say("kill -9 of all that runs on director1: supervisor, worker and forwarder");
        let measured = self.taken_over_from(0)?;
        self.vip_answers_again(since)?;
        let outage = Outage { expected: master_down(priority_of(1)), measured };
        let client = self.settled(since);
        self.rows.push(Row { step: "kill -9 of the master", outage: Some(outage), client: Some(client) });
        Ok(())
    }

    /// It returns, and its priority gives it the address back.
    pub(crate) fn master_returns(&mut self) -> Result<()> {
        self.story.act("The killed director returns and preempts");
        let since = Instant::now();
        self.say(
            "keepwatchd starts again on director1, which still has the address of before on its interface",
        );
        self.start_director(0)?;
        self.state_of(0, VrrpState::Master)?;
        self.state_of(1, VrrpState::Backup)?;
        self.vip_answers(Instant::now(), |_| true)?;
        let client = self.settled(since);
        self.rows.push(Row { step: "it returns and preempts", outage: None, client: Some(client) });
        Ok(())
    }

    /// The master is asked to stop: it says so with priority 0.
    pub(crate) fn master_stops(&mut self) -> Result<()> {
        self.story.act("The master stops cleanly");
        let since = Instant::now();
        self.say("SIGTERM to keepwatchd on director1");
        let master = self.directors[0].take().context("director1 does not run")?;
        master.stop()?;
        let measured = self.taken_over_from(0)?;
        self.vip_answers_again(since)?;
        let outage = Outage { expected: skew(priority_of(1)), measured };
        let client = self.settled(since);
        self.rows.push(Row {
            step: "clean stop of the master (priority 0)",
            outage: Some(outage),
            client: Some(client),
        });
        Ok(())
    }

    /// The command, as a shell takes it, that asks the first director why something is as it is.
    pub(crate) fn question(&self, subject: &str) -> Result<String> {
        let director = self.directors[0].as_ref().context("director1 does not run")?;
        let words = [binaries::path("keepwatch")?, director.daemon.control_path().to_owned()];
        let [program, socket] = words.map(|path| quoted(&path.to_string_lossy()));
        Ok(format!("{program} --socket {socket} why {subject}"))
    }

    /// Waits until somebody wants the end.
    pub(crate) fn stay(&self) {
        while !INTERRUPTED.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(50));
        }
    }

    fn taken_over_from(&self, i: usize) -> Result<Duration> {
        let mut outage = None;
        self.until("the other director announces the address", || {
            outage = self.wire.outage(address_of(i), VIP);
            outage.is_some()
        })?;
        outage.context("no takeover")
    }

    fn both_tables_have(&self, servers: usize) -> Result<()> {
        let tables = || self.directors.iter().flatten().map(|director| director.table.len());
        self.until(&format!("both tables have {servers} real servers"), || {
            tables().all(|count| count == servers)
        })
    }

    fn vip_answers(&self, since: Instant, page: impl Fn(&str) -> bool) -> Result<()> {
        self.until(&format!("{VIP} answers"), || self.client.answered(since, &page))?;
        let polls = self.client.polls(since);
        let answered =
            polls.iter().find_map(|poll| Some((poll.ended, poll.answer.as_ref().filter(|a| page(a))?)));
        if let Some((at, answer)) = answered {
            self.story.say_of(at, Voice::Client, &format!("{VIP} answers: {answer}"));
        }
        Ok(())
    }

    /// Waits until the client, who lost answers since then, has one again.
    fn vip_answers_again(&self, since: Instant) -> Result<()> {
        let mut again = None;
        self.until(&format!("{VIP} answers again"), || {
            again = self.client.answered_again(since);
            again.is_some()
        })?;
        if let Some(poll) = again {
            let answer = poll.answer.unwrap_or_default();
            self.story.say_of(poll.ended, Voice::Client, &format!("{VIP} answers again: {answer}"));
        }
        Ok(())
    }

    /// What the client saw since then, when all its polls have ended.
    fn settled(&self, since: Instant) -> Summary {
        let until = Instant::now();
        sleep(SETTLE);
        let summary = self.client.summary(since, until);
        let text = match summary.lost {
            0 => format!("{} polls, all answered", summary.asked),
            lost => format!("{lost} of {} polls lost", summary.asked),
        };
        self.story.say(Voice::Client, &text);
        summary
    }

    /// Waits for the event with which director number `i` enters `state`.
    fn state_of(&self, i: usize, state: VrrpState) -> Result<Event> {
        let director = self.directors[i].as_ref().context("the director does not run")?;
        let mut found = None;
        self.until(&format!("director{} is {state}", i + 1), || {
            found = director.events.try_iter().find(
                |event| matches!(&event.fact, Fact::Vrrp(VrrpFact::StateChanged { to, .. }) if *to == state),
            );
            found.is_some()
        })?;
        found.context("no such event")
    }

    fn until(&self, what: &str, mut holds: impl FnMut() -> bool) -> Result<()> {
        let logs = || {
            self.directors
                .iter()
                .flatten()
                .map(|d| d.daemon.process().log())
                .collect::<Vec<_>>()
                .join("\n---\n")
        };
        wait::until(what, LIMIT, || INTERRUPTED.load(Ordering::Relaxed) || holds())
            .with_context(|| format!("logs of the directors:\n{}", logs()))?;
        if INTERRUPTED.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }
}
