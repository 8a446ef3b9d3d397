//! `keepwatch realserver`: this host as a real server of direct routing or tunnels, in the place of the shell script that
//! every real server has. Needs no daemon.
//!
//! ```text
//!  FILE ──► Plan ──► up ─┬─ `realserver up`: done; `realserver down` undoes it
//!                        └─ `realserver FILE`: stays, puts right what others change, undoes it at the end
//! ```

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use keepwatch_config::{Diagnostics, Options, Severity};
use keepwatch_realserver::record::Where;
use keepwatch_realserver::{Asked, Device, Plan, Record, Setup, Step};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{Reading, TROUBLE, input};
use crate::pidfile::{PidFile, PidFileError};
use crate::{paths, terminal};

/// How often is looked for settings that somebody else has changed: the kernel tells nobody of them.
const AUDIT: Duration = Duration::from_secs(10);
/// So long after one change is waited for more, so that a flood of them costs little.
const SETTLE: Duration = Duration::from_millis(200);

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Arguments {
    /// The configuration of the directors; `-` is standard input
    #[arg(required = true)]
    file: Option<PathBuf>,
    #[command(flatten)]
    how: How,
    #[command(subcommand)]
    act: Option<Act>,
}

#[derive(Debug, clap::Subcommand)]
enum Act {
    /// Set it up and end; what is so already is left alone, and what an earlier file wanted and this one does not is undone
    Up {
        /// The configuration of the directors; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Undo all that was set up
    Down {
        /// Tell what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Remove the record of what was done and undo nothing, as where that was in a network namespace that is gone
        #[arg(long, conflicts_with = "dry_run")]
        forget: bool,
        #[command(flatten)]
        kept: Kept,
    },
    /// What was set up, and whether this host serves; exit status 0 if it does, 3 if not, or if nothing was set up
    Status {
        #[command(flatten)]
        kept: Kept,
        /// In JSON, for programs
        #[arg(long)]
        json: bool,
    },
}

/// What is to be set up.
#[derive(Debug)]
struct What {
    file: PathBuf,
    how: How,
}

#[derive(Debug, clap::Args)]
struct How {
    /// The real server that this host is, as often as needed [default: those that have an address of this host]
    #[arg(long = "server", value_name = "ADDRESS")]
    servers: Vec<IpAddr>,
    /// A virtual address that the file does not name, as those of a firewall mark, as often as needed
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<IpAddr>,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    kept: Kept,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, clap::Args)]
struct Kept {
    /// Where is kept what was done, so that it can be undone [default: /run/keepwatch/realserver.json]
    #[arg(long, value_name = "PATH")]
    record: Option<PathBuf>,
}

impl Kept {
    fn path(&self) -> PathBuf {
        self.record.clone().unwrap_or_else(|| Path::new(paths::RUN).join("realserver.json"))
    }

    /// Nobody else sets up or undoes meanwhile: by this record, or in this network, whatever the record.
    fn alone(&self) -> Result<(PidFile, Option<PidFile>)> {
        let by_record = hold(&self.path().with_extension("pid")).map_err(refused)?;
        let here = Where::here().context("the network namespace")?;
        let network = Path::new(paths::RUN).join(format!("realserver-net-{}.pid", here.namespace));
        match hold(&network) {
            // Who keeps the record elsewhere may have had to.
            Err(PidFileError::Io { error, .. }) if self.record.is_some() && is_read_only(&error) => {
                Ok((by_record, None))
            }
            in_network => Ok((by_record, Some(in_network.map_err(refused)?))),
        }
    }
}

fn hold(path: &Path) -> Result<PidFile, PidFileError> {
    let mut held = PidFile::take(path)?;
    held.write(std::process::id())?;
    Ok(held)
}

fn refused(error: PidFileError) -> anyhow::Error {
    match error {
        PidFileError::AlreadyRunning(path) => anyhow::anyhow!(
            "another `keepwatch realserver` runs (its process is in {}): stop that one",
            path.display()
        ),
        error => error.into(),
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Runs it.
pub(super) fn run(arguments: Arguments, out: &mut impl Write) -> Result<ExitCode> {
    match (arguments.act, arguments.file) {
        (Some(Act::Up { file, how }), _) => up(&What { file, how }, out),
        (Some(Act::Down { forget: true, kept, .. }), _) => forget(&kept, out),
        (Some(Act::Down { dry_run, kept, .. }), _) => down(&kept, dry_run, out),
        (Some(Act::Status { kept, json }), _) => status(&kept, json, out),
        (None, Some(file)) => {
            let what = What { file, how: arguments.how };
            if what.how.dry_run { up(&what, out) } else { stay(&what, out) }
        }
        (None, None) => bail!("name a file, or say up, down or status"),
    }
}

/// What the file says for this host.
fn plan(what: &What, own: &BTreeSet<IpAddr>) -> Result<Plan> {
    // What stands in a block that is wrong, or in a file that can't be read, may be in use: without it addresses would be
    // taken off. The scripts are the directors', and need not be here.
    let options = Options { may_read_all: true, scripts: false, ..what.how.reading.options() };
    let loaded = input::load(&what.file, &options)?;
    if loaded.diagnostics.has_errors() {
        let first = loaded.diagnostics.iter().find(|one| one.severity == Severity::Error);
        // Its message names the file, of which there is nothing else to tell.
        if let Some(unreadable) = first.filter(|first| first.code == "unreadable-file") {
            bail!("{}", unreadable.message);
        }
        bail!(
            "{}: {}: {} (`keepwatch check` tells): nothing is done by half of a file",
            input::name(&what.file).display(),
            first.map_or("", |first| &*first.message),
            Diagnostics::summary([&loaded.diagnostics])
        );
    }
    let Some(config) = loaded.config else {
        bail!("{} can't be used", input::name(&what.file).display());
    };
    let asked = Asked { servers: what.how.servers.clone(), addresses: what.how.addresses.clone() };
    Plan::of(&config, own, &asked).with_context(|| input::name(&what.file).display().to_string())
}

fn up(what: &What, out: &mut impl Write) -> Result<ExitCode> {
    let record = what.how.kept.path();
    if what.how.dry_run {
        let mut setup = Setup::open(&record)?;
        let plan = plan(what, &setup.own_addresses()?)?;
        let change = setup.preview(&plan)?;
        tell_plan(out, &plan)?;
        note(&change.notes);
        for step in &change.steps {
            writeln!(out, "would {step}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let _alone = what.how.kept.alone()?;
    let mut setup = Setup::open(&record)?;
    let plan = plan(what, &setup.own_addresses()?)?;
    tell_plan(out, &plan)?;
    note(&told(out, |done| setup.up(&plan, done))?);
    Ok(ExitCode::SUCCESS)
}

fn down(kept: &Kept, dry_run: bool, out: &mut impl Write) -> Result<ExitCode> {
    let _alone = if dry_run { None } else { Some(kept.alone()?) };
    let mut setup = Setup::open(&kept.path())?;
    let notes = if dry_run {
        let change = setup.preview_down()?;
        for step in change.iter().flat_map(|change| &change.steps) {
            writeln!(out, "would {step}")?;
        }
        change.map(|change| change.notes)
    } else {
        told(out, |done| setup.down(done))?
    };
    match notes {
        Some(notes) => note(&notes),
        None => writeln!(out, "nothing is set up")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn forget(kept: &Kept, out: &mut impl Write) -> Result<ExitCode> {
    let _alone = kept.alone()?;
    let path = kept.path();
    match Record::forget(&path)? {
        true => writeln!(out, "{} is removed, and nothing was undone", path.display())?,
        false => writeln!(out, "there is no record {}", path.display())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn status(kept: &Kept, json: bool, out: &mut impl Write) -> Result<ExitCode> {
    let standing = Setup::open(&kept.path())?.standing()?;
    let code = match &standing {
        Some(standing) if standing.judgement.wrong.is_empty() => ExitCode::SUCCESS,
        Some(_) | None => ExitCode::from(TROUBLE),
    };
    if json {
        let judgement = standing.as_ref().map(|standing| &standing.judgement);
        let text = serde_json::json!({
            "record": standing.as_ref().map(|standing| &standing.record),
            "wrong": judgement.map_or(&[][..], |judgement| &judgement.wrong),
            "changed": judgement.map_or(&[][..], |judgement| &judgement.changed),
        });
        writeln!(out, "{text}")?;
        return Ok(code);
    }
    let Some(standing) = standing else {
        writeln!(out, "nothing is set up")?;
        return Ok(code);
    };
    let servers: Vec<String> = standing.record.servers.iter().map(IpAddr::to_string).collect();
    writeln!(out, "real server {}", servers.join(", "))?;
    for put in &standing.record.addresses {
        let label = put.label.as_ref().map_or(String::new(), |label| format!(" as {label}"));
        writeln!(out, "  {}/{} on {}{label}", put.address, put.prefix(), put.device)?;
    }
    let put = |wanted: &(Device, IpAddr)| {
        standing.record.addresses.iter().any(|put| (put.device, put.address) == *wanted)
    };
    for (device, address) in standing.record.wanted.iter().filter(|wanted| !put(wanted)) {
        writeln!(out, "  {address} on {device}, which was there before")?;
    }
    for changed in &standing.record.settings {
        let name = changed.setting.replace('/', ".");
        writeln!(out, "  net.{name} is {}, was {}", changed.now, changed.before)?;
    }
    for changed in &standing.judgement.changed {
        writeln!(out, "changed: {changed}")?;
    }
    for wrong in &standing.judgement.wrong {
        writeln!(out, "wrong: {wrong}")?;
    }
    Ok(code)
}

/// Sets it up, keeps it so, and undoes it when it is told to end.
fn stay(what: &What, out: &mut impl Write) -> Result<ExitCode> {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    signals.thread_block().context("hold signals")?;
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let signals = SignalFd::with_flags(&signals, flags).context("take signals")?;
    let _alone = what.how.kept.alone()?;
    let mut setup = Setup::open(&what.how.kept.path())?;
    let plan = plan(what, &setup.own_addresses()?)?;
    let out = &mut Unheard(out);
    tell_plan(out, &plan)?;
    let notes = told(out, |done| setup.up(&plan, done))?;
    note(&notes);
    out.flush()?;
    // Whatever ends it, nothing stays that nobody keeps.
    let kept = keep(what, &mut setup, plan, notes, &signals, out);
    let undone = told(out, |done| setup.down(done));
    if let (Err(error), Err(_)) = (&kept, &undone) {
        terminal::complain(&format!("keepwatch: {}\n", terminal::told(error)));
    }
    note(&undone?.unwrap_or_default());
    kept.map(|()| ExitCode::SUCCESS)
}

/// Keeps it as it is set up, until a signal says that it is enough.
fn keep(
    what: &What,
    setup: &mut Setup,
    mut plan_now: Plan,
    mut notes: Vec<String>,
    signals: &SignalFd,
    out: &mut impl Write,
) -> Result<()> {
    loop {
        wait(&[signals.as_fd(), setup.as_fd()], AUDIT)?;
        match signals.read_signal().context("read a signal")? {
            Some(signal) if signal.ssi_signo == Signal::SIGHUP as u32 => {
                match setup.own_addresses().map_err(Into::into).and_then(|own| plan(what, &own)) {
                    Ok(plan) => plan_now = plan,
                    Err(error) => {
                        let told = terminal::told(&error);
                        terminal::complain(&format!("keepwatch: {told}: all stays as it was\n"));
                    }
                }
            }
            Some(_) => return Ok(()),
            None => wait(&[signals.as_fd()], SETTLE)?,
        }
        // What fails now may go well the next time.
        match told(out, |done| setup.up(&plan_now, done)) {
            Ok(now) if now != notes => {
                note(&now);
                notes = now;
            }
            Ok(_) => {}
            Err(error) => terminal::complain(&format!("keepwatch: {}\n", terminal::told(&error))),
        }
        out.flush()?;
    }
}

/// Writes for whoever still listens: that the terminal has gone, or the disk of the log is full, is no reason to end, and
/// take addresses off that clients use.
struct Unheard<'a, W>(&'a mut W);

impl<W: Write> Write for Unheard<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}

fn wait(fds: &[std::os::fd::BorrowedFd<'_>], at_most: Duration) -> Result<()> {
    let mut watched: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    let timeout = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
    match poll(&mut watched, timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(error).context("wait for changes"),
    }
}

/// Has something done, and tells each step once it was done. That nobody reads it does not stop it half way.
fn told<T, E>(out: &mut impl Write, act: impl FnOnce(&mut dyn FnMut(&Step)) -> Result<T, E>) -> Result<T>
where
    anyhow::Error: From<E>,
{
    let mut written = Ok(());
    let result = act(&mut |step: &Step| {
        if written.is_ok() {
            written = writeln!(out, "{step}");
        }
    })?;
    terminal::unless_closed(written)?;
    Ok(result)
}

fn tell_plan(out: &mut impl Write, plan: &Plan) -> io::Result<()> {
    let servers: Vec<String> = plan.servers.iter().map(IpAddr::to_string).collect();
    let addresses: BTreeSet<&IpAddr> = plan.addresses.iter().map(|(_, address)| address).collect();
    let addresses: Vec<String> = addresses.into_iter().map(IpAddr::to_string).collect();
    writeln!(out, "real server {} for {}", servers.join(", "), addresses.join(", "))
}

fn note(notes: &[String]) {
    for note in notes {
        terminal::complain(&format!("note: {note}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(file: PathBuf) -> What {
        let kept = Kept { record: None };
        let reading = Reading { config_id: None, expansion_limit: None };
        let how = How { servers: Vec::new(), addresses: Vec::new(), dry_run: false, kept, reading };
        What { file, how }
    }

    #[test]
    fn a_file_with_a_mistake_is_refused_and_not_gone_by_in_part() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("directors.conf");
        let block = |vip: &str, port: &str| {
            format!(
                "virtual_server {vip} {port} {{\n    lvs_method DR\n    protocol TCP\n    real_server 10.0.0.1 80 {{\n        \
                 MISC_CHECK {{\n            misc_path /of/the/director\n        }}\n    }}\n}}\n"
            )
        };
        let own = [IpAddr::from([10, 0, 0, 1])].into();
        let plan_of = |port: &str| {
            std::fs::write(&file, block("10.0.0.100", "80") + &block("10.0.0.101", port)).unwrap();
            plan(&what(file.clone()), &own)
        };
        assert_eq!(plan_of("80").unwrap().addresses.len(), 2);
        let error = plan_of("eighty").unwrap_err().to_string();
        assert!(error.contains("directors.conf") && error.contains("half of a file"), "{error}");
        let gone = directory.path().join("none.conf");
        let error = plan(&what(gone.clone()), &own).unwrap_err().to_string();
        assert_eq!(error, format!("`{}` cannot be read: No such file or directory", gone.display()));
    }
}
