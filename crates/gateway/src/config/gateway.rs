use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use protocol::Loopback;
use proxy::{HostName, Hosts, LoopbackNames};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use url::Url;

use super::key::{Form, Key};
use super::pem::{self, Identity};
use super::reader::{Place, Table};
use super::urls;

mod ending;
mod front;

pub(crate) use ending::Ending;
pub(crate) use front::{FrontConfig, ProxyProtocol};

/// Where the gateway is, and how it listens.
#[derive(Debug)]
pub(crate) struct GatewayConfig {
    /// Scheme, host and port; the path is `/`.
    pub(crate) public_url: Url,
    /// Names that it answers to besides.
    pub(crate) hosts: Vec<HostName>,
    /// Where it listens.
    pub(crate) listen: SocketAddr,
    /// Threads of the data plane; one for each core where it is `None`.
    pub(crate) workers: Option<NonZeroUsize>,
    /// Where TLS ends here.
    pub(crate) tls: Option<TlsFiles>,
    /// What stands in front of the gateway.
    pub(crate) front: FrontConfig,
    /// How it ends.
    pub(crate) ending: Ending,
}

/// A certificate chain, leaf first, and the key that belongs to it.
#[derive(Debug)]
pub(crate) struct TlsFiles {
    /// As sent to clients.
    pub(crate) cert_chain: Vec<CertificateDer<'static>>,
    /// Prints nothing of itself.
    pub(crate) key: PrivateKeyDer<'static>,
    /// Whose certificates clients may present; without any, none is asked for.
    pub(crate) client_roots: Vec<CertificateDer<'static>>,
    /// Where all that lies.
    pub(crate) paths: TlsPaths,
}

/// The files that TLS at the listener is made of.
#[derive(Debug, Clone)]
pub(crate) struct TlsPaths {
    pub(crate) cert_chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// The section, as far as it can be read: others need the public URL even where something else is wrong.
pub(super) struct Partial {
    pub(super) public_url: Option<Url>,
    hosts: Vec<HostName>,
    listen: Option<SocketAddr>,
    workers: Option<NonZeroUsize>,
    tls: Option<TlsFiles>,
    front: Option<FrontConfig>,
    ending: Option<Ending>,
}

impl Partial {
    pub(super) fn complete(self) -> Option<GatewayConfig> {
        let Self { public_url, hosts, listen, workers, tls, front, ending } = self;
        let (public_url, listen) = (public_url?, listen?);
        Some(GatewayConfig { public_url, hosts, listen, workers, tls, front: front?, ending: ending? })
    }
}

impl GatewayConfig {
    /// All names that it answers to, but for those that are a provider's alone.
    pub(crate) fn hosts(&self) -> Hosts {
        let own = self.listen.ip().is_loopback() || urls::is_loopback(&self.public_url);
        let loopback = if own { LoopbackNames::Known } else { LoopbackNames::Unknown };
        Hosts::new(&self.public_url, self.hosts.clone(), loopback)
    }
}

pub(super) fn read(table: &Table<'_>, loopback: Loopback) -> Partial {
    let workers = table.integer(&WORKERS).and_then(|count| usize::try_from(count).ok());
    let listen = table.parsed(&LISTEN, address);
    if let Some(listen) = listen.as_ref().filter(|listen| !listen.value.ip().is_loopback())
        && table.written(&TLS).is_none()
        && table.written(&front::TRUSTED_PROXIES).is_none()
    {
        listen.place.warning(
            "is open to the network without TLS: whoever is on the way reads tokens; set tls, or name the proxies that end TLS in \
             trusted_proxies",
        );
    }
    Partial {
        public_url: table.parsed(&PUBLIC_URL, |text| urls::public(text, loopback)).map(|found| found.value),
        hosts: hosts(table),
        listen: listen.map(|found| found.value),
        workers: workers.and_then(NonZeroUsize::new),
        tls: table.optional_table(&TLS).and_then(|table| tls(&table)),
        front: front::read(table),
        ending: ending::read(table),
    }
}

/// Where it says whose certificates clients may present, if it does.
pub(super) fn client_authority<'c>(table: &Table<'c>) -> Option<Place<'c>> {
    table.nested(&TLS)?.written(&CLIENT_CA_FILE)
}

fn hosts(table: &Table<'_>) -> Vec<HostName> {
    let parsed = table.texts(&HOSTS).into_iter().filter_map(|found| found.parsed(HostName::parse));
    parsed.map(|found| found.value).collect()
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "is no address and port; write one such as \"127.0.0.1:4180\", \"0.0.0.0:8443\" or \"[::]:8443\"")
}

fn tls(table: &Table<'_>) -> Option<TlsFiles> {
    let files = table.text(&CERT_FILE).zip(table.text(&KEY_FILE));
    let paths = files.as_ref().map(|(chain, key)| TlsPaths { cert_chain: chain.value.into(), key: key.value.into() });
    let identity = files.and_then(|(chain, key)| pem::identity(&chain, &key));
    let client_roots = table.text(&CLIENT_CA_FILE).map(|file| pem::roots(&file));
    let Identity { chain: cert_chain, key } = identity?;
    Some(TlsFiles { cert_chain, key, client_roots: client_roots.unwrap_or(Some(Vec::new()))?, paths: paths? })
}

pub(super) const KEYS: &[Key] = &[
    PUBLIC_URL,
    HOSTS,
    LISTEN,
    WORKERS,
    TLS,
    front::TRUSTED_PROXIES,
    front::CLIENT_ADDRESS,
    front::PROXY_PROTOCOL,
    ending::DRAIN,
    ending::DRAIN_DELAY,
];

const PUBLIC_URL: Key = Key::required(
    "public_url",
    Form::Text,
    "public_url = \"https://gateway.example.com\"",
    "Where browsers and agents reach the gateway: https, a host, and a port if it is not 443.",
);
const HOSTS: Key = Key::optional(
    "hosts",
    Form::Texts,
    "Further names that it is called by, with a port where only that one counts; none by default, and a request for any other host than these, \
     public_url's and the providers' is refused, so that no page reaches it by a name of its own.",
);
const LISTEN: Key = Key::default(
    "listen",
    Form::Text,
    "127.0.0.1:4180",
    "The address and port to listen on; 127.0.0.1:4180 by default, so that nothing is open to the network before somebody says so.",
);
const WORKERS: Key = Key::optional(
    "workers",
    Form::Integer { least: 1, most: 1024 },
    "Threads that forward requests; by default one for each core, since each of them never waits.",
);
const TLS: Key = Key::optional(
    "tls",
    Form::Table(TLS_KEYS),
    "The certificate and its key, where TLS ends at the gateway; left out where a load balancer in front of it does TLS.",
);

const TLS_KEYS: &[Key] = &[CERT_FILE, KEY_FILE, CLIENT_CA_FILE];

const CERT_FILE: Key = Key::required(
    "cert_file",
    Form::Text,
    "cert_file = \"/etc/ath-gateway/tls.crt\"",
    "A PEM file with the certificate first, then the intermediate ones.",
);
const KEY_FILE: Key = Key::required(
    "key_file",
    Form::Text,
    "key_file = \"/etc/ath-gateway/tls.key\"",
    "A PEM file with the certificate's private key.",
);
const CLIENT_CA_FILE: Key = Key::optional(
    "client_ca_file",
    Form::Text,
    "A PEM file with the authority of an authenticating proxy's client certificate; none by default, and clients without a certificate are \
     served in any case.",
);
