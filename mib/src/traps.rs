//! Events as notifications (traps) of KEEPALIVED-MIB.
//!
//! Goes in: an event and the world. Comes out: the bindings of an SNMPv2 notification, snmpTrapOID.0 first, or
//! nothing where the MIB has no notification for it. As in keepalived's, the objects' names stand without the row's
//! index, so that what people have built on those goes on working.

use keepwatch_bus::fact::{ServiceFact, VrrpFact};
use keepwatch_bus::subject::{RealKey, ServiceKey, VrrpState};
use keepwatch_bus::world::{RealServer, Service};
use keepwatch_bus::{Event, Fact, World};
use snmp_agentx::{VarBind, VarBindValue, oid, value};

use crate::oids::{CHECK, GLOBAL, VRRP, below};
use crate::serve::Parts;
use crate::serve::shown::{address, address_type, protocol, service_type};

/// snmpTrapOID.0 (RFC 3418).
const SNMP_TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// vrrpTraps.
const VRRP_TRAPS: [u32; 3] = [VRRP, 10, 0];
/// checkTraps.
const CHECK_TRAPS: [u32; 3] = [CHECK, 5, 0];

/// The notification for an event, if it has one and its part is served.
pub fn notification(event: &Event, world: &World, parts: Parts) -> Option<Vec<VarBind>> {
    match &event.fact {
        Fact::Vrrp(fact) if parts.vrrp => of_vrrp(fact, world),
        Fact::Service(fact) if parts.checker => of_service(fact, world),
        Fact::Daemon(_)
        | Fact::Link(_)
        | Fact::Vrrp(_)
        | Fact::Service(_)
        | Fact::Ipvs(_)
        | Fact::Consumer(_) => None,
    }
}

fn of_vrrp(fact: &VrrpFact, world: &World) -> Option<Vec<VarBind>> {
    match fact {
        VrrpFact::StateChanged { instance, to, .. } => {
            let initial = VrrpState::from(world.instances.get(instance)?.settings.state);
            let mut trap = Trap::new(&VRRP_TRAPS, 2);
            trap.put(&[VRRP, 3, 1, 2], value::text(instance));
            trap.put(&[VRRP, 3, 1, 4], value::integer(told(*to, world)));
            trap.put(&[VRRP, 3, 1, 5], value::integer(initial.number().into()));
            Some(trap.finish(world))
        }
        VrrpFact::GroupStateChanged { group, to, .. } => {
            let mut trap = Trap::new(&VRRP_TRAPS, 1);
            trap.put(&[VRRP, 1, 1, 2], value::text(group));
            trap.put(&[VRRP, 1, 1, 3], value::integer(told(*to, world)));
            Some(trap.finish(world))
        }
        _ => None,
    }
}

fn of_service(fact: &ServiceFact, world: &World) -> Option<Vec<VarBind>> {
    match fact {
        ServiceFact::RealServerUp { real } => real_server(world, real, true),
        ServiceFact::RealServerDown { real } => real_server(world, real, false),
        ServiceFact::QuorumGained { service, .. } => quorum(world, service, true),
        ServiceFact::QuorumLost { service, .. } => quorum(world, service, false),
        _ => None,
    }
}

/// VrrpState of a notification: while the daemon stops, what is back to its beginning has shut down(5).
fn told(state: VrrpState, world: &World) -> i32 {
    match state {
        VrrpState::Init if world.stopping => 5,
        VrrpState::Init | VrrpState::Backup | VrrpState::Master | VrrpState::Fault => state.number().into(),
    }
}

/// realServerStateChange.
fn real_server(world: &World, key: &RealKey, up: bool) -> Option<Vec<VarBind>> {
    let service = world.services.get(&key.service)?;
    let RealServer { address: real, .. } = service.reals.get(&key.real)?;
    let mut trap = Trap::new(&CHECK_TRAPS, 1);
    trap.put(&[CHECK, 4, 1, 3], address_type(&real.ip()));
    trap.put(&[CHECK, 4, 1, 4], address(&real.ip()));
    trap.put(&[CHECK, 4, 1, 5], value::unsigned(real.port().into()));
    trap.put(&[CHECK, 4, 1, 6], value::integer(if up { 1 } else { 2 }));
    trap.put_service(service);
    trap.put_reals(service);
    Some(trap.finish(world))
}

/// virtualServerQuorumStateChange.
fn quorum(world: &World, key: &ServiceKey, met: bool) -> Option<Vec<VarBind>> {
    let service = world.services.get(key)?;
    let mut trap = Trap::new(&CHECK_TRAPS, 2);
    trap.put_service(service);
    trap.put(&[CHECK, 3, 1, 23], value::integer(if met { 1 } else { 2 }));
    trap.put(&[CHECK, 3, 1, 22], value::unsigned(service.settings.quorum));
    trap.put_reals(service);
    Some(trap.finish(world))
}

struct Trap(Vec<VarBind>);

impl Trap {
    fn new(family: &[u32], number: u32) -> Self {
        let which = below(&[family, &[number]].concat());
        Self(vec![VarBind { name: oid(&SNMP_TRAP_OID), value: value::object(oid(&which)) }])
    }

    fn put(&mut self, object: &[u32], value: VarBindValue) {
        self.0.push(VarBind { name: oid(&below(object)), value });
    }

    fn put_service(&mut self, service: &Service) {
        self.put(&[CHECK, 3, 1, 2], value::integer(service_type(service)));
        match (service.settings.group(), &service.key) {
            (Some(group), _) => self.put(&[CHECK, 3, 1, 3], value::text(group)),
            (None, ServiceKey::Fwmark { fwmark, .. }) => {
                self.put(&[CHECK, 3, 1, 4], value::unsigned(*fwmark));
            }
            (None, ServiceKey::Address { address: ip, port, .. }) => {
                self.put(&[CHECK, 3, 1, 5], address_type(ip));
                self.put(&[CHECK, 3, 1, 6], address(ip));
                self.put(&[CHECK, 3, 1, 7], value::unsigned((*port).into()));
            }
        }
        self.put(&[CHECK, 3, 1, 8], value::integer(protocol(service.key.protocol())));
    }

    fn put_reals(&mut self, service: &Service) {
        let count = |number: usize| value::unsigned(u32::try_from(number).unwrap_or(u32::MAX));
        self.put(&[CHECK, 3, 1, 21], count(service.reals_up()));
        self.put(&[CHECK, 3, 1, 20], count(service.reals.len()));
    }

    fn finish(mut self, world: &World) -> Vec<VarBind> {
        self.put(&[GLOBAL, 2, 0], value::text(&world.settings.global.router_id));
        self.0
    }
}
