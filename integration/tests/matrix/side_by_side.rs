//! Rows of a table, many at the same time: most of the time each only waits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, ensure};

/// Rows that run at the same time. They are processes that wait for each other, so more than there are processors.
const AT_A_TIME: usize = 10;

/// One row: what it is called, and what it does.
pub(crate) type Row = (String, Box<dyn Fn() -> Result<()> + Send + Sync>);

/// Runs all of them; the failures of all that failed are told together. `KEEPWATCH_ROW` in the environment picks those that
/// have it in their names.
pub(crate) fn run(rows: &[Row]) -> Result<()> {
    let only = std::env::var("KEEPWATCH_ROW").unwrap_or_default();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some((name, row)) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !name.contains(&only) {
                continue;
            }
            let began = std::time::Instant::now();
            let done = row();
            println!(
                "{:5.1} s  {name}{}",
                began.elapsed().as_secs_f64(),
                if done.is_ok() { "" } else { "  FAILED" }
            );
            if let (Err(error), Ok(mut failures)) = (done, failures.lock()) {
                failures.push(format!("{name}: {error:#}"));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    ensure!(failures.is_empty(), "{} of {} rows:\n\n{}", failures.len(), rows.len(), failures.join("\n\n"));
    Ok(())
}
