//! What has a place in the configuration is kept in that order, so that whoever shows it need not sort, and finds the
//! one at a place, or the next after it, without a walk over all.

use std::hash::Hash;

use indexmap::IndexMap;

use super::{Group, Instance, RealServer, Service, Tracker};

/// Something with a place in the configuration.
pub trait Placed {
    /// Its place, from 1.
    fn position(&self) -> u32;
}

impl Placed for Instance {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for Group {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for Tracker {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for Service {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for RealServer {
    fn position(&self) -> u32 {
        self.settings.position
    }
}

/// The first at this place or, when nothing is there, at the next place where something is.
pub fn from_position<K, V: Placed>(map: &IndexMap<K, V>, position: u32) -> Option<&V> {
    let place = |at: usize| map.get_index(at).map(|(_, value)| value.position());
    // Nearly always the places are 1, 2, 3…
    let likely = (position as usize).saturating_sub(1);
    let is_first = place(likely) == Some(position)
        && likely.checked_sub(1).and_then(place).is_none_or(|before| before < position);
    let at = if is_first { likely } else { map.partition_point(|_, value| value.position() < position) };
    map.get_index(at).map(|(_, value)| value)
}

/// Puts what is new or has a new place where it belongs. All others are in order, and what is loaded in the order of
/// the configuration stays where it was added: that costs the same however many there are.
pub(crate) fn settle<K: Hash + Eq, V: Placed>(map: &mut IndexMap<K, V>, key: &K) {
    let Some((at, _, value)) = map.get_full(key) else { return };
    let own = value.position();
    let before = |range: &indexmap::map::Slice<K, V>| range.partition_point(|_, v| v.position() <= own);
    let to = map.get_range(..at).map_or(at, before);
    if to < at {
        map.move_index(at, to);
        return;
    }
    let overtaken = map.get_range(at + 1..).map_or(0, |rest| rest.partition_point(|_, v| v.position() < own));
    if overtaken > 0 {
        map.move_index(at, at + overtaken);
    }
}
