use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::about::About;
use crate::error::CatalogueError;
use crate::fill;
use crate::value::{Value, Written};

/// The name of the placeholder that every preset may use: the gateway's client id at the provider, a [`crate::Form::Segment`].
pub const CLIENT_ID: &str = "client_id";

/// What is known of one provider.
#[derive(Debug, Clone)]
pub struct Preset {
    name: &'static str,
    about: About,
    values: Vec<Value>,
    provider: DeTable<'static>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    about: About,
    #[serde(default)]
    values: BTreeMap<String, Written>,
    #[expect(dead_code, reason = "is taken from the tree; here so that nothing else may stand in a file")]
    provider: serde::de::IgnoredAny,
}

impl Preset {
    pub(crate) fn parse(name: &'static str, text: &'static str) -> Result<Self, CatalogueError> {
        let broken = |error: toml::de::Error| CatalogueError::Broken { name, cause: Box::new(error) };
        let file: File = toml::from_str(text).map_err(broken)?;
        let mut tree = DeTable::parse(text).map_err(broken)?.into_inner();
        tree.make_owned();
        let provider = match tree.remove("provider").map(toml::Spanned::into_inner) {
            Some(DeValue::Table(table)) => table,
            _ => DeTable::new(),
        };
        let values = file.values.into_iter().map(|(name, written)| Value::new(name, written)).collect();
        Ok(Self { name, about: file.about, values, provider })
    }

    /// As it is written behind `preset`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What people want to know of it.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// What it wants to be told.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The keys of `[[provider]]` as they stand in the file, placeholders included.
    #[must_use]
    pub fn template(&self) -> &DeTable<'static> {
        &self.provider
    }

    /// Whether some of its strings hold the client id.
    #[must_use]
    pub fn wants_client_id(&self) -> bool {
        self.placeholders().contains(CLIENT_ID)
    }

    /// The keys of `[[provider]]`, with the values in the places of their names. Spans are those of the preset's own text.
    ///
    /// The values have been checked against their forms by the caller, since only they can say where one stands that has not.
    #[must_use]
    pub fn provider(&self, values: &BTreeMap<&str, &str>) -> DeTable<'static> {
        let mut provider = self.provider.clone();
        fill::table(&mut provider, values);
        provider
    }

    /// The names of all placeholders.
    #[must_use]
    pub fn placeholders(&self) -> BTreeSet<String> {
        placeholders(&self.provider)
    }
}

/// The names of the placeholders in a table's strings.
#[must_use]
pub fn placeholders(table: &DeTable<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    texts(table, &mut |text| found.extend(fill::placeholders(text).map(str::to_owned)));
    found
}

/// Shows every string of a table to `see`.
fn texts(table: &DeTable<'_>, see: &mut impl FnMut(&str)) {
    for value in table.values() {
        within(value.get_ref(), see);
    }
}

fn within(value: &DeValue<'_>, see: &mut impl FnMut(&str)) {
    match value {
        DeValue::String(text) => see(text),
        DeValue::Array(items) => items.iter().for_each(|item| within(item.get_ref(), see)),
        DeValue::Table(table) => texts(table, see),
        _ => {}
    }
}
