use http::header::{CONTENT_LOCATION, LINK, LOCATION};
use http::{HeaderMap, HeaderValue};

use crate::route::Entrance;
use crate::target::Target;
use crate::upstream::Upstream;

/// How the upstream's own URLs are written for the agent: through the entrance it came by.
pub(crate) struct Rewriting<'a> {
    upstream: &'a Upstream,
    /// The place that answered.
    target: &'a Target,
    /// Scheme and host of the entrance.
    origin: String,
    /// Path of the entrance, without a trailing slash.
    path: String,
}

/// Where an entrance is, as its clients write it.
pub(crate) struct Place {
    /// Scheme and host, with the port where there is one.
    pub(crate) origin: String,
    /// Without a trailing slash; empty at the root.
    pub(crate) path: String,
}

impl Place {
    /// `None` for an entrance that the upstream has not got.
    pub(crate) fn of(upstream: &Upstream, entrance: Entrance, public_url: &str) -> Option<Self> {
        match entrance {
            Entrance::Ath => Some(Self::of_ath(upstream, public_url)),
            Entrance::Prefix => {
                let path = upstream.path_prefix.clone()?;
                Some(Self { origin: public_url.to_owned(), path })
            }
            Entrance::Mcp => {
                Some(Self { origin: public_url.to_owned(), path: format!("/{}/mcp", upstream.provider_id) })
            }
            Entrance::Host => {
                let host = upstream.entrance_host.as_ref()?;
                let (scheme, authority) = public_url.split_once("://").unwrap_or(("https", ""));
                let port = authority.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                Some(Self { origin: format!("{scheme}://{host}{port}"), path: String::new() })
            }
        }
    }

    fn of_ath(upstream: &Upstream, public_url: &str) -> Self {
        Self { origin: public_url.to_owned(), path: format!("/ath/proxy/{}", upstream.provider_id) }
    }
}

impl<'a> Rewriting<'a> {
    /// Whether there is anything that could point at the upstream.
    pub(crate) fn concerns(headers: &HeaderMap) -> bool {
        [LOCATION, CONTENT_LOCATION, LINK].into_iter().any(|name| headers.contains_key(name))
    }

    pub(crate) fn new(upstream: &'a Upstream, target: &'a Target, entrance: Entrance, public_url: &str) -> Self {
        // A request that came by an entrance came by one that there is.
        let place = Place::of(upstream, entrance, public_url).unwrap_or_else(|| Place::of_ath(upstream, public_url));
        Self { upstream, target, origin: place.origin, path: place.path }
    }

    /// `Location`, `Content-Location`, and the targets in `Link` that point at the upstream. Others pass as they are.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for name in [LOCATION, CONTENT_LOCATION] {
            let rewritten =
                headers.get(&name).and_then(|value| value.to_str().ok()).and_then(|target| self.target(target));
            if let Some(value) = rewritten.and_then(|target| HeaderValue::from_str(&target).ok()) {
                headers.insert(name, value);
            }
        }
        if !headers.contains_key(LINK) {
            return;
        }
        let links: Vec<HeaderValue> = headers.get_all(LINK).iter().map(|value| self.links(value)).collect();
        headers.remove(LINK);
        for link in links {
            headers.append(LINK, link);
        }
    }

    /// RFC 8288 §3: `<target>; parameters, <target>; …`.
    fn links(&self, value: &HeaderValue) -> HeaderValue {
        let Ok(text) = value.to_str() else { return value.clone() };
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let Some((target, tail)) = after.split_once('>') else { break };
            out.push_str(before);
            out.push('<');
            out.push_str(&self.target(target).unwrap_or_else(|| target.to_owned()));
            out.push('>');
            rest = tail;
        }
        out.push_str(rest);
        HeaderValue::from_str(&out).unwrap_or_else(|_| value.clone())
    }

    /// The rewritten target; `None` where it does not point at the upstream.
    fn target(&self, target: &str) -> Option<String> {
        if target.starts_with('/') && !target.starts_with("//") {
            let below = self.below_base(target)?;
            return Some(format!("{}{below}", self.path));
        }
        let authority = self.target.authority.to_str().ok()?;
        let after_scheme = self.after_scheme(target)?;
        let end = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
        let (given, path) = after_scheme.split_at(end);
        let with_port = format!("{}:{}", self.target.host, self.target.port);
        if !given.eq_ignore_ascii_case(authority) && !given.eq_ignore_ascii_case(&with_port) {
            return None;
        }
        let below = self.below_base(path)?;
        Some(format!("{}{}{below}", self.origin, self.path))
    }

    /// What stands behind `https://`, or behind `//`, where the agent would put the scheme that it came by.
    fn after_scheme<'t>(&self, target: &'t str) -> Option<&'t str> {
        if let Some(rest) = target.strip_prefix("//") {
            return Some(rest);
        }
        let (scheme, rest) = target.split_once("://")?;
        scheme.eq_ignore_ascii_case(self.target.scheme()).then_some(rest)
    }

    fn below_base<'t>(&self, path: &'t str) -> Option<&'t str> {
        let rest = path.strip_prefix(self.upstream.base_path.as_str())?;
        (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::upstream;

    fn location(entrance: Entrance, target: &str) -> String {
        let upstream = upstream("crm", "https://api.test/v1", Some("/crm"), Some("crm.gw.test"));
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, target.parse().expect("a value"));
        Rewriting::new(&upstream, &upstream.target, entrance, "https://gw.test").apply(&mut headers);
        headers[LOCATION].to_str().expect("text").to_owned()
    }

    #[test]
    fn what_points_at_the_upstream_points_at_the_entrance() {
        for (entrance, target, expected) in [
            (Entrance::Ath, "https://api.test/v1/tickets/7", "https://gw.test/ath/proxy/crm/tickets/7"),
            (Entrance::Ath, "/v1/tickets/7?x=1", "/ath/proxy/crm/tickets/7?x=1"),
            (Entrance::Prefix, "https://API.test/v1/tickets", "https://gw.test/crm/tickets"),
            (Entrance::Host, "https://api.test/v1/tickets", "https://crm.gw.test/tickets"),
            (Entrance::Host, "/v1/tickets", "/tickets"),
            (Entrance::Ath, "HTTPS://api.test:443/v1", "https://gw.test/ath/proxy/crm"),
            (Entrance::Ath, "//api.test/v1/tickets/7#x", "https://gw.test/ath/proxy/crm/tickets/7#x"),
        ] {
            assert_eq!(location(entrance, target), expected);
        }
    }

    #[test]
    fn what_points_elsewhere_passes() {
        for target in [
            "https://other.test/v1/x",
            "https://api.test/v2/x",
            "https://api.test/v10",
            "http://api.test/v1/x",
            "//evil.test/v1",
            "//api.test@evil.test/v1",
            "?page=2",
            "tickets/7",
            "https://api.test:444/v1/x",
            "https://api.test@evil.test/v1",
        ] {
            assert_eq!(location(Entrance::Ath, target), target);
        }
    }

    #[test]
    fn it_is_the_place_that_answered() {
        let upstream = upstream("crm", "https://login.crm.test/v1", None, None);
        let acme = url::Url::parse("https://acme.crm.test:8443").expect("a URL");
        let target = Target::new(&acme, &upstream.tls, upstream.protocol).expect("a target");
        let rewriting = Rewriting::new(&upstream, &target, Entrance::Ath, "https://gw.test");
        let rewritten = rewriting.target("https://acme.crm.test:8443/v1/x");
        assert_eq!(rewritten.as_deref(), Some("https://gw.test/ath/proxy/crm/x"));
        for other in ["https://login.crm.test/v1/x", "https://acme.crm.test/v1/x", "https://other.crm.test:8443/v1/x"] {
            assert_eq!(rewriting.target(other), None, "{other}");
        }
    }

    #[test]
    fn links_are_rewritten_one_by_one() {
        let upstream = upstream("crm", "https://api.test", None, None);
        let mut headers = HeaderMap::new();
        headers.insert(
            LINK,
            "<https://api.test/a?page=2>; rel=\"next\", <https://other.test/>; rel=x".parse().expect("a value"),
        );
        Rewriting::new(&upstream, &upstream.target, Entrance::Ath, "https://gw.test").apply(&mut headers);
        assert_eq!(
            headers[LINK],
            "<https://gw.test/ath/proxy/crm/a?page=2>; rel=\"next\", <https://other.test/>; rel=x"
        );
    }
}
