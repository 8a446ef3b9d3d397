//! `FILE_CHECK`: a real server follows the number in a file.

use serde::{Deserialize, Serialize};

use crate::Name;

/// A `FILE_CHECK` block: the number in the file times the weight is added to the real server's weight; a sum of
/// −2147483648 or less is a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileCheck {
    /// `track_file`: name of the `track_file` block.
    pub track_file: Name,
    /// `weight`, −2147483647 to 2147483647; that of the `track_file` unless given. With 0 the server is down unless the
    /// number is 0.
    pub weight: i32,
    /// `reverse`, written after the weight: the sign is turned. That of the `track_file` when no weight is written.
    pub reverse: bool,
}
