//! `keepwatch top` and `keepwatch status` as somebody at a terminal has them.

use anyhow::{Context, Result, ensure};
use integration::{
    Host, Instance, Lab, binaries, conf, conf::VIP, keepwatchd::Keepwatchd, terminal::Terminal, wait,
    web::WebServer,
};
use nix::sys::signal::Signal;

struct Scene {
    _lab: Lab,
    host: Host,
    daemon: Keepwatchd,
    web: Option<WebServer>,
}

impl Scene {
    /// A master with a real server.
    fn new(name: &str) -> Result<Self> {
        let lab = Lab::new(name)?;
        let (_lan, mut hosts) = lab.routers(1)?;
        let host = hosts.remove(0);
        let web = WebServer::start(&host, "127.0.0.1:8081".parse()?, "one")?;
        let config = Instance::new("VI_1").interval("0.3").version_3("")
            + &conf::virtual_server(&conf::real_server("127.0.0.1:8081", ""));
        let daemon = Keepwatchd::on(&host).config(config).flags(&["--dataplane", "memory"]).start()?;
        wait::until("it is master", wait::LONG, || host.has("eth0", VIP))
            .with_context(|| daemon.process().log())?;
        wait::until("all is well", wait::LONG, || daemon.ask(&["status"]).is_ok_and(|o| o.status.success()))
            .with_context(|| daemon.answer(&["status"]).unwrap_or_default())?;
        Ok(Self { _lab: lab, host, daemon, web: Some(web) })
    }

    fn top(&self, environment: &[(&str, &str)], size: (u16, u16)) -> Result<Terminal> {
        let socket = self.daemon.control_path().to_string_lossy().into_owned();
        Terminal::run(binaries::path("keepwatch")?, &["--socket", &socket, "top"], environment, size)
    }
}

#[test]
fn top_follows_what_happens_at_any_size() -> Result<()> {
    let mut scene = Scene::new("top")?;
    let mut top = scene.top(&[], (80, 24))?;
    top.wait_for("1 MASTER")?;
    top.wait_for(VIP)?;
    ensure!(top.coloured() > 0, "there are colours");
    ensure!(!top.text().contains("WHAT HAPPENED"), "a low terminal has one list: {}", top.text());
    top.press("2")?;
    top.wait_for("127.0.0.1:8081")?;
    scene.web = None;
    top.wait_for("connection refused")?;
    top.wait_for("0/1 real servers up")?;
    top.press("3")?;
    top.wait_for("Removing service [127.0.0.1]:tcp:8081")?;

    top.resize(200, 60)?;
    for text in ["Virtual routers", "127.0.0.1:8081", "Removing service", "q quit"] {
        top.wait_for(text)?;
    }
    top.press("/nothing\r")?;
    top.wait_for("filter: nothing")?;
    wait::until("nothing is left", wait::LONG, || !top.text().contains("Removing service"))?;
    top.press("\u{1b}")?;
    top.wait_for("Removing service")?;
    top.resize(80, 24)?;
    top.wait_for("Removing service")?;

    top.press("q")?;
    ensure!(top.wait(wait::LONG)?.success(), "it ends well");
    wait::until("the terminal is as it was", wait::LONG, || {
        let parser = top.screen();
        !parser.screen().alternate_screen() && !parser.screen().hide_cursor()
    })
}

#[test]
fn top_needs_no_colour_and_gives_the_terminal_back_whatever_ends_it() -> Result<()> {
    let mut scene = Scene::new("top-plain")?;
    let mut top = scene.top(&[("NO_COLOR", "1")], (80, 24))?;
    top.wait_for("1 MASTER")?;
    ensure!(top.coloured() == 0, "{} characters have a colour", top.coloured());
    top.signal(Signal::SIGTERM)?;
    ensure!(top.wait(wait::LONG)?.success(), "a signal is a way to quit");
    wait::until("the terminal is as it was", wait::LONG, || !top.screen().screen().alternate_screen())?;

    let mut top = scene.top(&[], (80, 24))?;
    top.wait_for("1 MASTER")?;
    scene.daemon.process_mut().stop(wait::LONG)?;
    ensure!(top.wait(wait::LONG)?.code() == Some(1), "the daemon has gone");
    top.wait_for("the daemon has ended")?;
    let text = scene.daemon.answer(&["top"])?;
    ensure!(text.contains("needs a terminal"), "{text}");
    Ok(())
}

#[test]
fn status_says_by_its_exit_status_whether_all_is_well_and_watches() -> Result<()> {
    let mut scene = Scene::new("status")?;
    let code = |arguments: &[&str]| anyhow::Ok(scene.daemon.ask(arguments)?.status.code());
    ensure!(code(&["status"])? == Some(0) && code(&["status", "VI_1"])? == Some(0));
    let one = scene.daemon.answer(&["status", VIP])?;
    ensure!(one.contains("VI_1") && !one.contains("keepwatchd"), "{one}");
    ensure!(code(&["status", "VI_9"])? == Some(1), "there is no such thing");

    let socket = scene.daemon.control_path().to_string_lossy().into_owned();
    let watch = ["--socket", &socket, "status", "--watch", "--json", "127.0.0.1:8081"];
    let watcher = scene.host.process("watch", binaries::path("keepwatch")?).args(watch).start()?;
    watcher.wait_for_log("\"well\":true", wait::LONG)?;
    scene.web = None;
    watcher.wait_for_log("\"well\":false", wait::LONG)?;
    let code = |arguments: &[&str]| anyhow::Ok(scene.daemon.ask(arguments)?.status.code());
    ensure!(code(&["status"])? == Some(3) && code(&["status", "127.0.0.1:8081"])? == Some(3));
    ensure!(code(&["status", "VI_1"])? == Some(0), "the virtual router is well");
    Ok(())
}
