//! `real_server` and `sorry_server` as written.

use std::net::IpAddr;

use super::checker::{CheckerBlock, FollowedBfd, FollowedFile};
use super::forwarding::forwarding;
use super::script::script;
use super::timing;
use crate::model::{CheckTiming, Forwarding, Name, Script};
use crate::preprocess::Context;
use crate::source::Span;
use crate::tree::Node;

/// A real or sorry server as written.
#[derive(Debug)]
pub(super) struct RealDraft {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    pub(super) at: Span,
    pub(super) weight: Option<u32>,
    /// Its own method, else the one that the virtual server had been given when this server was read.
    pub(super) forwarding: Option<Forwarding>,
    pub(super) upper_threshold: u32,
    pub(super) lower_threshold: u32,
    pub(super) inhibit: Option<bool>,
    pub(super) alpha: Option<bool>,
    pub(super) smtp_alert: Option<bool>,
    pub(super) notify_up: Option<Script>,
    pub(super) notify_down: Option<Script>,
    pub(super) virtualhost: Option<Name>,
    pub(super) snmp_name: Option<Name>,
    pub(super) timing: CheckTiming,
    pub(super) checkers: Vec<CheckerBlock>,
    pub(super) file_checks: Vec<FollowedFile>,
    pub(super) bfd_checks: Vec<FollowedBfd>,
}

impl RealDraft {
    /// Reads a block; `outer` is the method that the virtual server has so far.
    pub(super) fn new(node: &Node, outer: Option<Forwarding>, context: &mut Context) -> Option<Self> {
        let at = if node.args.len() > 1 { node.arg_span(0).to(node.arg_span(1)) } else { node.arg_span(0) };
        let mut draft = Self {
            address: node.host(0)?,
            port: node.number::<u16>(1).unwrap_or(0),
            at,
            weight: None,
            forwarding: outer,
            upper_threshold: 0,
            lower_threshold: 0,
            inhibit: None,
            alpha: None,
            smtp_alert: None,
            notify_up: None,
            notify_down: None,
            virtualhost: None,
            snmp_name: None,
            timing: CheckTiming::default(),
            checkers: Vec::new(),
            file_checks: Vec::new(),
            bfd_checks: Vec::new(),
        };
        for child in node.children.iter().filter(|child| !child.bad) {
            if !timing::take(&mut draft.timing, child) {
                draft.take(child, context);
            }
        }
        Some(draft)
    }

    fn take(&mut self, node: &Node, context: &mut Context) {
        match node.keyword.name {
            "weight" => self.weight = node.number(0),
            "lvs_method" => self.forwarding = forwarding(node, context).or(self.forwarding),
            "uthreshold" => self.upper_threshold = node.number(0).unwrap_or(0),
            "lthreshold" => self.lower_threshold = node.number(0).unwrap_or(0),
            "inhibit_on_failure" => self.inhibit = Some(node.on()),
            "alpha" => self.alpha = Some(node.on()),
            "smtp_alert" => self.smtp_alert = Some(node.on()),
            "notify_up" => self.notify_up = script(node, context),
            "notify_down" => self.notify_down = script(node, context),
            "virtualhost" => self.virtualhost = node.text(0),
            "snmp_name" => self.snmp_name = node.text(0),
            "FILE_CHECK" => self.file_checks.extend(FollowedFile::new(node, context)),
            "BFD_CHECK" => self.bfd_checks.extend(FollowedBfd::new(node, context)),
            _ => self.checkers.extend(CheckerBlock::new(node, self.address, context)),
        }
    }
}
