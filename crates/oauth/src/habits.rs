//! What a provider does in another way than the standards have it, as data.

use serde_json::Value;

use crate::error::ErrorCode;
use crate::pointer::Pointer;
use crate::settings::TokenRequest;

/// Where the members of a token endpoint's answer lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerForm {
    /// The access token.
    pub access_token: Pointer,
    /// The refresh token.
    pub refresh_token: Pointer,
    /// The access token's lifetime in seconds.
    pub expires_in: Pointer,
    /// The access token's end: seconds since 1970, or a date (RFC 3339). What `expires_in` says counts before it.
    pub expires_at: Pointer,
    /// The refresh token's lifetime in seconds, where that is not where most have it.
    pub refresh_expires_in: Option<Pointer>,
    /// The granted scopes.
    pub scope: Pointer,
    /// Where the account's API is.
    pub api_base: Option<Pointer>,
    /// An error's code: in the first of these places that has a text, or else whatever is there.
    pub error: Vec<Pointer>,
    /// The parts of the provider's own, lasting name for the account, where the answer to a code has them. All of them must be there.
    pub subject: Vec<Pointer>,
    /// What a person would know that account by, best first.
    pub name: Vec<Pointer>,
    /// What a success has; an answer without it is none, whatever its status.
    pub success: Option<Success>,
}

/// What says that an answer is a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// Where it stands.
    pub pointer: Pointer,
    /// What stands there.
    pub value: Value,
}

impl Default for AnswerForm {
    /// RFC 6749 §5.1 and §5.2.
    fn default() -> Self {
        Self {
            access_token: Pointer::member("access_token"),
            refresh_token: Pointer::member("refresh_token"),
            expires_in: Pointer::member("expires_in"),
            expires_at: Pointer::member("expires_at"),
            refresh_expires_in: None,
            scope: Pointer::member("scope"),
            api_base: None,
            error: vec![Pointer::member("error")],
            subject: Vec::new(),
            name: Vec::new(),
            success: None,
        }
    }
}

/// What a refusal of the token endpoint means, where it is not what the standard's codes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRule {
    /// The HTTP status; any, if left out.
    pub status: Option<u16>,
    /// The provider's code; any, also none, if left out.
    pub code: Option<String>,
    /// What it means.
    pub means: Meaning,
}

/// What a refusal means for the person's grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The code or refresh token is void: only a new consent helps.
    Reconnect,
    /// It passes.
    Retry,
    /// The gateway's own client is at fault: the operator's matter, and no grant's.
    Operator,
}

impl ErrorRule {
    /// A rule that names no code says nothing about those by which the protocols steer.
    fn fits(&self, status: u16, code: Option<&str>) -> bool {
        let steers = || code.is_some_and(|code| ErrorCode::parse(code).steers());
        let named = self.code.as_deref().map_or_else(|| !steers(), |wanted| code == Some(wanted));
        named && self.status.is_none_or(|wanted| wanted == status)
    }
}

/// The meaning that the first fitting rule gives.
pub(crate) fn meaning(rules: &[ErrorRule], status: u16, code: Option<&str>) -> Option<Meaning> {
    rules.iter().find(|rule| rule.fits(status, code)).map(|rule| rule.means)
}

/// How a provider wants to be told that a token is given back, where that is not RFC 7009.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevokeForm {
    /// How the request is encoded, where that is not as all others are.
    pub encoding: Option<TokenRequest>,
    /// Its method.
    pub method: RevokeMethod,
    /// Who the gateway is there.
    pub auth: RevokeAuth,
    /// What the parameter with the token is called; `token` by default.
    pub parameter: Option<String>,
    /// Which token is wanted.
    pub token: RevokedToken,
}

/// The method of a revocation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevokeMethod {
    /// As RFC 7009 §2.1 has it.
    #[default]
    Post,
    /// With a body all the same.
    Delete,
}

/// What proves to the revocation endpoint that the token may be given back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevokeAuth {
    /// The client, as it proves itself everywhere.
    #[default]
    AsClient,
    /// The client, by `client_secret_basic`.
    Basic,
    /// The client, by `client_secret_post`.
    Post,
    /// The token itself, as a bearer token and nowhere else.
    Bearer,
    /// Nothing: whoever has the token may give it back.
    Nothing,
}

/// Which of its tokens a provider wants back (RFC 7009 §2.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RevokedToken {
    /// The refresh token, then the access token.
    #[default]
    Both,
    /// The refresh token alone; where there is none, the access token.
    Refresh,
    /// The access token alone.
    Access,
}

#[cfg(test)]
#[path = "habits_tests.rs"]
mod tests;
