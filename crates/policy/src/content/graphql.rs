use std::collections::{BTreeMap, BTreeSet};
use std::iter::successors;

use apollo_parser::cst::{CstNode, Definition, FragmentDefinition, Name, OperationType, Selection, SelectionSet};
use apollo_parser::{Parser, SyntaxKind, SyntaxToken};

use super::Unreadable;
use super::json::{Member, Object};
use super::name::{NamePattern, NamePatternError};

/// What one rule allows of GraphQL: these root fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphqlRule {
    fields: Vec<FieldPattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct FieldPattern {
    kind: Kind,
    name: NamePattern,
}

/// Why a text names no root fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldPatternError {
    /// Not `query viewer`.
    #[error("is no root field; write query, mutation or subscription, one space and its name, as in \"query viewer\"")]
    Form,
    /// No name of GraphQL's.
    #[error(
        "names no field; a name has letters, digits and _, and one * at its end or inside, as in \"mutation create*\""
    )]
    Name,
}

impl From<NamePatternError> for FieldPatternError {
    fn from(_: NamePatternError) -> Self {
        Self::Name
    }
}

/// Of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Query,
    Mutation,
    Subscription,
}

/// What all operations of a document ask of the server, at their roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    fields: BTreeSet<(Kind, Box<str>)>,
}

impl GraphqlRule {
    /// Reads `query viewer`, `mutation create*`, `query *`; introspection has to be written: `query __schema`, `query __type`.
    ///
    /// # Errors
    /// Of the first text that is none.
    pub fn parse<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, FieldPatternError> {
        let fields = texts.into_iter().map(FieldPattern::parse).collect::<Result<_, _>>()?;
        Ok(Self { fields })
    }
}

impl FieldPattern {
    fn parse(text: &str) -> Result<Self, FieldPatternError> {
        let (kind, name) = text.split_once(' ').ok_or(FieldPatternError::Form)?;
        let kind = match kind {
            "query" => Kind::Query,
            "mutation" => Kind::Mutation,
            "subscription" => Kind::Subscription,
            _ => return Err(FieldPatternError::Form),
        };
        let name = NamePattern::parse(name)?;
        if !name.is_made_of(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
            return Err(FieldPatternError::Name);
        }
        Ok(Self { kind, name })
    }

    /// A star at the beginning does not mean introspection along with the fields.
    fn allows(&self, kind: Kind, field: &str) -> bool {
        let introspects = field.starts_with(INTROSPECTION);
        self.kind == kind
            && self.name.matches(field)
            && (!introspects || self.name.beginning().starts_with(INTROSPECTION))
    }
}

impl Document {
    /// The members of GraphQL over HTTP, and no other: servers know several that name a document which is not there.
    pub(super) fn read(object: &Object) -> Result<Self, Unreadable> {
        object.only(&["query", "operationName", "variables", "extensions"])?;
        let Some(text) = object.sole_text("query")? else { return Err(Unreadable::Persisted) };
        if !matches!(object.get("operationName"), None | Some(Member::Null | Member::Text(_))) {
            return Err(Unreadable::Member);
        }
        match object.get("extensions") {
            // A server that knows the hash could take what it has under it.
            Some(Member::Object(extensions)) if extensions.has_in_any_case("persistedQuery") => {
                return Err(Unreadable::Persisted);
            }
            None | Some(Member::Null | Member::Object(_)) => {}
            Some(_) => return Err(Unreadable::Member),
        }
        Self::parse(text)
    }

    fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.chars().any(ends_lines_for_some) {
            return Err(Unreadable::Graphql);
        }
        let tree = Parser::new(text).recursion_limit(MAX_DEPTH).token_limit(MAX_TOKENS).parse();
        if tree.errors().any(apollo_parser::Error::is_limit) {
            return Err(Unreadable::GraphqlTooLarge);
        }
        if tree.errors().len() > 0 {
            return Err(Unreadable::Graphql);
        }
        let document = tree.document();
        let mut tokens = successors(document.syntax().first_token(), SyntaxToken::next_token);
        if tokens.any(|token| is_broken(&token)) {
            return Err(Unreadable::Graphql);
        }
        let (mut fragments, mut operations) = (BTreeMap::new(), Vec::new());
        for definition in document.definitions() {
            match definition {
                Definition::OperationDefinition(operation) => {
                    let kind = Kind::of(operation.operation_type().as_ref()).ok_or(Unreadable::Graphql)?;
                    operations.push((kind, operation.selection_set().ok_or(Unreadable::Graphql)?));
                }
                Definition::FragmentDefinition(fragment) => {
                    let name = fragment.fragment_name().and_then(|name| name.name());
                    if fragments.insert(text_of(name)?, fragment).is_some() {
                        return Err(Unreadable::Fragment);
                    }
                }
                // No server executes a type.
                _ => return Err(Unreadable::Graphql),
            }
        }
        if operations.is_empty() {
            return Err(Unreadable::Graphql);
        }
        let mut roots = Roots { fragments, seen: BTreeSet::new(), fields: BTreeSet::new() };
        for (kind, selections) in operations {
            roots.collect(kind, selections)?;
        }
        Ok(Self { fields: roots.fields })
    }

    /// Whether these rules allow each field, one or another of them.
    pub(super) fn is_allowed(&self, rules: &[&GraphqlRule]) -> bool {
        let allowed = |kind, field: &str| {
            let mut patterns = rules.iter().flat_map(|rule| &rule.fields);
            patterns.any(|pattern| pattern.allows(kind, field))
        };
        let free = |field: &str| field == TYPENAME;
        !rules.is_empty() && self.fields.iter().all(|(kind, field)| free(field) || allowed(*kind, field))
    }
}

#[cfg(any(test, feature = "fuzzing"))]
impl Document {
    /// Each field behind its operation's word.
    pub(super) fn asked(&self) -> BTreeSet<String> {
        let word = |kind: &Kind| match kind {
            Kind::Query => "query",
            Kind::Mutation => "mutation",
            Kind::Subscription => "subscription",
        };
        self.fields.iter().map(|(kind, field)| format!("{} {field}", word(kind))).collect()
    }
}

impl Kind {
    /// Without a word it is a query.
    fn of(written: Option<&OperationType>) -> Option<Self> {
        let Some(written) = written else { return Some(Self::Query) };
        let words = [
            (Self::Query, written.query_token()),
            (Self::Mutation, written.mutation_token()),
            (Self::Subscription, written.subscription_token()),
        ];
        words.into_iter().find(|(_, token)| token.is_some()).map(|(kind, _)| kind)
    }
}

/// The root fields on their way out of the document.
struct Roots {
    fragments: BTreeMap<Box<str>, FragmentDefinition>,
    /// Fragments whose fields are there already: each is walked once for each kind, however often it is spread.
    seen: BTreeSet<(Kind, Box<str>)>,
    fields: BTreeSet<(Kind, Box<str>)>,
}

impl Roots {
    /// Every field that may come to be at the root, whatever directives and type conditions say.
    fn collect(&mut self, kind: Kind, selections: SelectionSet) -> Result<(), Unreadable> {
        let mut left = vec![selections];
        while let Some(selections) = left.pop() {
            for selection in selections.selections() {
                match selection {
                    Selection::Field(field) => {
                        self.fields.insert((kind, text_of(field.name())?));
                    }
                    Selection::InlineFragment(fragment) => {
                        left.push(fragment.selection_set().ok_or(Unreadable::Graphql)?);
                    }
                    Selection::FragmentSpread(spread) => {
                        let name = text_of(spread.fragment_name().and_then(|name| name.name()))?;
                        let fragment = self.fragments.get(&name).ok_or(Unreadable::Fragment)?;
                        if self.seen.insert((kind, name)) {
                            left.push(fragment.selection_set().ok_or(Unreadable::Graphql)?);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

fn text_of(name: Option<Name>) -> Result<Box<str>, Unreadable> {
    let token = name.and_then(|name| name.ident_token()).ok_or(Unreadable::Graphql)?;
    Ok(token.text().into())
}

/// Whether it is a string that goes on in another line, which not all lexers say of the first sign.
fn is_broken(token: &SyntaxToken) -> bool {
    token.kind() == SyntaxKind::STRING && !token.text().starts_with("\"\"\"") && token.text().contains(['\n', '\r'])
}

/// A comment ends with its line, and not all servers agree on what else than CR and LF ends one. A byte order mark is as uncertain.
fn ends_lines_for_some(letter: char) -> bool {
    let plain = matches!(letter, '\t' | '\n' | '\r');
    letter.is_control() && !plain || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

const TYPENAME: &str = "__typename";
const INTROSPECTION: &str = "__";
/// Of selections, lists, objects and types in each other.
const MAX_DEPTH: usize = 64;
const MAX_TOKENS: usize = 10_000;

#[cfg(test)]
#[path = "graphql_tests.rs"]
mod tests;
