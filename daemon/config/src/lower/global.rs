//! `global_defs`: the defaults of what was written.

use crate::model::{Global, Name};
use crate::preprocess::Context;
use crate::schema::global::GlobalDraft;

impl GlobalDraft {
    /// The model, defaults filled in.
    pub(super) fn finish(self, host: &str, context: &mut Context) -> Global {
        let mut model = self.model;
        let host = Name::from(host);
        model.router_id = self.router_id.unwrap_or_else(|| host.clone());
        model.smtp_helo_name = self.helo_name.unwrap_or(host);
        model.garp.lower_prio_delay = self.garp_lower_delay.unwrap_or(model.garp.master_delay);
        model.garp.lower_prio_repeat = self.garp_lower_repeat.unwrap_or(model.garp.master_repeat);
        model.snmp.rs_stats_interval = self.rs_stats.unwrap_or(model.snmp.vs_stats_interval);
        model.vmac_prefixes.addresses =
            self.vmac_address_prefix.unwrap_or_else(|| model.vmac_prefixes.instances.clone());
        model.notify_fifos = self.fifos.finish(context);
        model
    }
}
