//! `keepwatch top`: virtual routers, servers and events on a terminal, as they are now. In: a [`Mirror`] of the daemon's
//! world, keys, the terminal's size. Out: the screen, of which only what differs is written. The terminal is given back
//! as it was, however this ends.

use std::collections::VecDeque;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use keepwatch_bus::Event;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{cursor, execute, terminal as screen};

use super::follow::{Mirror, News};
use super::{Asking, PATIENCE};
use crate::control::client;
use crate::control::protocol::{Answer, Question};
use crate::{paths, terminal};
use view::{Pane, View};

mod draw;
mod rows;
mod view;

/// From one picture to the next at least, where something happens.
const PACE: Duration = Duration::from_millis(250);
/// The same where only time passes.
const TICK: Duration = Duration::from_secs(1);
/// How long a signal or the end of the daemon may go unnoticed.
const GLANCE: Duration = Duration::from_millis(100);
/// Events that are held.
const EVENTS: usize = 500;

/// Shows it until somebody quits.
pub(super) fn run(asking: Asking) -> Result<ExitCode> {
    if asking.json {
        bail!("`top` is for people: `keepwatch status --watch --json` says the same to programs");
    }
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        bail!("`top` needs a terminal: `keepwatch status --watch` does not");
    }
    let socket = asking.socket.unwrap_or_else(|| paths::control_socket(None));
    // Before there are threads, so that no other one gets them.
    let signals = signals()?;
    let mut mirror = Mirror::new(&socket)?;
    let mut events: VecDeque<Arc<Event>> = VecDeque::new();
    let mut past =
        client::ask(&socket, &Question::Events { last: Some(EVENTS), follow: false }, Some(PATIENCE))?;
    while let Some(answer) = past.one_more()? {
        if let Answer::Event { event, .. } = answer {
            events.push_back(event);
        }
    }
    let view = View::new(terminal::has_colours(&io::stdout()));
    let held = Held::take()?;
    let ended = Top { mirror: &mut mirror, events, view, signals }.show();
    drop(held);
    ended
}

/// What ends a program is read like a key, so that the terminal is given back first.
fn signals() -> Result<SignalFd> {
    let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    set.thread_block().context("block signals")?;
    SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC).context("read signals")
}

/// The terminal while it is ours.
struct Held;

impl Held {
    fn take() -> Result<Self> {
        screen::enable_raw_mode().context("the terminal")?;
        let held = Self;
        execute!(io::stdout(), screen::EnterAlternateScreen, cursor::Hide).context("the terminal")?;
        Ok(held)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have been closed.
        let _ = execute!(io::stdout(), cursor::Show, screen::LeaveAlternateScreen);
        let _ = screen::disable_raw_mode();
    }
}

struct Top<'a> {
    mirror: &'a mut Mirror,
    /// Oldest first.
    events: VecDeque<Arc<Event>>,
    view: View,
    signals: SignalFd,
}

impl Top<'_> {
    fn show(mut self) -> Result<ExitCode> {
        let mut terminal = Terminal::new(CrosstermBackend::new(io::stdout())).context("the terminal")?;
        let (mut drawn, mut changed) = (None::<Instant>, true);
        loop {
            changed |= self.news()?;
            let pause = if changed { PACE } else { TICK };
            if drawn.is_none_or(|at| at.elapsed() >= pause) {
                let now = self.mirror.now();
                let (world, events, view) = (&self.mirror.world, &self.events, &mut self.view);
                terminal.draw(|frame| draw::draw(frame, view, world, events, now)).context("the terminal")?;
                (drawn, changed) = (Some(Instant::now()), false);
            }
            let left = drawn.map_or(Duration::ZERO, |at| pause.saturating_sub(at.elapsed()));
            if event::poll(left.min(GLANCE)).context("the terminal")? {
                match event::read().context("the terminal")? {
                    event::Event::Key(key) if key.kind != KeyEventKind::Release => {
                        if self.key(key) {
                            return Ok(ExitCode::SUCCESS);
                        }
                        drawn = None;
                    }
                    event::Event::Resize(..) => drawn = None,
                    _ => {}
                }
            }
            if self.signals.read_signal().context("read signals")?.is_some() {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }

    /// Takes what happened; says whether anything did.
    fn news(&mut self) -> Result<bool> {
        let mut any = false;
        // Bounded, so that a storm of events does not keep keys waiting.
        for _ in 0..10_000 {
            match self.mirror.next(Duration::ZERO)? {
                News::Nothing => break,
                News::Ended => bail!("the daemon has ended"),
                News::Event(event) => {
                    any = true;
                    let Some(event) = event else { continue };
                    if self.events.iter().rev().take(64).any(|known| known.id == event.id) {
                        continue;
                    }
                    if self.events.len() == EVENTS {
                        self.events.pop_front();
                    }
                    self.events.push_back(event);
                }
            }
        }
        Ok(any)
    }

    /// Does what a key asks for; true to quit.
    fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let view = &mut self.view;
        match key.code {
            KeyCode::Char('c' | 'd') if control => return true,
            code if view.typing => view.write(code),
            KeyCode::Char('q') => return true,
            KeyCode::Esc if view.filter.is_empty() => return true,
            KeyCode::Esc => view.filter.clear(),
            KeyCode::Char('/') => view.typing = true,
            KeyCode::Char('t') => view.trouble_only = !view.trouble_only,
            KeyCode::Char('1') => view.pane = Pane::Routers,
            KeyCode::Char('2') => view.pane = Pane::Servers,
            KeyCode::Char('3') => view.pane = Pane::Events,
            KeyCode::Tab | KeyCode::Right => view.pane = view.pane.next(),
            KeyCode::BackTab | KeyCode::Left => view.pane = view.pane.next().next(),
            KeyCode::Down | KeyCode::Char('j') => view.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => view.scroll(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => view.scroll(view.page()),
            KeyCode::PageUp => view.scroll(-view.page()),
            KeyCode::Home | KeyCode::Char('g') => view.scroll(isize::MIN),
            KeyCode::End | KeyCode::Char('G') => view.scroll(isize::MAX),
            _ => {}
        }
        false
    }
}
