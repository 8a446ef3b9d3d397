//! Can the file of a `track_file` be watched? The kernel tells of changes in directories of some file systems only.

use std::path::{Path, PathBuf};

use nix::sys::statfs::{self, FsType, statfs};
use nix::sys::statvfs::FsFlags;

use crate::diagnostics::Diagnostic;
use crate::encoding;

/// File systems where the kernel tells of no change, or not of one that is made on another host or by the kernel.
const UNTOLD: &[(FsType, &str)] = &[
    (statfs::BPF_FS_MAGIC, "bpf"),
    (statfs::CGROUP_SUPER_MAGIC, "cgroup"),
    (statfs::CGROUP2_SUPER_MAGIC, "cgroup2"),
    (statfs::DEBUGFS_MAGIC, "debugfs"),
    (statfs::DEVPTS_SUPER_MAGIC, "devpts"),
    (FsType(0xde5e_81e4_u32 as _), "efivarfs"),
    (statfs::FUSE_SUPER_MAGIC, "fuse"),
    (FsType(0x1980_0202), "mqueue"),
    (statfs::NFS_SUPER_MAGIC, "nfs"),
    (statfs::PROC_SUPER_MAGIC, "proc"),
    (statfs::SELINUX_MAGIC, "selinuxfs"),
    (statfs::SMB_SUPER_MAGIC, "smb"),
    (FsType(0xfe53_4d42_u32 as _), "smb2"),
    (statfs::SYSFS_MAGIC, "sysfs"),
    (FsType(0x012f_f7b5), "sysv"),
    (FsType(0x012f_f7b6), "sysv"),
    (statfs::TRACEFS_MAGIC, "tracefs"),
];

/// What to say of a file that cannot be tracked; `None` if it can be.
pub(super) fn obstacle(path: &str, overwrite: bool) -> Option<Diagnostic> {
    let path = PathBuf::from(encoding::os_string(path));
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !directory.is_dir() {
        let message = format!("there is no directory `{}`", directory.display());
        return Some(Diagnostic::error("missing-file", message));
    }
    let unusable = |message: String| Some(Diagnostic::error("unusable-file", message));
    if let Ok(system) = statfs(directory) {
        let kind = system.filesystem_type();
        if let Some((_, name)) = UNTOLD.iter().find(|(untold, _)| *untold == kind) {
            return unusable(format!("changes of `{}` are not told: it is on {name}", path.display()));
        }
        if system.flags().contains(FsFlags::ST_RDONLY) {
            return unusable(format!("`{}` cannot change: its file system is read-only", path.display()));
        }
    }
    let other = overwrite && path.metadata().is_ok_and(|metadata| !metadata.is_file());
    match other {
        true => unusable(format!("`{}` is no regular file, and is not overwritten", path.display())),
        false => None,
    }
}
