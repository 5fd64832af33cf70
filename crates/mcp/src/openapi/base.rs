//! Where a document's paths are, below the base that the gateway's configuration has.

use serde_json::Value;

use super::operation::{Part, parts};
use super::refs;

/// The path of a service's API base, without slash at its end.
#[derive(Debug, Clone)]
pub(super) struct Base(Box<str>);

impl Base {
    /// Of the path of a URL: `/v1`, `/v1/`, `/` or nothing.
    pub(super) fn new(path: &str) -> Self {
        Self(path.trim_end_matches('/').into())
    }

    /// A path of the document as a request below the base has it. What the server's URL and the base have in common is there already; where
    /// the server's URL lies elsewhere, the configuration is right, and the document's path is taken as it stands.
    pub(super) fn below(&self, server: &str, path: &str) -> String {
        let whole = format!("{server}{path}");
        match whole.strip_prefix(&*self.0) {
            Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => path.to_owned(),
        }
    }
}

/// The path of the first server in what lists them, with its variables' defaults; `None` where none is listed.
pub(super) fn server_path(listing: &Value) -> Option<String> {
    let server = listing.get("servers")?.get(0)?;
    let variables = server.get("variables");
    let mut url = String::new();
    // Once, and never into what was put in: a default may be called like another variable.
    for part in parts(refs::text(server, "url")?) {
        url.push_str(match part {
            Part::Literal(text) => text,
            Part::Parameter(name) => {
                variables.and_then(|all| refs::text(all.get(name)?, "default")).unwrap_or_default()
            }
        });
        if url.len() > MAX_URL {
            return None;
        }
    }
    let path = match url.split_once("://") {
        Some((_, behind)) => behind.find('/').and_then(|at| behind.get(at..)).unwrap_or_default(),
        None => url.as_str(),
    };
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    Some(if path.starts_with('/') { path.to_owned() } else { String::new() })
}

/// In bytes.
const MAX_URL: usize = 2048;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_server_and_base_share_is_there_already() {
        let below = |base: &str, server: &str, path: &str| Base::new(base).below(server, path);
        assert_eq!(below("/v1", "/v1", "/customers"), "/customers");
        assert_eq!(below("/v1/", "", "/v1/customers"), "/customers");
        assert_eq!(below("", "/v1", "/customers"), "/v1/customers");
        assert_eq!(below("/api", "/api/v2", "/customers"), "/v2/customers");
        assert_eq!(below("/v1", "/v1", "/v1/odd"), "/v1/odd");
        assert_eq!(below("/v1", "", "/v1"), "/");
    }

    #[test]
    fn a_server_elsewhere_gives_way_to_the_configuration() {
        let below = |base: &str, server: &str, path: &str| Base::new(base).below(server, path);
        assert_eq!(below("/proxy/v2", "/api/v2", "/customers"), "/customers");
        assert_eq!(below("/api", "", "/tickets"), "/tickets");
        assert_eq!(below("/v1", "", "/v10/x"), "/v10/x");
    }

    #[test]
    fn the_path_of_a_server() {
        let of = |url: &str| server_path(&json!({"servers": [{"url": url}]}));
        assert_eq!(of("https://api.example.com"), Some(String::new()));
        assert_eq!(of("https://api.example.com/v1/"), Some("/v1".to_owned()));
        assert_eq!(of("/api/v3"), Some("/api/v3".to_owned()));
        assert_eq!(of("v3"), Some(String::new()));
        assert_eq!(server_path(&json!({})), None);
        let server = json!({"url": "https://{host}/{version}", "variables": {"host": {"default": "a.example"}, "version": {"default": "v4"}}});
        assert_eq!(server_path(&json!({"servers": [server]})), Some("/v4".to_owned()));
    }

    #[test]
    fn variables_are_put_in_once_and_lead_to_no_others() {
        let variables: serde_json::Map<String, Value> =
            (0..60).map(|at| (format!("a{at}"), json!({"default": format!("{{a{0}}}{{a{0}}}", at + 1)}))).collect();
        let listing = json!({"servers": [{"url": "https://x.example/{a0}", "variables": variables}]});
        assert_eq!(server_path(&listing), Some("/{a1}{a1}".to_owned()));
        let long = json!({"url": "{a}".repeat(1000), "variables": {"a": {"default": "a".repeat(1_000_000)}}});
        assert_eq!(server_path(&json!({"servers": [long]})), None);
    }
}
