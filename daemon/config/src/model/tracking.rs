//! What an instance or a sync group follows.

use serde::Serialize;

use super::rare::Usual;
use super::{TrackedInterface, TrackedObject};

/// The `track_*` blocks of an instance or a sync group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tracking {
    /// `track_interface`.
    pub interfaces: Vec<TrackedInterface>,
    /// `track_script`.
    pub scripts: Vec<TrackedObject>,
    /// `track_file`.
    pub files: Vec<TrackedObject>,
    /// `track_process`.
    pub processes: Vec<TrackedObject>,
    /// `track_bfd`.
    pub bfds: Vec<TrackedObject>,
}

impl Usual for Tracking {
    fn usual() -> &'static Self {
        static USUAL: Tracking = Tracking {
            interfaces: Vec::new(),
            scripts: Vec::new(),
            files: Vec::new(),
            processes: Vec::new(),
            bfds: Vec::new(),
        };
        &USUAL
    }
}
