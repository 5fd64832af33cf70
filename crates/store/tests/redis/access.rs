//! TLS, and a user that may do no more than it must.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use store::{RedisLogin, RedisServers, RedisStore, RedisTls, Store, StoreError};

use crate::server::RedisServer;
use crate::server::cluster::RedisCluster;
use crate::{Bench, conformance, options};

/// What docs/operations.md lists: the user, and what it needs besides in a cluster. Older servers do not know every command.
fn acl() -> Vec<Vec<String>> {
    let text = include_str!("../../../../docs/operations.md");
    let lines = text.lines().filter(|line| line.starts_with("ACL SETUSER gateway "));
    let words = |line: &str| {
        let words = line.split_whitespace().filter(|word| *word != "+waitaof");
        words.map(|word| word.replace(">PASSWORD", ">secret")).collect()
    };
    lines.map(words).collect()
}

fn make_user(server: &RedisServer, rules: &[Vec<String>]) {
    for rules in rules {
        let made = server.client().command(&rules.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(made, "OK", "{rules:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_is_enough() {
    let server = RedisServer::start(&[]);
    let rules = acl();
    assert_eq!(rules.len(), 3, "docs/operations.md has the lines");
    make_user(&server, rules.get(..1).expect("the user"));
    let url = server.url().replace("redis://", "redis://gateway:secret@");
    let store = RedisStore::connect(RedisServers::at_url(&url).expect("a URL"), options()).await.expect("connects");
    store.health().await.expect("is well");
    conformance(Bench { store: std::sync::Arc::new(store), clock: None }).await;
    let denied = server.client().command(&["ACL", "LOG"]);
    assert_eq!(denied, "", "something was refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_user_is_enough_in_a_cluster() {
    let cluster = RedisCluster::start(0);
    for node in &cluster.nodes {
        make_user(node, &acl());
    }
    let login = RedisLogin { user: Some("gateway".to_owned()), password: Some("secret".to_owned()), database: 0 };
    let servers = RedisServers { login, ..cluster.redis() };
    let store = RedisStore::connect(servers, options()).await.expect("connects");
    store.health().await.expect("is well");
    conformance(Bench { store: std::sync::Arc::new(store), clock: None }).await;
    for node in &cluster.nodes {
        assert_eq!(node.client().command(&["ACL", "LOG"]), "", "something was refused");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_at_the_start() {
    let server = RedisServer::start(&["--requirepass", "right"]);
    let url = server.url().replace("redis://", "redis://:wrong@");
    let Err(refused) = RedisStore::connect(RedisServers::at_url(&url).expect("a URL"), options()).await else {
        panic!("it does not get in")
    };
    let StoreError::Open(why) = refused else { panic!("{refused}") };
    assert!(why.contains("AuthenticationFailed") && !why.contains("wrong"), "{why}");
}

struct Certificates {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Certificates {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).expect("written");
        Self { authority, folder }
    }

    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        // Not the authority's own name, which is the default of both.
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.authority).expect("signs");
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self, clients: &str) -> RedisServer {
        let (certificate, key) = self.issue("localhost");
        let file = |name: &str, text: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let (certificate, key) = (file("redis.crt", &certificate), file("redis.key", &key));
        let authority = self.folder.path().join("ca.crt").display().to_string();
        RedisServer::start_tls(&[
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &authority,
            "--tls-auth-clients",
            clients,
        ])
    }
}

fn over_tls(server: &RedisServer, tls: RedisTls) -> RedisServers {
    let url = format!("rediss://localhost:{}", server.tls_port());
    RedisServers { encryption: Some(tls), login: RedisLogin::default(), ..RedisServers::at_url(&url).expect("a URL") }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_an_authority_of_ones_own_and_with_a_certificate_where_one_is_asked_for() {
    // Fails only where it was installed before. The gateway does so when it starts.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificates = Certificates::new();
    let authority = Some(certificates.authority.pem().into_bytes());
    let trusting = RedisTls { authority: authority.clone(), client: None };
    let (certificate, key) = certificates.issue("gateway");
    let known = RedisTls { authority, client: Some((certificate.into_bytes(), key.into_bytes())) };

    let server = certificates.server("no");
    let store = RedisStore::connect(over_tls(&server, trusting.clone()), options()).await.expect("connects");
    conformance(Bench { store: std::sync::Arc::new(store), clock: None }).await;
    assert!(
        RedisStore::connect(over_tls(&server, RedisTls::default()), options()).await.is_err(),
        "nobody vouches for it"
    );
    let elsewhere = Certificates::new();
    let wrong = RedisTls { authority: Some(elsewhere.authority.pem().into_bytes()), client: None };
    assert!(RedisStore::connect(over_tls(&server, wrong), options()).await.is_err(), "another authority");

    let strict = certificates.server("yes");
    assert!(RedisStore::connect(over_tls(&strict, trusting), options()).await.is_err(), "it wants a certificate");
    let store = RedisStore::connect(over_tls(&strict, known), options()).await.expect("connects");
    store.health().await.expect("is well");

    let nonsense = RedisTls { authority: Some(b"no PEM".to_vec()), client: Some((b"x".to_vec(), b"y".to_vec())) };
    let Err(StoreError::Open(why)) = RedisStore::connect(over_tls(&strict, nonsense), options()).await else {
        panic!("PEM")
    };
    assert!(why.contains("PEM"), "{why}");
}
