use std::path::Path;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::CertifiedKey;
use rustls::{Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::reader::Found;
use super::secrets;

/// The certificates in a PEM file, at least one; what is wrong is reported at the key that names the file.
pub(super) fn certificates(file: &Found<'_, &str>) -> Option<Vec<CertificateDer<'static>>> {
    let contents = secrets::contents(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents.bytes).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Some(certificates),
        _ => file.place.refused(format!(
            "{} holds no certificates in PEM; it begins with -----BEGIN CERTIFICATE-----",
            file.value
        )),
    }
}

/// Certificates that can be trusted as roots.
pub(super) fn roots(file: &Found<'_, &str>) -> Option<Vec<CertificateDer<'static>>> {
    let certificates = certificates(file)?;
    let mut store = RootCertStore::empty();
    if certificates.iter().any(|certificate| store.add(certificate.clone()).is_err()) {
        file.place
            .problem(format!("{} holds a certificate that cannot be a root; remove it, or issue it anew", file.value));
        return None;
    }
    Some(certificates)
}

/// The private key in a PEM file.
pub(super) fn private_key(file: &Found<'_, &str>) -> Option<PrivateKeyDer<'static>> {
    let contents = secrets::contents(file)?;
    secrets::warn_of_readers(file, contents.readers);
    let key = PrivateKeyDer::from_pem_slice(&contents.bytes).ok();
    if key.is_none() {
        let name = Path::new(file.value).display();
        file.place.problem(format!("{name} holds no private key in PEM; use PKCS#8, SEC1 or PKCS#1, not encrypted"));
    }
    key
}

/// A certificate chain, leaf first, and the key that belongs to it.
#[derive(Debug)]
pub(crate) struct Identity {
    /// As it is shown.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// Prints nothing of itself.
    pub(crate) key: PrivateKeyDer<'static>,
}

/// The certificate in one file and its key in another.
pub(super) fn identity(chain: &Found<'_, &str>, key: &Found<'_, &str>) -> Option<Identity> {
    let (read_chain, read_key) = (certificates(chain), private_key(key));
    let (chain, place, key) = (read_chain?, &key.place, read_key?);
    match CertifiedKey::from_der(chain.clone(), key.clone_key(), &default_provider()) {
        Ok(_) => Some(Identity { chain, key }),
        Err(Error::InconsistentKeys(_)) => {
            place.refused("the key does not belong to the certificate in cert_file; name the key it was issued for")
        }
        Err(_) => {
            place.refused("the key and the certificate in cert_file are of no use for TLS; use RSA, ECDSA or Ed25519")
        }
    }
}
