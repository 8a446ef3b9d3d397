//! TLS and basic authentication of the listener, by a file in the format of Prometheus's own programs (`--web.config.file`
//! there): certificate and key, which clients must show one themselves, and users with bcrypt hashes.
//!
//! The file and those that it names are looked at again for a new connection, at most once a second, so that a renewed
//! certificate or a new password takes effect by itself. While one of them can't be used, what was read before holds, and
//! whoever opened this is told why, once for each reason.

mod auth;
mod file;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio_rustls::TlsAcceptor;

pub(crate) use auth::{Users, authenticated};

/// Between two looks at the files.
const LOOK: Duration = Duration::from_secs(1);

/// What a file of this kind has to say, kept up to date.
pub struct Web {
    file: PathBuf,
    state: Mutex<State>,
    /// Who is told of a file that can't be used any more.
    complain: Box<dyn Fn(String) + Send + Sync>,
}

struct State {
    looked: Instant,
    /// When each file was changed last.
    stamps: Vec<(PathBuf, Option<SystemTime>)>,
    current: Current,
    complaint: Option<String>,
}

/// What holds for a new connection.
#[derive(Clone)]
pub(crate) struct Current {
    /// TLS, if that is spoken.
    pub(crate) tls: Option<TlsAcceptor>,
    /// Whether clients must show a certificate.
    certified: bool,
    /// Those who may ask; everybody where there are none.
    pub(crate) users: Arc<Users>,
}

impl Web {
    /// Reads the file. `complain` is called when it can't be used later, once for each reason.
    ///
    /// # Errors
    /// What is wrong with it: the file, the place in it, and what is expected.
    pub fn open(
        file: impl Into<PathBuf>,
        complain: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<Arc<Self>, String> {
        let file = file.into();
        let stamps = stamps(&file);
        let current = read(&file)?;
        let looked = Instant::now();
        let state = Mutex::new(State { looked, stamps, current, complaint: None });
        Ok(Arc::new(Self { file, state, complain: Box::new(complain) }))
    }

    /// Whether nobody gets anything without a name and a password, or a certificate.
    pub fn asks_who_it_is(&self) -> bool {
        let current = self.current();
        !current.users.is_empty() || current.certified
    }

    /// What holds now.
    pub(crate) fn current(&self) -> Current {
        let mut state = self.state.lock();
        if state.looked.elapsed() < LOOK {
            return state.current.clone();
        }
        state.looked = Instant::now();
        let stamps = stamps(&self.file);
        if stamps == state.stamps && state.complaint.is_none() {
            return state.current.clone();
        }
        match read(&self.file) {
            Ok(current) => {
                state.current = current;
                state.stamps = stamps;
                state.complaint = None;
            }
            Err(error) => {
                if state.complaint.as_ref() != Some(&error) {
                    (self.complain)(format!("{error}; what was read before still holds"));
                    state.complaint = Some(error);
                }
            }
        }
        state.current.clone()
    }
}

fn read(path: &Path) -> Result<Current, String> {
    let settings = file::Settings::read(path)?;
    let told = |error: String| format!("{}: {error}", path.display());
    let tls = settings.tls.as_ref().map(|tls| tls::acceptor(tls, path)).transpose().map_err(told)?;
    let users = Users::new(settings.users.clone()).map_err(told)?;
    let certified = settings.tls.is_some_and(|tls| tls.requires_certificates());
    Ok(Current { tls, certified, users: Arc::new(users) })
}

/// When the file was changed last, and those that it names.
fn stamps(path: &Path) -> Vec<(PathBuf, Option<SystemTime>)> {
    let mut files = vec![path.to_owned()];
    if let Ok(file::Settings { tls: Some(tls), .. }) = file::Settings::read(path) {
        let named = [Some(tls.cert_file), Some(tls.key_file), tls.client_ca_file];
        files.extend(named.into_iter().flatten().map(|file| file::beside(path, &file)));
    }
    let changed = |file: &PathBuf| std::fs::metadata(file).and_then(|data| data.modified()).ok();
    files.into_iter().map(|file| (file.clone(), changed(&file))).collect()
}
