use oauth::{Endpoint, EndpointError, Plaintext};
use protocol::Loopback;
use url::{Host, Url};

/// Where `http` is accepted; elsewhere only `https` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    Nowhere,
    OnLoopback,
    Everywhere,
}

/// Whether the URL's host is this machine itself, by literal address or as `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The gateway's own URL: scheme, host and port; a trailing slash is forgiven.
pub(super) fn public(text: &str, loopback: Loopback) -> Result<Url, String> {
    let url = Endpoint::parse(text, Plaintext::Allowed).map_err(form)?.url().clone();
    if url.path() != "/" || url.query().is_some() {
        return Err("has a path or a query; write scheme, host and port alone".to_owned());
    }
    match (url.scheme(), is_loopback(&url), loopback) {
        ("http", false, _) => Err("is http on a host that is not loopback; use https".to_owned()),
        ("http", true, Loopback::Refused) => {
            Err("is http; use https, or set development.loopback_http = true for this machine alone".to_owned())
        }
        _ => Ok(url),
    }
}

/// A URL of a provider's.
pub(super) fn endpoint(text: &str, http: PlainHttp) -> Result<Endpoint, String> {
    let endpoint = Endpoint::parse(text, Plaintext::Allowed).map_err(form)?;
    match (endpoint.url().scheme(), http, is_loopback(endpoint.url())) {
        ("http", PlainHttp::Nowhere | PlainHttp::OnLoopback, false) => Err(
            "is http, by which secrets travel unprotected; use https, or set allow_plaintext = true for this provider"
                .to_owned(),
        ),
        ("http", PlainHttp::Nowhere, true) => {
            Err("is http; use https, or set development.loopback_http = true".to_owned())
        }
        _ => Ok(endpoint),
    }
}

/// A URL where secrets travel and that no setting but the development one lets be `http`.
pub(super) fn guarded(text: &str, loopback: Loopback) -> Result<Endpoint, String> {
    let endpoint = Endpoint::parse(text, Plaintext::Allowed).map_err(form)?;
    match (endpoint.url().scheme(), endpoint.is_loopback(), loopback) {
        ("http", false, _) => Err("is http, by which secrets travel unprotected; use https".to_owned()),
        ("http", true, Loopback::Refused) => {
            Err("is http; use https, or set development.loopback_http = true".to_owned())
        }
        _ => Ok(endpoint),
    }
}

/// The base of an API, to which request paths are appended: without query, and without slash at the end.
pub(super) fn api_base(text: &str, http: PlainHttp) -> Result<Url, String> {
    let mut url = endpoint(text, http)?.url().clone();
    if url.query().is_some() {
        return Err("has a query; write the part before the ? alone".to_owned());
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn form(error: EndpointError) -> String {
    let remedy = match error {
        EndpointError::Form => "write it as in \"https://api.example.com\"",
        EndpointError::Scheme => "use https",
        EndpointError::Credentials => "remove them",
        EndpointError::Fragment => "remove what begins with #",
    };
    format!("{error}; {remedy}")
}
