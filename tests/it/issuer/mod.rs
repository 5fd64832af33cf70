//! The endpoints of the OAuth door, as HTTP: documents, headers, methods, and who may read them from where.

mod documents;
mod elsewhere;
mod forms;

use tests::{Answer, Gateway, Store, Upstream, free_port};

/// A gateway in front of the helpdesk, which has a path and a host of its own.
struct House {
    gateway: Gateway,
    _upstream: Upstream,
}

impl House {
    fn new() -> Self {
        Self::with("")
    }

    /// With further tables of the configuration.
    fn with(tables: &str) -> Self {
        let upstream = Upstream::start(free_port(), |_| {});
        let own = "path_prefix = \"/helpdesk\"\nhost = \"desk.localhost\"\n";
        let text = upstream.provider("pkce = \"none\"").replace("path_prefix = \"/helpdesk\"\n", own);
        let text = format!("{text}\n{tables}");
        let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &text);
        Self { gateway, _upstream: upstream }
    }

    fn get(&self, path: &str) -> Answer {
        self.gateway.request("GET", path).send()
    }

    fn post(&self, path: &str, form: &str) -> Answer {
        let request = self.gateway.request("POST", path).header("content-type", FORM);
        request.body(form.as_bytes().to_vec()).send()
    }

    /// At another of the gateway's names.
    fn get_at(&self, host: &str, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        tests::raw(self.gateway.port(), request.as_bytes(), "GET")
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// All that there is while the door is open alone.
const ENDPOINTS: [(&str, &str); 12] = [
    ("POST", "/oauth/token"),
    ("POST", "/oauth/revoke"),
    ("POST", "/oauth/introspect"),
    ("POST", "/oauth/device_authorization"),
    ("POST", "/oauth/register"),
    ("GET", "/oauth/userinfo"),
    ("POST", "/oauth/userinfo"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/.well-known/oauth-protected-resource/helpdesk"),
    ("GET", "/.well-known/oauth-protected-resource/ath/proxy/helpdesk"),
];
