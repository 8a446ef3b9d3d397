//! `SMTP_CHECK`: itself, and its `host` blocks, which are checkers of their own.

use super::Around;
use crate::model::SmtpCheck;
use crate::preprocess::Context;
use crate::schema::checkers::SmtpDraft;
use crate::schema::checkers::connection::ConnectionDraft;

impl SmtpDraft {
    /// Where the checker says nothing of its connection, its `host` blocks alone count.
    pub(super) fn resolve(
        self,
        main: ConnectionDraft,
        around: &Around<'_>,
        context: &mut Context,
    ) -> Vec<SmtpCheck> {
        let mut connections = self.hosts;
        if connections.is_empty() || !main.is_empty() {
            connections.insert(0, main);
        }
        let helo_name = self.helo_name.unwrap_or_else(|| SmtpCheck::HELO_NAME.into());
        connections
            .into_iter()
            .filter_map(|connection| connection.resolve(around, context))
            .map(|connection| SmtpCheck { connection, helo_name: helo_name.clone() })
            .collect()
    }
}
