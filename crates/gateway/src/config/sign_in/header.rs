use broker::{ProxyProof, SharedSecret, TrustedHeader};
use http::HeaderName;
use rustls_pki_types::DnsName;

use crate::config::key::{Form, Key};
use crate::config::reader::{Place, Table};
use crate::config::secrets;

/// A proxy that names the user.
#[derive(Debug)]
pub(crate) struct HeaderConfig {
    /// Where it names them, and what it proves itself by.
    pub(crate) header: TrustedHeader,
    /// The name that its certificate must be for, if any.
    pub(crate) certificate_name: Option<DnsName<'static>>,
}

pub(super) fn read(table: &Table<'_>, client_authority: Option<&Place<'_>>) -> Option<HeaderConfig> {
    let name = table.parsed(&HEADER, user_header);
    let secret_header = table.parsed(&PROXY_SECRET_HEADER, secret_header);
    let certificate_name = table.parsed(&PROXY_CERTIFICATE_NAME, |text| {
        DnsName::try_from(text.to_owned()).map_err(|_| "is no DNS name; write one such as \"proxy.internal\"")
    });
    let by_certificate = table.boolean(&PROXY_CERTIFICATE);
    let certificate_place = table.written(&PROXY_CERTIFICATE);
    let secret = secrets::one(table, &PROXY_SECRET);
    let secret = secret.zip(secret_header).and_then(|(kept, header)| shared_secret(&kept, header.value));
    match certificate_place.filter(|_| by_certificate) {
        Some(place) if client_authority.is_none() => {
            place.problem("needs an authority; add `client_ca_file = \"...\"` to [gateway.tls]");
        }
        Some(_) => {}
        None => {
            if let Some(place) = table.written(&PROXY_CERTIFICATE_NAME) {
                place.problem(
                    "is about a certificate that is not asked for; add `proxy_certificate = true`, or remove it",
                );
            }
        }
    }
    if table.written(&PROXY_SECRET).is_none() {
        if let Some(place) = table.written(&PROXY_SECRET_HEADER) {
            place.problem("is about a secret that is not asked for; add proxy_secret, or remove it");
        }
        if !by_certificate {
            let message = "would believe everybody; add `proxy_secret = { file = \"/run/secrets/proxy\" }`, or `proxy_certificate = true`";
            return table.place().refused(message);
        }
    }
    let proof = match (table.written(&PROXY_SECRET).is_some(), by_certificate) {
        (true, true) => ProxyProof::SecretAndCertificate(secret?),
        (true, false) => ProxyProof::Secret(secret?),
        (false, _) => ProxyProof::Certificate,
    };
    let header = TrustedHeader { name: name?.value, proof };
    Some(HeaderConfig { header, certificate_name: certificate_name.map(|found| found.value) })
}

/// Whether the table says that certificates are looked at, be it the right one or not.
pub(super) fn wants_certificate(table: &Table<'_>) -> bool {
    table.written(&PROXY_CERTIFICATE).is_some()
}

fn shared_secret(kept: &secrets::Kept<'_>, header: HeaderName) -> Option<SharedSecret> {
    let visible = kept.value.bytes().all(|byte| byte.is_ascii_graphic());
    match SharedSecret::new(header, &kept.value).filter(|_| visible) {
        Some(secret) => Some(secret),
        None => kept.place.refused("is not 32 bytes or more of visible ASCII; `openssl rand -base64 32` prints some"),
    }
}

fn user_header(text: &str) -> Result<HeaderName, &'static str> {
    let name = header_name(text)?;
    if OTHERS.contains(&name.as_str()) || name.as_str().starts_with(OWN) {
        return Err("has another meaning; choose one that the proxy alone sets, such as \"X-Forwarded-User\"");
    }
    Ok(name)
}

/// Headers that begin so are never forwarded to an upstream.
fn secret_header(text: &str) -> Result<HeaderName, &'static str> {
    let name = header_name(text)?;
    if name.as_str().starts_with(OWN) {
        Ok(name)
    } else {
        Err("must begin with X-ATH-, since such headers are never forwarded")
    }
}

fn header_name(text: &str) -> Result<HeaderName, &'static str> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| "is no name of a header")
}

pub(super) const KEYS: &[Key] = &[HEADER, PROXY_SECRET, PROXY_SECRET_HEADER, PROXY_CERTIFICATE, PROXY_CERTIFICATE_NAME];

pub(super) const HEADER: Key = Key::required(
    "header",
    Form::Text,
    "header = \"X-Forwarded-User\"",
    "The header in which the proxy names the user, instead of whatever a client sent under that name.",
);
pub(super) const PROXY_SECRET: Key = Key::optional(
    "proxy_secret",
    Form::Secret,
    "Where the secret is kept by which the proxy proves itself, of 32 bytes or more; this or proxy_certificate is needed, and where both are \
     set, both must hold.",
);
pub(super) const PROXY_SECRET_HEADER: Key = Key::default(
    "proxy_secret_header",
    Form::Text,
    "X-ATH-Proxy-Secret",
    "The header in which the proxy sends that secret; X-ATH-Proxy-Secret by default, and always one that begins with X-ATH-.",
);
pub(super) const PROXY_CERTIFICATE: Key = Key::optional(
    "proxy_certificate",
    Form::Boolean,
    "Whether the proxy proves itself by a client certificate of the authority in gateway.tls.client_ca_file; false by default.",
);
pub(super) const PROXY_CERTIFICATE_NAME: Key = Key::optional(
    "proxy_certificate_name",
    Form::Text,
    "The DNS name that this certificate must be for; any by default, for an authority that certifies the proxy alone.",
);

/// How the gateway's own headers begin.
const OWN: &str = "x-ath-";
/// What every client sends, or what proxies say of it besides who the user is.
const OTHERS: &[&str] = &[
    "accept",
    "authorization",
    "cookie",
    "content-type",
    "forwarded",
    "host",
    "origin",
    "referer",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
];
