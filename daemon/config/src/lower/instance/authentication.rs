//! `authentication { … }` of an instance: what goes with its version, and the bytes of the key.

use crate::diagnostics::Diagnostic;
use crate::encoding;
use crate::model::{Authentication, Family, InitialState, Priority, Secret, VrrpVersion};
use crate::preprocess::Context;
use crate::schema::instance::InstanceDraft;

/// What `authentication` comes to; without the keys and the version that it needs, to nothing (reported).
pub(super) fn resolve(
    draft: &InstanceDraft,
    version: VrrpVersion,
    family: Family,
    strict: bool,
    context: &mut Context,
) -> Authentication {
    let Some((kind, kind_at)) = &draft.auth.kind else {
        if let (Some((_, span)), false) = (&draft.auth.password, draft.bad.contains(&"auth_type")) {
            context.report(
                Diagnostic::warning("missing-part", "`auth_pass` without `auth_type`")
                    .at(*span, "adverts are not authenticated")
                    .help("add `auth_type PASS`"),
            );
        }
        return Authentication::None;
    };
    let refuse = |context: &mut Context, code: &'static str, message: String| {
        context.report(Diagnostic::error(code, message).at(*kind_at, "adverts are not authenticated"));
        Authentication::None
    };
    if strict {
        return refuse(context, "strict", "strict mode has no authentication".into());
    }
    if version == VrrpVersion::V3 {
        return refuse(context, "auth-version", "version 3 of VRRP has no authentication".into());
    }
    let Some((password, password_at)) =
        draft.auth.password.as_ref().filter(|(password, _)| !password.is_empty())
    else {
        if draft.bad.contains(&"auth_pass") {
            return Authentication::None;
        }
        return refuse(context, "missing-part", "`auth_type` without `auth_pass`".into());
    };
    let bytes = encoding::bytes(password);
    if bytes.len() > 8 {
        context.report(
            Diagnostic::warning("long-password", "only the first eight bytes of the password count")
                .changes()
                .at(*password_at, "longer than eight bytes"),
        );
    }
    let mut key = [0; 8];
    for (to, from) in key.iter_mut().zip(bytes.iter()) {
        *to = *from;
    }
    if &**kind == "PASS" {
        return Authentication::Pass(Secret::new(key));
    }
    if family == Family::Inet6 {
        return refuse(context, "auth-version", "AH authentication is for IPv4 only".into());
    }
    Authentication::Ah(Secret::new(key))
}

/// The state that an authenticated instance begins in: it must have heard the master's sequence number before it takes
/// over, or the others would refuse its adverts. Only an owner (priority 255) can't wait.
pub(super) fn initial_state(
    authentication: &Authentication,
    draft: &InstanceDraft,
    (state, priority): (InitialState, Priority),
    context: &mut Context,
) -> InitialState {
    let (Authentication::Ah(_), Some((InitialState::Master, span))) = (authentication, draft.state) else {
        return state;
    };
    if priority == Priority::OWNER {
        return state;
    }
    context.report(
        Diagnostic::warning("conflict", "`state MASTER` does not go with `auth_type AH`")
            .changes()
            .at(span, "begins as BACKUP, to hear the sequence number of the others first"),
    );
    InitialState::Backup
}
