use std::sync::Arc;
use std::time::Duration;

use oauth::{Callback, CallbackError, ClientAuth, Endpoint, HttpClient, IssuerError, Metadata, NamesItself, Plaintext};
use protocol::{SessionId, Timestamp};
use secret::{ClientSecret, CodeVerifier, Opaque, SecretHash};
use tokio::sync::Mutex;

use super::{SignInError, SignInMethod};
use crate::records::SignedInBy;
use crate::{Broker, BrokerError};

/// The gateway's client at an OpenID provider.
#[derive(Debug)]
pub struct OpenidSettings {
    /// The issuer identifier, compared as it is written.
    pub issuer: Endpoint,
    /// As the provider gave it out.
    pub client_id: String,
    /// The same.
    pub client_secret: ClientSecret,
    /// What is asked for; `openid` among it.
    pub scopes: Vec<String>,
    /// What people call the provider: it stands on the button.
    pub display_name: String,
    /// Where the provider is spoken to.
    pub endpoints: OpenidEndpoints,
}

/// Where an OpenID provider is spoken to.
#[derive(Debug)]
pub enum OpenidEndpoints {
    /// Where its metadata says; under [`Plaintext::Allowed`] that may be `http` on loopback.
    Discovered(Plaintext),
    /// Here.
    Given(Box<GivenEndpoints>),
}

/// Endpoints that the configuration names.
#[derive(Debug)]
pub struct GivenEndpoints {
    /// Where the browser is sent.
    pub authorize: Endpoint,
    /// Where codes are exchanged.
    pub token: Endpoint,
}

impl OpenidSettings {
    pub(super) fn is(&self, issuer: &str, client_id: &str) -> bool {
        self.issuer.written() == issuer && self.client_id == client_id
    }
}

/// The OpenID provider in front, whose metadata is fetched when somebody first signs in.
pub struct OpenidClient {
    settings: OpenidSettings,
    http: Arc<dyn HttpClient>,
    known: Mutex<Known>,
}

/// What the provider said about itself.
struct Known {
    metadata: Option<Spoken>,
    /// Until then it is not asked again.
    until: Timestamp,
}

/// As much of the metadata as signing in needs.
#[derive(Clone)]
struct Spoken {
    authorize_endpoint: Endpoint,
    token_endpoint: Endpoint,
    client_auth: ClientAuth,
    names_itself: NamesItself,
}

impl Spoken {
    fn of(metadata: Metadata) -> Result<Self, oauth::OAuthError> {
        let missing = oauth::OAuthError::Nonsense("discovery");
        let (Some(authorize_endpoint), Some(token_endpoint)) = (metadata.authorize_endpoint, metadata.token_endpoint)
        else {
            return Err(missing);
        };
        let (client_auth, names_itself) = (metadata.client_auth, metadata.names_itself);
        Ok(Self { authorize_endpoint, token_endpoint, client_auth, names_itself })
    }
}

/// The way to the OpenID provider.
#[derive(Debug)]
pub struct Departure {
    /// For a cookie of this browser: state, nonce and verifier follow from it.
    pub secret: Opaque,
    /// Where the browser goes.
    pub url: String,
}

/// Back from the OpenID provider.
#[derive(Debug)]
pub struct Arrived {
    /// The new browser cookie.
    pub cookie: Opaque,
    /// The consent that the person was on the way to.
    pub session: Option<SessionId>,
}

/// The OpenID provider's answer, as the browser brought it to the callback.
#[derive(Debug)]
pub struct OpenidAnswer {
    session: Option<SessionId>,
    callback: Callback,
}

impl OpenidAnswer {
    /// Reads the query of the redirect: each parameter at most once, the state one that this gateway could have made.
    pub fn parse(query: &str) -> Result<Self, BrokerError> {
        let callback = Callback::parse(query).map_err(|_| BrokerError::StateMismatch)?;
        let (session, _) = callback.state().rsplit_once('.').ok_or(BrokerError::StateMismatch)?;
        let session = match session {
            "" => None,
            session => Some(SessionId::parse(session).map_err(|_| BrokerError::StateMismatch)?),
        };
        Ok(Self { session, callback })
    }

    /// The consent that the person was on the way to, by its own word.
    #[must_use]
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }
}

/// What one sign-in is bound to the browser by. All of it follows from one secret in a cookie, so nothing is stored for strangers.
struct Bound<'a> {
    secret: &'a str,
}

impl Bound<'_> {
    fn state(&self, session: Option<&SessionId>) -> String {
        let session = session.map(SessionId::as_str).unwrap_or_default();
        format!("{session}.{}", self.derived("state", session))
    }

    fn nonce(&self) -> String {
        self.derived("nonce", "")
    }

    /// 64 hexadecimal digits: a verifier of RFC 7636 §4.1.
    fn verifier(&self) -> CodeVerifier {
        CodeVerifier::new(self.derived("verifier", ""))
    }

    fn derived(&self, what: &str, session: &str) -> String {
        SecretHash::of(&format!("sign-in\n{what}\n{}\n{session}", self.secret)).to_hex()
    }
}

impl OpenidClient {
    /// A client that nobody has used yet.
    #[must_use]
    pub fn new(settings: OpenidSettings, http: Arc<dyn HttpClient>) -> Self {
        let known = Mutex::new(Known { metadata: None, until: Timestamp::from_secs(0) });
        Self { settings, http, known }
    }

    /// What people call the provider.
    #[must_use]
    pub fn display_name(&self) -> &str {
        &self.settings.display_name
    }

    pub(super) fn settings(&self) -> &OpenidSettings {
        &self.settings
    }

    /// The provider's metadata: as configured, or as it said within the hour. One request at a time, and after a failure none for some
    /// seconds; what was known before goes on being used meanwhile.
    async fn metadata(&self, now: Timestamp) -> Result<Spoken, SignInError> {
        let plaintext = match &self.settings.endpoints {
            OpenidEndpoints::Given(given) => {
                return Ok(Spoken {
                    authorize_endpoint: given.authorize.clone(),
                    token_endpoint: given.token.clone(),
                    client_auth: ClientAuth::Basic,
                    names_itself: NamesItself::Perhaps,
                });
            }
            OpenidEndpoints::Discovered(plaintext) => *plaintext,
        };
        let mut known = self.known.lock().await;
        if known.until <= now {
            let read = oauth::discover(self.http.as_ref(), &self.settings.issuer, plaintext).await;
            match read.and_then(Spoken::of) {
                Ok(metadata) => *known = Known { metadata: Some(metadata), until: now.plus(METADATA) },
                Err(error) => {
                    tracing::warn!(error = %error, reason = error.reason(), "the OpenID provider's metadata was not read");
                    known.until = now.plus(PAUSE);
                    return known.metadata.clone().ok_or(SignInError::Openid(error));
                }
            }
        }
        known.metadata.clone().ok_or(SignInError::Openid(oauth::OAuthError::Nonsense("discovery_paused")))
    }

    fn provider(&self, metadata: Spoken, redirect_uri: String) -> oauth::Provider {
        let settings = &self.settings;
        oauth::Provider::new(oauth::Settings {
            client_secret: Some(settings.client_secret.clone()),
            client_auth: metadata.client_auth,
            issuer: Some(settings.issuer.written().to_owned()),
            ..oauth::Settings::new(
                metadata.authorize_endpoint,
                metadata.token_endpoint,
                settings.client_id.as_str(),
                redirect_uri,
            )
        })
    }
}

impl std::fmt::Debug for OpenidClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenidClient({})", self.settings.issuer.written())
    }
}

impl Broker {
    /// The way to the OpenID provider, on the way to a consent.
    pub async fn depart(&self, session: Option<&SessionId>) -> Result<Departure, BrokerError> {
        let SignInMethod::Openid(client) = &self.sign_in else { return Err(SignInError::OtherMethod.into()) };
        let metadata = client.metadata(self.now()).await?;
        let secret = Opaque::generate("", self.entropy.as_ref());
        let bound = Bound { secret: secret.expose() };
        let scopes: Vec<&str> = client.settings.scopes.iter().map(String::as_str).collect();
        let provider = client.provider(metadata, self.urls.sign_in_callback());
        let request = oauth::AuthorizationRequest {
            scopes: &scopes,
            state: &bound.state(session),
            challenge: Some(&oauth::pkce::challenge(&bound.verifier())),
            nonce: Some(&bound.nonce()),
            resource: None,
            dpop_jkt: None,
        };
        let outside = self.outside_by(client.http.as_ref());
        let url = provider.authorization_url(&outside, &request).await.map_err(failed)?;
        Ok(Departure { secret, url })
    }

    /// Takes the OpenID provider's answer from the browser that holds `secret`, and signs it in; so far it held `browser`.
    pub async fn arrive(
        &self,
        answer: OpenidAnswer,
        secret: Option<&str>,
        browser: Option<&str>,
    ) -> Result<Arrived, BrokerError> {
        let SignInMethod::Openid(client) = &self.sign_in else { return Err(SignInError::OtherMethod.into()) };
        let bound = Bound { secret: secret.ok_or(BrokerError::StateMismatch)? };
        if !SecretHash::of(&bound.state(answer.session())).matches(answer.callback.state()) {
            return Err(BrokerError::StateMismatch);
        }
        let metadata = client.metadata(self.now()).await?;
        match (answer.callback.check_issuer(Some(client.settings.issuer.written())), metadata.names_itself) {
            (Ok(()), _) | (Err(IssuerError::Missing), NamesItself::Perhaps) => {}
            (Err(_), _) => return Err(BrokerError::IssuerMismatch),
        }
        let code = match &answer.callback {
            Callback::Code { code, .. } => code,
            Callback::Error { code: CallbackError::AccessDenied, .. } => return Err(SignInError::Refused.into()),
            Callback::Error { .. } => return Err(failed(oauth::OAuthError::Nonsense("authorization_failed")).into()),
        };
        let provider = client.provider(metadata, self.urls.sign_in_callback());
        let outside = self.outside_by(client.http.as_ref());
        let tokens = provider.exchange(&outside, code, Some(&bound.verifier()), None).await.map_err(failed)?;
        let identity = provider.signed_in(&tokens, &bound.nonce()).map_err(failed)?;
        let by = SignedInBy::Openid {
            issuer: client.settings.issuer.written().to_owned(),
            client_id: client.settings.client_id.clone(),
            subject: identity.subject,
            label: identity.label,
        };
        let cookie = self.welcome(by, browser).await?;
        self.keep_subject_tokens(cookie.expose(), &tokens).await?;
        Ok(Arrived { cookie, session: answer.session })
    }
}

/// The page says little of it, so the log says what happened.
fn failed(error: oauth::OAuthError) -> SignInError {
    tracing::warn!(error = %error, reason = error.reason(), "nobody was signed in by the OpenID provider");
    SignInError::Openid(error)
}

const METADATA: Duration = Duration::from_secs(3600);
const PAUSE: Duration = Duration::from_secs(5);
