//! What an answer of a token endpoint, or the absence of one, says about the configuration.

use oauth::{ClientAuth, ErrorCode, OAuthError, Provider, TokenRequest, TransportErrorKind};

use super::heard::Said;
use super::report::Finding;

/// Which endpoint was asked, by what the configuration calls it.
pub(super) struct Asked<'a> {
    /// For people: `token endpoint https://…`.
    pub(super) about: String,
    /// The key with its URL.
    pub(super) key: &'static str,
    /// What was presented, which nobody ever issued.
    pub(super) presented: &'static str,
    pub(super) client: &'a Provider,
}

impl Asked<'_> {
    /// Of a request that was refused, as it had to be, or came to nothing.
    pub(super) fn judged(self, error: &OAuthError, said: Option<&Said>) -> Finding {
        let key = self.key;
        let Some(said) = said else { return self.unheard(error) };
        let status = said.status.as_u16();
        if said.is_missing() {
            return Finding::wrong(self.about, format!("is not there ({status}); look at {key}"));
        }
        if said.status.is_redirection() {
            let to = said.location.as_deref().unwrap_or("nowhere");
            return Finding::wrong(
                self.about,
                format!("sends elsewhere ({status} to {to}); write that URL if it is the provider's"),
            );
        }
        if status == 415 {
            let now = if self.client.settings().token_request == TokenRequest::Json { "json" } else { "form" };
            return Finding::wrong(
                self.about,
                format!("does not take what token_request = \"{now}\" sends (415); write the other one"),
            );
        }
        if said.status.is_server_error() || matches!(status, 408 | 429) {
            return Finding::wrong(self.about, format!("cannot answer ({status}); try again later, or look at {key}"));
        }
        if said.page {
            return Finding::wrong(self.about, format!("answers with a web page ({status}); {key} is another URL"));
        }
        self.by_code(error, said)
    }

    fn by_code(self, error: &OAuthError, said: &Said) -> Finding {
        let settings = self.client.settings();
        let status = said.status.as_u16();
        let code = said.code(&settings.answer.error).unwrap_or("no code").to_owned();
        let secret = if settings.client_secret.is_some() { "client_id, client_secret" } else { "client_id" };
        match error {
            OAuthError::Refused { code: ErrorCode::InvalidGrant } => Finding::well(
                self.about,
                format!(
                    "knows the gateway's client, and refuses a {} that nobody issued ({status} {code})",
                    self.presented
                ),
            ),
            OAuthError::Refused { code: ErrorCode::InvalidClient } => {
                let basic = said.wants_basic && settings.client_auth == ClientAuth::Post;
                let remedy = if basic {
                    "it asks for Basic: write client_auth = \"basic\"".to_owned()
                } else {
                    format!("look at {secret} and client_auth")
                };
                Finding::wrong(self.about, format!("does not know the gateway's client ({status} {code}); {remedy}"))
            }
            OAuthError::Refused { code: ErrorCode::UnauthorizedClient | ErrorCode::UnsupportedGrantType } => {
                Finding::wrong(
                    self.about,
                    format!("does not let this client do that ({status} {code}); allow the grant there"),
                )
            }
            OAuthError::Refused { code: ErrorCode::Operator } if code.contains("verifier") => Finding::note(
                self.about,
                format!(
                    "refuses an invented {} for its verifier ({status} {code}); if consents fail with that, look at pkce",
                    self.presented
                ),
            ),
            OAuthError::Refused { code: ErrorCode::Operator } => Finding::wrong(
                self.about,
                format!(
                    "refuses with what [[provider.oauth.error]] blames on the client ({status} {code}); look at {secret}"
                ),
            ),
            OAuthError::Refused { .. } => self.in_other_words(said),
            OAuthError::Nonsense(word) => Finding::wrong(
                self.about,
                format!(
                    "answers otherwise than a token endpoint does ({status}, {word}); look at {}, token_request and answer",
                    self.key
                ),
            ),
            error => self.unheard(error),
        }
    }

    /// A refusal whose code is none of the standard's, or stands where nobody looks.
    fn in_other_words(self, said: &Said) -> Finding {
        let settings = self.client.settings();
        let status = said.status.as_u16();
        if let Some((place, code)) = said.hidden_code(&settings.answer.error) {
            let says = format!(
                "refuses with {code} ({status}), at {place}, where the gateway does not look; add `answer = {{ error = [\"/error\", \"{place}\"] }}`"
            );
            return Finding::wrong(self.about, says);
        }
        let code = said.code(&settings.answer.error).unwrap_or("no code");
        Finding::note(
            self.about,
            format!(
                "refuses a {} that nobody issued, in words of its own ({status} {code}); if that means that the client is unknown, look at \
                 client_id and client_secret, and say what codes mean with [[provider.oauth.error]]",
                self.presented
            ),
        )
    }

    fn unheard(self, error: &OAuthError) -> Finding {
        match error {
            OAuthError::Undiscovered(_) => Finding::note(self.about, "was not asked, since the metadata was not read"),
            error => Finding::wrong(self.about, format!("{}; {}", cause(error), mend(error))),
        }
    }
}

/// What went wrong, with what the system said last about it.
pub(crate) fn cause(error: &OAuthError) -> String {
    let mut last = None;
    let mut source = std::error::Error::source(error);
    while let Some(next) = source {
        last = Some(next.to_string());
        source = next.source();
    }
    match (error, last) {
        (OAuthError::Transport(failure), Some(last)) => format!("{}: {last}", failure.kind()),
        (error, _) => error.to_string(),
    }
}

/// What to do about it.
pub(super) fn mend(error: &OAuthError) -> &'static str {
    match error {
        OAuthError::Undiscovered(inner) => mend(inner),
        OAuthError::Transport(failure) if failure.kind() == TransportErrorKind::Connect => connecting(&cause(error)),
        OAuthError::Transport(failure) if failure.kind() == TransportErrorKind::Timeout => {
            "look whether this machine may reach it, or raise timeout"
        }
        OAuthError::Transport(_) => "look whether something stands between",
        OAuthError::Nonsense("discovery_issuer") => "write the issuer as its metadata has it",
        OAuthError::Retry { .. } => "try again later",
        _ => "look at issuer",
    }
}

fn connecting(cause: &str) -> &'static str {
    let says = |word: &str| cause.to_ascii_lowercase().contains(word);
    if says("lookup address") || says("name or service") || says("nodename") {
        "look at the host's name, and whether names are found on this machine"
    } else if says("refused") {
        "nothing listens there: look at host and port, and whether the service runs"
    } else if says("invalidcontenttype") || says("corrupt message") {
        "no TLS is spoken there: look at the port, or at the scheme"
    } else if says("certificate") && says("expired") {
        "its certificate is over, or this machine's clock is wrong: have the service renew it, or set the clock"
    } else if says("notvalidforname") || says("not valid for name") {
        "its certificate is for other names: write the name that it is for"
    } else if says("certificate") || says("unknownissuer") {
        "name the authority of its certificate with ca_file, or look at the host's name"
    } else {
        "look whether this machine may reach it"
    }
}
