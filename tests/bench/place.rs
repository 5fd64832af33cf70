//! Everything that is measured, running on loopback.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tests::{Agent, Authority, Browser, Gateway, Launch, RedisServer, Request, Store, Upstream, free_port};

use crate::client::Shot;
use crate::peers::{self, Peers, Running};

/// The proxies, the upstream behind them, and what they are called with.
pub(crate) struct Place {
    _upstream: Running,
    upstream_port: u16,
    peers: Peers,
    gateways: Vec<(&'static str, Transport, Gateway)>,
    bearer: String,
    agent: Agent,
    token: String,
    authority: Authority,
    helpdesk: Upstream,
    redis: RedisServer,
    _folder: TempDir,
}

/// One thing that requests are sent through.
#[derive(Clone)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// `None` for no proxy at all.
    pub(crate) process: Option<u32>,
    pub(crate) shot: Shot,
    /// For clients that are given a URL and headers.
    pub(crate) url: String,
    pub(crate) headers: Vec<String>,
}

/// Whether the client speaks TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Plain,
    Tls,
}

impl Place {
    /// Two gateways for each transport: with everything on, and with answers that are trusted.
    pub(crate) fn build() -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Authority::of(&["localhost", "127.0.0.1"]);
        let (upstream, upstream_port) = peers::upstream();
        let redis = RedisServer::start();
        let port = free_port();
        let helpdesk = Upstream::start(port, |told| told.access_token_lifetime = Duration::from_secs(86_400));
        let tls = format!(
            "tls = {{ cert_file = {:?}, key_file = {:?} }}",
            authority.certificate_file(),
            authority.key_file()
        );
        let launch = |port: u16, gateway: &str, provider: &str| {
            let rest = surroundings(&providers(&helpdesk, upstream_port, provider, ""));
            Gateway::launch(&of(Store::Redis(&redis), port, &public_url(&helpdesk), gateway, &rest))
        };
        let first = launch(port, "", "");
        let mut agent = Agent::new("Bench");
        let token = consent(&mut agent, &first);
        let gateways = vec![
            ("gateway", Transport::Plain, first),
            ("gateway, guard = trust", Transport::Plain, launch(free_port(), "", TRUST)),
            ("gateway", Transport::Tls, launch(free_port(), &tls, "")),
            ("gateway, guard = trust", Transport::Tls, launch(free_port(), &tls, TRUST)),
        ];
        let bearer =
            helpdesk.helpdesk.issued_tokens().into_iter().find(|token| token.contains("at-")).expect("a token");
        expect(upstream_port, &bearer);
        let peers = Peers::start(folder.path(), upstream_port, &bearer, &authority);
        Self {
            _upstream: upstream,
            upstream_port,
            peers,
            gateways,
            bearer,
            agent,
            token,
            authority,
            helpdesk,
            redis,
            _folder: folder,
        }
    }

    /// Whoever forwards `path`.
    pub(crate) fn contenders(&self, path: &str, transport: Transport) -> Vec<Contender> {
        let ports = &self.peers.ports;
        let (nginx, haproxy) = match transport {
            Transport::Plain => (ports.nginx, ports.haproxy),
            Transport::Tls => (ports.nginx_tls, ports.haproxy_tls),
        };
        let peer = |name, process: u32, port| self.contender(name, Some(process), port, path, Vec::new(), transport);
        let mut all =
            vec![peer("nginx", self.peers.nginx.id(), nginx), peer("HAProxy", self.peers.haproxy.id(), haproxy)];
        if transport == Transport::Plain {
            let direct = vec![format!("authorization: Bearer {}", self.bearer)];
            all.insert(0, self.contender("no proxy", None, self.upstream_port, path, direct, transport));
        }
        for (name, _, gateway) in self.gateways.iter().filter(|(_, own, _)| *own == transport) {
            all.push(self.through(name, gateway, path, &self.token, transport));
        }
        all
    }

    /// A gateway of any kind, called with this token.
    pub(crate) fn through(
        &self,
        name: &'static str,
        gateway: &Gateway,
        path: &str,
        token: &str,
        transport: Transport,
    ) -> Contender {
        let headers =
            vec![format!("authorization: Bearer {token}"), format!("x-ath-agent-id: {}", self.agent.id.as_str())];
        let path = format!("/ath/proxy/helpdesk{path}");
        self.contender(name, Some(gateway.process_id()), gateway.port(), &path, headers, transport)
    }

    fn contender(
        &self,
        name: &'static str,
        process: Option<u32>,
        port: u16,
        path: &str,
        headers: Vec<String>,
        transport: Transport,
    ) -> Contender {
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\n");
        for header in &headers {
            request += header;
            request += "\r\n";
        }
        request += "accept: application/json\r\n\r\n";
        let tls = (transport == Transport::Tls).then(|| self.client());
        let scheme = if transport == Transport::Tls { "https" } else { "http" };
        let shot = Shot::new(port, vec![request.into_bytes()], tls);
        Contender { name, process, shot, url: format!("{scheme}://localhost:{port}{path}"), headers }
    }

    fn client(&self) -> Arc<ClientConfig> {
        let certificate = CertificateDer::from_pem_file(self.authority.certificate_file()).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }

    /// The tables below `[store]` of a gateway with `more` providers before the usual ones, and further rules before those of the first.
    pub(crate) fn settings(&self, rules: &str, more: &str) -> String {
        surroundings(&(more.to_owned() + &providers(&self.helpdesk, self.upstream_port, "", rules)))
    }

    /// Starts a gateway with these settings, and waits as long as it takes.
    pub(crate) fn launch(&self, store: Store<'_>, rest: &str) -> Gateway {
        let url = public_url(&self.helpdesk);
        Gateway::launch_patiently(&of(store, free_port(), &url, "", rest), Duration::from_secs(900))
    }

    pub(crate) fn redis(&self) -> &RedisServer {
        &self.redis
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// How many requests had the header that they had to have, and how many had not.
    pub(crate) fn headers_seen(&self) -> (u64, u64) {
        let answer = Request::new("GET", &format!("http://127.0.0.1:{}/seen", self.upstream_port)).send();
        let (right, wrong) =
            answer.body_text().trim().split_once(' ').map(|(a, b)| (a.parse(), b.parse())).expect("two");
        (right.expect("a number"), wrong.expect("a number"))
    }
}

/// The whole way to a token.
fn consent(agent: &mut Agent, gateway: &Gateway) -> String {
    agent.register(gateway);
    let (link, session) = agent.authorize(gateway, &["read:tickets"]);
    let end = Browser::new().consent(&link);
    agent.exchange(gateway, &session, &end["code"]).text("/access_token")
}

/// From now on the upstream looks whether it gets this.
fn expect(upstream: u16, bearer: &str) {
    let expect = Request::new("GET", &format!("http://127.0.0.1:{upstream}/expect"));
    assert_eq!(expect.header("authorization", &format!("Bearer {bearer}")).send().status, 204);
}

/// The helpdesk's providers, whose API is the upstream of the benchmark.
fn providers(helpdesk: &Upstream, upstream: u16, further: &str, rules: &str) -> String {
    let providers = helpdesk.provider("pkce = \"none\"");
    let base = providers.lines().find(|line| line.starts_with("api_base")).expect("a line").to_owned();
    let api = format!("api_base = \"http://127.0.0.1:{upstream}\"\n{further}");
    let rules = format!("{rules}\"GET /tickets\", \"GET /small\", \"GET /large\", \"GET /huge\",");
    providers.replacen(&base, &api, 1).replacen("\"GET /tickets\",", &rules, 1)
}

fn public_url(helpdesk: &Upstream) -> String {
    format!("http://127.0.0.1:{}", helpdesk.gateway_port())
}

/// With a limit that counts every call and refuses none.
fn surroundings(providers: &str) -> String {
    format!(
        "[development]\nloopback_http = true\n\n[log]\nfilter = \"info\"\n\n[limits]\ncalls_per_agent = \"1000000/s\"\ncalls_per_user = \"1000000/s\"\n\n{providers}"
    )
}

fn of<'a>(store: Store<'a>, port: u16, public_url: &'a str, gateway: &'a str, rest: &'a str) -> Launch<'a> {
    Launch { store, port, public_url, gateway, rest, environment: &[] }
}

const TRUST: &str = "guard = \"trust\"";
