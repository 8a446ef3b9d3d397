//! keepalived's D-Bus interface, on a real dbus-daemon with the policy that is shipped, beside Debian's keepalived.

use std::fs;

use anyhow::{Context, Result, ensure};
use integration::{
    Bridge, Host, Instance, Lab, Process, capture, conf::global_defs, dbus::SystemBus,
    keepwatchd::Keepwatchd, wait,
};
use nix::sys::signal::Signal;

const DAEMON: &str = "/org/keepalived/Vrrp1/Vrrp";
const FIRST: &str = "/org/keepalived/Vrrp1/Instance/eth0/51/IPv4";
const SECOND: &str = "/org/keepalived/Vrrp1/Instance/eth0/52/IPv4";
const GET: &str = "org.freedesktop.DBus.Properties.Get";
const INTROSPECT: &str = "org.freedesktop.DBus.Introspectable.Introspect";
const INSTANCE: &str = "string:org.keepalived.Vrrp1.Instance";
const ACQUIRED: &str = "Acquired the name org.keepalived.Vrrp1 on the system bus";

fn first() -> Instance {
    Instance::new("VI_1").interval("0.2").line("version 3")
}

fn second() -> Instance {
    Instance::new("VI_2").vrid(52).vip("10.78.9.52/32").interval("0.2").line("version 3")
}

fn config(instances: &[Instance]) -> String {
    let blocks: String = instances.iter().map(ToString::to_string).collect();
    format!("{}{blocks}", global_defs(3, "enable_dbus"))
}

fn network(name: &str) -> Result<(Bridge, Host)> {
    let (lan, mut hosts) = Lab::new(name)?.routers(1)?;
    Ok((lan, hosts.remove(0)))
}

fn start(host: &Host, bus: &SystemBus, config: String) -> Result<Keepwatchd> {
    Keepwatchd::on(host).config(config).variable("DBUS_SYSTEM_BUS_ADDRESS", &bus.address()).start()
}

/// Debian's keepalived on the same bus; both look at the same files for D-Bus, it at those of its package.
fn keepalived(host: &Host, bus: &SystemBus, config: &str) -> Result<Process> {
    let file = host.file("keepalived.conf", config)?;
    let at = |name: &str| host.directory().join(name).display().to_string();
    let pids = [format!("--pid={}", at("ka.pid")), format!("--vrrp_pid={}", at("kav.pid"))];
    let spawn =
        host.process("keepalived", "keepalived").args(["-n", "-l", "-D", "-P", "-f"]).arg(file).args(pids);
    spawn.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address()).start()
}

/// Methods, properties and signals of our interfaces, as lines `method NAME`, `property NAME TYPE ACCESS`, `signal NAME TYPE`.
fn members(xml: &str, interface: &str) -> Vec<String> {
    let begin = xml.replace('\'', "\"");
    let Some((_, rest)) = begin.split_once(&format!("<interface name=\"{interface}\">")) else {
        return Vec::new();
    };
    let body = rest.split("</interface>").next().unwrap_or_default();
    let attribute = |tag: &str, name: &str| {
        let value = tag.split_once(&format!("{name}=\"")).map(|(_, rest)| rest);
        value.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    };
    let mut found: Vec<String> = Vec::new();
    for tag in body.split('<').skip(1) {
        let kind = tag.split([' ', '>', '/']).next().unwrap_or_default();
        match kind {
            "method" | "signal" => found.push(format!("{kind} {}", attribute(tag, "name"))),
            "property" => {
                let [name, sort, access] = ["name", "type", "access"].map(|name| attribute(tag, name));
                found.push(format!("property {name} {sort} {access}"));
            }
            "arg" => {
                if let Some(last) = found.last_mut() {
                    *last = format!("{last} {}", attribute(tag, "type"));
                }
            }
            _ => {}
        }
    }
    found.sort();
    found
}

#[test]
fn the_same_objects_interfaces_and_values_as_keepalived() -> Result<()> {
    let (_lan, host) = network("dbus-same")?;
    let bus = SystemBus::start(&host)?;
    let look = || -> Result<Vec<String>> {
        let mut seen = Vec::new();
        for (path, interface) in
            [(DAEMON, "org.keepalived.Vrrp1.Vrrp"), (FIRST, "org.keepalived.Vrrp1.Instance")]
        {
            let xml = bus.call(&[path, INTROSPECT])?;
            seen.extend(members(&xml, interface).into_iter().map(|member| format!("{path} {member}")));
        }
        for property in ["string:Name", "string:State"] {
            let value = bus.call(&[FIRST, GET, INSTANCE, property])?;
            seen.extend(value.lines().skip(1).map(|line| line.trim().to_owned()));
        }
        Ok(seen)
    };
    let master = || bus.call(&[FIRST, GET, INSTANCE, "string:State"]).is_ok_and(|it| it.contains("Master"));
    let mut it = keepalived(&host, &bus, &config(&[first()]))?;
    wait::until("keepalived is master", wait::LONG, master).with_context(|| it.log())?;
    let theirs = look()?;
    it.stop(wait::LONG)?;

    let we = start(&host, &bus, config(&[first()]))?;
    wait::until("we are master", wait::LONG, master).with_context(|| we.process().log())?;
    let ours = look()?;
    // What 2.2.7 says of its own property is not what it answers: that has been a structure all the time, and 2.4.3 says so.
    let theirs: Vec<String> =
        theirs.iter().map(|line| line.replace("property Name s ", "property Name (s) ")).collect();
    assert_eq!(ours, theirs);
    ensure!(ours.iter().any(|line| line.ends_with("property State (us) read")), "{ours:#?}");
    Ok(())
}

#[test]
fn signals_come_in_order_through_start_reload_and_stop() -> Result<()> {
    let (lan, host) = network("dbus-signals")?;
    let wire = lan.capture()?;
    let bus = SystemBus::start(&host)?;
    let signals = bus.listen()?;
    let mut we = start(&host, &bus, config(&[first()]))?;
    let heard = |what: &str| signals.heard().iter().any(|signal| signal == what);
    wait::until("it is master", wait::LONG, || heard("VrrpStatusChange eth0/51/IPv4 2"))
        .with_context(|| format!("{:?}\n{}", signals.heard(), we.process().log()))?;
    let started = signals.heard();
    assert_eq!(started.first().map(String::as_str), Some("VrrpStarted"), "{started:?}");
    ensure!(heard("VrrpStatusChange eth0/51/IPv4 1"), "{started:?}");

    // Announced when somebody asks for it, and told.
    let since = capture::now();
    bus.call(&[FIRST, "org.keepalived.Vrrp1.Instance.SendGarp"])?;
    wait::until("a gratuitous ARP", wait::LONG, || {
        !wire.gratuitous_arps("10.78.9.9").iter().all(|at| *at < since)
    })?;
    we.wait_for_log("Sending garps on VI_1 on DBus request by :1.")?;

    // A reload, asked for on the bus, takes one away and adds another.
    let before = signals.heard().len();
    fs::write(we.config_path(), config(&[second()]))?;
    bus.call(&[DAEMON, "org.keepalived.Vrrp1.Vrrp.ReloadConfig"])?;
    wait::until("the other is master", wait::LONG, || heard("VrrpStatusChange eth0/52/IPv4 2"))?;
    let told = signals.heard().split_off(before);
    let place = |what: &str| told.iter().position(|signal| signal == what);
    let order = [
        place("VrrpStatusChange eth0/51/IPv4 3"),
        place("VrrpReloaded"),
        place("VrrpStatusChange eth0/52/IPv4 1"),
        place("VrrpStatusChange eth0/52/IPv4 2"),
    ];
    ensure!(order.iter().all(Option::is_some) && order.is_sorted(), "{told:?}");
    ensure!(bus.call(&[FIRST, GET, INSTANCE, "string:Name"]).is_err());
    ensure!(bus.call(&[SECOND, GET, INSTANCE, "string:Name"])?.contains("\"VI_2\""));

    // Another name on the wire's same router is the same object.
    let renamed = second().to_string().replace("VI_2", "VI_B");
    fs::write(we.config_path(), format!("{}{renamed}", config(&[])))?;
    we.process().signal(Signal::SIGHUP)?;
    wait::until("it has its new name", wait::LONG, || {
        bus.call(&[SECOND, GET, INSTANCE, "string:Name"]).is_ok_and(|it| it.contains("\"VI_B\""))
    })?;

    we.process_mut().stop(wait::LONG)?;
    let told = signals.heard();
    let end: Vec<&str> = told.iter().rev().take(2).map(String::as_str).collect();
    assert_eq!(end, ["VrrpStopped", "VrrpStatusChange eth0/52/IPv4 98"], "{told:?}");
    Ok(())
}

#[test]
fn what_is_asked_for_is_done_and_what_is_wrong_is_answered() -> Result<()> {
    let (_lan, host) = network("dbus-asked")?;
    let bus = SystemBus::start(&host)?;
    let at = |name: &str| host.directory().join(name);
    let global = format!(
        "enable_dbus\n state_dump_file {}\n stats_dump_file {}",
        at("data").display(),
        at("stats").display()
    );
    let config = format!("{}{}", global_defs(3, &global), first());
    let we = start(&host, &bus, config)?;
    wait::until("it is master", wait::LONG, || host.has("eth0", "10.78.9.9"))?;
    we.wait_for_log(ACQUIRED)?;
    let vrrp = |member: &str| bus.call(&[DAEMON, &format!("org.keepalived.Vrrp1.Vrrp.{member}")]);
    for (member, line, file) in [
        ("PrintData", "Printing VRRP data on DBus request", "data"),
        ("PrintStats", "Printing VRRP stats on DBus request", "stats"),
        ("PrintStatsClear", "Printing and clearing VRRP stats on DBus request", "stats"),
    ] {
        let _ = fs::remove_file(at(file));
        ensure!(vrrp(member)?.lines().count() == 1, "it answers with nothing: {}", vrrp(member)?);
        we.wait_for_log(line)?;
        wait::until(&format!("{member} is done"), wait::LONG, || {
            fs::read_to_string(at(file)).is_ok_and(|text| text.contains("VI_1"))
        })?;
    }
    // keepalived has no more than these; nor does its main object have properties.
    for member in ["CreateInstance", "DestroyInstance"] {
        let answer = vrrp(member);
        ensure!(answer.is_err_and(|error| error.to_string().contains("UnknownMethod")), "{member}");
    }
    let all = "org.freedesktop.DBus.Properties.GetAll";
    let none = bus.call(&[DAEMON, all, "string:org.keepalived.Vrrp1.Vrrp"])?;
    ensure!(!none.contains("dict entry"), "{none}");
    let some = bus.call(&[FIRST, all, INSTANCE])?;
    ensure!(some.contains("\"VI_1\"") && some.contains("\"Master\""), "{some}");
    // Errors have the names that our library gives them, as keepalived's have those of its own.
    for (call, error) in [
        (vec![FIRST, GET, INSTANCE, "string:X"], "UnknownProperty"),
        (
            vec![FIRST, "org.freedesktop.DBus.Properties.Set", INSTANCE, "string:Name", "variant:string:x"],
            "UnknownProperty",
        ),
        (vec!["/org/keepalived/Vrrp1/Instance/eth9/1/IPv4", GET, INSTANCE, "string:Name"], "UnknownObject"),
    ] {
        let answer = bus.call(&call);
        let said = answer.as_ref().map_or_else(ToString::to_string, Clone::clone);
        ensure!(answer.is_err() && said.contains(error), "{call:?}: {said}");
    }
    Ok(())
}

#[test]
fn who_may_do_what_and_a_bus_that_comes_back_or_late() -> Result<()> {
    let (_lan, host) = network("dbus-back")?;
    // No bus at all at first: said once, and VRRP goes on.
    let mut bus = SystemBus::start(&host)?;
    bus.process_mut().kill();
    let we = start(&host, &bus, config(&[first()]))?;
    we.wait_for_log("Lost the name org.keepalived.Vrrp1 on the system bus")?;
    wait::until("it is master all the same", wait::LONG, || host.has("eth0", "10.78.9.9"))?;
    ensure!(we.answer(&["status"])?.contains("D-Bus"), "{}", we.answer(&["status"])?);

    let mut bus = SystemBus::start(&host)?;
    we.wait_for_log(ACQUIRED)?;
    let metric = || we.metric("keepwatch_dbus_name_owned", &[]);
    wait::until("it is seen", wait::SHORT, || metric() == Some(1.0))?;

    // Others may look and not touch.
    ensure!(bus.call_as_nobody(&[FIRST, GET, INSTANCE, "string:State"])?.contains("uint32"));
    for call in [
        [DAEMON, "org.keepalived.Vrrp1.Vrrp.ReloadConfig"],
        [FIRST, "org.keepalived.Vrrp1.Instance.SendGarp"],
    ] {
        let refused = bus.call_as_nobody(&call);
        ensure!(refused.is_err_and(|error| error.to_string().contains("AccessDenied")), "{call:?}");
    }

    bus.process_mut().kill();
    wait::until("its loss is seen", wait::LONG, || metric() == Some(0.0))?;
    let _bus = SystemBus::start(&host)?;
    wait::until("it is back", wait::LONG, || we.process().log().matches(ACQUIRED).count() == 2)
        .with_context(|| we.process().log())?;
    wait::until("it is seen", wait::SHORT, || metric() == Some(1.0))?;

    // Taken off by a reload.
    fs::write(we.config_path(), format!("{}{}", global_defs(3, ""), first()))?;
    we.process().signal(Signal::SIGHUP)?;
    we.wait_for_log("Released the name org.keepalived.Vrrp1 on the system bus")
}

#[test]
fn a_name_that_is_refused_or_another_s_is_told_and_got_when_it_can_be_had() -> Result<()> {
    let (_lan, host) = network("dbus-names")?;
    let bus = SystemBus::start(&host)?;
    // The policy that is shipped gives nobody another name. Told once, however often it is tried.
    let named = |name: &str| {
        let lines = format!("enable_dbus\n dbus_service_name {name}");
        format!("{}{}", global_defs(3, &lines), first())
    };
    let we = start(&host, &bus, named("org.example.Other"))?;
    we.wait_for_log("Lost the name org.example.Other on the system bus")?;
    wait::until("it is master all the same", wait::LONG, || host.has("eth0", "10.78.9.9"))?;
    // Two tries more.
    wait::throughout("it is told once", std::time::Duration::from_secs(4), || {
        we.process().log().matches("Lost the name org.example.Other").count() == 1
    })
    .with_context(|| we.process().log())?;

    // The right one is keepalived's by now: it is waited for, and got when keepalived goes.
    let mut it = keepalived(&host, &bus, &config(&[second()]))?;
    it.wait_for_log("Acquired the name", wait::LONG)?;
    fs::write(we.config_path(), config(&[first()]))?;
    we.process().signal(Signal::SIGHUP)?;
    we.wait_for_log("another program has the name; waiting for it")?;
    ensure!(!we.process().log().contains(ACQUIRED), "{}", we.process().log());
    it.stop(wait::LONG)?;
    we.wait_for_log(ACQUIRED)?;
    ensure!(bus.call(&[FIRST, GET, INSTANCE, "string:Name"])?.contains("VI_1"));
    Ok(())
}

#[test]
fn a_bus_that_hangs_holds_up_nothing_and_is_found_again() -> Result<()> {
    let (lan, host) = network("dbus-hangs")?;
    let wire = lan.capture()?;
    let mut bus = SystemBus::start(&host)?;
    bus.process_mut().signal(Signal::SIGSTOP)?;
    let we = start(&host, &bus, config(&[first()]))?;
    we.wait_for_log("Lost the name org.keepalived.Vrrp1 on the system bus")?;
    we.wait_for_log("the bus does not answer")?;
    wait::until("it is master all the same", wait::LONG, || host.has("eth0", "10.78.9.9"))?;
    let since = capture::now();
    wait::until("a few adverts leave", wait::LONG, || wire.is_master_since("10.78.0.1", since))?;
    bus.process_mut().signal(Signal::SIGCONT)?;
    we.wait_for_log(ACQUIRED)?;
    ensure!(bus.call(&[FIRST, GET, INSTANCE, "string:State"])?.contains("uint32 2"));
    Ok(())
}
