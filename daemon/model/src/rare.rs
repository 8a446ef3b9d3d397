//! Values that most owners leave at their default: they take eight bytes then, and look like plain ones all the same.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{BfdCheck, FileCheck};

/// What can be [`Rare`]: it has a default that lasts for ever.
pub trait Usual: Default + PartialEq + 'static {
    /// The default.
    fn usual() -> &'static Self;
}

/// A `T` that is mostly its default; there may be tens of thousands of its owners. Made with `from`, read as a `T`. A clone
/// is the same one until it is written to.
#[derive(PartialEq)]
pub struct Rare<T>(Option<Arc<T>>);

impl<T> Clone for Rare<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Usual> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self((value != *T::usual()).then(|| Arc::new(value)))
    }
}

/// A list that most owners have nothing in.
macro_rules! usually_empty {
    ($($item:ty),*) => {
        $(impl Usual for Vec<$item> {
            fn usual() -> &'static Self {
                static USUAL: Vec<$item> = Vec::new();
                &USUAL
            }
        })*
    };
}
usually_empty!(FileCheck, BfdCheck);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Usual + Clone> Rare<T> {
    /// To write into it, where it is not the default.
    pub fn written(&mut self) -> Option<&mut T> {
        self.0.as_mut().map(Arc::make_mut)
    }

    /// To write into it.
    pub fn make_mut(&mut self) -> &mut T {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl<T: Usual> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::usual())
    }
}

impl<T: Usual + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Usual + Serialize> Serialize for Rare<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de, T: Usual + Deserialize<'de>> Deserialize<'de> for Rare<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}
