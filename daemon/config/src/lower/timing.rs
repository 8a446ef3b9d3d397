//! What virtual servers, real servers and checkers may all say of when checks are made: the inner one's word counts.

use crate::model::CheckTiming;
use crate::tree::Node;

impl CheckTiming {
    /// Takes a keyword; false when it is none of these.
    pub(super) fn take(&mut self, node: &Node) -> bool {
        match node.keyword.name {
            "delay_loop" => self.delay_loop = node.seconds(0),
            "warmup" => self.warmup = node.seconds(0),
            "retry" => self.retry = node.number::<u32>(0),
            "delay_before_retry" => self.delay_before_retry = node.seconds(0),
            "connect_timeout" => self.connect_timeout = node.seconds(0),
            _ => return false,
        }
        true
    }

    /// With the values of the block around it where this one has none.
    pub(super) fn or(self, outer: Self) -> Self {
        Self {
            delay_loop: self.delay_loop.or(outer.delay_loop),
            warmup: self.warmup.or(outer.warmup),
            retry: self.retry.or(outer.retry),
            delay_before_retry: self.delay_before_retry.or(outer.delay_before_retry),
            connect_timeout: self.connect_timeout.or(outer.connect_timeout),
        }
    }
}
