//! Mail.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::mailbox::mailboxes;
use super::{GlobalDraft, instead};
use crate::diagnostics::Diagnostic;
use crate::model::{MailServer, Name};
use crate::preprocess::Context;
use crate::schema::bounds::{SECS, U16};
use crate::schema::entry::Block;
use crate::schema::{Kind, flag, kw, one, opt, some, switch};
use crate::tree::Node;
use crate::values::mend::With;

pub(super) const SMTP: Block<GlobalDraft> = Block(&[
    kw("router_id", &[one("NAME", Kind::Word)], "Name of this machine in mails and SNMP.")
        .old(&["lvs_id"])
        .default("the host's name")
        .example("router_id LVS_MAIN")
        .sets(|to, node, _| to.router_id = node.text(0)),
    kw("notification_email", &[], "Who gets mail.")
        .lines("ADDRESS | NAME <ADDRESS> …")
        .repeats()
        .example("notification_email {\n    admin@example.com\n    Night Watch <night@example.com>\n}")
        .sets(|to, node, context| {
            if node.lines.iter().all(Vec::is_empty) {
                context.report(
                    Diagnostic::warning("missing-value", "`notification_email` names nobody")
                        .changes()
                        .at(node.name.span, "no addresses in its braces"),
                );
            }
            for line in &node.lines {
                to.model.notification_email.extend(mailboxes(line, context));
            }
        }),
    kw("notification_email_from", &[some("ADDRESS", Kind::Word)], "Who mail comes from.")
        .default("USER@HOST")
        .example("notification_email_from keepwatch@example.com")
        .sets(|to, node, context| to.model.notification_email_from = sender(node, context)),
    kw("smtp_server", &[one("ADDRESS | HOST", Kind::Word), opt("PORT", Kind::Int(1, U16))], "Mail server.")
        .default("none: no mail; port 25")
        .example("smtp_server 127.0.0.1 25")
        .sets(|to, node, context| to.model.smtp_server = mail_server(node, context)),
    kw("smtp_helo_name", &[one("NAME", Kind::Word)], "Name in the greeting to the mail server.")
        .default("the host's name")
        .example("smtp_helo_name me.example.com")
        .sets(|to, node, _| to.helo_name = node.text(0)),
    kw("smtp_connect_timeout", &[one("SECONDS", Kind::Int(0, SECS))], "How long the mail server may take.")
        .default("30")
        .example("smtp_connect_timeout 10")
        .sets(|to, node, context| match node.whole_seconds(0) {
            Some(Duration::ZERO) => {
                instead(node, "1 or more", "1 second", context);
                to.model.smtp_connect_timeout = Duration::from_secs(1);
            }
            Some(timeout) => to.model.smtp_connect_timeout = timeout,
            None => {}
        }),
    switch("smtp_alert", "Mail from everything.")
        .example("smtp_alert")
        .sets(|to, node, _| to.model.smtp_alert = Some(node.on())),
    switch("smtp_alert_vrrp", "Mail from instances and groups.")
        .default("smtp_alert, else off")
        .example("smtp_alert_vrrp")
        .sets(|to, node, _| to.model.smtp_alert_vrrp = Some(node.on())),
    switch("smtp_alert_checker", "Mail from virtual and real servers.")
        .default("smtp_alert, else on for real servers only")
        .example("smtp_alert_checker")
        .sets(|to, node, _| to.model.smtp_alert_checker = Some(node.on())),
    flag("no_email_faults", "No mail for faults.")
        .example("no_email_faults")
        .sets(|to, _, _| to.model.no_email_faults = true),
    switch("no_checker_emails", "No mail from checkers unless the server goes up or down.")
        .default("off")
        .example("no_checker_emails")
        .sets(|to, node, _| to.model.no_checker_emails = node.on()),
    switch("checker_log_all_failures", "Log every failed check.")
        .default("off")
        .example("checker_log_all_failures")
        .sets(|to, node, _| to.model.checker_log_all_failures = node.on()),
]);

/// From whom mail comes; one only (further ones are reported).
fn sender(node: &Node, context: &mut Context) -> Option<Name> {
    let mut found = mailboxes(&node.args, context).into_iter();
    let sender = found.next();
    if let (Some(surplus), Some(last)) = (found.next(), node.args.last()) {
        context.report(
            Diagnostic::warning("extra-words", "mail comes from one address only")
                .at(last.span, format!("`{surplus}` has no effect")),
        );
    }
    sender
}

fn mail_server(node: &Node, context: &mut Context) -> Option<MailServer> {
    let text = node.arg(0)?;
    let port = node.number(1).unwrap_or(25);
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(MailServer::Address(SocketAddr::new(address, port)));
    }
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_');
    let numbers_only = text.chars().all(|character| character.is_ascii_digit() || character == '.');
    if let Some(address) = shortened(text) {
        let message = format!("`{text}` is the short form of {address}");
        let diagnostic = Diagnostic::warning("short-address", message).at(node.arg_span(0), "is this meant?");
        context.report(diagnostic.suggest(
            node.arg_span(0),
            address.to_string(),
            format!("did you mean `{address}`?"),
        ));
        return Some(MailServer::Address(SocketAddr::new(address.into(), port)));
    }
    if text.is_empty() || numbers_only || !text.chars().all(fits) {
        context.report(
            Diagnostic::error("invalid-address", format!("`{text}` is neither an address nor a host name"))
                .at(node.arg_span(0), "no mail is sent")
                .suggest_address(node.args.first()?, With::Port),
        );
        return None;
    }
    Some(MailServer::Host(text.into(), port))
}

/// An IPv4 address of fewer than four numbers, or with octal ones, as inet_aton(3) reads it: the last number fills
/// the rest.
fn shortened(text: &str) -> Option<Ipv4Addr> {
    let numbers = text.split('.').map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let radix = if part.starts_with('0') { 8 } else { 10 };
        digits.then(|| u32::from_str_radix(part, radix).ok())?
    });
    let numbers: Vec<u32> = numbers.collect::<Option<_>>()?;
    let (last, bytes) = numbers.split_last()?;
    let room = 4usize.checked_sub(bytes.len()).filter(|room| *room > 0)?;
    let fits = bytes.iter().all(|byte| *byte <= 255) && u64::from(*last) < 1 << (8 * room);
    let first = (0u32..).zip(bytes).map(|(index, byte)| byte << (24 - 8 * index)).sum::<u32>();
    fits.then(|| Ipv4Addr::from(first | *last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_addresses_are_read_as_the_resolver_reads_them() {
        for (text, address) in [
            ("5", Some([0, 0, 0, 5])),
            ("127.1", Some([127, 0, 0, 1])),
            ("10.1.258", Some([10, 1, 1, 2])),
            ("010.0.0.1", Some([8, 0, 0, 1])),
            ("4294967295", Some([255; 4])),
            ("4294967296", None),
            ("256.1", None),
            ("10.0.0.256", None),
            ("10.0.0.0.1", None),
            ("09.1", None),
            ("10..1", None),
            ("mail.1", None),
            ("", None),
        ] {
            assert_eq!(shortened(text), address.map(Ipv4Addr::from), "{text}");
        }
    }
}
