//! Every form of advert against Debian's keepalived, in both roles: versions, families, multicast and unicast, passwords and
//! authentication headers, virtual hardware addresses, with and without preemption. What is particular to one of them is in
//! the files beside this one.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use integration::{
    Host, Instance, Pair, conf,
    keepalived::Keepalived,
    pair::{OURS, THEIRS, counted},
    wait,
};

/// What the tests look at: the virtual address of the form's family.
const VIP4: &str = "10.78.9.9";
const VIP6: &str = "fd78::9:9";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Group,
    Unicast,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Secret {
    No,
    Pass,
    Ah,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hardware {
    Own,
    Virtual,
    /// Virtual, but the adverts leave by the interface below.
    Below,
}

/// One form of advert.
#[derive(Clone, Copy, Debug)]
struct Form {
    version: u8,
    six: bool,
    way: Way,
    secret: Secret,
    hardware: Hardware,
}

const fn form(version: u8, six: bool, way: Way, secret: Secret, hardware: Hardware) -> Form {
    Form { version, six, way, secret, hardware }
}

#[rustfmt::skip]
const VERSION_2: &[Form] = &[
    form(2, false, Way::Group,   Secret::No,   Hardware::Own),
    form(2, false, Way::Group,   Secret::No,   Hardware::Virtual),
    form(2, false, Way::Group,   Secret::Pass, Hardware::Own),
    form(2, false, Way::Group,   Secret::Pass, Hardware::Virtual),
    form(2, false, Way::Group,   Secret::Ah,   Hardware::Own),
    form(2, false, Way::Group,   Secret::Ah,   Hardware::Virtual),
];

#[rustfmt::skip]
const VERSION_2_UNICAST: &[Form] = &[
    form(2, false, Way::Unicast, Secret::No,   Hardware::Own),
    form(2, false, Way::Unicast, Secret::No,   Hardware::Below),
    form(2, false, Way::Unicast, Secret::Pass, Hardware::Own),
    form(2, false, Way::Unicast, Secret::Ah,   Hardware::Own),
    form(2, false, Way::Unicast, Secret::Ah,   Hardware::Below),
];

#[rustfmt::skip]
const VERSION_3: &[Form] = &[
    form(3, false, Way::Group,   Secret::No,   Hardware::Own),
    form(3, false, Way::Group,   Secret::No,   Hardware::Virtual),
    form(3, false, Way::Group,   Secret::No,   Hardware::Below),
    form(3, false, Way::Unicast, Secret::No,   Hardware::Own),
    form(3, false, Way::Unicast, Secret::No,   Hardware::Below),
];

#[rustfmt::skip]
const VERSION_3_OVER_IPV6: &[Form] = &[
    form(3, true,  Way::Group,   Secret::No,   Hardware::Own),
    form(3, true,  Way::Group,   Secret::No,   Hardware::Virtual),
    form(3, true,  Way::Group,   Secret::No,   Hardware::Below),
    form(3, true,  Way::Unicast, Secret::No,   Hardware::Own),
    form(3, true,  Way::Unicast, Secret::No,   Hardware::Below),
];

impl Form {
    fn vip(self) -> &'static str {
        if self.six { VIP6 } else { VIP4 }
    }

    /// The file of one of the two hosts.
    fn config(self, ours: bool, priority: u8, more: &str) -> String {
        let mut instance = Instance::new("VI_1").priority(priority).line(more);
        instance = match (self.six, self.way) {
            // The first address of adverts to a group is link-local.
            (true, Way::Group) => instance.vip(&format!("fe80::9:9/64\n        {VIP6}/64")),
            (true, Way::Unicast) => instance.vip(&format!("{VIP6}/64")),
            (false, _) => instance,
        };
        if self.way == Way::Unicast {
            let (us, them) = if self.six { ("fd78::1", "fd78::2") } else { (OURS, THEIRS) };
            instance = if ours { instance.unicast(us, them) } else { instance.unicast(them, us) };
        }
        instance = match self.secret {
            Secret::No => instance,
            Secret::Pass => instance.password("1111"),
            Secret::Ah => instance.header_key("1111"),
        };
        instance = match self.hardware {
            Hardware::Own => instance,
            Hardware::Virtual => instance.line("use_vmac"),
            Hardware::Below => instance.line("use_vmac").line("vmac_xmit_base"),
        };
        if self.version == 3 {
            instance = instance.interval("0.2");
        }
        conf::global_defs(self.version, "") + &instance.to_string()
    }
}

/// Whether a host has an address, on whichever interface.
fn has(host: &Host, address: &str) -> bool {
    let all = host.run("ip", &["-o", "addr", "show"]).unwrap_or_default();
    all.contains(&format!(" {address}/"))
}

/// Everything that a daemon counts as wrong with what it heard.
fn complaints(it: &Keepalived) -> Vec<String> {
    let all = it.statistics("VI_1").unwrap_or_default();
    let wrong = all.into_iter().filter(|(name, count)| name.contains("Errors/") && *count > 0);
    wrong.map(|(name, count)| format!("{name} {count}")).collect()
}

fn in_both_roles(name: &str, form: Form) -> Result<()> {
    let pair = Pair::new(name)?;
    let vip = form.vip();
    let ours_alone = || has(&pair.ours, vip) && !has(&pair.theirs, vip);
    let theirs_alone = || has(&pair.theirs, vip) && !has(&pair.ours, vip);
    // What a daemon that was killed leaves: its addresses, and the interface that it made for them.
    let bury = |host: &Host| {
        let _ = host.run("ip", &["link", "delete", "vrrp.51"]);
        host.remove_address(vip).map(drop)
    };

    let mut it = pair.keepalived(form.config(false, 200, ""))?;
    let mut we = pair.keepwatchd(form.config(true, 100, ""))?;
    wait::until("it is master", wait::LONG, theirs_alone)?;
    wait::until("we hear it", wait::LONG, || {
        counted(&we, "keepalived_advertisements_received_total") >= 3.0
    })?;
    ensure!(theirs_alone(), "we did not stay backup: {}", we.process().log());
    it.process_mut().kill();
    bury(&pair.theirs)?;
    wait::until("it is dead, and we take over", wait::LONG, ours_alone)?;

    let mut it = pair.keepalived(form.config(false, 200, ""))?;
    wait::until("it preempts", wait::LONG, theirs_alone)?;
    it.process_mut().stop(wait::LONG)?;
    wait::until("it resigns, and we take over", wait::LONG, ours_alone)?;

    let mut it = pair.keepalived(form.config(false, 50, "nopreempt"))?;
    // Before that, the signal that asks for statistics would end it.
    it.process().wait_for_log("(VI_1) Entering BACKUP STATE", wait::LONG)?;
    wait::until("it hears us", wait::LONG, || {
        it.statistics("VI_1").is_ok_and(|all| all.get("Advertisements/Received").is_some_and(|n| *n >= 3))
    })?;
    ensure!(ours_alone(), "it did not stay backup: {}", it.process().log());
    ensure!(complaints(&it).is_empty(), "it refuses ours: {:?}", complaints(&it));
    we.process_mut().kill();
    bury(&pair.ours)?;
    wait::until("we are dead, and it takes over", wait::LONG, theirs_alone)?;

    // Without preemption the higher one waits until it is needed; with it, it does not.
    let mut we = pair.keepwatchd(form.config(true, 220, "nopreempt"))?;
    let patience = if form.version == 3 { Duration::from_secs(2) } else { Duration::from_secs(5) };
    wait::throughout("we leave it alone", patience, theirs_alone)?;
    we.process_mut().stop(wait::LONG)?;
    let mut we = pair.keepwatchd(form.config(true, 220, ""))?;
    wait::until("we preempt", wait::LONG, ours_alone)?;
    for metric in ["keepwatch_vrrp_checksum_errors_total", "keepalived_address_list_errors_total"] {
        ensure!(counted(&we, metric) == 0.0, "{metric}: {}", we.process().log());
    }
    we.process_mut().stop(wait::LONG)?;
    wait::until("we resign, and it takes over", wait::LONG, theirs_alone)?;
    it.process_mut().stop(wait::LONG)?;
    Ok(())
}

/// All at once: they wait most of the time.
fn all(name: &str, forms: &[Form]) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = forms
            .iter()
            .enumerate()
            .map(|(number, form)| {
                (form, scope.spawn(move || in_both_roles(&format!("{name}{number}"), *form)))
            })
            .collect();
        let results: Vec<Result<()>> = running
            .into_iter()
            .map(|(form, thread)| {
                let result = thread.join().unwrap_or_else(|_| Err(anyhow!("it panicked")));
                result.with_context(|| format!("{form:?}"))
            })
            .collect();
        let wrong: Vec<String> =
            results.iter().filter_map(|one| one.as_ref().err()).map(|error| format!("{error:#}")).collect();
        ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
        Ok(())
    })
}

#[test]
fn version_2() -> Result<()> {
    all("matrix-2-", VERSION_2)
}

#[test]
fn version_2_between_unicast_peers() -> Result<()> {
    all("matrix-2u-", VERSION_2_UNICAST)
}

#[test]
fn version_3() -> Result<()> {
    all("matrix-3-", VERSION_3)
}

#[test]
fn version_3_over_ipv6() -> Result<()> {
    all("matrix-6-", VERSION_3_OVER_IPV6)
}
