//! What changed on a LAN, as data and in words.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::advert::Flaw;
use crate::lan::Place;
use crate::router::{Difference, Sender};

/// Something that was heard, or that is not heard any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, since observing began.
    #[serde(skip)]
    pub at: Duration,
    /// At which virtual router; none for packets that could not be read.
    #[serde(flatten)]
    pub place: Place,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What an event is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A virtual router is heard for the first time.
    Found {
        /// Its master.
        master: Sender,
    },
    /// Another is master now.
    MasterChanged {
        /// Who was; none if nobody had been.
        from: Option<IpAddr>,
        /// Who is.
        to: Sender,
        /// Why, as far as a listener can tell.
        how: How,
    },
    /// The master said that it stops (priority 0).
    Resigned {
        /// Who.
        who: IpAddr,
    },
    /// The master is silent for longer than any backup waits, and nobody took over.
    Silent {
        /// Who.
        who: IpAddr,
        /// For how long.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        silence: Duration,
    },
    /// A master says something else than before.
    Changed {
        /// Who.
        who: IpAddr,
        /// Of what: priority, interval, version, authentication, addresses, hardware address.
        what: &'static str,
        /// What it was.
        from: String,
        /// What it is.
        to: String,
    },
    /// Two send adverts for the same virtual router, each as if the other were not there.
    TwoMasters {
        /// The two.
        masters: [IpAddr; 2],
        /// Their priorities.
        priorities: [u8; 2],
        /// What differs in what they say: what each may refuse the other for. Empty if nothing does.
        differences: Vec<Difference>,
    },
    /// There is one master again, or none.
    OneMaster {
        /// Who goes on.
        left: Option<IpAddr>,
        /// For how long there were two.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        lasted: Duration,
    },
    /// More happened than is told: so many events are left out.
    Untold {
        /// How many.
        events: u64,
    },
    /// Packets that no router can believe. Told at the first, then at most once a minute.
    Flawed {
        /// Who sent them, if that much could be read.
        who: Option<IpAddr>,
        /// What is wrong.
        flaw: Flaw,
        /// How many there were since this was last told.
        packets: u64,
    },
}

/// Why a master follows another, as far as a listener can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum How {
    /// The one before was silent for so long.
    Silence {
        /// For how long.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        silence: Duration,
    },
    /// The one before resigned, so long ago.
    Resignation {
        /// How long ago.
        #[serde(rename = "seconds", serialize_with = "seconds")]
        after: Duration,
    },
    /// It is better (a higher priority; of the same one, the higher address).
    Preempted,
    /// It is not better, and the one before is silent since.
    Contested,
}

pub(crate) fn seconds<S: serde::Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(value.as_secs_f64())
}

impl What {
    /// Whether somebody should look.
    pub fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::TwoMasters { .. } | Self::Silent { .. } | Self::Flawed { .. } | Self::Untold { .. }
        )
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { master } => write!(f, "the master is {master}"),
            Self::MasterChanged { from: None, to, .. } => write!(f, "the master is {to}"),
            Self::MasterChanged { from: Some(from), to, how } => {
                write!(f, "the master is {to}, after {from}")?;
                match how {
                    How::Silence { silence } => write!(f, " was silent for {}", time(*silence)),
                    How::Resignation { after } => write!(f, " resigned {} ago", time(*after)),
                    How::Preempted => f.write_str(", which it preempts"),
                    How::Contested => f.write_str(", which gave way"),
                }
            }
            Self::Resigned { who } => write!(f, "{who} resigns (priority 0)"),
            Self::Silent { who, silence } => {
                write!(f, "no master: {who} is silent for {} and nobody took over", time(*silence))
            }
            Self::Changed { who, what, from, to } => write!(f, "{who} changes its {what}: {from} -> {to}"),
            Self::TwoMasters { masters: [one, two], priorities: [first, second], differences } => {
                write!(f, "TWO MASTERS: {one} (priority {first}) and {two} (priority {second}); ")?;
                if differences.is_empty() {
                    return f.write_str("they say the same, so one of them does not hear the other");
                }
                for (i, difference) in differences.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { "; " })?;
                    write!(f, "{difference}")?;
                }
                Ok(())
            }
            Self::OneMaster { left: Some(left), lasted } => {
                write!(f, "one master again: {left}; there were two for {}", time(*lasted))
            }
            Self::OneMaster { left: None, lasted } => {
                write!(
                    f,
                    "neither of the two masters is heard any more; there were two for {}",
                    time(*lasted)
                )
            }
            Self::Untold { events } => {
                write!(f, "{events} more changes than can be told; what follows is the latest")
            }
            Self::Flawed { who, flaw, packets } => {
                match who {
                    Some(who) => write!(f, "a packet of {who} is no valid advert: {flaw}")?,
                    None => write!(f, "a packet is no valid advert: {flaw}")?,
                }
                if *packets > 1 { write!(f, " ({packets} since last told)") } else { Ok(()) }
            }
        }
    }
}

/// A span of time, to the millisecond, or to a tenth of a second if it is long.
pub fn time(span: Duration) -> String {
    match span.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        millis => format!("{:.1} s", millis as f64 / 1e3),
    }
}
