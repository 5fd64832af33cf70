use std::sync::Arc;
use std::time::Duration;

use oauth::{HttpClient, Placement};
use policy::Operations;
use protocol::{ProviderId, Scope, ScopeSet};
use secret::SecretHash;
use url::Url;

use crate::scope_names::ScopeNames;
use crate::{Bases, People, RefreshTokenLife, Way};

/// A provider, as the broker knows it: who it is, what may be asked of it, and how its OAuth works.
pub struct Provider {
    /// As it stands in paths.
    pub id: ProviderId,
    /// As people read it.
    pub display_name: String,
    /// Free words about what it is.
    pub categories: Vec<String>,
    /// A host name of its own at the gateway.
    pub host: Option<String>,
    /// A path of its own at the gateway, as in `/helpdesk`.
    pub path_prefix: Option<String>,
    /// Where its answers come back to.
    pub returns: ReturnPath,
    /// Whether its answers always name their issuer.
    pub names_itself: NamesItself,
    /// The base of its API: tokens go there alone.
    pub api_base: Url,
    /// What it serves there.
    pub api: Api,
    /// Where it is for each connection, if that is for the provider's answers to say; the path stays that of `api_base`.
    pub bases: Option<Bases>,
    /// Where the credential goes there.
    pub placement: Placement,
    /// Where its tokens come from: the token endpoint, or the issuer that says where that is; the base of its API, where there is neither.
    pub token_place: Url,
    /// Which scope allows what.
    pub operations: Operations,
    /// What it calls them.
    pub scope_names: ScopeNames,
    /// What tells its tenants apart, where hosts do not: realm, tenant, region; empty for most.
    pub realm: String,
    /// How it gives out what calls are made with.
    pub way: Way,
    /// Who may have it, where it is the operator's.
    pub people: People,
    /// What it is asked through.
    pub http: Arc<dyn HttpClient>,
    /// How long that waits for an answer at most.
    pub timeout: Duration,
    /// How many refreshes may be under way there at once, from this gateway.
    pub concurrent_refreshes: usize,
    /// How long its refresh tokens are good for.
    pub refresh_tokens: RefreshTokenLife,
    /// How long before an access token's end it is renewed: absorbs clock skew, and the time that a request is under way.
    pub refresh_before: Duration,
    /// Whether its refresh tokens are known to stay.
    pub rotation: TokenRotation,
}

/// What a provider does with a refresh token that was used, as far as the operator knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TokenRotation {
    /// It will be seen.
    #[default]
    Unknown,
    /// It stays good, so that nothing can be lost by presenting it again.
    Kept,
    /// Another one takes its place.
    SingleUse,
}

/// What a provider serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Requests of its own kind, over HTTP.
    Http,
    /// MCP (Streamable HTTP): its tools are its own.
    Mcp,
}

/// Where a provider sends the browser back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnPath {
    /// To the one callback that providers share: `/ath/callback`.
    Shared,
    /// To one of its own, so that no other provider's answer can pass for its: `/ath/callback/{provider}`.
    Own,
}

/// Whether a provider's answers name their issuer (RFC 9207).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamesItself {
    /// It says that they always do: one that does not is not its answer.
    Always,
    /// Perhaps; a wrong name is refused all the same.
    Perhaps,
}

impl Provider {
    /// Changes when tokens would go to another host than the one they were issued for, or are got in a way that is another altogether.
    pub(crate) fn fingerprint(&self) -> Vec<u8> {
        let manner = self.manner();
        let places = format!("provider\n{}\n{}{manner}", self.place(), self.api_base.origin().ascii_serialization());
        let others: Vec<String> = self.settings().map(oauth::Settings::other_places).unwrap_or_default();
        // As it was in earlier versions wherever nothing more is to be told apart.
        let places = if others.is_empty() { places } else { format!("{places}\n{}", others.join("\n")) };
        SecretHash::of(&places).to_hex().into_bytes()
    }

    /// Where its people and tokens come from: two tenants of one host are two places.
    pub(crate) fn place(&self) -> String {
        let origin = self.token_place.origin().ascii_serialization();
        if self.realm.is_empty() { origin } else { format!("{origin}\n{}", self.realm) }
    }

    /// The provider's words for `scopes`. What its answers named besides, and nobody configured, is not asked for: it may be a word that
    /// the provider itself would not take.
    pub(crate) fn asks<'a>(&'a self, scopes: &'a ScopeSet) -> Vec<&'a str> {
        let known = self.operations.scopes();
        self.scope_names.words_of(scopes.iter().filter(|scope| known.contains(scope)))
    }

    /// Whether the scopes in its answers are what was granted.
    pub(crate) fn scopes_are_answered(&self) -> bool {
        self.client().is_ok_and(|client| client.settings().scope_answer == oauth::ScopeAnswer::Read)
    }

    /// What was granted of `asked`, by the scopes in the provider's answer.
    pub(crate) fn granted(&self, answer: Option<&[String]>, asked: &ScopeSet) -> ScopeSet {
        let Some(settings) = self.settings() else { return asked.clone() };
        // They are the gateway's own affair, and nobody misses them.
        let further = settings.further_scopes.iter().filter_map(|further| Scope::parse(further).ok());
        let further: ScopeSet = further.filter(|further| !asked.contains(further)).collect();
        self.scope_names.granted(answer, settings.scope_answer, asked).difference(&further)
    }

    /// Whether it is the one that a record was made for. Records of earlier versions that bear no mark are taken as its own.
    pub(crate) fn is_marked(&self, mark: &[u8]) -> bool {
        mark.is_empty() || mark == self.fingerprint()
    }

    /// What a scope lets an agent do, in words.
    pub(crate) fn says(&self, scope: &Scope) -> String {
        self.operations.says(scope).unwrap_or(scope.as_str()).to_owned()
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({})", self.id)
    }
}
