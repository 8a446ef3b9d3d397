//! The lines of `track_*` blocks, of an instance and of its sync group, as one list: each thing once.

use std::sync::Arc;

use keepwatch_model::{Instance, LinkTarget, Priority, SyncGroup, Tracked, Tracking};

use super::{Follow, TrackedKind};

/// Everything that an instance follows: what its own blocks name, those of its group, and the interfaces that its
/// addresses stand on. As in keepalived, a weight in a group counts as none (any fault is a fault of the group) unless
/// the group says `sync_group_tracking_weight`: an interface is then a matter of fault or not, anything else is left
/// out; and an owner follows nothing with a weight.
pub(crate) fn merge(instance: &Instance, group: Option<&SyncGroup>) -> Arc<[Follow]> {
    let weightless = group.is_some_and(|group| !group.tracking_weight);
    let mut merged: Vec<Follow> = Vec::new();
    let of_group = group.map(|group| &group.tracking);
    for tracking in [Some(&*instance.tracking), of_group].into_iter().flatten() {
        for (kind, line) in lines(tracking) {
            let weight = match (weightless, kind, line.weight) {
                (false, _, weight) => weight,
                // 1 is what a file has without being told.
                (true, TrackedKind::Link, _) | (true, _, 0) | (true, TrackedKind::File, 1) => 0,
                (true, _, _) => continue,
            };
            let follow = Follow { kind, name: line.name.clone(), weight, reverse: line.reverse };
            match merged.iter_mut().find(|other| (other.kind, &other.name) == (kind, &line.name)) {
                // Named in both: the fault wins, else the group's weight.
                Some(other) if other.weight != 0 => *other = follow,
                Some(_) => {}
                None => merged.push(follow),
            }
        }
    }
    if instance.priority == Priority::OWNER {
        merged.retain(|follow| follow.weight == 0);
    }
    for address in instance.addresses.iter().chain(&instance.excluded_addresses) {
        let LinkTarget::Named(interface) = &address.link else { continue };
        let known = Some(interface) == instance.interface.as_ref()
            || merged.iter().any(|other| (other.kind, &other.name) == (TrackedKind::Link, interface));
        if !known && !address.no_track {
            let (kind, name) = (TrackedKind::Link, interface.clone());
            merged.push(Follow { kind, name, weight: 0, reverse: false });
        }
    }
    merged.into()
}

fn lines(tracking: &Tracking) -> impl Iterator<Item = (TrackedKind, &Tracked)> {
    let Tracking { interfaces, scripts, files, processes, bfds } = tracking;
    let all = [
        (TrackedKind::Link, interfaces),
        (TrackedKind::Script, scripts),
        (TrackedKind::File, files),
        (TrackedKind::Process, processes),
        (TrackedKind::Bfd, bfds),
    ];
    all.into_iter().flat_map(|(kind, list)| list.iter().map(move |line| (kind, line)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use keepwatch_config::{Options, load_text};

    use super::*;

    /// What an instance of this priority follows, with these lines of its own and of its group: kind, name, weight.
    fn merged(priority: u8, own: &str, group: Option<&str>) -> Vec<String> {
        let scripts: String =
            ["s", "t"].map(|name| format!("vrrp_script {name} {{\n script \"/bin/true\"\n}}\n")).concat();
        let files: String = "track_file f {\n file /tmp/f\n}\n".into();
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
        let follows = merge(&config.instances[0], config.sync_group_of("VI_1"));
        follows.iter().map(|f| format!("{:?} {} {}", f.kind, f.name, f.weight)).collect()
    }

    #[test]
    fn own_lines_group_lines_and_the_interfaces_of_addresses_are_one_list() {
        let own = "track_script {\n s weight 10\n t weight 0\n }\n track_interface {\n eth2 weight 20\n }\n track_file {\n f weight 2\n }";
        let cases: [(u8, &str, Option<&str>, &[&str]); 5] = [
            (100, "", None, &["Link eth1 0"]),
            (100, own, None, &["Link eth2 20", "Script s 10", "Script t 0", "File f 2", "Link eth1 0"]),
            // An owner's priority must not change.
            (255, own, None, &["Script t 0", "Link eth1 0"]),
            // Neither must that of a group's member …
            (
                100,
                own,
                Some("track_script {\n s weight 0\n }"),
                &["Link eth2 0", "Script t 0", "Script s 0", "Link eth1 0"],
            ),
            // … unless the group allows it: the fault wins, else the group's weight.
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
