//! Mail: `router_id`, `smtp_…`, `notification_email…`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::mailbox::mailboxes;
use super::{GlobalDraft, instead};
use crate::diagnostics::Diagnostic;
use crate::model::{MailServer, Name};
use crate::preprocess::Context;
use crate::tree::Node;
use crate::values::mend::With;

impl GlobalDraft {
    pub(super) fn mail(&mut self, node: &Node, context: &mut Context) -> bool {
        let model = &mut self.model;
        match node.keyword.name {
            "router_id" => self.router_id = node.text(0),
            "notification_email" => {
                if node.lines.iter().all(Vec::is_empty) {
                    context.report(
                        Diagnostic::warning("missing-value", "`notification_email` names nobody")
                            .changes()
                            .at(node.name.span, "no addresses in its braces"),
                    );
                }
                for line in &node.lines {
                    model.notification_email.extend(mailboxes(line, context));
                }
            }
            "notification_email_from" => model.notification_email_from = sender(node, context),
            "smtp_server" => model.smtp_server = mail_server(node, context),
            "smtp_helo_name" => self.helo_name = node.text(0),
            "smtp_connect_timeout" => match node.whole_seconds(0) {
                Some(Duration::ZERO) => {
                    instead(node, "1 or more", "1 second", context);
                    model.smtp_connect_timeout = Duration::from_secs(1);
                }
                Some(timeout) => model.smtp_connect_timeout = timeout,
                None => {}
            },
            "smtp_alert" => model.smtp_alert = Some(node.on()),
            "smtp_alert_vrrp" => model.smtp_alert_vrrp = Some(node.on()),
            "smtp_alert_checker" => model.smtp_alert_checker = Some(node.on()),
            "no_email_faults" => model.no_email_faults = true,
            "no_checker_emails" => model.no_checker_emails = node.on(),
            "checker_log_all_failures" => model.checker_log_all_failures = node.on(),
            _ => return false,
        }
        true
    }
}

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
