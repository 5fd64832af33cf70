use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::{eventually, free_port};

/// nginx on loopback, with a folder of files.
pub struct Nginx {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Nginx {
    /// Serves the `files` with these lines in its `server` block, where `listen` stands behind the address: `" ssl http2"`, or nothing.
    #[must_use]
    pub fn start(listen: &str, server: &str, files: &[(&str, &[u8])]) -> Self {
        let (folder, port) = (TempDir::new().expect("a folder"), free_port());
        let root = folder.path().join("files");
        std::fs::create_dir(&root).expect("a folder");
        for (name, contents) in files {
            std::fs::write(root.join(name), contents).expect("written");
        }
        let at = folder.path().display();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/error.log;\nevents {{ worker_connections 1024; }}\n\
             http {{\naccess_log {at}/access.log;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\n\
             fastcgi_temp_path {at}/fastcgi;\nuwsgi_temp_path {at}/uwsgi;\nscgi_temp_path {at}/scgi;\n\
             default_type text/plain;\nserver {{\nlisten 127.0.0.1:{port}{listen};\nroot {at}/files;\n{server}\n}}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).expect("written");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file).arg("-e").arg(folder.path().join("error.log"));
        let process =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nginx is installed by tests/run");
        let nginx = Self { process, port, folder };
        eventually("nginx listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        nginx
    }

    /// Where it listens on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> std::path::PathBuf {
        Path::join(self.folder.path(), "files")
    }

    /// What it says of the requests that it answered, a line each.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
