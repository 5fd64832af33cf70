//! The gateway as an authorization server for ordinary OAuth clients (OAuth 2.1, RFC 6749 and its family): clients, requests, codes,
//! refresh tokens, device codes. Consents, grants and access tokens are the same as every agent's.

mod documents;
mod error;
mod metadata;
mod redirects;
mod settings;
mod wire;

pub use documents::{ClientDocumentError, check_client_document};
pub use error::{FrontError, GrantProblem};
pub use redirects::{RedirectProblem, SchemeProblem, check_redirect_scheme, check_redirect_uri};
pub use settings::{
    ClientDocuments, ConfiguredClient, ConfiguredProof, Door, Enterprise, EnterpriseKeys, FrontSettings, GrantType,
    IdentityAssertions, SelfRegistration,
};
pub use wire::{
    ClientCredential, DeviceAuthorization, Introspection, IssuedTokens, Presented, ProvenClient, TokenGrant, UserInfo,
};
