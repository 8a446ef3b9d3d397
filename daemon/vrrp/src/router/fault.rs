//! What keeps a router in Fault.

/// The reasons, each on its own: a router leaves Fault when none is left, in it or in a member of its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Its configuration says so.
    pub(crate) held: bool,
    /// Its interface is down.
    pub(crate) link: bool,
    /// There is no address to send from, or the configured one is gone and tracked.
    pub(crate) source: bool,
    /// It owns an address of the host's, which is not there now.
    pub(crate) own_address: bool,
    /// Something that it follows has failed.
    pub(crate) followed: bool,
}

impl Faults {
    /// Whether there is any.
    pub(crate) fn any(&self) -> bool {
        self.held || self.link || self.source || self.own_address || self.followed
    }
}
