//! What passes between the endpoints and the broker.

use std::time::Duration;

use protocol::UserId;
use secret::Opaque;

use super::code::PresentedCode;
use super::{FrontError, FrontSettings, GrantType};
use crate::Broker;
use crate::records::Agent;

/// Who a client says it is, and how it proves it.
#[derive(Debug, Clone, Copy)]
pub struct Presented<'a> {
    /// As it writes it: a text of the configuration's, one that was drawn at its registration, or an https URL.
    pub client_id: &'a str,
    /// The proof.
    pub credential: ClientCredential<'a>,
}

/// How a client proves who it is (RFC 6749 §2.3, RFC 7523 §2.2).
#[derive(Clone, Copy)]
pub enum ClientCredential<'a> {
    /// It does not: a public client.
    None,
    /// `client_secret_basic`.
    Basic(&'a str),
    /// `client_secret_post`.
    Post(&'a str),
    /// `private_key_jwt`.
    Assertion(&'a str),
}

impl std::fmt::Debug for ClientCredential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(_) => "Basic([redacted])",
            Self::Post(_) => "Post([redacted])",
            Self::Assertion(_) => "Assertion([redacted])",
        })
    }
}

/// A client that has proven who it is, as far as it has anything to prove it with.
pub struct ProvenClient {
    /// As it writes itself.
    pub(crate) name: String,
    pub(crate) agent: Agent,
}

impl std::fmt::Debug for ProvenClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProvenClient({})", self.agent.client_id)
    }
}

/// What is presented at the token endpoint. Texts are as they came, already bounded.
#[derive(Clone)]
pub enum TokenGrant<'a> {
    /// RFC 6749 §4.1.3, RFC 7636 §4.5.
    Code {
        /// The code.
        code: &'a str,
        /// The same as in the authorization request, where it is sent.
        redirect_uri: Option<&'a str>,
        /// What the challenge was made from.
        verifier: &'a str,
        /// RFC 8707: any number.
        resources: &'a [String],
    },
    /// RFC 6749 §6.
    Refresh {
        /// The refresh token.
        token: &'a str,
        /// At most what was granted.
        scope: Option<&'a str>,
        /// RFC 8707: any number.
        resources: &'a [String],
    },
    /// RFC 8628 §3.4.
    Device {
        /// The device code.
        code: &'a str,
    },
    /// RFC 6749 §4.4.
    ClientCredentials {
        /// What for.
        scope: Option<&'a str>,
        /// RFC 8707: any number.
        resources: &'a [String],
    },
    /// RFC 8693.
    Exchange {
        /// What is exchanged.
        subject: Subject<'a>,
        /// What for.
        scope: Option<&'a str>,
        /// RFC 8707: any number.
        resources: &'a [String],
    },
    /// RFC 7523 §2.1, with an identity assertion (ID-JAG).
    JwtBearer {
        /// The assertion.
        assertion: &'a str,
        /// What for.
        scope: Option<&'a str>,
        /// RFC 8707: any number.
        resources: &'a [String],
    },
}

/// What is exchanged for an access token (RFC 8693 §2.1).
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// An ID token of the person's.
    IdToken(&'a str),
    /// The client's own access token for every service, for one that is good at a single one.
    AccessToken(&'a str),
}

/// Its kind, and nothing of what is presented.
impl std::fmt::Debug for TokenGrant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Code { .. } => "Code([redacted])",
            Self::Refresh { .. } => "Refresh([redacted])",
            Self::Device { .. } => "Device([redacted])",
            Self::ClientCredentials { .. } => "ClientCredentials",
            Self::Exchange { .. } => "Exchange([redacted])",
            Self::JwtBearer { .. } => "JwtBearer([redacted])",
        })
    }
}

/// What the token endpoint answers with (RFC 6749 §5.1).
#[derive(Debug)]
pub struct IssuedTokens {
    /// `token_type` is `Bearer`.
    pub access_token: Opaque,
    /// For how long.
    pub expires_in: Duration,
    /// For the next one.
    pub refresh_token: Option<Opaque>,
    /// Where `openid` was granted.
    pub id_token: Option<Opaque>,
    /// What it may do, in the client's words.
    pub scope: String,
    /// What kind of token it is where that has to be said (RFC 8693 §2.2.1).
    pub issued_token_type: Option<&'static str>,
}

/// What a device shows its person (RFC 8628 §3.2).
#[derive(Debug)]
pub struct DeviceAuthorization {
    /// For the token endpoint.
    pub device_code: Opaque,
    /// For the person: `XXXX-XXXX`.
    pub user_code: String,
    /// Where they type it in.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: String,
    /// How long it is good.
    pub expires_in: Duration,
    /// How often the device may ask.
    pub interval: Duration,
}

/// What introspection tells (RFC 7662 §2.2).
#[derive(Debug)]
pub enum Introspection {
    /// Unknown, over, or somebody else's.
    Inactive,
    /// Good right now.
    Active {
        /// What it may do.
        scope: String,
        /// Whose it is, as the client writes itself.
        client_id: String,
        /// The person.
        sub: UserId,
        /// What it is for.
        aud: String,
        /// Unix seconds.
        exp: u64,
        /// Unix seconds.
        iat: u64,
        /// `access_token` or `refresh_token`.
        kind: &'static str,
    },
}

/// What userinfo tells (OpenID Connect Core §5.3).
#[derive(Debug)]
pub struct UserInfo {
    /// The person.
    pub sub: UserId,
}

impl Broker {
    /// How ordinary OAuth clients are served.
    #[must_use]
    pub fn front(&self) -> &FrontSettings {
        &self.front
    }

    /// The token endpoint (RFC 6749 §3.2). What was begun is finished, even where the client hangs up.
    pub async fn issue_tokens(&self, client: &ProvenClient, grant: TokenGrant<'_>) -> Result<IssuedTokens, FrontError> {
        match grant {
            TokenGrant::Code { code, redirect_uri, verifier, resources } => {
                client.insist_on(GrantType::AuthorizationCode)?;
                let presented = PresentedCode { code, redirect_uri, verifier, resources };
                Box::pin(self.exchange_front_code(client, &presented)).await
            }
            TokenGrant::Refresh { token, scope, resources } => {
                client.insist_on(GrantType::RefreshToken)?;
                Box::pin(self.refresh_front(client, (token, scope, resources))).await
            }
            TokenGrant::Device { code } => {
                client.insist_on(GrantType::DeviceCode)?;
                Box::pin(self.poll_device(client, code)).await
            }
            TokenGrant::ClientCredentials { scope, resources } => {
                Box::pin(self.machine_token(client, scope, resources)).await
            }
            TokenGrant::Exchange { subject: Subject::IdToken(token), scope, resources } => {
                Box::pin(self.exchange_id_token(client, (token, scope, resources))).await
            }
            TokenGrant::Exchange { subject: Subject::AccessToken(token), scope, resources } => {
                Box::pin(self.exchange_access_token(client, (token, scope, resources))).await
            }
            TokenGrant::JwtBearer { assertion, scope, resources } => {
                Box::pin(self.exchange_identity_assertion(client, (assertion, scope, resources))).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_presented_is_not_printed() {
        let grants = [
            TokenGrant::Code { code: "canary", redirect_uri: None, verifier: "canary", resources: &[] },
            TokenGrant::Refresh { token: "canary", scope: None, resources: &[] },
            TokenGrant::Device { code: "canary" },
            TokenGrant::Exchange { subject: Subject::IdToken("canary"), scope: None, resources: &[] },
            TokenGrant::JwtBearer { assertion: "canary", scope: None, resources: &[] },
        ];
        let credentials = [ClientCredential::Basic("canary"), ClientCredential::Post("canary")];
        let printed = format!("{grants:?} {credentials:?} {:?}", ClientCredential::Assertion("canary"));
        assert_eq!(printed.matches("[redacted]").count(), 8);
        assert!(!printed.contains("canary"));
    }
}
