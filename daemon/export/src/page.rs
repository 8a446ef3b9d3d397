//! The status page: what is, and why. Made from the world, the history and the [`Board`](crate::board) for one
//! [`View`]; it needs no scripts, and keeps itself up to date where there are.
//!
//! | file | what |
//! |---|---|
//! | `view` | what a reader wants to see: the query of the address |
//! | `routers`, `servers` | the two long tables; each row can be made by itself, for a page that is open |
//! | `events` | what happened last, and the page of one event with its chain |
//! | `draw` | timelines and sparklines |
//! | `html` | text made safe, times |
//! | `style.css`, `script.js` | served as they are |

use std::fmt::{Result, Write};

use jiff::Timestamp;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{Group, RealState, Standing, Trouble, World};
use keepwatch_bus::{EventId, History};
use keepwatch_model::Level;

use crate::board::Board;
use crate::timeline::Subject;
use html::{Ago, At, Escaped};
use view::{Paged, Span};

mod draw;
mod events;
mod html;
mod routers;
mod servers;
mod view;

pub(crate) use events::row as event_row;
pub(crate) use routers::row as router_row;
pub(crate) use servers::{real_row, service_row};
pub(crate) use view::View;

/// The style sheet.
pub(crate) const STYLE: &str = include_str!("page/style.css");
/// The script, which the page can do without.
pub(crate) const SCRIPT: &str = include_str!("page/script.js");

/// Lines of a list of groups or trackers; the rest is counted.
const FEW: usize = 50;
/// Lines of the list of trouble, so that what follows is still seen.
const TROUBLE: usize = 12;

/// All that a page is made from.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) world: &'a World,
    pub(crate) history: &'a History,
    pub(crate) board: &'a Board,
    pub(crate) now: Timestamp,
    pub(crate) view: &'a View,
}

/// The page. Writing to a String can't fail, nor can anything else here.
pub(crate) fn render(scene: Scene<'_>) -> String {
    let mut out = String::with_capacity(64 << 10);
    let _ = write_page(&mut out, scene);
    out
}

/// The page of one event: what led to it, and what followed. None if it is no longer held.
pub(crate) fn event_page(scene: Scene<'_>, id: EventId) -> Option<String> {
    let event = scene.history.get(id)?;
    let mut out = String::with_capacity(16 << 10);
    let _ = head(&mut out, scene, &format!("event {id}"));
    out.push_str("<p><a href=\"/\">all that is</a></p></header><main>");
    let _ = events::write_chain(&mut out, scene, event);
    out.push_str("</main></body></html>\n");
    Some(out)
}

fn head(out: &mut String, scene: Scene<'_>, title: &str) -> Result {
    let router = Escaped(&scene.world.settings.global.router_id);
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\
         <title>{title} on {router}</title><link rel=\"icon\" href=\"data:,\">\
         <link rel=\"stylesheet\" href=\"/page.css\"><script src=\"/page.js\" defer></script></head>\
         <body data-now=\"{}\">\n<header><h1>keepwatch on {router}</h1>",
        scene.now.as_millisecond()
    )
}

fn write_page(out: &mut String, scene: Scene<'_>) -> Result {
    head(out, scene, "keepwatch")?;
    out.push_str("<p id=\"live\" role=\"status\"></p>");
    write_about(out, scene)?;
    write_form(out, scene.view)?;
    out.push_str("</header>\n<main>\n");
    write_summary(out, scene)?;
    write_trouble(out, scene)?;
    routers::write(out, scene)?;
    write_groups(out, scene)?;
    write_trackers(out, scene)?;
    servers::write(out, scene)?;
    events::write_last(out, scene)?;
    out.push_str("</main>\n<footer><a href=\"/metrics\">metrics</a> <a href=\"/api/v1/world\">world</a> ");
    out.push_str("<a href=\"/api/v1/events\">events</a></footer></body></html>\n");
    Ok(())
}

fn write_about(out: &mut String, Scene { world, now, .. }: Scene<'_>) -> Result {
    let settings = &world.settings;
    write!(out, "<p class=\"about\">version {}, process {}", Escaped(&settings.version), settings.pid)?;
    if let Some(started) = world.started_at {
        write!(out, ", up {}", Ago(now, started))?;
    }
    write!(out, "; configuration {} ({}", Escaped(&settings.config_file), world.config.generation)?;
    if let Some(loaded) = world.config.loaded_at {
        write!(out, ", loaded {} ago", Ago(now, loaded))?;
    }
    writeln!(out, "); IPVS: {}</p>", Escaped(&settings.dataplane))
}

fn write_form(out: &mut String, view: &View) -> Result {
    write!(
        out,
        "<form action=\"/\" role=\"search\"><input type=\"search\" name=\"q\" value=\"{}\" maxlength=\"100\" \
         placeholder=\"Filter: name, address, interface\" aria-label=\"Filter\" autocomplete=\"off\">",
        Escaped(&view.q)
    )?;
    if view.span == Span::Day {
        out.push_str("<input type=\"hidden\" name=\"span\" value=\"day\">");
    }
    out.push_str("<button>Filter</button><nav aria-label=\"Timelines show\">");
    for (span, name) in [(Span::Hour, "1 hour"), (Span::Day, "1 day")] {
        let link = View { span, ..view.clone() }.link();
        let current = if span == view.span { " aria-current=\"true\"" } else { "" };
        write!(out, "<a href=\"{}\"{current}>{name}</a>", Escaped(&link))?;
    }
    out.push_str("</nav></form>");
    Ok(())
}

/// How many are in which state.
pub(crate) fn write_summary(out: &mut String, Scene { world, .. }: Scene<'_>) -> Result {
    out.push_str("<ul id=\"summary\">");
    let in_state = |state| world.instances.values().filter(|instance| instance.state == state).count();
    for (state, class) in [
        (VrrpState::Master, "good"),
        (VrrpState::Backup, "calm"),
        (VrrpState::Init, "idle"),
        (VrrpState::Fault, "bad"),
    ] {
        let count = in_state(state);
        // What does not happen every day is shown when it does.
        if count > 0
            || (!world.instances.is_empty() && matches!(state, VrrpState::Master | VrrpState::Backup))
        {
            write!(out, "<li class=\"{class}\"><b>{count}</b> {state}")?;
        }
    }
    if !world.services.is_empty() {
        let quorum = world.services.values().filter(|service| service.quorum).count();
        let class = if quorum == world.services.len() { "good" } else { "bad" };
        write!(out, "<li class=\"{class}\"><b>{quorum}/{}</b> with quorum", world.services.len())?;
        let reals = || world.services.values().flat_map(|service| service.reals.values());
        let count = |state| reals().filter(|real| real.state() == state).count();
        let (all, up, down) = (reals().count(), count(RealState::Up), count(RealState::Down));
        let class = if down > 0 { "bad" } else { "good" };
        write!(out, "<li class=\"{class}\"><b>{up}/{all}</b> real servers up")?;
        if all > up + down {
            write!(out, "<li class=\"idle\"><b>{}</b> unchecked", all - up - down)?;
        }
    }
    out.push_str("</ul>\n");
    Ok(())
}

/// What does not work; nothing where all does.
pub(crate) fn write_trouble(out: &mut String, Scene { world, history, now, .. }: Scene<'_>) -> Result {
    let trouble = Trouble::together(world.trouble());
    if trouble.is_empty() && !world.stopping {
        out.push_str("<section id=\"trouble\" aria-live=\"polite\"></section>\n");
        return Ok(());
    }
    out.push_str("<section id=\"trouble\" class=\"some\" aria-live=\"polite\"><h2>Trouble</h2><ul>");
    if world.stopping {
        out.push_str("<li><b>stopping</b>: a clean stop is under way</li>");
    }
    let more = trouble.len().saturating_sub(TROUBLE);
    for Trouble { what, since, error, event, .. } in trouble.into_iter().take(TROUBLE) {
        // The way to why, while that is known.
        match event.filter(|event| history.get(*event).is_some()) {
            Some(event) => write!(out, "<li><b><a href=\"/event/{}\">{}</a></b>", event.0, Escaped(&what))?,
            None => write!(out, "<li><b>{}</b>", Escaped(&what))?,
        }
        if let Some(since) = since {
            write!(out, " since {} ({} ago)", At(since), Ago(now, since))?;
        }
        if !error.is_empty() {
            write!(out, ": {}", Escaped(&error))?;
        }
        out.push_str("</li>");
    }
    write_more(out, more, "<li>", "</li>")?;
    out.push_str("</ul></section>\n");
    Ok(())
}

fn write_more(out: &mut String, more: usize, before: &str, after: &str) -> Result {
    if more > 0 { write!(out, "{before}and {more} more{after}") } else { Ok(()) }
}

fn write_groups(out: &mut String, scene: Scene<'_>) -> Result {
    let Scene { world, view, .. } = scene;
    let wanted = world.groups.values().filter(|group| {
        view.wants([&*group.name].into_iter().chain(group.settings.members.iter().map(|member| &**member)))
    });
    let mut wanted: Vec<_> = wanted.collect();
    if wanted.is_empty() {
        return Ok(());
    }
    wanted.sort_by_key(|group| group.state != VrrpState::Fault);
    out.push_str("<section id=\"groups\"><h2>Sync groups</h2><table><thead><tr><th>Group<th>State<th>Members</thead>\n");
    let more = wanted.len().saturating_sub(FEW);
    for group in wanted.into_iter().take(FEW) {
        group_row(out, scene, group)?;
    }
    write_more(out, more, "<tr><td colspan=\"3\">", "</tr>")?;
    out.push_str("</table></section>\n");
    Ok(())
}

/// The row of a sync group.
pub(crate) fn group_row(out: &mut String, scene: Scene<'_>, group: &Group) -> Result {
    let subject = Subject::Group(group.name.clone()).to_string();
    let bad = if group.state == VrrpState::Fault { " data-bad" } else { "" };
    write!(out, "<tr data-k=\"{}\"{bad}><th>{}<td>", Escaped(&subject), Escaped(&group.name))?;
    write_state(out, &group.state.to_string(), router_class(group.state))?;
    events::write_change(out, scene.history, group.changed, scene.now)?;
    let members: Vec<_> = group.settings.members.iter().map(|member| &**member).collect();
    writeln!(out, "<td>{}</tr>", Escaped(&members.join(", ")))
}

fn write_trackers(out: &mut String, scene: Scene<'_>) -> Result {
    let Scene { world, view, .. } = scene;
    let mut wanted: Vec<_> =
        world.tracked().filter(|tracked| view.wants([tracked.key.to_string().as_str()])).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    wanted.sort_by_key(|tracked| tracked.level != Level::Down);
    out.push_str(
        "<section id=\"tracked\"><h2>Tracked</h2><table><thead><tr><th>What<th>Is<th>Seen by</thead>\n",
    );
    let more = wanted.len().saturating_sub(FEW);
    for tracked in wanted.into_iter().take(FEW) {
        tracked_row(out, scene, tracked)?;
    }
    write_more(out, more, "<tr><td colspan=\"3\">", "</tr>")?;
    out.push_str("</table></section>\n");
    Ok(())
}

/// The row of something that is tracked.
pub(crate) fn tracked_row(out: &mut String, scene: Scene<'_>, tracked: Standing<'_>) -> Result {
    let class = match tracked.level {
        Level::Up => "good",
        Level::Down => "bad",
        Level::Undecided | Level::Number(_) => "idle",
    };
    let bad = if tracked.level == Level::Down { " data-bad" } else { "" };
    let name = tracked.key.to_string();
    let subject = Subject::Tracker(tracked.key).to_string();
    write!(out, "<tr data-k=\"{}\"{bad}><th>{}<td>", Escaped(&subject), Escaped(&name))?;
    write_state(out, &tracked.level.to_string(), class)?;
    events::write_change(out, scene.history, tracked.changed, scene.now)?;
    let evidence = tracked.evidence.map_or_else(String::new, ToString::to_string);
    writeln!(out, "<td>{}</tr>", Escaped(&evidence))
}

/// A state as a badge: its word is its meaning, its colour only helps.
fn write_state(out: &mut String, state: &str, class: &str) -> Result {
    write!(out, "<b class=\"state {class}\">{}</b>", Escaped(state))
}

fn router_class(state: VrrpState) -> &'static str {
    match state {
        VrrpState::Master => "good",
        VrrpState::Backup => "calm",
        VrrpState::Init => "idle",
        VrrpState::Fault => "bad",
    }
}

/// The heading of a table of which this is one page, with the way to the others.
fn write_pages<T>(out: &mut String, title: &str, paged: &Paged<T>, link: impl Fn(usize) -> View) -> Result {
    write!(out, "<h2>{title} <small>{}</small></h2>", paged.all)?;
    if paged.pages > 1 {
        write!(out, "<nav class=\"pages\" aria-label=\"Pages of {title}\">")?;
        let step = |out: &mut String, page: usize, text: &str| {
            write!(out, "<a href=\"{}\">{text}</a> ", Escaped(&link(page).link()))
        };
        if paged.page > 0 {
            step(out, paged.page - 1, "previous")?;
        }
        write!(out, "page {} of {} ", paged.page + 1, paged.pages)?;
        if paged.page + 1 < paged.pages {
            step(out, paged.page + 1, "next")?;
        }
        out.push_str("</nav>");
    }
    Ok(())
}
