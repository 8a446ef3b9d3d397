//! What `keepwatch observe` hears, for Prometheus: `/metrics` on a thread of its own, which never keeps the listener waiting
//! longer than it takes to write down what is known.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use jiff::Timestamp;
use keepwatch_export::{Exposition, Families, Format, Labels, Limits, flag, number, serve_metrics};
use keepwatch_observe::{Lan, Place, Router};

/// What is shared with the listener.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) lan: Lan,
    /// Packets that came faster than they were taken.
    pub(super) lost: u64,
}

/// Answers `/metrics` at this address from now on, with times counted from `began`.
///
/// # Errors
/// When the address can't be listened on.
pub(super) fn serve(at: SocketAddr, began: Timestamp, known: Arc<Mutex<Known>>) -> Result<()> {
    let listener = TcpListener::bind(at).with_context(|| format!("listen on {at}"))?;
    listener.set_nonblocking(true).context("listen for scrapes")?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("serve metrics")?;
    let exposition = move |format| {
        let known = known.lock().unwrap_or_else(PoisonError::into_inner);
        exposition(&known, began, format)
    };
    let served = async move {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        serve_metrics(listener, Limits::default(), Arc::new(exposition)).await;
    };
    thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || runtime.block_on(served))
        .context("serve metrics")?;
    Ok(())
}

const ROUTER: [&str; 3] = ["interface", "family", "vrid"];

/// A virtual router with its labels.
struct Shown<'a> {
    labels: Labels,
    router: &'a Router,
}

fn labels(place: &Place) -> Labels {
    let vrid = place.vrid.map_or_else(String::new, |vrid| vrid.to_string());
    Labels::new(&[("interface", &place.interface), ("family", &place.family.to_string()), ("vrid", &vrid)])
}

/// All that is known, as text.
fn exposition(known: &Known, began: Timestamp, format: Format) -> Exposition {
    let mut families = Families::new(format);
    let routers: Vec<Shown<'_>> =
        known.lan.routers().map(|(place, router)| Shown { labels: labels(place), router }).collect();
    of_routers(&mut families, &routers, began);
    of_senders(&mut families, &routers);
    let help = "Packets of VRRP that nobody can believe, by what is wrong with them.";
    let mut flawed = families.counter(
        "keepwatch_observed_flawed_packets_total",
        help,
        &["interface", "family", "sender", "flaw"],
    );
    for (place, sender, flaw, packets) in known.lan.flawed_packets() {
        let sender = sender.map_or_else(|| "others".to_owned(), |sender| sender.to_string());
        let values = [&*place.interface, &place.family.to_string(), &sender, flaw.name()];
        flawed.sample(&values, number(packets));
    }
    let help = "Packets of VRRP that were heard, flawed ones too.";
    families.counter("keepwatch_observed_packets_total", help, &[]).sample(&[], number(known.lan.packets()));
    let help = "Packets that came too fast and were not heard.";
    families.counter("keepwatch_observed_lost_packets_total", help, &[]).sample(&[], number(known.lost));
    families.finish()
}

fn of_routers(families: &mut Families, routers: &[Shown<'_>], began: Timestamp) {
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&Router) -> f64| {
        let mut family = families.gauge(name, help, &ROUTER);
        for Shown { labels, router } in routers {
            family.sample_of(labels, &[], value(router));
        }
    };
    let help = "Whether a virtual router has a master.";
    gauge("keepwatch_observed_router_has_master", help, &|router| flag(router.master.is_some()));
    let help = "Whether two act as its master.";
    gauge("keepwatch_observed_router_two_masters", help, &|router| flag(router.two_masters().is_some()));
    let help = "Since when it has this master, or none.";
    gauge("keepwatch_observed_router_since_timestamp_seconds", help, &|router| {
        began.as_duration().as_secs_f64() + router.since.as_secs_f64()
    });
    let mut counter = |name: &str, help: &str, value: &dyn Fn(&Router) -> u64| {
        let mut family = families.counter(name, help, &ROUTER);
        for Shown { labels, router } in routers {
            family.sample_of(labels, &[], number(value(router)));
        }
    };
    let help = "How often another became master.";
    counter("keepwatch_observed_router_master_changes_total", help, &|router| router.master_changes);
    let help = "Senders that there was no room for, or whose room another got.";
    counter("keepwatch_observed_router_senders_forgotten_total", help, &|router| router.senders_forgotten);
}

fn of_senders(families: &mut Families, routers: &[Shown<'_>]) {
    const SENDER: [&str; 4] = ["interface", "family", "vrid", "sender"];
    let senders = || {
        routers.iter().flat_map(|shown| {
            shown.router.senders().iter().map(move |sender| (shown, sender, sender.address.to_string()))
        })
    };
    let labels = [&SENDER[..], &["version", "authentication"]].concat();
    let help = "Who sends adverts: always 1.";
    let mut info = families.gauge("keepwatch_observed_sender_info", help, &labels);
    for (shown, sender, address) in senders() {
        let version = sender.version.to_string();
        info.sample_of(&shown.labels, &[&address, &version, sender.authentication.name()], 1.0);
    }
    let help = "Whether it is the master.";
    let mut master = families.gauge("keepwatch_observed_sender_master", help, &SENDER);
    for (shown, sender, address) in senders() {
        master.sample_of(&shown.labels, &[&address], flag(shown.router.master == Some(sender.address)));
    }
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&keepwatch_observe::Sender) -> f64| {
        let mut family = families.gauge(name, help, &SENDER);
        for (shown, sender, address) in senders() {
            family.sample_of(&shown.labels, &[&address], value(sender));
        }
    };
    let help = "Its priority.";
    gauge("keepwatch_observed_sender_priority", help, &|sender| f64::from(sender.priority));
    let help = "How often it says that it sends.";
    gauge("keepwatch_observed_sender_interval_seconds", help, &|sender| sender.interval.as_secs_f64());
    let help = "How many virtual addresses it has.";
    gauge("keepwatch_observed_sender_addresses", help, &|sender| f64::from(sender.address_count));
    let help = "The longest time between two of its adverts while it was sending.";
    gauge("keepwatch_observed_sender_largest_gap_seconds", help, &|sender| sender.largest_gap.as_secs_f64());
    let help = "Its adverts that were heard.";
    let mut adverts = families.counter("keepwatch_observed_sender_adverts_total", help, &SENDER);
    for (shown, sender, address) in senders() {
        adverts.sample_of(&shown.labels, &[&address], number(sender.adverts));
    }
}
