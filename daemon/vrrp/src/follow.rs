//! Who follows what, and how that stands. Goes in: what each router follows ([`Follow`]); and the level of each thing,
//! whenever whoever watches it says so. Comes out: who has to look anew, and what all that a router follows means for it
//! together. A new kind of thing is a new [`TrackedKind`] and nothing else.

use std::collections::HashMap;

use keepwatch_bus::EventId;
use keepwatch_bus::subject::Name;
use keepwatch_model::{Follow, Level, TrackedKind};

use crate::ids::{RouterId, TrackedId};

/// What the things that a router follows mean for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Some of them are a fault.
    pub(crate) fault: bool,
    /// Something of weight 0 is undecided.
    pub(crate) undecided: bool,
    /// What the priority changes by.
    pub(crate) weight: i32,
    /// A number with a weight is so low that it is a fault.
    pub(crate) overshot: bool,
    /// The event that told of the fault.
    pub(crate) told: Option<EventId>,
}

/// One thing that somebody follows.
#[derive(Debug, Default)]
struct Thing {
    level: Option<Level>,
    /// The event that last told how it stands.
    told: Option<EventId>,
    followers: Vec<RouterId>,
}

/// Everything that was ever followed or reported.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    ids: HashMap<(TrackedKind, Name), TrackedId>,
    things: Vec<Thing>,
}

impl Followed {
    pub(crate) fn intern(&mut self, kind: TrackedKind, name: &Name) -> TrackedId {
        *self.ids.entry((kind, name.clone())).or_insert_with(|| {
            self.things.push(Thing::default());
            TrackedId(self.things.len() as u32 - 1)
        })
    }

    fn thing(&mut self, id: TrackedId) -> Option<&mut Thing> {
        self.things.get_mut(id.0 as usize)
    }

    /// How a thing stands now; who has to hear of it, if that is news.
    pub(crate) fn set(&mut self, id: TrackedId, level: Level, told: Option<EventId>) -> Vec<RouterId> {
        let Some(thing) = self.thing(id) else { return Vec::new() };
        thing.told = told.or(thing.told);
        if thing.level.replace(level) == Some(level) { Vec::new() } else { thing.followers.clone() }
    }

    pub(crate) fn follow(&mut self, id: TrackedId, router: RouterId) {
        if let Some(thing) = self.thing(id) {
            thing.followers.push(router);
        }
    }

    pub(crate) fn unfollow(&mut self, id: TrackedId, router: RouterId) {
        if let Some(thing) = self.thing(id) {
            thing.followers.retain(|other| *other != router);
        }
    }

    /// What all of these mean together.
    pub(crate) fn standing(&self, follows: &[Follow]) -> Standing {
        let mut all = Standing::default();
        for follow in follows {
            let id = self.ids.get(&(follow.kind, follow.name.clone()));
            let Some(thing) = id.and_then(|id| self.things.get(id.0 as usize)) else { continue };
            let Some(level) = thing.level else { continue };
            let one = follow.at(level);
            if one.fault && all.told.is_none() {
                all.told = thing.told;
            }
            all.fault |= one.fault;
            all.overshot |= one.fault && follow.weight != 0;
            all.undecided |= one.undecided;
            all.weight = all.weight.saturating_add(one.weight);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keepwatch_config::{Options, load_text};

    use super::*;

    /// A group's lines, one of each kind, with weights.
    const EVERYTHING: &str = "track_interface {\n eth1 weight -7\n }\n track_script {\n s weight -30\n }\n track_file {\n f\n }\n track_process {\n q weight -5\n }\n track_bfd {\n b weight -9\n }";

    /// What an instance of this priority follows, with these lines of its own and of its group: kind, name, weight.
    fn merged(priority: u8, own: &str, group: Option<&str>) -> Vec<String> {
        let scripts: String =
            ["s", "t"].map(|name| format!("vrrp_script {name} {{\n script \"/bin/true\"\n}}\n")).concat();
        let files: String = "track_file f {\n file /tmp/f\n}\nbfd_instance b {\n neighbor_ip 10.0.0.9\n}\n\
            vrrp_track_process p {\n process p\n}\nvrrp_track_process q {\n process q\n}\n"
            .into();
        let group = group.map_or(String::new(), |lines| {
            format!("vrrp_sync_group G {{\n group {{\n VI_1\n VI_2\n }}\n{lines}\n}}\n")
        });
        let instance = |name: &str, id: u8, lines: &str| {
            format!(
                "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {id}\n priority {priority}\n{lines}\n virtual_ipaddress {{\n 10.0.0.{id}\n 10.1.0.{id} dev eth1\n }}\n}}\n"
            )
        };
        let text = scripts + &files + &group + &instance("VI_1", 1, own) + &instance("VI_2", 2, "");
        let loaded = load_text(Path::new("t.conf"), text.clone(), &Options::default());
        let config = loaded.config.unwrap_or_else(|| panic!("{text}"));
        let follows = Follow::of(&config.instances[0], config.sync_group_of("VI_1"));
        follows.iter().map(|f| format!("{:?} {} {}", f.kind, f.name, f.weight)).collect()
    }

    #[test]
    fn own_lines_group_lines_and_the_interfaces_of_addresses_are_one_list() {
        let own = "track_script {\n s weight 10\n t weight 0\n }\n track_interface {\n eth2 weight 20\n }\n track_file {\n f weight 2\n }";
        let cases: [(u8, &str, Option<&str>, &[&str]); 7] = [
            (100, "", None, &["Link eth1 0"]),
            (100, own, None, &["Link eth2 20", "Script s 10", "Script t 0", "File f 2", "Link eth1 0"]),
            // An owner's priority must not change.
            (255, own, None, &["Script t 0", "Link eth1 0"]),
            // A member's own weights don't count …
            (
                100,
                own,
                Some("track_script {\n s weight 0\n }"),
                &["Link eth2 0", "Script t 0", "Script s 0", "Link eth1 0"],
            ),
            // … but those of processes, and the group's, of whatever kind …
            (
                100,
                "track_process {\n p weight 9\n }\n track_script {\n s weight 10\n }",
                Some(EVERYTHING),
                &["Process p 9", "Link eth1 -7", "Script s -30", "File f 1", "Process q -5", "Bfd b -9"],
            ),
            // … unless one of it is an owner: then it is all a matter of fault.
            (
                255,
                "track_process {\n p weight 9\n }",
                Some(EVERYTHING),
                &["Link eth1 0", "Script s 0", "File f 0", "Process q 0", "Bfd b 0"],
            ),
            // Where the group allows it: the fault wins, else the group's weight.
            (
                100,
                own,
                Some("sync_group_tracking_weight\n track_script {\n s weight 5\n t weight 7\n }"),
                &["Link eth2 20", "Script s 5", "Script t 0", "File f 2", "Link eth1 0"],
            ),
        ];
        for (priority, own, group, expected) in cases {
            assert_eq!(merged(priority, own, group), expected, "{priority} {group:?}");
        }
    }
}
