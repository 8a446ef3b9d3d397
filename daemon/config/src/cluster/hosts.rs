//! What the machines of a cluster say of themselves in `global_defs`.

use super::file::File;
use crate::diagnostics::Diagnostic;
use crate::model::LvsSyncDaemon;
use crate::source::Span;

/// Two machines with one name. The name of this host, which both have when none is written, does not count.
pub(super) fn router_id<'a>(here: &'a File<'a>, there: &'a File<'a>) -> Option<Diagnostic> {
    let (span, other) = (here.global("router_id")?, there.global("router_id")?);
    let id = &here.config.global.router_id;
    if *id != there.config.global.router_id {
        return None;
    }
    let message = format!("`router_id` is {id} here and in {}", there.path.display());
    let diagnostic = Diagnostic::warning("cluster-router-id", message)
        .at(span, "here")
        .also(other, "the same in the other file");
    Some(diagnostic.help("mails and SNMP tell the hosts apart by it"))
}

/// The synchronisation of IPVS connections: a machine only takes the messages of its own id, port and group.
pub(super) fn sync_daemon<'a>(here: &'a File<'a>, there: &'a File<'a>) -> Option<Diagnostic> {
    let daemons = [here, there].map(|file| file.config.global.lvs_sync_daemon.as_ref());
    let spans = [here, there].map(written);
    let name = there.path.display();
    let what = match daemons {
        [None, None] => return None,
        [Some(one), Some(other)] => difference(one, other, &name)?,
        // A machine without virtual servers has no connections to tell of.
        _ if [here, there].iter().any(|file| file.config.virtual_servers.is_empty()) => return None,
        [Some(_), None] => format!("`lvs_sync_daemon` is here but not in {name}"),
        [None, Some(_)] => format!("there is no `lvs_sync_daemon` here, but there is in {name}"),
    };
    let diagnostic = Diagnostic::warning("cluster-sync-daemon", what)
        .help("the kernels do not tell each other of connections: a takeover breaks them");
    Some(match spans {
        [Some(span), Some(other)] => diagnostic.at(span, "here").also(other, "in the other file"),
        [Some(span), None] => diagnostic.at(span, "only here"),
        [None, Some(other)] => diagnostic.at(other, "only in the other file"),
        [None, None] => diagnostic,
    })
}

fn difference(one: &LvsSyncDaemon, other: &LvsSyncDaemon, name: &std::path::Display<'_>) -> Option<String> {
    let said = |what: &str, here: String, there: String| {
        (here != there).then(|| format!("`lvs_sync_daemon` has {what} {here} here and {there} in {name}"))
    };
    let optional = |value: Option<String>| value.unwrap_or_else(|| "(the default)".to_owned());
    said("id", one.sync_id.to_string(), other.sync_id.to_string())
        .or_else(|| {
            let port = |daemon: &LvsSyncDaemon| optional(daemon.port.map(|port| port.to_string()));
            said("port", port(one), port(other))
        })
        .or_else(|| {
            let group = |daemon: &LvsSyncDaemon| optional(daemon.group.map(|group| group.to_string()));
            said("group", group(one), group(other))
        })
}

fn written<'a>(file: &'a File<'a>) -> Option<Span> {
    file.global("lvs_sync_daemon").or_else(|| {
        let mut instances = file.config.instances.iter();
        let follows = instances.find(|instance| instance.lvs_sync_daemon_interface.is_some())?;
        file.block("vrrp_instance", &follows.name)?.keyword(&["lvs_sync_daemon_interface"])
    })
}
