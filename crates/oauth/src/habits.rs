//! What a provider does in another way than the standards have it, as data.

use serde_json::Value;

use crate::pointer::Pointer;

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
    /// The granted scopes.
    pub scope: Pointer,
    /// An error's code; the first of these that is there.
    pub error: Vec<Pointer>,
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
            scope: Pointer::member("scope"),
            error: vec![Pointer::member("error")],
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
    fn fits(&self, status: u16, code: Option<&str>) -> bool {
        self.status.is_none_or(|wanted| wanted == status)
            && self.code.as_deref().is_none_or(|wanted| code == Some(wanted))
    }
}

/// The meaning that the first fitting rule gives.
pub(crate) fn meaning(rules: &[ErrorRule], status: u16, code: Option<&str>) -> Option<Meaning> {
    rules.iter().find(|rule| rule.fits(status, code)).map(|rule| rule.means)
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
