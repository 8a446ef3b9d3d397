//! Groups of virtual routers: those that change state together, and those that static entries are tracked for.

use serde::{Deserialize, Serialize};

use super::{Name, Notify, Tracking};

/// A `vrrp_sync_group` block: its members change state together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Its name: its identity over reloads.
    pub name: Name,
    /// Names of its instances; every one exists and is in no other group.
    pub members: Vec<Name>,
    /// `smtp_alert`, with the same inheritance as an instance.
    pub smtp_alert: bool,
    /// `notify_*` scripts.
    pub notify: Notify,
    /// `notify_priority_changes`, if written.
    pub notify_priority_changes: Option<bool>,
    /// `sync_group_tracking_weight`: members may have weighted trackers, and keep different priorities.
    pub tracking_weight: bool,
    /// `global_tracking` (old): tracking is done by the group only.
    pub global_tracking: bool,
    /// What all its members follow.
    pub tracking: Tracking,
}

impl SyncGroup {
    /// A group of these that does nothing else.
    pub fn new(name: Name, members: Vec<Name>) -> Self {
        Self {
            name,
            members,
            smtp_alert: false,
            notify: Notify::default(),
            notify_priority_changes: None,
            tracking_weight: false,
            global_tracking: false,
            tracking: Tracking::default(),
        }
    }
}

/// A `track_group` block: instances that are in fault while the interface of a static address, route or rule is down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticTrackGroup {
    /// Its name.
    pub name: Name,
    /// Names of its instances; every one exists.
    pub members: Vec<Name>,
}
