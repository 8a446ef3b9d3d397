//! From the tree to the model: each block becomes a draft, and when everything is read the drafts become the model.
//!
//! A draft holds what was written, with its places; defaults and what one part of the file means for another come in
//! `resolve_*`, once the whole file is known, so the order of blocks does not matter.

mod address_range;
mod alerts;
mod bfd;
mod checker;
mod garp;
mod garp_group;
mod global;
mod global_fifo;
mod group;
mod instance;
mod interface_delays;
mod resolve_group;
mod resolve_server;
mod script_files;
mod script_user;
mod server;
mod server_group;
mod server_ports;
mod server_rules;
mod static_entries;
mod sync_daemon;
mod track_file;
mod track_process;
mod track_script;
mod tracked_names;
mod watched;

use std::collections::{HashMap, HashSet};

use crate::diagnostics::Diagnostic;
use crate::model::{
    BfdSession, Config, GarpGroup, LeftOutScript, Name, Ssl, TrackFile, TrackProcess, TrackScript,
    VirtualServerGroup,
};
use crate::preprocess::Context;
use crate::schema::checkers::read::nothing;
use crate::schema::global::{GlobalDraft, OF_ROOT};
use crate::schema::groups::GroupDraft;
use crate::schema::instance::InstanceDraft;
use crate::schema::observability::OBSERVABILITY;
use crate::schema::servers::{SSL, ServerDraft};
use crate::schema::static_entries::{STATIC, StaticDraft};
use crate::source::Span;
use crate::tree::Node;

/// Where what the model names stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Names of instances.
    pub(crate) instances: HashMap<Name, Span>,
    /// Of each virtual server of the model, which block (or line) of the top level it is.
    pub(crate) virtual_servers: Vec<usize>,
}

/// Everything that was read, as written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    global: GlobalDraft,
    groups: Vec<GroupDraft>,
    // Boxed: each is given back as soon as the model has it, and there may be tens of thousands.
    #[allow(clippy::vec_box)]
    instances: Vec<Box<InstanceDraft>>,
    statics: StaticDraft,
    track_groups: Vec<static_entries::TrackGroupDraft>,
    garp_groups: Vec<GarpGroup>,
    /// The interfaces of all of them.
    garp_interfaces: HashSet<Name>,
    servers: Vec<ServerDraft>,
    server_groups: Vec<VirtualServerGroup>,
    /// Groups of virtual servers that were left out: whoever uses one need not complain.
    dropped_groups: Vec<Box<str>>,
    ssl: Option<Ssl>,
    track_scripts: Vec<TrackScript>,
    /// Those of which nothing can be made. Who follows them is known later.
    left_out_scripts: Vec<LeftOutScript>,
    track_files: Vec<TrackFile>,
    track_processes: Vec<TrackProcess>,
    observability: crate::model::Observability,
    bfds: Vec<BfdSession>,
    bfd_addresses: HashMap<bfd::Addresses, Name>,
    /// Names of what can be tracked and was left out (reported): nobody should complain that it is missing.
    left_out: Vec<Box<str>>,
    /// Names that are taken, by the keyword of their block.
    names: HashSet<(&'static str, Name)>,
    /// How many blocks and lines were taken before.
    taken: usize,
}

impl Draft {
    /// Takes one block (or line) of the top level.
    pub(crate) fn take(&mut self, node: &Node, context: &mut Context) {
        if !node.bad {
            self.take_good(node, context);
        }
        self.taken += 1;
    }

    fn take_good(&mut self, node: &Node, context: &mut Context) {
        match node.keyword.name {
            "vrrp_instance" => self.instance(node, context),
            "virtual_server" => self.server(node, context),
            "vrrp_sync_group" => self.sync_group(node, context),
            "SSL" => {
                // A second one takes the place of the first as a whole.
                let ssl = self.ssl.insert(Ssl::default());
                SSL.read(ssl, node, context);
                half_an_identity(ssl, node, context);
            }
            "virtual_server_group" => self.server_group(node, context),
            "global_defs" => {
                self.global.read(node, context);
                context.known.iproute.say(&self.global.model.iproute);
            }
            "observability" => OBSERVABILITY.read(&mut self.observability, node, context),
            "vrrp_script" => self.track_script(node, context),
            "track_file" => self.track_file(node, context),
            "vrrp_track_process" => self.track_process(node, context),
            "track_group" => self.track_group(node, context),
            "garp_group" => self.garp_group(node, context),
            "bfd_instance" => self.bfd(node, context),
            _ => {
                let _ = STATIC.take(&mut self.statics, node, context)
                    || OF_ROOT.take(&mut self.global, node, context);
            }
        }
    }

    /// The name of a block; `None` if another of its kind has it already (reported).
    fn new_name(&mut self, node: &Node, context: &mut Context) -> Option<Name> {
        let name = Name::from(node.arg(0).unwrap_or(""));
        if self.names.insert((node.keyword.name, name.clone())) {
            return Some(name);
        }
        let message = format!("there is already a `{}` of the name `{name}`", node.keyword.name);
        let diagnostic = match node.keyword.name {
            // keepalived says nothing, and finds the first.
            "vrrp_script" | "track_file" | "vrrp_track_process" => {
                Diagnostic::warning("duplicate-name", message)
            }
            _ => Diagnostic::error("duplicate-name", message),
        };
        context.report(diagnostic.at(node.arg_span(0), "this one is left out"));
        None
    }

    /// A block that nothing is made of: who names it is not told that there is none, and another may have its name.
    fn leave_out(&mut self, node: &Node, name: Name) {
        self.left_out.push((&*name).into());
        self.names.remove(&(node.keyword.name, name));
    }

    /// Makes the model. `skipped` are names of blocks that were not understood, `host` is the name of this host.
    pub(crate) fn finish(self, skipped: &[Box<str>], host: &str, context: &mut Context) -> (Config, Places) {
        let mut skipped: HashSet<&str> = skipped.iter().chain(&self.left_out).map(|name| &**name).collect();
        // Given back before the model takes its room.
        drop(self.names);
        let instances = self.instances.iter().map(|draft| (draft.name.clone(), draft.at)).collect();
        let mut places = Places { instances, virtual_servers: Vec::new() };
        let sync_daemon = self.global.sync_daemon;
        let delay_places = self.global.delay_places.clone();
        let global = self.global.finish(host, context);
        // Another may have the name of one that was left out.
        let mut left_out_scripts = self.left_out_scripts;
        left_out_scripts
            .retain(|left_out| self.track_scripts.iter().all(|other| other.name != left_out.name));
        let mut config = Config {
            global,
            track_scripts: self.track_scripts,
            left_out_scripts,
            track_files: self.track_files,
            track_processes: self.track_processes,
            bfd_sessions: self.bfds,
            virtual_server_groups: self.server_groups,
            ssl: self.ssl,
            observability: self.observability,
            static_addresses: self.statics.addresses,
            static_routes: self.statics.routes,
            static_rules: self.statics.rules,
            garp_groups: self.garp_groups,
            ..Config::default()
        };
        instance::resolve(self.instances, self.groups, &places.instances, &skipped, &mut config, context);
        interface_delays::cap(&mut config, &delay_places, context);
        static_entries::resolve(self.track_groups, &mut config, context);
        sync_daemon::resolve(&mut config, sync_daemon, context);
        let bfds =
            config.bfd_sessions.iter().filter(|bfd| bfd.for_checkers).map(|bfd| bfd.name.clone()).collect();
        skipped.extend(self.dropped_groups.iter().map(|name| &**name));
        places.virtual_servers = resolve_server::resolve(self.servers, &bfds, &skipped, &mut config, context);
        script_user::apply(&mut config);
        script_files::check(&mut config, context);
        (config, places)
    }
}

/// A certificate without its key, or the other way round, is shown to nobody.
fn half_an_identity(ssl: &Ssl, node: &Node, context: &mut Context) {
    let (half, missing) = match (&ssl.certificate, &ssl.key) {
        (Some(_), None) => ("certificate", "key"),
        (None, Some(_)) => ("key", "certificate"),
        (Some(_), Some(_)) | (None, None) => return,
    };
    let mut written = node.children.iter().filter(|child| child.keyword.name == half);
    let span = written.next_back().map_or(node.name.span, |child| child.name.span);
    nothing(span, &format!("without `{missing}`, `{half}` is shown to no server"), context);
}
