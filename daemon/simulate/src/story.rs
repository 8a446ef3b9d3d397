//! The history of a LAN for people: as text, and as an SVG picture that stands alone.

use std::fmt::Write;

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;

use crate::history::{Course, Happening, History, Span};
use crate::host::Deed;

/// A time in seconds, to the millisecond.
fn seconds(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros / 1_000 % 1_000)
}

/// What happened, line by line; then who was master when, outages and split brain.
pub fn text(history: &History, end: u64) -> String {
    let mut out = timeline(history);
    for course in &history.courses {
        out.push('\n');
        summary(&mut out, history, course, end);
    }
    out
}

/// What happened, line by line.
pub fn timeline(history: &History) -> String {
    let width = history.hosts.iter().map(|name| name.chars().count()).max().unwrap_or(1);
    let mut out = String::new();
    for moment in &history.moments {
        let host = moment.host.map_or("*", |host| &history.hosts[host]);
        let what = match &moment.what {
            Happening::Fault(what) => what.clone(),
            Happening::Deed(deed) => told(deed),
        };
        // Writing to a String can't fail, here and below.
        let _ = writeln!(out, "{:>12}  {host:<width$}  {what}", seconds(moment.at));
    }
    out
}

fn told(deed: &Deed) -> String {
    let name = &deed.instance;
    let what = match &deed.what {
        VrrpFact::StateChanged { from, to, priority, .. } => {
            format!("{name}: {from} → {to} (priority {priority})")
        }
        VrrpFact::PriorityChanged { from, to, .. } => format!("{name}: priority {from} → {to}"),
        other => format!("{name}: {}", <&'static str>::from(other)),
    };
    match deed.because.as_ref().and_then(reason) {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    }
}

fn reason(fact: &VrrpFact) -> Option<String> {
    Some(match fact {
        VrrpFact::AdvertTimedOut { waited, .. } => {
            format!("nobody was heard for {}", seconds(waited.as_micros() as u64))
        }
        VrrpFact::MasterResigned { address, .. } => format!("{address} resigned"),
        VrrpFact::LowerPriorityReceived { address, priority, .. } => {
            format!("{address} has only priority {priority}")
        }
        VrrpFact::HigherPriorityReceived { address, priority, .. } => {
            format!("{address} has priority {priority}")
        }
        VrrpFact::GroupStateChanged { group, to, .. } => format!("the group {group} is {to}"),
        VrrpFact::SourceAddressChanged { address: None, .. } => "it has no address to send from".to_owned(),
        _ => return None,
    })
}

fn summary(out: &mut String, history: &History, course: &Course, end: u64) {
    let _ = writeln!(out, "{}", course.name);
    let mut masters: Vec<(Span, &str)> = Vec::new();
    for track in &course.tracks {
        let spans = track.spans(VrrpState::Master, end);
        masters.extend(spans.into_iter().map(|span| (span, &*history.hosts[track.host])));
    }
    masters.sort_by_key(|(span, _)| (span.from, span.to));
    for (span, host) in &masters {
        let _ = writeln!(out, "  master  {host}  {}", between(*span));
    }
    if masters.is_empty() {
        // Nor was there an outage of what never was.
        let _ = writeln!(out, "  nobody was ever master");
        return;
    }
    for track in &course.tracks {
        let host = &history.hosts[track.host];
        for span in track.standing_still(end) {
            let _ = writeln!(out, "  {host} stands still and answers nobody  {}", between(span));
        }
        for span in track.left(end) {
            let _ = writeln!(out, "  {host} has the addresses, but no process  {}", between(span));
        }
    }
    list(out, "outage", &course.outages(end));
    list(out, "split brain", &course.split_brain(end));
}

fn list(out: &mut String, what: &str, spans: &[Span]) {
    match spans {
        [] => {
            let _ = writeln!(out, "  no {what}");
        }
        spans => {
            for span in spans {
                let _ = writeln!(out, "  {what}  {}", between(*span));
            }
        }
    }
}

fn between(span: Span) -> String {
    let length = span.length().as_micros() as u64;
    format!("{} to {}: {}", seconds(span.from), seconds(span.to), seconds(length))
}

const LEFT: f64 = 150.0;
const WIDTH: f64 = 900.0;
const ROW: f64 = 26.0;
const TOP: f64 = 40.0;

/// The same as a picture: a row for each host of each virtual router, time to the right; under each virtual router a
/// row of outages and split brain; what went wrong as marks.
pub fn svg(history: &History, end: u64) -> String {
    let rows: usize = history.courses.iter().map(|course| course.tracks.len() + 2).sum();
    let height = TOP + ROW * rows as f64 + 60.0;
    let x = |at: u64| LEFT + WIDTH * at as f64 / end.max(1) as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        LEFT + WIDTH + 30.0
    );
    let mut y = TOP;
    for course in &history.courses {
        label(&mut out, 8.0, y + 17.0, "bold", &course.name);
        y += ROW;
        for track in &course.tracks {
            label(&mut out, 20.0, y + 17.0, "normal", &history.hosts[track.host]);
            for (state, colour) in [
                (VrrpState::Init, "#eeeeee"),
                (VrrpState::Backup, "#b6d4f0"),
                (VrrpState::Master, "#2e9e5b"),
                (VrrpState::Fault, "#e08a3c"),
            ] {
                for span in track.spans(state, end) {
                    bar(
                        &mut out,
                        (x(span.from), x(span.to)),
                        y,
                        ROW - 6.0,
                        colour,
                        &format!("{state}, {}", between(span)),
                    );
                }
            }
            y += ROW;
        }
        for span in course.outages(end) {
            bar(
                &mut out,
                (x(span.from), x(span.to)),
                y,
                8.0,
                "#c62828",
                &format!("outage, {}", between(span)),
            );
        }
        for span in course.split_brain(end) {
            bar(
                &mut out,
                (x(span.from), x(span.to)),
                y + 9.0,
                8.0,
                "#7b1fa2",
                &format!("split brain, {}", between(span)),
            );
        }
        y += ROW;
    }
    axis(&mut out, end, y, &x);
    marks(&mut out, history, y, &x);
    let legend = "green: master · blue: backup · orange: fault · grey: not running · red: outage · violet: split brain";
    label(&mut out, LEFT, y + 44.0, "normal", legend);
    out + "</svg>\n"
}

fn axis(out: &mut String, end: u64, y: f64, x: &dyn Fn(u64) -> f64) {
    let steps = [1, 2, 5, 10, 20, 60, 120, 300, 600, 1_800, 3_600, 14_400, 86_400];
    let total = end / 1_000_000;
    let step = steps.into_iter().find(|step| total / step <= 15).unwrap_or(total.max(1));
    for second in (0..=total).step_by(step as usize) {
        let at = x(second * 1_000_000);
        let _ = writeln!(
            out,
            "<line x1=\"{at:.1}\" y1=\"{TOP}\" x2=\"{at:.1}\" y2=\"{:.1}\" stroke=\"#dddddd\" stroke-width=\"0.5\"/>",
            y + 6.0
        );
        label(out, at - 8.0, y + 22.0, "normal", &format!("{second} s"));
    }
}

/// What was done to hosts and network, as small marks whose text a browser shows.
fn marks(out: &mut String, history: &History, y: f64, x: &dyn Fn(u64) -> f64) {
    for moment in &history.moments {
        let Happening::Fault(what) = &moment.what else { continue };
        let host = moment.host.map_or("network", |host| &history.hosts[host]);
        let at = x(moment.at);
        let _ = writeln!(
            out,
            "<g><title>{}</title><line x1=\"{at:.1}\" y1=\"{:.1}\" x2=\"{at:.1}\" y2=\"{y:.1}\" stroke=\"#555555\" \
             stroke-dasharray=\"2 3\"/><path d=\"M{:.1} {:.1} h8 l-4 8 z\" fill=\"#555555\"/></g>",
            escaped(&format!("{} {host} {what}", seconds(moment.at))),
            TOP - 8.0,
            at - 4.0,
            TOP - 14.0,
        );
    }
}

fn bar(out: &mut String, (from, to): (f64, f64), y: f64, height: f64, colour: &str, title: &str) {
    let width = (to - from).max(0.8);
    let _ = writeln!(
        out,
        "<rect x=\"{from:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"><title>{}</title></rect>",
        escaped(title)
    );
}

fn label(out: &mut String, x: f64, y: f64, weight: &str, text: &str) {
    let _ =
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" font-weight=\"{weight}\">{}</text>", escaped(text));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
