//! Mail: `router_id`, `smtp_…`, `notification_email…`.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

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
                let words = node.lines.iter().flatten().map(|word| Name::from(&*word.text));
                model.notification_email.extend(words);
            }
            "notification_email_from" => model.notification_email_from = node.text(0),
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

fn mail_server(node: &Node, context: &mut Context) -> Option<MailServer> {
    let text = node.arg(0)?;
    let port = node.number(1).unwrap_or(25);
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(MailServer::Address(SocketAddr::new(address, port)));
    }
    let fits = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_');
    let numbers_only = text.chars().all(|character| character.is_ascii_digit() || character == '.');
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
