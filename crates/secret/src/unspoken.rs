use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

/// Secrets that are in use, known by a keyed hash alone: whoever writes a line can ask whether a word of it is one, and nobody can read them
/// out of it.
#[derive(Debug, Default)]
pub struct Unspoken {
    key: RandomState,
    known: RwLock<Generations>,
}

/// The newest, and those before: what has not been used for long is forgotten, so that the set never grows beyond bounds.
#[derive(Debug, Default)]
struct Generations {
    newest: HashSet<u64>,
    before: HashSet<u64>,
}

impl Unspoken {
    /// From now on this is not to be spoken. What is shorter than 8 bytes is not taken for a secret.
    pub fn note(&self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let hash = self.key.hash_one(secret);
        if self.known.read().unwrap_or_else(PoisonError::into_inner).newest.contains(&hash) {
            return;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.newest.len() >= GENERATION {
            known.before = std::mem::take(&mut known.newest);
        }
        known.newest.insert(hash);
    }

    /// Whether the word is one of them.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        if word.len() < SHORTEST {
            return false;
        }
        let hash = self.key.hash_one(word);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.newest.contains(&hash) || known.before.contains(&hash)
    }
}

const SHORTEST: usize = 8;
/// How many are known at least, and at most twice as many.
const GENERATION: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_and_nothing_else() {
        let unspoken = Unspoken::default();
        unspoken.note("gho_16C7e42F292c6912E7710c838347Ae178B4a");
        unspoken.note("short");
        assert!(unspoken.has("gho_16C7e42F292c6912E7710c838347Ae178B4a"));
        assert!(!unspoken.has("gho_16C7e42F292c6912E7710c838347Ae178B4b") && !unspoken.has("short"));
        assert!(!format!("{unspoken:?}").contains("gho_"));
    }

    #[test]
    fn it_does_not_grow_beyond_bounds() {
        let unspoken = Unspoken::default();
        for number in 0..3 * GENERATION {
            unspoken.note(&format!("secret-{number}"));
        }
        let known = unspoken.known.read().expect("not poisoned");
        assert!(known.newest.len() + known.before.len() <= 2 * GENERATION);
        drop(known);
        assert!(unspoken.has(&format!("secret-{}", 3 * GENERATION - 1)) && !unspoken.has("secret-0"));
    }
}
