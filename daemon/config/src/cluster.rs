//! The files of several routers against each other.
//!
//! Goes in: what [`crate::load`] made of each. Comes out: for each file what does not fit the ones before it. Two
//! instances belong together when they have the same virtual router id and family, and the same interface or the same
//! name.

use std::collections::BTreeSet;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::load::Loaded;
use crate::model::{Authentication, Config, InitialState, Instance};

/// Compares the files of a cluster; one [`Diagnostics`] for each file, in their order.
pub fn check_cluster(files: &[Loaded]) -> Vec<Diagnostics> {
    let mut found = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        let mut diagnostics = Diagnostics::default();
        compare(files.get(..index).unwrap_or(&[]), file, &mut diagnostics);
        diagnostics.set_sources(file.diagnostics.shared_sources());
        found.push(diagnostics);
    }
    found
}

/// Compares a file with those before it.
fn compare(earlier: &[Loaded], file: &Loaded, diagnostics: &mut Diagnostics) {
    let Some(config) = &file.config else { return };
    let mut clusters: Vec<&Loaded> = Vec::new();
    for theirs in &config.instances {
        let Some((other, ours)) = partner(earlier, theirs) else { continue };
        let share_addresses = !addresses(ours).is_disjoint(&addresses(theirs));
        if share_addresses && !clusters.iter().any(|known| std::ptr::eq(*known, other)) {
            clusters.push(other);
        }
        let place =
            other.places.instances.get(&ours.name).map(|span| other.diagnostics.sources().place(*span));
        for mut diagnostic in pair(ours, theirs) {
            if let Some(span) = file.places.instances.get(&theirs.name) {
                diagnostic = diagnostic.at(*span, "this instance");
            }
            if let Some(place) = &place {
                diagnostic =
                    diagnostic.help(format!("the other one is at {}:{}", place.path.display(), place.line));
            }
            diagnostics.push(diagnostic);
        }
    }
    for other in clusters {
        if let Some(ours) = &other.config {
            servers(other, ours, config, diagnostics);
        }
    }
}

/// The other router of an instance: one with an address in common if there is one, else the first.
fn partner<'a>(earlier: &'a [Loaded], theirs: &Instance) -> Option<(&'a Loaded, &'a Instance)> {
    let wanted = addresses(theirs);
    let candidates = || {
        earlier.iter().filter_map(|file| {
            let ours = file.config.as_ref()?.instances.iter().find(|ours| belong_together(ours, theirs))?;
            Some((file, ours))
        })
    };
    candidates().find(|(_, ours)| !addresses(ours).is_disjoint(&wanted)).or_else(|| candidates().next())
}

fn belong_together(ours: &Instance, theirs: &Instance) -> bool {
    ours.vrid == theirs.vrid
        && ours.family == theirs.family
        && (ours.interface == theirs.interface || ours.name == theirs.name)
}

fn addresses(instance: &Instance) -> BTreeSet<String> {
    instance.addresses.iter().map(|address| address.address.to_string()).collect()
}

/// What does not fit between two routers of one virtual router.
fn pair(ours: &Instance, theirs: &Instance) -> Vec<Diagnostic> {
    let name = &theirs.name;
    let (here, there) = (addresses(theirs), addresses(ours));
    if !here.is_empty() && !there.is_empty() && here.is_disjoint(&there) {
        let message = format!(
            "virtual router {} ({}) has other addresses in the other file",
            theirs.vrid, theirs.family
        );
        return vec![Diagnostic::error("cluster-addresses", message).help(
            "routers of one virtual router need the same addresses; different ones need different ids",
        )];
    }
    let mut found = Vec::new();
    let mut error = |code: &'static str, message: String, help: &str| {
        found.push(Diagnostic::error(code, message).help(help));
    };
    if ours.version != theirs.version {
        let message = format!("`{name}` speaks version {} here and {} there", theirs.version, ours.version);
        error(
            "cluster-version",
            message,
            "routers of different versions do not hear each other: both become master",
        );
    }
    if ours.advert_int != theirs.advert_int {
        let message =
            format!("`{name}` has advert_int {:?} here and {:?} there", theirs.advert_int, ours.advert_int);
        error(
            "cluster-advert-int",
            message,
            "version 2 refuses adverts of another interval: both become master",
        );
    }
    let kind = |authentication: &Authentication| match authentication {
        Authentication::None => "none",
        Authentication::Pass(_) => "PASS",
        Authentication::Ah(_) => "AH",
    };
    if ours.authentication != theirs.authentication {
        let (here, there) = (kind(&theirs.authentication), kind(&ours.authentication));
        let what = if here == there {
            "another password".to_owned()
        } else {
            format!("{here} here and {there} there")
        };
        let message = format!("the authentication of `{name}` differs: {what}");
        error("cluster-authentication", message, "adverts are refused: both become master");
    }
    if here != there {
        let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
            let list: Vec<&str> = one.difference(other).map(String::as_str).collect();
            if list.is_empty() { "nothing more".to_owned() } else { list.join(", ") }
        };
        let message = format!(
            "the addresses of `{name}` differ: {} only here, {} only there",
            only(&here, &there),
            only(&there, &here)
        );
        error("cluster-addresses", message, "a takeover would lose or duplicate them");
    }
    if ours.priority == theirs.priority {
        let message = format!("`{name}` has priority {} in both files", theirs.priority);
        found.push(
            Diagnostic::warning("cluster-priority", message)
                .help("the one with the higher address wins; say which it should be"),
        );
    }
    if ours.state == InitialState::Master && theirs.state == InitialState::Master {
        found.push(
            Diagnostic::warning("cluster-state", format!("`{name}` begins as MASTER in both files"))
                .help("both are master for a moment when they start"),
        );
    }
    if ours.nopreempt != theirs.nopreempt {
        let message = format!("`{name}` has `nopreempt` in one file only");
        found.push(
            Diagnostic::note("cluster-nopreempt", message)
                .help("the one without it takes over as soon as it has the higher priority"),
        );
    }
    found
}

fn servers(one: &Loaded, ours: &Config, theirs: &Config, diagnostics: &mut Diagnostics) {
    let keys = |config: &Config| -> BTreeSet<String> {
        config.virtual_servers.iter().map(|server| server.key.to_string()).collect()
    };
    let (here, there) = (keys(theirs), keys(ours));
    if here == there || here.is_empty() || there.is_empty() {
        return;
    }
    let file = one.files.first().map(|path| path.display().to_string()).unwrap_or_default();
    let list = |only: Vec<&str>| if only.is_empty() { "none".to_owned() } else { only.join(", ") };
    let only_here = list(here.difference(&there).map(String::as_str).collect());
    let only_there = list(there.difference(&here).map(String::as_str).collect());
    diagnostics.push(
        Diagnostic::warning(
            "cluster-virtual-servers",
            format!("the virtual servers differ from those in {file}"),
        )
        .help(format!("only here: {only_here}; only there: {only_there}")),
    );
}
