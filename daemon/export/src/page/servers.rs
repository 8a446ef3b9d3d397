//! The table of virtual servers with their real servers: those in trouble first, then in the order of the
//! configuration.

use std::borrow::Cow;
use std::fmt::{Result, Write};

use keepwatch_bus::subject::RealKey;
use keepwatch_bus::world::{RealServer, RealState, Refusal, Service};

use super::html::Escaped;
use super::view::{Paged, View};
use super::{Scene, draw, events, write_pages, write_state};
use crate::timeline::Subject;

/// Virtual servers on a page.
const SERVICES: usize = 10;
/// Real servers that are shown of each.
const REALS: usize = 10;
/// The same where a filter asks for few.
const REALS_WANTED: usize = 200;

/// Whether somebody should look at it.
pub(crate) fn real_in_trouble(real: &RealServer) -> bool {
    real.state() == RealState::Down || real.refused.is_some()
}

/// Whether somebody should look at it or at one of its real servers.
pub(crate) fn in_trouble(service: &Service) -> bool {
    !service.quorum
        || service.sorry
        || service.refused.is_some()
        || service.reals.values().any(real_in_trouble)
}

/// Those of its real servers that are wanted; none if neither it nor one of them is.
fn wanted<'a>(view: &View, service: &'a Service) -> Option<(&'a Service, Vec<&'a RealServer>)> {
    if view.q.is_empty() {
        return Some((service, service.reals.values().collect()));
    }
    let key = service.key.to_string();
    if view.wants([key.as_str()]) || view.wants([key.replace(['[', ']'], "").as_str()]) {
        return Some((service, service.reals.values().collect()));
    }
    let reals: Vec<_> =
        service.reals.values().filter(|real| view.wants([real.address.to_string().as_str()])).collect();
    (!reals.is_empty()).then_some((service, reals))
}

/// The whole section; nothing where there are none.
pub(super) fn write(out: &mut String, scene: Scene<'_>) -> Result {
    let Scene { world, view, .. } = scene;
    if world.services.is_empty() {
        return Ok(());
    }
    let mut all: Vec<_> = world.services.values().filter_map(|service| wanted(view, service)).collect();
    all.sort_by_cached_key(|(service, _)| !in_trouble(service));
    let few = !view.q.is_empty() && all.len() <= 2;
    let paged = Paged::of(all, view.servers, SERVICES);
    out.push_str("<section id=\"servers\">");
    write_pages(out, "Virtual servers", &paged, |servers| View { servers, ..view.clone() })?;
    out.push_str(
        "<table><thead><tr><th>Server<th>State<th class=\"wide\">Was<th>Check time<th class=\"n\">Weight<th>Checks\
         </thead>\n",
    );
    for (service, reals) in &paged.rows {
        out.push_str("<tbody>");
        service_row(out, scene, service)?;
        write_reals(out, scene, service, reals.clone(), if few { REALS_WANTED } else { REALS })?;
        out.push_str("</tbody>");
    }
    if paged.rows.is_empty() {
        out.push_str("<tr><td colspan=\"6\" class=\"none\">none that the filter wants</tr>");
    }
    out.push_str(
        "</table><p class=\"legend\">Was: a bar is up, striped down or without quorum, full height with one stripe the \
         sorry server, a thin line unchecked.</p></section>\n",
    );
    Ok(())
}

fn write_reals(
    out: &mut String,
    scene: Scene<'_>,
    service: &Service,
    mut reals: Vec<&RealServer>,
    most: usize,
) -> Result {
    let more = reals.len().saturating_sub(most);
    if more > 0 {
        reals.sort_by_key(|real| !real_in_trouble(real));
    }
    for real in reals.into_iter().take(most) {
        real_row(out, scene, service, real)?;
    }
    if more > 0 {
        let view =
            View { q: service.key.to_string().to_lowercase(), span: scene.view.span, ..View::default() };
        let link = view.link();
        write!(
            out,
            "<tr><td colspan=\"6\" class=\"real\"><a href=\"{}\">and {more} more real servers</a></tr>",
            Escaped(&link)
        )?;
    }
    Ok(())
}

/// The row of a virtual server.
pub(crate) fn service_row(out: &mut String, scene: Scene<'_>, service: &Service) -> Result {
    let Scene { history, board, now, view, .. } = scene;
    let subject = Subject::Service(service.key);
    let bad = if in_trouble(service) { " data-bad" } else { "" };
    write!(
        out,
        "<tr class=\"service\" data-k=\"{subject}\"{bad}><th>{}<small>{}, {}</small><td>",
        service.key,
        Escaped(&service.settings.scheduler),
        service.settings.forwarding
    )?;
    match (service.quorum, service.sorry) {
        (_, true) => write_state(out, "sorry server", "warn")?,
        (true, false) => write_state(out, "quorum", "good")?,
        (false, false) => write_state(out, "no quorum", "bad")?,
    }
    events::write_change(out, history, service.changed, now)?;
    out.push_str("<td>");
    draw::timeline(out, board.timelines.turns(&subject), now, view.span.seconds())?;
    write!(out, "<td><td><td>{}", service.reals_in_words())?;
    write_refusal(out, service.refused.as_deref())?;
    out.push_str("</tr>\n");
    Ok(())
}

/// The row of a real server.
pub(crate) fn real_row(out: &mut String, scene: Scene<'_>, service: &Service, real: &RealServer) -> Result {
    let Scene { world, history, board, now, view, .. } = scene;
    let key = RealKey { service: service.key, real: real.address };
    let subject = Subject::Real(key);
    let state = real.state();
    let class = match state {
        RealState::Up => "good",
        RealState::Down => "bad",
        RealState::Unchecked => "idle",
    };
    let bad = if real_in_trouble(real) { " data-bad" } else { "" };
    write!(out, "<tr data-k=\"{subject}\"{bad}><td class=\"real\">{}<td class=\"one\">", real.address)?;
    write_state(out, &state.to_string(), class)?;
    events::write_change(out, history, real.changed, now)?;
    out.push_str("<td>");
    draw::timeline(out, board.timelines.turns(&subject), now, view.span.seconds())?;
    out.push_str("<td class=\"one\">");
    draw::spark(out, "Time that a check took", board.samples.checks(&key))?;
    out.push_str("<td class=\"n\">");
    match real.weight {
        Some(weight) => write!(out, "{weight}")?,
        None => out.push_str("<small>not in the table</small>"),
    }
    out.push_str("<td>");
    // Of a virtual server group one entry is checked for all.
    let checked = world.first_of(service).reals.get(&real.address).unwrap_or(real);
    for (place, checker) in checked.checkers.iter().enumerate() {
        let separator = if place > 0 { "; " } else { "" };
        let result = match (checker.complaint(), checker.ok) {
            (Some(complaint), _) => Cow::from(complaint),
            (None, Some(true)) => Cow::from("ok"),
            (None, Some(false)) => Cow::from("failed"),
            (None, None) => Cow::from("no result yet"),
        };
        write!(out, "{separator}{} {}", Escaped(&checker.key.kind), Escaped(&result))?;
    }
    write_refusal(out, real.refused.as_deref())?;
    out.push_str("</tr>\n");
    Ok(())
}

fn write_refusal(out: &mut String, refusal: Option<&Refusal>) -> Result {
    refusal
        .map_or(Ok(()), |refusal| write!(out, " <b class=\"missing\">{}</b>", Escaped(&refusal.to_string())))
}
