//! Consents, connections, grants, ATH tokens and refresh.
//!
//! **Invariant:** the only place where an upstream token is opened. What leaves is a [`Lent`], which does not print.
//!
//! **Invariant:** what must not be lost when a caller hangs up (an exchange, a refresh) runs in a task of its own.

mod agents;
mod approve;
mod attest;
mod authorize;
mod backup;
mod bases;
mod binding;
mod broker;
mod callback;
mod caller;
mod clearance;
mod complete;
mod condition;
mod connections;
mod consent;
mod device;
mod documents;
mod each;
mod error;
mod fetches;
mod front;
mod generations;
mod handed_out;
mod keep_alive;
mod keys;
mod lend;
mod limits;
mod near;
mod paste;
mod people;
mod provider;
mod providers;
mod reconnect;
mod records;
mod refresh;
mod register;
mod resources;
mod revocations;
mod scope_names;
mod set_out;
mod sign_in;
mod standing;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod token_request;
mod urls;
mod vault;
mod way;

pub use agents::{AgentView, Selection};
pub use backup::BackupView;
pub use bases::{Bases, Template, TemplateError};
pub use broker::{Broker, Codes, Development, Lifetimes, Parts, Settings};
pub use callback::ProviderAnswer;
pub use caller::{Caller, Lent};
pub use clearance::{ClearanceView, LivesOn, Told};
pub use condition::Condition;
pub use connections::{AccountsPage, ConnectionName, ConnectionView, GrantView, NameError, Switch};
pub use consent::{
    AccountPage, AccountView, Allowed, Choice, Confirmed, ConsentView, Destination, DonePage, Ending, Follows, Joins,
    Next,
};
pub use device::{AtDevice, DevicePage};
pub use documents::{AgentIdentity, DocumentFetcher};
pub use error::{BrokerError, DocumentError, Unapproved};
pub use fetches::{FetchError, Fetched, StrangerFetcher};
pub use front::{
    Asked, AuthorizationRequest, Choosable, ClientCredential, ClientDocumentError, ClientDocuments, ConfiguredClient,
    ConfiguredProof, Connecting, DeviceAuthorization, Door, Ended, Enterprise, EnterpriseKeys, FrontError,
    FrontSettings, GrantProblem, GrantType, IdentityAssertions, Introspection, IssuedTokens, More, OwnConnection,
    OwnConnections, Presented, ProvenClient, Reach, Reaching, RedirectProblem, SchemeProblem, SelfRegistration,
    Service, ServiceScope, ServiceState, Services, Subject, TokenGrant, Unasked, UserInfo, check_client_document,
    check_redirect_scheme, check_redirect_uri,
};
pub use keep_alive::RefreshTokenLife;
pub use keys::{
    GatewayView, KeyOwner, KeySource, KeySourceError, KeyView, KeysError, KeysView, RotationView, forget_key,
    keys_needed,
};
pub use limits::Limits;
pub use near::{Near, Seen};
pub use oauth::{Carrier, Credential};
pub use paste::{KeyPage, KeyProblem, Names, Pasted, Pasting};
pub use policy::Vouching;
pub use provider::{Api, NamesItself, Provider, ReturnPath, TokenRotation};
pub use reconnect::{AskedBy, LIFE as RECONNECT_LINK_LIFE, ReconnectError, ReconnectPage};
pub use refresh::{Alarm, JournalHealth, JournalParts, ProviderHealth, Step, Steps, Unwatched};
pub use register::{ClientProof, RegistrationView};
pub use scope_names::{ScopeName, ScopeNames};
pub use sign_in::{
    Account, Accounts, Arrival, Arrived, ClientCertificate, Departure, GivenEndpoints, OpenidAnswer, OpenidClient,
    OpenidEndpoints, OpenidSettings, ProxyProblem, ProxyProof, SharedSecret, SignInError, SignInMethod, SignedIn,
    TrustedHeader, Vouched,
};
pub use store::{CopyError, Durability};
pub use urls::{Outcome, Urls};
pub use way::{
    Grant, KeyForm, KeyPlace, OperatorsKey, People, PersonsKey, StaticKey, SubjectToken, TokenExchange, Way,
};
