//! `UDP_CHECK`.

use crate::model::{Connection, UdpCheck, UdpReply};
use crate::schema::checkers::UdpDraft;

impl UdpDraft {
    pub(super) fn resolve(self, connection: Connection) -> UdpCheck {
        let (min_length, max_length) = self.lengths();
        UdpCheck {
            connection,
            payload: self.payload,
            reply: self.pattern.map(|pattern| UdpReply { pattern, min_length, max_length }),
        }
    }
}
