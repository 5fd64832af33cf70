use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

/// A real proxy in front of a gateway, on loopback.
pub struct Front {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Front {
    /// nginx, for the gateway at `gateway`, with these directives in its one location.
    #[must_use]
    pub fn nginx(gateway: u16, directives: &str) -> Self {
        let (folder, port) = (TempDir::new().expect("a folder"), crate::free_port());
        let config = format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;\nevents {{}}\n\
             http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;\n\
             uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{gateway}; {directives} }} }} }}\n",
            folder = folder.path().display(),
        );
        let path = folder.path().join("nginx.conf");
        fs::write(&path, config).expect("written");
        let mut command = Command::new("nginx");
        command.arg("-e").arg(folder.path().join("log")).arg("-c").arg(path).arg("-p").arg(folder.path());
        Self::run(&mut command, port, folder)
    }

    /// `HAProxy` in this mode, `tcp` or `http`, with these lines in its defaults, and these servers behind it.
    #[must_use]
    pub fn haproxy(mode: &str, lines: &[&str], servers: &[String]) -> Self {
        let (folder, port) = (TempDir::new().expect("a folder"), crate::free_port());
        let servers = servers.iter().enumerate().map(|(number, server)| format!("  server g{number} {server}\n"));
        let config = format!(
            "global\n  maxconn 2000\ndefaults\n  mode {mode}\n  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n\
             \u{20} timeout check 1s\n  retries 0\n  {}\nfrontend f\n  bind 127.0.0.1:{port}\n  default_backend b\nbackend b\n{}",
            lines.join("\n  "),
            servers.collect::<String>(),
        );
        let path = folder.path().join("haproxy.cfg");
        fs::write(&path, config).expect("written");
        Self::run(Command::new("haproxy").args(["-q", "-db", "-f"]).arg(path), port, folder)
    }

    fn run(command: &mut Command, port: u16, folder: TempDir) -> Self {
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the proxy starts");
        let front = Self { process, port, _folder: folder };
        crate::eventually("the proxy listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        front
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(process) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(process, Signal::TERM);
        }
        let _ = self.process.wait();
    }
}

/// A connection to a port of 127.0.0.1 from 127.0.0.`host`: another client, as far as addresses go.
#[must_use]
pub fn connect_from(host: u8, port: u16) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)).into()).expect("an address of loopback");
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).expect("something listens");
    socket.into()
}
