//! What `keepwatch top` costs beside a large house, on a terminal of its own, while things change and somebody scrolls.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::Result;
use integration::{binaries, process::tree, terminal::Terminal};

use crate::house::{House, While, ms};

/// Key presses a second.
const KEYS: u32 = 2;

/// Measures and prints it.
pub(crate) fn measure(instances: u32, span: Duration) -> Result<()> {
    let mut house = House::new("top", instances)?;
    println!("`keepwatch top` beside {instances} virtual routers and {} real servers", House::SERVERS);
    let alone = while_it_changes(&mut house, span, || Ok(()))?;
    let socket = house.daemon.control_path().to_string_lossy().into_owned();
    for size in [(80, 24), (200, 60)] {
        let began = Instant::now();
        let mut top = Terminal::run(binaries::path("keepwatch")?, &["--socket", &socket, "top"], &[], size)?;
        top.wait_for(&format!("{instances} MASTER"))?;
        let first = began.elapsed();
        sleep(Duration::from_secs(2));
        let before = tree::cost(top.pid()).cpu;
        let mut keys = "jjjk".chars().cycle().map(String::from);
        let watched =
            while_it_changes(&mut house, span, || keys.next().map_or(Ok(()), |key| top.press(&key)))?;
        let used = tree::cost(top.pid()).cpu.saturating_sub(before);
        let percent = |time: Duration| 100.0 * time.as_secs_f64() / watched.passed.as_secs_f64();
        println!(
            "  {}x{}: the first picture after {:.0} ms; a real server changes every second and {KEYS} keys a second are \
             pressed: {:.2} % of a core, and {:.2} % more of the daemon's",
            size.0,
            size.1,
            ms(first),
            percent(used),
            (watched.percent() - alone.percent()).max(0.0),
        );
    }
    println!();
    Ok(())
}

/// What the daemon needs while a real server goes and comes every second and `press` is done now and then.
fn while_it_changes(
    house: &mut House,
    span: Duration,
    mut press: impl FnMut() -> Result<()>,
) -> Result<While> {
    house.watch(span, |house| {
        house.toggle()?;
        for _ in 0..KEYS {
            press()?;
            sleep(Duration::from_secs(1) / KEYS);
        }
        Ok(())
    })
}
