use http::header::HOST;
use http::request::Parts;

use crate::upstream::Upstream;

/// Where a request belongs.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// To the control plane.
    Control,
    /// To an upstream, or to be refused as if there were one.
    Proxied(Proxied),
}

/// A call that is to be forwarded.
#[derive(Debug, PartialEq, Eq)]
pub struct Proxied {
    pub(crate) entrance: Entrance,
    /// Which upstream; `None` where the path names no provider that there is.
    pub(crate) upstream: Option<usize>,
    /// Below the API's base, as it came.
    pub(crate) path: String,
}

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// `/ath/proxy/{provider}/…`, as ATH 0.1 has it.
    Ath,
    /// The provider's own path.
    Prefix,
    /// The provider's own host name.
    Host,
}

/// Finds the upstream by host, then by ATH's path, then by prefix.
pub(crate) fn route(upstreams: &[Upstream], parts: &Parts) -> Route {
    let path = parts.uri.path();
    if let Some(upstream) = host(parts).and_then(|host| by_host(upstreams, host)) {
        if path == "/.well-known/ath-app.json" {
            return Route::Control;
        }
        return proxied(Entrance::Host, Some(upstream), path);
    }
    if let Some(rest) = path.strip_prefix("/ath/proxy/") {
        let (id, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let upstream = upstreams.iter().position(|upstream| upstream.provider_id.as_str() == id);
        return proxied(Entrance::Ath, upstream, path);
    }
    let prefixed = upstreams.iter().enumerate().find_map(|(number, upstream)| {
        let rest = path.strip_prefix(upstream.path_prefix.as_deref()?)?;
        (rest.is_empty() || rest.starts_with('/')).then_some((number, rest))
    });
    match prefixed {
        Some((upstream, rest)) => proxied(Entrance::Prefix, Some(upstream), rest),
        None => Route::Control,
    }
}

fn proxied(entrance: Entrance, upstream: Option<usize>, path: &str) -> Route {
    let path = if path.is_empty() { "/" } else { path };
    Route::Proxied(Proxied { entrance, upstream, path: path.to_owned() })
}

fn by_host(upstreams: &[Upstream], host: &str) -> Option<usize> {
    let bare = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_own = |name: &String| name.eq_ignore_ascii_case(host) || name.eq_ignore_ascii_case(bare);
    upstreams.iter().position(|upstream| upstream.entrance_host.as_ref().is_some_and(is_own))
}

fn host(parts: &Parts) -> Option<&str> {
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| parts.headers.get(HOST).and_then(|host| host.to_str().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::upstream;

    fn routed(uri: &str, host: &str) -> Route {
        let upstreams = [
            upstream("crm", "https://crm.test", None, Some("crm.gw.test")),
            upstream("helpdesk", "http://h.test/v1", Some("/helpdesk"), None),
        ];
        let request = http::Request::builder().uri(uri).header("host", host).body(()).expect("a request");
        route(&upstreams, &request.into_parts().0)
    }

    #[test]
    fn three_ways_lead_to_an_upstream() {
        let to = |entrance, upstream, path: &str| Route::Proxied(Proxied { entrance, upstream, path: path.to_owned() });
        assert_eq!(routed("/ath/proxy/helpdesk/tickets/1?x=y", "gw"), to(Entrance::Ath, Some(1), "/tickets/1"));
        assert_eq!(routed("/ath/proxy/helpdesk", "gw"), to(Entrance::Ath, Some(1), "/"));
        assert_eq!(routed("/ath/proxy/none/x", "gw"), to(Entrance::Ath, None, "/x"));
        assert_eq!(routed("/ath/proxy/%68elpdesk/x", "gw"), to(Entrance::Ath, None, "/x"));
        assert_eq!(routed("/ath/proxy//x", "gw"), to(Entrance::Ath, None, "/x"));
        assert_eq!(routed("/ath/proxy/helpdesk//x", "gw"), to(Entrance::Ath, Some(1), "//x"));
        assert_eq!(routed("/helpdesk/tickets", "gw"), to(Entrance::Prefix, Some(1), "/tickets"));
        assert_eq!(routed("/helpdesk", "gw"), to(Entrance::Prefix, Some(1), "/"));
        assert_eq!(routed("/anything", "crm.gw.test:8443"), to(Entrance::Host, Some(0), "/anything"));
        assert_eq!(routed("/ath/token", "CRM.gw.test"), to(Entrance::Host, Some(0), "/ath/token"));
    }

    #[test]
    fn everything_else_is_the_control_planes() {
        for path in ["/", "/ath/token", "/helpdeskx", "/crm/x", "/ath/proxy"] {
            assert_eq!(routed(path, "gw"), Route::Control, "{path}");
        }
    }
}
