//! Where the programs under test are. Out: a path to a `keepwatchd`, `keepwatch`, … that is as new as its source.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context, Result, anyhow, ensure};

/// Says that the binaries in this directory are to be used as they are, and not to be built.
pub const DIRECTORY: &str = "KEEPWATCH_BIN_DIR";

/// What an installation has: `keepwatchd` finds `keepwatch-worker` beside itself.
pub const PROGRAMS: [&str; 4] = ["keepwatchd", "keepwatch-worker", "keepwatch", "genhash"];

/// The workspace's root.
pub fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The path of one of the workspace's binaries, for example `keepwatchd`. Built first (in the profile of the running
/// program) unless [`DIRECTORY`] is set or the program does not run in a checkout; does nothing when it is up to date.
pub fn path(name: &str) -> Result<PathBuf> {
    let path = directory(Progress::OnlyIfItFails)?.join(name);
    ensure!(path.is_file(), "there is no {}", path.display());
    Ok(path)
}

/// Builds them now, and lets cargo tell how far it is on standard error. For programs that people wait for.
pub fn prepare() -> Result<()> {
    directory(Progress::Shown).map(drop)
}

/// Whether cargo's own lines are seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Shown,
    OnlyIfItFails,
}

/// `target/release` or `target/debug` of the running program, with fresh binaries in it; or, where there is nothing to
/// build them from, the directory of the running program.
fn directory(progress: Progress) -> Result<PathBuf> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| match env::var_os(DIRECTORY) {
        Some(given) => Ok(PathBuf::from(given)),
        None => beside().and_then(|own| build(&own, progress)).map_err(|error| format!("{error:#}")),
    });
    found.clone().map_err(|text| anyhow!(text))
}

/// The directory of the running program; of a test, the one above.
fn beside() -> Result<PathBuf> {
    let own = env::current_exe().context("find the running program")?;
    let mut directory = own.parent().context("the running program has no directory")?;
    if directory.ends_with("deps") {
        directory = directory.parent().context("no directory above deps")?;
    }
    Ok(directory.to_owned())
}

/// Whether cargo built what is in this directory, from this checkout.
fn is_of_the_checkout(directory: &Path) -> bool {
    workspace().join("Cargo.toml").is_file() && directory.join(".fingerprint").is_dir()
}

fn build(directory: &Path, progress: Progress) -> Result<PathBuf> {
    if !is_of_the_checkout(directory) {
        return Ok(directory.to_owned());
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // No package is named, as none is in `cargo run --bin demo`: so every crate has the features that it was built with
    // for the running program, and is not built again.
    command.arg("build");
    command.args(PROGRAMS.iter().flat_map(|program| ["--bin", program]));
    command.current_dir(workspace());
    for (name, _) in env::vars_os().filter(|(name, _)| is_of_the_running_program(name)) {
        command.env_remove(name);
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    if let Some(target) = directory.parent() {
        command.arg("--target-dir").arg(target);
    }
    if progress == Progress::Shown {
        command.stderr(Stdio::inherit());
    } else {
        command.arg("--quiet");
    }
    let output = command.output().context("run cargo")?;
    ensure!(output.status.success(), "build keepwatch: {}", String::from_utf8_lossy(&output.stderr));
    Ok(directory.to_owned())
}

/// What `cargo run` says of the program that it runs; a build script that looks at it would be run again, and all that
/// stands on it built again.
fn is_of_the_running_program(variable: &OsStr) -> bool {
    let name = variable.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|start| name.starts_with(start))
        || ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"].contains(&&*name)
}
