//! What a client is told that has no token for an entrance, or not the right one: where it may get one, and which
//! (RFC 6750 §3, RFC 9728 §5.1).

use broker::Urls;
use http::{HeaderValue, StatusCode};
use protocol::ScopeSet;

use crate::error::{ProxyError, Row};
use crate::location::Place;
use crate::route::Entrance;
use crate::upstream::Upstream;

/// Whether clients are told where the gateway's authorization server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discovery {
    /// They are: it serves ordinary OAuth clients.
    Announced,
    /// They are not: there is none for them.
    Silent,
}

/// What `WWW-Authenticate` says of one entrance, made once at the start.
pub(crate) struct Challenge {
    /// `Bearer realm="…"`, and where the entrance's metadata is, if it is anywhere.
    beginning: Box<str>,
    /// The coarsest scope there: the provider's id.
    scope: Box<str>,
}

/// Of the four entrances of one upstream; none for those that it has not got.
pub(crate) struct Challenges {
    ath: Option<Challenge>,
    prefix: Option<Challenge>,
    host: Option<Challenge>,
    mcp: Option<Challenge>,
}

impl Challenges {
    pub(crate) fn new(upstream: &Upstream, public_url: &str, discovery: Discovery) -> Self {
        let of = |entrance| {
            Place::of(upstream, entrance, public_url).map(|place| Challenge::new(upstream, &place, discovery))
        };
        Self { ath: of(Entrance::Ath), prefix: of(Entrance::Prefix), host: of(Entrance::Host), mcp: of(Entrance::Mcp) }
    }

    pub(crate) fn at(&self, entrance: Entrance) -> Option<&Challenge> {
        match entrance {
            Entrance::Ath => self.ath.as_ref(),
            Entrance::Prefix => self.prefix.as_ref(),
            Entrance::Host => self.host.as_ref(),
            Entrance::Mcp => self.mcp.as_ref(),
        }
    }
}

impl Challenge {
    fn new(upstream: &Upstream, place: &Place, discovery: Discovery) -> Self {
        Self { beginning: beginning(place, discovery).into(), scope: upstream.provider_id.as_str().into() }
    }

    /// Of the door for MCP clients to all services, which no one scope stands for.
    pub(crate) fn for_all(public_url: &str, discovery: Discovery) -> Self {
        let place = Place { origin: public_url.to_owned(), path: "/mcp".to_owned() };
        Self { beginning: beginning(&place, discovery).into(), scope: Box::default() }
    }

    /// The header of an answer that wants one. Where no entrance is known, it names the scheme alone.
    pub(crate) fn answer(challenge: Option<&Self>, error: &ProxyError, row: &Row) -> Option<HeaderValue> {
        if !matches!(row.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return None;
        }
        let Some(challenge) = challenge else {
            let bare = HeaderValue::from_static(REALM);
            return (row.status == StatusCode::UNAUTHORIZED).then_some(bare);
        };
        HeaderValue::from_str(&challenge.text(error, row)).ok()
    }

    /// RFC 6750 §3.1: no error where no token was presented. Where no scope helps, none is called insufficient: clients would ask for
    /// one and be refused again.
    fn text(&self, error: &ProxyError, row: &Row) -> String {
        let Self { beginning, scope } = self;
        let scoped = |scope: &str| match scope {
            "" => beginning.to_string(),
            scope => format!("{beginning}, scope=\"{scope}\""),
        };
        let said = |error: &str, scope: &str| {
            format!("{}, error=\"{error}\", error_description=\"{}\"", scoped(scope), row.message)
        };
        match error {
            ProxyError::Denied { wanted } | ProxyError::ContentDenied { wanted } if !wanted.is_empty() => {
                said("insufficient_scope", &listed(wanted))
            }
            ProxyError::ProviderMismatch => said("insufficient_scope", scope),
            ProxyError::Audience => said("invalid_token", scope),
            ProxyError::Broker(_) if row.status == StatusCode::UNAUTHORIZED => said("invalid_token", scope),
            _ => scoped(scope),
        }
    }
}

fn beginning(place: &Place, discovery: Discovery) -> String {
    match discovery {
        Discovery::Announced => {
            let metadata = Urls::resource_metadata(&format!("{}{}", place.origin, place.path));
            format!("{REALM}, resource_metadata=\"{metadata}\"")
        }
        Discovery::Silent => REALM.to_owned(),
    }
}

/// The grammar of scopes has nothing that would have to be escaped.
fn listed(scopes: &ScopeSet) -> String {
    scopes.iter().map(protocol::Scope::as_str).collect::<Vec<_>>().join(" ")
}

const REALM: &str = "Bearer realm=\"ath-gateway\"";

#[cfg(test)]
mod tests {
    use broker::BrokerError;

    use super::*;
    use crate::error::row;
    use crate::upstream::tests::upstream;

    fn said(entrance: Entrance, error: &ProxyError) -> Option<String> {
        let upstream = upstream("crm", "https://api.test", Some("/teams/crm"), Some("crm.gw.test"));
        let challenges = Challenges::new(&upstream, "https://gw.test", Discovery::Announced);
        let header = Challenge::answer(challenges.at(entrance), error, &row(error));
        header.map(|header| header.to_str().expect("text").to_owned())
    }

    #[test]
    fn each_entrance_names_its_own_metadata() {
        for (entrance, metadata) in [
            (Entrance::Ath, "https://gw.test/.well-known/oauth-protected-resource/ath/proxy/crm"),
            (Entrance::Prefix, "https://gw.test/.well-known/oauth-protected-resource/teams/crm"),
            (Entrance::Host, "https://crm.gw.test/.well-known/oauth-protected-resource"),
            (Entrance::Mcp, "https://gw.test/.well-known/oauth-protected-resource/crm/mcp"),
        ] {
            let expected = format!("Bearer realm=\"ath-gateway\", resource_metadata=\"{metadata}\", scope=\"crm\"");
            assert_eq!(said(entrance, &ProxyError::TokenMissing), Some(expected));
        }
    }

    #[test]
    fn the_door_for_all_services_asks_for_no_scope() {
        let challenge = Challenge::for_all("https://gw.test", Discovery::Announced);
        let begins = "Bearer realm=\"ath-gateway\", resource_metadata=\"https://gw.test/.well-known/oauth-protected-resource/mcp\"";
        for (error, expected) in [
            (ProxyError::TokenMissing, begins.to_owned()),
            (
                ProxyError::Audience,
                format!("{begins}, error=\"invalid_token\", error_description=\"The token is for another resource.\""),
            ),
        ] {
            let header = Challenge::answer(Some(&challenge), &error, &row(&error)).expect("a challenge");
            assert_eq!(header.to_str().expect("text"), expected);
        }
    }

    #[test]
    fn an_error_is_named_where_a_token_was_presented() {
        let begins = "Bearer realm=\"ath-gateway\", \
                      resource_metadata=\"https://gw.test/.well-known/oauth-protected-resource/teams/crm\", ";
        let wanted = ["write:x", "read:x"].into_iter().map(|scope| protocol::Scope::parse(scope).expect("a scope"));
        for (error, ends) in [
            (
                ProxyError::Broker(BrokerError::TokenExpired),
                "scope=\"crm\", error=\"invalid_token\", error_description=\"The ATH token has expired.\"",
            ),
            (
                ProxyError::Denied { wanted: wanted.collect() },
                "scope=\"read:x write:x\", error=\"insufficient_scope\", \
                 error_description=\"No granted scope allows this operation.\"",
            ),
            (
                ProxyError::ProviderMismatch,
                "scope=\"crm\", error=\"insufficient_scope\", error_description=\"The token is not for this provider.\"",
            ),
            (ProxyError::Denied { wanted: ScopeSet::default() }, "scope=\"crm\""),
            (ProxyError::AgentMismatch, "scope=\"crm\""),
        ] {
            assert_eq!(said(Entrance::Prefix, &error), Some(format!("{begins}{ends}")), "{error:?}");
        }
        assert_eq!(said(Entrance::Prefix, &ProxyError::Timeout), None);
    }

    #[test]
    fn without_an_entrance_only_the_scheme_is_named_and_without_a_server_none_is() {
        let bare = |error| Challenge::answer(None, &error, &row(&error));
        assert_eq!(bare(ProxyError::TokenMissing), Some(HeaderValue::from_static("Bearer realm=\"ath-gateway\"")));
        assert_eq!(bare(ProxyError::ProviderMismatch), None);
        let upstream = upstream("crm", "https://api.test", Some("/crm"), None);
        let silent = Challenges::new(&upstream, "https://gw.test", Discovery::Silent);
        assert!(silent.at(Entrance::Host).is_none() && silent.at(Entrance::Ath).is_some());
        let (error, challenge) = (ProxyError::TokenMissing, silent.at(Entrance::Prefix));
        let header = Challenge::answer(challenge, &error, &row(&error));
        assert_eq!(header, Some(HeaderValue::from_static("Bearer realm=\"ath-gateway\", scope=\"crm\"")));
    }

    /// RFC 6750 §3: neither quotes nor backslashes in a description.
    #[test]
    fn every_sentence_can_be_a_description() {
        for row in ProxyError::rows() {
            let plain = |byte: u8| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\');
            assert!(row.message.bytes().all(plain), "{}", row.message);
        }
    }
}
