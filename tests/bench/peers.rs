//! What the gateway is compared with, and the upstream behind all of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tests::{Authority, eventually, free_port};

/// A process that ends with the benchmark.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Running {
    /// Asked to end, so that it ends its own children, too.
    fn drop(&mut self) {
        if let Some(process) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(process, Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// The other proxies: each sets a static header, and does nothing else.
pub(crate) struct Peers {
    pub(crate) nginx: Running,
    pub(crate) haproxy: Running,
    pub(crate) ports: Ports,
}

pub(crate) struct Ports {
    pub(crate) nginx: u16,
    pub(crate) nginx_tls: u16,
    pub(crate) haproxy: u16,
    pub(crate) haproxy_tls: u16,
}

impl Peers {
    pub(crate) fn start(folder: &Path, upstream: u16, bearer: &str, authority: &Authority) -> Self {
        let [nginx_port, nginx_tls, haproxy_port, haproxy_tls] = std::array::from_fn(|_| free_port());
        let ports = Ports { nginx: nginx_port, nginx_tls, haproxy: haproxy_port, haproxy_tls };
        let nginx = nginx(folder, &ports, upstream, bearer, authority);
        let haproxy = haproxy(folder, &ports, upstream, bearer, authority);
        for (name, port) in [
            ("nginx", ports.nginx),
            ("nginx with TLS", ports.nginx_tls),
            ("HAProxy", ports.haproxy),
            ("HAProxy with TLS", ports.haproxy_tls),
        ] {
            eventually(&format!("{name} listens"), || TcpStream::connect(("127.0.0.1", port)).is_ok());
        }
        Self { nginx, haproxy, ports }
    }
}

/// Starts this program as the upstream; its port, too.
pub(crate) fn upstream() -> (Running, u16) {
    let mut process = Command::new(std::env::current_exe().expect("a path"))
        .arg("upstream")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the upstream starts");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("an output")).read_line(&mut line).expect("a port");
    (Running(process), line.trim().parse().expect("a port"))
}

/// Each size of body has the buffers that suit it best: one small one for an answer that fits, and room for a large one, so that nothing
/// goes by way of a file. Connections are kept on both sides and never counted out; nothing is logged.
fn nginx(folder: &Path, ports: &Ports, upstream: u16, bearer: &str, authority: &Authority) -> Running {
    let config = format!(
        "worker_processes 2; worker_rlimit_nofile 16384; daemon off; master_process on; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n\
         events {{ worker_connections 8192; use epoll; multi_accept on; accept_mutex off; }}\n\
         http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on; reset_timedout_connection off;\n\
         client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
         proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Authorization \"Bearer {bearer}\"; proxy_max_temp_file_size 0;\n\
         upstream api {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 600s; }}\n\
         server {{ listen 127.0.0.1:{plain} reuseport; listen 127.0.0.1:{tls} ssl http2 reuseport;\n\
         ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_session_cache shared:s:10m; ssl_protocols TLSv1.2 TLSv1.3; ssl_buffer_size 16k;\n\
         http2_max_requests 1000000000; http2_max_concurrent_streams 200;\n\
         location / {{ proxy_pass http://api; proxy_buffer_size 4k; proxy_buffers 8 4k; proxy_busy_buffers_size 8k; }}\n\
         location /large {{ proxy_pass http://api; proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k; }}\n\
         location /huge {{ proxy_pass http://api; proxy_buffer_size 64k; proxy_buffers 16 64k; proxy_busy_buffers_size 512k; }} }} }}\n",
        folder = folder.display(),
        plain = ports.nginx,
        tls = ports.nginx_tls,
        certificate = authority.certificate_file(),
        key = authority.key_file(),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config).expect("written");
    let mut command = Command::new("nginx");
    command.arg("-c").arg(path).arg("-p").arg(folder).stderr(Stdio::null());
    Running(command.spawn().expect("nginx starts"))
}

/// Connections to the upstream are shared and kept, large bodies may be spliced, nothing is logged.
fn haproxy(folder: &Path, ports: &Ports, upstream: u16, bearer: &str, authority: &Authority) -> Running {
    let pair = [authority.certificate_file(), authority.key_file()].map(|file| fs::read_to_string(file).expect("PEM"));
    let pem = folder.join("haproxy.pem");
    fs::write(&pem, pair.concat()).expect("written");
    let config = format!(
        "global\n  nbthread 2\n  maxconn 6000\n  tune.maxrewrite 1024\n  tune.idle-pool.shared on\n\
         defaults\n  mode http\n  timeout client 600s\n  timeout server 600s\n  timeout connect 5s\n  timeout http-keep-alive 600s\n\
         \u{20} option http-keep-alive\n  option splice-response\n  http-reuse always\n\
         frontend f\n  bind 127.0.0.1:{}\n  bind 127.0.0.1:{} ssl crt {} alpn h2,http/1.1\n\
         \u{20} http-request set-header Authorization \"Bearer {bearer}\"\n  default_backend b\n\
         backend b\n  server s 127.0.0.1:{upstream} pool-max-conn -1 pool-purge-delay 600s\n",
        ports.haproxy,
        ports.haproxy_tls,
        pem.display(),
    );
    let path = folder.join("haproxy.cfg");
    fs::write(&path, config).expect("written");
    Running(Command::new("haproxy").args(["-q", "-db", "-f"]).arg(path).spawn().expect("HAProxy starts"))
}
