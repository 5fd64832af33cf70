//! Everything that is measured, running on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tests::{Agent, Authority, Browser, Gateway, Launch, RedisServer, Request, Store, Upstream, eventually, free_port};

use crate::client::Shot;

/// The proxies, the upstream behind them, and what they are called with.
pub(crate) struct Place {
    _upstream: Running,
    upstream_port: u16,
    nginx: Running,
    haproxy: Running,
    gateways: Vec<(&'static str, Gateway)>,
    ports: Ports,
    bearer: String,
    agent: Agent,
    token: String,
    authority: Authority,
    _helpdesk: Upstream,
    _redis: RedisServer,
    _folder: TempDir,
}

struct Ports {
    nginx: u16,
    nginx_tls: u16,
    haproxy: u16,
}

/// A process that ends with the benchmark.
struct Running(Child);

impl Drop for Running {
    /// Asked to end, so that it ends its own children, too.
    fn drop(&mut self) {
        if let Some(process) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(process, Signal::TERM);
        }
        let _ = self.0.wait();
    }
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
    pub(crate) fn build() -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Authority::of(&["localhost", "127.0.0.1"]);
        let (upstream, upstream_port) = upstream();
        let redis = RedisServer::start();
        let port = free_port();
        let helpdesk = Upstream::start(port, |told| told.access_token_lifetime = Duration::from_secs(86_400));
        let launch = |port: u16, front: u16, gateway: &str, provider: &str| {
            let providers = helpdesk.provider("pkce = \"none\"");
            let base = providers.lines().find(|line| line.starts_with("api_base")).expect("a line").to_owned();
            let api = format!("api_base = \"http://127.0.0.1:{upstream_port}\"\n{provider}");
            let providers =
                providers.replacen(&base, &api, 1).replace("\"GET /tickets\",", "\"GET /tickets\", \"GET /*\",");
            Gateway::launch(&Launch {
                store: Store::Redis(&redis),
                port,
                public_url: &format!("http://127.0.0.1:{front}"),
                gateway,
                rest: &format!("[development]\nloopback_http = true\n\n[log]\nfilter = \"info\"\n\n{providers}"),
                environment: &[],
            })
        };
        let first = launch(port, port, "", "");
        let tls = format!(
            "tls = {{ cert_file = {:?}, key_file = {:?} }}",
            authority.certificate_file(),
            authority.key_file()
        );
        let over_tls = launch(free_port(), port, &tls, "");
        let mut agent = Agent::new("Bench");
        agent.register(&first);
        let (link, session) = agent.authorize(&first, &["read:tickets"]);
        let end = Browser::new().consent(&link);
        let token = agent.exchange(&first, &session, &end["code"]).text("/access_token");
        let bearer =
            helpdesk.helpdesk.issued_tokens().into_iter().find(|token| token.contains("at-")).expect("a token");
        let expect = Request::new("GET", &format!("http://127.0.0.1:{upstream_port}/expect"));
        assert_eq!(expect.header("authorization", &format!("Bearer {bearer}")).send().status, 204);
        let ports = Ports { nginx: free_port(), nginx_tls: free_port(), haproxy: free_port() };
        let nginx = nginx(folder.path(), &ports, upstream_port, &bearer, &authority);
        let haproxy = haproxy(folder.path(), &ports, upstream_port, &bearer);
        for (name, port) in [("nginx", ports.nginx), ("nginx with TLS", ports.nginx_tls), ("HAProxy", ports.haproxy)] {
            eventually(&format!("{name} listens"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
        }
        Self {
            _upstream: upstream,
            upstream_port,
            nginx,
            haproxy,
            gateways: vec![("gateway", first), ("gateway, TLS", over_tls)],
            ports,
            bearer,
            agent,
            token,
            authority,
            _helpdesk: helpdesk,
            _redis: redis,
            _folder: folder,
        }
    }

    /// Whoever forwards `path`.
    pub(crate) fn contenders(&self, path: &str, transport: Transport) -> Vec<Contender> {
        let gateway = |at: usize| {
            let (name, gateway) = &self.gateways[at];
            let headers = vec![
                format!("authorization: Bearer {}", self.token),
                format!("x-ath-agent-id: {}", self.agent.id.as_str()),
            ];
            self.contender(
                name,
                Some(gateway.process_id()),
                gateway.port(),
                &format!("/ath/proxy/helpdesk{path}"),
                headers,
                transport,
            )
        };
        let peer = |name, process: Option<u32>, port| self.contender(name, process, port, path, Vec::new(), transport);
        if transport == Transport::Tls {
            return vec![peer("nginx", Some(self.nginx.0.id()), self.ports.nginx_tls), gateway(1)];
        }
        let direct = vec![format!("authorization: Bearer {}", self.bearer)];
        vec![
            self.contender("no proxy", None, self.upstream_port, path, direct, transport),
            peer("nginx", Some(self.nginx.0.id()), self.ports.nginx),
            peer("HAProxy", Some(self.haproxy.0.id()), self.ports.haproxy),
            gateway(0),
        ]
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
        let shot = Shot { port, request: Arc::new(request.into_bytes()), tls };
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

    pub(crate) fn wrong_headers(&self) -> u64 {
        let answer = Request::new("GET", &format!("http://127.0.0.1:{}/wrong", self.upstream_port)).send();
        answer.body_text().trim().parse().expect("a number")
    }
}

fn upstream() -> (Running, u16) {
    let mut process = Command::new(std::env::current_exe().expect("a path"))
        .arg("upstream")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the upstream starts");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("an output")).read_line(&mut line).expect("a port");
    (Running(process), line.trim().parse().expect("a port"))
}

/// Does nothing but set a static header. Buffers are as large as bodies are, so that it is not slowed by files.
fn nginx(folder: &Path, ports: &Ports, upstream: u16, bearer: &str, authority: &Authority) -> Running {
    let config = format!(
        "worker_processes 2; daemon off; master_process on; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n\
         events {{ worker_connections 16384; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; client_body_temp_path {folder}/body;\n\
         proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
         upstream api {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}\n\
         server {{ listen 127.0.0.1:{plain} reuseport; listen 127.0.0.1:{tls} ssl http2 reuseport;\n\
         ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:s:10m;\n\
         location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
         proxy_set_header Authorization \"Bearer {bearer}\"; proxy_buffer_size 64k; proxy_buffers 16 128k; proxy_busy_buffers_size 1m; }} }} }}\n",
        folder = folder.display(),
        plain = ports.nginx,
        tls = ports.nginx_tls,
        certificate = authority.certificate_file(),
        key = authority.key_file(),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config).expect("written");
    Running(Command::new("nginx").arg("-c").arg(path).arg("-p").arg(folder).spawn().expect("nginx starts"))
}

fn haproxy(folder: &Path, ports: &Ports, upstream: u16, bearer: &str) -> Running {
    let config = format!(
        "global\n  nbthread 2\n  maxconn 8000\ndefaults\n  mode http\n  timeout client 600s\n  timeout server 600s\n  timeout connect 5s\n\
         \u{20} option http-keep-alive\n  http-reuse always\nfrontend f\n  bind 127.0.0.1:{}\n\
         \u{20} http-request set-header Authorization \"Bearer {bearer}\"\n  default_backend b\nbackend b\n  server s 127.0.0.1:{upstream}\n",
        ports.haproxy
    );
    let path = folder.join("haproxy.cfg");
    fs::write(&path, config).expect("written");
    Running(Command::new("haproxy").args(["-q", "-db", "-f"]).arg(path).spawn().expect("HAProxy starts"))
}
