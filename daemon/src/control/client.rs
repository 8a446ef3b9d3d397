//! The command's end of the control socket: asks one question, yields the answers as they come.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Answer, Question};
use crate::terminal::plain;

/// Why the daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("No daemon answers at the socket {}: {}.\nIs keepwatchd running? Name its socket with --socket.", path.display(), plain(error))]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Not allowed to ask.
    #[error("The socket {} is for root alone: ask as root.", .0.display())]
    NotAllowed(PathBuf),
    /// It took the question, and nothing more comes.
    #[error("The daemon does not answer: it took the question and has said nothing for {} s. It hangs, or this machine is short of time.", .0.as_secs())]
    Late(Duration),
    /// It stopped answering.
    #[error("The daemon does not answer: {}.", plain(.0))]
    Silent(io::Error),
    /// It said something else than an answer: another version, perhaps.
    #[error("What the daemon answers is not understood (is it of another version?): {0}.")]
    Garbled(serde_json::Error),
    /// The daemon's own refusal.
    #[error("{0}")]
    Refused(String),
}

/// Answers to one question.
pub struct Answers {
    lines: io::Lines<BufReader<UnixStream>>,
    patience: Option<Duration>,
}

/// Asks the daemon behind `socket`. With `patience`, an answer that takes longer is an error.
///
/// # Errors
/// When no daemon listens there.
pub fn ask(socket: &Path, question: &Question, patience: Option<Duration>) -> Result<Answers, ClientError> {
    let mut stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed(socket.to_path_buf()),
        _ => ClientError::NotRunning { path: socket.to_path_buf(), error },
    })?;
    stream.set_read_timeout(patience).map_err(ClientError::Silent)?;
    let mut line = serde_json::to_vec(question).map_err(ClientError::Garbled)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(ClientError::Silent)?;
    Ok(Answers { lines: BufReader::new(stream).lines(), patience })
}

/// Does the daemon answer at all? To be asked before a question whose answer may take as long as it likes.
///
/// # Errors
/// When no daemon listens there, or it is silent for `patience`.
pub fn answers(socket: &Path, patience: Duration) -> Result<(), ClientError> {
    ask(socket, &Question::LogLevel { set: Vec::new() }, Some(patience))?.one_more().map(drop)
}

impl Answers {
    /// The next answer; none when the daemon has said all (or has gone).
    ///
    /// # Errors
    /// When it refuses the question or falls silent.
    pub fn one_more(&mut self) -> Result<Option<Answer>, ClientError> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        let line = line.map_err(|error| match (error.kind(), self.patience) {
            // A read with a time limit ends so.
            (io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut, Some(patience)) => {
                ClientError::Late(patience)
            }
            _ => ClientError::Silent(error),
        })?;
        match serde_json::from_str(&line).map_err(ClientError::Garbled)? {
            Answer::Error { message } => Err(ClientError::Refused(message)),
            answer => Ok(Some(answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_daemon_that_takes_a_question_and_says_nothing_is_said_to_hang() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("control.sock");
        // The kernel takes the question; nobody reads it.
        let _listener = UnixListener::bind(&socket).unwrap();
        let silent = answers(&socket, Duration::from_millis(20)).unwrap_err();
        assert!(matches!(silent, ClientError::Late(_)), "{silent}");
        let nobody = answers(&directory.path().join("none"), Duration::from_millis(20)).unwrap_err();
        assert!(matches!(nobody, ClientError::NotRunning { .. }), "{nobody}");
    }
}
