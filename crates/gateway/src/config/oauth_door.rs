//! How ordinary OAuth clients are served: `[oauth]`, `[[client]]`, `[[client_document]]` and `[enterprise]`.

mod clients;
mod documents;
mod enterprise;

use broker::{ClientDocuments, Door, FrontSettings, SelfRegistration};
use policy::HostPattern;
use protocol::Loopback;

use super::key::{Form, Key};
use super::provider::ProviderConfig;
use super::reader::Table;
use super::sign_in::SignInConfig;

pub(super) use clients::KEYS as CLIENT_KEYS;
pub(super) use documents::KEYS as DOCUMENT_KEYS;
pub(super) use enterprise::KEYS as ENTERPRISE_KEYS;

/// The tables that are about it.
pub(super) struct Tables<'c> {
    pub(super) oauth: Table<'c>,
    pub(super) clients: Vec<Table<'c>>,
    pub(super) documents: Vec<Table<'c>>,
    pub(super) enterprise: Option<Table<'c>>,
}

/// What the other sections have to say about it.
pub(super) struct Surroundings<'s> {
    pub(super) loopback: Loopback,
    /// `None` where it could not be read.
    pub(super) sign_in: Option<&'s SignInConfig>,
    pub(super) providers: &'s [ProviderConfig],
    /// Where a provider could not be read, nobody is told that there is none of that name.
    pub(super) complete: bool,
}

pub(super) fn read(tables: &Tables<'_>, surroundings: &Surroundings<'_>) -> Option<FrontSettings> {
    let table = &tables.oauth;
    let door = if table.text(&DOOR)?.value == "off" { Door::Closed } else { Door::Open };
    if door == Door::Closed {
        let idle = tables.clients.iter().chain(&tables.documents).chain(&tables.enterprise);
        idle.for_each(|table| table.place().warning("is of no use while oauth.door is \"off\"; switch it on"));
    }
    let registration = match table.text(&REGISTRATION)?.value {
        "closed" => SelfRegistration::Closed,
        _ => SelfRegistration::Open,
    };
    let listed = client_documents(table);
    let schemes = redirect_schemes(table);
    let [grace, idle, ends, unused] =
        [&REFRESH_GRACE, &REFRESH_IDLE, &REFRESH_ENDS, &UNUSED_CLIENTS].map(|key| table.duration(key));
    let enterprise = tables.enterprise.as_ref().map(|table| enterprise::read(table, surroundings));
    let clients = clients::read(&tables.clients, surroundings, &schemes, tables.enterprise.is_some());
    let pinned = documents::read(&tables.documents, surroundings.loopback, &schemes);
    Some(FrontSettings {
        door,
        registration,
        documents: listed?,
        pinned,
        redirect_schemes: schemes,
        clients,
        refresh_grace: grace?,
        refresh_idle: idle?,
        refresh_ends: ends?,
        unused_clients: unused?,
        enterprise: match enterprise {
            Some(enterprise) => Some(enterprise?),
            None => None,
        },
    })
}

fn client_documents(table: &Table<'_>) -> Option<ClientDocuments> {
    let kind = table.text(&CLIENT_DOCUMENTS)?.value;
    let written = table.written(&DOCUMENT_HOSTS);
    if let Some(place) = written.as_ref().filter(|_| kind != "listed") {
        place.problem("lists hosts for client_documents = \"listed\"; change that, or remove it");
    }
    let found = table.texts(&DOCUMENT_HOSTS);
    let hosts = found.into_iter().filter_map(|host| host.parsed(HostPattern::parse)).map(|found| found.value);
    let hosts: Vec<HostPattern> = match written {
        Some(place) => {
            let hosts: Vec<HostPattern> = hosts.collect();
            if hosts.is_empty() {
                place.problem("is empty; name a host, or write client_documents = \"off\"");
            }
            hosts
        }
        None => USUAL_HOSTS
            .into_iter()
            .flat_map(|host| [host.to_owned(), format!("*.{host}")])
            .filter_map(|host| HostPattern::parse(&host).ok())
            .collect(),
    };
    Some(match kind {
        "off" => ClientDocuments::Off,
        "any" => ClientDocuments::Everywhere,
        _ => ClientDocuments::At(hosts),
    })
}

fn redirect_schemes(table: &Table<'_>) -> Vec<String> {
    if table.written(&REDIRECT_SCHEMES).is_none() {
        return USUAL_SCHEMES.map(str::to_owned).into();
    }
    let check = |text: &str| broker::check_redirect_scheme(text).map(|()| text.to_owned());
    table.texts(&REDIRECT_SCHEMES).into_iter().filter_map(|text| text.parsed(check)).map(|found| found.value).collect()
}

/// Whose clients bring a document of their own.
const USUAL_HOSTS: [&str; 5] = ["claude.ai", "chatgpt.com", "vscode.dev", "cursor.com", "opencode.ai"];
const USUAL_SCHEMES: [&str; 6] = ["cursor", "vscode", "vscode-insiders", "windsurf", "zed", "claude"];

pub(super) const KEYS: &[Key] = &[
    DOOR,
    REGISTRATION,
    CLIENT_DOCUMENTS,
    DOCUMENT_HOSTS,
    REDIRECT_SCHEMES,
    REFRESH_GRACE,
    REFRESH_IDLE,
    REFRESH_ENDS,
    UNUSED_CLIENTS,
];

const DOOR: Key = Key::default(
    "door",
    Form::OneOf(&["on", "off"]),
    "on",
    "Whether ordinary OAuth clients are served, at /oauth/authorize, /oauth/token and what belongs to them; on by default, and people are asked \
     in any case.",
);
const REGISTRATION: Key = Key::default(
    "registration",
    Form::OneOf(&["open", "closed"]),
    "open",
    "Whether clients may register themselves (RFC 7591); open by default, since most agents' clients know no other way, and people see that \
     nobody vouches for them.",
);
const CLIENT_DOCUMENTS: Key = Key::default(
    "client_documents",
    Form::OneOf(&["listed", "any", "off"]),
    "listed",
    "Whose client ID metadata documents are fetched: those at the hosts in document_hosts, anybody's, or nobody's; listed by default; off where \
     the gateway cannot reach the internet, since clients that see documents announced use nothing else.",
);
const DOCUMENT_HOSTS: Key = Key::optional(
    "document_hosts",
    Form::Texts,
    "The hosts whose documents are fetched, such as \"agents.example.com\" or \"*.example.com\"; claude.ai, chatgpt.com, vscode.dev, cursor.com and \
     opencode.ai with what is below them by default.",
);
const REDIRECT_SCHEMES: Key = Key::optional(
    "redirect_schemes",
    Form::Texts,
    "Schemes of applications' own that codes may be sent to besides https, and http on loopback; cursor, vscode, vscode-insiders, windsurf, zed and \
     claude by default.",
);
const REFRESH_GRACE: Key = Key::default(
    "refresh_grace",
    Form::Duration,
    "60s",
    "For how long a refresh token that was just used brings the same successor once more; 60s by default, since clients ask twice at once; after \
     that, its use ends everything that came of the same consent.",
);
const REFRESH_IDLE: Key = Key::default(
    "refresh_idle",
    Form::Duration,
    "30d",
    "How long a refresh token is good that nobody uses; 30d by default, and each use begins it anew.",
);
const REFRESH_ENDS: Key = Key::default(
    "refresh_ends",
    Form::Duration,
    "90d",
    "How long a consent at this door lasts in all, however often its tokens are refreshed; 90d by default; then the person is asked again.",
);
const UNUSED_CLIENTS: Key = Key::default(
    "unused_clients",
    Form::Duration,
    "1d",
    "How long a client that registered itself is kept while nobody has consented to it; 1d by default.",
);
