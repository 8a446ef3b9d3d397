//! A sync group: virtual routers that change state together, because traffic that comes in by one of them must go out
//! by another on the same host.

use keepwatch_bus::Configured;
use keepwatch_bus::subject::VrrpState;
use keepwatch_model::SyncGroup;

use crate::ids::RouterId;
use crate::spec::GroupSpec;

/// One sync group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) spec: GroupSpec,
    pub(crate) settings: Configured<SyncGroup>,
    pub(crate) members: Vec<RouterId>,
    pub(crate) state: VrrpState,
}
