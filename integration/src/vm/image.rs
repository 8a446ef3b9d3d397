//! What the machine boots: Debian's kernel, its modules and a first file system in memory.
//!
//! The kernel's package is downloaded by apt into `target/vm/` and unpacked there (only the modules a network test
//! can want); nothing is installed on the host. Everything is kept for the next run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use nix::fcntl::{Flock, FlockArg};

use super::target_dir;

/// Modules that the kernel needs to see the host's file system, in the order in which they load.
const FIRST_MODULES: [&str; 11] = [
    "virtio_ring",
    "virtio",
    "virtio_pci_legacy_dev",
    "virtio_pci_modern_dev",
    "virtio_pci",
    "9pnet",
    "9pnet_virtio",
    "netfs",
    "fscache",
    "9p",
    "overlay",
];

/// Parts of the kernel's package that are unpacked: the rest is drivers for hardware that is not there.
const WANTED: [&str; 12] = [
    "./boot/vmlinuz-*",
    "./lib/modules/*/modules.*",
    "./lib/modules/*/kernel/net",
    "./lib/modules/*/kernel/lib",
    "./lib/modules/*/kernel/crypto",
    "./lib/modules/*/kernel/arch/x86/crypto",
    "./lib/modules/*/kernel/fs/9p",
    "./lib/modules/*/kernel/fs/netfs",
    "./lib/modules/*/kernel/fs/fscache",
    "./lib/modules/*/kernel/fs/overlayfs",
    "./lib/modules/*/kernel/drivers/net",
    "./lib/modules/*/kernel/drivers/virtio",
];

/// The files of one bootable machine.
#[derive(Debug, Clone)]
pub struct Image {
    /// The compressed kernel.
    pub kernel: PathBuf,
    /// The first file system: busybox and the modules that reach the host's.
    pub initramfs: PathBuf,
    /// What becomes `/lib/modules` inside.
    pub modules: PathBuf,
}

impl Image {
    /// Gives the machine's files, downloading and building what is not in the cache yet.
    ///
    /// # Errors
    /// If a tool or the package is missing; the message names the Debian package that brings it.
    pub fn prepare() -> Result<Self> {
        for (tool, package) in [
            ("qemu-system-x86_64", "qemu-system-x86"),
            ("busybox", "busybox-static"),
            ("depmod", "kmod"),
            ("dpkg-deb", "dpkg"),
        ] {
            ensure!(on_path(tool), "{tool} is missing: it is in the Debian package {package}");
        }
        let cache = target_dir()?.join("vm");
        fs::create_dir_all(&cache)?;
        // Tests are processes of their own and may start together: one prepares, the others wait.
        let lock = fs::File::create(cache.join("lock"))?;
        let _held = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
        let root = cache.join("kernel");
        if !root.join("complete").exists() {
            let _ = fs::remove_dir_all(&root);
            unpack_kernel(&cache, &root)?;
            build_initramfs(&root)?;
            fs::write(root.join("complete"), "")?;
        }
        Ok(Self {
            kernel: only_entry(&root.join("boot"))?,
            initramfs: root.join("initramfs"),
            modules: root.join("lib/modules"),
        })
    }
}

/// Fetches the newest Debian kernel of the 6.1 series and unpacks the useful part of it.
fn unpack_kernel(cache: &Path, root: &Path) -> Result<()> {
    let package = newest_kernel_package()?;
    let download = tempfile::Builder::new().prefix("download-").tempdir_in(cache)?;
    run(Command::new("apt-get").args(["-q", "download", &package]).current_dir(download.path()))
        .with_context(|| {
            format!("cannot download {package} (is the network there, and apt-get update done?)")
        })?;
    let archive = only_entry(download.path())?;
    fs::create_dir_all(root)?;
    let mut contents =
        Command::new("dpkg-deb").arg("--fsys-tarfile").arg(&archive).stdout(Stdio::piped()).spawn()?;
    let stream = contents.stdout.take().context("dpkg-deb has no output")?;
    run(Command::new("tar").arg("-x").arg("-C").arg(root).arg("--wildcards").args(WANTED).stdin(stream))
        .context("cannot unpack the kernel's package")?;
    ensure!(contents.wait()?.success(), "dpkg-deb cannot read {}", archive.display());
    let version = only_entry(&root.join("lib/modules"))?;
    let version = version.file_name().context("the kernel has no version")?;
    run(Command::new("depmod").arg("-b").arg(root).arg(version)).context("depmod")
}

/// The package with the highest version among `linux-image-6.1.0-N-amd64`.
fn newest_kernel_package() -> Result<String> {
    let list = Command::new("apt-cache")
        .args(["pkgnames", "linux-image-6.1.0-"])
        .output()
        .context("apt-cache does not start: is this a Debian system?")?;
    let number = |name: &str| -> Option<u32> {
        name.strip_prefix("linux-image-6.1.0-")?.strip_suffix("-amd64")?.parse().ok()
    };
    String::from_utf8_lossy(&list.stdout)
        .lines()
        .filter_map(|name| Some((number(name)?, name)))
        .max()
        .map(|(_, name)| name.to_owned())
        .context("apt knows no package linux-image-6.1.0-*-amd64: run apt-get update on Debian 12")
}

/// Makes the first file system: an archive of busybox, the modules and the program that starts everything.
fn build_initramfs(root: &Path) -> Result<()> {
    let stage = tempfile::Builder::new().prefix("initramfs-").tempdir_in(root)?;
    let dir = |name: &str| stage.path().join(name);
    for name in ["bin", "modules", "dev", "proc", "host", "share", "layer", "new"] {
        fs::create_dir(dir(name))?;
    }
    let busybox = which("busybox").context("busybox is missing")?;
    fs::copy(busybox, dir("bin/busybox"))?;
    std::os::unix::fs::symlink("busybox", dir("bin/sh"))?;
    let mut load = String::new();
    for name in FIRST_MODULES {
        let file = find_module(&root.join("lib/modules"), name)?;
        fs::copy(file, dir(&format!("modules/{name}.ko")))?;
        load += &format!("/bin/busybox insmod /modules/{name}.ko\n");
    }
    fs::write(dir("init"), include_str!("init.sh").replace("@LOAD@", &load))?;
    run(Command::new("chmod").args(["755"]).arg(dir("init")).arg(dir("bin/busybox")))?;
    let archive = root.join("initramfs");
    let script = format!("busybox find . | busybox cpio -o -H newc > '{}'", archive.display());
    run(Command::new("sh").args(["-c", &script]).current_dir(stage.path())).context("cpio")
}

fn find_module(dir: &Path, name: &str) -> Result<PathBuf> {
    let found = Command::new("find").arg(dir).args(["-name", &format!("{name}.ko")]).output()?;
    let path = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    ensure!(!path.is_empty(), "the kernel's package has no module {name}");
    Ok(path.into())
}

fn only_entry(dir: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(dir)?;
    let first = entries.next().with_context(|| format!("{} is empty", dir.display()))??;
    ensure!(entries.next().is_none(), "{} has more than one entry", dir.display());
    Ok(first.path())
}

fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.output().with_context(|| format!("{program} does not start"))?;
    if !done.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(())
}

fn which(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Not every user has the administrator's directories on the path, but everybody may read them.
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(tool))
        .find(|file| file.is_file())
}

fn on_path(tool: &str) -> bool {
    which(tool).is_some()
}
