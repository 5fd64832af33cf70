use std::io::BufReader;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

/// Takes plain connections on a port of 127.0.0.1, and carries each over TLS to another: a proxy in front, as far as TLS goes.
pub struct Tunnel {
    port: u16,
    _runtime: Runtime,
}

impl Tunnel {
    /// To `target`, whose certificate goes back to `roots`; `identity` is the certificate chain and the key that the tunnel presents, in
    /// PEM.
    #[must_use]
    pub fn start(target: u16, roots: &str, identity: Option<(&str, &str)>) -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(certificates(roots));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(store);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(certificates(chain), key).expect("a key for the certificate")
            }
        };
        let connector = TlsConnector::from(Arc::new(config));
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, target, connector.clone()));
            }
        });
        Self { port, _runtime: runtime }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A connection that cannot be made, or breaks off, is one that breaks off for the client.
async fn carry(mut plain: TcpStream, target: u16, connector: TlsConnector) {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let name = ServerName::try_from("localhost").expect("a name");
    let Ok(mut stream) = connector.connect(name, stream).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut plain, &mut stream).await;
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_reader_iter(BufReader::new(pem.as_bytes())).map(|one| one.expect("a certificate")).collect()
}
