//! The table of virtual routers: those in trouble first, then in the order of the configuration.

use std::fmt::{Result, Write};

use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Influence, Instance};
use keepwatch_model::Meaning;

use super::html::Escaped;
use super::view::{Paged, View};
use super::{Scene, draw, events, router_class, write_pages, write_state};
use crate::timeline::Subject;

/// Rows on a page.
const ROWS: usize = 50;
/// Addresses that are named; the rest is counted.
const ADDRESSES: usize = 4;

/// Whether somebody should look at it.
pub(crate) fn in_trouble(instance: &Instance) -> bool {
    instance.state == VrrpState::Fault || !instance.missing.is_empty() || instance.drop_error.is_some()
}

fn is_wanted(view: &View, instance: &Instance) -> bool {
    let settings = &instance.settings;
    view.wants([&*instance.name, settings.interface_name()].into_iter().chain(settings.group.as_deref()))
        || settings.all_addresses().any(|address| {
            let address = settings.virtual_address(address).to_string();
            view.wants([address.as_str()])
        })
}

/// The whole section; nothing where there are none.
pub(super) fn write(out: &mut String, scene: Scene<'_>) -> Result {
    let Scene { world, view, .. } = scene;
    if world.instances.is_empty() {
        return Ok(());
    }
    let mut wanted: Vec<_> = world.instances.values().filter(|instance| is_wanted(view, instance)).collect();
    wanted.sort_by_key(|instance| !in_trouble(instance));
    let paged = Paged::of(wanted, view.routers, ROWS);
    out.push_str("<section id=\"routers\">");
    write_pages(out, "Virtual routers", &paged, |routers| View { routers, ..view.clone() })?;
    out.push_str(
        "<table><thead><tr><th>Name<th>State<th class=\"wide\">Was<th>Adverts<th class=\"n\">Priority\
         <th>Addresses<th>Master<th>Why</thead><tbody>\n",
    );
    for instance in &paged.rows {
        row(out, scene, instance)?;
    }
    if paged.rows.is_empty() {
        out.push_str("<tr><td colspan=\"8\" class=\"none\">none that the filter wants</tr>");
    }
    out.push_str(
        "</tbody></table><p class=\"legend\">Was: full height is MASTER, half BACKUP, striped FAULT, a thin line INIT, \
         a gap: nobody knows.</p></section>\n",
    );
    Ok(())
}

/// The row of one.
pub(crate) fn row(out: &mut String, scene: Scene<'_>, instance: &Instance) -> Result {
    let Scene { world, history, board, now, view } = scene;
    let Instance { settings, state, name, .. } = instance;
    let subject = Subject::Router(name.clone());
    let bad = if in_trouble(instance) { " data-bad" } else { "" };
    write!(
        out,
        "<tr data-k=\"{}\"{bad}><th>{}<small>{}, id {}</small><td>",
        Escaped(&subject.to_string()),
        Escaped(name),
        Escaped(settings.interface_name()),
        settings.vrid
    )?;
    write_state(out, &state.to_string(), router_class(*state))?;
    events::write_change(out, history, instance.changed, now)?;
    out.push_str("<td>");
    draw::timeline(out, board.timelines.turns(&subject), now, view.span.seconds())?;
    out.push_str("<td class=\"one\">");
    draw::spark(out, "Time from one advertisement to the next", board.samples.adverts(name))?;
    write!(out, "<td class=\"n\">{}", instance.priority)?;
    if instance.priority != settings.priority.0 {
        write!(out, "<small>configured {}</small>", settings.priority.0)?;
    }
    out.push_str("<td>");
    write_addresses(out, instance)?;
    out.push_str("<td>");
    match instance.master {
        Some((address, priority)) => write!(out, "{address}<small>priority {priority}</small>")?,
        None if *state == VrrpState::Master => out.push_str("itself"),
        None => out.push_str("none known"),
    }
    out.push_str("<td class=\"why\">");
    for Influence { tracker, meaning, evidence, .. } in world.influences(instance) {
        let counts = match meaning {
            Meaning { fault: true, .. } => "a fault".into(),
            Meaning { undecided: true, .. } => "undecided".into(),
            Meaning { weight, .. } => format!("{weight:+}"),
        };
        write!(out, "<b>{} {counts}</b>: {}<br>", Escaped(&tracker.to_string()), Escaped(&evidence))?;
    }
    events::write_causes(out, history, instance.changed)?;
    out.push_str("</tr>\n");
    Ok(())
}

fn write_addresses(out: &mut String, instance: &Instance) -> Result {
    let settings = &instance.settings;
    let count = settings.all_addresses().count();
    let all = settings.all_addresses().map(|address| settings.virtual_address(address));
    for (place, address) in all.take(ADDRESSES).enumerate() {
        let here = instance.addresses.contains(&address) || instance.own_addresses.contains(&address);
        let missing = instance.missing.iter().any(|(missing, _)| *missing == address);
        let (class, said) = match (here, missing) {
            (true, _) => ("here", "is here"),
            (false, true) => ("missing", "should be here and is not"),
            (false, false) => ("away", "is not here"),
        };
        let separator = if place > 0 { "<br>" } else { "" };
        let mark = if missing { " (missing)" } else { "" };
        write!(out, "{separator}<span class=\"{class}\" title=\"{said}\">{address}{mark}</span>")?;
    }
    if count > ADDRESSES {
        write!(out, "<br>and {} more", count - ADDRESSES)?;
    }
    Ok(())
}
