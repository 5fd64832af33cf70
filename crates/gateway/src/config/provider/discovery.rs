//! Endpoints from the provider's metadata.

use oauth::{AuthChoice, Discovery, Endpoint, HostPattern, Plaintext};

use crate::config::key::{Form, Key};
use crate::config::reader::Table;
use crate::config::urls::PlainHttp;

/// `None` where endpoints are set; and the hosts that endpoints may lie on besides the issuer's own. `by_word`: an MCP server's word leads
/// to the issuer.
pub(super) fn read(
    table: &Table<'_>,
    issuer: Option<&Endpoint>,
    http: PlainHttp,
    (client_auth, by_word): (AuthChoice, bool),
) -> (Option<Discovery>, Vec<HostPattern>) {
    let hosts = table.texts(&ENDPOINT_HOSTS).into_iter().filter_map(|found| {
        let place = found.place.clone();
        let pattern = found.parsed(HostPattern::parse)?;
        if !pattern.value.is_one() {
            return place
                .refused("takes no pattern, since what the metadata names has to be known; write the host itself");
        }
        Some(pattern.value)
    });
    let hosts: Vec<HostPattern> = hosts.collect();
    let wanted = table.boolean(&DISCOVERY);
    if let Some(place) = table.written(&ENDPOINT_HOSTS).filter(|_| !wanted && !by_word) {
        place.problem("is about endpoints from the provider's metadata; add `discovery = true`, or remove it");
    }
    let Some(place) = table.written(&DISCOVERY).filter(|_| wanted) else { return (None, hosts) };
    let Some(issuer) = issuer else {
        if !by_word {
            place.problem("needs to know whose metadata; add `issuer = \"https://...\"`");
        }
        return (None, hosts);
    };
    let plaintext = match http {
        PlainHttp::Nowhere => Plaintext::Refused,
        PlainHttp::OnLoopback | PlainHttp::Everywhere => Plaintext::Allowed,
    };
    (Some(Discovery { issuer: issuer.clone(), plaintext, hosts, client_auth }), Vec::new())
}

pub(super) const DISCOVERY: Key = Key::optional(
    "discovery",
    Form::Boolean,
    "Whether endpoints that are not set come from the issuer's metadata (OpenID Connect Discovery, RFC 8414), read when they are first needed \
     and once a day; false by default.",
);
pub(super) const ENDPOINT_HOSTS: Key = Key::optional(
    "endpoint_hosts",
    Form::Texts,
    "Hosts that its endpoints may lie on besides the issuer's own; none by default, so that nobody moves a provider without your word.",
);
