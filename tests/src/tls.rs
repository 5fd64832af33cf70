use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{Certificate, CertificateParams, CertifiedKey, KeyPair, date_time_ymd, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// A certificate for one host name, signed by itself, and its key; both in files too.
pub struct Authority {
    certificate: String,
    key: String,
    folder: TempDir,
}

impl Authority {
    /// A certificate for these names and addresses.
    #[must_use]
    pub fn of(names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a certificate");
        Self::kept(&cert, &signing_key)
    }

    /// One whose time was over long ago.
    #[must_use]
    pub fn over(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        parameters.not_after = date_time_ymd(2020, 1, 2);
        Self::kept(&parameters.self_signed(&key).expect("a certificate"), &key)
    }

    fn kept(cert: &Certificate, signing_key: &KeyPair) -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Self { certificate: cert.pem(), key: signing_key.serialize_pem(), folder };
        std::fs::write(authority.certificate_file(), &authority.certificate).expect("written");
        std::fs::write(authority.key_file(), &authority.key).expect("written");
        authority
    }

    /// Where the certificate is, as PEM.
    #[must_use]
    pub fn certificate_file(&self) -> String {
        self.folder.path().join("tls.crt").display().to_string()
    }

    /// Where the key is, as PEM.
    #[must_use]
    pub fn key_file(&self) -> String {
        self.folder.path().join("tls.key").display().to_string()
    }

    fn server(&self) -> ServerConfig {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("TLS");
        builder.with_no_client_auth().with_single_cert(chain, key).expect("a certificate and its key")
    }
}

/// An https server on loopback that answers every request with a JSON body, and counts those that reached it through TLS.
pub struct SecureSite {
    /// Where it listens.
    pub port: u16,
    requests: Arc<AtomicUsize>,
}

impl SecureSite {
    /// Serves with this certificate, until the test's process ends.
    #[must_use]
    pub fn start(authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, config) = (requests.clone(), Arc::new(authority.server()));
        std::thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (counted, config) = (counted.clone(), config.clone());
                std::thread::spawn(move || answer(stream, config, &counted));
            }
        });
        Self { port, requests }
    }

    /// How many requests got through.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(stream: TcpStream, config: Arc<ServerConfig>, counted: &AtomicUsize) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = StreamOwned::new(connection, stream);
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !seen.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => seen.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            _ => return,
        }
    }
    counted.fetch_add(1, Ordering::SeqCst);
    let body = "{\"secure\":true}";
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).and_then(|()| stream.flush());
}
