//! What a client says of itself (RFC 7591 §2), at its registration or in its metadata document.

use serde_json::{Map, Value};
use url::Url;

use super::{FrontError, GrantType, check_redirect_uri};
use crate::text;

/// A client's metadata, checked. What nothing here needs is passed over: names of software, contacts, logos, policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientMetadata {
    /// Fit to be shown.
    pub(crate) name: Option<String>,
    /// Each in its one spelling, and once.
    pub(crate) redirect_uris: Vec<String>,
    /// What it wants to present at the token endpoint; what is not known here is left out.
    pub(crate) grants: Vec<GrantType>,
    pub(crate) proof: MetadataProof,
    /// Scopes in visible ASCII, as they were written.
    pub(crate) scope: Option<String>,
    /// http or https.
    pub(crate) client_uri: Option<String>,
}

/// How a client wants to prove who it is: `token_endpoint_auth_method`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MetadataProof {
    /// `none`.
    None,
    /// `client_secret_basic`, which is also meant where nothing is said.
    Basic,
    /// `client_secret_post`.
    Post,
    /// `private_key_jwt`, with these keys: a JWK set that can be read.
    Keys(Value),
    /// The same, with the keys at this URL: https, or http on loopback.
    KeysAt(Url),
}

/// What is not acceptable in a client's metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetadataProblem {
    /// A redirect URI's form.
    Redirect,
    /// This field.
    Field(&'static str),
}

impl From<MetadataProblem> for FrontError {
    fn from(problem: MetadataProblem) -> Self {
        match problem {
            MetadataProblem::Redirect => Self::MetadataRedirect,
            MetadataProblem::Field(field) => Self::Metadata(field),
        }
    }
}

impl ClientMetadata {
    /// Reads metadata. `schemes` are those that redirect URIs may have besides https, and http on loopback.
    pub(crate) fn parse(metadata: &Map<String, Value>, schemes: &[String]) -> Result<Self, FrontError> {
        Ok(Self::read(metadata, schemes)?)
    }

    pub(crate) fn read(metadata: &Map<String, Value>, schemes: &[String]) -> Result<Self, MetadataProblem> {
        let grants = grants(metadata)?;
        let redirect_uris = redirect_uris(metadata, schemes)?;
        if redirect_uris.is_empty() && grants.contains(&GrantType::AuthorizationCode) {
            return Err(MetadataProblem::Redirect);
        }
        check_response_types(metadata, &grants)?;
        let name = string(metadata, "client_name")?.and_then(|name| text::named(name, LONGEST_NAME));
        let proof = proof(metadata)?;
        Ok(Self { name, redirect_uris, grants, proof, scope: scope(metadata)?, client_uri: client_uri(metadata)? })
    }
}

fn redirect_uris(metadata: &Map<String, Value>, schemes: &[String]) -> Result<Vec<String>, MetadataProblem> {
    let listed = strings(metadata, "redirect_uris").map_err(|_| MetadataProblem::Redirect)?.unwrap_or_default();
    if listed.len() > MOST_REDIRECTS {
        return Err(MetadataProblem::Redirect);
    }
    let mut uris: Vec<String> = Vec::with_capacity(listed.len());
    for uri in listed {
        check_redirect_uri(uri, schemes).map_err(|_| MetadataProblem::Redirect)?;
        if !uris.iter().any(|known| known == uri) {
            uris.push(uri.to_owned());
        }
    }
    Ok(uris)
}

/// Code and refresh where nothing is said: RFC 7591 has the code alone, and clients that say nothing come with refresh tokens in mind.
fn grants(metadata: &Map<String, Value>) -> Result<Vec<GrantType>, MetadataProblem> {
    let Some(listed) = strings(metadata, "grant_types")? else {
        return Ok(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]);
    };
    let grants: Vec<GrantType> = GrantType::ALL.into_iter().filter(|grant| listed.contains(&grant.as_str())).collect();
    // One that can begin nothing is of no use.
    if grants.iter().all(|grant| *grant == GrantType::RefreshToken) {
        return Err(MetadataProblem::Field("grant_types"));
    }
    Ok(grants)
}

fn check_response_types(metadata: &Map<String, Value>, grants: &[GrantType]) -> Result<(), MetadataProblem> {
    match strings(metadata, "response_types")? {
        Some(types) if grants.contains(&GrantType::AuthorizationCode) && !types.contains(&"code") => {
            Err(MetadataProblem::Field("response_types"))
        }
        _ => Ok(()),
    }
}

fn proof(metadata: &Map<String, Value>) -> Result<MetadataProof, MetadataProblem> {
    match string(metadata, "token_endpoint_auth_method")?.unwrap_or("client_secret_basic") {
        "none" => Ok(MetadataProof::None),
        "client_secret_basic" => Ok(MetadataProof::Basic),
        "client_secret_post" => Ok(MetadataProof::Post),
        "private_key_jwt" => keys(metadata),
        _ => Err(MetadataProblem::Field("token_endpoint_auth_method")),
    }
}

fn keys(metadata: &Map<String, Value>) -> Result<MetadataProof, MetadataProblem> {
    match (metadata.get("jwks"), string(metadata, "jwks_uri")?) {
        (Some(set), None) => {
            let usable = set.to_string().len() <= LONGEST_KEYS && jwt::KeySet::parse(set).is_ok();
            if usable { Ok(MetadataProof::Keys(set.clone())) } else { Err(MetadataProblem::Field("jwks")) }
        }
        (None, Some(uri)) => keys_uri(uri).map(MetadataProof::KeysAt),
        // Both at once could be two different answers (RFC 7591 §2); and none is none.
        _ => Err(MetadataProblem::Field("jwks_uri")),
    }
}

/// Loopback is for the fetcher to refuse, which knows whether this is a development.
fn keys_uri(text: &str) -> Result<Url, MetadataProblem> {
    const WRONG: MetadataProblem = MetadataProblem::Field("jwks_uri");
    let url = Url::parse(text).map_err(|_| WRONG)?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let loopback = url.scheme() == "http" && check_redirect_uri(text, &[]).is_ok();
    if !plain || text.len() > LONGEST_URL || url.as_str() != text || !(url.scheme() == "https" || loopback) {
        return Err(WRONG);
    }
    Ok(url)
}

fn scope(metadata: &Map<String, Value>) -> Result<Option<String>, MetadataProblem> {
    let inner = |byte: u8| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    match string(metadata, "scope")?.filter(|scope| !scope.trim().is_empty()) {
        Some(scope) if scope.len() > LONGEST_SCOPE || !scope.bytes().all(inner) => Err(MetadataProblem::Field("scope")),
        scope => Ok(scope.map(str::to_owned)),
    }
}

fn client_uri(metadata: &Map<String, Value>) -> Result<Option<String>, MetadataProblem> {
    let Some(text) = string(metadata, "client_uri")?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && text.len() <= LONGEST_URL);
    url.map(|url| Some(url.to_string())).ok_or(MetadataProblem::Field("client_uri"))
}

/// `null` says as little as nothing: some clients write it for what they do not have.
fn string<'a>(metadata: &'a Map<String, Value>, field: &'static str) -> Result<Option<&'a str>, MetadataProblem> {
    match metadata.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(MetadataProblem::Field(field)),
    }
}

fn strings<'a>(metadata: &'a Map<String, Value>, field: &'static str) -> Result<Option<Vec<&'a str>>, MetadataProblem> {
    match metadata.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.map(Some).ok_or(MetadataProblem::Field(field))
        }
        Some(_) => Err(MetadataProblem::Field(field)),
    }
}

const MOST_REDIRECTS: usize = 16;
/// In characters.
const LONGEST_NAME: usize = 80;
/// In bytes.
const LONGEST_URL: usize = 2048;
const LONGEST_SCOPE: usize = 2048;
const LONGEST_KEYS: usize = 16 * 1024;

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
