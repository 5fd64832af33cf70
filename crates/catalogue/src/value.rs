use serde::Deserialize;

use crate::form::Form;

/// What an operator has to say so that a preset fits them.
#[derive(Debug, Clone)]
pub struct Value {
    name: String,
    written: Written,
    form: Form,
}

/// As it stands in a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    #[serde(default)]
    form: Option<Word>,
    #[serde(default)]
    one_of: Option<Vec<String>>,
    says: String,
    example: String,
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    same_place: Option<bool>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Label,
    Host,
    Segment,
    Base,
}

impl Value {
    pub(crate) fn new(name: String, mut written: Written) -> Self {
        let form = match (written.one_of.take(), written.form) {
            (Some(words), _) => Form::OneOf(words),
            (None, Some(Word::Label)) => Form::Label,
            (None, Some(Word::Host)) => Form::Host,
            (None, Some(Word::Base)) => Form::Base,
            // The form that holds least in a URL.
            (None, Some(Word::Segment) | None) => Form::Segment,
        };
        Self { name, written, form }
    }

    /// What stands between the braces.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it has to look like.
    #[must_use]
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// One sentence about what it is and where to find it.
    #[must_use]
    pub fn says(&self) -> &str {
        &self.written.says
    }

    /// One that has the form.
    #[must_use]
    pub fn example(&self) -> &str {
        &self.written.example
    }

    /// Whether accounts at one value and at another are at different places, as those of two tenants are; a version of an API makes none.
    #[must_use]
    pub fn tells_apart(&self) -> bool {
        self.written.same_place != Some(true)
    }

    /// What holds where the operator says nothing.
    #[must_use]
    pub fn default(&self) -> Option<&str> {
        self.written.default.as_deref()
    }
}
