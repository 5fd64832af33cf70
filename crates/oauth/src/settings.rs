use http::HeaderMap;
use secret::ClientSecret;
use url::Url;

use crate::assertion::ClientKey;
use crate::discovery::Discovery;
use crate::dpop::TokenBinding;
use crate::error::OAuthError;
use crate::habits::{AnswerForm, ErrorRule, RevokeForm};
use crate::{Endpoint, Placement, Pointer, ProtectedResource, Userinfo};

/// How one provider's OAuth works. A plain record: whatever can be wrong about a single value is ruled out by its type.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the browser is sent. A query that it has already is kept. `None` where the metadata says it, or nobody is sent.
    pub authorize_endpoint: Option<Endpoint>,
    /// Where codes and refresh tokens are exchanged; `None` where the metadata says it.
    pub token_endpoint: Option<Endpoint>,
    /// Where codes for people to type in are asked for (RFC 8628).
    pub device_endpoint: Option<Endpoint>,
    /// Whether the provider's metadata fills in what is not set here.
    pub discovery: Option<Discovery>,
    /// Where the provider says who somebody is, when it issues no ID token.
    pub userinfo: Option<Userinfo>,
    /// Where the access token goes in requests to the API, of which userinfo is one.
    pub placement: Placement,
    /// Further headers of such requests, such as a `User-Agent` that the provider insists on.
    pub api_headers: HeaderMap,
    /// Where the userinfo endpoint's answer names the account's API.
    pub userinfo_api_base: Option<Pointer>,
    /// Where tokens are revoked (RFC 7009); without it a revocation is local only.
    pub revoke_endpoint: Option<Endpoint>,
    /// The gateway's client at the provider.
    pub client_id: String,
    /// Its secret, where it has one.
    pub client_secret: Option<ClientSecret>,
    /// Tried where the provider refuses the first with `invalid_client`: for the time in which a secret is changed.
    pub other_client_secret: Option<ClientSecret>,
    /// The key by which it proves itself instead, under [`ClientAuth::PrivateKeyJwt`].
    pub client_key: Option<ClientKey>,
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
    /// What is presented at a refresh.
    pub refresh_with: RefreshWith,
    /// What the kind of grant is called there; `refresh_token` by default.
    pub refresh_grant_type: Option<String>,
    /// What the parameter with the token is called there.
    pub refresh_parameter: Option<String>,
    /// Further parameters of a refresh, besides `token_parameters`.
    pub refresh_parameters: Vec<(String, String)>,
    /// What the revocation endpoint wants.
    pub revoke: RevokeForm,
    /// What the provider calls the standard's parameters: the standard's name, then its own. Everywhere.
    pub parameter_names: Vec<(String, String)>,
    /// Where the members of the token endpoint's answers lie.
    pub answer: AnswerForm,
    /// The same of answers to a refresh, where those look otherwise.
    pub refresh_answer: Option<AnswerForm>,
    /// Whether the scopes in answers are what was granted.
    pub scope_answer: ScopeAnswer,
    /// What its tokens are bound to.
    pub binding: TokenBinding,
    /// What it may call its tokens (`token_type`, RFC 6749 §7.1) besides nothing at all; in any case.
    pub token_types: Vec<String>,
    /// What the token endpoint's refusals mean, before the standard's codes are asked.
    pub errors: Vec<ErrorRule>,
    /// Where no endpoint is set: the resource whose word leads to them.
    pub protected_resource: Option<ProtectedResource>,
    /// What tokens are asked for (RFC 8707), whatever a request says; by default what a request says.
    pub resource: Option<String>,
    /// What is asked for where a request names no scope.
    pub default_scopes: Vec<String>,
    /// Whether PKCE is used.
    pub pkce: Pkce,
    /// Sent as it stands, never normalised: providers compare it byte for byte.
    pub redirect_uri: String,
    /// Between two scopes: a space (RFC 6749 §3.3), or a comma for those who have it so.
    pub scope_separator: char,
    /// The name of the scope parameter: `scope`, or what the provider calls it.
    pub scope_parameter: String,
    /// Scopes that every request asks for besides what it is for, such as `offline_access`.
    pub further_scopes: Vec<String>,
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
            authorize_endpoint: Some(authorize_endpoint),
            token_endpoint: Some(token_endpoint),
            ..Self::of_client(client_id, redirect_uri)
        }
    }

    /// The same where endpoints are yet to be known.
    #[must_use]
    pub fn of_client(client_id: impl Into<String>, redirect_uri: impl Into<String>) -> Self {
        Self {
            authorize_endpoint: None,
            token_endpoint: None,
            device_endpoint: None,
            discovery: None,
            userinfo: None,
            placement: Placement::bearer(),
            api_headers: HeaderMap::new(),
            userinfo_api_base: None,
            revoke_endpoint: None,
            client_id: client_id.into(),
            client_secret: None,
            other_client_secret: None,
            client_key: None,
            client_auth: ClientAuth::Basic,
            token_request: TokenRequest::Form,
            token_parameters: Vec::new(),
            refresh_endpoint: None,
            refresh_request: None,
            refresh_with: RefreshWith::RefreshToken,
            refresh_grant_type: None,
            refresh_parameter: None,
            refresh_parameters: Vec::new(),
            revoke: RevokeForm::default(),
            parameter_names: Vec::new(),
            answer: AnswerForm::default(),
            refresh_answer: None,
            scope_answer: ScopeAnswer::Read,
            binding: TokenBinding::Bearer,
            token_types: vec!["bearer".to_owned()],
            errors: Vec::new(),
            protected_resource: None,
            resource: None,
            default_scopes: Vec::new(),
            pkce: Pkce::S256,
            redirect_uri: redirect_uri.into(),
            scope_separator: ' ',
            scope_parameter: "scope".to_owned(),
            further_scopes: Vec::new(),
            authorize_parameters: Vec::new(),
            token_headers: HeaderMap::new(),
            issuer: None,
            default_lifetime: None,
        }
    }
}

impl Settings {
    /// The place that tokens are bound to: the token endpoint, or else the issuer that says where it is.
    #[must_use]
    pub fn token_place(&self) -> Option<&Url> {
        let issuer = || Some(self.discovery.as_ref()?.issuer.url());
        let resource = || Some(self.protected_resource.as_ref()?.url.url());
        self.token_endpoint.as_ref().map(Endpoint::url).or_else(issuer).or_else(resource)
    }

    /// The origins of endpoints where tokens go besides the token endpoint's, in order.
    #[must_use]
    pub fn other_places(&self) -> Vec<String> {
        let userinfo = self.userinfo.as_ref().map(|userinfo| &userinfo.endpoint);
        let endpoints = [self.refresh_endpoint.as_ref(), self.revoke_endpoint.as_ref(), userinfo];
        let own = self.token_place().map(Url::origin);
        let listed = self.protected_resource.iter().flat_map(|resource| &resource.authorization_servers);
        let origins = endpoints.into_iter().flatten().chain(listed).map(|endpoint| endpoint.url().origin());
        let mut others: Vec<String> =
            origins.filter(|origin| Some(origin) != own.as_ref()).map(|origin| origin.ascii_serialization()).collect();
        others.sort();
        others.dedup();
        others
    }

    /// Whether tokens would go to another place than by `before`.
    pub(crate) fn token_place_moved(&self, before: &Self) -> bool {
        let moved = |now: &Option<Endpoint>, then: &Option<Endpoint>| {
            now.as_ref().zip(then.as_ref()).is_some_and(|(now, then)| now.url().origin() != then.url().origin())
        };
        moved(&self.token_endpoint, &before.token_endpoint) || moved(&self.revoke_endpoint, &before.revoke_endpoint)
    }

    /// The parameter with the scopes; none where there are none.
    pub(crate) fn scope_pair<'a>(&'a self, scope: &'a str) -> Option<(&'a str, &'a str)> {
        (!scope.is_empty()).then_some((self.scope_parameter.as_str(), scope))
    }

    /// The resource of a request for tokens.
    pub(crate) fn resource_of<'a>(&'a self, asked: Option<&'a str>) -> Option<&'a str> {
        self.resource.as_deref().or(asked)
    }

    pub(crate) fn token_endpoint(&self) -> Result<&Endpoint, OAuthError> {
        self.token_endpoint.as_ref().ok_or(OAuthError::Nonsense("no_token_endpoint"))
    }

    /// What the provider calls one of the standard's parameters.
    pub(crate) fn parameter<'a>(&'a self, standard: &'a str) -> &'a str {
        let own = self.parameter_names.iter().find(|(name, _)| name == standard);
        own.map_or(standard, |(_, own)| own.as_str())
    }

    /// Scopes as the provider reads them, with those that every request asks for; each once.
    pub(crate) fn scope_text(&self, scopes: &[&str]) -> String {
        let further = self.further_scopes.iter().map(String::as_str).filter(|further| !scopes.contains(further));
        let named = scopes.is_empty() && self.further_scopes.is_empty();
        let default = self.default_scopes.iter().map(String::as_str).filter(|_| named);
        let all: Vec<&str> = scopes.iter().copied().chain(further).chain(default).collect();
        all.join(self.scope_separator.to_string().as_str())
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
    /// The same with both as they are, for servers that do not decode them.
    BasicPlain,
    /// `client_secret_post`: `client_id` and `client_secret` in the body, in whatever encoding the body has.
    Post,
    /// `private_key_jwt`: a statement that the client's key signed (RFC 7523).
    PrivateKeyJwt,
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
    /// In the URL of a GET, where it stands in the logs of whoever is on the way: for servers that know nothing else.
    Query,
}

/// What a refresh presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshWith {
    /// The refresh token (RFC 6749 §6).
    RefreshToken,
    /// The access token, while it lives: servers without refresh tokens that lengthen its life.
    AccessToken,
}

/// What is made of the scopes in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeAnswer {
    /// They are what was granted (RFC 6749 §5.1).
    Read,
    /// Nothing: they are not the words that were asked for, and what was asked for was granted.
    Ignored,
}
