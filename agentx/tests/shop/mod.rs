//! A shop that is served, and what it and a master say to each other: as it is recorded, and as it is read again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use snmp_agentx::{Bytes, ErrorStatus, ObjectIdentifier, Settings, Subtree, Tree, VarBindValue, oid, value};

/// Where it is served: netSnmpPlaypen.
pub(crate) const ROOT: [u32; 9] = [1, 3, 6, 1, 4, 1, 8072, 9999, 9999];
/// The column of prices, which can be set to 0 to 9; to 8 only by who does not mind that it fails when it is done.
pub(crate) const PRICES: [u32; 3] = [2, 1, 4];

/// What the shop has on its shelves, by name below [`ROOT`].
pub(crate) struct Shop(Mutex<BTreeMap<Vec<u32>, VarBindValue>>);

impl Shop {
    /// A shop of this name: values of every syntax, three shelves.
    pub(crate) fn new(name: &str) -> Self {
        let mut all = BTreeMap::from([
            (vec![1, 1, 0], value::text(name)),
            (vec![3, 0], value::counter64(1 << 40)),
            (vec![4, 0], value::address([192, 0, 2, 1].into())),
            (vec![5, 0], value::object(oid(&ROOT))),
            (vec![6, 0], value::ticks(4711)),
            (vec![7, 0], value::counter32(7)),
        ]);
        for (shelf, goods) in (1..).zip(["tea", "rice", ""]) {
            all.insert(vec![2, 1, 2, shelf], value::text(goods));
            all.insert(vec![2, 1, 3, shelf], value::unsigned(12 * shelf));
            all.insert([&PRICES[..], &[shelf]].concat(), value::integer(3));
        }
        let named = all.into_iter().map(|(name, value)| ([&ROOT[..], &name].concat(), value));
        Self(Mutex::new(named.collect()))
    }

    fn shelves(&self) -> std::sync::MutexGuard<'_, BTreeMap<Vec<u32>, VarBindValue>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Tree for Shop {
    fn get(&self, _: Option<&Bytes>, name: &[u32]) -> VarBindValue {
        self.shelves().get(name).cloned().unwrap_or(VarBindValue::NoSuchInstance)
    }

    fn next(
        &self,
        _: Option<&Bytes>,
        start: &[u32],
        include: bool,
    ) -> Option<(ObjectIdentifier, VarBindValue)> {
        let shelves = self.shelves();
        let mut from = shelves.range(start.to_vec()..);
        let found = from.find(|(name, _)| include || name.as_slice() != start)?;
        Some((oid(found.0), found.1.clone()))
    }

    fn test(&self, _: Option<&Bytes>, name: &[u32], new: &VarBindValue) -> Result<(), ErrorStatus> {
        let is_price = name.strip_prefix(&ROOT).is_some_and(|name| name.starts_with(&PRICES));
        match value::as_integer(new) {
            _ if !is_price || !self.shelves().contains_key(name) => Err(ErrorStatus::NOT_WRITABLE),
            None => Err(ErrorStatus::WRONG_TYPE),
            Some(0..=9) => Ok(()),
            Some(_) => Err(ErrorStatus::WRONG_VALUE),
        }
    }

    fn set(&self, _: Option<&Bytes>, name: &[u32], new: &VarBindValue) -> Result<(), ErrorStatus> {
        if value::as_integer(new) == Some(8) {
            return Err(ErrorStatus::GEN_ERR);
        }
        self.shelves().insert(name.to_vec(), new.clone());
        Ok(())
    }
}

/// The settings of its session.
pub(crate) fn settings(ping_every: Duration) -> Settings {
    let subtree = |arc| Subtree { priority: 127, root: oid(&[&ROOT[..], &[arc]].concat()), range: None };
    Settings {
        id: oid(&ROOT),
        capabilities: vec![(oid(&ROOT), "The MIB module of a shop".to_owned())],
        ping_every,
        // The first, and those from 2 to 6 at once; 7 is left out.
        ..Settings::new("a shop", vec![subtree(1), Subtree { range: Some((10, 6)), ..subtree(2) }])
    }
}

/// Whole packets, in the order in which they went by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Dialogue(pub(crate) Vec<(Speaker, Vec<u8>)>);

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    Subagent,
    Master,
}

impl fmt::Display for Dialogue {
    /// A line for each: `>` of the subagent or `<` of the master, and the octets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (speaker, raw) in &self.0 {
            f.write_str(if *speaker == Speaker::Subagent { "> " } else { "< " })?;
            raw.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}

impl Dialogue {
    /// Reads what [`Display`](fmt::Display) wrote; lines with `#` are remarks.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let turns = lines.map(|line| {
            let speaker = if line.starts_with('>') { Speaker::Subagent } else { Speaker::Master };
            let octets = line.get(2..)?.as_bytes().chunks(2);
            let octets = octets.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
            Some((speaker, octets.collect::<Option<Vec<u8>>>()?))
        });
        turns.collect::<Option<_>>().map(Self)
    }
}
