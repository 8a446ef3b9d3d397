//! Do the interfaces of a configuration exist? Each that does not is said once, where it is first named. What needs one
//! waits for it, which is a mistake unless `dynamic_interfaces` says that it may come later.

use std::collections::HashSet;

use super::Host;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::load::Loaded;
use crate::model::{
    Config, DynamicInterfaces, Instance, InterfaceAddress, LinkTarget, Name, Route, Rule, VmacKind,
};
use crate::places::{Place, find_word};
use crate::source::Span;
use crate::spelling::nearest;

/// Where an interface is named.
struct Use<'a> {
    interface: &'a Name,
    /// For what.
    what: &'static str,
    /// The instance that it stands in; `None` outside of instances.
    instance: Option<&'a Instance>,
}

/// Compares the interfaces that a configuration names with those that there are.
pub(super) fn check(loaded: &Loaded, config: &Config, present: &[String], diagnostics: &mut Diagnostics) {
    let mut known: HashSet<&str> = present.iter().map(String::as_str).collect();
    let made: Vec<String> =
        config.instances.iter().filter_map(|instance| made_by(instance, config)).collect();
    known.extend(made.iter().map(String::as_str));
    for used in uses(config) {
        // Said once, where it is first named.
        if known.insert(used.interface) {
            diagnostics.push(missing(&used, loaded, config, present));
        }
    }
}

/// Says which instances are to make an interface of a name that another one has: that is somebody else's, and the instance
/// would have to make one of another name.
pub(super) fn check_made(loaded: &Loaded, config: &Config, host: &Host, diagnostics: &mut Diagnostics) {
    for instance in &config.instances {
        let Some(vmac) = &instance.vmac else { continue };
        let Some(name) = &vmac.interface else { continue };
        let (keyword, alike, what) = match vmac.kind {
            VmacKind::Macvlan { .. } => ("use_vmac", &host.vmacs, "macvlan in private mode"),
            VmacKind::Ipvlan { .. } => ("use_ipvlan", &host.ipvlans, "ipvlan"),
        };
        let is_in = |list: &[String]| list.iter().any(|known| **known == **name);
        if is_in(&host.interfaces) && !is_in(alike) {
            let message = format!("`{keyword} {name}`: there is an interface `{name}`, and it is no {what}");
            let place = Place::of_instance(loaded, instance);
            diagnostics.push(
                place
                    .mark(Diagnostic::error("interface-taken", message), place.of_word(name), "the name is taken")
                    .help(format!(
                        "`{keyword}` names the interface that is made for the virtual router; the one below it is named by \
                         `interface`"
                    )),
            );
        }
    }
}

/// The interface that an instance makes itself.
fn made_by(instance: &Instance, config: &Config) -> Option<String> {
    let vmac = instance.vmac.as_ref()?;
    let default = || format!("{}.{}", config.global.vmac_prefixes.instances, instance.vrid);
    Some(vmac.interface.as_ref().map_or_else(default, Name::to_string))
}

fn uses(config: &Config) -> impl Iterator<Item = Use<'_>> {
    let outside = |interface, what| Use { interface, what, instance: None };
    let global = &config.global;
    let links =
        global.linkbeat_interfaces.iter().map(move |link| outside(&link.interface, "whose link is polled"));
    let delays = global.interface_delays.iter().map(move |delay| outside(&delay.interface, "with delays"));
    let garp = config.garp_groups.iter().flat_map(|group| &group.interfaces);
    let statics = of_addresses(&config.static_addresses)
        .chain(of_routes(&config.static_routes))
        .chain(of_rules(&config.static_rules))
        .map(move |(interface, what)| outside(interface, what));
    let sync = global.lvs_sync_daemon.iter().map(move |sync| outside(&sync.interface, SYNC));
    config
        .instances
        .iter()
        .flat_map(of_instance)
        .chain(statics)
        .chain(garp.map(move |interface| outside(interface, "of `garp_group`")))
        .chain(links)
        .chain(delays)
        .chain(sync)
}

/// The purpose of an interface that keepalived does not look for before it needs it.
const SYNC: &str = "of the IPVS synchronisation";

fn of_instance(instance: &Instance) -> impl Iterator<Item = Use<'_>> {
    let own = instance.interface.iter().map(|interface| (interface, "of the instance"));
    let tracked = instance.tracking.interfaces.iter().map(|tracked| (&tracked.name, "that is tracked"));
    own.chain(tracked)
        .chain(of_addresses(&instance.addresses))
        .chain(of_addresses(&instance.excluded_addresses))
        .chain(of_routes(&instance.routes))
        .chain(of_rules(&instance.rules))
        .map(|(interface, what)| Use { interface, what, instance: Some(instance) })
}

fn of_addresses(addresses: &[InterfaceAddress]) -> impl Iterator<Item = (&Name, &'static str)> {
    addresses.iter().filter_map(|address| match &address.link {
        LinkTarget::Named(name) => Some((name, "of an address")),
        LinkTarget::Instance => None,
    })
}

fn of_routes(routes: &[Route]) -> impl Iterator<Item = (&Name, &'static str)> {
    let hops = routes
        .iter()
        .flat_map(|route| std::iter::once(&route.hop).chain(route.next_hops.iter().map(|next| &next.hop)));
    hops.filter_map(|hop| Some((hop.interface.as_ref()?, "of a route")))
}

fn of_rules(rules: &[Rule]) -> impl Iterator<Item = (&Name, &'static str)> {
    let interfaces = rules.iter().flat_map(|rule| [&rule.incoming_interface, &rule.outgoing_interface]);
    interfaces.flatten().map(|name| (name, "of a rule"))
}

fn missing(used: &Use<'_>, loaded: &Loaded, config: &Config, present: &[String]) -> Diagnostic {
    let name: &str = used.interface;
    let message = format!("there is no interface `{name}`");
    let dynamic = config.global.dynamic_interfaces != DynamicInterfaces::No;
    let diagnostic = if used.what == SYNC {
        Diagnostic::warning("no-such-interface", message)
    } else if dynamic {
        Diagnostic::note("no-such-interface", message).help("it may come later: `dynamic_interfaces`")
    } else {
        Diagnostic::error("no-such-interface", message)
            .help("with `dynamic_interfaces` in `global_defs` it may come later")
    };
    let Some(span) = place(used, loaded, name) else { return diagnostic };
    let diagnostic = diagnostic.at(span, format!("interface {}", used.what));
    // What the instance is on itself it hardly names a second time.
    let own = used.instance.and_then(|instance| instance.interface.as_deref());
    let known = present.iter().map(String::as_str).filter(|known| *known != "lo" && Some(*known) != own);
    match nearest(name, known) {
        Some(known) => diagnostic.suggest(span, known, format!("did you mean `{known}`?")),
        None if present.is_empty() => diagnostic,
        None => diagnostic.help(format!("there are {}", shown(present))),
    }
}

/// Some of the interfaces.
fn shown(present: &[String]) -> String {
    const MOST: usize = 8;
    let list: Vec<&str> = present.iter().take(MOST).map(String::as_str).collect();
    let more = present.len().saturating_sub(MOST);
    if more > 0 { format!("{} and {more} more", list.join(", ")) } else { list.join(", ") }
}

fn place(used: &Use<'_>, loaded: &Loaded, name: &str) -> Option<Span> {
    match used.instance {
        Some(instance) => Place::of_instance(loaded, instance).of_word(name),
        None => find_word(loaded, name),
    }
}
