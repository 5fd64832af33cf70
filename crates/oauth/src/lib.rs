//! The gateway's OAuth client towards providers: authorization URL, callback, code exchange, refresh, identity, revocation.
//!
//! ```text
//! pkce::verifier -> Provider::authorization_url -> (browser) -> Callback::parse -> Provider::exchange -> Provider::identify
//!                                                                                  Provider::refresh  -> Provider::revoke
//! ```
//!
//! **Invariant:** no I/O. Requests leave through the [`HttpClient`] of the [`Outside`] that is handed in, with the time and randomness.
//!
//! **Invariant:** nothing of an answer's body is carried by an error: only a code of RFC 6749 §5.2, or a fixed word of this crate's;
//! and the host that a public metadata document names.
//!
//! **Invariant:** one call is one request. Nothing is sent twice here: an authorization code is good for one attempt, and whether a
//! refresh may be tried again is for those to decide who know what the store says. The exceptions are a client with two secrets whose
//! first is answered with `invalid_client`, and a proof whose nonce is answered with `use_dpop_nonce`: nothing of such a request was looked
//! at. Where endpoints come from the provider's metadata, that is
//! fetched before, once a day; see [`Provider::prepare`].

mod answer;
mod assertion;
mod authorize;
mod callback;
mod device;
mod discovery;
mod dpop;
mod endpoint;
mod error;
mod grants;
mod habits;
mod host_pattern;
mod http_client;
mod id_token;
mod identity;
mod key_check;
mod known;
mod outside;
pub mod pkce;
mod placement;
mod pointer;
mod protected_resource;
mod provider;
mod reserved;
mod settings;
#[cfg(test)]
mod testing;
mod token_request;
mod token_response;
mod userinfo;

pub use assertion::ClientKey;
pub use authorize::AuthorizationRequest;
pub use callback::{Callback, CallbackError, CallbackFormError, IssuerError};
pub use device::{DeviceAnswer, DeviceAuthorization};
pub use discovery::{AuthChoice, Discovery, Metadata, NamesItself, discover};
pub use dpop::{DpopKey, Prover, TokenBinding, wants_nonce};
pub use endpoint::{Endpoint, EndpointError, Plaintext};
pub use error::{ErrorCode, OAuthError};
pub use grants::{ExchangeWish, Subject};
pub use habits::{AnswerForm, ErrorRule, Meaning, RevokeAuth, RevokeForm, RevokeMethod, RevokedToken, Success};
pub use host_pattern::{HostPattern, HostPatternError};
pub use http_client::{HttpClient, TransportError, TransportErrorKind};
pub use id_token::expiry_of;
pub use identity::Identity;
pub use jwt::{SigningKey, SigningKeyError};
pub use key_check::KeyCheck;
pub use outside::Outside;
pub use placement::{Carrier, Credential, Pair, Placement, PlacementError};
pub use pointer::{Pointer, PointerError};
pub use protected_resource::ProtectedResource;
pub use provider::{Provider, Revocable, Secrets};
pub use reserved::{is_credential, is_reserved};
pub use settings::{ClientAuth, Pkce, RefreshWith, ScopeAnswer, Settings, TokenRequest};
pub use token_response::TokenSet;
pub use userinfo::Userinfo;
