//! Settings of the kernel's network that are changed while somebody needs them, and then are what they were before.
//! A file system of settings that can't be written (a container's) leaves them as they are.

use std::collections::BTreeMap;

use keepwatch_net::sysctl;

/// Where the settings of interfaces are that are remembered.
const BELOW: &str = "ipv4/conf/";

/// Those that were changed, with what they were.
#[derive(Default)]
pub(super) struct Sysctls(BTreeMap<String, String>);

impl Sysctls {
    /// What a setting is now: `ipv4/conf/eth0/arp_ignore`.
    pub(super) fn get(name: &str) -> Option<String> {
        sysctl::get(name).ok()
    }

    /// Changes a setting, and remembers what it was.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        let Some(before) = Self::get(name).filter(|before| before != value) else { return };
        if sysctl::set(name, value).is_ok() {
            self.0.entry(name.to_owned()).or_insert(before);
        }
    }

    /// What they were, as a text of at most so many bytes that [`Self::recall`] understands: what a later run has to know if
    /// this one is killed. `eth0/arp_ignore=0 …`, of those below `ipv4/conf`.
    pub(super) fn remembered(&self, room: usize) -> String {
        let mut text = String::new();
        for (name, before) in &self.0 {
            let Some(name) = name.strip_prefix(BELOW) else { continue };
            let one = format!("{}{name}={before}", if text.is_empty() { "" } else { " " });
            if text.len() + one.len() > room {
                break;
            }
            text += &one;
        }
        text
    }

    /// Takes over what a run remembered that was killed: what it changed is restored in the end as if this one had.
    pub(super) fn recall(&mut self, text: &str) {
        for (name, before) in text.split(' ').filter_map(|one| one.split_once('=')) {
            let name = format!("{BELOW}{name}");
            let of_a_setting = name.ends_with("/rp_filter") || name.contains("/arp_");
            if of_a_setting && before.parse::<u8>().is_ok() && !name.contains("..") {
                self.0.entry(name).or_insert_with(|| before.to_owned());
            }
        }
    }

    /// An interface is called otherwise now: how it answers ARP is there again what it was. One that has its name now is
    /// another.
    pub(super) fn follow(&mut self, from: &str, to: &str) {
        let of_it = format!("{BELOW}{from}/arp_");
        self.0.retain(|name, before| {
            let Some(setting) = name.strip_prefix(&of_it) else { return true };
            // It may be gone meanwhile.
            let _ = sysctl::set(&format!("{BELOW}{to}/arp_{setting}"), before);
            false
        });
    }

    /// Makes every setting again what it was, but for those that `keep` wants.
    pub(super) fn restore(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|name, before| {
            let kept = keep(name);
            if !kept {
                // Its interface may be gone.
                let _ = sysctl::set(name, before);
            }
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_recalled_as_far_as_there_is_room() {
        let mut changed = Sysctls::default();
        for (name, before) in
            [("all/rp_filter", "1"), ("eth0.7/arp_announce", "0"), ("eth0.7/arp_ignore", "2")]
        {
            changed.0.insert(format!("{BELOW}{name}"), before.to_owned());
        }
        let text = changed.remembered(200);
        assert_eq!(text, "all/rp_filter=1 eth0.7/arp_announce=0 eth0.7/arp_ignore=2");
        let mut recalled = Sysctls::default();
        recalled.recall(&text);
        assert_eq!(recalled.0, changed.0);
        assert_eq!(changed.remembered(text.len() - 1), "all/rp_filter=1 eth0.7/arp_announce=0");
        assert_eq!(changed.remembered(0), "");
        // Whatever else somebody may have written there.
        let mut other = Sysctls::default();
        other.recall("x all/forwarding=1 ../../kernel/arp_x=1 eth0/arp_ignore=yes =");
        assert!(other.0.is_empty(), "{:?}", other.0);
    }
}
