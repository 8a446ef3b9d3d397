//! The files that a machine finds in its shared directory: the scenario and the program that plays it.

use std::{fs, path::Path};

use anyhow::Result;

use super::Scenario;

/// Runs as process 1 of the machine, on the host's file system with a layer of memory over it.
const START: &str = "\
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
. /run/scenario/environment
bash /run/scenario/script </dev/null >/run/scenario/output 2>&1
echo $? >/run/scenario/status
sync
busybox poweroff -f
";

/// Writes the scenario into the directory that the machine shares with the host.
pub(super) fn write(share: &Path, scenario: &Scenario) -> Result<()> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let mut environment = String::new();
    for module in &scenario.modules {
        environment += &format!("modprobe {}\n", quoted(module));
    }
    for (name, value) in &scenario.environment {
        environment += &format!("export {name}={}\n", quoted(value));
    }
    environment += &format!("cd {}\n", quoted(&std::env::current_dir()?.to_string_lossy()));
    fs::write(share.join("environment"), environment)?;
    fs::write(share.join("script"), &scenario.script)?;
    fs::write(share.join("start"), START)?;
    Ok(())
}
