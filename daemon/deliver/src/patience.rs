//! How patient whoever delivers is.

use std::time::Duration;

use keepwatch_bus::pause::Pauses;

/// Bounds of a queue, and the pauses between tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Pause after the first failure; each further one in a row doubles it.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// Parcels that may wait; then the oldest is given up.
    pub capacity: usize,
    /// How long a parcel is tried; then it is given up.
    pub keep: Duration,
    /// At the end of the daemon: how long what waits is still tried.
    pub farewell: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(60),
            capacity: 256,
            keep: Duration::from_secs(3600),
            farewell: Duration::from_secs(2),
        }
    }
}

impl Patience {
    /// The pause after so many failures in a row.
    pub fn pause_after(&self, failures: u32) -> Duration {
        Pauses { first: self.first_pause, longest: self.longest_pause }.after(failures)
    }
}
