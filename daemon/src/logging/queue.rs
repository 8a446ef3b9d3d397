//! One bounded queue and thread per sink. In: lines, from a thread that must not wait. Out: the sink. A sink that
//! is too slow loses lines, and when it runs again it is told how many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::sink::{self, Line, Sink};
use super::{LogSettings, Severity};

/// Lines that may wait for one sink: the burst of a thousand virtual routers that change state at once, and more.
const WAITING: usize = 16_384;

struct Lane {
    /// Takes memory for lines that wait, and not, as a bounded one does, for all that may wait.
    queue: Option<Sender<Line>>,
    waiting: Arc<AtomicUsize>,
    most: usize,
    lost: u64,
    thread: Option<JoinHandle<()>>,
}

/// All sinks, each on its own thread.
pub struct Queue {
    lanes: Vec<Lane>,
}

impl Queue {
    /// Opens the sinks and starts their threads. The second value says what could not be opened.
    pub fn open(settings: &LogSettings) -> (Self, Vec<String>) {
        let (sinks, mut complaints) = sink::open(settings, true);
        let mut lanes = Vec::new();
        for sink in sinks {
            let name = sink.name();
            match Lane::start(sink, WAITING) {
                Ok(lane) => lanes.push(lane),
                Err(error) => complaints.push(format!("{name}: no thread for it: {error}")),
            }
        }
        (Self { lanes }, complaints)
    }

    /// Hands a line to every sink; never waits.
    pub fn write(&mut self, line: &Line) {
        self.lanes.iter_mut().for_each(|lane| lane.offer(line));
    }

    /// Gives the sinks until `within` from now to write what waits. A sink that does not get there is left behind.
    pub fn close(mut self, within: Duration) {
        let until = Instant::now() + within;
        for lane in &mut self.lanes {
            lane.queue = None;
        }
        for thread in self.lanes.iter_mut().filter_map(|lane| lane.thread.take()) {
            while !thread.is_finished() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

impl Lane {
    fn start(sink: Box<dyn Sink>, most: usize) -> std::io::Result<Self> {
        let (queue, lines) = mpsc::channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let name = format!("log-{}", sink.name().replace(' ', "-"));
        let taken = waiting.clone();
        let thread = std::thread::Builder::new().name(name).spawn(move || drain(sink, &lines, &taken))?;
        Ok(Self { queue: Some(queue), waiting, most, lost: 0, thread: Some(thread) })
    }

    /// Whether there was room for it.
    fn put(&self, queue: &Sender<Line>, line: Line) -> bool {
        // Only this side adds.
        if self.waiting.load(Ordering::Relaxed) >= self.most {
            return false;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        queue.send(line).is_ok()
    }

    fn offer(&mut self, line: &Line) {
        let Some(queue) = &self.queue else { return };
        if self.lost > 0 {
            let text = format!("{} log lines were lost: this sink was too slow", self.lost);
            if !self.put(queue, Line { at: line.at, severity: Severity::Warning, text, event: None }) {
                self.lost += 1;
                return;
            }
            self.lost = 0;
        }
        if !self.put(queue, line.clone()) {
            self.lost += 1;
        }
    }
}

/// Writes until the queue is closed and empty. A line that can't be written (disk full) is lost, and the
/// number of those is written before the next one that gets through.
fn drain(mut sink: Box<dyn Sink>, lines: &Receiver<Line>, waiting: &AtomicUsize) {
    let mut failed = 0u64;
    for line in lines {
        waiting.fetch_sub(1, Ordering::Relaxed);
        if failed > 0 {
            let text = format!("{failed} log lines were lost: they could not be written");
            if sink.write(&Line { at: line.at, severity: Severity::Warning, text, event: None }).is_ok() {
                failed = 0;
            }
        }
        if sink.write(&line).is_err() {
            failed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Gate {
        open: Arc<Mutex<()>>,
        seen: Arc<Mutex<Vec<String>>>,
    }

    impl Sink for Gate {
        fn name(&self) -> &'static str {
            "gate"
        }

        fn write(&mut self, line: &Line) -> io::Result<()> {
            let _open = self.open.lock().unwrap();
            self.seen.lock().unwrap().push(line.text.clone());
            Ok(())
        }
    }

    #[test]
    fn a_stuck_sink_delays_nobody_and_is_told_what_it_lost() {
        let (open, seen) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(Vec::new())));
        let gate = Gate { open: open.clone(), seen: seen.clone() };
        let mut queue = Queue { lanes: vec![Lane::start(Box::new(gate), 8).unwrap()] };
        let shut = open.lock().unwrap();
        let began = Instant::now();
        for n in 0..100_000 {
            queue.write(&Line::now(Severity::Info, format!("line {n}")));
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        drop(shut);
        while seen.lock().unwrap().len() < 8 {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(50));
        queue.write(&Line::now(Severity::Info, "after"));
        queue.close(Duration::from_secs(10));
        let seen = seen.lock().unwrap();
        assert_eq!(seen.last().map(String::as_str), Some("after"));
        let lost = |line: &String| {
            line.strip_suffix(" log lines were lost: this sink was too slow")?.parse::<usize>().ok()
        };
        let notices: Vec<usize> = seen.iter().filter_map(lost).collect();
        assert!(!notices.is_empty());
        assert_eq!(seen.len() - notices.len() + notices.iter().sum::<usize>(), 100_001);
    }
}
