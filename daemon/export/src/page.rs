//! The status page: what is, and why, on one self-contained page without scripts, made from the world and the history.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use keepwatch_bus::world::{Change, Influence, Instance, RealServer, Refusal, Service, Trouble, World};
use keepwatch_bus::{Event, History, Reader};
use keepwatch_model::{Level, Meaning};

use html::Escaped;

mod html;

const STYLE: &str = include_str!("page/style.css");

/// Lines in the list of what happened last.
const LAST: usize = 40;

/// The page at the time `now`.
pub(crate) fn render(reader: &Reader, now: Timestamp) -> String {
    let world = reader.world().clone();
    let history = reader.history();
    let mut out = String::with_capacity(16 << 10);
    // Writing to a String can't fail.
    let _ = write_page(&mut out, &world, &history, now);
    out
}

fn write_page(out: &mut String, world: &World, history: &History, now: Timestamp) -> std::fmt::Result {
    let router = Escaped(&world.settings.global.router_id);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"5\">\
         <title>keepwatch on {router}</title><style>{STYLE}</style></head><body>\n\
         <header><h1>keepwatch on {router}</h1>"
    )?;
    write_summary(out, world, now)?;
    out.push_str("</header>\n<main>\n");
    write_trouble(out, world)?;
    write_instances(out, world, history, now)?;
    write_groups(out, world, now)?;
    write_trackers(out, world, now)?;
    write_services(out, world, now)?;
    write_history(out, history)?;
    out.push_str("</main>\n<footer><a href=\"/metrics\">metrics</a> <a href=\"/api/v1/world\">world</a> ");
    out.push_str("<a href=\"/api/v1/events\">events</a></footer></body></html>\n");
    Ok(())
}

fn write_summary(out: &mut String, world: &World, now: Timestamp) -> std::fmt::Result {
    let settings = &world.settings;
    write!(out, "<p>version {}, process {}", Escaped(&settings.version), settings.pid)?;
    if let Some(started) = world.started_at {
        write!(out, ", up {}", span(now.duration_since(started)))?;
    }
    write!(out, "; configuration {} ({}", Escaped(&settings.config_file), world.config.generation)?;
    if let Some(loaded) = world.config.loaded_at {
        write!(out, ", loaded {} ago", span(now.duration_since(loaded)))?;
    }
    write!(out, "); IPVS: {}</p>", Escaped(&settings.dataplane))
}

/// What does not work; nothing where all does.
fn write_trouble(out: &mut String, world: &World) -> std::fmt::Result {
    let trouble = world.trouble();
    if trouble.is_empty() && !world.stopping {
        return Ok(());
    }
    out.push_str("<section class=\"trouble\"><h2>Trouble</h2><ul>");
    if world.stopping {
        out.push_str("<li><b>stopping</b>: a clean stop is under way</li>");
    }
    for Trouble { what, since, error, .. } in trouble {
        write!(out, "<li><b>{}</b>", Escaped(&what))?;
        if let Some(since) = since {
            write!(out, " since {since:.3}")?;
        }
        write!(out, ": {}</li>", Escaped(&error))?;
    }
    out.push_str("</ul></section>\n");
    Ok(())
}

fn write_instances(out: &mut String, world: &World, history: &History, now: Timestamp) -> std::fmt::Result {
    if world.instances.is_empty() {
        return Ok(());
    }
    out.push_str(
        "<section><h2>Virtual routers</h2><table><tr><th>name<th>state<th>for<th>priority<th>on<th>addresses\
         <th>master<th>why</tr>\n",
    );
    for instance in world.instances_in_order() {
        write_instance(out, world, instance, history, now)?;
    }
    out.push_str("</table></section>\n");
    Ok(())
}

fn write_instance(
    out: &mut String,
    world: &World,
    instance: &Instance,
    history: &History,
    now: Timestamp,
) -> std::fmt::Result {
    let Instance { settings, state, .. } = instance;
    write!(out, "<tr><th>{}<td class=\"{state}\">{state}<td>", Escaped(&instance.name))?;
    write_since(out, instance.changed, now)?;
    write!(
        out,
        "<td>{}<td>{} vrid {}<td>",
        instance.priority,
        Escaped(settings.interface_name()),
        settings.vrid
    )?;
    for (place, address) in
        settings.addresses.iter().map(|address| settings.virtual_address(address)).enumerate()
    {
        let here = instance.addresses.contains(&address);
        let separator = if place > 0 { ", " } else { "" };
        write!(out, "{separator}<span class=\"{}\">{address}</span>", if here { "here" } else { "away" })?;
    }
    out.push_str("<td>");
    match instance.master {
        Some((address, priority)) => write!(out, "{address} ({priority})")?,
        None if instance.state == keepwatch_bus::subject::VrrpState::Master => out.push_str("itself"),
        None => out.push('–'),
    }
    out.push_str("<td>");
    for Influence { tracker, meaning, evidence, .. } in world.influences(instance) {
        let what = tracker.to_string();
        let counts = match meaning {
            Meaning { fault: true, .. } => "a fault".into(),
            Meaning { undecided: true, .. } => "undecided".into(),
            Meaning { weight, .. } => format!("{weight:+}"),
        };
        write!(out, "<b>{} {counts}</b>: {}<br>", Escaped(&what), Escaped(&evidence))?;
    }
    if let Some(change) = instance.changed {
        let chain = history.chain(change.event);
        let causes = chain.iter().rev().skip(1).rev();
        for (place, line) in causes.filter_map(|event| event.line()).enumerate() {
            write!(out, "{}{}", if place > 0 { " → " } else { "" }, Escaped(&line.text))?;
        }
    }
    out.push_str("</tr>\n");
    Ok(())
}

fn write_groups(out: &mut String, world: &World, now: Timestamp) -> std::fmt::Result {
    if world.groups.is_empty() {
        return Ok(());
    }
    out.push_str("<section><h2>Sync groups</h2><table><tr><th>name<th>state<th>for<th>members</tr>\n");
    for group in world.groups_in_order() {
        write!(out, "<tr><th>{}<td class=\"{}\">{}<td>", Escaped(&group.name), group.state, group.state)?;
        write_since(out, group.changed, now)?;
        out.push_str("<td>");
        for (place, member) in group.settings.members.iter().enumerate() {
            write!(out, "{}{}", if place > 0 { ", " } else { "" }, Escaped(member))?;
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></section>\n");
    Ok(())
}

fn write_trackers(out: &mut String, world: &World, now: Timestamp) -> std::fmt::Result {
    if world.trackers.all().next().is_none() {
        return Ok(());
    }
    out.push_str("<section><h2>Tracked</h2><table><tr><th>what<th>is<th>for<th>seen by</tr>\n");
    for tracker in world.trackers.all() {
        let class = match tracker.level {
            Level::Up => "up",
            Level::Down => "down",
            Level::Undecided | Level::Number(_) => "",
        };
        let name = tracker.key().to_string();
        write!(out, "<tr><th>{}<td class=\"{class}\">{}<td>", Escaped(&name), tracker.level)?;
        write_since(out, tracker.changed, now)?;
        let evidence = tracker.evidence.as_ref().map_or_else(String::new, ToString::to_string);
        writeln!(out, "<td>{}</tr>", Escaped(&evidence))?;
    }
    out.push_str("</table></section>\n");
    Ok(())
}

fn write_services(out: &mut String, world: &World, now: Timestamp) -> std::fmt::Result {
    if world.services.is_empty() {
        return Ok(());
    }
    out.push_str(
        "<section><h2>Virtual servers</h2><table><tr><th>server<th>state<th>for<th>weight<th>checks</tr>\n",
    );
    for service in world.services_in_order() {
        write_service(out, service, now)?;
        for real in service.reals_in_order() {
            write_real(out, real, now)?;
        }
    }
    out.push_str("</table></section>\n");
    Ok(())
}

fn write_service(out: &mut String, service: &Service, now: Timestamp) -> std::fmt::Result {
    let state = if service.quorum { "up" } else { "down" };
    write!(out, "<tr class=\"service\"><th>{}<td class=\"{state}\">", service.key)?;
    out.push_str(if service.quorum { "quorum" } else { "no quorum" });
    if service.sorry {
        out.push_str(", sorry server serves");
    }
    out.push_str("<td>");
    write_since(out, service.changed, now)?;
    writeln!(
        out,
        "<td><td>{}, {}, {}",
        service.reals_in_words(),
        Escaped(&service.settings.scheduler),
        service.settings.forwarding
    )?;
    write_refusal(out, service.refused.as_ref())?;
    out.push_str("</tr>\n");
    Ok(())
}

fn write_real(out: &mut String, real: &RealServer, now: Timestamp) -> std::fmt::Result {
    let state = real.state();
    write!(out, "<tr><td class=\"real\">{}<td class=\"{state}\">{state}<td>", real.address)?;
    write_since(out, real.changed, now)?;
    out.push_str("<td>");
    match real.weight {
        Some(weight) => write!(out, "{weight}")?,
        None => out.push_str("not in the table"),
    }
    out.push_str("<td>");
    for (place, checker) in real.checkers.iter().enumerate() {
        let separator = if place > 0 { "; " } else { "" };
        let result = checker
            .failure
            .as_ref()
            .map_or(if checker.ok { "ok" } else { "failed" }, |failure| &failure.error);
        write!(out, "{separator}{} {}", Escaped(&checker.key.kind), Escaped(result))?;
    }
    write_refusal(out, real.refused.as_ref())?;
    out.push_str("</tr>\n");
    Ok(())
}

fn write_refusal(out: &mut String, refusal: Option<&Refusal>) -> std::fmt::Result {
    refusal.map_or(Ok(()), |refusal| write!(out, " <b class=\"down\">{}</b>", Escaped(&refusal.to_string())))
}

fn write_history(out: &mut String, history: &History) -> std::fmt::Result {
    out.push_str("<section><h2>What happened last</h2><table>\n");
    let told = |event: &Event| Some((event.id, event.line()?.text));
    for event in history.iter().rev().filter(|event| event.line().is_some()).take(LAST) {
        let Some((id, text)) = told(event) else { continue };
        write!(out, "<tr id=\"e{}\"><td>{:.3}<td>{id}<td>{}", id.0, event.at, Escaped(&text))?;
        if let Some(cause) = event.cause {
            write!(out, " <a href=\"#e{}\">because of {cause}</a>", cause.0)?;
            if let Some((_, text)) = history.get(cause).and_then(|cause| told(cause)) {
                write!(out, " <small>{}</small>", Escaped(&text))?;
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table></section>\n");
    Ok(())
}

fn write_since(out: &mut String, change: Option<Change>, now: Timestamp) -> std::fmt::Result {
    match change {
        Some(change) => {
            write!(out, "<span title=\"{:.3}\">{}</span>", change.at, span(now.duration_since(change.at)))
        }
        None => write!(out, "–"),
    }
}

/// A time span in the one or two units that matter.
fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_well() {
        let cases = [(0, "0 s"), (-5, "0 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (180_000, "2 d 2 h")];
        for (seconds, text) in cases {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
    }
}
