//! Events as notifications (traps) of KEEPALIVED-MIB.
//!
//! Goes in: an event and the world. Comes out: the bindings of an SNMPv2 notification, snmpTrapOID.0 first, or
//! nothing where the MIB has no notification for it. As in keepalived's, the objects' names stand without the row's
//! index, so that what people have built on those goes on working.

use keepwatch_bus::fact::{ServiceFact, VrrpFact};
use keepwatch_bus::subject::{RealKey, ServiceKey, VrrpState};
use keepwatch_bus::{Event, Fact};
use snmp_agentx::{Column, Rows, Table, VarBind, oid, value};

use crate::cells::{Cell, integer, text, truth};
use crate::keepalived::{Parts, ROOT, told};
use crate::source::View;

/// snmpTrapOID.0 (RFC 3418).
const SNMP_TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// vrrpTraps.
const VRRP_TRAPS: [u32; 3] = [2, 10, 0];
/// checkTraps.
const CHECK_TRAPS: [u32; 3] = [3, 5, 0];

/// The notification for an event, if it has one and its part is served.
pub fn notification(event: &Event, view: View<'_>, parts: Parts) -> Option<Vec<VarBind>> {
    match &event.fact {
        Fact::Vrrp(fact) if parts.vrrp => of_vrrp(fact, view),
        Fact::Service(fact) if parts.checker => of_service(fact, view),
        Fact::Daemon(_)
        | Fact::Link(_)
        | Fact::Vrrp(_)
        | Fact::Track(_)
        | Fact::Service(_)
        | Fact::Ipvs(_)
        | Fact::Consumer(_)
        | Fact::Routing(_) => None,
    }
}

fn of_vrrp(fact: &VrrpFact, view: View<'_>) -> Option<Vec<VarBind>> {
    match fact {
        VrrpFact::StateChanged { instance, to, .. } => {
            let row = told::InstanceRow { world: view.world, instance: view.world.instances.get(instance)? };
            let mut trap = Trap::new(&VRRP_TRAPS, 2);
            trap.cell(&told::INSTANCES, &told::NAME, &row);
            trap.put(&told::INSTANCES, &told::STATE, state(*to, view));
            trap.cell(&told::INSTANCES, &told::INITIAL_STATE, &row);
            Some(trap.finish(view))
        }
        VrrpFact::GroupStateChanged { group, to, .. } => {
            let mut trap = Trap::new(&VRRP_TRAPS, 1);
            trap.put(&told::GROUPS, &told::GROUP_NAME, text(group));
            trap.put(&told::GROUPS, &told::GROUP_STATE, state(*to, view));
            Some(trap.finish(view))
        }
        _ => None,
    }
}

fn of_service(fact: &ServiceFact, view: View<'_>) -> Option<Vec<VarBind>> {
    match fact {
        ServiceFact::RealServerUp { real } => real_server(view, real, true),
        ServiceFact::RealServerDown { real } => real_server(view, real, false),
        ServiceFact::QuorumGained { service, .. } => quorum(view, service, true),
        ServiceFact::QuorumLost { service, .. } => quorum(view, service, false),
        _ => None,
    }
}

/// VrrpState of a notification: while the daemon stops, what is back to its beginning has shut down(5).
fn state(state: VrrpState, view: View<'_>) -> Cell {
    match state {
        VrrpState::Init if view.world.stopping => integer(5),
        VrrpState::Init | VrrpState::Backup | VrrpState::Master | VrrpState::Fault => integer(state.number()),
    }
}

/// realServerStateChange.
fn real_server(view: View<'_>, key: &RealKey, up: bool) -> Option<Vec<VarBind>> {
    let service = told::ServiceRow { view, service: view.world.services.get(&key.service)? };
    let real = service.service.reals.get(&key.real)?;
    let row = told::RealRow { view, service: service.service, address: real.address, server: Some(real) };
    let mut trap = Trap::new(&CHECK_TRAPS, 1);
    for column in [&told::REAL_ADDRESS_TYPE, &told::REAL_ADDRESS, &told::REAL_PORT] {
        trap.cell(&told::REALS, column, &row);
    }
    trap.put(&told::REALS, &told::REAL_STATUS, truth(up));
    trap.service(&service);
    trap.reals(&service);
    Some(trap.finish(view))
}

/// virtualServerQuorumStateChange.
fn quorum(view: View<'_>, key: &ServiceKey, met: bool) -> Option<Vec<VarBind>> {
    let service = told::ServiceRow { view, service: view.world.services.get(key)? };
    let mut trap = Trap::new(&CHECK_TRAPS, 2);
    trap.service(&service);
    trap.put(&told::SERVICES, &told::QUORUM_STATUS, truth(met));
    trap.cell(&told::SERVICES, &told::QUORUM, &service);
    trap.reals(&service);
    Some(trap.finish(view))
}

struct Trap(Vec<VarBind>);

impl Trap {
    fn new(family: &[u32], number: u32) -> Self {
        let which = oid(&[&ROOT, family, &[number]].concat());
        Self(vec![VarBind { name: oid(&SNMP_TRAP_OID), value: value::object(which) }])
    }

    /// A column as the row has it, if it does.
    fn cell<R: Rows>(&mut self, table: &Table<R>, column: &Column<R>, row: &R::Row<'_>) {
        self.put(table, column, (column.get)(row));
    }

    /// A column as the event has it.
    fn put<R: Rows>(&mut self, table: &Table<R>, column: &Column<R>, cell: Cell) {
        let name = oid(&[&ROOT, table.entry, &[column.number]].concat());
        self.0.extend(cell.map(|value| VarBind { name, value }));
    }

    fn service(&mut self, row: &told::ServiceRow<'_>) {
        let mut columns = vec![&told::KIND, &told::GROUP, &told::MARK];
        // Only of an address: a group has many, a mark has none.
        if told::service_type(row.service) == 2 {
            columns.extend([&told::ADDRESS_TYPE, &told::ADDRESS, &told::PORT]);
        }
        for column in columns {
            self.cell(&told::SERVICES, column, row);
        }
        // Where the table has none, keepalived's notifications have one all the same.
        self.put(&told::SERVICES, &told::PROTOCOL, told::protocol(row.service.key.protocol()));
    }

    fn reals(&mut self, row: &told::ServiceRow<'_>) {
        self.cell(&told::SERVICES, &told::REALS_UP, row);
        self.cell(&told::SERVICES, &told::REALS_TOTAL, row);
    }

    fn finish(mut self, view: View<'_>) -> Vec<VarBind> {
        let router_id = (told::ROUTER_ID.get)(view);
        let name = oid(&[&ROOT, told::GLOBAL.parent, &[told::ROUTER_ID.number, 0]].concat());
        self.0.extend(router_id.map(|value| VarBind { name, value }));
        self.0
    }
}
