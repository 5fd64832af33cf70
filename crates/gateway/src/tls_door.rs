//! TLS at the gateway's own listener: with the certificate that lies on the disk, also when somebody renews it there.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, DnsName, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::{Environment, SystemEnvironment, TlsFiles, TlsPaths};
use crate::tls;

/// By what clients' certificates are judged. Where two configurations say the same of it, it is one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ClientProof {
    /// The name that the certificate of a proxy in front must be for.
    pub(crate) proxy_name: Option<DnsName<'static>>,
    /// The authorities.
    pub(crate) client_roots: Vec<CertificateDer<'static>>,
}

/// What connections are accepted with. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct TlsDoor(Arc<Inner>);

struct Inner {
    acceptor: RwLock<TlsAcceptor>,
    paths: TlsPaths,
    /// What the acceptor was made of.
    material: RwLock<Material>,
}

/// What the files hold.
#[derive(PartialEq, Eq)]
struct Material {
    cert_chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    client_roots: Vec<CertificateDer<'static>>,
}

/// Why what lies there now is of no use.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("{path} cannot be read: {error}")]
    Unread { path: String, error: std::io::Error },
    #[error("{path} holds no certificate or no private key in PEM: {error}")]
    Form { path: String, error: rustls_pki_types::pem::Error },
    #[error("certificate, key and authority do not go together: {0}")]
    Tls(#[from] rustls::Error),
}

impl TlsDoor {
    /// With what the configuration has read.
    pub(crate) fn new(files: TlsFiles) -> Result<Self, rustls::Error> {
        let material = Material {
            cert_chain: files.cert_chain.clone(),
            key: files.key.clone_key(),
            client_roots: files.client_roots.clone(),
        };
        let (paths, acceptor) = (files.paths.clone(), acceptor(files)?);
        Ok(Self(Arc::new(Inner { acceptor: RwLock::new(acceptor), paths, material: RwLock::new(material) })))
    }

    /// As it is at this moment.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.0.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files, over and over: whoever renews a certificate has to tell nobody. While it is being written, certificate and key may
    /// not belong together; until they do, those before are used.
    pub(crate) async fn watch(self) {
        let mut complained = None;
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let door = self.clone();
            let looked = tokio::task::spawn_blocking(move || door.look(&SystemEnvironment)).await;
            match looked {
                Ok(Ok(true)) => tracing::info!("the certificate of the listener was read anew"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => {
                    let error = error.to_string();
                    if complained.as_ref() != Some(&error) {
                        tracing::error!(
                            error,
                            "the certificate of the listener stays as it is: put a chain and the key that belongs to it there"
                        );
                    }
                    complained = Some(error);
                    continue;
                }
                Err(_) => return,
            }
            complained = None;
        }
    }

    /// Whether something else lay there, which is used from now on. Whose certificates clients may show is part of the configuration, which is
    /// read as a whole.
    fn look(&self, environment: &dyn Environment) -> Result<bool, Unusable> {
        let client_roots = self.0.material.read().unwrap_or_else(PoisonError::into_inner).client_roots.clone();
        let found = Material::read(&self.0.paths, client_roots, environment)?;
        if *self.0.material.read().unwrap_or_else(PoisonError::into_inner) == found {
            return Ok(false);
        }
        let acceptor = acceptor(TlsFiles {
            cert_chain: found.cert_chain.clone(),
            key: found.key.clone_key(),
            client_roots: found.client_roots.clone(),
            paths: self.0.paths.clone(),
        })?;
        *self.0.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        *self.0.material.write().unwrap_or_else(PoisonError::into_inner) = found;
        Ok(true)
    }
}

impl Material {
    fn read(
        paths: &TlsPaths,
        client_roots: Vec<CertificateDer<'static>>,
        environment: &dyn Environment,
    ) -> Result<Self, Unusable> {
        let key_file = contents(&paths.key, environment)?;
        let key = PrivateKeyDer::from_pem_slice(&key_file).map_err(|error| form(&paths.key, error))?;
        Ok(Self { cert_chain: certificates(&paths.cert_chain, environment)?, key, client_roots })
    }
}

fn acceptor(files: TlsFiles) -> Result<TlsAcceptor, rustls::Error> {
    Ok(TlsAcceptor::from(Arc::new(tls::server(files)?)))
}

fn certificates(path: &Path, environment: &dyn Environment) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let contents = contents(path, environment)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => Err(form(path, rustls_pki_types::pem::Error::NoItemsFound)),
        read => read.map_err(|error| form(path, error)),
    }
}

fn contents(path: &Path, environment: &dyn Environment) -> Result<zeroize::Zeroizing<Vec<u8>>, Unusable> {
    let unread = |error| Unusable::Unread { path: path.display().to_string(), error };
    environment.read(path).map(|contents| contents.bytes).map_err(unread)
}

fn form(path: &Path, error: rustls_pki_types::pem::Error) -> Unusable {
    Unusable::Form { path: path.display().to_string(), error }
}

/// Soon enough for a person who waits for it.
const LOOK_EVERY: Duration = Duration::from_secs(5);
