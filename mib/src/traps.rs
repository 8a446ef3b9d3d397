//! Events as notifications (traps) of the MIBs.
//!
//! Goes in: an event and the world. Comes out: the bindings of SNMPv2 notifications, snmpTrapOID.0 first and the event's
//! time and number last, or nothing where no MIB has a notification for it. As in keepalived's, the names of KEEPALIVED-MIB's
//! objects stand without the row's index, so that what people have built on those goes on working.

mod servers;

use std::collections::HashMap;
use std::net::IpAddr;

use keepwatch_bus::fact::{AdvertError, DaemonFact, ServiceFact, VrrpFact};
use keepwatch_bus::subject::{Protocol, ServiceKey, VrrpState};
use keepwatch_bus::world::Instance;
use keepwatch_bus::{Event, Fact, World};
use keepwatch_model::VirtualServerKey;
use snmp_agentx::{Column, Rows, Table, VarBind, oid, value};

use crate::cells::{Cell, integer, text, unsigned};
use crate::keepalived::{Parts, ROOT, told};
use crate::rfc::{self, v2, v3};
use crate::source::View;

/// snmpTrapOID.0 (RFC 3418).
const SNMP_TRAP_OID: [u32; 11] = [1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0];
/// vrrpTraps.
const VRRP_TRAPS: [u32; 3] = [2, 10, 0];
/// checkTraps.
const CHECK_TRAPS: [u32; 3] = [3, 5, 0];

/// keepwatchEventTime.0 and keepwatchEventId.0 of KEEPWATCH-MIB, below `keepalived`: the event that a notification tells of.
const EVENT_TIME: [u32; 4] = [100, 1, 2, 0];
const EVENT_ID: [u32; 4] = [100, 1, 1, 0];

/// What the events have told so far of virtual routers and virtual servers. The world that all read may be ahead of the
/// event that is told, and knows no more of what a reload has taken away.
#[derive(Debug, Default)]
pub struct Known {
    world: World,
    /// Of the entries of a virtual server group the first one told, which stands for all of them.
    groups: HashMap<VirtualServerKey, ServiceKey>,
    /// How many real servers of each virtual server are up, where any is: counted along, for thousands may go down one by one.
    up: HashMap<ServiceKey, usize>,
}

impl Known {
    /// What this world knows of these parts.
    pub fn of(world: &World, parts: Parts) -> Self {
        let services = if parts.checker { world.services.clone() } else { Default::default() };
        let mut groups = HashMap::new();
        for service in services.values().filter(|service| service.settings.group().is_some()) {
            groups.entry(service.settings.key.clone()).or_insert(service.key);
        }
        let up = services.values().map(|service| (service.key, service.reals_up())).collect();
        let (instances, stopping) = (world.instances.clone(), world.stopping);
        Self { world: World { services, instances, stopping, ..World::default() }, groups, up }
    }

    /// The notifications for an event, in the order in which they are to be sent: of the parts that are served. To be called
    /// for each event that is of [`concern`], in order.
    pub fn notifications(&mut self, event: &Event, view: View<'_>, parts: Parts) -> Vec<Vec<VarBind>> {
        let mut all = match &event.fact {
            Fact::Service(fact) if parts.checker => self.of_service(event, fact, view),
            Fact::Service(_) => Vec::new(),
            fact => {
                self.world.apply(event);
                match fact {
                    Fact::Vrrp(fact) => of_vrrp(fact, view, parts, &self.world),
                    _ => Vec::new(),
                }
            }
        };
        for binds in &mut all {
            // As text: a Counter64 would keep the whole notification from managers of SNMPv1, and DateAndTime has but
            // tenths of a second.
            for (name, text) in [(EVENT_TIME, event.at.to_string()), (EVENT_ID, event.id.0.to_string())] {
                let name = oid(&[ROOT.as_slice(), &name].concat());
                binds.push(VarBind { name, value: value::text(&text) });
            }
        }
        all
    }
}

fn initial(settings: &keepwatch_model::Instance) -> VrrpState {
    VrrpState::from(settings.state)
}

/// Whether notifications follow from it, or it is to be known for them.
pub fn concern(fact: &Fact) -> bool {
    matches!(
        fact,
        Fact::Vrrp(
            VrrpFact::StateChanged { .. }
                | VrrpFact::GroupStateChanged { .. }
                | VrrpFact::AdvertRejected { .. }
                | VrrpFact::InstanceConfigured { .. }
                | VrrpFact::InstanceUnconfigured { .. }
                | VrrpFact::InstanceRenamed { .. }
        ) | Fact::Daemon(DaemonFact::DaemonStopping { .. })
            | Fact::Service(
                ServiceFact::VirtualServerConfigured { .. }
                    | ServiceFact::VirtualServerUnconfigured { .. }
                    | ServiceFact::RealServerConfigured { .. }
                    | ServiceFact::RealServerUnconfigured { .. }
                    | ServiceFact::RealServerUp { .. }
                    | ServiceFact::RealServerDown { .. }
                    | ServiceFact::QuorumGained { .. }
                    | ServiceFact::QuorumLost { .. }
                    | ServiceFact::QuorumAwaited { .. }
                    | ServiceFact::VirtualServerRemoved { .. }
            )
    )
}

fn of_vrrp(fact: &VrrpFact, view: View<'_>, parts: Parts, known: &World) -> Vec<Vec<VarBind>> {
    match fact {
        VrrpFact::StateChanged { instance, to, .. } => {
            let found = view.world.instances.get(instance);
            let begins = known.instances.get(instance).or(found).map(|found| initial(&found.settings));
            let mut all = Vec::new();
            if let Some(begins) = begins.filter(|_| parts.vrrp) {
                let mut trap = Trap::new(&ROOT, &VRRP_TRAPS, 2);
                trap.put(&told::INSTANCES, &told::NAME, text(instance));
                trap.put(&told::INSTANCES, &told::STATE, state(*to, known));
                trap.put(&told::INSTANCES, &told::INITIAL_STATE, integer(begins.number()));
                all.push(trap.finish(view));
            }
            if let Some(found) = found.filter(|_| *to == VrrpState::Master) {
                all.extend(new_master(view, found, parts));
            }
            all
        }
        VrrpFact::GroupStateChanged { group, to, .. } if parts.vrrp => {
            let mut trap = Trap::new(&ROOT, &VRRP_TRAPS, 1);
            trap.put(&told::GROUPS, &told::GROUP_NAME, text(group));
            trap.put(&told::GROUPS, &told::GROUP_STATE, state(*to, known));
            vec![trap.finish(view)]
        }
        VrrpFact::AdvertRejected { instance, address, error, .. } => {
            let found = view.world.instances.get(instance);
            found.and_then(|found| refused(view, found, *address, *error, parts)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// vrrpTrapNewMaster and vrrpv3NewMaster.
fn new_master(view: View<'_>, instance: &Instance, parts: Parts) -> Vec<Vec<VarBind>> {
    let row = rfc::Row { view, instance };
    let mut all = Vec::new();
    if let Some(index) = view.order.v2.index_of(&instance.name).filter(|_| parts.rfc_v2) {
        let mut trap = Trap::new(&v2::ROOT, &[0], 1);
        trap.instance(&v2::ROOT, &v2::OPER, &v2::MASTER, &index, (v2::MASTER.get)(&row));
        all.push(trap.0);
    }
    if let Some(index) = view.order.v3.index_of(&instance.name).filter(|_| parts.rfc_v3) {
        let mut trap = Trap::new(&v3::ROOT, &[0], 1);
        trap.instance(&v3::ROOT, &v3::OPERATIONS, &v3::MASTER, &index, (v3::MASTER.get)(&row));
        trap.instance(&v3::ROOT, &v3::STATISTICS, &v3::REASON, &index, (v3::REASON.get)(&row));
        all.push(trap.0);
    }
    all
}

/// vrrpTrapAuthFailure or vrrpv3ProtoError. The facts that they follow are bounded: one for the first packet of a kind,
/// and then one in ten seconds.
fn refused(
    view: View<'_>,
    instance: &Instance,
    from: IpAddr,
    error: AdvertError,
    parts: Parts,
) -> Option<Vec<VarBind>> {
    let unauthentic = match error {
        AdvertError::AuthTypeInvalid => Some(1),
        AdvertError::AuthTypeMismatch => Some(2),
        AdvertError::AuthFailure => Some(3),
        _ => None,
    };
    if let (Some(kind), IpAddr::V4(from), true) = (unauthentic, from, parts.rfc_v2) {
        let index = view.order.v2.index_of(&instance.name)?;
        let mut trap = Trap::new(&v2::ROOT, &[0], 2);
        // vrrpTrapPacketSrc and vrrpTrapAuthErrorType.
        trap.named(&[v2::ROOT.as_slice(), &[1, 5], &index].concat(), Some(value::address(from)));
        trap.named(&[v2::ROOT.as_slice(), &[1, 6], &index].concat(), integer(kind));
        return Some(trap.0);
    }
    let number = v3::protocol_error(error).filter(|_| parts.rfc_v3)?;
    let index = view.order.v3.index_of(&instance.name)?;
    let mut trap = Trap::new(&v3::ROOT, &[0], 2);
    trap.instance(&v3::ROOT, &v3::STATISTICS, &v3::ERROR, &index, integer(number));
    Some(trap.0)
}

/// VrrpState of a notification. What is back to its beginning has shut down(5) while the daemon stops; otherwise a reload
/// takes it away, which keepalived calls fault(3).
fn state(state: VrrpState, known: &World) -> Cell {
    match state {
        VrrpState::Init if known.stopping => integer(5),
        VrrpState::Init => integer(VrrpState::Fault.number()),
        VrrpState::Backup | VrrpState::Master | VrrpState::Fault => integer(state.number()),
    }
}

struct Trap(Vec<VarBind>);

impl Trap {
    fn new(root: &[u32], family: &[u32], number: u32) -> Self {
        let which = oid(&[root, family, &[number]].concat());
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

    /// A column of one row, with its index.
    fn instance<R: Rows>(
        &mut self,
        root: &[u32],
        table: &Table<R>,
        column: &Column<R>,
        index: &[u32],
        cell: Cell,
    ) {
        self.named(&[root, table.entry, &[column.number], index].concat(), cell);
    }

    fn named(&mut self, name: &[u32], cell: Cell) {
        self.0.extend(cell.map(|value| VarBind { name: oid(name), value }));
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
        // A mark has no protocol, and none in the table; keepalived's notifications have this one all the same.
        let protocol = match told::service_type(row.service) {
            1 => Protocol::Udp,
            _ => told::protocol_of(row.service),
        };
        self.put(&told::SERVICES, &told::PROTOCOL, told::protocol(protocol));
    }

    fn reals(&mut self, row: &told::ServiceRow<'_>, up: usize) {
        self.put(&told::SERVICES, &told::REALS_UP, unsigned(up));
        self.cell(&told::SERVICES, &told::REALS_TOTAL, row);
    }

    fn finish(mut self, view: View<'_>) -> Vec<VarBind> {
        let router_id = (told::ROUTER_ID.get)(view);
        let name = oid(&[&ROOT, told::GLOBAL.parent, &[told::ROUTER_ID.number, 0]].concat());
        self.0.extend(router_id.map(|value| VarBind { name, value }));
        self.0
    }
}

#[cfg(test)]
mod tests;
