//! What webhooks need of the configuration.

use keepwatch_deliver::http;
use keepwatch_model::{Config, Webhook, WebhookForm};

/// The receivers, and who tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The receivers.
    pub webhooks: Vec<Webhook>,
    /// Who tells.
    pub sender: Sender,
}

/// Who tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// The name of the host.
    pub host: String,
    /// `router_id`.
    pub router_id: String,
}

impl WebhookSettings {
    /// What a configuration says; `None` if there are no receivers.
    pub fn of(config: &Config, host: &str) -> Option<Self> {
        let webhooks = config.observability.webhooks.clone();
        let sender = Sender { host: host.to_owned(), router_id: config.global.router_id.to_string() };
        (!webhooks.is_empty()).then_some(Self { webhooks, sender })
    }
}

/// Where one receiver is.
pub(super) fn http(webhook: &Webhook) -> http::Settings {
    let headers = webhook.headers.iter().map(|header| (header.name.clone(), header.value.clone()));
    http::Settings {
        url: address(webhook).into(),
        headers: headers.collect(),
        timeout: webhook.timeout,
        authority: None,
        identity: None,
    }
}

/// Of an Alertmanager people know the address, not the path.
fn address(webhook: &Webhook) -> String {
    let url = &*webhook.url;
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    match webhook.form {
        WebhookForm::Alertmanager if path.is_empty() => {
            format!("{}/api/v2/alerts", url.trim_end_matches('/'))
        }
        WebhookForm::Alertmanager | WebhookForm::Event => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alertmanager_is_named_by_its_address() {
        let of = |url: &str, form| address(&Webhook { url: url.into(), form, ..Webhook::new("x".into()) });
        let alerts = WebhookForm::Alertmanager;
        assert_eq!(of("http://am:9093", alerts), "http://am:9093/api/v2/alerts");
        assert_eq!(of("http://am:9093/", alerts), "http://am:9093/api/v2/alerts");
        assert_eq!(of("http://am/pre/api/v2/alerts", alerts), "http://am/pre/api/v2/alerts");
        assert_eq!(of("http://pager", WebhookForm::Event), "http://pager");
    }
}
