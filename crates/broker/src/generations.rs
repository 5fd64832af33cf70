use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// A bounded memory that forgets what was not asked for since about as many others were: the young, and the old, which are forgotten when
/// there are too many young.
pub(crate) struct Generations<K, V, S> {
    young: HashMap<K, V, S>,
    old: HashMap<K, V, S>,
    /// Of each.
    most: usize,
}

impl<K: Eq + Hash, V: Clone, S: BuildHasher + Default> Generations<K, V, S> {
    /// Remembers at most twice `most`, and the last `most` for certain.
    pub(crate) fn new(most: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), most }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.young.retain(|_, value| keep(value));
        self.old.retain(|_, value| keep(value));
    }
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let mut known = Generations::<u32, u32, RandomState>::new(10);
        for number in 0..1000 {
            known.insert(number, number);
            assert_eq!(known.get(&0), Some(0), "asked for all the time");
        }
        assert!(known.young.len() + known.old.len() <= 20);
        assert_eq!((known.get(&999), known.get(&995), known.get(&500)), (Some(999), Some(995), None));
        known.retain(|value| *value == 0);
        assert_eq!((known.get(&0), known.get(&999)), (Some(0), None));
    }
}
