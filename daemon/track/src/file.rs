//! `track_file`: what a file says is a level. In: the files of a configuration. Out: their levels, by
//! [`FileWatch`](crate::watch::FileWatch).

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use keepwatch_bus::EventId;
use keepwatch_bus::fact::{Evidence, TrackFact};
use keepwatch_bus::subject::{TrackedKey, TrackedKind};
use keepwatch_model::{InitFile, Level, Name, TrackFile};
use nix::fcntl::OFlag;

use crate::Voice;
use crate::watch::{FileWatch, LOOK_OFTEN, Reading, Watched};

/// How long the first reading of new files may take altogether.
const FIRST: Duration = Duration::from_millis(500);

/// The tracked files of a configuration.
#[derive(Debug)]
pub(crate) struct Files {
    voice: Voice,
    watch: Option<FileWatch>,
    known: HashMap<Name, (TrackFile, Watched)>,
}

impl Files {
    pub(crate) fn new(voice: Voice) -> Self {
        Self { voice, watch: None, known: HashMap::new() }
    }

    /// Tracks these from now on, and no others. What another weight alone is different of is left as it is.
    pub(crate) fn apply(&mut self, wanted: &[&TrackFile], cause: Option<EventId>) {
        let mut before = std::mem::take(&mut self.known);
        let mut first = Vec::new();
        for settings in wanted {
            let same = before.remove(&settings.name).filter(|(known, _)| known.file == settings.file);
            if let Some((_, watched)) = same {
                self.known.insert(settings.name.clone(), ((*settings).clone(), watched));
                continue;
            }
            if let Some(init) = &settings.init {
                // One that can't be made reads as what it is; the configuration has been checked for the directory.
                let _ = initialise(&settings.file, *init);
            }
            let Some(watch) = self.started(cause) else { return };
            let (ready, read) = mpsc::channel();
            let watched = watch.watch(settings.file.clone(), self.teller(settings, cause, ready));
            self.known.insert(settings.name.clone(), ((*settings).clone(), watched));
            first.push(read);
        }
        // So that virtual routers begin with the right priority. Where a disk takes longer they don't wait for it.
        let until = Instant::now() + FIRST;
        for read in first {
            let _ = read.recv_timeout(until.saturating_duration_since(Instant::now()));
        }
    }

    /// The watch, started when it is first needed.
    fn started(&mut self, cause: Option<EventId>) -> Option<FileWatch> {
        if self.watch.is_none() {
            let polled = |error: String| TrackFact::TrackingPolled {
                what: TrackedKind::File,
                every: LOOK_OFTEN,
                error,
            };
            match FileWatch::start() {
                Ok(watch) => {
                    if let Some(error) = watch.unwatched() {
                        self.voice.publish(cause, polled(error.into()));
                    }
                    self.watch = Some(watch);
                }
                Err(error) => drop(self.voice.publish(cause, polled(error.to_string()))),
            }
        }
        self.watch.clone()
    }

    /// What is called with each reading. The first one has the configuration as its cause, later ones nothing that we know.
    fn teller(
        &self,
        settings: &TrackFile,
        cause: Option<EventId>,
        ready: mpsc::Sender<()>,
    ) -> impl FnMut(Reading) + Send + 'static {
        let (voice, file) = (self.voice.clone(), settings.file.clone());
        let key = TrackedKey { kind: TrackedKind::File, name: settings.name.clone() };
        let mut first = Some((cause, ready));
        move |Reading { value, found }| {
            let (cause, ready) = first.take().map_or((None, None), |(cause, ready)| (cause, Some(ready)));
            let evidence = Evidence::Read { file: file.clone(), found };
            voice.changed(cause, key.clone(), Level::Number(value), evidence);
            // Nobody waits any more if this took too long.
            ready.map(|ready| ready.send(()));
        }
    }
}

/// Makes a file with its initial value, unless there is one that is to stay. A link at its place is not followed (whoever
/// may write to the directory could have any file overwritten), and nothing but a regular file is written to.
fn initialise(path: &Path, init: InitFile) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits());
    if init.overwrite {
        options.create(true).truncate(false);
    } else {
        options.create_new(true);
    }
    let mut file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    file.set_len(0)?;
    writeln!(file, "{}", init.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_value_is_written_to_a_regular_file_only() -> std::io::Result<()> {
        let directory = tempfile::tempdir()?;
        let at = |name: &str| directory.path().join(name);
        let init = |overwrite| InitFile { value: 7, overwrite };
        initialise(&at("new"), init(false))?;
        assert_eq!(std::fs::read_to_string(at("new"))?, "7\n");
        std::fs::write(at("old"), "123456\n")?;
        assert!(initialise(&at("old"), init(false)).is_err());
        assert_eq!(std::fs::read_to_string(at("old"))?, "123456\n");
        std::os::unix::fs::symlink(at("old"), at("link"))?;
        assert!(initialise(&at("link"), init(true)).is_err());
        assert_eq!(std::fs::read_to_string(at("old"))?, "123456\n", "somebody else's file, perhaps");
        initialise(&at("old"), init(true))?;
        assert_eq!(std::fs::read_to_string(at("old"))?, "7\n");
        Ok(())
    }
}
