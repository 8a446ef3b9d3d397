//! Webhooks at a real HTTP server: events with their chains, alerts that begin and end, and receivers that are no use.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use integration::{
    Capture, Host, Instance, Lab, amount, capture, conf, http,
    keepwatchd::{Keepwatchd, Settings},
    pair::OURS,
    receiver::{Received, Receiver, Reply},
    wait,
    web::WebServer,
};
use jiff::Timestamp;
use serde_json::Value;

const RECEIVER: &str = "127.0.0.1:9999";
const WEB: &str = "127.0.0.1:8081";
/// The interval of adverts: long enough that a busy machine alone never makes a peer take over.
const INTERVAL: Duration = Duration::from_millis(500);

struct Scene {
    wire: Capture,
    host: Host,
    receiver: Receiver,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let (lan, mut hosts) = Lab::new(name)?.routers(1)?;
        let (wire, host) = (lan.capture()?, hosts.remove(0));
        let receiver = Receiver::start(&host, RECEIVER.parse()?)?;
        Ok(Self { wire, host, receiver })
    }

    /// A keepwatchd with these webhooks.
    fn director(&self, webhooks: &str) -> Settings {
        let config = Instance::new("VI_1").interval("0.5").version_3("")
            + &conf::virtual_server(&conf::real_server(WEB, ""))
            + &format!("observability {{\n{webhooks}\n}}\n");
        Keepwatchd::on(&self.host).config(config).flags(&["--dataplane", "memory"])
    }

    fn web(&self) -> Result<WebServer> {
        WebServer::start(&self.host, WEB.parse()?, "one")
    }
}

fn json(received: &[Received]) -> Vec<Value> {
    received.iter().filter_map(|request| serde_json::from_slice(&request.body).ok()).collect()
}

fn up(director: &Keepwatchd, value: f64) -> Result<()> {
    wait::until(&format!("the real server's state is {value}"), wait::LONG, || {
        director.metric("keepwatch_real_server_up", &[]) == Some(value)
    })
}

#[test]
fn an_event_is_posted_with_its_chain_and_only_what_is_wanted() -> Result<()> {
    let scene = Scene::new("hook-event")?;
    let mut director = scene
        .director(
            "webhook pager {
                 url http://127.0.0.1:9999/hook?team=a
                 header authorization \"Bearer secret-1\"
                 kinds state_changed real_server_removed daemon_stopped
             }
             webhook other {
                 url http://127.0.0.1:9999/other
                 subjects 127.0.0.1:8081
             }",
        )
        .start()?;
    let web = scene.web()?;
    up(&director, 1.0)?;
    drop(web);
    up(&director, 0.0)?;
    let of = |path: &str| -> Vec<Received> {
        scene.receiver.taken().into_iter().filter(|request| request.path == path).collect()
    };
    let find =
        |path: &str, kind: &str| json(&of(path)).into_iter().find(|message| message["event"]["kind"] == kind);
    let removed = wait::value("the removal is posted", wait::LONG, || find("/hook", "real_server_removed"))
        .with_context(|| director.process().log())?;
    let chain: Vec<&str> = removed["chain"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|event| event["kind"].as_str())
        .collect();
    ensure!(chain.contains(&"check_failed") && chain.last() == Some(&"real_server_removed"), "{chain:?}");
    assert_eq!((&removed["router_id"], &removed["event"]["real"]), (&"lab".into(), &WEB.into()));

    let master = |message: &Value| message["event"]["to"] == "MASTER";
    wait::until("the mastership is posted", wait::LONG, || json(&of("/hook")).iter().any(master))?;
    for request in of("/hook") {
        assert_eq!(request.header("authorization"), Some("Bearer secret-1"));
        assert_eq!(request.header("content-type"), Some("application/json"));
        let message: Value = serde_json::from_slice(&request.body)?;
        assert_eq!(request.header("x-keepwatch-event"), Some(&*message["event"]["id"].to_string()));
        let kind = message["event"]["kind"].as_str().context("a kind")?;
        ensure!(["state_changed", "real_server_removed"].contains(&kind), "{kind}");
    }
    wait::until("the other hears of the server", wait::LONG, || {
        find("/other", "real_server_removed").is_some()
    })?;
    ensure!(!json(&of("/other")).iter().any(master), "it wants nothing of VI_1");

    let page = director.get("/api/v1/world")?.body + &director.process().log();
    ensure!(!page.contains("secret-1"), "the secret is told");
    director.process_mut().stop(wait::LONG)?;
    ensure!(find("/hook", "daemon_stopped").is_some(), "the last event is posted too");
    Ok(())
}

#[test]
fn alerts_begin_last_and_end() -> Result<()> {
    let scene = Scene::new("hook-alerts")?;
    let director =
        scene.director("webhook am {\n url http://127.0.0.1:9999\n form alertmanager\n}").start()?;
    let web = scene.web()?;
    up(&director, 1.0)?;
    drop(web);
    let alerts = || -> Vec<Value> {
        let taken = scene.receiver.taken();
        assert!(taken.iter().all(|request| request.path == "/api/v2/alerts"));
        json(&taken).into_iter().flat_map(|alerts| alerts.as_array().cloned().unwrap_or_default()).collect()
    };
    let down = |ended: bool| {
        alerts().into_iter().find(|alert| {
            alert["labels"]["alertname"] == "KeepwatchRealServerDown" && alert["endsAt"].is_string() == ended
        })
    };
    let begun = wait::value("the alert begins", wait::LONG, || down(false))
        .with_context(|| director.process().log())?;
    assert_eq!(begun["labels"]["real_server"], "[127.0.0.1]:tcp:8081");
    let _web = scene.web()?;
    let ended = wait::value("the alert ends", wait::LONG, || down(true))?;
    assert_eq!((&ended["labels"], &ended["startsAt"]), (&begun["labels"], &begun["startsAt"]));
    Ok(())
}

#[test]
fn a_receiver_that_is_no_use_delays_nothing_and_gets_everything_once_in_the_end() -> Result<()> {
    let scene = Scene::new("hook-dead")?;
    scene.receiver.reply(Reply::Silence);
    let director = scene
        .director("webhook pager {\n url http://127.0.0.1:9999/hook\n timeout 0.5\n kinds vrrp check\n}")
        .start()?;
    director.wait_for_log("(VI_1) Entering MASTER STATE")?;
    wait::until("the first advert is on the wire", wait::SHORT, || {
        !scene.wire.adverts_from(OURS).is_empty()
    })?;
    let since = capture::now();
    director.wait_for_log("webhook pager: not delivered")?;
    director.wait_for_log("no answer in time")?;
    // It hangs, answers 500, and is not there at all, while things happen.
    let web = scene.web()?;
    up(&director, 1.0)?;
    scene.receiver.reply(Reply::Status(500));
    drop(web);
    up(&director, 0.0)?;
    wait::until("the refusal is seen", wait::LONG, || {
        scene.receiver.received().iter().any(|request| request.reply == Reply::Status(500))
    })?;
    let counted = |metric: &str| director.metric(metric, &["webhook pager"]);
    assert_eq!(counted("keepwatch_delivery_works"), Some(0.0));
    assert_eq!(counted("keepwatch_delivery_lost_total"), Some(0.0));
    ensure!(director.answer(&["status"])?.contains("webhook pager"));
    // A peer would take over after three.
    scene.wire.is_in_time(OURS, since, 3 * INTERVAL)?;

    scene.receiver.reply(Reply::Status(204));
    wait::until("it is delivered again", Duration::from_secs(60), || {
        counted("keepwatch_delivery_works") == Some(1.0)
    })
    .with_context(|| director.process().log())?;
    // Everything that was to be posted has come, once.
    let events: Vec<Value> = serde_json::from_str(&director.get("/api/v1/events?limit=1000")?.body)?;
    let wanted = |event: &&Value| {
        ["(VI_1)", "check", "Check"]
            .iter()
            .any(|word| event["text"].as_str().is_some_and(|text| text.contains(word)))
    };
    let wanted: Vec<u64> = events.iter().filter(wanted).filter_map(|event| event["id"].as_u64()).collect();
    let taken = || times(&scene.receiver.taken());
    wait::until("all have come", wait::LONG, || {
        let taken = taken();
        wanted.iter().all(|id| taken.contains_key(id))
    })
    .with_context(|| format!("{wanted:?}\n{:?}", taken()))?;
    ensure!(taken().values().all(|times| *times == 1), "{:?}", taken());
    Ok(())
}

/// Which events were taken, and how often each.
fn times(taken: &[Received]) -> BTreeMap<u64, u32> {
    let mut times = BTreeMap::new();
    for message in json(taken) {
        *times.entry(message["event"]["id"].as_u64().unwrap_or(0)).or_default() += 1;
    }
    times
}

/// Where each of them is. What hangs and what fails is there from the beginning.
const HANGS: &str = "127.0.0.1:9991";
const FAILS: &str = "127.0.0.1:9992";
const REFUSES: &str = "127.0.0.1:9993";
/// Messages that may wait for the one that has little room.
const ROOM: usize = 2;

/// For a minute with `KEEPWATCH_FULL`.
#[test]
fn receivers_that_hang_refuse_and_fail_make_nothing_late_and_lose_nothing_within_the_bound() -> Result<()> {
    let Scene { wire, host, receiver } = Scene::new("hook-no-use")?;
    let hangs = Receiver::start(&host, HANGS.parse()?)?;
    hangs.reply(Reply::Silence);
    let fails = Receiver::start(&host, FAILS.parse()?)?;
    fails.reply(Reply::Status(500));
    let hook = |name: &str, at: &str, more: &str| {
        format!("webhook {name} {{\n url http://{at}/{name}\n timeout 0.5\n kinds vrrp check\n {more}\n}}\n")
    };
    let hooks = [
        hook("hangs", HANGS, ""),
        hook("fails", FAILS, ""),
        hook("refuses", REFUSES, ""),
        hook("narrow", FAILS, &format!("queue {ROOM}")),
        hook("well", RECEIVER, ""),
    ];
    let config = Instance::new("VI_1").interval("0.5").version_3("")
        + &conf::virtual_server(&conf::real_server(WEB, ""))
        + &format!("observability {{\n{}}}\n", hooks.concat());
    let director = Keepwatchd::on(&host).config(config).flags(&["--dataplane", "memory"]).start()?;
    director.wait_for_log("(VI_1) Entering MASTER STATE")?;
    wait::until("the first advert is on the wire", wait::SHORT, || !wire.adverts_from(OURS).is_empty())?;
    let counted = |name: &str, metric: &str| {
        director.metric(&format!("keepwatch_delivery_{metric}"), &[&format!("consumer=\"webhook {name}\"")])
    };
    let (since, span) = (capture::now(), Duration::from_secs(amount(4, 62).into()));
    while capture::now() - since < span {
        let web = WebServer::start(&host, WEB.parse()?, "one")?;
        up(&director, 1.0)?;
        drop(web);
        up(&director, 0.0)?;
    }
    // Adverts go on, and the one that is well has been told of everything while the others were not.
    wire.is_in_time(OURS, since, 3 * INTERVAL)?;
    let removals = || ids(&json(&receiver.taken()), "real_server_removed").len();
    let events: Vec<Value> =
        serde_json::from_str(&director.get("/api/v1/events?limit=1000&kind=real_server_removed")?.body)?;
    wait::until("the one that is well has heard of each removal", wait::SHORT, || {
        removals() == events.len()
    })?;
    let late = receiver.taken().iter().filter_map(lateness).max().context("nothing was taken")?;
    println!("the one that is well hears of an event after {:.1} ms at most", late.as_secs_f64() * 1e3);
    for name in ["hangs", "fails", "refuses", "narrow"] {
        assert_eq!(counted(name, "works"), Some(0.0), "{name}");
        assert_eq!(counted(name, "delivered_total"), Some(0.0), "{name}");
        ensure!(counted(name, "failed_tries_total") > Some(1.0), "{name} was tried again");
    }
    // They are among what is wrong now, with the event that says since when.
    let why = director.answer(&["why"])?;
    ensure!(why.contains("! webhook refuses") && why.contains("webhook refuses: not delivered, "), "{why}");

    hangs.reply(Reply::Status(204));
    fails.reply(Reply::Status(200));
    let refuses = Receiver::start(&host, REFUSES.parse()?)?;
    // The last of it may still be on its way to the one that is well too.
    let all = || times(&receiver.taken());
    for (name, receiver) in [("hangs", &hangs), ("fails", &fails), ("refuses", &refuses)] {
        let taken = || of(&receiver.taken(), name);
        // The longest pause between two tries is half a minute.
        wait::until(&format!("all has come to the one that {name}"), Duration::from_secs(90), || {
            times(&taken()) == all() && counted(name, "works") == Some(1.0)
        })
        .with_context(|| format!("{:?}\n{:?}\n{}", times(&taken()), all(), director.process().log()))?;
        ensure!(ids(&json(&taken()), "").is_sorted(), "{name}: in the order in which they happened");
        assert_eq!(counted(name, "lost_total"), Some(0.0), "{name}");
    }
    // Beyond the bound the oldest are lost, and that is told: the one that is being tried stays beside those that wait.
    let narrow = || of(&fails.taken(), "narrow");
    wait::until("the narrow one works again", Duration::from_secs(90), || {
        counted("narrow", "works") == Some(1.0)
    })?;
    wait::until("the last has come", wait::SHORT, || {
        times(&narrow()).last_key_value() == all().last_key_value()
    })?;
    let all = all();
    ensure!(all.len() > 10 && all.values().all(|times| *times == 1), "each once: {all:?}");
    let lost = counted("narrow", "lost_total").context("no count")?;
    let delivered = times(&narrow());
    ensure!(delivered.values().all(|times| *times == 1) && delivered.len() <= ROOM + 1, "{delivered:?}");
    assert_eq!(lost, (all.len() - delivered.len()) as f64);
    director.wait_for_log(&format!("{lost} messages are lost"))
}

/// Those that came to this path.
fn of(taken: &[Received], path: &str) -> Vec<Received> {
    taken.iter().filter(|request| request.path == format!("/{path}")).cloned().collect()
}

/// The numbers of the events of a kind, or of all, as they came.
fn ids(messages: &[Value], kind: &str) -> Vec<u64> {
    let events = messages.iter().map(|message| &message["event"]);
    let wanted = events.filter(|event| kind.is_empty() || event["kind"] == kind);
    wanted.filter_map(|event| event["id"].as_u64()).collect()
}

/// How long after its event a message came.
fn lateness(request: &Received) -> Option<Duration> {
    let message: Value = serde_json::from_slice(&request.body).ok()?;
    let at: Timestamp = message["event"]["at"].as_str()?.parse().ok()?;
    Some(request.at.saturating_sub(Duration::from_micros(u64::try_from(at.as_microsecond()).ok()?)))
}

const ALERTMANAGER: &str = "127.0.0.1:9093";

#[test]
fn a_real_alertmanager_shows_an_alert_while_it_lasts() -> Result<()> {
    let scene = Scene::new("hook-am")?;
    let config = scene.host.file("am.yml", "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")?;
    let alertmanager = scene
        .host
        .process("alertmanager", "prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", scene.host.directory().join("am").display()))
        .arg(format!("--web.listen-address={ALERTMANAGER}"))
        .arg("--cluster.listen-address=")
        .start()?;
    let shown = || -> Result<Vec<Value>> {
        let answer = http::get(&scene.host, ALERTMANAGER.parse()?, "/api/v2/alerts", wait::SHORT)?;
        Ok(serde_json::from_str(&answer.body)?)
    };
    wait::until("Alertmanager answers", wait::LONG, || shown().is_ok())
        .with_context(|| alertmanager.log())?;
    let director = scene
        .director(&format!("webhook am {{\n url http://{ALERTMANAGER}\n form alertmanager\n}}"))
        .start()?;
    let web = scene.web()?;
    up(&director, 1.0)?;
    let down = || {
        let alerts = shown().ok()?;
        alerts.into_iter().find(|alert| alert["labels"]["alertname"] == "KeepwatchRealServerDown")
    };
    drop(web);
    let alert = wait::value("Alertmanager shows it", wait::LONG, down)
        .with_context(|| director.process().log() + &alertmanager.log())?;
    assert_eq!(alert["status"]["state"], "active");
    let labels = &alert["labels"];
    assert_eq!(
        (&labels["real_server"], &labels["router_id"]),
        (&"[127.0.0.1]:tcp:8081".into(), &"lab".into())
    );
    ensure!(alert["annotations"]["description"].as_str().is_some_and(|it| it.starts_with("keepwatch why ")));
    let _web = scene.web()?;
    up(&director, 1.0)?;
    wait::until("it is over there too", wait::LONG, || shown().is_ok() && down().is_none())?;
    assert_eq!(director.metric("keepwatch_delivery_failed_tries_total", &["webhook am"]), Some(0.0));
    assert_eq!(director.metric("keepwatch_delivery_lost_total", &["webhook am"]), Some(0.0));
    Ok(())
}
