//! `observability { webhook NAME { … } }`: whom events are posted to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::header::Header;
use crate::names::Name;

/// One receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Its name, in metrics and messages.
    pub name: Name,
    /// `url URL`.
    pub url: Box<str>,
    /// `form event | alertmanager`.
    pub form: WebhookForm,
    /// `header NAME VALUE`, any number of times.
    pub headers: Vec<Header>,
    /// `subjects NAME …`: only what is about one of these; about anything if empty.
    pub subjects: Vec<Box<str>>,
    /// `kinds KIND …`: only events of these kinds or subsystems; whatever the log tells without `-D` if empty.
    pub kinds: Vec<Box<str>>,
    /// `timeout SECONDS`: bound of one try.
    pub timeout: Duration,
    /// `queue NUMBER`: messages that may wait.
    pub queue: u32,
}

impl Webhook {
    /// One of this name that has no address yet.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            url: Box::default(),
            form: WebhookForm::default(),
            headers: Vec::new(),
            subjects: Vec::new(),
            kinds: Vec::new(),
            timeout: Duration::from_secs(10),
            queue: 1000,
        }
    }
}

/// What is posted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookForm {
    /// Each event with what led to it, in JSON.
    #[default]
    Event,
    /// Alerts that begin and end, as Prometheus' Alertmanager takes them (API version 2).
    Alertmanager,
}
