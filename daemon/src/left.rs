//! What a worker has made or changed on the host, beside addresses and the IPVS table, and takes back at its end. In: what
//! each worker tells its supervisor, before or as soon as it is so. Out: the next worker knows it for this daemon's own (it
//! gets it in its environment, in the words of [`crate::supervisor::line`]); and a supervisor that ends without a worker
//! takes it back itself.

use std::fmt;

use keepwatch_notify::fifos::MadePipe;

use crate::host_settings::{Changed, Setting};
use crate::supervisor::line::{Report, parse_path, spelled};

/// The variable that holds what the workers before have left.
pub const VARIABLE: &str = "KEEPWATCH_LEFT";

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// A setting of the host.
    Setting(Changed),
    /// A named pipe.
    Pipe(MadePipe),
}

impl Left {
    /// Whether it is the same thing, however it was found or made.
    pub fn is_about(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Setting(one), Self::Setting(other)) => one.setting == other.setting,
            (Self::Pipe(one), Self::Pipe(other)) => one.path == other.path,
            (Self::Setting(_), Self::Pipe(_)) | (Self::Pipe(_), Self::Setting(_)) => false,
        }
    }

    /// Reads what its `Display` writes.
    pub fn parse<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        match words.next()? {
            "pipe" => Some(Self::Pipe(MadePipe {
                path: parse_path(words.next()?)?,
                device: words.next()?.parse().ok()?,
                inode: words.next()?.parse().ok()?,
            })),
            name => {
                let setting = Setting::ALL.into_iter().find(|setting| setting.to_string() == name)?;
                let ours = hex::decode(words.next()?).ok()?;
                Some(Self::Setting(Changed { setting, ours, before: hex::decode(words.next()?).ok()? }))
            }
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipe(MadePipe { path, device, inode }) => {
                write!(f, "pipe {} {device} {inode}", spelled(path))
            }
            Self::Setting(Changed { setting, ours, before }) => {
                write!(f, "{setting} {} {}", hex::encode(ours), hex::encode(before))
            }
        }
    }
}

/// What the workers before this one have left.
pub fn inherited() -> Vec<Left> {
    let told = std::env::var(VARIABLE).unwrap_or_default();
    told.lines()
        .filter_map(|line| match Report::parse(line) {
            Some(Report::Left(left)) => Some(left),
            _ => None,
        })
        .collect()
}

/// The pipes among it.
pub fn inherited_pipes() -> Vec<MadePipe> {
    inherited()
        .into_iter()
        .filter_map(|left| match left {
            Left::Pipe(pipe) => Some(pipe),
            Left::Setting(_) => None,
        })
        .collect()
}
