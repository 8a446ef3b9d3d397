//! The screen: what there is in a line, what is wrong, the lists, and the keys. On a high terminal all three lists are
//! there at once, on a low one the one that has the keys.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::world::{RealState, Trouble};
use keepwatch_bus::{Event, World};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::super::paint::ago;
use super::rows::{self, Ink};
use super::view::{Pane, View};

/// Lines of trouble; the rest is counted.
const TROUBLE: usize = 4;
/// A terminal as high as this shows all lists at once.
const HIGH: u16 = 40;

/// Draws it all.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    view: &mut View,
    world: &World,
    events: &VecDeque<Arc<Event>>,
    now: Timestamp,
) {
    let ink = Ink(view.colours);
    let trouble = trouble(world, now, ink);
    let high = u16::try_from(trouble.len()).unwrap_or(0);
    let [head, wrong, body, foot] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(high),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    lines(frame, head, summary(world, now, ink));
    lines(frame, wrong, trouble);
    if frame.area().height >= HIGH {
        let parts = [Constraint::Percentage(38), Constraint::Percentage(37), Constraint::Percentage(25)];
        let areas: [Rect; 3] = Layout::vertical(parts).areas(body);
        for (pane, area) in Pane::ALL.into_iter().zip(areas) {
            list(frame, area, pane, view, world, events, now);
        }
    } else {
        list(frame, body, view.pane, view, world, events, now);
    }
    lines(frame, foot, vec![keys(view, ink)]);
}

fn lines(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>) {
    for (line, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

fn summary(world: &World, now: Timestamp, ink: Ink) -> Vec<Line<'static>> {
    let settings = &world.settings;
    let up = world.started_at.map_or_else(|| "starting".into(), |at| format!("up {}", ago(now, at)));
    let first = Line::from(vec![
        Span::styled(format!("keepwatch {}", settings.global.router_id), Style::new().bold()),
        Span::styled(format!("  {}, process {}, {up}", settings.version, settings.pid), ink.dim()),
    ]);
    let in_state = |state| world.instances.values().filter(|i| i.state == state).count();
    let fault = in_state(VrrpState::Fault);
    let mut second = vec![
        Span::styled(format!("{} MASTER", in_state(VrrpState::Master)), ink.good()),
        Span::raw(format!("  {} BACKUP  ", in_state(VrrpState::Backup))),
        Span::styled(format!("{fault} FAULT"), if fault > 0 { ink.bad() } else { Style::new() }),
    ];
    if !world.services.is_empty() {
        let reals = || world.services.values().flat_map(|service| service.reals.values());
        let up = reals().filter(|real| real.state() == RealState::Up).count();
        let down = reals().filter(|real| real.state() == RealState::Down).count();
        let quorum = world.services.values().filter(|service| service.quorum).count();
        let all = world.services.len();
        second.push(Span::styled(
            format!("   {quorum}/{all} with quorum"),
            if quorum < all { ink.bad() } else { Style::new() },
        ));
        second.push(Span::styled(
            format!("   {up}/{} real servers up", reals().count()),
            if down > 0 { ink.bad() } else { Style::new() },
        ));
    }
    vec![first, Line::from(second)]
}

fn trouble(world: &World, now: Timestamp, ink: Ink) -> Vec<Line<'static>> {
    let all = Trouble::together(world.trouble());
    let more = all.len().saturating_sub(TROUBLE);
    let mut told: Vec<Line<'static>> = all
        .into_iter()
        .take(TROUBLE)
        .map(|Trouble { what, since, error, .. }| {
            let since = since.map_or_else(String::new, |at| format!(" for {}", ago(now, at)));
            Line::from(vec![Span::styled("! ", ink.warn()), Span::raw(format!("{what}{since}: {error}"))])
        })
        .collect();
    if more > 0 {
        told.push(Line::from(format!("  and {more} more")));
    }
    told
}

fn list(
    frame: &mut Frame<'_>,
    area: Rect,
    pane: Pane,
    view: &mut View,
    world: &World,
    events: &VecDeque<Arc<Event>>,
    now: Timestamp,
) {
    let ink = Ink(view.colours);
    let [title, heading, rows] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(0)]).areas(area);
    let room = usize::from(rows.height);
    let (all, first, told): (usize, usize, Vec<Line<'static>>) = match pane {
        Pane::Routers => {
            let wanted = rows::routers(world, view);
            let first = view.first(pane, wanted.len(), room);
            let told = wanted.iter().skip(first).take(room).map(|i| rows::router(i, now, ink)).collect();
            (wanted.len(), first, told)
        }
        Pane::Servers => {
            let wanted = rows::servers(world, view);
            let first = view.first(pane, wanted.len(), room);
            let told = wanted.iter().skip(first).take(room).map(|s| rows::server(s, now, ink)).collect();
            (wanted.len(), first, told)
        }
        Pane::Events => {
            let wanted = rows::events(events, view);
            let first = view.first(pane, wanted.len(), room);
            let told = wanted.iter().skip(first).take(room).map(|event| rows::event(event, ink)).collect();
            (wanted.len(), first, told)
        }
    };
    let count = match all > room {
        true => format!(" {}-{} of {all}", first + 1, (first + room).min(all)),
        false => format!(" {all}"),
    };
    let style = if pane == view.pane { Style::new().bold().reversed() } else { Style::new().bold() };
    let number = pane as usize + 1;
    let line =
        vec![Span::styled(format!(" {number} {} ", pane.title()), style), Span::styled(count, ink.dim())];
    lines(frame, title, vec![Line::from(line)]);
    let text = match pane {
        Pane::Routers => rows::ROUTERS,
        Pane::Servers => rows::SERVERS,
        Pane::Events => "TIME          NUMBER  WHAT HAPPENED",
    };
    lines(frame, heading, vec![Line::styled(text, ink.dim())]);
    lines(frame, rows, told);
}

fn keys(view: &View, ink: Ink) -> Line<'static> {
    if view.typing {
        return Line::from(vec![
            Span::styled("filter: ", Style::new().bold()),
            Span::raw(format!("{}_", view.filter)),
        ]);
    }
    let mut spans = Vec::new();
    if !view.filter.is_empty() {
        spans.push(Span::styled(format!("filter: {} (Esc ends it)  ", view.filter), ink.warn()));
    }
    if view.trouble_only {
        spans.push(Span::styled("only what is wrong (t)  ", ink.warn()));
    }
    spans.push(Span::styled(
        "q quit  / filter  t wrong only  1 2 3 Tab list  arrows PgUp PgDn scroll",
        ink.dim(),
    ));
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    #[test]
    fn any_size_can_be_drawn_and_every_list_has_a_place() {
        let (world, events) = (World::default(), VecDeque::new());
        for (width, height) in [(80, 24), (200, 60), (20, 5), (1, 1), (300, 2)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            let mut view = View::new(true);
            for pane in Pane::ALL {
                view.pane = pane;
                let now = Timestamp::UNIX_EPOCH;
                terminal.draw(|frame| draw(frame, &mut view, &world, &events, now)).unwrap();
                let screen = terminal.backend().to_string();
                assert!(width < 80 || height < 5 || screen.contains(pane.title()), "{screen}");
                let others = Pane::ALL.iter().filter(|pane| screen.contains(pane.title())).count();
                assert!(height < HIGH || others == 3, "{screen}");
            }
        }
    }
}
