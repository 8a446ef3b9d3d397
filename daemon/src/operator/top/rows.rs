//! The lines of the three lists. What is in trouble comes first; the rest is in the order of the configuration.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use keepwatch_bus::line::Level;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Change, Instance, RealServer, RealState, Service};
use keepwatch_bus::{Event, World};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::super::describe;
use super::super::paint::ago;
use super::view::View;

/// Some styles; without colours, what matters is bold or reversed.
#[derive(Clone, Copy)]
pub(super) struct Ink(pub(super) bool);

impl Ink {
    fn colour(self, colour: Color) -> Style {
        if self.0 { Style::new().fg(colour) } else { Style::new() }
    }

    pub(super) fn good(self) -> Style {
        self.colour(Color::Green)
    }

    pub(super) fn warn(self) -> Style {
        self.colour(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    pub(super) fn bad(self) -> Style {
        if self.0 { Style::new().fg(Color::Red).bold() } else { Style::new().reversed() }
    }

    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
}

fn since(now: Timestamp, changed: Option<Change>) -> String {
    changed.map_or_else(|| "-".into(), |change| ago(now, change.at))
}

/// Virtual routers that are wanted.
pub(super) fn routers<'a>(world: &'a World, view: &View) -> Vec<&'a Instance> {
    let troubled = |i: &Instance| i.state == VrrpState::Fault || !i.missing.is_empty();
    let mut all: Vec<_> = world
        .instances
        .values()
        .filter(|i| !view.trouble_only || troubled(i))
        .filter(|i| {
            view.wants(&i.name)
                || view.wants(i.settings.interface_name())
                || i.settings.all_addresses().any(|address| view.wants(address.address))
        })
        .collect();
    all.sort_by_key(|instance| !troubled(instance));
    all
}

/// The heading above them.
pub(super) const ROUTERS: &str =
    "NAME                 STATE   PRIO  SINCE     ON            ADDRESSES, OR MASTER";

pub(super) fn router(instance: &Instance, now: Timestamp, ink: Ink) -> Line<'static> {
    let Instance { name, state, priority, settings, .. } = instance;
    let style = match state {
        VrrpState::Master => ink.good(),
        VrrpState::Fault => ink.bad(),
        VrrpState::Backup | VrrpState::Init => Style::new(),
    };
    let place = format!("{} {}", settings.interface_name(), settings.vrid);
    let mut rest: Vec<String> =
        instance.missing.iter().map(|lack| format!("{} is missing ({})", lack.address, lack.error)).collect();
    rest.extend(instance.addresses.iter().take(3).map(ToString::to_string));
    if instance.addresses.len() > 3 {
        rest.push(format!("and {} more", instance.addresses.len() - 3));
    }
    if let (true, Some((master, priority))) = (rest.is_empty(), instance.master) {
        rest.push(format!("master is {master} (priority {priority})"));
    }
    Line::from(vec![
        Span::raw(format!("{:<20} ", cut(name, 20))),
        Span::styled(format!("{:<6}", state.to_string()), style),
        Span::raw(format!("  {priority:>4}  {:<8}  {:<12}  ", since(now, instance.changed), cut(&place, 12))),
        Span::styled(rest.join(" "), if instance.missing.is_empty() { Style::new() } else { ink.bad() }),
    ])
}

/// A line of the list of servers.
pub(super) enum Server<'a> {
    Virtual(&'a Service),
    Real(&'a RealServer),
}

/// Virtual servers that are wanted, each with its real servers.
pub(super) fn servers<'a>(world: &'a World, view: &View) -> Vec<Server<'a>> {
    let bad = |real: &RealServer| real.state() == RealState::Down || real.refused.is_some();
    let mut all: Vec<(&Service, Vec<&RealServer>)> = Vec::new();
    for service in world.services.values() {
        let itself = view.wants(service.key);
        let reals: Vec<_> = service
            .reals
            .values()
            .filter(|real| itself || view.wants(real.address))
            .filter(|real| !view.trouble_only || bad(real))
            .collect();
        let wrong = !service.quorum || service.sorry || service.refused.is_some();
        if !reals.is_empty() || (itself && (wrong || !view.trouble_only)) {
            all.push((service, reals));
        }
    }
    all.sort_by_cached_key(|(service, reals)| {
        service.quorum && !service.sorry && !reals.iter().any(|real| bad(real))
    });
    all.into_iter()
        .flat_map(|(service, reals)| {
            std::iter::once(Server::Virtual(service)).chain(reals.into_iter().map(Server::Real))
        })
        .collect()
}

/// The heading above them.
pub(super) const SERVERS: &str = "SERVER                    STATE         WEIGHT  SINCE     CHECKS";

pub(super) fn server(server: &Server<'_>, now: Timestamp, ink: Ink) -> Line<'static> {
    match server {
        Server::Virtual(service) => {
            let (word, style) = match (service.quorum, service.sorry) {
                (_, true) => ("sorry server", ink.warn()),
                (true, false) => ("quorum", ink.good()),
                (false, false) => ("no quorum", ink.bad()),
            };
            Line::from(vec![
                Span::styled(format!("{:<25} ", cut(&service.key.to_string(), 25)), Style::new().bold()),
                Span::styled(format!("{word:<12}"), style),
                Span::raw(format!(
                    "          {:<8}  {}",
                    since(now, service.changed),
                    service.reals_in_words()
                )),
            ])
        }
        Server::Real(real) => {
            let state = real.state();
            let style = match state {
                RealState::Up => ink.good(),
                RealState::Down => ink.bad(),
                RealState::Unchecked => ink.warn(),
            };
            let weight = real.weight.map_or_else(|| "-".into(), |weight| weight.to_string());
            let failed = real.checkers.iter();
            let failed = failed.filter_map(|c| c.complaint().map(|f| format!("{f} ({})", c.key.kind)));
            let mut text = failed.collect::<Vec<_>>().join(", ");
            if let Some(refusal) = &real.refused {
                text = format!("{refusal} {text}");
            }
            Line::from(vec![
                Span::raw(format!("  {:<23} ", cut(&real.address.to_string(), 23))),
                Span::styled(format!("{:<12}", state.to_string()), style),
                Span::raw(format!("  {weight:>6}  {:<8}  {text}", since(now, real.changed))),
            ])
        }
    }
}

/// Events that are wanted, newest first.
pub(super) fn events<'a>(events: &'a VecDeque<Arc<Event>>, view: &View) -> Vec<&'a Arc<Event>> {
    let wanted = |event: &&Arc<Event>| {
        (view.filter.is_empty() || view.wants(describe::text(event)))
            && (!view.trouble_only || event.line().is_some_and(|line| line.level >= Level::Warning))
    };
    events.iter().rev().filter(wanted).collect()
}

pub(super) fn event(event: &Event, ink: Ink) -> Line<'static> {
    let style = match event.line().map(|line| line.level) {
        Some(Level::Error) => ink.bad(),
        Some(Level::Warning) => ink.warn(),
        Some(Level::Info | Level::Detail) | None => Style::new(),
    };
    let at = event.at.to_zoned(TimeZone::system()).strftime("%H:%M:%S%.3f").to_string();
    let cause = event.cause.map(|cause| format!("  because of {cause}")).unwrap_or_default();
    Line::from(vec![
        Span::styled(format!("{at} {:>7}  ", event.id.to_string()), ink.dim()),
        Span::styled(describe::text(event), style),
        Span::styled(cause, ink.dim()),
    ])
}

/// No more than so many characters.
fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
