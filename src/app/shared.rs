//! Adapters shared between estates, as long as one of them is in use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Values by the settings they were made from. Keeps no value alive.
#[derive(Debug)]
pub(super) struct Shared<K, T: ?Sized>(Mutex<BTreeMap<K, Weak<T>>>);

impl<K, T: ?Sized> Default for Shared<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, T: ?Sized> Shared<K, T> {
    /// The value in use for these settings; otherwise a new one.
    pub(super) fn get<E>(&self, key: K, make: impl FnOnce() -> Result<Arc<T>, E>) -> Result<Arc<T>, E> {
        let in_use = |known: &BTreeMap<K, Weak<T>>| known.get(&key).and_then(Weak::upgrade);
        if let Some(value) = in_use(&self.lock()) {
            return Ok(value);
        }
        // Without the lock: it may take a while.
        let value = make()?;
        let mut known = self.lock();
        if let Some(other) = in_use(&known) {
            return Ok(other);
        }
        known.insert(key, Arc::downgrade(&value));
        Ok(value)
    }

    /// Like [`Shared::get`], for values that can always be made.
    #[cfg(any(feature = "aws", feature = "docker"))]
    pub(super) fn get_or(&self, key: K, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let Ok(value) = self.get(key, || Ok::<_, std::convert::Infallible>(make()));
        value
    }

    /// Drops the settings whose values are no longer in use.
    pub(super) fn forget_unused(&self) {
        self.lock().retain(|_, value| value.strong_count() > 0);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, Weak<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_shared_while_it_is_in_use_and_made_again_afterwards() {
        let shared = Shared::<u8, String>::default();
        let get = |key, text: &str| shared.get(key, || Ok::<_, ()>(Arc::new(text.to_owned()))).unwrap();
        let (first, other) = (get(1, "first"), get(2, "other"));
        assert!(Arc::ptr_eq(&first, &get(1, "never made")) && *other == "other");
        drop(first);
        assert_eq!(*get(1, "again"), "again");
        shared.forget_unused();
        assert_eq!(shared.0.lock().unwrap().keys().collect::<Vec<_>>(), [&2]);
        assert!(shared.get(3, || Err::<Arc<String>, _>("it cannot be made")).is_err());
    }
}
