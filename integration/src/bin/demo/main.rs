//! `cargo run --bin demo`: the whole of keepwatch on one machine, in half a minute.
//!
//! Two directors with two real `keepwatchd`, two web servers and a client that polls the virtual address every 10 ms,
//! each in a network namespace of its own. It plays an election, the death and return of a web server, `kill -9` of
//! the master, its return with preemption and its clean stop; prints what the directors say on their buses while it
//! happens; and at the end the measured outage of each step. Runs as root or as an ordinary user (in a user
//! namespace), and leaves nothing behind.

mod client;
mod network;
mod play;
mod stand_in;
mod story;
mod table;

use std::{
    env,
    net::TcpListener,
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
    thread,
};

use anyhow::{Context, Result, bail};
use integration::{binaries, keepwatchd::Keepwatchd, metronome::Metronome, netns};
use tokio::signal::unix::{SignalKind, signal};

use play::{INTERRUPTED, Play};
use story::Story;

const USAGE: &str = "\
usage: demo [--stay]

  --stay   keep the network running at the end until Ctrl-C, with the /metrics of director1 on
           127.0.0.1:9165, and say how to ask it what happened";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(_) if INTERRUPTED.load(Ordering::Relaxed) => {
            eprintln!("demo: interrupted; everything is taken down");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let mut stay = false;
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--stay" => stay = true,
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(ExitCode::SUCCESS);
            }
            other => bail!("{other}?\n{USAGE}"),
        }
    }
    // In the machine's own network, before the demo leaves it.
    let metrics = stay
        .then(|| {
            TcpListener::bind(Keepwatchd::METRICS)
                .with_context(|| format!("listen on {}", Keepwatchd::METRICS))
        })
        .transpose()?;
    binaries::prepare()?;
    // No thread may be there yet.
    netns::become_root_in_user_namespace()?;
    watch_for_the_end()?;

    let story = Arc::new(Story::new());
    introduce(&story);
    let metronome = Metronome::start()?;
    let mut play = Play::set_up(Arc::clone(&story), metrics)?;
    play.election()?;
    play.web_server_dies()?;
    play.web_server_returns()?;
    play.master_is_killed()?;
    play.master_returns()?;
    if !stay {
        play.master_stops()?;
    }

    story.act("Measured");
    for line in table::lines(&play.rows) {
        story.plain(&line);
    }
    let all_hold = play.rows.iter().filter_map(|row| row.outage).all(table::Outage::holds);
    let verdict = format!(
        "Outages are from the last advert of the old master to the gratuitous ARP of the new one, as a packet socket\n\
         on the LAN saw them: {} within {} ms of the RFC's time.",
        if all_hold { "all" } else { "NOT all" },
        table::TOLERANCE.as_millis()
    );
    story.plain(&story.paint(if all_hold { "32" } else { "31" }, &verdict));
    let late = metronome.worst();
    if !all_hold && late > table::TOLERANCE {
        story.plain(&format!(
            "The machine is busy: a thread of the demo that only slept was woken up to {:.1} ms late.",
            late.as_secs_f64() * 1e3
        ));
    }
    if stay {
        story.plain("\nAsk director1, from another terminal:\n");
        for subject in ["VI_1", network::WEB[0]] {
            story.plain(&format!("  {}", play.question(subject)?));
        }
        story.plain(&format!("\nIt serves http://{}/metrics, too; Ctrl-C ends it all", Keepwatchd::METRICS));
        play.stay();
    }
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn introduce(story: &Story) {
    story.plain(&story.paint("1", "keepwatch: two directors, one virtual address, two web servers"));
    story.plain(
        "\n  client .100 ──┬── director1 .1   keepwatchd, priority 150 ┐\n\
         \x20               ├── director2 .2   keepwatchd, priority 100 ┴── VIP 10.77.0.10:80\n\
         \x20               ├── web1 .21\n\
         \x20               └── web2 .22                               LAN 10.77.0.0/24\n",
    );
    let kernel = if std::path::Path::new("/proc/net/ip_vs").exists() {
        "The demo leaves this kernel's ip_vs alone"
    } else {
        "This kernel has no ip_vs"
    };
    story.plain(&format!(
        "Real: the namespaces, both keepwatchd, VRRP, ARP, the health checks, every time below.\n\
         {kernel}: keepwatchd keeps its table in memory (--dataplane memory), and\n\
         a small forwarder on each director sends the connections on by that table."
    ));
}

/// Ctrl-C, a closed terminal and kill are asked to wait until everything is taken down.
fn watch_for_the_end() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate, mut hangup) = runtime.block_on(async {
        anyhow::Ok((
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ))
    })?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}
