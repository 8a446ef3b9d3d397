//! The small network of the demo, and its directors.

use std::{
    net::TcpListener,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Instant,
};

use anyhow::Result;
use integration::{Bridge, Host, Instance, Lab, conf, follow::Follower, keepwatchd::Keepwatchd};
use keepwatch_bus::Event;

use crate::{
    stand_in::{StandIn, Table},
    story::{Story, Voice},
};

/// The virtual address.
pub(crate) const VIP: &str = "10.77.0.10";
/// The port that the virtual and the real servers have.
pub(crate) const PORT: u16 = 80;
/// `advert_int`, in seconds.
pub(crate) const ADVERT_INT: u32 = 1;
/// The real servers.
pub(crate) const WEB: [&str; 2] = ["10.77.0.21", "10.77.0.22"];

/// All machines.
pub(crate) struct Network {
    /// Everything lives as long as this.
    pub(crate) _lab: Lab,
    /// The one LAN.
    pub(crate) lan: Bridge,
    /// The machines of the directors.
    pub(crate) directors: [Host; 2],
    /// The machines of the web servers.
    pub(crate) web: [Host; 2],
    /// The client's machine.
    pub(crate) client: Host,
}

impl Network {
    /// Builds it.
    pub(crate) fn new() -> Result<Self> {
        let lab = Lab::new("demo")?;
        let lan = lab.bridge("lan")?;
        let host = |name: &str, address: &str| -> Result<Host> {
            let host = lab.host(name)?;
            host.plug("eth0", &lan)?.address("eth0", &format!("{address}/24"))?;
            Ok(host)
        };
        Ok(Self {
            directors: [host("director1", address_of(0))?, host("director2", address_of(1))?],
            web: [host("web1", WEB[0])?, host("web2", WEB[1])?],
            client: host("client", "10.77.0.100")?,
            lan,
            _lab: lab,
        })
    }
}

/// The address of director number `i`.
pub(crate) fn address_of(i: usize) -> &'static str {
    ["10.77.0.1", "10.77.0.2"][i]
}

/// The priority of director number `i`.
pub(crate) fn priority_of(i: usize) -> u8 {
    [150, 100][i]
}

/// The keepalived.conf of director number `i`.
pub(crate) fn config(i: usize) -> String {
    let instance = Instance::new("VI_1")
        .priority(priority_of(i))
        .interval(&ADVERT_INT.to_string())
        .password("demo")
        .vip(&format!("{VIP}/24"));
    let mut text = conf::global_defs_of(&format!("director{}", i + 1), 2, "");
    text += &instance.to_string();
    text += &format!(
        "virtual_server {VIP} {PORT} {{\n    delay_loop 1\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n"
    );
    for server in WEB {
        text += &format!(
            "    real_server {server} {PORT} {{\n        weight 1\n        TCP_CHECK {{\n            \
             connect_timeout 1\n            retry 1\n            delay_before_retry 1\n        }}\n    }}\n"
        );
    }
    text + "}\n"
}

/// A director at work: keepwatchd, the stand-in for IPVS, and who listens to its bus. Fields are dropped in order.
pub(crate) struct Director {
    /// The daemon.
    pub(crate) daemon: Keepwatchd,
    stand_in: Option<StandIn>,
    /// What its table says.
    pub(crate) table: Table,
    /// Every event, for who waits for one.
    pub(crate) events: Receiver<Event>,
    _follower: Follower,
}

impl Director {
    /// Starts director number `i`; `metrics` is a listening socket for its HTTP server.
    pub(crate) fn start(
        network: &Network,
        i: usize,
        story: &Arc<Story>,
        metrics: Option<&TcpListener>,
    ) -> Result<Self> {
        let host = &network.directors[i];
        let mut settings =
            Keepwatchd::on(host).config(config(i)).flags(&["--dataplane", "memory", "--no-syslog"]);
        if let Some(socket) = metrics {
            settings = settings.listen_fd(socket.try_clone()?);
        }
        let daemon = settings.start()?;
        daemon.wait_for_control()?;
        let table = Table::default();
        let (sender, events): (Sender<Event>, _) = channel();
        let (story, told) = (Arc::clone(story), table.clone());
        let voice = [Voice::Director1, Voice::Director2][i];
        let follower = Follower::start(host, &daemon, move |event| {
            told.apply(&event);
            story.tell(voice, &event);
            // Who does not wait for events has dropped the receiver.
            let _ = sender.send(event);
        })?;
        let stand_in = Some(StandIn::start(host, PORT, table.clone())?);
        Ok(Self { daemon, stand_in, table, events, _follower: follower })
    }

    /// Kills everything that runs on the director (SIGKILL): the supervisor, its worker, and what forwards. The
    /// virtual address stays on its interface, as it would. Returns when it was.
    pub(crate) fn kill(mut self) -> Instant {
        let at = self.daemon.process_mut().kill();
        self.stand_in = None;
        at
    }

    /// Stops the director as its init system would (SIGTERM).
    pub(crate) fn stop(mut self) -> Result<()> {
        self.daemon.process_mut().stop(integration::wait::SHORT)?;
        Ok(())
    }
}
