use protocol::{ClientId, ProviderId, SessionId};
use url::Url;
use url::form_urlencoded::Serializer;

/// Every URL that the gateway serves or hands out is built here.
#[derive(Debug, Clone)]
pub struct Urls {
    public_url: String,
}

impl Urls {
    /// From the public URL: scheme, host and port, nothing else.
    #[must_use]
    pub fn new(public_url: &Url) -> Self {
        Self { public_url: public_url.origin().ascii_serialization() }
    }

    /// The public URL without a trailing slash; also the gateway's id.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.public_url
    }

    /// Whether cookies can be `Secure` and carry the `__Host-` prefix.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// A host name of the gateway's, with the public URL's scheme.
    #[must_use]
    pub fn at_host(&self, host: &str) -> String {
        let scheme = if self.is_https() { "https" } else { "http" };
        format!("{scheme}://{}", host.to_ascii_lowercase())
    }

    /// A host name that is a provider's, at the public URL's port.
    #[must_use]
    pub fn at_own_host(&self, host: &str) -> String {
        let authority = self.public_url.split_once("://").map_or("", |(_, authority)| authority);
        let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
        let host = self.at_host(host);
        port.map_or(host.clone(), |port| format!("{host}:{port}"))
    }

    /// `POST` here registers an agent.
    #[must_use]
    pub fn register(&self) -> String {
        format!("{}/ath/agents/register", self.public_url)
    }

    /// A registration.
    #[must_use]
    pub fn agent(&self, client: &ClientId) -> String {
        format!("{}/ath/agents/{client}", self.public_url)
    }

    /// `POST` here begins a consent.
    #[must_use]
    pub fn authorize(&self) -> String {
        format!("{}/ath/authorize", self.public_url)
    }

    /// `POST` here exchanges a code for an ATH token.
    #[must_use]
    pub fn token(&self) -> String {
        format!("{}/ath/token", self.public_url)
    }

    /// Where providers send the browser back to, and what an agent may name to mean "no redirect".
    #[must_use]
    pub fn callback(&self) -> String {
        format!("{}/ath/callback", self.public_url)
    }

    /// What a person has connected.
    #[must_use]
    pub fn accounts(&self) -> String {
        format!("{}/accounts", self.public_url)
    }

    /// Where one provider sends the browser back to that has a callback of its own.
    #[must_use]
    pub fn own_callback(&self, provider: &str) -> String {
        format!("{}/ath/callback/{provider}", self.public_url)
    }

    /// The consent page of a session, with the PKCE parameters that ATH 0.1 wants to see in it.
    #[must_use]
    pub fn consent(&self, session: &SessionId, challenge: &str, resource: Option<&str>) -> String {
        let mut query = Serializer::new(String::new());
        query.append_pair("session_id", session.as_str());
        query.append_pair("response_type", "code");
        query.append_pair("code_challenge", challenge);
        query.append_pair("code_challenge_method", "S256");
        if let Some(resource) = resource {
            query.append_pair("resource", resource);
        }
        format!("{}/ath/consent?{}", self.public_url, query.finish())
    }

    /// The consent page of a session, for somebody who comes back to it.
    #[must_use]
    pub fn consent_again(&self, session: &SessionId) -> String {
        format!("{}/ath/consent?session_id={session}", self.public_url)
    }

    /// Where people sign in, on the way to a consent or to nothing in particular.
    #[must_use]
    pub fn sign_in(&self, session: Option<&SessionId>) -> String {
        match session {
            Some(session) => format!("{}/ath/sign-in?session_id={session}", self.public_url),
            None => format!("{}/ath/sign-in", self.public_url),
        }
    }

    /// The same on the way to a request of an OAuth client's, which nobody has answered yet.
    #[must_use]
    pub fn sign_in_for(&self, sealed: &str) -> String {
        format!("{}/ath/sign-in?request={sealed}", self.public_url)
    }

    /// Where an OpenID provider in front sends the browser back to.
    #[must_use]
    pub fn sign_in_callback(&self) -> String {
        format!("{}/ath/sign-in/callback", self.public_url)
    }

    /// The page behind a link for somebody whose connection has to be renewed.
    #[must_use]
    pub fn reconnect(&self, ticket: &str) -> String {
        format!("{}/ath/reconnect/{ticket}", self.public_url)
    }

    /// The page that names the account which a person signed in with.
    #[must_use]
    pub fn confirm(&self, session: &SessionId) -> String {
        format!("{}/ath/consent/account?session_id={session}", self.public_url)
    }

    /// The page that asks for a person's key.
    #[must_use]
    pub fn key(&self, session: &SessionId) -> String {
        format!("{}/ath/consent/key?session_id={session}", self.public_url)
    }

    /// The page with the code that a person types in at the provider.
    #[must_use]
    pub fn device(&self, session: &SessionId) -> String {
        format!("{}/ath/consent/device?session_id={session}", self.public_url)
    }

    /// The gateway's own page at the end of a consent, successful or not.
    #[must_use]
    pub fn done(&self, session: &SessionId, outcome: Outcome) -> String {
        let success = match outcome {
            Outcome::Allowed => "true",
            Outcome::Refused => "false",
        };
        format!("{}/ath/consent/done?session_id={session}&success={success}", self.public_url)
    }

    /// Where an OAuth client sends a person's browser (RFC 6749 §3.1).
    #[must_use]
    pub fn oauth_authorize(&self) -> String {
        format!("{}/oauth/authorize", self.public_url)
    }

    /// `POST` here exchanges whatever an OAuth client holds for an access token (RFC 6749 §3.2).
    #[must_use]
    pub fn oauth_token(&self) -> String {
        format!("{}/oauth/token", self.public_url)
    }

    /// `POST` here registers an OAuth client (RFC 7591 §3).
    #[must_use]
    pub fn oauth_register(&self) -> String {
        format!("{}/oauth/register", self.public_url)
    }

    /// `POST` here ends a token of an OAuth client's (RFC 7009 §2).
    #[must_use]
    pub fn oauth_revoke(&self) -> String {
        format!("{}/oauth/revoke", self.public_url)
    }

    /// `POST` here tells what a token is (RFC 7662 §2).
    #[must_use]
    pub fn oauth_introspect(&self) -> String {
        format!("{}/oauth/introspect", self.public_url)
    }

    /// Whose an access token is (`OpenID` Connect Core §5.3).
    #[must_use]
    pub fn oauth_userinfo(&self) -> String {
        format!("{}/oauth/userinfo", self.public_url)
    }

    /// `POST` here begins a device's authorization (RFC 8628 §3.1).
    #[must_use]
    pub fn oauth_device_authorization(&self) -> String {
        format!("{}/oauth/device_authorization", self.public_url)
    }

    /// Where a person types in what a device shows (RFC 8628 §3.3).
    #[must_use]
    pub fn oauth_device(&self) -> String {
        format!("{}/oauth/device", self.public_url)
    }

    /// The same with the code in it (RFC 8628 §3.3.1).
    #[must_use]
    pub fn oauth_device_with(&self, user_code: &str) -> String {
        Self::with_parameters(&self.oauth_device(), &[("user_code", user_code)])
    }

    /// Where a person consents whom a client could not act for yet.
    #[must_use]
    pub fn oauth_connect(&self, sealed: &str) -> String {
        format!("{}/oauth/connect/{sealed}", self.public_url)
    }

    /// The agent id of an OAuth client that has no URL of its own.
    #[must_use]
    pub fn oauth_client(&self, client: &ClientId) -> String {
        format!("{}/oauth/clients/{client}", self.public_url)
    }

    /// The keys that ID tokens are signed with (RFC 7517 §5).
    #[must_use]
    pub fn jwks(&self) -> String {
        format!("{}/.well-known/jwks.json", self.public_url)
    }

    /// The door for MCP clients to one service.
    #[must_use]
    pub fn mcp(&self, provider: &ProviderId) -> String {
        format!("{}/{provider}/mcp", self.public())
    }

    /// The text that teaches an agent how to use this gateway.
    #[must_use]
    pub fn skill(&self) -> String {
        format!("{}/skill.md", self.public())
    }

    /// The door for MCP clients to all services.
    #[must_use]
    pub fn mcp_for_all(&self) -> String {
        format!("{}/mcp", self.public())
    }

    /// A provider behind ATH's own entrance, as a resource (RFC 8707 §2).
    #[must_use]
    pub fn proxied(&self, provider: &ProviderId) -> String {
        format!("{}/ath/proxy/{provider}", self.public_url)
    }

    /// A provider behind a path of its own, which begins with a slash, as a resource.
    #[must_use]
    pub fn at_path(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// What a resource at one of the gateway's hosts says of itself: the well-known part goes between host and path (RFC 9728 §3.1).
    #[must_use]
    pub fn resource_metadata(resource: &str) -> String {
        let after_scheme = resource.find("://").map_or(0, |at| at + 3);
        let path =
            resource.get(after_scheme..).and_then(|rest| rest.find('/')).map_or(resource.len(), |at| after_scheme + at);
        let (origin, path) = resource.split_at(path);
        format!("{origin}/.well-known/oauth-protected-resource{}", path.trim_end_matches('/'))
    }

    /// The agent's redirect URI with `parameters` added to whatever query it has.
    #[must_use]
    pub fn with_parameters(redirect_uri: &str, parameters: &[(&str, &str)]) -> String {
        let mut query = Serializer::new(String::new());
        query.extend_pairs(parameters);
        let separator = if redirect_uri.contains('?') { '&' } else { '?' };
        format!("{redirect_uri}{separator}{}", query.finish())
    }
}

/// How a consent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The person allowed it, and the provider did.
    Allowed,
    /// One of them did not.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_join_an_existing_query() {
        let joined = Urls::with_parameters("http://127.0.0.1:9/cb?a=1", &[("code", "x y"), ("state", "&")]);
        assert_eq!(joined, "http://127.0.0.1:9/cb?a=1&code=x+y&state=%26");
        assert_eq!(Urls::with_parameters("https://a.test/cb", &[("code", "1")]), "https://a.test/cb?code=1");
    }

    #[test]
    fn a_resource_says_what_it_is_beside_its_host() {
        for (resource, metadata) in [
            ("https://gw.test/ath/proxy/crm", "https://gw.test/.well-known/oauth-protected-resource/ath/proxy/crm"),
            ("http://gw.test:8080/crm", "http://gw.test:8080/.well-known/oauth-protected-resource/crm"),
            ("https://crm.gw.test", "https://crm.gw.test/.well-known/oauth-protected-resource"),
            ("https://crm.gw.test/", "https://crm.gw.test/.well-known/oauth-protected-resource"),
        ] {
            assert_eq!(Urls::resource_metadata(resource), metadata);
        }
    }

    #[test]
    fn the_public_url_has_no_trailing_slash() {
        let urls = Urls::new(&Url::parse("https://gateway.example:8443/").expect("a URL"));
        assert_eq!(urls.register(), "https://gateway.example:8443/ath/agents/register");
        assert!(urls.is_https());
        assert_eq!(urls.at_own_host("crm.gw"), "https://crm.gw:8443");
        let portless = Urls::new(&Url::parse("http://[::1]/").expect("a URL"));
        assert_eq!(portless.at_own_host("crm.gw"), "http://crm.gw");
    }
}
