//! Settings of the kernel's network that are changed while somebody needs them, and then are what they were before.
//! A file system of settings that can't be written (a container's) leaves them as they are.

use std::collections::BTreeMap;

use keepwatch_net::sysctl;

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
