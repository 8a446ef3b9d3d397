//! Which FIFOs a configuration has.

use std::path::PathBuf;
use std::sync::Arc;

use keepwatch_bus::subject::Name;
use keepwatch_model::{Config, NotifyFifo, Script, ScriptUser};
use keepwatch_process::{Command, Manner, User};

use super::reader;
use crate::occasions::Watched;

/// The mode of a FIFO, before the mask: keepalived's.
const MODE: u32 = 0o644;

/// All FIFOs of a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FifoSettings {
    /// The pipes, each path once.
    pub pipes: Vec<PipeSettings>,
    /// What is looked at.
    pub watched: Arc<Watched>,
    /// `fifo_write_vrrp_states_on_reload`.
    pub states_on_reload: bool,
    /// How what reads them is run, and with which umask they are made.
    pub manner: Manner,
}

/// A pipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeSettings {
    /// Where it is.
    pub path: PathBuf,
    /// Who owns it when it is made; else as for scripts.
    pub owned_by: Option<ScriptUser>,
    /// What reads it.
    pub script: Option<Script>,
    /// It is told of virtual routers and sync groups.
    pub vrrp: bool,
    /// It is told of virtual and real servers.
    pub lvs: bool,
}

impl FifoSettings {
    /// What a configuration says, as far as virtual routers and virtual servers run here. `umask` is the command line's.
    pub fn of(config: &Config, vrrp: bool, lvs: bool, umask: Option<u32>) -> Self {
        let fifos = &config.global.notify_fifos;
        let mut pipes: Vec<PipeSettings> = Vec::new();
        for (fifo, vrrp, lvs) in
            [(&fifos.all, vrrp, lvs), (&fifos.vrrp, vrrp, false), (&fifos.lvs, false, lvs)]
        {
            let Some(fifo) = fifo.as_ref().filter(|_| vrrp || lvs) else { continue };
            match pipes.iter_mut().find(|pipe| pipe.path == fifo.path) {
                Some(pipe) => {
                    pipe.vrrp |= vrrp;
                    pipe.lvs |= lvs;
                    pipe.script = pipe.script.take().or_else(|| fifo.script.clone());
                }
                None => pipes.push(PipeSettings::of(fifo, vrrp, lvs)),
            }
        }
        Self {
            pipes,
            watched: Arc::new(Watched::of(config)),
            states_on_reload: fifos.states_on_reload,
            manner: Manner::of(&config.global, umask),
        }
    }

    /// The mode of pipes that are made.
    pub(super) fn mode(&self) -> u32 {
        MODE & !self.manner.umask
    }
}

impl PipeSettings {
    fn of(fifo: &NotifyFifo, vrrp: bool, lvs: bool) -> Self {
        let NotifyFifo { path, owner, script } = fifo.clone();
        Self { path, owned_by: owner, script, vrrp, lvs }
    }

    /// What facts call it: its path.
    pub(super) fn name(&self) -> Name {
        self.path.to_string_lossy().as_ref().into()
    }

    pub(super) fn owner(&self) -> Option<User> {
        self.owned_by.as_ref().map(User::from)
    }

    /// The command that reads it, which has its path as the last argument.
    pub(super) fn reader(&self, all: &FifoSettings) -> Option<Command> {
        let script = self.script.as_ref()?;
        let mut command = Command::of_script(script, all.manner);
        command.argv.push(self.path.clone().into_os_string());
        Some(Command { grace: reader::GRACE, ..command })
    }
}
