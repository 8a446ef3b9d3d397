//! What virtual servers, real servers and checkers may all say of when checks are made.

use crate::model::CheckTiming;
use crate::tree::Node;

/// Takes a keyword; false when it is none of these.
pub(super) fn take(timing: &mut CheckTiming, node: &Node) -> bool {
    match node.keyword.name {
        "delay_loop" => timing.delay_loop = node.seconds(0),
        "warmup" => timing.warmup = node.seconds(0),
        "retry" => timing.retry = node.number::<u32>(0),
        "delay_before_retry" => timing.delay_before_retry = node.seconds(0),
        "connect_timeout" => timing.connect_timeout = node.seconds(0),
        _ => return false,
    }
    true
}
