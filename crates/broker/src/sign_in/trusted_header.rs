use http::{HeaderMap, HeaderName};
use secret::SecretHash;

use super::{ClientCertificate, SignInMethod};
use crate::{Broker, BrokerError};

/// The header in which an authenticating proxy names the user, and how it proves that it is the proxy who does.
#[derive(Debug)]
pub struct TrustedHeader {
    /// Where the name stands.
    pub name: HeaderName,
    /// What the proxy proves itself by.
    pub proof: ProxyProof,
}

/// What the proxy proves itself by, with every request.
#[derive(Debug)]
pub enum ProxyProof {
    /// A secret in a header.
    Secret(SharedSecret),
    /// The client certificate of its connection.
    Certificate,
    /// Both.
    SecretAndCertificate(SharedSecret),
}

/// A secret that the proxy and the gateway share; kept as its hash.
#[derive(Debug)]
pub struct SharedSecret {
    header: HeaderName,
    hash: SecretHash,
}

/// A name that the proxy proved to have given.
#[derive(Debug, Clone)]
pub struct Vouched(String);

/// Why the proxy's word does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyProblem {
    /// The header with the secret is not there.
    #[error("the proxy's secret is missing")]
    SecretMissing,
    /// It is there several times.
    #[error("the proxy's secret is there several times")]
    SecretRepeated,
    /// The secret is another.
    #[error("the proxy's secret is wrong")]
    SecretWrong,
    /// The connection has no client certificate.
    #[error("the proxy presented no client certificate")]
    CertificateMissing,
    /// The certificate is somebody else's.
    #[error("the client certificate bears another name")]
    CertificateOther,
    /// The header with the user is not there.
    #[error("the proxy names no user")]
    UserMissing,
    /// It is there several times.
    #[error("the proxy names several users")]
    UserRepeated,
    /// It is empty, longer than 255 bytes, no UTF-8, or has control characters in it.
    #[error("the user's name is of no acceptable form")]
    UserForm,
}

impl SharedSecret {
    /// A secret of 32 bytes or more; `None` for less.
    #[must_use]
    pub fn new(header: HeaderName, secret: &str) -> Option<Self> {
        (secret.len() >= MIN_SECRET).then(|| Self { header, hash: SecretHash::of(secret) })
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), ProxyProblem> {
        let mut values = headers.get_all(&self.header).iter();
        let presented = match (values.next(), values.next()) {
            (None, _) => return Err(ProxyProblem::SecretMissing),
            (Some(_), Some(_)) => return Err(ProxyProblem::SecretRepeated),
            (Some(value), None) => value.to_str().unwrap_or_default(),
        };
        if self.hash.matches(presented) { Ok(()) } else { Err(ProxyProblem::SecretWrong) }
    }
}

impl TrustedHeader {
    /// Whom the request's headers name, once they and its connection proved to be the proxy's.
    fn vouch(&self, headers: &HeaderMap, certificate: ClientCertificate) -> Result<Vouched, ProxyProblem> {
        match &self.proof {
            ProxyProof::Secret(secret) => secret.check(headers)?,
            ProxyProof::Certificate => presented(certificate)?,
            ProxyProof::SecretAndCertificate(secret) => {
                secret.check(headers)?;
                presented(certificate)?;
            }
        }
        let mut values = headers.get_all(&self.name).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => return Err(ProxyProblem::UserMissing),
            (Some(_), Some(_)) => return Err(ProxyProblem::UserRepeated),
            (Some(value), None) => value.as_bytes(),
        };
        match std::str::from_utf8(value) {
            Ok(name) if is_name(name) => Ok(Vouched(name.to_owned())),
            _ => Err(ProxyProblem::UserForm),
        }
    }
}

impl Vouched {
    /// As the proxy wrote it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    pub(super) fn names(&self, name: &str) -> bool {
        self.0 == name
    }
}

impl Broker {
    /// Whom an authenticating proxy names; `None` where the gateway takes no proxy's word.
    pub fn vouched(&self, headers: &HeaderMap, certificate: ClientCertificate) -> Result<Option<Vouched>, BrokerError> {
        let SignInMethod::Header(header) = &self.sign_in else { return Ok(None) };
        header.vouch(headers, certificate).map(Some).map_err(|problem| BrokerError::SignIn(problem.into()))
    }
}

fn presented(certificate: ClientCertificate) -> Result<(), ProxyProblem> {
    match certificate {
        ClientCertificate::Verified => Ok(()),
        ClientCertificate::Absent => Err(ProxyProblem::CertificateMissing),
        ClientCertificate::OtherName => Err(ProxyProblem::CertificateOther),
    }
}

/// Whether a text can name somebody: what is left of it after white space around it, nothing that a page would not show.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && text.trim() == text && !text.chars().any(char::is_control)
}

/// In bytes.
const MIN_SECRET: usize = 32;
/// In bytes.
const MAX_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const USER: HeaderName = HeaderName::from_static("x-forwarded-user");
    const PROOF: HeaderName = HeaderName::from_static("x-ath-proxy-secret");

    fn vouch(
        proof: ProxyProof,
        headers: &[(HeaderName, &[u8])],
        certificate: ClientCertificate,
    ) -> Result<String, ProxyProblem> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.clone(), HeaderValue::from_bytes(value).expect("a value"));
        }
        TrustedHeader { name: USER, proof }.vouch(&map, certificate).map(|vouched| vouched.0)
    }

    fn shared() -> SharedSecret {
        SharedSecret::new(PROOF, SECRET).expect("long enough")
    }

    fn by_secret(headers: &[(HeaderName, &[u8])]) -> Result<String, ProxyProblem> {
        vouch(ProxyProof::Secret(shared()), headers, ClientCertificate::Absent)
    }

    #[test]
    fn a_proxy_with_the_secret_is_believed() {
        assert_eq!(by_secret(&[(PROOF, SECRET.as_bytes()), (USER, b"ada")]).as_deref(), Ok("ada"));
        assert_eq!(by_secret(&[(USER, "Zoë".as_bytes()), (PROOF, SECRET.as_bytes())]).as_deref(), Ok("Zoë"));
    }

    #[test]
    fn without_proof_the_name_is_not_looked_at() {
        let secret = (PROOF, SECRET.as_bytes());
        for (headers, problem) in [
            (vec![(USER, &b"ada"[..])], ProxyProblem::SecretMissing),
            (vec![(USER, b"ada"), (PROOF, b"")], ProxyProblem::SecretWrong),
            (vec![(USER, b"ada"), (PROOF, b"0123456789abcdef0123456789abcdeF")], ProxyProblem::SecretWrong),
            (vec![(USER, b"ada"), (PROOF, b"0123456789abcdef0123456789abcde")], ProxyProblem::SecretWrong),
            (vec![(USER, b"ada"), secret.clone(), secret.clone()], ProxyProblem::SecretRepeated),
            (vec![(USER, b"ada"), secret.clone(), (PROOF, b"x")], ProxyProblem::SecretRepeated),
            (vec![(USER, b""), (PROOF, b"x")], ProxyProblem::SecretWrong),
        ] {
            assert_eq!(by_secret(&headers), Err(problem), "{headers:?}");
        }
        assert!(SharedSecret::new(PROOF, &SECRET[1..]).is_none());
    }

    #[test]
    fn a_certificate_is_a_proof_and_both_may_be_asked_for() {
        let user = [(USER, &b"ada"[..])];
        let both = [(USER, &b"ada"[..]), (PROOF, SECRET.as_bytes())];
        let certificate =
            |headers: &[(HeaderName, &[u8])], certificate| vouch(ProxyProof::Certificate, headers, certificate);
        assert_eq!(certificate(&user, ClientCertificate::Verified).as_deref(), Ok("ada"));
        assert_eq!(certificate(&both, ClientCertificate::Absent), Err(ProxyProblem::CertificateMissing));
        assert_eq!(certificate(&both, ClientCertificate::OtherName), Err(ProxyProblem::CertificateOther));
        let two = |headers: &[(HeaderName, &[u8])], certificate| {
            vouch(ProxyProof::SecretAndCertificate(shared()), headers, certificate)
        };
        assert_eq!(two(&both, ClientCertificate::Verified).as_deref(), Ok("ada"));
        assert_eq!(two(&both, ClientCertificate::Absent), Err(ProxyProblem::CertificateMissing));
        assert_eq!(two(&user, ClientCertificate::Verified), Err(ProxyProblem::SecretMissing));
    }

    #[test]
    fn one_name_of_bounded_form() {
        let named = |values: &[&[u8]]| {
            let proof = std::iter::once((PROOF, SECRET.as_bytes()));
            by_secret(&proof.chain(values.iter().map(|value| (USER, *value))).collect::<Vec<_>>())
        };
        assert_eq!(named(&[]), Err(ProxyProblem::UserMissing));
        assert_eq!(named(&[b"ada", b"ada"]), Err(ProxyProblem::UserRepeated));
        assert_eq!(named(&[b"ada", b""]), Err(ProxyProblem::UserRepeated));
        for name in [&b""[..], b"a\tb", b"\xff", b" ada", &[b'x'; 256], "a\u{85}b".as_bytes()] {
            assert_eq!(named(&[name]), Err(ProxyProblem::UserForm), "{name:?}");
        }
        assert!(named(&[&[b'x'; 255]]).is_ok());
    }
}
