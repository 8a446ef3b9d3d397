//! The host's time zone, for times that people read. The library's own way to it walks through the whole directory of zones
//! and keeps what it found, some 150 KB of every daemon; what `/etc/localtime` says is all that is needed.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use parking_lot::Mutex;

/// So long what was read holds: somebody may move the host to another zone.
const HOLDS: Duration = Duration::from_secs(300);
/// The host's time zone.
const LOCAL: &str = "/etc/localtime";
/// No zone takes more.
const LARGEST: u64 = 1024 * 1024;

static READ: Mutex<Option<(Instant, TimeZone)>> = Mutex::new(None);

/// The time zone that the host is in, or that `TZ` in the environment names.
pub fn zone() -> TimeZone {
    let now = Instant::now();
    let mut read = READ.lock();
    if let Some((at, zone)) = &*read
        && now.saturating_duration_since(*at) < HOLDS
    {
        return zone.clone();
    }
    let zone = find();
    *read = Some((now, zone.clone()));
    zone
}

fn find() -> TimeZone {
    // Who names a zone has it looked up in the directory; so has a host whose file says nothing.
    let named = std::env::var_os("TZ").is_some();
    let read = if named { None } else { load().ok() };
    read.unwrap_or_else(TimeZone::system)
}

fn load() -> io::Result<TimeZone> {
    let mut data = Vec::new();
    File::open(LOCAL)?.take(LARGEST).read_to_end(&mut data)?;
    TimeZone::tzif("Local", &data).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_zone_is_the_one_that_the_library_finds() {
        let at = Timestamp::now();
        let offset = |zone: TimeZone| at.to_zoned(zone).offset();
        assert_eq!(offset(zone()), offset(TimeZone::system()));
    }
}
