use std::borrow::Borrow;
use std::collections::HashMap;

use foldhash::fast::FixedState;
use http::Uri;
use http::header::HOST;
use http::request::Parts;
use protocol::ProviderId;

use crate::gate::GateError;
use crate::hosts::{self, Hosts};
use crate::origin::McpDoor;
use crate::upstream::Upstream;

/// Where a request belongs.
#[derive(Debug, PartialEq, Eq)]
pub enum Route {
    /// To the control plane.
    Control,
    /// To an upstream, or to be refused as if there were one.
    Proxied(Proxied),
    /// To the door for MCP clients: of one upstream, or, where it names none, of all of them.
    Mcp(Proxied),
    /// Nowhere: what OAuth clients look for at a server, and the upstream's own would lead them past the gateway.
    Withheld(Proxied),
}

/// A call that is to be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxied {
    pub(crate) entrance: Entrance,
    /// Which upstream; `None` where the path names no provider that there is.
    pub(crate) upstream: Option<usize>,
    /// Where in the request's path the part below the API's base begins.
    below: usize,
}

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entrance {
    /// `/ath/proxy/{provider}/…`, as ATH 0.1 has it.
    Ath,
    /// The provider's own path.
    Prefix,
    /// The provider's own host name.
    Host,
    /// `/{provider}/mcp`, and `/mcp` for all of them.
    Mcp,
}

impl Proxied {
    /// The way in.
    #[must_use]
    pub fn entrance(self) -> Entrance {
        self.entrance
    }

    /// The number of the upstream, in the order in which they were given; `None` where the path names no provider that there is.
    #[must_use]
    pub fn upstream(self) -> Option<usize> {
        self.upstream
    }

    /// Whether it is a client's own request at the door for MCP clients, and no call that a tool makes.
    pub(crate) fn is_door(self) -> bool {
        self.entrance == Entrance::Mcp && self.below > 0
    }

    /// The call that a tool makes: the whole path is below the API's base.
    pub(crate) fn of_tool(upstream: usize) -> Self {
        Self { entrance: Entrance::Mcp, upstream: Some(upstream), below: 0 }
    }

    /// Below the API's base, as it came, in the URI that was routed; at the door of an MCP server, the server's own.
    pub(crate) fn path<'a>(self, uri: &'a Uri, upstream: &'a Upstream) -> &'a str {
        if let (Entrance::Mcp, Some(path)) = (self.entrance, &upstream.mcp) {
            return path;
        }
        match uri.path().get(self.below..) {
            None | Some("") => "/",
            Some(path) => path,
        }
    }
}

/// The ways to all upstreams, which is found in the same time however many there are.
pub(crate) struct Routes {
    /// The gateway's own names.
    own: Hosts,
    ids: HashMap<ProviderId, usize, FixedState>,
    /// Whether it is an MCP server itself, by its number.
    servers: Box<[bool]>,
    /// In lower case.
    hosts: HashMap<Box<str>, usize, FixedState>,
    prefixes: HashMap<Box<str>, usize, FixedState>,
    /// The most segments that a prefix has.
    deepest: usize,
    /// Whether there is a door for MCP clients.
    has_mcp: bool,
}

impl Routes {
    /// Where two upstreams have the same way, it leads to the first.
    pub(crate) fn new(upstreams: &[impl Borrow<Upstream>], own: Hosts, door: &McpDoor) -> Self {
        let (ids, hosts, prefixes) = Default::default();
        let upstreams = upstreams.iter().map(Borrow::borrow);
        let servers = upstreams.clone().map(|upstream: &Upstream| upstream.mcp.is_some()).collect();
        let has_mcp = matches!(door, McpDoor::Open(_));
        let mut routes = Self { own, ids, servers, hosts, prefixes, deepest: 0, has_mcp };
        for (number, upstream) in upstreams.enumerate() {
            routes.ids.entry(upstream.provider_id.clone()).or_insert(number);
            if let Some(host) = &upstream.entrance_host {
                routes.hosts.entry(host.as_str().into()).or_insert(number);
            }
            if let Some(prefix) = &upstream.path_prefix {
                routes.prefixes.entry(prefix.as_str().into()).or_insert(number);
                routes.deepest = routes.deepest.max(prefix.matches('/').count());
            }
        }
        routes
    }

    /// Finds the upstream by host, then by ATH's path, then by prefix. Whatever names a host that is nobody's here is refused: a page
    /// whose name was made to resolve to the gateway's address gets nothing (DNS rebinding). Probes alone name what they like, since
    /// load balancers know addresses only, and what they are told is no secret.
    pub(crate) fn find(&self, parts: &Parts) -> Result<Route, GateError> {
        let (host, path) = (host(parts).ok_or(GateError::Misdirected)?, parts.uri.path());
        if self.own.is_public(host) {
            return Ok(self.by_path(path));
        }
        match self.by_host(host) {
            Some(_) if path == APP => Ok(Route::Control),
            Some(upstream) => Ok(below(Entrance::Host, Some(upstream), (path, 0))),
            None if self.own.is_further(host) => Ok(self.by_path(path)),
            None if PROBES.contains(&path) => Ok(Route::Control),
            None => Err(GateError::Misdirected),
        }
    }

    /// The upstream of a provider.
    pub(crate) fn by_id(&self, provider: &ProviderId) -> Option<usize> {
        self.ids.get(provider).copied()
    }

    fn by_path(&self, path: &str) -> Route {
        if self.has_mcp
            && let Some(route) = self.by_mcp(path)
        {
            return route;
        }
        if let Some(rest) = path.strip_prefix(ATH) {
            let id = rest.split('/').next().unwrap_or_default();
            return below(Entrance::Ath, self.ids.get(id).copied(), (path, ATH.len() + id.len()));
        }
        match self.by_prefix(path) {
            Some((upstream, at)) => below(Entrance::Prefix, Some(upstream), (path, at)),
            None => Route::Control,
        }
    }

    /// These very paths alone; a slash at the end is forgiven, since people add it. What is asked about them is the control plane's.
    fn by_mcp(&self, path: &str) -> Option<Route> {
        let (door, document) = match path.strip_suffix(ABOUT) {
            Some(door) => (door, true),
            None => (path.strip_suffix('/').unwrap_or(path), false),
        };
        let id = door.strip_suffix(MCP)?;
        let upstream = match id.strip_prefix('/') {
            Some(id) => Some(*self.ids.get(id)?),
            None if id.is_empty() => None,
            None => return None,
        };
        if document {
            return Some(Route::Control);
        }
        let proxied = Proxied { entrance: Entrance::Mcp, upstream, below: path.len() };
        let is_server = upstream.and_then(|number| self.servers.get(number)).is_some_and(|server| *server);
        Some(if is_server { Route::Proxied(proxied) } else { Route::Mcp(proxied) })
    }

    /// By a name that is a provider's alone, with whichever port.
    fn by_host(&self, host: &str) -> Option<usize> {
        if self.hosts.is_empty() {
            return None;
        }
        let (name, _) = hosts::split(host)?;
        let lower = name.bytes().any(|byte| byte.is_ascii_uppercase()).then(|| name.to_ascii_lowercase());
        self.hosts.get(lower.as_deref().unwrap_or(name)).copied()
    }

    /// The first upstream whose prefix ends where a segment of the path does, and where that is.
    fn by_prefix(&self, path: &str) -> Option<(usize, usize)> {
        let slashes = path.match_indices('/').map(|(at, _)| at).chain(Some(path.len()));
        let ends = slashes.skip(1).take(self.deepest);
        ends.filter_map(|end| Some((*self.prefixes.get(path.get(..end)?)?, end))).min()
    }
}

/// What lies below an entrance is the upstream's, but for what clients ask about the entrance itself (RFC 9728 §3.1, RFC 8414 §3).
fn below(entrance: Entrance, upstream: Option<usize>, (path, below): (&str, usize)) -> Route {
    let proxied = Proxied { entrance, upstream, below };
    let Some(document) = path.get(below..).and_then(|rest| rest.strip_prefix(WELL_KNOWN)) else {
        return Route::Proxied(proxied);
    };
    match document.split('/').next() {
        Some("oauth-protected-resource") => Route::Control,
        Some("oauth-authorization-server" | "openid-configuration") => Route::Withheld(proxied),
        _ => Route::Proxied(proxied),
    }
}

fn host(parts: &Parts) -> Option<&str> {
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| parts.headers.get(HOST).and_then(|host| host.to_str().ok()))
}

const ATH: &str = "/ath/proxy/";
const MCP: &str = "/mcp";
const ABOUT: &str = "/.well-known/oauth-protected-resource";
const WELL_KNOWN: &str = "/.well-known/";
const APP: &str = "/.well-known/ath-app.json";
const PROBES: [&str; 3] = ["/health", "/healthz", "/readyz"];

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::hosts::LoopbackNames;
    use crate::upstream::tests::{server, upstream};

    /// The way, the upstream's number, and the path below it.
    type Found = Option<(Entrance, Option<usize>, String)>;

    fn routed(uri: &str, host: &str) -> Result<Found, GateError> {
        let upstreams = [
            upstream("crm", "https://crm.test", None, Some("crm.gw.test")),
            upstream("helpdesk", "http://h.test/v1", Some("/helpdesk"), None),
            upstream("wiki", "http://w.test", Some("/teams/wiki"), None),
            server("notes", "/rpc"),
        ];
        let request = http::Request::builder().uri(uri).header("host", host).body(()).expect("a request");
        let parts = request.into_parts().0;
        let own = Hosts::new(&Url::parse("https://gw").expect("a URL"), Vec::new(), LoopbackNames::Unknown);
        let door = McpDoor::Open(crate::Origins::none());
        let any = upstream("any", "http://any.test", None, None);
        let of = |found: Proxied| found.upstream.and_then(|number| upstreams.get(number)).unwrap_or(&any);
        match Routes::new(&upstreams, own, &door).find(&parts)? {
            Route::Control => Ok(None),
            Route::Mcp(found) => Ok(Some((found.entrance, found.upstream, "mcp".to_owned()))),
            Route::Withheld(found) => Ok(Some((found.entrance, found.upstream, "withheld".to_owned()))),
            Route::Proxied(found) => {
                Ok(Some((found.entrance, found.upstream, found.path(&parts.uri, of(found)).to_owned())))
            }
        }
    }

    #[test]
    fn three_ways_lead_to_an_upstream() {
        let to = |entrance, upstream, path: &str| Ok(Some((entrance, upstream, path.to_owned())));
        assert_eq!(routed("/ath/proxy/helpdesk/tickets/1?x=y", "gw"), to(Entrance::Ath, Some(1), "/tickets/1"));
        assert_eq!(routed("/ath/proxy/helpdesk", "gw"), to(Entrance::Ath, Some(1), "/"));
        assert_eq!(routed("/ath/proxy/none/x", "gw"), to(Entrance::Ath, None, "/x"));
        assert_eq!(routed("/ath/proxy/%68elpdesk/x", "gw"), to(Entrance::Ath, None, "/x"));
        assert_eq!(routed("/ath/proxy//x", "gw"), to(Entrance::Ath, None, "/x"));
        assert_eq!(routed("/ath/proxy/helpdesk//x", "gw"), to(Entrance::Ath, Some(1), "//x"));
        assert_eq!(routed("/helpdesk/tickets", "gw"), to(Entrance::Prefix, Some(1), "/tickets"));
        assert_eq!(routed("/helpdesk", "gw"), to(Entrance::Prefix, Some(1), "/"));
        assert_eq!(routed("/helpdesk/", "gw"), to(Entrance::Prefix, Some(1), "/"));
        assert_eq!(routed("/teams/wiki/a?b", "gw"), to(Entrance::Prefix, Some(2), "/a"));
        assert_eq!(routed("/teams/wiki", "gw"), to(Entrance::Prefix, Some(2), "/"));
        assert_eq!(routed("/anything", "crm.gw.test:8443"), to(Entrance::Host, Some(0), "/anything"));
        assert_eq!(routed("/ath/token", "CRM.gw.test"), to(Entrance::Host, Some(0), "/ath/token"));
    }

    #[test]
    fn mcp_clients_have_a_door_for_each_and_one_for_all() {
        let door = |upstream| Ok(Some((Entrance::Mcp, upstream, "mcp".to_owned())));
        for ends in ["", "/", "?x"] {
            assert_eq!(routed(&format!("/mcp{ends}"), "gw"), door(None));
            assert_eq!(routed(&format!("/helpdesk/mcp{ends}"), "gw"), door(Some(1)));
            assert_eq!(routed(&format!("/crm/mcp{ends}"), "gw"), door(Some(0)));
        }
        for about in ["/mcp", "/helpdesk/mcp"] {
            assert_eq!(routed(&format!("{about}/.well-known/oauth-protected-resource"), "gw"), Ok(None));
        }
        for path in ["/mcp/x", "/none/mcp", "/mcp//", "//mcp", "/x/helpdesk/mcp", "/teams/mcp", "/xmcp", "/MCP"] {
            assert_eq!(routed(path, "gw"), Ok(None), "{path}");
        }
        // Below a provider's own path it is the provider's.
        let below = |path: &str| Ok(Some((Entrance::Prefix, Some(1), path.to_owned())));
        assert_eq!(routed("/helpdesk/mcp/x", "gw"), below("/mcp/x"));
        assert_eq!(routed("/helpdesk/v1/mcp", "gw"), below("/v1/mcp"));
    }

    #[test]
    fn an_mcp_server_is_forwarded_to_its_own_path() {
        let to = |entrance, path: &str| Ok(Some((entrance, Some(3), path.to_owned())));
        for ends in ["", "/", "?x"] {
            assert_eq!(routed(&format!("/notes/mcp{ends}"), "gw"), to(Entrance::Mcp, "/rpc"));
        }
        assert_eq!(routed("/ath/proxy/notes/rpc", "gw"), to(Entrance::Ath, "/rpc"));
        assert_eq!(routed("/notes/mcp/.well-known/oauth-protected-resource", "gw"), Ok(None));
        assert_eq!(routed("/notes/mcp/x", "gw"), Ok(None));
    }

    #[test]
    fn everything_else_is_the_control_planes() {
        for path in ["/", "/ath/token", "/helpdeskx", "/crm/x", "/ath/proxy", "/teams", "/teams/x", "/x/helpdesk"] {
            assert_eq!(routed(path, "gw"), Ok(None), "{path}");
        }
    }

    #[test]
    fn what_is_asked_about_an_entrance_never_reaches_the_upstream() {
        let withheld = |entrance, upstream| Ok(Some((entrance, Some(upstream), "withheld".to_owned())));
        for (before, host, entrance, upstream) in [
            ("/ath/proxy/helpdesk", "gw", Entrance::Ath, 1),
            ("/helpdesk", "gw", Entrance::Prefix, 1),
            ("/teams/wiki", "gw", Entrance::Prefix, 2),
            ("", "crm.gw.test", Entrance::Host, 0),
        ] {
            for ends in ["", "/", "/v1/x", "?a=b"] {
                let asked = |name: &str| routed(&format!("{before}/.well-known/{name}{ends}"), host);
                assert_eq!(asked("oauth-protected-resource"), Ok(None), "{before} {ends}");
                assert_eq!(asked("oauth-authorization-server"), withheld(entrance, upstream), "{before} {ends}");
                assert_eq!(asked("openid-configuration"), withheld(entrance, upstream), "{before} {ends}");
            }
            for name in ["security.txt", "oauth-protected-resources", "openid-configurations", "jwks.json"] {
                let path = format!("/.well-known/{name}");
                assert_eq!(routed(&format!("{before}{path}"), host), Ok(Some((entrance, Some(upstream), path))));
            }
        }
        assert_eq!(routed("/x/.well-known/openid-configuration", "gw"), Ok(None));
        let below = Ok(Some((Entrance::Prefix, Some(1), "/x/.well-known/openid-configuration".to_owned())));
        assert_eq!(routed("/helpdesk/x/.well-known/openid-configuration", "gw"), below);
    }

    #[test]
    fn a_host_that_is_nobodys_is_not_served() {
        for host in
            ["evil.test", "gw.evil.test", "crm.gw.test.", "crm.gw.test:", "crm.gw.test:x", "x.crm.gw.test", "gw:1"]
        {
            for path in ["/", "/ath/proxy/helpdesk/x", "/ath/token", "/helpdesk/x", "/healthz/"] {
                assert_eq!(routed(path, host), Err(GateError::Misdirected), "{host} {path}");
            }
            assert_eq!(routed("/healthz", host), Ok(None), "{host}");
        }
    }
}
