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
    /// The configuration's own.
    lasting: HashSet<u64>,
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

    /// The same for as long as the process runs; and for each part of it that is written as one word.
    pub fn note_for_good(&self, secret: &str) {
        let parts = secret.split(|char: char| !is_of_a_word(char)).chain([secret]);
        let parts: Vec<u64> = parts.filter(|part| part.len() >= SHORTEST).map(|part| self.key.hash_one(part)).collect();
        self.known.write().unwrap_or_else(PoisonError::into_inner).lasting.extend(parts);
    }

    /// Whether the word is one of them.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        if word.len() < SHORTEST {
            return false;
        }
        let hash = self.key.hash_one(word);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.lasting.contains(&hash) || known.newest.contains(&hash) || known.before.contains(&hash)
    }
}

/// What tokens are made of (RFC 6750 §2.1), but for `=`: whatever else stands in a line separates words.
#[must_use]
pub fn is_of_a_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || "-._~+/".contains(char)
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
    fn what_lasts_is_known_by_its_words_too() {
        let unspoken = Unspoken::default();
        unspoken.note_for_good("first-half|second=half!");
        for known in ["first-half|second=half!", "first-half"] {
            assert!(unspoken.has(known), "{known}");
        }
        assert!(!unspoken.has("second") && !unspoken.has("half"), "too short to be told from words");
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
