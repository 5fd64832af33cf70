use url::{Host, Url};

/// A path that is a provider's: `/helpdesk`, one or more plain segments.
pub(crate) fn path_prefix(text: &str) -> Result<String, String> {
    let plain = |segment: &str| {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        !segment.is_empty() && segment.bytes().all(unreserved) && !matches!(segment, "." | "..")
    };
    let segments = text.strip_prefix('/').unwrap_or_default();
    if !segments.split('/').all(plain) {
        return Err("is no plain path; write it as in \"/helpdesk\", without a slash at the end".to_owned());
    }
    let first = segments.split('/').next().unwrap_or_default();
    if let Some(reserved) = RESERVED.iter().find(|reserved| **reserved == first) {
        return Err(format!("begins with /{reserved}, which is the gateway's own; choose another"));
    }
    Ok(text.to_owned())
}

/// A host name that is a provider's.
pub(super) fn host(text: &str, public_url: Option<&Url>) -> Result<String, &'static str> {
    let canonical = matches!(Host::parse(text), Ok(Host::Domain(name)) if name == text);
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        !label.is_empty() && plain
    };
    if !canonical || !text.split('.').all(label) {
        return Err("is no host name; write it in lower case and without port, as in \"helpdesk.gateway.example.com\"");
    }
    if public_url.and_then(Url::host_str) == Some(text) {
        return Err("is the host of gateway.public_url; choose one that is this provider's alone");
    }
    Ok(text.to_owned())
}

/// The first segments of what the gateway serves itself, or will.
const RESERVED: &[&str] = &[
    "ath",
    ".well-known",
    "health",
    "healthz",
    "readyz",
    "oauth",
    "mcp",
    "assets",
    "openapi.json",
    "errors",
    "accounts",
];
