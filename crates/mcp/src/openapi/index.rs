//! Which operations have to do with which words. Counting, and nothing learnt: the same question has the same answer.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use http::Method;
use serde_json::Value;

use super::operation::{METHODS, Operation, Part, filled, parts};
use super::{refs, words};

/// An operation that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name, by which it is described.
    pub operation: String,
    /// Its method.
    pub method: Method,
    /// Its template, below the API's base.
    pub path: String,
    /// What it is for, in a line; empty where the document does not say.
    pub summary: String,
    /// Whether the document advises against it.
    pub deprecated: bool,
}

impl Found {
    pub(super) fn of(operation: &Operation) -> Self {
        Self {
            operation: operation.name.to_string(),
            method: operation.method.clone(),
            path: operation.path.to_string(),
            summary: operation.summary.to_string(),
            deprecated: operation.deprecated,
        }
    }

    /// A path as a call could have it, to ask the policy about: an `x` for each parameter.
    #[must_use]
    pub fn sample_path(&self) -> String {
        filled(&self.path, "x")
    }
}

/// Words, and where they stand.
#[derive(Debug)]
pub(super) struct Index {
    /// Places of operations, and what the word weighs there.
    words: BTreeMap<Box<str>, Vec<(u32, u32)>>,
}

impl Index {
    pub(super) fn of(root: &Value, operations: &[Operation]) -> Self {
        let mut index = BTreeMap::<Box<str>, Vec<(u32, u32)>>::new();
        for (at, operation) in (0_u32..).zip(operations) {
            for (word, weight) in weighed(root, operation) {
                index.entry(word.into()).or_default().push((at, weight));
            }
        }
        Self { words: index }
    }

    /// Places of operations, best first.
    pub(super) fn find(&self, query: &str, operations: &[Operation]) -> Vec<usize> {
        let asked = words::asked(query);
        if asked.is_empty() {
            return (0..operations.len()).collect();
        }
        let intent = Intent::of(&asked);
        let mut scores = HashMap::<u32, Score>::new();
        for word in &asked {
            for (at, score) in self.of_word(word, operations.len()) {
                let total = scores.entry(at).or_default();
                total.points += score;
                total.words += 1;
            }
        }
        let exact = operations.iter().position(|operation| operation.name.eq_ignore_ascii_case(query.trim()));
        let mut ranked: Vec<(Reverse<u32>, usize, usize, usize)> = scores
            .into_iter()
            .filter_map(|(at, score)| {
                let at = usize::try_from(at).ok()?;
                let operation = operations.get(at)?;
                let named = if exact == Some(at) { NAMED } else { 0 };
                Some((
                    Reverse(score.points(operation, intent) + named),
                    rank(&operation.method),
                    operation.path.len(),
                    at,
                ))
            })
            .collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(.., at)| at).collect()
    }

    /// What one word of a question is worth, where: whole words, and half of it where words begin with it.
    fn of_word(&self, word: &str, operations: usize) -> HashMap<u32, u32> {
        let mut found = HashMap::new();
        let beginning = self.words.range::<str, _>((std::ops::Bound::Included(word), std::ops::Bound::Unbounded));
        let candidates = beginning.take_while(|(known, _)| known.starts_with(word));
        for (known, places) in candidates.filter(|(known, _)| &***known == word || word.len() >= MIN_PREFIX) {
            let rare = rarity(operations, places.len());
            let share = if &**known == word { 2 } else { 1 };
            for (at, weight) in places {
                let score = found.entry(*at).or_insert(0);
                *score = (*score).max(weight * rare * share);
            }
        }
        found
    }
}

#[derive(Debug, Default)]
struct Score {
    points: u32,
    /// How many words of the question were found.
    words: u32,
}

impl Score {
    /// Whoever has all words stands before whoever has one of them often, shorter paths before longer ones, and reading before the rest where
    /// nobody asked for that.
    fn points(&self, operation: &Operation, intent: Intent) -> u32 {
        let segments = u32::try_from(operation.path.matches('/').count()).unwrap_or(u32::MAX).min(32);
        let points = self.points.saturating_mul(self.words) * 32 / (32 + segments);
        let reads = matches!(operation.method, Method::GET | Method::HEAD);
        let points = if reads || intent == Intent::Write { points } else { points / 4 * 3 };
        if operation.deprecated { points / 2 } else { points }
    }
}

/// Whether a question is about changing something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intent {
    Read,
    Write,
}

impl Intent {
    fn of(asked: &[String]) -> Self {
        let writing = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
        let is_verb = |word: &String| writing.iter().any(|method| verbs(method).split(' ').any(|verb| verb == word));
        if asked.iter().any(is_verb) { Self::Write } else { Self::Read }
    }
}

/// How much it says that a word is there: more, the fewer operations have it.
fn rarity(operations: usize, places: usize) -> u32 {
    (operations / places.max(1)).checked_ilog2().unwrap_or(0) + 2
}

/// Reading first, and what cannot be undone last.
fn rank(method: &Method) -> usize {
    METHODS.iter().position(|known| known == method).unwrap_or(METHODS.len())
}

/// Every word of an operation, with the most that it weighs.
fn weighed(root: &Value, operation: &Operation) -> BTreeMap<String, u32> {
    let mut weights = BTreeMap::new();
    let mut add = |text: &str, weight: u32| {
        for word in words::of(text) {
            let known = weights.entry(word).or_insert(0);
            *known = weight.max(*known);
        }
    };
    add(&operation.name, 8);
    for part in parts(&operation.path) {
        match part {
            Part::Literal(text) => add(text, 8),
            Part::Parameter(name) => add(name, 2),
        }
    }
    add(verbs(&operation.method), 3);
    let item = root.get("paths").and_then(|paths| paths.get(&*operation.written));
    let Some(said) = item.and_then(|item| refs::resolved(root, item)).and_then(|item| item.get(operation.key())) else {
        return weights;
    };
    add(beginning(refs::text(said, "summary").unwrap_or_default()), 7);
    for tag in said.get("tags").and_then(Value::as_array).into_iter().flatten().take(16).filter_map(Value::as_str) {
        add(beginning(tag), 4);
    }
    add(beginning(refs::text(said, "description").unwrap_or_default()), 3);
    for parameter in said.get("parameters").and_then(Value::as_array).into_iter().flatten().take(50) {
        let Some(parameter) = refs::resolved(root, parameter) else { continue };
        add(beginning(refs::text(parameter, "name").unwrap_or_default()), 2);
        let allowed = parameter.get("schema").and_then(|schema| refs::resolved(root, schema)?.get("enum")?.as_array());
        for value in allowed.into_iter().flatten().take(32).filter_map(Value::as_str) {
            add(beginning(value), 5);
        }
    }
    weights
}

/// What people call it.
fn verbs(method: &Method) -> &'static str {
    match *method {
        Method::GET => "get read list show see view find search look fetch download",
        Method::POST => "post create add new make send submit upload",
        Method::PUT => "put replace set update store upload",
        Method::PATCH => "patch change update edit modify",
        Method::DELETE => "delete remove destroy drop",
        _ => "",
    }
}

fn beginning(text: &str) -> &str {
    text.char_indices().nth(MAX_DESCRIPTION).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// In characters.
const MAX_DESCRIPTION: usize = 400;
/// In bytes: fewer are the beginning of too much.
const MIN_PREFIX: usize = 3;
/// Whoever asks by name gets it.
const NAMED: u32 = 1_000_000;
