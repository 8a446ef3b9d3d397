//! `bfd_instance`: a session that is up is a level. In: the sessions of a configuration. Out: their levels, by the thread
//! of [`keepwatch_bfd`], which runs while there are any.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keepwatch_bfd::session::Why;
use keepwatch_bfd::{Handle, News, Notice};
use keepwatch_bus::EventId;
use keepwatch_bus::beat::Beat;
use keepwatch_bus::fact::{Evidence, Session, SessionWhy, TrackFact};
use keepwatch_bus::subject::{TrackedKey, TrackedKind};
use keepwatch_model::{BfdDiagnostic, BfdSession, BfdState, Level, Name, ProcessScheduling, Processes};
use tokio::time::timeout;

use crate::Voice;

/// How long the last packets may take.
const FAREWELL: Duration = Duration::from_millis(300);

/// How the thread is to be scheduled, and what it is to be called if the configuration says that, is applied by this
/// function, on the thread itself.
pub type Schedule = fn(&ProcessScheduling, Option<&str>);

/// How sessions run.
#[derive(Clone, Copy, Debug)]
pub enum Sessions {
    /// On a thread that is scheduled by this function.
    Run(Schedule),
    /// Not at all, and why: they count as down.
    DoNotRun(&'static str),
}

/// The BFD sessions of a configuration.
#[derive(Debug)]
pub(crate) struct Bfd {
    voice: Voice,
    sessions: Sessions,
    thread: Option<Handle>,
    known: HashMap<Name, Arc<BfdSession>>,
}

impl Bfd {
    pub(crate) fn new(voice: Voice, sessions: Sessions) -> Self {
        Self { voice, sessions, thread: None, known: HashMap::new() }
    }

    /// Runs these from now on, and no others. Each is down until its neighbour answers, and has been told of by the end.
    pub(crate) fn apply(&mut self, wanted: &[&BfdSession], processes: &Processes, cause: Option<EventId>) {
        let before = std::mem::take(&mut self.known);
        for settings in wanted {
            let known = before.get(&settings.name);
            // Where one of its name goes another way, the thread tells when the one before has said its last.
            if known.is_none() {
                down(&self.voice, settings, SessionWhy::Unheard, cause);
            }
            let settings = match known {
                Some(known) if **known == **settings => known.clone(),
                _ => Arc::new((*settings).clone()),
            };
            self.known.insert(settings.name.clone(), settings);
        }
        if self.known.is_empty() && self.thread.is_none() {
            return;
        }
        let sessions = wanted.iter().filter_map(|one| self.known.get(&one.name)).cloned().collect();
        match self.started(processes) {
            Ok(thread) => thread.apply(sessions),
            Err(why) => {
                for settings in wanted {
                    down(&self.voice, settings, SessionWhy::Hindered(why.clone()), cause);
                }
            }
        }
    }

    fn started(&mut self, processes: &Processes) -> Result<&Handle, String> {
        let schedule = match self.sessions {
            Sessions::Run(schedule) => schedule,
            Sessions::DoNotRun(why) => return Err(why.into()),
        };
        if self.thread.is_none() {
            let (voice, scheduling, name) =
                (self.voice.clone(), processes.urgent(&processes.bfd), processes.names.bfd.clone());
            let prepare = move || schedule(&scheduling, name.as_deref());
            let thread = keepwatch_bfd::spawn(prepare, move |notice| tell(&voice, &notice));
            self.thread = Some(thread.map_err(|error| error.to_string())?);
        }
        self.thread.as_ref().ok_or_else(String::new)
    }

    /// How the thread shows that it lives, while there is one.
    pub(crate) fn beat(&self) -> Option<Beat> {
        self.thread.as_ref().map(Handle::beat)
    }

    /// Ends all of them, and tells the neighbours that this is on purpose.
    pub(crate) async fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // If it does not come to it, the neighbours notice by themselves.
            let _ = timeout(FAREWELL, thread.stop()).await;
        }
    }
}

/// What followers and the bus get to know of what the thread saw.
fn tell(voice: &Voice, notice: &Notice) {
    let Notice { session: settings, news, transmit, detection } = notice;
    match news {
        News::Changed(changed) => {
            let up = changed.to == BfdState::Up;
            // Between Down and Init nothing changes for anybody.
            if !up && changed.from != BfdState::Up {
                return;
            }
            let why = match changed.why {
                _ if up => SessionWhy::Agreed { transmit: *transmit, detection: *detection },
                Why::Silence { limit, overdue, .. } => SessionWhy::Silence { detection: limit, overdue },
                Why::Neighbour(state) => SessionWhy::Neighbour(state),
                // Nobody follows it any more.
                Why::Ordered => return,
            };
            let session = Session {
                neighbour: settings.neighbour,
                why,
                diagnostic: changed.diagnostic,
                remote_diagnostic: changed.remote_diagnostic,
            };
            let level = if up { Level::Up } else { Level::Down };
            voice.changed(None, key(settings), level, Evidence::Session(session));
        }
        // A session that is up and can't send any more will be down soon, and says why then.
        News::Hindered(error) => down(voice, settings, SessionWhy::Hindered(error.clone()), None),
        News::Agreed => {
            let (session, transmit, detection) = (settings.name.clone(), *transmit, *detection);
            voice.publish(None, TrackFact::SessionAgreed { session, transmit, detection });
        }
        News::Replaced => down(voice, settings, SessionWhy::Unheard, None),
        News::Added | News::Reconfigured | News::Removed => {}
    }
}

fn down(voice: &Voice, settings: &BfdSession, why: SessionWhy, cause: Option<EventId>) {
    let (diagnostic, remote_diagnostic) = (BfdDiagnostic::NONE, BfdDiagnostic::NONE);
    let session = Session { neighbour: settings.neighbour, why, diagnostic, remote_diagnostic };
    voice.changed(cause, key(settings), Level::Down, Evidence::Session(session));
}

fn key(settings: &BfdSession) -> TrackedKey {
    TrackedKey { kind: TrackedKind::Bfd, name: settings.name.clone() }
}
