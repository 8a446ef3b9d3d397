//! `vrrp_instance`: once everything is known, the model is made of what was written of one (`resolve`).

mod advert;
mod auth_hmac;
mod authentication;
mod contradictions;
mod link;
mod resolve;
mod routers;
mod settled;
mod strict_mode;
mod vmac;
mod vmac_users;

pub(super) use resolve::resolve;

use super::Draft;
use crate::preprocess::Context;
use crate::schema::instance::InstanceDraft;
use crate::tree::Node;

impl Draft {
    pub(super) fn instance(&mut self, node: &Node, context: &mut Context) {
        let Some(name) = self.new_name(node, context) else { return };
        let mut draft = InstanceDraft { name, at: node.arg_span(0), ..InstanceDraft::default() };
        draft.read(node, context);
        self.instances.push(Box::new(draft));
    }
}
