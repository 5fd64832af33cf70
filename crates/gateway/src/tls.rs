use std::sync::Arc;

use broker::ClientCertificate;
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, DnsName, ServerName, UnixTime};
use webpki::EndEntityCert;

use crate::config::{Fingerprint, ProviderConfig, TlsFiles};

/// aws-lc-rs for libraries that ask for the process's provider; our own code names it.
pub(crate) fn install_provider() {
    // Fails only where one was installed before, which is the same one.
    let _ = default_provider().install_default();
}

/// Whom outgoing connections trust: the machine's roots, read once however many clients there are.
pub(crate) struct Trust {
    native: RootCertStore,
    usual: ClientConfig,
    fingerprint: Fingerprint,
}

impl Trust {
    /// Reads the machine's roots.
    pub(crate) fn load() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        let native = rustls_native_certs::load_native_certs();
        let fingerprint = Fingerprint::of_parts(native.certs.iter().map(AsRef::as_ref));
        let (_, ignored) = roots.add_parsable_certificates(native.certs);
        if ignored > 0 || !native.errors.is_empty() {
            let errors = native.errors.len();
            tracing::debug!(ignored, errors, "some of the machine's root certificates are of no use");
        }
        Ok(Self { usual: verifying(roots.clone())?.with_no_client_auth(), native: roots, fingerprint })
    }

    /// Whether the machine trusts the same as before.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// A client that verifies host names and chains, by the machine's roots and `extra` ones; TLS 1.2 or newer. Without extra ones it
    /// shares what it remembers of sessions with all others.
    pub(crate) fn client(&self, extra: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
        if extra.is_empty() {
            return Ok(self.usual.clone());
        }
        Ok(verifying(self.with(extra)?)?.with_no_client_auth())
    }

    /// The same for one provider, with its own roots and with what it is shown.
    pub(crate) fn towards(&self, provider: &ProviderConfig) -> Result<ClientConfig, rustls::Error> {
        let Some(identity) = &provider.identity else { return self.client(&provider.extra_roots) };
        let builder = verifying(self.with(&provider.extra_roots)?)?;
        builder.with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
    }

    fn with(&self, extra: &[CertificateDer<'static>]) -> Result<RootCertStore, rustls::Error> {
        let mut roots = self.native.clone();
        for certificate in extra {
            roots.add(certificate.clone())?;
        }
        Ok(roots)
    }
}

/// One client, where there are no others.
pub(crate) fn client(extra: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    Trust::load()?.client(extra)
}

fn verifying(roots: RootCertStore) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots))
}

/// The gateway's own listener: h2 and HTTP/1.1 by ALPN. Clients may present a certificate of one of the configured authorities, and
/// need not; one of another's ends the handshake.
pub(crate) fn server(files: TlsFiles) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = builder.with_client_cert_verifier(client_verifier(files.client_roots)?);
    let mut config = builder.with_single_cert(files.cert_chain, files.key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn client_verifier(roots: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
    if roots.is_empty() {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider());
    builder.allow_unauthenticated().build().map_err(|error| rustls::Error::General(error.to_string()))
}

/// What a connection's certificates say of the client. rustls has verified the chain, for being a client among others.
pub(crate) fn client_certificate(
    presented: Option<&[CertificateDer<'_>]>,
    expected: Option<&DnsName<'static>>,
) -> ClientCertificate {
    let Some(leaf) = presented.and_then(<[_]>::first) else { return ClientCertificate::Absent };
    let Some(expected) = expected else { return ClientCertificate::Verified };
    let name = ServerName::DnsName(expected.clone());
    match EndEntityCert::try_from(leaf).map(|leaf| leaf.verify_is_valid_for_subject_name(&name)) {
        Ok(Ok(())) => ClientCertificate::Verified,
        _ => ClientCertificate::OtherName,
    }
}

/// For the listener of a gateway on this machine, asked by its address: its certificate is for other names, and is not looked at.
pub(crate) fn of_this_machine() -> ClientConfig {
    let config = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
    let mut config = config.with_no_client_auth();
    config.dangerous().set_certificate_verifier(Arc::new(Whoever(provider())));
    config
}

/// Takes any certificate whose key its bearer has.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}
