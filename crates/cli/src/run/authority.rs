use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use protocol::{Clock, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum AuthorityError {
    /// The library made none, or does not know the key.
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The key is of no use for TLS.
    #[error("the certificate's key is of no use: {0}")]
    Key(#[from] rustls::Error),
    /// The clock stands at a time that certificates cannot name.
    #[error("the clock of this machine stands at a time that no certificate can name")]
    Time,
}

/// A certificate authority of one person's, good for the hosts of their services alone.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// A new one for these hosts: whoever trusts it trusts it for nothing else.
    pub(super) fn make(hosts: &[String], now: Timestamp) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = named()?;
        (params.not_before, params.not_after) = (date(now.minus(SKEW))?, date(now.plus(AUTHORITY_LIFETIME))?);
        params.name_constraints = Some(constraints(hosts));
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// The one that was kept: its certificate and its key, in PEM.
    pub(super) fn kept(certificate: String, key: &str) -> Result<Self, AuthorityError> {
        Ok(Self { issuer: Issuer::new(named()?, KeyPair::from_pem(key)?), certificate })
    }

    /// In PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// In PEM. It is as secret as what is sent to the hosts.
    pub(super) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for one host, with a key of its own.
    fn leaf(&self, host: &str, now: Timestamp) -> Result<CertifiedKey, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([host.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "ath run");
        (params.not_before, params.not_after) = (date(now.minus(SKEW))?, date(now.plus(LEAF_LIFETIME))?);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(CertifiedKey::new(vec![certificate.into()], any_supported_type(&der)?))
    }
}

/// The certificates that hosts are answered for with, made when they are wanted, and again before they end.
pub(super) struct Leaves {
    authority: Authority,
    clock: Arc<dyn Clock>,
    made: Mutex<Vec<(String, Timestamp, Arc<CertifiedKey>)>>,
}

impl Leaves {
    /// None yet.
    pub(super) fn new(authority: Authority, clock: Arc<dyn Clock>) -> Self {
        Self { authority, clock, made: Mutex::default() }
    }

    /// The one for a host.
    pub(super) fn of(&self, host: &str) -> Result<Arc<CertifiedKey>, AuthorityError> {
        let now = self.clock.now();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|(_, since, _)| now.since(*since) < LEAF_LIFETIME / 2);
        if let Some((_, _, leaf)) = made.iter().find(|(known, _, _)| known == host) {
            return Ok(leaf.clone());
        }
        let leaf = Arc::new(self.authority.leaf(host, now)?);
        made.push((host.to_owned(), now, leaf.clone()));
        Ok(leaf)
    }
}

/// What is the same for every authority, so that it can be taken up again by its key alone.
fn named() -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "ath run");
    params.distinguished_name.push(DnType::CommonName, "ath run: this user's own authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// The hosts and nothing else. RFC 5280 §4.2.1.10 leaves a kind of names open of which no name is permitted, so that each has one.
fn constraints(hosts: &[String]) -> NameConstraints {
    let addresses = hosts.iter().filter_map(|host| host.parse::<IpAddr>().ok());
    let whole = |address: IpAddr| CidrSubnet::from_addr_prefix(address, if address.is_ipv4() { 32 } else { 128 });
    let mut permitted: Vec<GeneralSubtree> =
        addresses.map(|address| GeneralSubtree::IpAddress(whole(address))).collect();
    let mut excluded = Vec::new();
    if permitted.is_empty() {
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])));
        excluded.push(GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])));
    }
    let names = hosts.iter().filter(|host| host.parse::<IpAddr>().is_err());
    permitted.extend(names.map(|name| GeneralSubtree::DnsName(name.clone())));
    if !permitted.iter().any(|subtree| matches!(subtree, GeneralSubtree::DnsName(_))) {
        permitted.push(GeneralSubtree::DnsName("ath-run.invalid".to_owned()));
    }
    NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded }
}

fn date(at: Timestamp) -> Result<OffsetDateTime, AuthorityError> {
    let seconds = i64::try_from(at.as_secs()).map_err(|_| AuthorityError::Time)?;
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| AuthorityError::Time)
}

/// How long an authority is good for.
pub(super) const AUTHORITY_LIFETIME: Duration = Duration::from_secs(30 * DAY);
/// How long a host's certificate is good for; another one is made after half of it.
const LEAF_LIFETIME: Duration = Duration::from_secs(DAY);
/// How far the clocks of a machine's programs may be apart; containers have been seen to be.
const SKEW: Duration = Duration::from_secs(3600);
const DAY: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use protocol::ManualClock;
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;

    const NOW: u64 = 1_790_000_000;

    /// Whether a client that trusts `trusted` takes the leaf of `by` for `host`, so many seconds from now.
    fn takes(trusted: &Authority, by: &Authority, host: &str, later: u64) -> bool {
        let leaf = by.leaf(host, Timestamp::from_secs(NOW)).expect("a leaf");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(trusted.certificate().as_bytes()).expect("PEM")).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().expect("a verifier");
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let at = UnixTime::since_unix_epoch(Duration::from_secs(NOW + later));
        verifier.verify_server_cert(leaf.end_entity_cert().expect("a leaf"), &[], &name, &[], at).is_ok()
    }

    fn authority(hosts: &[&str]) -> Authority {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        Authority::make(&hosts, Timestamp::from_secs(NOW)).expect("an authority")
    }

    #[test]
    fn it_is_good_for_its_hosts_and_no_others() {
        let names = authority(&["api.example.com", "files.example.com"]);
        assert!(takes(&names, &names, "api.example.com", 0) && takes(&names, &names, "files.example.com", 0));
        for other in ["example.com", "bank.example.org", "127.0.0.1", "::1"] {
            assert!(!takes(&names, &names, other, 0), "{other}");
        }
        let address = authority(&["10.0.0.1"]);
        assert!(takes(&address, &address, "10.0.0.1", 0));
        for other in ["10.0.0.2", "api.example.com"] {
            assert!(!takes(&address, &address, other, 0), "{other}");
        }
        assert!(!takes(&names, &authority(&["api.example.com"]), "api.example.com", 0), "another one's");
    }

    #[test]
    fn a_leaf_lives_for_a_day() {
        let authority = authority(&["api.example.com"]);
        assert!(takes(&authority, &authority, "api.example.com", DAY - 1));
        assert!(!takes(&authority, &authority, "api.example.com", DAY + 1));
    }

    #[test]
    fn it_is_taken_up_again() {
        let made = authority(&["api.example.com"]);
        let kept = Authority::kept(made.certificate().to_owned(), &made.key()).expect("kept");
        assert!(takes(&made, &kept, "api.example.com", 0));
    }

    #[test]
    fn leaves_are_made_once_and_again_in_time() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
        let leaves = Leaves::new(authority(&["api.example.com"]), clock.clone());
        let first = leaves.of("api.example.com").expect("a leaf");
        assert!(Arc::ptr_eq(&first, &leaves.of("api.example.com").expect("a leaf")));
        clock.advance(LEAF_LIFETIME / 2);
        assert!(!Arc::ptr_eq(&first, &leaves.of("api.example.com").expect("a leaf")));
    }
}
