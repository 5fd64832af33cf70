//! The gateway as an authorization server for ordinary OAuth clients (OAuth 2.1, RFC 6749 and its family): clients, requests, codes,
//! refresh tokens, device codes. Consents, grants and access tokens are the same as every agent's.

mod approval;
mod assertion;
mod clients;
mod code;
mod device;
mod documents;
mod elsewhere;
mod error;
mod exchange;
mod inspect;
mod issue;
mod keys;
mod machine;
mod metadata;
mod mine;
mod prove;
mod records;
mod redirects;
mod refresh;
mod registration;
mod request;
mod scopes;
mod settings;
mod signer;
mod wire;

pub(crate) use documents::ClientDocumentCache;
pub use documents::{ClientDocumentError, check_client_document};
pub(crate) use elsewhere::Elsewhere;
pub use elsewhere::{More, Reach, ServiceState};
pub use error::{FrontError, GrantProblem};
pub(crate) use keys::KeySets;
pub use mine::{Connecting, Ended, OwnConnection, OwnConnections, Reaching, Service, ServiceScope, Services};
pub(crate) use records::{Family, FrontSession, FrontToken, IssuerKeys, OAuthClient, UserCode};
pub(crate) use redirects::is_registered;
pub use redirects::{RedirectProblem, SchemeProblem, check_redirect_scheme, check_redirect_uri};
pub use request::{Asked, AuthorizationRequest, Choosable, Unasked};
pub use settings::{
    ClientDocuments, ConfiguredClient, ConfiguredProof, Door, Enterprise, EnterpriseKeys, FrontSettings, GrantType,
    IdentityAssertions, SelfRegistration,
};
pub use wire::{
    ClientCredential, DeviceAuthorization, Introspection, IssuedTokens, Presented, ProvenClient, Subject, TokenGrant,
    UserInfo,
};
