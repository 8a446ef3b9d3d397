//! What is known so far while a configuration is read, and lines further down go by: the names of iproute2, the track
//! groups that stand above, the names that are taken, and how many rules had no preference.

use std::collections::HashSet;

use crate::iproute_names::IprouteNames;
use crate::model::{Family, Name};

/// The preference of the first rule of a family that has none; each further one is one less.
const FIRST_PREFERENCE: u32 = 16384;

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) iproute: IprouteNames,
    /// Names of track groups.
    pub(crate) track_groups: HashSet<Name>,
    /// Names of the interfaces that instances make.
    pub(crate) vmac_names: HashSet<Name>,
    /// How many rules of IPv4 and of IPv6 had no preference.
    without_preference: [u32; 2],
}

impl Known {
    /// The preference of a rule that says none.
    pub(crate) fn next_preference(&mut self, family: Family) -> u32 {
        let [v4, v6] = &mut self.without_preference;
        let before = match family {
            Family::Inet => v4,
            Family::Inet6 => v6,
        };
        let preference = FIRST_PREFERENCE.saturating_sub(*before);
        *before += 1;
        preference
    }
}
