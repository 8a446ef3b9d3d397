//! The virtual servers of two routers that share addresses: whoever takes over must balance as the other one did.

use std::collections::BTreeSet;

use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::load::Loaded;
use crate::model::{Config, VirtualServer};
use crate::places::find;

/// Compares the virtual servers of an earlier file with those of this file.
pub(super) fn compare(
    (other, ours): (&Loaded, &Config),
    (file, theirs): (&Loaded, &Config),
    diagnostics: &mut Diagnostics,
) {
    let name = other.files.first().map(|path| path.display().to_string()).unwrap_or_default();
    let mut say = |message: String, help: String| {
        let diagnostic = Diagnostic::warning("cluster-virtual-servers", message).help(help);
        // Of one virtual server the place is not known; all of them together stand where the first does.
        diagnostics.push(match find(file, "virtual_server") {
            Some(span) => {
                Diagnostic { span: Some(span), label: "the virtual servers begin here".into(), ..diagnostic }
            }
            None => diagnostic,
        });
    };
    let keys = |config: &Config| -> BTreeSet<String> {
        config.virtual_servers.iter().map(|server| server.key.to_string()).collect()
    };
    let (here, there) = (keys(theirs), keys(ours));
    let mut differences = Vec::new();
    for server in &theirs.virtual_servers {
        if let Some(same) = ours.virtual_servers.iter().find(|same| same.key == server.key) {
            differences.extend(differs(same, server).map(|what| format!("{}: {what}", server.key)));
        }
    }
    let list = |only: Vec<&str>| if only.is_empty() { "none".to_owned() } else { only.join(", ") };
    if here != there {
        let only_here = list(here.difference(&there).map(String::as_str).collect());
        let only_there = list(there.difference(&here).map(String::as_str).collect());
        differences.insert(0, format!("only here: {only_here}; only there: {only_there}"));
    }
    if !differences.is_empty() {
        say(format!("the virtual servers differ from those in {name}"), differences.join("; "));
    }
}

/// What is different about one virtual server.
fn differs(ours: &VirtualServer, theirs: &VirtualServer) -> Option<String> {
    let mut parts = Vec::new();
    if ours.scheduler != theirs.scheduler {
        parts.push(format!("`lvs_sched` {} here and {} there", theirs.scheduler, ours.scheduler));
    }
    if ours.forwarding != theirs.forwarding {
        parts.push("another `lvs_method`".to_owned());
    }
    if ours.persistence_timeout != theirs.persistence_timeout {
        parts.push("another `persistence_timeout`".to_owned());
    }
    let reals = |server: &VirtualServer| -> BTreeSet<String> {
        server.real_servers.iter().map(|real| format!("{} weight {}", real.address, real.weight)).collect()
    };
    let (here, there) = (reals(theirs), reals(ours));
    let only_here: Vec<&str> = here.difference(&there).map(String::as_str).collect();
    let only_there: Vec<&str> = there.difference(&here).map(String::as_str).collect();
    if !only_here.is_empty() {
        parts.push(format!("only here real server {}", only_here.join(", ")));
    }
    if !only_there.is_empty() {
        parts.push(format!("only there real server {}", only_there.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}
