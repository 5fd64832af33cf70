use serde::Deserialize;

/// What people want to know of a preset before they rely on it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// What people call the provider.
    pub title: String,
    /// What it is unlike the standards in, in a few words.
    pub class: String,
    /// The page of the provider's own documentation that it follows, an https URL.
    pub documentation: String,
    /// The hosts that its URLs lead to, placeholders included.
    pub hosts: Vec<String>,
    /// What it was made from.
    pub sources: Sources,
    /// When that was read, as `2026-09`.
    pub read: String,
    /// What an operator has to know or to do besides.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Keys of the provider's table that nobody found in its documentation, as `oauth.pkce`.
    #[serde(default)]
    pub unverified: Vec<String>,
}

/// What a preset was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sources {
    /// The provider's own documentation.
    Documentation,
    /// General knowledge, compared with what other programs have.
    CrossChecked,
    /// General knowledge.
    Unverified,
}

impl Sources {
    /// As it stands in the files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Documentation => "documentation",
            Self::CrossChecked => "cross-checked",
            Self::Unverified => "unverified",
        }
    }
}
