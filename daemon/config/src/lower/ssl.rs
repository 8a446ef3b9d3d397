//! `SSL`: what `SSL_GET` shows and trusts.

use crate::model::{Secret, Ssl};
use crate::tree::Node;

/// The block; a second one takes the place of the first as a whole.
pub(super) fn ssl(node: &Node) -> Ssl {
    let mut ssl = Ssl::default();
    for child in node.children.iter().filter(|child| !child.bad) {
        match child.keyword.name {
            "password" => ssl.password = child.text(0).map(Secret::new),
            "ca" => ssl.ca = child.text(0),
            "certificate" => ssl.certificate = child.text(0),
            "key" => ssl.key = child.text(0),
            _ => {}
        }
    }
    ssl
}
