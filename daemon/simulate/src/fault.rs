//! What goes wrong when, as operators write it:
//!
//! ```text
//! A down at 10s                 the host loses its power        A up at 30s
//! A crash at 10s for 5s         the process dies, addresses stay; A start
//! A stop at 10s                 it stops in good order
//! A freeze at 10s for 3s        it stands still; A thaw
//! A eth0 down at 10s for 5s     an interface
//! A track chk down at 10s       a script, file, process or BFD session that it follows
//! cut A B at 10s for 5s         neither hears the other
//! cut A > B at 10s              B does not hear A
//! loss 30% at 10s for 20s       of all packets
//! delay 50ms at 10s             of all packets
//! ```
//!
//! `for` undoes it after that time. Times are `10s`, `1.5s`, `200ms`, `2m`; a number alone is seconds.

use keepwatch_bus::subject::Name;
use keepwatch_vrrp::{Level, TrackedKind};

use crate::lan::{Lan, Weather};

/// One thing that goes wrong, or right again.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// A host, by its place: its power, its process, an interface of it, what it follows.
    Power(usize, bool),
    /// The process dies, or starts.
    Process(usize, bool),
    /// The process stops in good order.
    Stop(usize),
    /// The host stands still, or goes on.
    Frozen(usize, bool),
    /// An interface, by its place, up or down.
    Link(usize, usize, bool),
    /// Something that routers follow, up or down.
    Track(usize, Name, bool),
    /// Sender, receiver: the one is not heard by the other, or again.
    Cut(usize, usize, bool),
    /// Percent of packets lost.
    Loss(u64),
    /// Time that packets take, microseconds.
    Delay(u64),
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// Microseconds from the beginning.
    pub at: u64,
    /// What happens then.
    pub fault: Fault,
    /// The line that says so.
    pub text: String,
    /// It undoes what `for` was written behind.
    pub undoes: bool,
}

/// What goes wrong while a LAN runs up to `end`, in the order of time.
///
/// # Errors
/// The first line of these that means nothing there, in words.
pub fn schedule(lines: &[impl AsRef<str>], lan: &Lan, end: u64) -> Result<Vec<Scheduled>, String> {
    let mut all = Vec::new();
    for line in lines {
        all.extend(Scheduled::parse(line.as_ref(), lan)?);
    }
    if let Some(late) = all.iter().find(|one| one.at >= end && !one.undoes) {
        let (at, end) = (seconds(late.at), seconds(end));
        return Err(format!(
            "`{}`: at {at} it is over, for it ends at {end}: look longer with `--for`",
            late.text
        ));
    }
    all.sort_by_key(|one| one.at);
    for (number, one) in all.iter().enumerate() {
        let Fault::Frozen(host, true) = one.fault else { continue };
        let ends = all[number + 1..].iter().any(|later| match later.fault {
            Fault::Frozen(other, false) | Fault::Power(other, _) => other == host,
            _ => false,
        });
        if !ends {
            let name = &lan.hosts[host].plan.name;
            return Err(format!(
                "`{}`: it never goes on, which is as if it were down; say for how long (`… for 3s`), or when it goes on \
                 (`{name} thaw at …`)",
                one.text
            ));
        }
    }
    Ok(all)
}

/// Starts every host of a LAN, and lets these things happen to it up to `end`.
///
/// # Errors
/// The first of them that changes nothing when its time comes, in words.
pub fn run(lan: &mut Lan, schedule: Vec<Scheduled>, end: u64) -> Result<(), String> {
    (0..lan.hosts.len()).for_each(|host| lan.start(host));
    for one in schedule.into_iter().take_while(|one| one.at < end) {
        lan.run_until(one.at, &mut |_| {});
        // What is undone may have been undone by another line before.
        if let Some(how) = one.fault.is_so(lan).filter(|_| !one.undoes) {
            return Err(format!("`{}`: nothing happens, for at {} {how} already", one.text, seconds(one.at)));
        }
        one.fault.happen(lan);
    }
    lan.run_until(end, &mut |_| {});
    Ok(())
}

fn seconds(micros: u64) -> String {
    format!("{} s", micros as f64 / 1e6)
}

impl Scheduled {
    /// Reads one line; with `for` there are two things to do.
    ///
    /// # Errors
    /// What is wrong with it, what was expected, in words.
    pub fn parse(text: &str, lan: &Lan) -> Result<Vec<Self>, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| *word == "at") else {
            return Err(format!("`{text}` does not say when: `… at 10s`"));
        };
        let (what, when) = (&words[..at], &words[at + 1..]);
        let (begin, length) = match when {
            [begin] => (time(begin)?, None),
            [begin, "for", length] => (time(begin)?, Some(time(length)?)),
            _ => return Err(format!("`{text}`: after `at` comes a time, and perhaps `for` and another")),
        };
        let faults = faults(what, lan).map_err(|problem| format!("`{text}`: {problem}"))?;
        let scheduled = |at, fault, undoes| Self { at, fault, text: words.join(" "), undoes };
        let mut all: Vec<Self> = faults.iter().map(|fault| scheduled(begin, fault.clone(), false)).collect();
        if let Some(length) = length {
            for fault in &faults {
                let undone =
                    fault.undone().ok_or_else(|| format!("`{text}`: that can't be undone by `for`"))?;
                all.push(scheduled(begin + length, undone, true));
            }
        }
        Ok(all)
    }
}

impl Fault {
    /// What takes it back.
    fn undone(&self) -> Option<Self> {
        Some(match self {
            Self::Power(host, on) => Self::Power(*host, !on),
            Self::Process(host, runs) => Self::Process(*host, !runs),
            Self::Stop(host) => Self::Process(*host, true),
            Self::Frozen(host, frozen) => Self::Frozen(*host, !frozen),
            Self::Link(host, link, up) => Self::Link(*host, *link, !up),
            Self::Track(host, name, up) => Self::Track(*host, name.clone(), !up),
            Self::Cut(from, to, cut) => Self::Cut(*from, *to, !cut),
            Self::Loss(_) => Self::Loss(Weather::default().loss),
            Self::Delay(_) => Self::Delay(Weather::default().delay),
        })
    }

    /// How it is already what this makes it, as a clause; none if this changes something.
    fn is_so(&self, lan: &Lan) -> Option<String> {
        let there = |host: usize| (&lan.hosts[host], &lan.hosts[host].plan.name);
        match self {
            Self::Power(host, on) => {
                let (host, name) = there(*host);
                let powered = host.link_up.iter().any(|up| *up) || host.alive;
                let same = if *on { host.alive && host.link_up.iter().all(|up| *up) } else { !powered };
                same.then(|| format!("{name} is {}", if *on { "up" } else { "down" }))
            }
            Self::Process(host, runs) => {
                let (host, name) = there(*host);
                let how = if *runs { "runs" } else { "does not run" };
                (host.alive == *runs).then(|| format!("the process of {name} {how}"))
            }
            Self::Stop(host) => {
                let (host, name) = there(*host);
                (!host.alive).then(|| format!("the process of {name} does not run"))
            }
            Self::Frozen(host, frozen) => {
                let (host, name) = there(*host);
                let how = if *frozen { "stands still" } else { "goes on" };
                (host.frozen == *frozen || !host.alive)
                    .then(|| format!("{name} {}", if host.alive { how } else { "does not run" }))
            }
            Self::Link(host, link, up) => {
                let (host, name) = there(*host);
                let how = if *up { "up" } else { "down" };
                (host.link_up[*link] == *up)
                    .then(|| format!("{} of {name} is {how}", host.plan.links[*link].name))
            }
            Self::Track(host, name, up) => {
                let kinds = kinds_of(lan, *host, name);
                let (host, called) = there(*host);
                let same = kinds.iter().all(|kind| host.level(*kind, name) == Some(level(*kind, *up)));
                same.then(|| format!("{name} of {called} is {}", if *up { "up" } else { "down" }))
            }
            Self::Cut(from, to, cut) => {
                let how = if *cut { "does not hear" } else { "hears" };
                (lan.is_cut(*from, *to) == *cut).then(|| format!("{} {how} {}", there(*to).1, there(*from).1))
            }
            Self::Loss(loss) => (lan.weather.loss == *loss).then(|| format!("{loss} % of packets are lost")),
            Self::Delay(delay) => {
                (lan.weather.delay == *delay).then(|| format!("packets take {} ms", *delay as f64 / 1e3))
            }
        }
    }

    /// Does it.
    pub fn happen(&self, lan: &mut Lan) {
        match self {
            Self::Power(host, true) => lan.power_on(*host),
            Self::Power(host, false) => lan.power_off(*host),
            Self::Process(host, true) => lan.start(*host),
            Self::Process(host, false) => lan.crash(*host),
            Self::Stop(host) => lan.stop(*host),
            Self::Frozen(host, true) => lan.freeze(*host),
            Self::Frozen(host, false) => lan.thaw(*host),
            Self::Link(host, link, up) => lan.set_link(*host, *link, *up),
            Self::Track(host, name, up) => {
                let kinds: Vec<TrackedKind> = kinds_of(lan, *host, name);
                for kind in kinds {
                    lan.track(*host, kind, name, level(kind, *up));
                }
            }
            Self::Cut(from, to, cut) => lan.set_cut(*from, *to, *cut),
            Self::Loss(loss) => lan.set_weather(Weather { loss: *loss, ..lan.weather }),
            Self::Delay(delay) => lan.set_weather(Weather { delay: *delay, ..lan.weather }),
        }
    }
}

/// How something of this kind stands that is as it should be, or is not.
fn level(kind: TrackedKind, up: bool) -> Level {
    match (kind, up) {
        (TrackedKind::File, true) => Level::Number(0),
        (TrackedKind::File, false) => Level::Number(1),
        (_, true) => Level::Up,
        (_, false) => Level::Down,
    }
}

/// As what the routers of a host follow something of this name: nearly always one kind.
fn kinds_of(lan: &Lan, host: usize, name: &str) -> Vec<TrackedKind> {
    let mut kinds: Vec<TrackedKind> = Vec::new();
    for follow in
        lan.hosts[host].plan.definitions.routers.iter().flat_map(|router| router.spec.follows.iter())
    {
        if &*follow.name == name && follow.kind != TrackedKind::Link && !kinds.contains(&follow.kind) {
            kinds.push(follow.kind);
        }
    }
    kinds
}

fn faults(what: &[&str], lan: &Lan) -> Result<Vec<Fault>, String> {
    match what {
        ["cut", from, ">", to] => two(from, to, lan).map(|(from, to)| vec![Fault::Cut(from, to, true)]),
        ["cut", one, other] => {
            let (one, other) = two(one, other, lan)?;
            Ok(vec![Fault::Cut(one, other, true), Fault::Cut(other, one, true)])
        }
        ["loss", percent] => {
            let number = percent.strip_suffix('%').unwrap_or(percent).parse().ok();
            let loss = number.filter(|loss| *loss <= 100).ok_or("`loss` takes 0 to 100 percent")?;
            Ok(vec![Fault::Loss(loss)])
        }
        ["delay", delay] => Ok(vec![Fault::Delay(time(delay)?)]),
        [name, rest @ ..] => of_host(host(name, lan)?, rest, lan).map(|fault| vec![fault]),
        [] => Err("nothing happens in it".to_owned()),
    }
}

fn of_host(host: usize, what: &[&str], lan: &Lan) -> Result<Fault, String> {
    let up = |word: &str| match word {
        "up" => Ok(true),
        "down" => Ok(false),
        other => Err(format!("`{other}` is neither `up` nor `down`")),
    };
    match what {
        ["down"] => Ok(Fault::Power(host, false)),
        ["up"] => Ok(Fault::Power(host, true)),
        ["crash"] => Ok(Fault::Process(host, false)),
        ["start"] => Ok(Fault::Process(host, true)),
        ["stop"] => Ok(Fault::Stop(host)),
        ["freeze"] => Ok(Fault::Frozen(host, true)),
        ["thaw"] => Ok(Fault::Frozen(host, false)),
        ["track", name, state] => {
            if kinds_of(lan, host, name).is_empty() {
                return Err(format!(
                    "no instance there follows a script, file, process or BFD session `{name}`"
                ));
            }
            Ok(Fault::Track(host, Name::from(*name), up(state)?))
        }
        [interface, state] => {
            let links = &lan.hosts[host].plan.links;
            let Some(link) = links.iter().position(|link| &*link.name == *interface) else {
                let known: Vec<&str> = links.iter().map(|link| &*link.name).collect();
                return Err(format!("there is no interface `{interface}`, but {}", known.join(", ")));
            };
            Ok(Fault::Link(host, link, up(state)?))
        }
        _ => {
            Err("expected down, up, crash, start, stop, freeze, thaw, an interface or `track NAME`"
                .to_owned())
        }
    }
}

fn two(one: &str, other: &str, lan: &Lan) -> Result<(usize, usize), String> {
    let (first, second) = (host(one, lan)?, host(other, lan)?);
    if first == second {
        return Err(format!("a host can't be cut from itself: `{one}` is named twice"));
    }
    Ok((first, second))
}

fn host(name: &str, lan: &Lan) -> Result<usize, String> {
    lan.host_named(name).ok_or_else(|| {
        let known: Vec<&str> = lan.hosts.iter().map(|host| &*host.plan.name).collect();
        format!("there is no host `{name}`, but {}", known.join(", "))
    })
}

/// A time in microseconds: `10s`, `1.5s`, `200ms`, `2m`, `10`.
///
/// # Errors
/// When it is none, or longer than a year.
pub fn time(text: &str) -> Result<u64, String> {
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "ms" => 1e3,
        "s" | "" => 1e6,
        "m" | "min" => 60e6,
        "h" => 3600e6,
        _ => return Err(format!("`{text}` is no time, such as 10s, 1.5s, 200ms or 2m")),
    };
    let micros = number.parse::<f64>().ok().map(|number| number * unit);
    let micros = micros.filter(|micros| (0.0..=365.0 * 86_400e6).contains(micros));
    micros
        .map(|micros| micros as u64)
        .ok_or_else(|| format!("`{text}` is no time, such as 10s, 1.5s, 200ms or 2m"))
}
