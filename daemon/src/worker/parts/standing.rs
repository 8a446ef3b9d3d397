//! What the daemon is about, in a line for the service manager (`systemctl status`). In: that something changed. Out: the
//! line, when it is another one.

use keepwatch_bus::fact::VrrpFact;
use keepwatch_bus::subject::VrrpState;
use keepwatch_bus::{Deliveries, Fact, Reader, World};

use crate::supervisor::line::Report;
use crate::worker::pulse::ToSupervisor;

/// Tells it, until the hub ends; only where somebody reads it.
pub(in crate::worker) async fn run(mut events: Deliveries, reader: Reader, supervisor: ToSupervisor) {
    let mut told = String::new();
    while events.recv().await.is_some() {
        // Many virtual routers that change together are one line.
        while events.try_recv().is_ok() {}
        let text = line(&reader.world());
        if text != told {
            supervisor.say(Report::Status(text.clone()));
            told = text;
        }
    }
}

/// Whether the line may be another after this.
pub(in crate::worker) fn concerns(fact: &Fact) -> bool {
    matches!(fact, Fact::Daemon(_) | Fact::Service(_))
        || matches!(fact, Fact::Vrrp(VrrpFact::StateChanged { .. } | VrrpFact::InstanceConfigured { .. }))
}

fn line(world: &World) -> String {
    if world.stopping {
        return "Stopping".into();
    }
    let of = |state| world.instances.values().filter(|instance| instance.state == state).count();
    let states: Vec<String> = [VrrpState::Master, VrrpState::Backup, VrrpState::Fault, VrrpState::Init]
        .into_iter()
        .filter_map(|state| Some((state, of(state))).filter(|(_, count)| *count > 0))
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    let routers = match states.as_slice() {
        [] => "none".into(),
        states => states.join(", "),
    };
    format!("Virtual routers: {routers}. Virtual servers: {}.", world.services.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_anything_it_says_so() {
        assert_eq!(line(&World::default()), "Virtual routers: none. Virtual servers: 0.");
        assert_eq!(line(&World { stopping: true, ..World::default() }), "Stopping");
    }
}
