//! A map that takes no more than its pairs: one block of memory, sorted by key.
//!
//! A tree that grows at its end, as what comes in the order of its keys makes it grow, is half empty; of servers there may be
//! tens of thousands, in a dozen maps. Here a pair at the end costs nothing but itself; one in the middle moves those behind it,
//! which for ten thousand servers takes some microseconds: many that do not come in order are to be collected, which sorts them
//! once.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Index;

/// See the module. It is used as a `BTreeMap` is.
#[derive(Clone, PartialEq, Eq)]
pub struct FlatMap<K, V>(Vec<(K, V)>);

impl<K, V> FlatMap<K, V> {
    /// An empty one, which takes no memory.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many pairs there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// The same, to change the values.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = (&K, &mut V)> + ExactSizeIterator {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> + ExactSizeIterator + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    /// The same, to change them.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> + ExactSizeIterator {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Keeps those pairs that are wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| wanted(key, value));
        if self.0.len() < self.0.capacity() / 2 {
            self.0.shrink_to_fit();
        }
    }
}

impl<K: Ord, V> FlatMap<K, V> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        // Mostly they come in order.
        if self.0.last().is_none_or(|(last, _)| last.borrow() < key) {
            return Err(self.0.len());
        }
        self.0.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// The value of this key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// The same, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// Is there a value of this key?
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// Gives a key this value, and back the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => self.0.get_mut(place).map(|(_, known)| std::mem::replace(known, value)),
            Err(place) => {
                self.put(place, key, value);
                None
            }
        }
    }

    /// The value of this key, made if it has none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = match self.place(&key) {
            Ok(place) => place,
            Err(place) => {
                self.put(place, key, make());
                place
            }
        };
        let (_, value) = &mut self.0[place];
        value
    }

    /// Puts in a pair whose place is known. There is room for an eighth more then, not for twice as many.
    fn put(&mut self, place: usize, key: K, value: V) {
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact((self.0.len() / 8).max(4));
        }
        self.0.insert(place, (key, value));
    }

    /// Takes the pair of this key out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        Some(self.0.remove(place).1)
    }

    /// The pairs, each with the value that another map has for its key. The two are walked beside each other, once.
    pub fn beside<'a, W>(
        &'a self,
        other: &'a FlatMap<K, W>,
    ) -> impl Iterator<Item = (&'a K, &'a V, Option<&'a W>)> {
        let mut others = other.iter().peekable();
        self.iter().map(move |(key, value)| {
            while others.next_if(|(other, _)| *other < key).is_some() {}
            (key, value, others.next_if(|(other, _)| *other == key).map(|(_, value)| value))
        })
    }

    /// The pairs from this key on.
    pub fn from<'a>(&'a self, first: &K) -> impl Iterator<Item = (&'a K, &'a V)> + use<'a, K, V> {
        let place = self.place(first).unwrap_or_else(|place| place);
        self.0.iter().skip(place).map(|(key, value)| (key, value))
    }

    /// The same, to change the values.
    pub fn from_mut<'a>(&'a mut self, first: &K) -> impl Iterator<Item = (&'a K, &'a mut V)> + use<'a, K, V> {
        let place = self.place(first).unwrap_or_else(|place| place);
        self.0.iter_mut().skip(place).map(|(key, value)| (&*key, value))
    }
}

/// As a `BTreeMap`'s, it panics where there is no such key.
impl<K: Ord, V> Index<&K> for FlatMap<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        let place = self.place(key).unwrap_or(usize::MAX);
        &self.0[place].1
    }
}

impl<K, V> Default for FlatMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for FlatMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Of two pairs with one key the later one counts.
impl<K: Ord, V> FromIterator<(K, V)> for FlatMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut all: Vec<_> = pairs.into_iter().collect();
        // Stable, so that those with one key stay in their order; of each the last one is kept.
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        all.shrink_to_fit();
        Self(all)
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for FlatMap<K, V> {
    fn from(pairs: [(K, V); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<K: Ord, V> Extend<(K, V)> for FlatMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, pairs: I) {
        for (key, value) in pairs {
            self.insert(key, value);
        }
    }
}

impl<K, V> IntoIterator for FlatMap<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a FlatMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::iter::Map<std::slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn beside_another_each_pair_has_what_a_look_up_finds(
            one in proptest::collection::vec((0..20u8, any::<u8>()), 0..20),
            other in proptest::collection::vec((0..20u8, any::<u8>()), 0..20),
        ) {
            let (one, other): (FlatMap<u8, u8>, FlatMap<u8, u8>) =
                (one.into_iter().collect(), other.into_iter().collect());
            let looked_up: Vec<_> = one.iter().map(|(key, value)| (key, value, other.get(key))).collect();
            prop_assert_eq!(one.beside(&other).collect::<Vec<_>>(), looked_up);
        }

        #[test]
        fn it_is_as_a_tree_would_be(
            first in proptest::collection::vec((0..20u8, any::<u8>()), 0..20),
            then in proptest::collection::vec((0..20u8, proptest::option::of(any::<u8>())), 0..60),
        ) {
            let mut tree: BTreeMap<u8, u8> = first.iter().copied().collect();
            let mut flat: FlatMap<u8, u8> = first.into_iter().collect();
            for (key, value) in then {
                match value {
                    Some(value) => prop_assert_eq!(flat.insert(key, value), tree.insert(key, value)),
                    None => prop_assert_eq!(flat.remove(&key), tree.remove(&key)),
                }
                prop_assert!(flat.iter().eq(tree.iter()));
                prop_assert_eq!(flat.get(&key), tree.get(&key));
                prop_assert!(flat.from(&key).eq(tree.range(key..)));
            }
            flat.retain(|key, _| key % 2 == 0);
            tree.retain(|key, _| key % 2 == 0);
            prop_assert!(flat.iter().eq(tree.iter()) && flat.len() == tree.len());
        }
    }

    #[test]
    fn what_comes_in_order_takes_little_more_than_its_pairs() {
        let mut flat = FlatMap::new();
        for key in 0..10_000_u32 {
            *flat.get_or_insert_with(key, || 0) += key;
        }
        assert!(flat.0.capacity() <= 11_300, "{}", flat.0.capacity());
        flat.retain(|key, _| *key < 100);
        assert_eq!((flat.0.capacity(), flat.get(&99)), (100, Some(&99)));
    }
}
