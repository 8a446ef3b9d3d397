//! Settings of the kernel's network (`/proc/sys/net`), of the namespace that the calling thread is in. A setting is named by
//! its path below that directory: `ipv4/conf/eth0/arp_ignore`.

use crate::error::{Error, Result};

/// What a setting is now.
///
/// # Errors
/// When there is none of that name: its interface is gone, or the kernel has no such setting.
pub fn get(name: &str) -> Result<String> {
    match std::fs::read_to_string(path(name)) {
        Ok(value) => Ok(value.trim().to_owned()),
        Err(error) => Err(Error::system("read the setting", name, error)),
    }
}

/// Makes a setting this.
///
/// # Errors
/// As [`get`]; and where it may not be written, as in many containers.
pub fn set(name: &str, value: &str) -> Result<()> {
    std::fs::write(path(name), value).map_err(|error| Error::system("change the setting", name, error))
}

fn path(name: &str) -> String {
    format!("/proc/sys/net/{name}")
}
