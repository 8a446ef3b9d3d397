//! `keepwatch status`: the daemon, its virtual routers, its virtual servers, and what does not work.

use std::io::{self, Write};

use jiff::Timestamp;
use keepwatch_bus::World;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Change, Instance, RealState, Refusal, Service, Trouble};
use keepwatch_config::model::{Level, group_label};

use super::paint::{Paint, ago, clock};

mod only;

pub(super) use only::{Only, is_well, json};

/// Writes it all, or what is asked for.
pub(super) fn write(
    out: &mut impl Write,
    paint: Paint,
    now: Timestamp,
    world: &World,
    only: &Only,
) -> io::Result<()> {
    if only.is_all() {
        daemon(out, paint, now, world)?;
        if world.is_shadow() {
            let shadow = "shadow mode: nothing is sent and nothing changed on this host; what follows is what would be";
            writeln!(out, "{}", paint.warn(shadow))?;
        }
        problems(out, paint, now, Trouble::together(world.trouble()))?;
    } else {
        let asked_for = world.instances.values().filter(|instance| only.router(instance));
        problems(out, paint, now, asked_for.flat_map(|instance| world.trouble_with(instance)))?;
    }
    routers(out, paint, now, world, only)?;
    trackers(out, paint, now, world, only)?;
    for service in world.services.values().filter(|service| only.service(service)) {
        virtual_server(out, paint, now, (service, world.first_of(service)), only)?;
    }
    Ok(())
}

fn daemon(out: &mut impl Write, paint: Paint, now: Timestamp, world: &World) -> io::Result<()> {
    let settings = &world.settings;
    let up = world.started_at.map_or_else(|| "starting".into(), |at| format!("up {}", ago(now, at)));
    let stopping = if world.stopping { ", stopping" } else { "" };
    writeln!(
        out,
        "{} {}  {}, process {}, {up}{stopping}",
        paint.head("keepwatchd"),
        settings.version,
        settings.global.router_id,
        settings.pid
    )?;
    let generation = match (world.config.generation, world.config.loaded_at) {
        (0, _) | (_, None) => String::new(),
        (1, Some(at)) => format!(", loaded {} ago", ago(now, at)),
        (n, Some(at)) => format!(", reloaded {} times, last {} ago", n - 1, ago(now, at)),
    };
    writeln!(out, "{}{generation}", settings.config_file)
}

fn problems(
    out: &mut impl Write,
    paint: Paint,
    now: Timestamp,
    all: impl IntoIterator<Item = Trouble>,
) -> io::Result<()> {
    for Trouble { what, since, error, .. } in all {
        let since = since.map_or_else(String::new, |at| format!(" since {} ({})", clock(at), ago(now, at)));
        writeln!(out, "{} {what}{since}: {error}", paint.warn("!"))?;
    }
    Ok(())
}

fn routers(out: &mut impl Write, paint: Paint, now: Timestamp, world: &World, only: &Only) -> io::Result<()> {
    let instances: Vec<_> = world.instances.values().filter(|instance| only.router(instance)).collect();
    let groups: Vec<_> = world.groups.values().filter(|group| only.group(group)).collect();
    if instances.is_empty() && groups.is_empty() {
        return Ok(());
    }
    let wide = instances.iter().map(|i| i.name.chars().count()).max().unwrap_or(0).max("INSTANCE".len());
    let interface = instances.iter().map(|i| interface_of(i).len()).max().unwrap_or(0).max("INTERFACE".len());
    let heading = format!(
        "{:<wide$}  {:<6}  {:>4}  {:<interface$}  {:>4}  {:<8}  ADDRESSES",
        "INSTANCE", "STATE", "PRIO", "INTERFACE", "VRID", "SINCE"
    );
    writeln!(out, "\n{}", paint.head(&heading))?;
    for i in &instances {
        writeln!(
            out,
            "{:<wide$}  {}  {:>4}  {:<interface$}  {:>4}  {:<8}  {}",
            i.name,
            paint.state(i.state),
            i.priority,
            interface_of(i),
            i.settings.vrid,
            since(now, i.changed),
            addresses(paint, i, world.is_shadow())
        )?;
    }
    for group in groups {
        let members: Vec<&str> = group.settings.members.iter().map(|m| &**m).collect();
        writeln!(
            out,
            "group {}  {}  {}",
            group.name,
            paint.state(group.state),
            paint.dim(&members.join(" "))
        )?;
    }
    Ok(())
}

/// What virtual routers follow.
fn trackers(
    out: &mut impl Write,
    paint: Paint,
    now: Timestamp,
    world: &World,
    only: &Only,
) -> io::Result<()> {
    let wanted = world.tracked().filter(|tracked| only.tracked(&tracked.key));
    let all: Vec<_> = wanted.map(|tracked| (tracked.key.to_string(), tracked)).collect();
    if all.is_empty() {
        return Ok(());
    }
    let wide = all.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max("TRACKED".len());
    let heading = format!("{:<wide$}  {:<9}  {:<8}  SEEN BY", "TRACKED", "IS", "SINCE");
    writeln!(out, "\n{}", paint.head(&heading))?;
    for (name, tracked) in all {
        let word = format!("{:<9}", tracked.level.to_string());
        let level = match tracked.level {
            Level::Up => paint.good(&word),
            Level::Down => paint.bad(&word),
            Level::Undecided => paint.warn(&word),
            Level::Number(_) => word,
        };
        let evidence = tracked.evidence.map_or_else(String::new, ToString::to_string);
        writeln!(
            out,
            "{name:<wide$}  {level}  {:<8}  {}",
            since(now, tracked.changed),
            paint.dim(&evidence)
        )?;
    }
    Ok(())
}

/// The interface of its adverts; a unicast one may have none.
fn interface_of(instance: &Instance) -> &str {
    instance.settings.interface.as_deref().unwrap_or("-")
}

/// The addresses that it carries; else whom it thinks master.
fn addresses(paint: Paint, instance: &Instance, shadow: bool) -> String {
    let own = instance.own_addresses.iter().filter(|_| instance.state == VrrpState::Master);
    let all: Vec<_> = instance.addresses.iter().chain(own).collect();
    if !all.is_empty() {
        let some: Vec<String> = all.iter().take(3).map(ToString::to_string).collect();
        let more = all.len() - some.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let would = if shadow { "would have " } else { "" };
        return format!("{would}{}{more}", some.join(" "));
    }
    instance.master.map_or_else(String::new, |(address, priority)| {
        paint.dim(&format!("master is {address} (priority {priority})"))
    })
}

fn since(now: Timestamp, changed: Option<Change>) -> String {
    changed.map_or_else(|| "-".into(), |change| ago(now, change.at))
}

/// One with its real servers; with the first entry of its group, whose checkers speak for all.
fn virtual_server(
    out: &mut impl Write,
    paint: Paint,
    now: Timestamp,
    (service, first): (&Service, &Service),
    only: &Only,
) -> io::Result<()> {
    let quorum = match (service.quorum, service.sorry) {
        (_, true) => paint.bad("sorry server"),
        (false, false) => paint.bad("no quorum"),
        (true, false) => paint.good("up"),
    };
    let settings = &service.settings;
    let group = settings.group().map_or_else(String::new, |group| format!(" of {}", group_label(group)));
    let heading = format!("\nVS {}{group}", service.key);
    writeln!(
        out,
        "{}  {quorum}  {} {}  {}",
        paint.head(&heading),
        settings.scheduler,
        settings.forwarding,
        service.reals_in_words()
    )?;
    refused(out, paint, service.refused.as_deref())?;
    for real in service.reals.values().filter(|real| only.real(service, real)) {
        let word = format!("{:<9}", real.state().to_string());
        let state = match real.state() {
            RealState::Up => paint.good(&word),
            RealState::Down => paint.bad(&word),
            RealState::Unchecked => paint.warn(&word),
        };
        let weight = real.weight.map_or_else(|| "-".into(), |weight| weight.to_string());
        let error = first.reals.get(&real.address).into_iter().flat_map(|real| &real.checkers);
        let error =
            error.filter_map(|c| c.complaint().map(|complaint| format!("{}: {complaint}", c.key.kind)));
        let error = error.collect::<Vec<_>>().join(", ");
        let address = real.address.to_string();
        writeln!(
            out,
            "  {address:<24} {state}  weight {weight:<4} {:<8} {}",
            since(now, real.changed),
            paint.dim(&error)
        )?;
        refused(out, paint, real.refused.as_deref())?;
    }
    Ok(())
}

/// What the kernel does not take, under what it is about.
fn refused(out: &mut impl Write, paint: Paint, refusal: Option<&Refusal>) -> io::Result<()> {
    refusal.map_or(Ok(()), |refusal| writeln!(out, "    {} {refusal}", paint.warn("!")))
}

#[cfg(test)]
mod tests {
    use keepwatch_bus::fact::{LinkDownReason, LinkFact};
    use keepwatch_config::model::{Instance, Tracked, Tracking};

    use super::*;
    use crate::operator::happened::{configured, instance, world};

    #[test]
    fn an_interface_that_is_followed_stands_among_what_is_tracked() {
        let interfaces = vec![Tracked { name: "eth1".into(), weight: -20, reverse: false }];
        let tracking = Tracking { interfaces, ..Tracking::default() };
        let follower = configured(Instance { tracking: tracking.into(), ..instance("VI_1") });
        let down = |interface: &str| {
            LinkFact::LinkDown { interface: interface.into(), reason: LinkDownReason::NoCarrier }.into()
        };
        let world = world([follower, down("eth0"), down("eth1")]);
        let mut out = Vec::new();
        trackers(&mut out, Paint { on: false }, Timestamp::now(), &world, &Only::called("")).unwrap();
        let out = String::from_utf8(out).unwrap();
        let row = out.lines().find(|line| line.starts_with("interface eth1")).unwrap();
        assert!(row.contains(" down ") && row.ends_with("no carrier"), "{row}");
        assert!(!out.contains("eth0"), "nobody follows that one by name: {out}");
    }
}
