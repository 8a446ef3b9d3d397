//! TLS and basic authentication of the listener, by a file in the format of Prometheus's own programs (`--web.config.file`
//! there): certificate and key, which clients must show one themselves, and users with bcrypt hashes.
//!
//! The file and those that it names are looked at again for a new connection, at most once a second, so that a renewed
//! certificate or a new password takes effect by itself. While one of them can't be used, what was read before holds, and
//! whoever opened this is told why, once for each reason.

mod auth;
mod file;
mod tls;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// What each file was like when it was read.
    stamps: Vec<(PathBuf, Option<Stamp>)>,
    current: Current,
    complaint: Option<String>,
}

/// By what a file that was changed is told, however it was: length, inode, and when its state and its content changed, in
/// seconds and nanoseconds.
type Stamp = (u64, u64, (i64, i64), (i64, i64));

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
        match read(&self.file).and_then(|new| self.keeps_out(new, &state.current)) {
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

    /// A file that says nothing is one that is just being written, or was emptied by accident: nobody is let in by it who
    /// was kept out before.
    fn keeps_out(&self, new: Current, old: &Current) -> Result<Current, String> {
        if new.is_open() && !old.is_open() {
            let file = self.file.display();
            return Err(format!("{file}: it asks for neither TLS nor users any more: to open all, restart"));
        }
        Ok(new)
    }
}

impl Current {
    /// Whether everybody gets everything, for all to read.
    fn is_open(&self) -> bool {
        self.tls.is_none() && self.users.is_empty()
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

/// What the file is like, and those that it names.
fn stamps(path: &Path) -> Vec<(PathBuf, Option<Stamp>)> {
    let mut files = vec![path.to_owned()];
    if let Ok(file::Settings { tls: Some(tls), .. }) = file::Settings::read(path) {
        let named = [Some(tls.cert_file), Some(tls.key_file), tls.client_ca_file];
        files.extend(named.into_iter().flatten().map(|file| file::beside(path, &file)));
    }
    let stamp = |file: &PathBuf| {
        let data = std::fs::metadata(file).ok()?;
        let times = ((data.ctime(), data.ctime_nsec()), (data.mtime(), data.mtime_nsec()));
        Some((data.len(), data.ino(), times.0, times.1))
    };
    files.into_iter().map(|file| (file.clone(), stamp(&file))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_emptied_file_opens_nothing_and_every_change_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.yml");
        let users = |names: &[&str]| {
            let hash = bcrypt::hash("secret", 4).unwrap();
            let lines: String = names.iter().map(|name| format!("  {name}: {hash}\n")).collect();
            format!("basic_auth_users:\n{lines}")
        };
        fs::write(&path, users(&["a"])).unwrap();
        let complaints = Arc::new(Mutex::new(Vec::new()));
        let told = complaints.clone();
        let web = Web::open(path.clone(), move |complaint| told.lock().push(complaint)).unwrap();
        let look = |web: &Web| {
            web.state.lock().looked -= LOOK;
            web.current().users.clone()
        };
        for nothing in ["", "# later\n", "{}\n"] {
            fs::write(&path, nothing).unwrap();
            assert!(!look(&web).is_empty(), "{nothing:?}");
        }
        assert_eq!(complaints.lock().len(), 1, "{:?}", complaints.lock());
        // Another file of the same time and length.
        fs::write(&path, users(&["a"])).unwrap();
        let before = look(&web);
        let at = fs::metadata(&path).unwrap().modified().unwrap();
        let new = dir.path().join("new.yml");
        fs::write(&new, users(&["b"])).unwrap();
        fs::File::options().write(true).open(&new).unwrap().set_modified(at).unwrap();
        fs::rename(&new, &path).unwrap();
        assert!(!Arc::ptr_eq(&before, &look(&web)));
        assert_eq!(complaints.lock().len(), 1);
    }

    #[test]
    fn one_that_says_nothing_from_the_beginning_stays_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.yml");
        fs::write(&path, "").unwrap();
        let web = Web::open(path.clone(), |complaint| panic!("{complaint}")).unwrap();
        fs::write(&path, "# still\n").unwrap();
        web.state.lock().looked -= LOOK;
        assert!(web.current().is_open());
    }
}
