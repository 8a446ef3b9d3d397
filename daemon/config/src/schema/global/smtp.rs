//! Mail.

use crate::schema::bounds::{SECS, U16};
use crate::schema::{Keyword, Kind, flag, kw, one, opt, some, switch};

pub(super) const SMTP: &[Keyword] = &[
    kw("router_id", &[one("NAME", Kind::Word)], "Name of this machine in mails and SNMP.")
        .old(&["lvs_id"])
        .default("the host's name")
        .example("router_id LVS_MAIN"),
    kw("notification_email", &[], "Who gets mail.")
        .lines("ADDRESS | NAME <ADDRESS> …")
        .repeats()
        .example("notification_email {\n    admin@example.com\n    Night Watch <night@example.com>\n}"),
    kw("notification_email_from", &[some("ADDRESS", Kind::Word)], "Who mail comes from.")
        .default("USER@HOST")
        .example("notification_email_from keepwatch@example.com"),
    kw("smtp_server", &[one("ADDRESS | HOST", Kind::Word), opt("PORT", Kind::Int(1, U16))], "Mail server.")
        .default("none: no mail; port 25")
        .example("smtp_server 127.0.0.1 25"),
    kw("smtp_helo_name", &[one("NAME", Kind::Word)], "Name in the greeting to the mail server.")
        .default("the host's name")
        .example("smtp_helo_name me.example.com"),
    kw("smtp_connect_timeout", &[one("SECONDS", Kind::Int(0, SECS))], "How long the mail server may take.")
        .default("30")
        .example("smtp_connect_timeout 10"),
    switch("smtp_alert", "Mail from everything.").example("smtp_alert"),
    switch("smtp_alert_vrrp", "Mail from instances and groups.")
        .default("smtp_alert, else off")
        .example("smtp_alert_vrrp"),
    switch("smtp_alert_checker", "Mail from virtual and real servers.")
        .default("smtp_alert, else on for real servers only")
        .example("smtp_alert_checker"),
    flag("no_email_faults", "No mail for faults.").example("no_email_faults"),
    switch("no_checker_emails", "No mail from checkers unless the server goes up or down.")
        .default("off")
        .example("no_checker_emails"),
    switch("checker_log_all_failures", "Log every failed check.")
        .default("off")
        .example("checker_log_all_failures"),
];
