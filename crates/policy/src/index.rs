//! All rules of one provider as one tree of segments, so that a request costs what its own path is long, however many rules there are.
//!
//! Where a path can go more than one way (a rule with the word and one with a star in its place), each way is gone.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::methods::Methods;
use crate::path::{CanonicalPath, has_encoded_slash};
use crate::pattern::{Rest, Rule, Segment};

/// The tree. Its texts are the configuration's: that a caller could choose colliding ones to be looked up costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Index {
    nodes: Vec<Node>,
    /// Each word that stands in a rule, once.
    words: HashMap<Box<str>, u32, FixedState>,
    /// From a node by a word to the next node.
    edges: HashMap<(u32, Label), u32, FixedState>,
    grants: Vec<Grant>,
}

/// That a scope allows these methods here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grant {
    pub(crate) scope: u32,
    pub(crate) methods: Methods,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Label {
    Word(u32),
    Verb(u32),
}

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// By `*`; the root is nobody's next node.
    any: u32,
    /// By `*:*`.
    any_verb: u32,
    /// By `*%2F*`.
    joined: u32,
    has_words: bool,
    has_verbs: bool,
    /// For a path that ends here.
    ends: Span,
    /// For a path that ends here or anywhere below.
    rest: Span,
}

/// A part of the list of grants.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

/// A grant on its way into the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    node: u32,
    rest: bool,
    scope: u32,
}

impl Index {
    /// From the rules, each with the number of its scope.
    pub(crate) fn new<'r>(rules: impl Iterator<Item = (u32, &'r Rule)>) -> Self {
        let mut index = Self { nodes: vec![Node::default()], ..Self::default() };
        let mut placed = Vec::with_capacity(rules.size_hint().0);
        for (scope, rule) in rules {
            // What does not fit in 32 bits allows nothing.
            if let Some(node) = index.insert(rule) {
                placed.push((Place { node, rest: rule.rest() == Rest::Anything, scope }, rule.methods()));
            }
        }
        placed.sort_unstable_by_key(|(place, _)| *place);
        placed.dedup_by(|(place, methods), (before, all)| {
            let same = place == before;
            if same {
                *all = all.and(*methods);
            }
            same
        });
        index.list(&placed);
        index
    }

    /// Shows the grants for a path, list by list; each is in the order of scopes.
    pub(crate) fn find(&self, path: CanonicalPath<'_>, mut seen: impl FnMut(&[Grant])) {
        self.walk(ROOT, Some(path.below_root()), path.clear(), &mut seen);
    }

    /// The last `clear` bytes of the path are free of encoded slashes: only they are anything that `**` allows.
    fn walk(&self, number: u32, path: Option<&str>, clear: usize, seen: &mut impl FnMut(&[Grant])) {
        let Some(node) = self.nodes.get(number as usize) else { return };
        if path.is_none_or(|path| path.len() <= clear) {
            self.show(node.rest, seen);
        }
        let Some(path) = path else { return self.show(node.ends, seen) };
        let (segment, below) = path.split_once('/').map_or((path, None), |(segment, below)| (segment, Some(below)));
        if node.has_words
            && let Some(next) = self.words.get(segment).and_then(|word| self.edges.get(&(number, Label::Word(*word))))
        {
            self.walk(*next, below, clear, seen);
        }
        if path.len() > clear && has_encoded_slash(segment) {
            if node.joined != ROOT && !segment.contains(':') {
                self.walk(node.joined, below, clear, seen);
            }
            return;
        }
        if node.any == ROOT && node.any_verb == ROOT && !node.has_verbs {
            return;
        }
        match segment.split_once(':') {
            None if node.any != ROOT && !segment.is_empty() => self.walk(node.any, below, clear, seen),
            None => {}
            Some((name, verb)) => {
                if node.any_verb != ROOT {
                    self.walk(node.any_verb, below, clear, seen);
                }
                if node.has_verbs
                    && !name.is_empty()
                    && let Some(next) =
                        self.words.get(verb).and_then(|verb| self.edges.get(&(number, Label::Verb(*verb))))
                {
                    self.walk(*next, below, clear, seen);
                }
            }
        }
    }

    fn show(&self, span: Span, seen: &mut impl FnMut(&[Grant])) {
        if span.start < span.end
            && let Some(grants) = self.grants.get(span.start as usize..span.end as usize)
        {
            seen(grants);
        }
    }

    /// The node that a rule leads to.
    fn insert(&mut self, rule: &Rule) -> Option<u32> {
        let mut node = ROOT;
        for segment in rule.segments() {
            node = self.step(node, segment)?;
        }
        Some(node)
    }

    fn step(&mut self, node: u32, segment: Segment<'_>) -> Option<u32> {
        let free = u32::try_from(self.nodes.len()).ok()?;
        let label = match segment {
            Segment::Exactly(word) => Some(Label::Word(self.word(word)?)),
            Segment::Verb(verb) => Some(Label::Verb(self.word(verb)?)),
            Segment::Any | Segment::AnyVerb | Segment::Joined => None,
        };
        let here = self.nodes.get_mut(node as usize)?;
        let next = match (label, segment) {
            (Some(label), _) => {
                here.has_words |= matches!(label, Label::Word(_));
                here.has_verbs |= matches!(label, Label::Verb(_));
                *self.edges.entry((node, label)).or_insert(free)
            }
            (None, Segment::Any) => *fill(&mut here.any, free),
            (None, Segment::Joined) => *fill(&mut here.joined, free),
            (None, _) => *fill(&mut here.any_verb, free),
        };
        if next == free {
            self.nodes.push(Node::default());
        }
        Some(next)
    }

    fn word(&mut self, text: &str) -> Option<u32> {
        if let Some(word) = self.words.get(text) {
            return Some(*word);
        }
        let word = u32::try_from(self.words.len()).ok()?;
        self.words.insert(text.into(), word);
        Some(word)
    }

    fn list(&mut self, placed: &[(Place, Methods)]) {
        for same in placed.chunk_by(|(one, _), (other, _)| (one.node, one.rest) == (other.node, other.rest)) {
            let Some((place, _)) = same.first() else { continue };
            let (start, end) = (self.grants.len(), self.grants.len() + same.len());
            let (Ok(start), Ok(end)) = (u32::try_from(start), u32::try_from(end)) else { return };
            self.grants.extend(same.iter().map(|(place, methods)| Grant { scope: place.scope, methods: *methods }));
            if let Some(node) = self.nodes.get_mut(place.node as usize) {
                *(if place.rest { &mut node.rest } else { &mut node.ends }) = Span { start, end };
            }
        }
        self.nodes.shrink_to_fit();
        self.words.shrink_to_fit();
        self.edges.shrink_to_fit();
        self.grants.shrink_to_fit();
    }
}

fn fill(next: &mut u32, free: u32) -> &mut u32 {
    if *next == ROOT {
        *next = free;
    }
    next
}

const ROOT: u32 = 0;
