//! What facts of virtual routers rest on: who was heard last, what was refused, what else is on the network.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::AdvertError;

/// What a Master_Down_Timer ran out on: the limit with its parts, who was heard last, and what was heard meanwhile that
/// did not count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// Master_Down_Interval: so many times the interval, and the skew (RFC 9568 §6.1).
    pub limit: Duration,
    /// How many intervals: `down_timer_adverts`.
    pub adverts: u8,
    /// The master's interval, or our own where it was not heard.
    pub interval: Duration,
    /// Skew_Time, by our priority.
    pub skew: Duration,
    /// The last advertisement that counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<LastAdvert>,
    /// Packets for this virtual router that were refused meanwhile, by sender and reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedPackets>,
    /// Virtual routers that nobody has here, heard on the same network meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strangers: Vec<Stranger>,
}

/// An advertisement that was believed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastAdvert {
    /// Who sent it.
    pub address: IpAddr,
    /// With this priority.
    pub priority: u8,
    /// And this interval.
    pub interval: Duration,
    /// How long ago it came.
    pub ago: Duration,
}

/// Packets of one sender that were refused for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RefusedPackets {
    /// Who sent them.
    pub address: IpAddr,
    /// What was wrong with them.
    pub error: AdvertError,
    /// How many there were.
    pub count: u64,
    /// How long ago the last one came.
    pub ago: Duration,
}

/// A virtual router that nobody has here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stranger {
    /// Its id.
    pub vrid: u8,
    /// Who advertises it.
    pub address: IpAddr,
    /// How many of its packets were heard.
    pub count: u64,
    /// How long ago the last one came.
    pub ago: Duration,
}

/// How another master for the same addresses shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitSign {
    /// Its advertisements are heard, and it goes on sending them though ours outrank it: it does not hear us.
    Heard,
    /// Its advertisements name our addresses, and are refused for this reason: neither believes the other.
    Refused(AdvertError),
    /// It advertises our addresses under this virtual router id, which is not ours.
    OtherVrid(u8),
}

impl fmt::Display for SplitSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard => f.write_str("it goes on advertising though ours outrank it: does it hear us?"),
            Self::Refused(error) => write!(f, "its adverts are refused: {error}"),
            Self::OtherVrid(vrid) => write!(f, "it advertises our addresses with virtual router id {vrid}"),
        }
    }
}

impl Silence {
    /// One piece of evidence a line.
    pub fn in_words(&self) -> Vec<String> {
        let Self { limit, adverts, interval, skew, last, refused, strangers } = self;
        let mut lines = vec![match last {
            Some(LastAdvert { address, priority, interval, ago }) => format!(
                "last heard: {address}, {} before, with priority {priority} and interval {}",
                Seconds(*ago),
                Seconds(*interval)
            ),
            None => "no advert was ever heard that counted".to_owned(),
        }];
        lines.push(format!(
            "limit: {} = {adverts} × {} + skew {}",
            Seconds(*limit),
            Seconds(*interval),
            Seconds(*skew)
        ));
        lines.extend(refused.iter().map(|RefusedPackets { address, error, count, ago }| {
            format!(
                "refused meanwhile: {count} adverts from {address} ({error}), the last {} before",
                Seconds(*ago)
            )
        }));
        lines.extend(strangers.iter().map(|Stranger { vrid, address, count, ago }| {
            format!(
                "also on this network: virtual router {vrid} of {address}, {count} adverts, the last {} before",
                Seconds(*ago)
            )
        }));
        lines
    }
}

/// A time as people read it: `3.609 s`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.3}", self.0.as_secs_f64());
        write!(f, "{} s", text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_says_who_was_heard_last_and_which_limit_that_broke() {
        let from = IpAddr::from([10, 0, 0, 2]);
        let second = Duration::from_secs(1);
        let silence = Silence {
            limit: Duration::from_micros(3_609_375),
            adverts: 3,
            interval: second,
            skew: Duration::from_micros(609_375),
            last: Some(LastAdvert { address: from, priority: 200, interval: second, ago: second * 4 }),
            refused: vec![RefusedPackets {
                address: from,
                error: AdvertError::AuthFailure,
                count: 3,
                ago: second,
            }],
            strangers: Vec::new(),
        };
        assert_eq!(
            silence.in_words(),
            [
                "last heard: 10.0.0.2, 4 s before, with priority 200 and interval 1 s",
                "limit: 3.609 s = 3 × 1 s + skew 0.609 s",
                "refused meanwhile: 3 adverts from 10.0.0.2 (authentication failure), the last 1 s before",
            ]
        );
    }
}
