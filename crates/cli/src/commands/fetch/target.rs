use url::Url;

use crate::credentials::Visit;
use crate::gateway::Kind;
use crate::{Code, Failure, plain};

/// What is called: a path of the service's, or a whole URL that has to be the service's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Begins with one slash.
    Path(String),
    /// At `https`, or `http`.
    Whole(Url),
}

impl Target {
    /// From the command line.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        if text.chars().any(|each| each.is_control() || each == '\\') {
            return Err(wrong("holds characters that no path has"));
        }
        if text.contains('#') {
            return Err(wrong("has a fragment, which is never sent"));
        }
        if text.starts_with("//") {
            return Err(wrong("begins with two slashes, which some take for a host"));
        }
        if text.starts_with('/') {
            return Ok(Self::Path(text.to_owned()));
        }
        match Url::parse(text) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                Err(wrong("carries a name or a password"))
            }
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self::Whole(url)),
            _ => Err(wrong("is neither a path that begins with a slash nor a URL")),
        }
    }

    /// Where it is called: at the gateway, and below the service's own place there.
    pub(super) fn at(&self, visit: &Visit) -> Result<Url, Failure> {
        if visit.kind == Kind::Mcp {
            return Err(not_by_paths(visit));
        }
        let rest = match self {
            Self::Path(path) => path.clone(),
            Self::Whole(url) => {
                let bases = [visit.api_base.as_ref(), Some(&visit.url)];
                let rest = bases.into_iter().flatten().find_map(|base| below(base, url));
                rest.ok_or_else(|| elsewhere(visit))?
            }
        };
        let base = visit.url.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}{rest}")).map_err(|_| wrong("is no path of a URL"))?;
        // The parser has resolved what climbs, so that it is seen where that leads.
        match below(&visit.url, &url) {
            Some(_) => Ok(url),
            None => Err(wrong("climbs out of the service")),
        }
    }
}

/// What of a URL comes below a base: path and query, with a slash at the beginning.
fn below(base: &Url, url: &Url) -> Option<String> {
    if base.origin() != url.origin() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let rest = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{}{query}", if rest.is_empty() { "/" } else { rest }))
}

fn not_by_paths(visit: &Visit) -> Failure {
    let hint =
        format!("Connect an MCP client to {}; `ath mcp-config` prints what it needs.", plain::line(visit.url.as_str()));
    Failure::new(Code::Usage, "The service is an MCP server, which is not called path by path.", hint)
}

fn elsewhere(visit: &Visit) -> Failure {
    let hint = match &visit.api_base {
        Some(base) => format!("Its URLs begin with {}; or write the path alone.", plain::line(base.as_str())),
        None => "Where it is differs from person to person: write the path alone.".to_owned(),
    };
    Failure::new(Code::Usage, "The URL is not one of this service's.", hint)
}

fn wrong(why: &str) -> Failure {
    Failure::new(
        Code::Usage,
        format!("What is to be fetched {why}."),
        "Write a path of the service's API, such as /tickets?state=open, or its whole URL.",
    )
}

#[cfg(test)]
mod tests {
    use protocol::Timestamp;
    use secret::AccessToken;

    use super::*;
    use crate::credentials::Access;
    use crate::gateway::Kind;

    fn visit(url: &str, api_base: Option<&str>) -> Visit {
        let parse = |text: &str| Url::parse(text).expect("a URL");
        let access = Access { token: AccessToken::new("x"), ends: Timestamp::from_secs(1) };
        Visit { url: parse(url), api_base: api_base.map(parse), kind: Kind::Http, access }
    }

    fn at(visit: &Visit, text: &str) -> Result<String, Failure> {
        Target::parse(text)?.at(visit).map(String::from)
    }

    #[test]
    fn paths_and_urls_of_the_service_lead_to_the_gateway() {
        let visit = visit("https://gw.test/helpdesk", Some("https://api.acme.test/v2"));
        for (text, called) in [
            ("/tickets", "https://gw.test/helpdesk/tickets"),
            ("/tickets?state=open&q=a%20b", "https://gw.test/helpdesk/tickets?state=open&q=a%20b"),
            ("/", "https://gw.test/helpdesk/"),
            ("/a/../b", "https://gw.test/helpdesk/b"),
            ("/a b", "https://gw.test/helpdesk/a%20b"),
            ("/x%2Fy", "https://gw.test/helpdesk/x%2Fy"),
            ("https://api.acme.test/v2/tickets?x", "https://gw.test/helpdesk/tickets?x"),
            ("https://api.acme.test/v2", "https://gw.test/helpdesk/"),
            ("HTTPS://API.Acme.Test:443/v2/tickets", "https://gw.test/helpdesk/tickets"),
            ("https://gw.test/helpdesk/tickets", "https://gw.test/helpdesk/tickets"),
        ] {
            assert_eq!(at(&visit, text).expect(text), called, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_called() {
        let visit = visit("https://gw.test/helpdesk", Some("https://api.acme.test/v2"));
        for text in [
            "",
            "tickets",
            "//evil.test/x",
            "/\\evil.test/x",
            "https://evil.test/v2/tickets",
            "https://api.acme.test/v1/tickets",
            "https://api.acme.test/v22",
            "https://api.acme.test.evil.test/v2",
            "https://api.acme.test@evil.test/v2",
            "https://me:secret@api.acme.test/v2",
            "http://api.acme.test/v2/tickets",
            "https://api.acme.test:8443/v2/tickets",
            "https://api.acme.test/v2/../admin",
            "https://gw.test/other/tickets",
            "https://gw.test/ath/my/services",
            "/../other/tickets",
            "/%2e%2e/other/tickets",
            "/x/../../other",
            "/x\r\nHost: evil.test",
            "/x\u{0}",
            "/x#y",
            "file:///etc/passwd",
            "javascript:alert(1)",
        ] {
            let failure = at(&visit, text).expect_err(text);
            assert_eq!(failure.code, Code::Usage, "{text}");
        }
        let failure = at(&visit, "https://evil.test/v2/tickets").expect_err("elsewhere");
        assert!(failure.hint.contains("https://api.acme.test/v2"), "it names the right host: {}", failure.hint);
    }

    #[test]
    fn a_service_on_a_host_of_its_own_and_one_without_a_base() {
        let own = visit("https://helpdesk.gw.test/", Some("https://api.acme.test/"));
        assert_eq!(at(&own, "/tickets").expect("a path"), "https://helpdesk.gw.test/tickets");
        assert_eq!(at(&own, "https://api.acme.test/tickets").expect("a URL"), "https://helpdesk.gw.test/tickets");
        let varies = visit("https://gw.test/crm", None);
        assert!(at(&varies, "https://acme.crm.test/x").expect_err("unknown").hint.contains("path alone"));
    }
}
