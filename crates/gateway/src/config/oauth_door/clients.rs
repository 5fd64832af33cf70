mod asks;
mod proof;

use std::collections::HashMap;

use broker::{ConfiguredClient, GrantType, check_redirect_uri};
use protocol::ProviderId;

use super::Surroundings;
use crate::config::key::{Form, Key};
use crate::config::reader::{Found, Table};

/// The clients, each id once.
pub(super) fn read(
    tables: &[Table<'_>],
    surroundings: &Surroundings<'_>,
    schemes: &[String],
    has_enterprise: bool,
) -> HashMap<String, ConfiguredClient> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut clients = HashMap::new();
    for table in tables {
        let id = table.parsed(&ID, client_id);
        if let Some(id) = &id
            && let Some(line) = seen.insert(id.value.clone(), id.place.line())
        {
            id.place.problem(format!("is the id of line {line} too; keep one of them"));
        }
        if let Some((id, client)) = id.zip(client(table, surroundings, schemes, has_enterprise)) {
            clients.insert(id.value, client);
        }
    }
    clients
}

fn client(
    table: &Table<'_>,
    surroundings: &Surroundings<'_>,
    schemes: &[String],
    has_enterprise: bool,
) -> Option<ConfiguredClient> {
    let (name, developer) = (table.words(&NAME), table.words(&DEVELOPER));
    let redirect_uris = redirect_uris(table, schemes);
    let proof = proof::read(table, surroundings.loopback);
    let grants = grants(table);
    let may = asks::read(table, &SCOPES, surroundings);
    let introspects = introspects(table, surroundings);
    let audiences = table.texts(&ID_TOKEN_AUDIENCES);
    let id_token_audiences: Vec<String> = audiences.into_iter().map(|found| found.value.to_owned()).collect();
    if let Some(grants) = &grants {
        check_grants(table, grants, has_enterprise);
    }
    Some(ConfiguredClient {
        name: name?.value,
        developer: developer?.value,
        redirect_uris,
        proof: proof?,
        grants: grants?.into_iter().map(|found| found.value).collect(),
        may,
        id_token_audiences,
        introspects,
    })
}

/// What each grant needs besides.
fn check_grants(table: &Table<'_>, grants: &[Found<'_, GrantType>], has_enterprise: bool) {
    let public = !proof::is_written(table);
    let absent = |key: &Key| table.written(key).is_none();
    for Found { value: grant, place } in grants {
        match grant {
            GrantType::AuthorizationCode if absent(&REDIRECT_URIS) => {
                place.problem(
                    "needs redirect_uris, to which people are sent back; add them, or leave authorization_code out",
                );
            }
            GrantType::ClientCredentials | GrantType::TokenExchange if public => {
                place.problem("needs a client that proves who it is; add client_secret, jwks or jwks_uri");
            }
            GrantType::ClientCredentials if absent(&SCOPES) => {
                place.problem("needs scopes, since no person is asked: add what the client may do, as in scopes = [\"helpdesk:read\"]");
            }
            GrantType::TokenExchange if absent(&ID_TOKEN_AUDIENCES) => {
                place.problem("needs id_token_audiences: the client id that its people's ID tokens are issued to");
            }
            GrantType::TokenExchange | GrantType::JwtBearer if !has_enterprise => {
                place.problem("needs to know whose word for people is taken; add [enterprise]");
            }
            _ => {}
        }
    }
    if let Some(place) = table.written(&INTROSPECTS).filter(|_| public) {
        place.problem("needs a client that proves who it is; add client_secret, jwks or jwks_uri");
    }
}

/// `None` where one of them is wrong.
fn grants<'c>(table: &Table<'c>) -> Option<Vec<Found<'c, GrantType>>> {
    let Some(place) = table.written(&GRANTS) else {
        let usual = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        return Some(usual.map(|grant| table.place().clone().with(grant)).into());
    };
    let found: Vec<Option<Found<'c, GrantType>>> =
        table.texts(&GRANTS).into_iter().map(|text| text.parsed(grant)).collect();
    if found.is_empty() {
        return place.refused("is empty; name a grant, or leave the key out");
    }
    found.into_iter().collect()
}

fn grant(text: &str) -> Result<GrantType, String> {
    let known = GRANT_NAMES.iter().find(|(name, grant)| *name == text || grant.as_str() == text);
    known.map(|(_, grant)| *grant).ok_or_else(|| {
        let names: Vec<&str> = GRANT_NAMES.iter().map(|(name, _)| *name).collect();
        format!("is no grant; write {}", names.join(", "))
    })
}

fn redirect_uris(table: &Table<'_>, schemes: &[String]) -> Vec<String> {
    let check = |text: &str| check_redirect_uri(text, schemes).map(|()| text.to_owned());
    table.texts(&REDIRECT_URIS).into_iter().filter_map(|text| text.parsed(check)).map(|found| found.value).collect()
}

fn introspects(table: &Table<'_>, surroundings: &Surroundings<'_>) -> Vec<ProviderId> {
    let found = table.texts(&INTROSPECTS).into_iter().filter_map(|text| text.parsed(ProviderId::parse));
    let known = |found: &Found<'_, ProviderId>| {
        let known = !surroundings.complete || surroundings.providers.iter().any(|it| it.id == found.value);
        if !known {
            found.place.problem("is no provider of this file; write the id of one");
        }
        known
    };
    found.filter(known).map(|found| found.value).collect()
}

/// Neither what is drawn for a registration, nor a URL, which is a metadata document's.
fn client_id(text: &str) -> Result<String, &'static str> {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(inner) {
        return Err("is no client id; write 1 to 64 of A-Z, a-z, 0-9, -, ., _ and ~");
    }
    if text.starts_with("ath_") {
        return Err("begins with ath_, as ids do that are drawn; choose another");
    }
    Ok(text.to_owned())
}

const GRANT_NAMES: [(&str, GrantType); 6] = [
    ("authorization_code", GrantType::AuthorizationCode),
    ("refresh_token", GrantType::RefreshToken),
    ("device_code", GrantType::DeviceCode),
    ("client_credentials", GrantType::ClientCredentials),
    ("token_exchange", GrantType::TokenExchange),
    ("jwt_bearer", GrantType::JwtBearer),
];

pub(in crate::config) const KEYS: &[Key] = &[
    ID,
    NAME,
    DEVELOPER,
    REDIRECT_URIS,
    proof::CLIENT_SECRET,
    proof::OTHER_CLIENT_SECRET,
    proof::JWKS,
    proof::JWKS_URI,
    GRANTS,
    SCOPES,
    ID_TOKEN_AUDIENCES,
    INTROSPECTS,
];

const ID: Key = Key::required("id", Form::Text, "id = \"backoffice\"", "The client_id that it sends.");
const NAME: Key =
    Key::required("name", Form::Text, "name = \"Back office\"", "The name of the client that people are shown.");
const DEVELOPER: Key = Key::required(
    "developer",
    Form::Text,
    "developer = \"Example Inc.\"",
    "Who made the client, as people are shown it.",
);
const REDIRECT_URIS: Key = Key::optional(
    "redirect_uris",
    Form::Texts,
    "Where people may be sent after a consent, each URI as a whole: https, http on loopback with any port, or a scheme of redirect_schemes; \
     needed for authorization_code.",
);
const GRANTS: Key = Key::optional(
    "grants",
    Form::Texts,
    "What it may present at the token endpoint: authorization_code, refresh_token, device_code, client_credentials, token_exchange, jwt_bearer; \
     the first two by default.",
);
const SCOPES: Key = Key::optional(
    "scopes",
    Form::Texts,
    "What it may ask for: a provider for all that is there, or a provider and one of its scopes with a colon between; whatever the approvals \
     allow by default; needed for client_credentials.",
);
const ID_TOKEN_AUDIENCES: Key = Key::optional(
    "id_token_audiences",
    Form::Texts,
    "The client ids at the enterprise whose ID tokens it may exchange (RFC 8693); needed for token_exchange.",
);
const INTROSPECTS: Key = Key::optional(
    "introspects",
    Form::Texts,
    "Providers whose tokens it may introspect (RFC 7662) besides its own, as the service behind one does; none by default.",
);
