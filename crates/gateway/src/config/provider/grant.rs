//! What an OAuth server is asked by, besides a code that a browser brings.

use ::oauth::{Endpoint, ExchangeWish, HostPattern};
use broker::{Grant, SubjectToken, TokenExchange};

use super::{SignedInAt, oauth};
use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::urls::{self, PlainHttp};

/// What the table says of the grant, and where codes to type in come from.
pub(super) struct Read {
    pub(super) grant: Grant,
    pub(super) device_endpoint: Option<Endpoint>,
}

pub(super) fn read(table: &Table<'_>, http: PlainHttp, token: Option<&Endpoint>, at: &SignedInAt) -> Option<Read> {
    let word = table.text(&GRANT)?.value;
    if word != "authorization_code" {
        for key in oauth::OF_THE_BROWSER {
            if let Some(place) = table.written(key) {
                place.problem(
                    "is about a browser that is sent to the provider, which this grant does without; remove it",
                );
            }
        }
    }
    for (keys, grant) in [(DEVICE, "device_code"), (EXCHANGE, "token_exchange")] {
        for place in keys.iter().filter_map(|key| table.written(key)).filter(|_| word != grant) {
            place.problem(format!("is about another grant; write grant = \"{grant}\", or remove it"));
        }
    }
    let device_endpoint = table.parsed(&DEVICE_ENDPOINT, |text| urls::endpoint(text, http)).map(|found| found.value);
    let grant = match word {
        "client_credentials" => Grant::ClientCredentials,
        "device_code" => {
            if table.written(&DEVICE_ENDPOINT).is_none() {
                let line = "device_authorization_endpoint = \"https://id.example.com/device\"";
                table.place().problem(format!("lacks the endpoint where codes to type in come from; add `{line}`"));
            }
            Grant::DeviceCode
        }
        "token_exchange" => Grant::TokenExchange(exchange(table, http, token, at)),
        _ => Grant::AuthorizationCode,
    };
    Some(Read { grant, device_endpoint })
}

fn exchange(table: &Table<'_>, http: PlainHttp, token: Option<&Endpoint>, at: &SignedInAt) -> TokenExchange {
    let hosts = table.texts(&SUBJECT_HOSTS).into_iter().filter_map(|found| found.parsed(HostPattern::parse));
    let hosts: Vec<HostPattern> = hosts.map(|found| found.value).collect();
    if let Some(grant) = table.written(&GRANT) {
        match (at, token) {
            (SignedInAt::Unread, _) | (SignedInAt::Openid(_), None) => {}
            (SignedInAt::Openid(issuer), Some(token)) => {
                let own = issuer.origin() == token.url().origin();
                if !own && !hosts.iter().any(|host| host.fits(token.url())) {
                    grant.problem(format!(
                        "would send what says who somebody is to another host than the issuer of [sign_in]; add `subject_hosts = [\"{}\"]` if \
                         that is wanted",
                        token.host()
                    ));
                }
            }
            (SignedInAt::Provider | SignedInAt::Gateway, _) => grant.problem(
                "needs people who sign in by OpenID Connect, whose token is exchanged; add `[sign_in]` with `kind = \"openid\"`",
            ),
        }
    }
    let subject = match table.text(&SUBJECT_TOKEN).map(|found| found.value) {
        Some("access_token") => SubjectToken::AccessToken,
        _ => SubjectToken::IdToken,
    };
    let words = |key: &Key| table.words(key).map(|found| found.value);
    let resource = table.parsed(&RESOURCE, |text| urls::endpoint(text, http).map(|_| text.to_owned()));
    let wish = ExchangeWish {
        audience: words(&AUDIENCE),
        resource: resource.map(|found| found.value),
        requested_token_type: words(&REQUESTED_TOKEN_TYPE),
    };
    TokenExchange { subject, wish }
}

/// Whether the browser is sent to the provider, as far as the table says.
pub(super) fn sends_the_browser(table: &Table<'_>) -> bool {
    table.text(&GRANT).is_none_or(|found| found.value == "authorization_code")
}

const DEVICE: &[Key] = &[DEVICE_ENDPOINT];
const EXCHANGE: &[Key] = &[SUBJECT_TOKEN, SUBJECT_HOSTS, AUDIENCE, RESOURCE, REQUESTED_TOKEN_TYPE];

pub(super) const GRANT: Key = Key::default(
    "grant",
    Form::OneOf(&["authorization_code", "device_code", "client_credentials", "token_exchange"]),
    "authorization_code",
    "How tokens are got: by a code that the browser brings, by one that the person types in (RFC 8628), for the gateway's own client \
     (RFC 6749, 4.4), or for the token of the person's sign-in (RFC 8693); authorization_code by default.",
);
pub(super) const DEVICE_ENDPOINT: Key = Key::optional(
    "device_authorization_endpoint",
    Form::Text,
    "Where codes come from that people type in; needed for device_code.",
);
pub(super) const SUBJECT_TOKEN: Key = Key::default(
    "subject_token",
    Form::OneOf(&["id_token", "access_token"]),
    "id_token",
    "Which token of the person's sign-in is exchanged; id_token by default, which says who they are and nothing more.",
);
pub(super) const SUBJECT_HOSTS: Key = Key::optional(
    "subject_hosts",
    Form::Texts,
    "Hosts that may see it besides the issuer of [sign_in]; none by default.",
);
pub(super) const AUDIENCE: Key = Key::optional(
    "audience",
    Form::Text,
    "The service that an exchanged token is for, as its server calls it; none by default.",
);
pub(super) const RESOURCE: Key =
    Key::optional("resource", Form::Text, "The same as a URL (RFC 8707); none by default.");
pub(super) const REQUESTED_TOKEN_TYPE: Key = Key::optional(
    "requested_token_type",
    Form::Text,
    "The kind of token that is asked for in an exchange; left out, an access token comes.",
);
