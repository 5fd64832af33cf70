/// What one provider wants and how it answers, as its documentation has it: a plain record, written without a look at how the gateway is
/// configured. Paths begin with a slash. In templates stand `$access`, `$refresh`, `$in` (seconds), `$at` (Unix seconds), `$date`
/// (RFC 3339), `$scopes` (a JSON list), `$scope` (text), `$id`, `$name`, `$origin` (of the API), `$idtoken` and `$code` (an error's).
#[derive(Debug, Clone, Copy)]
pub struct Wants {
    /// What it is called in messages, and its provider's id at the gateway.
    pub name: &'static str,
    /// Below its own origin.
    pub authorize: &'static str,
    /// Below its own origin.
    pub token: &'static str,
    /// The gateway's client there.
    pub client_id: &'static str,
    /// What it may prove itself by.
    pub secret: &'static str,
    /// How.
    pub client: Client,
    /// How the exchange of a code is encoded.
    pub exchange: Body,
    /// Whether codes are protected.
    pub pkce: Pkce,
    /// The parameter with the scopes in the authorization request; the empty text where there are none.
    pub scope_parameter: &'static str,
    /// Between two scopes there.
    pub separator: char,
    /// The scopes that there are; a request for another is refused.
    pub scopes: &'static [&'static str],
    /// Those among them without which a connection would be worth nothing.
    pub must: &'static [&'static str],
    /// Between two scopes in `$scope`.
    pub granted_separator: char,
    /// Parameters of the authorization request that must be there, with these values.
    pub asks: &'static [(&'static str, &'static str)],
    /// What the standard's parameters are called: its name, then theirs.
    pub names: &'static [(&'static str, &'static str)],
    /// Headers of requests to the token endpoint; the empty text stands for anything.
    pub token_headers: &'static [(&'static str, &'static str)],
    /// Further parameters of the exchange and of refreshes.
    pub token_parameters: &'static [(&'static str, &'static str)],
    /// What the exchange is answered with.
    pub answer: &'static str,
    /// The type of both answers.
    pub answer_type: &'static str,
    /// The body of a refusal.
    pub refusal: &'static str,
    /// For a code that is void.
    pub bad_code: (u16, &'static str),
    /// For a verifier that is not the challenge's.
    pub bad_verifier: (u16, &'static str),
    /// For a refresh token that is void.
    pub void: (u16, &'static str),
    /// For a client that is not known.
    pub bad_client: (u16, &'static str),
    /// In seconds; `None` where access tokens do not end.
    pub lifetime: Option<u64>,
    /// In seconds.
    pub code_lifetime: u64,
    /// How tokens are renewed.
    pub refresh: Refresh,
    /// How tokens are given back.
    pub revoke: Option<Revoke>,
    /// Who says who signed in.
    pub who: Who,
    /// The path of its issuer, where it publishes metadata; or a whole URL, which its ID tokens name.
    pub issuer: Option<&'static str>,
    /// Where the API is.
    pub api: Place,
    /// Below that origin.
    pub api_path: &'static str,
    /// Where the API looks for the token.
    pub credential: Credential,
    /// Headers that the API wants, likewise.
    pub api_headers: &'static [(&'static str, &'static str)],
    /// How the API says that a token is over: status, `WWW-Authenticate`, body.
    pub expired: (u16, &'static str, &'static str),
}

/// How a client proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// In the body.
    Post,
    /// HTTP Basic, form-encoded first (RFC 6749 §2.3.1).
    Basic,
    /// HTTP Basic of the two as they are.
    BasicPlain,
    /// By its id alone.
    Public,
}

/// How parameters are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// One JSON object.
    Json,
    /// A GET with a query.
    Query,
}

/// What becomes of proof keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    /// S256 must be there.
    Required,
    /// Checked where it is there.
    Optional,
    /// An unknown parameter, which is refused.
    Refused,
}

/// How tokens are renewed.
#[derive(Debug, Clone, Copy)]
pub struct Refresh {
    /// What becomes of what was presented.
    pub rotation: Rotation,
    /// Where; the token endpoint if empty.
    pub path: &'static str,
    /// How the request is encoded.
    pub body: Body,
    /// The value of `grant_type`.
    pub grant_type: &'static str,
    /// The parameter with the token.
    pub parameter: &'static str,
    /// What it is answered with; as an exchange if empty.
    pub answer: &'static str,
    /// Further parameters of a refresh alone.
    pub parameters: &'static [(&'static str, &'static str)],
}

/// What becomes of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Another one with every use; a second use ends the whole grant.
    SingleUse,
    /// Another one with every use, and the old one goes on being good.
    Rolling,
    /// It is kept, and comes back or does not, as the template has it.
    Kept,
    /// There is none, and nothing is renewed.
    None,
    /// There is none: a live access token brings another one.
    Access,
}

/// How tokens are given back.
#[derive(Debug, Clone, Copy)]
pub struct Revoke {
    /// Where.
    pub path: &'static str,
    /// The method.
    pub method: &'static str,
    /// How the request is encoded.
    pub body: Body,
    /// What proves that it may be done.
    pub proof: Proof,
    /// The parameter with the token.
    pub parameter: &'static str,
    /// Which token.
    pub takes: Takes,
}

/// What proves that a token may be given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The client, as at the token endpoint.
    Client,
    /// The client by HTTP Basic.
    Basic,
    /// The client in the body.
    Post,
    /// The access token in the `Authorization` header.
    Bearer,
    /// Nothing.
    Nobody,
}

/// Which token is taken back; either ends the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Whichever.
    Either,
    /// Only an access token is known there.
    Access,
    /// Only a refresh token is known there.
    Refresh,
}

/// Who says who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// This path of its own origin, with this body; the token stands where the API wants it.
    Userinfo(&'static str, &'static str),
    /// The answer to the code.
    Answer,
    /// Nobody: each consent is an account of its own.
    Nobody,
}

/// Where the API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where everything is.
    Here,
    /// At another origin, which the answer names.
    Named,
}

/// Where an API looks for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The header's name, and what stands before the token.
    Header(&'static str, &'static str),
    /// HTTP Basic: the token as user name, and this as password.
    User(&'static str),
    /// HTTP Basic: this as user name, and the token as password.
    Password(&'static str),
    /// A parameter of the query.
    Query(&'static str),
}

/// The gateway's secret at the acting providers: with everything in it that an encoding can get wrong.
pub const SECRET: &str = "Acting+secret/of=the&gateway:100%25";

impl Wants {
    /// What the standards have: RFC 6749, 6750, 7009, 7636, and OpenID Connect's userinfo.
    pub const STANDARD: Self = Self {
        name: "standard",
        authorize: "/authorize",
        token: "/token",
        client_id: "ath-gateway",
        secret: SECRET,
        client: Client::Post,
        exchange: Body::Form,
        pkce: Pkce::Required,
        scope_parameter: "scope",
        separator: ' ',
        scopes: &[],
        must: &[],
        granted_separator: ' ',
        asks: &[],
        names: &[],
        token_headers: &[],
        token_parameters: &[],
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","token_type":"Bearer","expires_in":$in,"scope":"$scope"}"#,
        answer_type: "application/json",
        refusal: r#"{"error":"$code"}"#,
        bad_code: (400, "invalid_grant"),
        bad_verifier: (400, "invalid_grant"),
        void: (400, "invalid_grant"),
        bad_client: (401, "invalid_client"),
        lifetime: Some(3600),
        code_lifetime: 60,
        refresh: Refresh::STANDARD,
        revoke: None,
        who: Who::Userinfo("/userinfo", r#"{"sub":"$id","email":"$name"}"#),
        issuer: None,
        api: Place::Here,
        api_path: "/api",
        credential: Credential::Header("authorization", "Bearer "),
        api_headers: &[],
        expired: (401, "Bearer error=\"invalid_token\"", r#"{"error":"invalid_token"}"#),
    };
}

impl Refresh {
    /// RFC 6749 §6, with another refresh token each time.
    pub const STANDARD: Self = Self {
        rotation: Rotation::SingleUse,
        path: "",
        body: Body::Form,
        grant_type: "refresh_token",
        parameter: "refresh_token",
        answer: "",
        parameters: &[],
    };
    /// The same as JSON.
    pub const JSON: Self = Self { body: Body::Json, ..Self::STANDARD };
    /// The refresh token stays the same.
    pub const KEPT: Self = Self { rotation: Rotation::Kept, ..Self::STANDARD };
    /// It stays the same, and does not come back.
    pub const SILENT: Self =
        Self { answer: r#"{"access_token":"$access","token_type":"Bearer","expires_in":$in}"#, ..Self::KEPT };
    /// Another one comes each time, and none ends.
    pub const ROLLING: Self = Self { rotation: Rotation::Rolling, ..Self::STANDARD };
    /// There is none.
    pub const NONE: Self = Self { rotation: Rotation::None, ..Self::STANDARD };
}

impl Revoke {
    /// RFC 7009 at this path.
    #[must_use]
    pub const fn at(path: &'static str) -> Self {
        Self { path, method: "POST", body: Body::Form, proof: Proof::Client, parameter: "token", takes: Takes::Either }
    }
}
