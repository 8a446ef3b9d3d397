//! Virtual and real servers, and what SSL_GET shows and trusts.

mod forwarding;
mod real_server;
mod virtual_server;

pub(super) use self::real_server::REAL_SERVER;
pub(crate) use self::real_server::RealDraft;
pub(super) use self::virtual_server::VIRTUAL_SERVER;
pub(crate) use self::virtual_server::{PERSISTENCE, ServerDraft, Target};
use super::entry::Block;
use super::{Keyword, Kind, any, kw, one};
use crate::model::{Secret, Ssl};

const METHOD: Keyword = kw(
    "lvs_method",
    &[
        one("METHOD", Kind::Choice(&["NAT", "DR", "TUN"])),
        any("[type ipip | gue | gre] [port PORT] [nocsum | csum | remcsum]", Kind::Options("tunnel")),
    ],
    "How packets reach the real servers: rewritten (NAT), by hardware address (DR), wrapped (TUN).",
)
.alias(&["lb_kind"])
.default("NAT")
.example("lvs_method DR");
const VIRTUALHOST: Keyword =
    kw("virtualhost", &[one("NAME", Kind::Word)], "Host header for HTTP_GET and SSL_GET.")
        .example("virtualhost www.example.com")
        .last_counts();
const SNMP_NAME: Keyword = kw("snmp_name", &[one("NAME", Kind::Word)], "Name in SNMP.")
    .example("snmp_name web")
    .exact()
    .last_counts();

/// `SSL { … }`.
pub(crate) const SSL: Block<Ssl> = Block(&[
    kw("password", &[one("PASSWORD", Kind::Word).secret()], "Password of the key.")
        .example("password secret")
        .last_counts()
        .sets(|to, node, _| to.password = node.text(0).map(Secret::new)),
    kw("ca", &[one("PATH", Kind::Word)], "Certificates to trust.")
        .example("ca /etc/ssl/ca.pem")
        .last_counts()
        .sets(|to, node, _| to.ca = node.text(0)),
    kw("certificate", &[one("PATH", Kind::Word)], "Own certificate.")
        .example("certificate /etc/ssl/me.pem")
        .last_counts()
        .sets(|to, node, _| to.certificate = node.text(0)),
    kw("key", &[one("PATH", Kind::Word)], "Own key.")
        .example("key /etc/ssl/me.key")
        .last_counts()
        .sets(|to, node, _| to.key = node.text(0)),
]);
