//! What has a place in the configuration is kept in that order, so that whoever shows it need not sort, and finds the
//! one at a place, or the next after it, without a walk over all. A reload may take any part of it away, or put new
//! ones before all others: each costs the logarithm of how many there are.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;

use hashbrown::HashTable;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::keyed::Keyed;
use super::{Group, Instance, RealServer, Service, Tracker};

/// Something with a place in the configuration.
pub trait Placed {
    /// Its place, from 1.
    fn position(&self) -> u32;
}

impl Placed for Instance {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for Group {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for Tracker {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for Service {
    fn position(&self) -> u32 {
        self.settings.position
    }
}
impl Placed for RealServer {
    fn position(&self) -> u32 {
        self.settings.position
    }
}

/// A place, and how many were placed before: while a reload is told, two may be at one place for a moment, and the one
/// that came there later stands after the other.
type Place = (u32, u32);

/// Values by key, in the order of the configuration.
#[derive(Clone)]
pub struct Ordered<K, V> {
    /// Where the value of each key is, which has the key in it: there may be very many.
    places: HashTable<Place>,
    hasher: RandomState,
    /// Boxed: nodes of a tree that grows at its end are half empty.
    values: BTreeMap<Place, Box<V>>,
    /// How many were placed so far.
    placed: u32,
    /// How many have a place that another had before.
    shared: usize,
    keys: PhantomData<K>,
}

impl<K, V: Placed> Ordered<K, V> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All of them, in order.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator {
        self.values.values().map(Box::as_ref)
    }

    /// All of them, in order; their places stay.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.values_mut().map(Box::as_mut)
    }

    /// The first at this place or, when nothing is there, at the next place where something is.
    pub fn from_position(&self, position: u32) -> Option<&V> {
        self.values.range((position, 0)..).next().map(|(_, value)| value.as_ref())
    }

    /// All that are at this place: the entries of a virtual server group are at one.
    pub fn at_position(&self, position: u32) -> impl Iterator<Item = &V> {
        self.values.range((position, 0)..=(position, u32::MAX)).map(|(_, value)| value.as_ref())
    }

    /// As [`Self::at_position`]; their places stay.
    pub(crate) fn at_position_mut(&mut self, position: u32) -> impl Iterator<Item = &mut V> {
        self.values.range_mut((position, 0)..=(position, u32::MAX)).map(|(_, value)| value.as_mut())
    }

    /// The one of this number, from 0.
    pub fn nth(&self, number: usize) -> Option<&V> {
        // Nearly always the places are 1, 2, 3…
        let place = |end: Option<(&Place, &Box<V>)>| end.map_or(0, |((position, _), _)| *position as usize);
        let (first, last) = (place(self.values.first_key_value()), place(self.values.last_key_value()));
        if self.shared == 0 && first == 1 && last == self.len() {
            return self.from_position(u32::try_from(number + 1).ok()?);
        }
        self.values().nth(number)
    }

    fn is_taken(&self, position: u32) -> bool {
        self.values.range((position, 0)..=(position, u32::MAX)).next().is_some()
    }
}

impl<K: Clone + Eq + Hash, V: Placed + Keyed<K>> Ordered<K, V> {
    fn place(&self, key: &K) -> Option<Place> {
        let is_it = |place: &Place| self.values.get(place).is_some_and(|value| value.key() == *key);
        self.places.find(self.hasher.hash_one(key), is_it).copied()
    }

    /// The one of this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.values.get(&self.place(key)?).map(Box::as_ref)
    }

    /// The one of this key; who gives it another place calls [`Self::settle`].
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.values.get_mut(&self.place(key)?).map(Box::as_mut)
    }

    /// Is there one of this key?
    pub fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_some()
    }

    /// Puts one at its place, and takes the one that had the key before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.remove(&key);
        if self.placed == u32::MAX {
            self.place_anew();
        }
        let place = (value.position(), self.placed);
        self.placed += 1;
        self.shared += usize::from(self.is_taken(place.0));
        self.values.insert(place, Box::new(value));
        let Self { places, hasher, values, .. } = self;
        let hash_of = |place: &Place| values.get(place).map_or(0, |value| hasher.hash_one(value.key()));
        places.insert_unique(hasher.hash_one(&key), place, hash_of);
        before
    }

    /// Has the places count from the beginning: no number is left for a new one.
    fn place_anew(&mut self) {
        let all = std::mem::take(self);
        for value in all.values.into_values() {
            self.insert(value.key(), *value);
        }
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let (places, values) = (&mut self.places, &self.values);
        let is_it = |place: &Place| values.get(place).is_some_and(|value| value.key() == *key);
        let (place, _) = places.find_entry(self.hasher.hash_one(key), is_it).ok()?.remove();
        let value = self.values.remove(&place);
        self.shared -= usize::from(self.is_taken(place.0));
        value.map(|value| *value)
    }

    /// Puts one that has a new place where it belongs.
    pub(crate) fn settle(&mut self, key: &K) {
        if self.get(key).zip(self.place(key)).is_some_and(|(value, place)| value.position() != place.0)
            && let Some(value) = self.remove(key)
        {
            self.insert(key.clone(), value);
        }
    }
}

impl<K, V> Default for Ordered<K, V> {
    fn default() -> Self {
        let (places, hasher) = (HashTable::new(), RandomState::new());
        Self { places, hasher, values: BTreeMap::new(), placed: 0, shared: 0, keys: PhantomData }
    }
}

/// The same things in the same order, however they came there.
impl<K, V: PartialEq> PartialEq for Ordered<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.values.values().eq(other.values.values())
    }
}

impl<K, V: fmt::Debug> fmt::Debug for Ordered<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.values.values()).finish()
    }
}

impl<K: Clone + Eq + Hash, V: Placed + Keyed<K>> FromIterator<(K, V)> for Ordered<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut all = Self::default();
        for (key, value) in pairs {
            all.insert(key, value);
        }
        all
    }
}

/// Written as a list of the values: JSON has no keys but strings.
impl<K, V: Serialize> Serialize for Ordered<K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.values.values())
    }
}

impl<'de, K, V> Deserialize<'de> for Ordered<K, V>
where
    K: Clone + Eq + Hash,
    V: Deserialize<'de> + Keyed<K> + Placed,
{
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(Vec::<V>::deserialize(d)?.into_iter().map(|v| (v.key(), v)).collect())
    }
}
