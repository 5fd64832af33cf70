use http::HeaderMap;
use secret::ClientSecret;

use crate::habits::{AnswerForm, ErrorRule, RevokedToken};
use crate::{Endpoint, Userinfo};

/// How one provider's OAuth works. A plain record: whatever can be wrong about a single value is ruled out by its type.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the browser is sent. A query that it has already is kept.
    pub authorize_endpoint: Endpoint,
    /// Where codes and refresh tokens are exchanged.
    pub token_endpoint: Endpoint,
    /// Where codes for people to type in are asked for (RFC 8628).
    pub device_endpoint: Option<Endpoint>,
    /// Where the provider says who somebody is, when it issues no ID token.
    pub userinfo: Option<Userinfo>,
    /// Where tokens are revoked (RFC 7009); without it a revocation is local only.
    pub revoke_endpoint: Option<Endpoint>,
    /// The gateway's client at the provider.
    pub client_id: String,
    /// Its secret, where it has one.
    pub client_secret: Option<ClientSecret>,
    /// Tried where the provider refuses the first with `invalid_client`: for the time in which a secret is changed.
    pub other_client_secret: Option<ClientSecret>,
    /// How the secret is presented.
    pub client_auth: ClientAuth,
    /// How requests to the token endpoint are encoded.
    pub token_request: TokenRequest,
    /// Further parameters of requests to the token endpoint. One that the gateway sets itself is left out.
    pub token_parameters: Vec<(String, String)>,
    /// Where refresh tokens are exchanged, where that is not the token endpoint.
    pub refresh_endpoint: Option<Endpoint>,
    /// How requests for a refresh are encoded, where that is not as all others are.
    pub refresh_request: Option<TokenRequest>,
    /// Further parameters of a refresh, besides `token_parameters`.
    pub refresh_parameters: Vec<(String, String)>,
    /// How requests to the revocation endpoint are encoded, where that is not as all others are.
    pub revoke_request: Option<TokenRequest>,
    /// Which token the revocation endpoint wants.
    pub revoke_token: RevokedToken,
    /// What the provider calls the standard's parameters: the standard's name, then its own. Everywhere.
    pub parameter_names: Vec<(String, String)>,
    /// Where the members of the token endpoint's answers lie.
    pub answer: AnswerForm,
    /// What the token endpoint's refusals mean, before the standard's codes are asked.
    pub errors: Vec<ErrorRule>,
    /// Whether PKCE is used.
    pub pkce: Pkce,
    /// Sent as it stands, never normalised: providers compare it byte for byte.
    pub redirect_uri: String,
    /// Between two scopes: a space (RFC 6749 §3.3), or a comma for those who have it so.
    pub scope_separator: char,
    /// The name of the scope parameter: `scope`, or what the provider calls it.
    pub scope_parameter: String,
    /// Further parameters of the authorization URL, such as `access_type=offline`. One that the gateway sets itself is left out.
    pub authorize_parameters: Vec<(String, String)>,
    /// Further headers for the token and revocation endpoints. Values that are secret must be marked sensitive.
    pub token_headers: HeaderMap,
    /// The issuer identifier, which ID tokens must name exactly.
    pub issuer: Option<String>,
    /// The lifetime of an access token in seconds, where the provider does not say; `None` where it does not end by itself.
    pub default_lifetime: Option<u64>,
}

impl Settings {
    /// What the standards take for granted: form-encoded requests, `client_secret_basic`, PKCE, scopes separated by spaces.
    #[must_use]
    pub fn new(
        authorize_endpoint: Endpoint,
        token_endpoint: Endpoint,
        client_id: impl Into<String>,
        redirect_uri: impl Into<String>,
    ) -> Self {
        Self {
            authorize_endpoint,
            token_endpoint,
            device_endpoint: None,
            userinfo: None,
            revoke_endpoint: None,
            client_id: client_id.into(),
            client_secret: None,
            other_client_secret: None,
            client_auth: ClientAuth::Basic,
            token_request: TokenRequest::Form,
            token_parameters: Vec::new(),
            refresh_endpoint: None,
            refresh_request: None,
            refresh_parameters: Vec::new(),
            revoke_request: None,
            revoke_token: RevokedToken::default(),
            parameter_names: Vec::new(),
            answer: AnswerForm::default(),
            errors: Vec::new(),
            pkce: Pkce::S256,
            redirect_uri: redirect_uri.into(),
            scope_separator: ' ',
            scope_parameter: "scope".to_owned(),
            authorize_parameters: Vec::new(),
            token_headers: HeaderMap::new(),
            issuer: None,
            default_lifetime: None,
        }
    }
}

impl Settings {
    /// Scopes as one text.
    pub(crate) fn scope_list(&self, scopes: &[&str]) -> String {
        scopes.join(self.scope_separator.to_string().as_str())
    }

    /// The parameter with the scopes; none where there are none.
    pub(crate) fn scope_pair<'a>(&'a self, scope: &'a str) -> Option<(&'a str, &'a str)> {
        (!scope.is_empty()).then_some((self.scope_parameter.as_str(), scope))
    }

    /// What the provider calls one of the standard's parameters.
    pub(crate) fn parameter<'a>(&'a self, standard: &'a str) -> &'a str {
        let own = self.parameter_names.iter().find(|(name, _)| name == standard);
        own.map_or(standard, |(_, own)| own.as_str())
    }
}

/// Whether a proof key protects the code (RFC 7636). The method `plain` protects nothing and is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// SHA-256 of the verifier.
    S256,
    /// Not a parameter of it is sent, for servers that refuse what they do not know.
    None,
}

/// How the gateway's client authenticates itself (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// `client_secret_basic`: the `Authorization` header, with id and secret form-encoded first. Without a secret, as [`Self::None`].
    Basic,
    /// `client_secret_post`: `client_id` and `client_secret` in the body, in whatever encoding the body has.
    Post,
    /// A public client: `client_id` in the body alone.
    None,
}

/// How the body of a request to the token endpoint is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRequest {
    /// `application/x-www-form-urlencoded`, as RFC 6749 has it.
    Form,
    /// A JSON object of strings, as some servers have it.
    Json,
}
