use std::path::PathBuf;
use std::time::Duration;

use broker::{Grant, NamesItself, RefreshTokenLife, ReturnPath, TokenRotation};
use oauth::{AuthChoice, ClientAuth, Endpoint, Pkce, Pointer, Settings, TokenBinding, TokenRequest, Userinfo};
use url::Url;

use super::{SignedInAt, answer, client, discovery, grant, habits, mcp};
use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::urls::{self, PlainHttp};

/// What the table says: how the provider is spoken to, and how it answers.
pub(super) struct Read {
    pub(super) settings: Settings,
    pub(super) grant: Grant,
    pub(super) secret_files: [Option<PathBuf>; 2],
    pub(super) returns: ReturnPath,
    pub(super) names_itself: NamesItself,
    pub(super) timeout: Duration,
    pub(super) concurrent_refreshes: usize,
    pub(super) refresh_tokens: RefreshTokenLife,
    pub(super) refresh_before: Duration,
    pub(super) rotation: TokenRotation,
}

pub(super) fn read(
    provider: &Table<'_>,
    key: &Key,
    (http, server): (PlainHttp, Option<&mcp::Server>),
    public_url: Option<&Url>,
    at: &SignedInAt,
) -> Option<Read> {
    let table = provider.optional_table(key)?;
    let endpoint = |key: &Key| table.parsed(key, |text| urls::endpoint(text, http)).map(|found| found.value);
    let (authorize, token) = (endpoint(&AUTHORIZE_ENDPOINT), endpoint(&TOKEN_ENDPOINT));
    let revoke_endpoint = endpoint(&REVOKE_ENDPOINT);
    let userinfo = userinfo(&table, endpoint(&USERINFO_ENDPOINT));
    let client_id = table.words(&CLIENT_ID).and_then(|found| match found.value.as_str() {
        "..." => found.place.refused("is a placeholder; write the id that the provider gave out with the client"),
        _ => Some(found),
    });
    let token_request = table.text(&TOKEN_REQUEST);
    let pkce = table.text(&PKCE);
    let separator = table.text(&SCOPE_SEPARATOR);
    let scope_parameter = table.words(&SCOPE_PARAMETER);
    let issuer = endpoint(&ISSUER);
    let client = client::read(&table, issuer.as_ref().map(Endpoint::written));
    let client_auth = client.auth;
    let follows = if client.auth_is_set { AuthChoice::Set } else { AuthChoice::Announced };
    let by_its_word = server.filter(|_| authorize.is_none() && token.is_none() && issuer.is_none());
    let (discovery, hosts) = discovery::read(&table, issuer.as_ref(), http, (follows, by_its_word.is_some()));
    let protected_resource = mcp::protected_resource(&table, by_its_word, (http, follows), hosts);
    let grant = grant::read(&table, http, token.as_ref(), at);
    let browser = grant::sends_the_browser(&table);
    if !table.boolean(&discovery::DISCOVERY) && by_its_word.is_none() {
        name_missing_endpoints(&table, browser);
    }
    let returns = table.text(&CALLBACK);
    let sends_iss = table.boolean(&SENDS_ISS);
    if let Some(place) = table.written(&SENDS_ISS).filter(|_| sends_iss && issuer.is_none()) {
        place.problem("needs to know which issuer; add `issuer = \"https://...\"`, or remove it");
    }
    let default_lifetime = default_lifetime(&table);
    let refresh_before = table.duration(&REFRESH_BEFORE);
    if let Some((before, lifetime)) = refresh_before.zip(default_lifetime)
        && before.as_secs() >= lifetime
        && let Some(place) = table.written(&REFRESH_BEFORE)
    {
        place.warning("is no shorter than default_lifetime, so that every call renews the token; make it shorter");
    }
    let rotation = match table.text(&ROTATION).map(|found| found.value) {
        Some("kept") => TokenRotation::Kept,
        Some("single_use") => TokenRotation::SingleUse,
        _ => TokenRotation::Unknown,
    };
    let timeout = table.duration(&TIMEOUT);
    let concurrent_refreshes = concurrent_refreshes(&table);
    let refresh_tokens = refresh_tokens(&table);
    let habits = habits::read(&table, http);
    let scope_parameter = scope_parameter?.value;
    let authorize_parameters = authorize_parameters(&table, &scope_parameter);
    let pkce = if pkce?.value == "none" { Pkce::None } else { Pkce::S256 };
    if browser && pkce == Pkce::None && client_auth == ClientAuth::None {
        let message = "has neither a client secret nor PKCE: whoever sees a code can use it; add client_secret, or pkce = \"s256\"";
        table.place().warning(message);
    }
    let grant = grant?;
    let settings = Settings {
        device_endpoint: grant.device_endpoint,
        authorize_endpoint: authorize,
        token_endpoint: token,
        discovery,
        protected_resource,
        resource: server.map(|server| server.url.written().to_owned()),
        userinfo,
        revoke_endpoint,
        client_secret: client.secret,
        other_client_secret: client.other_secret,
        client_key: client.key,
        client_auth,
        token_request: if token_request?.value == "json" { TokenRequest::Json } else { TokenRequest::Form },
        pkce,
        scope_separator: if separator?.value == "comma" { ',' } else { ' ' },
        scope_parameter,
        authorize_parameters,
        issuer: issuer.map(|issuer| issuer.written().to_owned()),
        default_lifetime,
        ..Settings::of_client(client_id?.value, broker::Urls::new(public_url?).callback())
    };
    let settings = habits(settings);
    let binding = binding(&table);
    let settings = Settings { binding, ..settings };
    settings.token_place()?;
    let returns = if returns?.value == "own" { ReturnPath::Own } else { ReturnPath::Shared };
    let names_itself = if sends_iss { NamesItself::Always } else { NamesItself::Perhaps };
    Some(Read {
        secret_files: client.files,
        settings,
        grant: grant.grant,
        returns,
        names_itself,
        timeout: timeout?,
        concurrent_refreshes: concurrent_refreshes?,
        refresh_tokens,
        refresh_before: refresh_before?,
        rotation,
    })
}

/// What has to be set where nobody says it.
fn name_missing_endpoints(table: &Table<'_>, browser: bool) {
    for (key, line) in [(&AUTHORIZE_ENDPOINT, AUTHORIZE_LINE), (&TOKEN_ENDPOINT, TOKEN_LINE)] {
        if table.written(key).is_none() && (browser || key.name == TOKEN_ENDPOINT.name) {
            table.place().problem(format!(
                "lacks {}; add `{line}`, or `issuer` and `discovery = true` where the provider publishes its metadata",
                key.name
            ));
        }
    }
}

fn binding(table: &Table<'_>) -> TokenBinding {
    if !table.boolean(&DPOP) {
        return TokenBinding::Bearer;
    }
    if let Some(place) = table.written(&answer::TOKEN_TYPES) {
        place
            .problem("is DPoP and nothing else where dpop is true: any other token is not bound to the key; remove it");
    }
    if let Some(place) = table.written(&DPOP).filter(|_| !grant::sends_the_browser(table)) {
        place.problem("goes with grant = \"authorization_code\" alone: the key is drawn for a consent in a browser; remove one of them");
    }
    TokenBinding::Dpop
}

pub(super) fn has_own_callback(table: &Table<'_>) -> bool {
    table.text(&CALLBACK).is_some_and(|found| found.value == "own")
}

pub(super) fn names_itself(table: &Table<'_>) -> bool {
    table.boolean(&SENDS_ISS)
}

pub(super) fn has_issuer(table: &Table<'_>) -> bool {
    table.written(&ISSUER).is_some()
}

pub(super) fn userinfo(table: &Table<'_>, endpoint: Option<Endpoint>) -> Option<Userinfo> {
    let subject = table.parsed(&USERINFO_SUBJECT, pointer);
    let names = table.texts(&USERINFO_NAME).into_iter().filter_map(|found| found.parsed(pointer));
    let names: Vec<Pointer> = names.map(|name| name.value).collect();
    if table.written(&USERINFO_ENDPOINT).is_none() {
        for key in [&USERINFO_SUBJECT, &USERINFO_NAME] {
            if let Some(place) = table.written(key) {
                place.problem("is about an answer that is not asked for; add userinfo_endpoint, or remove it");
            }
        }
    }
    let mut userinfo = Userinfo::new(endpoint?);
    if let Some(subject) = subject {
        userinfo.subject = subject.value;
    }
    if !names.is_empty() {
        userinfo.name = names;
    }
    Some(userinfo)
}

pub(super) fn pointer(text: &str) -> Result<Pointer, String> {
    Pointer::parse(text).map_err(|error| format!("is no JSON pointer; {error}"))
}

fn refresh_tokens(table: &Table<'_>) -> RefreshTokenLife {
    let life = RefreshTokenLife {
        idle: table.duration(&REFRESH_TOKEN_IDLE),
        lifetime: table.duration(&REFRESH_TOKEN_LIFETIME),
    };
    if life.idle.zip(life.lifetime).is_some_and(|(idle, lifetime)| idle > lifetime)
        && let Some(place) = table.written(&REFRESH_TOKEN_IDLE)
    {
        place.problem("is longer than refresh_token_lifetime; exchange the two, or remove it");
    }
    life
}

fn concurrent_refreshes(table: &Table<'_>) -> Option<usize> {
    table.integer(&CONCURRENT_REFRESHES).and_then(|count| usize::try_from(count).ok())
}

/// In seconds; `None` where it does not end by itself.
fn default_lifetime(table: &Table<'_>) -> Option<u64> {
    if table.text(&DEFAULT_LIFETIME)?.value == "never" {
        return None;
    }
    table.duration(&DEFAULT_LIFETIME).map(|lifetime| lifetime.as_secs())
}

fn authorize_parameters(table: &Table<'_>, scope_parameter: &str) -> Vec<(String, String)> {
    let entries = table.text_map(&AUTHORIZE_PARAMETERS).into_iter();
    entries
        .map(|(name, value)| {
            if OWN_PARAMETERS.contains(&name.value) || name.value == scope_parameter {
                name.place.problem("is set by the gateway itself; remove it");
            }
            (name.value.to_owned(), value.value.to_owned())
        })
        .collect()
}

/// What only a browser that is sent to the provider has a use for.
pub(super) const OF_THE_BROWSER: &[Key] = &[AUTHORIZE_ENDPOINT, PKCE, AUTHORIZE_PARAMETERS, CALLBACK, SENDS_ISS];

pub(super) const KEYS: &[Key] = &[
    grant::GRANT,
    grant::DEVICE_ENDPOINT,
    grant::SUBJECT_TOKEN,
    grant::SUBJECT_HOSTS,
    grant::AUDIENCE,
    grant::RESOURCE,
    grant::REQUESTED_TOKEN_TYPE,
    AUTHORIZE_ENDPOINT,
    TOKEN_ENDPOINT,
    USERINFO_ENDPOINT,
    USERINFO_SUBJECT,
    USERINFO_NAME,
    REVOKE_ENDPOINT,
    CLIENT_ID,
    client::CLIENT_SECRET,
    client::OTHER_CLIENT_SECRET,
    client::CLIENT_AUTH,
    client::CLIENT_KEY,
    client::CLIENT_KEY_ID,
    client::CLIENT_KEY_ALGORITHM,
    client::ASSERTION_AUDIENCE,
    TOKEN_REQUEST,
    PKCE,
    SCOPE_SEPARATOR,
    SCOPE_PARAMETER,
    AUTHORIZE_PARAMETERS,
    habits::PARAMETER_NAMES,
    habits::TOKEN_HEADERS,
    habits::TOKEN_PARAMETERS,
    habits::REFRESH_ENDPOINT,
    habits::REFRESH_REQUEST,
    habits::REFRESH_WITH,
    habits::REFRESH_GRANT_TYPE,
    habits::REFRESH_PARAMETER,
    habits::REFRESH_PARAMETERS,
    habits::REVOKE_REQUEST,
    habits::REVOKE_METHOD,
    habits::REVOKE_AUTH,
    habits::REVOKE_PARAMETER,
    habits::REVOKE_TOKEN,
    habits::FURTHER_SCOPES,
    answer::ANSWER,
    answer::REFRESH_ANSWER,
    answer::TOKEN_TYPES,
    answer::SCOPE_ANSWER,
    DPOP,
    answer::ERROR,
    ISSUER,
    discovery::DISCOVERY,
    discovery::ENDPOINT_HOSTS,
    mcp::AUTHORIZATION_SERVERS,
    SENDS_ISS,
    CALLBACK,
    DEFAULT_LIFETIME,
    TIMEOUT,
    CONCURRENT_REFRESHES,
    REFRESH_TOKEN_IDLE,
    REFRESH_TOKEN_LIFETIME,
    REFRESH_BEFORE,
    ROTATION,
];

const AUTHORIZE_ENDPOINT: Key =
    Key::optional("authorize_endpoint", Form::Text, "Where the browser is sent to sign in; needed without discovery.");
const AUTHORIZE_LINE: &str = "authorize_endpoint = \"https://id.example.com/authorize\"";
const TOKEN_ENDPOINT: Key = Key::optional(
    "token_endpoint",
    Form::Text,
    "Where codes and refresh tokens are exchanged; needed without discovery.",
);
const TOKEN_LINE: &str = "token_endpoint = \"https://id.example.com/token\"";
pub(super) const USERINFO_ENDPOINT: Key = Key::optional(
    "userinfo_endpoint",
    Form::Text,
    "Where the provider says who signed in, if it issues no ID token; without either, a person is known by the browser alone.",
);
pub(super) const USERINFO_SUBJECT: Key = Key::optional(
    "userinfo_subject",
    Form::Text,
    "A JSON pointer to the account's lasting id in that answer; /sub by default, as OpenID Connect has it.",
);
pub(super) const USERINFO_NAME: Key = Key::optional(
    "userinfo_name",
    Form::Texts,
    "JSON pointers to what people know the account by, best first; /email, /name and /preferred_username by default, as OpenID Connect \
     has them.",
);
const REVOKE_ENDPOINT: Key = Key::optional(
    "revoke_endpoint",
    Form::Text,
    "Where tokens are revoked (RFC 7009); without it, revocation ends at the gateway.",
);
const CLIENT_ID: Key = Key::required(
    "client_id",
    Form::Text,
    "client_id = \"ath-gateway\"",
    "The gateway's client id, as the provider gave it out.",
);
const TOKEN_REQUEST: Key = Key::default(
    "token_request",
    Form::OneOf(&["form", "json"]),
    "form",
    "How requests to the token endpoint are encoded; form by default, as RFC 6749 has it.",
);
const PKCE: Key = Key::default(
    "pkce",
    Form::OneOf(&["s256", "none"]),
    "s256",
    "Whether PKCE protects the code; s256 by default, and none for servers that refuse parameters they do not know.",
);
const SCOPE_SEPARATOR: Key = Key::default(
    "scope_separator",
    Form::OneOf(&["space", "comma"]),
    "space",
    "What stands between two scopes; space by default, as RFC 6749 has it.",
);
const SCOPE_PARAMETER: Key = Key::default(
    "scope_parameter",
    Form::Text,
    "scope",
    "What the provider calls the parameter with the scopes; scope by default, as RFC 6749 has it.",
);
const AUTHORIZE_PARAMETERS: Key = Key::optional(
    "authorize_parameters",
    Form::TextMap,
    "Further parameters for the authorize endpoint, such as { access_type = \"offline\" }; none by default.",
);
const ISSUER: Key = Key::optional(
    "issuer",
    Form::Text,
    "The issuer identifier, which callbacks (RFC 9207) and ID tokens are checked against; needed where several providers share the \
     callback.",
);
const SENDS_ISS: Key = Key::optional(
    "sends_iss",
    Form::Boolean,
    "Whether its answers to the callback always carry `iss`, as its metadata says (authorization_response_iss_parameter_supported); false by \
     default, and true refuses an answer without.",
);
const CALLBACK: Key = Key::default(
    "callback",
    Form::OneOf(&["shared", "own"]),
    "shared",
    "Where it sends the browser back to: /ath/callback, or own for /ath/callback and its id, so that no other provider's answer can pass for its; \
     shared by default, as most providers' forms have it already.",
);
const DEFAULT_LIFETIME: Key = Key::optional(
    "default_lifetime",
    Form::Text,
    "How long an access token lives where the provider does not say; never by default: until the provider refuses it.",
);
const DPOP: Key = Key::optional(
    "dpop",
    Form::Boolean,
    "Whether tokens are bound to a key of the gateway's, another one for each connection, so that a token that is found is of no use (RFC \
     9449); false by default, and true refuses any other token.",
);

/// What the gateway puts into the authorization URL.
const OWN_PARAMETERS: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
    "resource",
    "dpop_jkt",
];
const TIMEOUT: Key = Key::default(
    "timeout",
    Form::Duration,
    "30s",
    "How long its answers may take; 30s by default, since slow is better than asked twice.",
);
const REFRESH_TOKEN_IDLE: Key = Key::optional(
    "refresh_token_idle",
    Form::Duration,
    "How long a refresh token is good for that nobody uses: the gateway uses it after 60 to 70 % of that time; left out, what the provider's \
     answers say, if anything.",
);
const REFRESH_TOKEN_LIFETIME: Key = Key::optional(
    "refresh_token_lifetime",
    Form::Duration,
    "How long a consent is good for, whatever is done: people are told a week before it ends; left out, what the provider's answers say, if \
     anything.",
);
const CONCURRENT_REFRESHES: Key = Key::default(
    "concurrent_refreshes",
    Form::Integer { least: 1, most: 1000 },
    "16",
    "How many refreshes may be under way there at once, for each gateway; 16 by default, so that a thousand tokens which expire together \
     storm nobody.",
);
const REFRESH_BEFORE: Key = Key::default(
    "refresh_before",
    Form::Duration,
    "60s",
    "How long before its end an access token is renewed; 60s by default, for clocks that differ.",
);
const ROTATION: Key = Key::default(
    "rotation",
    Form::OneOf(&["learn", "single_use", "kept"]),
    "learn",
    "What becomes of a refresh token that was used: another takes its place, or it is kept; learn by default, from the provider's answers.",
);
