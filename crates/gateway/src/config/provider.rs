mod answer;
mod api_base_from;
mod body_rules;
mod client;
mod client_certificate;
mod credential;
mod discovery;
mod entrance;
mod expired;
mod fixed_headers;
mod grant;
mod habits;
mod mcp;
mod oauth;
mod openapi;
mod preset;
mod request_headers;
mod scopes;
mod static_key;
mod way;

pub(crate) use entrance::path_prefix;
pub(crate) use openapi::{OpenapiConfig, OpenapiSource, untyped};
pub(crate) use way::WayConfig;

use std::time::Duration;

use ::oauth::{Placement, TokenBinding};
use broker::{Bases, Grant, NamesItself, People, RefreshTokenLife, ReturnPath, ScopeNames, TokenRotation};
use http::HeaderMap;
use policy::Operations;
use protocol::{Loopback, ProviderId};
use proxy::{BodyGuard, Connections, ExpirySign, RequestHeader, UpstreamProtocol, WebSocket};
use rustls_pki_types::CertificateDer;
use url::Url;

use super::fingerprint::Fingerprint;
use super::key::{Form, Key};
use super::pem::{self, Identity};
use super::reader::{Found, Table};
use super::urls::{self, PlainHttp};

/// An upstream service.
#[derive(Debug)]
pub(crate) struct ProviderConfig {
    /// As it stands in paths.
    pub(crate) id: ProviderId,
    /// What all of it comes to, with the files that it refers to.
    pub(crate) fingerprint: Fingerprint,
    /// The preset that it goes by.
    pub(crate) preset: Option<String>,
    /// What the preset was told, `name=value` in lines, which tells apart tenants that share a host.
    pub(crate) values: String,
    /// As people read it.
    pub(crate) display_name: String,
    /// Free words about what it is.
    pub(crate) categories: Vec<String>,
    /// The base of its API, without query and without slash at the end of its path.
    pub(crate) api_base: Url,
    /// Of an MCP server: its path below that base.
    pub(crate) mcp: Option<String>,
    /// What it says of itself, where that is known.
    pub(crate) openapi: Option<OpenapiConfig>,
    /// The path below which agents reach it besides `/ath/proxy/{id}`: `/helpdesk`.
    pub(crate) path_prefix: Option<String>,
    /// The host name of the gateway's that is the provider's alone, in lower case and without port.
    pub(crate) host: Option<String>,
    /// Roots that its certificates may go back to, besides the machine's.
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    /// What is shown where it asks for a certificate.
    pub(crate) identity: Option<Identity>,
    /// For a connection to the API, with TLS.
    pub(crate) connect_timeout: Duration,
    /// From the end of a request to the head of its answer.
    pub(crate) response_timeout: Duration,
    /// Calls that may be under way there at once.
    pub(crate) concurrent_calls: u32,
    /// What an answer looks like that refuses a token.
    pub(crate) expired: Vec<ExpirySign>,
    /// Which hosts answers may name as the place of somebody's API, where they do.
    pub(crate) bases: Option<Bases>,
    /// Where the credential goes in calls of the API.
    pub(crate) placement: Placement,
    /// Headers that go there with every call.
    pub(crate) headers: HeaderMap,
    /// Headers that go there where the agent sends none of that name.
    pub(crate) default_headers: HeaderMap,
    /// Headers of agents that go there besides those that every API knows.
    pub(crate) request_headers: Vec<RequestHeader>,
    /// Whether agents may use it by WebSocket.
    pub(crate) websocket: WebSocket,
    pub(crate) connections: Connections,
    /// What is done with the bodies of its answers.
    pub(crate) guard: BodyGuard,
    /// Which HTTP its API is spoken to in.
    pub(crate) protocol: UpstreamProtocol,
    /// How many bytes of a body are read at most, where rules look into it.
    pub(crate) read_body: usize,
    /// How it gives out what calls are made with.
    pub(crate) way: WayConfig,
    /// Who may have it, where it is the operator's.
    pub(crate) people: People,
    /// Where its answers come back to.
    pub(crate) returns: ReturnPath,
    /// Whether its answers always name their issuer.
    pub(crate) names_itself: NamesItself,
    /// How long its OAuth server's answers may take.
    pub(crate) oauth_timeout: Duration,
    /// How many refreshes may be under way there at once.
    pub(crate) concurrent_refreshes: usize,
    /// How long its refresh tokens are good for.
    pub(crate) refresh_tokens: RefreshTokenLife,
    /// How long before its end an access token is renewed.
    pub(crate) refresh_before: Duration,
    /// What it does with refresh tokens.
    pub(crate) rotation: TokenRotation,
    /// Which scope allows what.
    pub(crate) operations: Operations,
    /// What it calls them.
    pub(crate) scope_names: ScopeNames,
}

/// What a provider must fit in with.
#[derive(Debug)]
pub(super) struct Surroundings {
    /// `None` where it could not be read.
    pub(super) public_url: Option<Url>,
    pub(super) loopback: Loopback,
    pub(super) sign_in: SignedInAt,
}

/// Where people sign in, as far as providers have to do with it.
#[derive(Debug)]
pub(super) enum SignedInAt {
    /// At providers alone.
    Provider,
    /// At the gateway, by this issuer.
    Openid(Url),
    /// At the gateway, in another way.
    Gateway,
    /// What stands there is wrong, and said to be.
    Unread,
}

impl ProviderConfig {
    /// What `[provider.oauth]` says, where there is one.
    pub(crate) fn oauth(&self) -> Option<&::oauth::Settings> {
        match &self.way {
            WayConfig::OAuth { settings, .. } => Some(settings),
            WayConfig::Key(_) => None,
        }
    }

    /// The redirect URI that stands in the provider's form, where a browser comes back from there.
    pub(crate) fn redirect_uri(&self) -> Option<&str> {
        match &self.way {
            WayConfig::OAuth { settings, grant: Grant::AuthorizationCode, .. } => Some(&settings.redirect_uri),
            WayConfig::OAuth { .. } | WayConfig::Key(_) => None,
        }
    }
}

/// A provider as far as it can be read: what must be unique is compared even where something else is wrong.
pub(super) struct Partial<'c> {
    pub(super) id: Option<Found<'c, ProviderId>>,
    pub(super) path_prefix: Option<Found<'c, String>>,
    pub(super) host: Option<Found<'c, String>>,
    pub(super) rest: Option<Rest>,
    fingerprint: Option<Fingerprint>,
}

/// What nothing else is compared with.
pub(super) struct Rest {
    preset: Option<String>,
    values: String,
    display_name: Option<String>,
    categories: Vec<String>,
    api_base: Url,
    mcp: Option<String>,
    openapi: Option<OpenapiConfig>,
    extra_roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
    connect_timeout: Duration,
    response_timeout: Duration,
    concurrent_calls: u32,
    expired: Vec<ExpirySign>,
    bases: Option<api_base_from::Read>,
    placement: Placement,
    headers: HeaderMap,
    default_headers: HeaderMap,
    request_headers: Vec<RequestHeader>,
    websocket: WebSocket,
    connections: Connections,
    guard: BodyGuard,
    protocol: UpstreamProtocol,
    read_body: usize,
    way: way::Read,
    operations: Operations,
    scope_names: ScopeNames,
}

impl Partial<'_> {
    pub(super) fn complete(self) -> Option<ProviderConfig> {
        let (id, rest, fingerprint) = (self.id?.value, self.rest?, self.fingerprint?);
        let mut way = rest.way.way;
        if let (WayConfig::OAuth { settings, .. }, ReturnPath::Own) = (&mut way, rest.way.returns) {
            settings.redirect_uri = format!("{}/{id}", settings.redirect_uri);
        }
        let mut api_headers = rest.default_headers.clone();
        api_headers.extend(rest.headers.clone());
        let mut placement = rest.placement;
        let bases = match &mut way {
            WayConfig::OAuth { settings, .. } => {
                if settings.binding == TokenBinding::Dpop {
                    placement = Placement::dpop();
                }
                settings.placement = placement.clone();
                settings.api_headers = api_headers;
                rest.bases.map(|read| read.into_settings(settings))
            }
            WayConfig::Key(key) => {
                static_key::place(key, &placement, &api_headers);
                None
            }
        };
        Some(ProviderConfig {
            display_name: rest.display_name.unwrap_or_else(|| id.to_string()),
            id,
            fingerprint,
            preset: rest.preset,
            values: rest.values,
            categories: rest.categories,
            api_base: rest.api_base,
            mcp: rest.mcp,
            openapi: rest.openapi,
            path_prefix: self.path_prefix.map(|found| found.value),
            host: self.host.map(|found| found.value),
            extra_roots: rest.extra_roots,
            identity: rest.identity,
            connect_timeout: rest.connect_timeout,
            response_timeout: rest.response_timeout,
            concurrent_calls: rest.concurrent_calls,
            expired: rest.expired,
            bases,
            placement,
            headers: rest.headers,
            default_headers: rest.default_headers,
            request_headers: rest.request_headers,
            websocket: rest.websocket,
            connections: rest.connections,
            guard: rest.guard,
            protocol: rest.protocol,
            read_body: rest.read_body,
            way,
            people: rest.way.people,
            returns: rest.way.returns,
            names_itself: rest.way.names_itself,
            oauth_timeout: rest.way.timeout,
            concurrent_refreshes: rest.way.concurrent_refreshes,
            refresh_tokens: rest.way.refresh_tokens,
            refresh_before: rest.way.refresh_before,
            rotation: rest.way.rotation,
            operations: rest.operations,
            scope_names: rest.scope_names,
        })
    }
}

/// Tokens that are bound to a key have their own place, and come for a code.
fn bound_in_its_place(table: &Table<'_>, settings: &::oauth::Settings, grant: &Grant) {
    if settings.binding != TokenBinding::Dpop {
        return;
    }
    if let Some(place) = table.written(&CREDENTIAL) {
        place.problem("is where RFC 9449 has it, `Authorization: DPoP`, with dpop = true; remove one of them");
    }
    if *grant != Grant::AuthorizationCode {
        table.place().problem("has dpop, which is for grant = \"authorization_code\" alone so far; remove one of them");
    }
}

pub(super) fn read<'c>(table: &Table<'c>, surroundings: &Surroundings) -> Partial<'c> {
    table.begin_record();
    let id = table.parsed(&ID, ProviderId::parse);
    let partial = Partial {
        path_prefix: table.parsed(&PATH_PREFIX, entrance::path_prefix),
        host: table.parsed(&HOST, |text| entrance::host(text, surroundings.public_url.as_ref())),
        rest: rest(table, id.as_ref().map(|found| &found.value), surroundings),
        id,
        fingerprint: None,
    };
    Partial { fingerprint: Some(table.end_record(&format!("{surroundings:?}"))), ..partial }
}

/// Whether a browser comes back from there to the callback that is nobody's own.
pub(super) fn shares_the_callback(table: &Table<'_>) -> bool {
    let shares = |oauth: &Table<'_>| grant::sends_the_browser(oauth) && !oauth::has_own_callback(oauth);
    table.nested(&way::OAUTH).is_some_and(|oauth| shares(&oauth))
}

/// For one of several providers that share the callback: without an issuer, an answer of one could pass for another's (RFC 9207 §1).
pub(super) fn warn_of_issuer(table: &Table<'_>) {
    let Some(oauth) = table.nested(&way::OAUTH) else { return };
    let own = "or add `callback = \"own\"` and register the other redirect URI";
    if !oauth::has_issuer(&oauth) {
        let remedy = "if the provider sends `iss` to the callback, its answers are refused until you add `issuer = \"https://...\"`";
        oauth.place().warning(format!("has no issuer, and several providers share the callback; {remedy}, {own}"));
    } else if !oauth::names_itself(&oauth) {
        let remedy = "add `sends_iss = true` if its answers always carry `iss`";
        oauth.place().warning(format!(
            "shares the callback with others, and an answer without `iss` could be another's; {remedy}, {own}"
        ));
    }
}

fn rest(table: &Table<'_>, id: Option<&ProviderId>, surroundings: &Surroundings) -> Option<Rest> {
    let http = match (table.boolean(&ALLOW_PLAINTEXT), surroundings.loopback) {
        (true, _) => PlainHttp::Everywhere,
        (false, Loopback::Allowed) => PlainHttp::OnLoopback,
        (false, Loopback::Refused) => PlainHttp::Nowhere,
    };
    let preset = preset::read(table);
    let values = preset::values(table);
    let display_name = table.words(&DISPLAY_NAME).map(|found| found.value);
    let categories = table.texts(&CATEGORIES).iter().map(|found| found.value.to_owned()).collect();
    let (api_base, server) = mcp::base(table, &API_BASE, http);
    let exposed = |base: &&Found<'_, Url>| base.value.scheme() == "http" && !urls::is_loopback(&base.value);
    if let Some(api_base) = api_base.as_ref().filter(exposed) {
        api_base.place.warning("is http on another machine: whoever is on the way reads the tokens; use https");
    }
    let base = api_base.as_ref().map(|found| found.value.to_string());
    let extra_roots = table.text(&CA_FILE).map(|file| pem::roots(&file));
    let identity = table.optional_table(&CLIENT_CERTIFICATE).map(|table| client_certificate::read(&table));
    let openapi = openapi::read(table, (id, api_base.as_ref()), server.as_ref(), http);
    let [connect, response] = [&CONNECT_TIMEOUT, &RESPONSE_TIMEOUT].map(|key| table.duration(key));
    let concurrent_calls = table.integer(&CONCURRENT_CALLS).unwrap_or(1);
    let expired = expired::read(table, &EXPIRED);
    let bases = api_base_from::read(table, &API_BASE_FROM, http);
    let placement = credential::read(table, &CREDENTIAL);
    let [headers, default_headers] =
        [&HEADERS, &DEFAULT_HEADERS].map(|key| fixed_headers::read(table, key, placement.as_ref()));
    let request_headers = request_headers::read(table, &REQUEST_HEADERS, placement.as_ref());
    let connections = if table.boolean(&SHARE_CONNECTIONS) { Connections::Shared } else { Connections::Personal };
    if let Some(place) = table.written(&WEBSOCKET).filter(|_| server.is_some()) {
        place.problem("is for APIs: an MCP server is spoken to in requests of their own; remove it");
    }
    let websocket = if table.boolean(&WEBSOCKET) { WebSocket::Allowed } else { WebSocket::Refused };
    let guard = match table.text(&GUARD).map(|found| found.value) {
        Some("trust") => BodyGuard::Trust,
        Some("stop") => BodyGuard::Stop,
        _ => BodyGuard::Mask,
    };
    let protocol = match table.text(&PROTOCOL).map(|found| found.value) {
        Some("h1") => UpstreamProtocol::Http1,
        Some("h2") => UpstreamProtocol::Http2,
        _ => UpstreamProtocol::Auto,
    };
    let read_by_default = if server.is_some() { MOST_READ_KIB } else { READ_KIB_BY_DEFAULT };
    let read_body = table.integer(&READ_BODY).unwrap_or(read_by_default);
    let way = way::read(table, (http, server.as_ref()), surroundings.public_url.as_ref(), &surroundings.sign_in);
    let asked = match way.as_ref().map(|read| &read.way) {
        Some(WayConfig::OAuth { settings, grant, .. }) => {
            bound_in_its_place(table, settings, grant);
            settings.userinfo.is_some() || settings.discovery.is_some()
        }
        Some(WayConfig::Key(_)) => {
            if let Some(place) = table.written(&API_BASE_FROM) {
                place.problem("is about answers of an OAuth server, and there is [provider.key]; remove it");
            }
            true
        }
        None => true,
    };
    let asks = bases.as_ref().is_some_and(|read| matches!(read.place, api_base_from::Place::Userinfo(_)));
    if let Some(place) = table.written(&API_BASE_FROM).filter(|_| asks && !asked) {
        place.problem("is about an answer that is not asked for; add userinfo_endpoint in [provider.oauth]");
    }
    if let (Some(WayConfig::Key(key)), Some(placement)) = (way.as_ref().map(|read| &read.way), &placement) {
        static_key::check_form(table, key, placement);
    }
    let alone = server.as_ref().filter(|_| table.written(&API_BASE).is_none());
    let side = alone.map_or(scopes::Side::Api(base.as_deref()), |server| scopes::Side::Mcp(&server.path));
    let (operations, scope_names) = scopes::read(table, &SCOPES, side);
    openapi::warn_of_scopes(table, &operations);
    // Which tools a scope is for, its server does not know.
    let scope_names = if server.is_some() { scope_names.or_kept_here(operations.scopes()) } else { scope_names };
    Some(Rest {
        preset,
        values,
        display_name,
        categories,
        api_base: api_base?.value,
        mcp: server.map(|server| server.path),
        openapi,
        extra_roots: extra_roots.unwrap_or(Some(Vec::new()))?,
        identity: match identity {
            Some(read) => Some(read?),
            None => None,
        },
        connect_timeout: connect?,
        response_timeout: response?,
        concurrent_calls,
        expired,
        bases,
        placement: placement?,
        headers,
        default_headers,
        request_headers,
        websocket,
        connections,
        guard,
        protocol,
        read_body: usize::try_from(read_body).unwrap_or(usize::MAX).saturating_mul(1 << 10),
        way: way?,
        operations,
        scope_names,
    })
}

pub(super) const KEYS: &[Key] = &[
    ID,
    preset::PRESET,
    preset::VALUES,
    preset::WITHOUT,
    preset::CLIENT_ID,
    preset::CLIENT_SECRET,
    DISPLAY_NAME,
    CATEGORIES,
    API_BASE,
    mcp::MCP,
    openapi::OPENAPI,
    openapi::TOOLS,
    API_BASE_FROM,
    PATH_PREFIX,
    HOST,
    ALLOW_PLAINTEXT,
    CA_FILE,
    CLIENT_CERTIFICATE,
    CONNECT_TIMEOUT,
    RESPONSE_TIMEOUT,
    CONCURRENT_CALLS,
    EXPIRED,
    CREDENTIAL,
    HEADERS,
    DEFAULT_HEADERS,
    REQUEST_HEADERS,
    PROTOCOL,
    READ_BODY,
    GUARD,
    SHARE_CONNECTIONS,
    WEBSOCKET,
    way::OAUTH,
    way::KEY,
    way::PEOPLE,
    SCOPES,
];

const ID: Key =
    Key::required("id", Form::Text, "id = \"helpdesk\"", "Names the provider in paths and records; never change it.");
const DISPLAY_NAME: Key =
    Key::optional("display_name", Form::Text, "What people are shown; the id by default, for want of a better name.");
const CATEGORIES: Key = Key::optional(
    "categories",
    Form::Texts,
    "Words about what it is, for agents that look for a service; none by default.",
);
const API_BASE: Key = Key::optional(
    "api_base",
    Form::Text,
    "The base URL of its API, unless it is an MCP server: tokens go there and nowhere else.",
);
const API_BASE_FROM: Key = Key::optional(
    "api_base_from",
    Form::Table(api_base_from::KEYS),
    "For providers with a host for each tenant: whose answer names it, and which hosts it may name; of api_base only the path counts then.",
);
const PATH_PREFIX: Key = Key::optional(
    "path_prefix",
    Form::Text,
    "A path of the gateway's below which agents reach it, besides /ath/proxy and its id; none by default.",
);
const HOST: Key = Key::optional(
    "host",
    Form::Text,
    "A host name of the gateway's that is this provider's alone; none by default, since it needs an entry in the DNS.",
);
const ALLOW_PLAINTEXT: Key = Key::optional(
    "allow_plaintext",
    Form::Boolean,
    "Whether its URLs may be http; false by default, since whoever is on the way reads the tokens.",
);
const CA_FILE: Key = Key::optional(
    "ca_file",
    Form::Text,
    "A PEM file of certificates to trust besides the machine's, for a service with a private authority.",
);
const CLIENT_CERTIFICATE: Key = Key::optional(
    "client_certificate",
    Form::Table(client_certificate::KEYS),
    "What the gateway shows the API and the OAuth endpoints where they ask for a certificate; none by default.",
);
const CONNECT_TIMEOUT: Key = Key::default(
    "connect_timeout",
    Form::Duration,
    "5s",
    "How long a connection to the API may take; 5s by default, enough for a lost packet or two.",
);
const RESPONSE_TIMEOUT: Key = Key::default(
    "response_timeout",
    Form::Duration,
    "60s",
    "How long the API may take to begin its answer; 60s by default, longer than most services allow themselves.",
);
const CONCURRENT_CALLS: Key = Key::default(
    "concurrent_calls",
    Form::Integer { least: 1, most: 1_000_000 },
    "4000",
    "Calls that may be under way there at once, answers that stream among them, so that a service which hangs holds nothing up but itself; \
     4000 by default.",
);
const EXPIRED: Key = Key::optional(
    "expired",
    Form::Tables(expired::KEYS),
    "What an answer of the API looks like that refuses a token whose time is not over, one of these: the token is renewed, at most every half \
     minute, and the call repeated where that is safe; any 401 by default, and none if the list is empty.",
);
const CREDENTIAL: Key = Key::optional(
    "credential",
    Form::WordOrTable(credential::NONE, credential::KEYS),
    "Where the credential goes in calls of the API and of userinfo_endpoint, or \"none\" for a service that asks for none, with neither \
     [provider.oauth] nor [provider.key]; Authorization: Bearer by default.",
);
const HEADERS: Key = Key::optional(
    "headers",
    Form::TextMap,
    "Headers for the API and userinfo_endpoint, whatever an agent sends under those names; none by default.",
);
const DEFAULT_HEADERS: Key = Key::optional(
    "default_headers",
    Form::TextMap,
    "Headers for both that an agent may set otherwise, such as the version of an API; none by default.",
);
const REQUEST_HEADERS: Key = Key::optional(
    "request_headers",
    Form::Texts,
    "Headers of agents that go to the API besides those that every API knows and those of default_headers; none by default, since of a header \
     that nobody listed, nobody knows what the service makes of it.",
);
const SHARE_CONNECTIONS: Key = Key::optional(
    "share_connections",
    Form::Boolean,
    "Whether connections of HTTP/1.1 to the API serve one person after another; false by default: each serves one person alone, so that a \
     service which answers twice, and too late to be noticed, answers nobody else.",
);
const WEBSOCKET: Key = Key::optional(
    "websocket",
    Form::Boolean,
    "Whether agents may open WebSockets there, at paths that they may GET; false by default, since no message in one is matched to an operation.",
);
const PROTOCOL: Key = Key::default(
    "protocol",
    Form::OneOf(&["auto", "h1", "h2"]),
    "auto",
    "Which HTTP the API is spoken to in; auto by default: over TLS what both know best, without it HTTP/1.1. h2 is HTTP/2 without TLS, too, \
     as gRPC wants it.",
);
const READ_BODY: Key = Key::optional(
    "read_body",
    Form::Integer { least: 1, most: MOST_READ_KIB },
    "KiB of a body that are read at most, where a rule looks into it; longer ones are refused there; 64 by default, 512 for an MCP server \
     and at most.",
);
const GUARD: Key = Key::default(
    "guard",
    Form::OneOf(&["mask", "stop", "trust"]),
    "mask",
    "What becomes of answers that hold the credential: mask, as many asterisks stand for it; stop, the answer is refused, or breaks off; trust, \
     bodies pass unread, compressed and in ranges, so that a service that echoes the credential shows it to agents; mask by default.",
);
const SCOPES: Key = Key::optional(
    "scopes",
    Form::TableMap(scopes::KEYS),
    "The scopes that agents may ask for: what people are told, and which calls each allows; what no scope allows is not forwarded.",
);
/// What all requests of one connection may take of memory is twice as much.
const MOST_READ_KIB: u32 = 512;
const READ_KIB_BY_DEFAULT: u32 = 64;
