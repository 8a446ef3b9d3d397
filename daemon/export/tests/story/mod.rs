//! A world for the tests: a director with one virtual router, one sync group and one virtual server, told by facts.

use std::time::Duration;

use keepwatch_bus::counters::Counters;
use keepwatch_bus::fact::{DaemonFact, Failure, FailureReason, LinkFact, ServiceFact, VrrpFact};
use keepwatch_bus::subject::{CheckerKey, Name, RealKey, VrrpState};
use keepwatch_bus::{Bus, BusSettings, Configured, Hub, Process, Reader, sample};
use keepwatch_model::{
    Authentication, Global, Instance, InterfaceAddress, RealServer, Secret, SyncGroup, VirtualServer,
};

/// A bus with its hub running and the story told.
pub(crate) struct Story {
    pub(crate) bus: Bus,
    pub(crate) reader: Reader,
    pub(crate) instance: Name,
}

impl Story {
    /// Tells it with this name for the virtual router.
    pub(crate) async fn told(instance: &str) -> Self {
        let (bus, hub) = Hub::new(BusSettings::default()).unwrap();
        let reader = hub.reader();
        tokio::spawn(hub.run());
        let story = Self { bus, reader, instance: instance.into() };
        story.tell();
        let last = story.bus.publish(None, LinkFact::LinkUp { interface: "eth0".into(), index: 2 });
        while story.reader.history().get(last).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        story
    }

    /// The virtual router changes its state.
    pub(crate) fn changed(&self, from: VrrpState, to: VrrpState) {
        let instance = self.instance.clone();
        self.bus.publish(None, VrrpFact::StateChanged { instance, from, to, priority: 100 });
    }

    fn tell(&self) {
        let bus = &self.bus;
        let settings = Process {
            version: "0.1.0".into(),
            global: Global { router_id: "LVS_1".into(), ..Global::default() }.into(),
            config_file: "/etc/keepwatch/keepalived.conf".into(),
            dataplane: "memory".into(),
            ..Process::default()
        };
        bus.publish(None, DaemonFact::DaemonStarted { settings: Box::new(settings.clone()) });
        bus.publish(
            None,
            DaemonFact::ConfigLoaded {
                file: settings.config_file.clone(),
                settings: Box::new(settings),
                instances: 1,
                virtual_servers: 1,
                real_servers: 1,
                reload: false,
                changes: Vec::new(),
            },
        );
        bus.publish(
            None,
            VrrpFact::InstanceConfigured {
                instance: self.instance.clone(),
                settings: Configured::new(1, instance()),
            },
        );
        let group = SyncGroup { smtp_alert: true, ..sample::group(&[&self.instance]) };
        bus.publish(
            None,
            VrrpFact::GroupConfigured { group: "VG_1".into(), settings: Configured::new(1, group) },
        );
        let timeout = VrrpFact::AdvertTimedOut {
            instance: self.instance.clone(),
            master: Some([10, 0, 0, 2].into()),
            waited: Duration::from_millis(3609),
            evidence: None,
        };
        let timeout = bus.publish(None, timeout);
        bus.publish(
            Some(timeout),
            VrrpFact::StateChanged {
                instance: self.instance.clone(),
                from: VrrpState::Backup,
                to: VrrpState::Master,
                priority: 100,
            },
        );
        self.tell_of_services();
        self.count(self.reader.counters());
    }

    fn tell_of_services(&self) {
        let service =
            VirtualServer { delay_loop: Duration::from_secs(6), smtp_alert: true, ..sample::service() };
        self.bus.publish(
            None,
            ServiceFact::VirtualServerConfigured {
                service: real().service,
                settings: Configured::new(1, service),
            },
        );
        self.bus.publish(None, ServiceFact::VirtualServerAdded { service: real().service, adopted: false });
        let settings = Configured::new(1, RealServer { smtp_alert: true, ..sample::real_server() });
        self.bus.publish(
            None,
            ServiceFact::RealServerConfigured { real: real(), starts_up: true, checked: true, settings },
        );
        let failed = self.bus.publish(
            None,
            ServiceFact::CheckFailed {
                checker: checker(),
                failure: Failure::new(FailureReason::Refused, "connection refused"),
                log_always: false,
                attempt: 1,
                attempts: 1,
                took: Duration::from_millis(2),
            },
        );
        self.bus.publish(Some(failed), ServiceFact::RealServerDown { real: real() });
    }

    fn count(&self, counters: &Counters) {
        counters.vrrp.resolve(&self.instance).adverts_received.add(42);
        let times = counters.times.resolve(&self.instance);
        let now = std::time::Instant::now();
        times.heard(now, [10, 0, 0, 2].into(), 150);
        times.heard(now + Duration::from_secs(1), [10, 0, 0, 2].into(), 150);
        counters.checks.resolve(&(real().service, "TCP_CHECK".into())).observe(Duration::from_millis(2));
        let checks = counters.checkers.resolve(&checker());
        checks.failed.inc();
        checks.took_microseconds.add(2000);
        counters.services.resolve(&real().service).connections.set(7);
        counters.reals.resolve(&real()).active.set(3);
    }
}

fn real() -> RealKey {
    sample::real_key(([10, 0, 0, 100], 80), ([10, 0, 1, 1], 8080))
}

fn checker() -> CheckerKey {
    CheckerKey::new(real(), "TCP_CHECK", 0)
}

fn instance() -> Instance {
    let address = InterfaceAddress { prefix_len: 24, ..InterfaceAddress::host([10, 0, 0, 100].into()) };
    Instance {
        excluded_addresses: vec![InterfaceAddress::host(address.address)],
        addresses: vec![address],
        authentication: Authentication::Pass(Secret::new(*b"hunter22")),
        smtp_alert: true,
        group: Some("VG_1".into()),
        ..sample::instance()
    }
}
