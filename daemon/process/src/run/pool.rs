//! Threads for commands. Each command has one while it runs, and whoever has finished one waits a while for the next:
//! checks and tracked scripts come again each second.

use std::collections::VecDeque;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Builder;
use std::time::Duration;

/// How long a thread without work stays, and how many of them.
const IDLE: Duration = Duration::from_secs(5);
const MOST_IDLE: usize = 16;
/// Looking up users goes through the name service's libraries, which are not sparing.
const STACK: usize = 256 * 1024;

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: VecDeque<Job>,
    /// Threads that wait for one.
    idle: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { jobs: VecDeque::new(), idle: 0 });
static WORK: Condvar = Condvar::new();

/// Does a job on a thread that does nothing else meanwhile, beginning at once.
///
/// # Errors
/// When the system gives no thread; the job is dropped then.
pub(super) fn execute(job: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let job: Job = Box::new(job);
    let mut pool = lock();
    if pool.idle > pool.jobs.len() {
        pool.jobs.push_back(job);
        drop(pool);
        WORK.notify_one();
        return Ok(());
    }
    drop(pool);
    Builder::new().name("command".into()).stack_size(STACK).spawn(move || serve(job)).map(drop)
}

fn serve(first: Job) {
    let mut job = Some(first);
    while let Some(work) = job {
        work();
        job = next();
    }
}

fn next() -> Option<Job> {
    let mut pool = lock();
    if pool.idle >= MOST_IDLE {
        return None;
    }
    pool.idle += 1;
    let waited = WORK.wait_timeout_while(pool, IDLE, |pool| pool.jobs.is_empty());
    let (mut pool, _) = waited.unwrap_or_else(PoisonError::into_inner);
    pool.idle -= 1;
    pool.jobs.pop_front()
}

fn lock() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}
