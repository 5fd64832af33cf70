use std::path::Path;

use rustls::RootCertStore;
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
