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

impl FileCheck {
    /// What it is called in the configuration, and as a kind of checker.
    pub const KEYWORD: &'static str = "FILE_CHECK";

    /// What a sum of this or less is: a failure. keepalived's `IPVS_WEIGHT_FAULT`.
    const FAULT: i64 = i32::MIN as i64;

    /// What is added to the weight of the real server while the file holds this number; none if the server is down.
    pub fn at(&self, number: i32) -> Option<i32> {
        if self.weight == 0 {
            return ((number == 0) != self.reverse).then_some(0);
        }
        let sign = if self.reverse { -1 } else { 1 };
        let product = i64::from(number) * i64::from(self.weight) * sign;
        let most = product.clamp(Self::FAULT, i32::MAX.into()) as i32;
        (product > Self::FAULT).then_some(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_number_means() {
        // keepalived 2.4.3
        for (number, weight, reverse, expected) in [
            (0, 0, false, Some(0)),
            (7, 0, false, None),
            (-7, 0, false, None),
            (0, 0, true, None),
            (7, 0, true, Some(0)),
            (3, 1, false, Some(3)),
            (3, 100, false, Some(300)),
            (3, 2, true, Some(-6)),
            (-3, 2, false, Some(-6)),
            (i32::MIN, 1, false, None),
            (i32::MIN + 1, 1, false, Some(i32::MIN + 1)),
            (i32::MIN, 1, true, Some(i32::MAX)),
            (i32::MAX, -2, false, None),
            (i32::MAX, i32::MAX, false, Some(i32::MAX)),
        ] {
            let check = FileCheck { track_file: "f".into(), weight, reverse };
            assert_eq!(check.at(number), expected, "{number} × {weight} {reverse}");
        }
    }
}
