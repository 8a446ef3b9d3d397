//! A real browser in a host: headless Chromium, driven by ChromeDriver over its own protocol (W3C WebDriver, JSON over
//! HTTP), by the few commands that tests need.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{Host, Process, process::Spawn, wait};

/// Where ChromeDriver listens, in its host.
const DRIVER: ([u8; 4], u16) = ([127, 0, 0, 1], 9515);
/// The name under which WebDriver hands out elements (W3C WebDriver, 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How a browser is set up.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Whether pages may run scripts.
    pub scripts: bool,
    /// Width and height of its window.
    pub size: (u32, u32),
}

impl Default for Setup {
    fn default() -> Self {
        Self { scripts: true, size: (1280, 900) }
    }
}

/// A running browser with one window.
pub struct Browser {
    host: Host,
    session: String,
    // Killed with Chromium below it.
    _driver: Process,
}

impl Browser {
    /// Starts it in this host.
    pub fn start(host: &Host, setup: Setup) -> Result<Self> {
        let home = host.directory().join("browser");
        std::fs::create_dir_all(&home)?;
        let spawn: Spawn = host.process("chromedriver", "chromedriver");
        let driver = spawn.arg(format!("--port={}", DRIVER.1)).env("HOME", &home).start()?;
        wait::until("ChromeDriver answers", wait::LONG, || {
            ask(host, "GET", "/status", None).is_ok_and(|status| status["ready"] == true)
        })
        .with_context(|| driver.log())?;
        let arguments = vec![
            "--headless".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--hide-scrollbars".into(),
            "--force-color-profile=srgb".into(),
            format!("--window-size={},{}", setup.size.0, setup.size.1),
            format!("--user-data-dir={}", home.join("profile").display()),
        ];
        // 2: blocked.
        let scripts = if setup.scripts { 1 } else { 2 };
        let options = json!({
            "args": arguments,
            "prefs": { "profile.managed_default_content_settings.javascript": scripts },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let answer = ask(host, "POST", "/session", Some(&wanted)).with_context(|| driver.log())?;
        let session = answer["sessionId"].as_str().context("no session")?.to_owned();
        Ok(Self { host: host.clone(), session, _driver: driver })
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        ask(&self.host, method, &format!("/session/{}{path}", self.session), body)
    }

    /// Opens an address.
    pub fn open(&self, url: &str) -> Result<()> {
        self.call("POST", "/url", Some(&json!({ "url": url }))).map(drop)
    }

    /// The address that is open.
    pub fn address(&self) -> Result<String> {
        Ok(self.call("GET", "/url", None)?.as_str().context("no address")?.to_owned())
    }

    /// Elements that a CSS selector finds.
    pub fn all(&self, css: &str) -> Result<Vec<Element<'_>>> {
        let found =
            self.call("POST", "/elements", Some(&json!({ "using": "css selector", "value": css })))?;
        let elements = found.as_array().context("no list of elements")?.iter();
        elements
            .map(|element| {
                let id = element[ELEMENT].as_str().context("no element")?.to_owned();
                Ok(Element { browser: self, id })
            })
            .collect()
    }

    /// The first of them.
    pub fn one(&self, css: &str) -> Result<Element<'_>> {
        self.all(css)?.into_iter().next().with_context(|| format!("there is no {css}"))
    }

    /// The text that a reader sees of the first element of this selector; nothing if there is none, or if it is being
    /// replaced at this moment.
    pub fn text(&self, css: &str) -> String {
        self.one(css).and_then(|element| element.text()).unwrap_or_default()
    }

    /// Waits until the text of the first element of this selector has `text` in it.
    pub fn wait_for(&self, css: &str, text: &str) -> Result<()> {
        wait::until(&format!("{css} says {text:?}"), wait::LONG, || self.text(css).contains(text))
            .with_context(|| self.text("body"))
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Result<Value> {
        self.call("POST", "/execute/sync", Some(&json!({ "script": script, "args": [] })))
    }

    /// Has a reader who likes pages dark, or light.
    pub fn prefer(&self, scheme: &str) -> Result<()> {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": { "features": features } });
        self.call("POST", "/goog/cdp/execute", Some(&command)).map(drop)
    }

    /// What the window shows, as a PNG in base64.
    pub fn screenshot(&self) -> Result<String> {
        Ok(self.call("GET", "/screenshot", None)?.as_str().context("no screenshot")?.to_owned())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends by itself then; the driver is killed with what is left.
        let _ = self.call("DELETE", "", None);
    }
}

/// An element of the page that is open.
pub struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Element<'_> {
    fn path(&self, what: &str) -> String {
        format!("/element/{}{what}", self.id)
    }

    /// The text that a reader sees of it.
    pub fn text(&self) -> Result<String> {
        Ok(self.browser.call("GET", &self.path("/text"), None)?.as_str().unwrap_or_default().to_owned())
    }

    /// One of its attributes.
    pub fn attribute(&self, name: &str) -> Result<Option<String>> {
        let value = self.browser.call("GET", &self.path(&format!("/attribute/{name}")), None)?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// Clicks it.
    pub fn click(&self) -> Result<()> {
        self.browser.call("POST", &self.path("/click"), Some(&json!({}))).map(drop)
    }

    /// Types into it.
    pub fn write(&self, text: &str) -> Result<()> {
        self.browser.call("POST", &self.path("/value"), Some(&json!({ "text": text }))).map(drop)
    }
}

/// One command: its value, or the error that WebDriver names.
fn ask(host: &Host, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let mut stream = host.connect(SocketAddr::from(DRIVER), wait::SHORT)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        DRIVER.1,
        body.len()
    )?;
    let answer = read(stream).with_context(|| format!("{method} {path}"))?;
    let answer: Value = serde_json::from_slice(&answer).context("the answer is no JSON")?;
    let value = answer.get("value").cloned().unwrap_or(Value::Null);
    if let Some(error) = value.get("error").and_then(Value::as_str) {
        bail!("{method} {path}: {error}: {}", value["message"]);
    }
    Ok(value)
}

/// The body of an answer, which says its length; the connection may stay open.
fn read(mut stream: impl Read) -> Result<Vec<u8>> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 16 << 10]);
    loop {
        let count = stream.read(&mut buffer)?;
        ensure!(count > 0, "the answer is cut short: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..count]);
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.context("no length")?.trim().parse()?;
        if answer.len() >= end + 4 + length {
            return Ok(answer[end + 4..end + 4 + length].to_vec());
        }
    }
}
