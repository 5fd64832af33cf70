use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use secret::{AccessToken, AuthorizationCode, ClientSecret, CodeVerifier, Entropy, RefreshToken};

use crate::authorize::{self, AuthorizationRequest};
use crate::discovery::NamesItself;
use crate::dpop::{DpopKey, Nonces, Proven, Prover, TokenBinding};
use crate::error::{ErrorCode, OAuthError};
use crate::habits::{AnswerForm, RevokeAuth, RevokeMethod, RevokedToken};
use crate::http_client::HttpClient;
use crate::id_token::Claims;
use crate::identity::Identity;
use crate::known::Known;
use crate::outside::Outside;
use crate::settings::{ClientAuth, Pkce, RefreshWith, Settings};
use crate::token_request::{self, Asked, Auth};
use crate::token_response::{self, Body, TokenSet};

/// The OAuth client towards one provider.
pub struct Provider {
    settings: Arc<Settings>,
    known: Known,
    secrets: RwLock<Secrets>,
    /// Whether the provider took the second secret last.
    other_secret: AtomicBool,
    nonces: Nonces,
}

/// The client's secrets: the one in use, and the one that comes next or was before.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Tried first.
    pub first: Option<ClientSecret>,
    /// Tried where the provider does not know the client by the first.
    pub other: Option<ClientSecret>,
}

/// A token that can be given back (RFC 7009 §2.1).
#[derive(Debug, Clone, Copy)]
pub enum Revocable<'a> {
    /// One access token. Whether its refresh token goes with it is for the provider to decide.
    Access(&'a AccessToken),
    /// The whole grant, at most providers.
    Refresh(&'a RefreshToken),
}

impl Provider {
    /// A client with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let secrets = Secrets { first: settings.client_secret.clone(), other: settings.other_client_secret.clone() };
        Self {
            settings: Arc::new(settings),
            known: Known::default(),
            secrets: RwLock::new(secrets),
            other_secret: AtomicBool::new(false),
            nonces: Nonces::default(),
        }
    }

    /// What the client proves itself by.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on the client proves itself by these secrets.
    pub fn take_secrets(&self, secrets: Secrets) {
        *self.secrets.write().unwrap_or_else(PoisonError::into_inner) = secrets;
        self.other_secret.store(false, Ordering::Relaxed);
    }

    /// The way to the provider for one call whose tokens are bound to `key`; just `http` where there is none.
    pub fn prover<'a>(
        &'a self,
        http: &'a dyn HttpClient,
        key: Option<&'a DpopKey>,
        now: u64,
        entropy: &'a dyn Entropy,
    ) -> Prover<'a> {
        Prover { http, key, nonces: &self.nonces, now, entropy }
    }

    /// The proof that goes with a token to the API (RFC 9449 §7), in the header `DPoP`.
    pub fn proof(
        &self,
        outside: &Outside<'_>,
        key: &DpopKey,
        token: &AccessToken,
        method: &Method,
        uri: &Uri,
    ) -> Result<HeaderValue, OAuthError> {
        let (now, entropy) = (outside.now, outside.entropy);
        let asked = Proven { method, uri, token: Some(token.expose()), now, entropy };
        key.proof(&asked, self.nonces.of(uri).as_deref())
    }

    /// Remembers the nonce that an answer of the API has, for the next proof there.
    pub fn note_nonce(&self, uri: &Uri, headers: &HeaderMap) {
        self.nonces.note(uri, headers);
    }

    /// Sees to it that the endpoints are known, so that the next call is one request. Does nothing where they are set.
    pub async fn prepare(&self, outside: &Outside<'_>) -> Result<(), OAuthError> {
        self.known(outside).await.map(drop)
    }

    /// The URL to send the browser to (RFC 6749 §4.1.1).
    pub async fn authorization_url(
        &self,
        outside: &Outside<'_>,
        request: &AuthorizationRequest<'_>,
    ) -> Result<String, OAuthError> {
        let settings = self.known(outside).await?;
        if settings.authorize_endpoint.is_none() {
            self.known.look_again();
        }
        authorize::url(&settings, request)
    }

    /// Turns the code that came with the callback into tokens (RFC 6749 §4.1.3). Whatever comes of it, the code is used up.
    ///
    /// `verifier` belongs to the challenge that the authorization URL had, and is sent only where the provider uses
    /// [`Pkce::S256`]; `resource` is that of the URL.
    pub async fn exchange(
        &self,
        outside: &Outside<'_>,
        code: &AuthorizationCode,
        verifier: Option<&CodeVerifier>,
        resource: Option<&str>,
    ) -> Result<TokenSet, OAuthError> {
        let settings = self.known(outside).await?;
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", settings.redirect_uri.as_str()),
        ];
        if let (Pkce::S256, Some(verifier)) = (settings.pkce, verifier) {
            parameters.push(("code_verifier", verifier.expose()));
        }
        parameters.extend(settings.resource_of(resource).map(|resource| ("resource", resource)));
        let asked = Asked {
            method: Method::POST,
            endpoint: settings.token_endpoint()?,
            auth: Auth::Client(settings.client_auth),
            encoding: settings.token_request,
            parameters,
            further: settings.token_parameters.iter().collect(),
        };
        let tokens = self.obtain(&settings, &settings.answer, asked, outside).await?;
        // Here and not in `identify`: what counts is that it was fresh when it came. One that cannot be read may never be needed.
        if let Some(claims) = tokens.id_token.as_ref().and_then(|token| Claims::read(token).ok()) {
            claims.check_time(outside.now)?;
        }
        Ok(tokens)
    }

    /// Asks for a new access token (RFC 6749 §6). Where no new refresh token comes back, the set has the old one.
    ///
    /// After an error without an answer the provider may have replaced the refresh token all the same.
    pub async fn refresh(&self, outside: &Outside<'_>, refresh: &RefreshToken) -> Result<TokenSet, OAuthError> {
        let settings = self.known(outside).await?;
        let grant_type = settings.refresh_grant_type.as_deref().unwrap_or("refresh_token");
        let name = settings.refresh_parameter.as_deref().unwrap_or("refresh_token");
        let mut parameters = vec![("grant_type", grant_type), (name, refresh.expose())];
        parameters.extend(settings.resource.as_deref().map(|resource| ("resource", resource)));
        let asked = Asked {
            method: Method::POST,
            endpoint: settings.refresh_endpoint.as_ref().map_or_else(|| settings.token_endpoint(), Ok)?,
            auth: Auth::Client(settings.client_auth),
            encoding: settings.refresh_request.unwrap_or(settings.token_request),
            parameters,
            further: settings.refresh_parameters.iter().chain(&settings.token_parameters).collect(),
        };
        let form = settings.refresh_answer.as_ref().unwrap_or(&settings.answer);
        let mut tokens = self.obtain(&settings, form, asked, outside).await?;
        tokens.refresh.get_or_insert_with(|| refresh.clone());
        Ok(tokens)
    }

    /// Who signed in: the ID token's word, or else what the operator says of the answer, or else that of the userinfo endpoint; `None`
    /// where the provider has none of them.
    ///
    /// For tokens that [`Provider::exchange`] just returned. The ID token's signature is not looked at, since TLS vouches for it
    /// (OpenID Connect Core §3.1.3.7, item 6).
    pub async fn identify(&self, outside: &Outside<'_>, tokens: &TokenSet) -> Result<Option<Identity>, OAuthError> {
        let named = self.named(tokens)?;
        if named.is_some() && self.settings.userinfo_api_base.is_none() {
            return Ok(named);
        }
        let settings = self.known(outside).await?;
        let Some(userinfo) = &settings.userinfo else {
            return Ok(named);
        };
        let response = send(outside, userinfo.request(&tokens.access, &settings)?).await?;
        let told = userinfo.read(response, &settings)?;
        let Some(named) = named else { return Ok(Some(told)) };
        if tokens.identity.is_none() && named.subject != told.subject {
            // OpenID Connect Core §5.3.2: it speaks of somebody else.
            return Err(OAuthError::Nonsense("subject"));
        }
        Ok(Some(Identity { api_base: told.api_base, ..named }))
    }

    /// Who signed in, where that is known already.
    fn named(&self, tokens: &TokenSet) -> Result<Option<Identity>, OAuthError> {
        if !self.settings.answer.subject.is_empty() {
            return tokens.identity.clone().map(Some).ok_or(OAuthError::Nonsense("subject"));
        }
        let Some(token) = &tokens.id_token else { return Ok(None) };
        let claims = Claims::read(token)?;
        claims.check(self.issuer().as_deref(), &self.settings.client_id)?;
        Identity::new(claims.sub.clone(), claims.names()).map(Some)
    }

    /// Who signs in at the gateway by these tokens, which [`Provider::exchange`] just returned: the ID token's word alone, upon the
    /// request that had this `nonce` (OpenID Connect Core §3.1.3.7).
    pub fn signed_in(&self, tokens: &TokenSet, nonce: &str) -> Result<Identity, OAuthError> {
        let token = tokens.id_token.as_ref().ok_or(OAuthError::Nonsense("id_token_missing"))?;
        let claims = Claims::read(token)?;
        let issuer = self.settings.issuer.as_deref().ok_or(OAuthError::Nonsense("id_token_issuer"))?;
        claims.check(Some(issuer), &self.settings.client_id)?;
        claims.check_sign_in(&self.settings.client_id, nonce)?;
        Identity::new(claims.sub.clone(), claims.names())
    }

    /// Gives a token back (RFC 7009). Does nothing where the provider has no revocation endpoint: see [`Provider::can_revoke`].
    pub async fn revoke<'a>(&self, outside: &Outside<'_>, token: impl Into<Revocable<'a>>) -> Result<(), OAuthError> {
        let settings = self.known(outside).await?;
        let Some(endpoint) = &settings.revoke_endpoint else {
            return Ok(());
        };
        let form = &settings.revoke;
        let (token, hint) = match token.into() {
            Revocable::Access(token) => (token.expose(), "access_token"),
            Revocable::Refresh(token) => (token.expose(), "refresh_token"),
        };
        let auth = match form.auth {
            RevokeAuth::AsClient => Auth::Client(settings.client_auth),
            RevokeAuth::Basic => Auth::Client(ClientAuth::Basic),
            RevokeAuth::Post => Auth::Client(ClientAuth::Post),
            RevokeAuth::Bearer => Auth::Bearer(token),
            RevokeAuth::Nothing => Auth::Nobody,
        };
        let parameters = match (form.auth, form.parameter.as_deref()) {
            (RevokeAuth::Bearer, _) => Vec::new(),
            // By a name of its own it is no request of RFC 7009, which alone has the hint.
            (_, Some(name)) => vec![(name, token)],
            (_, None) => vec![("token", token), ("token_type_hint", hint)],
        };
        let method = match form.method {
            RevokeMethod::Post => Method::POST,
            RevokeMethod::Delete => Method::DELETE,
        };
        let encoding = form.encoding.unwrap_or(settings.token_request);
        let asked = Asked { method, endpoint, auth, encoding, parameters, further: Vec::new() };
        self.as_client(&settings, asked, outside, |response| token_response::confirmation(response, &settings)).await
    }

    /// Which of its tokens the provider wants back.
    #[must_use]
    pub fn revoked_token(&self) -> RevokedToken {
        self.settings.revoke.token
    }

    /// Whether [`Provider::revoke`] reaches the provider, or a revocation is local only. Where the metadata says it and was not read yet,
    /// it may.
    #[must_use]
    pub fn can_revoke(&self) -> bool {
        let found = || match (&self.settings.discovery, self.known.found()) {
            (Some(_), Some(found)) => found.settings.revoke_endpoint.is_some(),
            (discovery, Some(found)) if discovery.is_none() => found.settings.revoke_endpoint.is_some(),
            (discovery, _) => discovery.is_some() || self.settings.protected_resource.is_some(),
        };
        self.settings.revoke_endpoint.is_some() || found()
    }

    /// Where the browser is sent, as a person should read it: the host, and the port where it is not the usual one. Of a provider whose
    /// metadata was not read yet, the issuer's.
    #[must_use]
    pub fn authorize_host(&self) -> String {
        let found = self.known.found().and_then(|found| found.settings.authorize_endpoint.clone());
        let issuer = || self.settings.discovery.as_ref().map(|discovery| discovery.issuer.clone());
        let endpoint = self.settings.authorize_endpoint.clone().or(found).or_else(issuer);
        let resource = || self.settings.protected_resource.as_ref().map(|resource| resource.url.clone());
        endpoint.or_else(resource).map(|endpoint| endpoint.host()).unwrap_or_default()
    }

    /// Whether the provider says that its answers to the callback always name it.
    #[must_use]
    pub fn names_itself(&self) -> NamesItself {
        self.known.found().map_or(NamesItself::Perhaps, |found| found.names_itself)
    }

    /// Whether the metadata has named another host for tokens than when it was first read. It is not heeded: somebody has to look at it.
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.known.found().is_some_and(|found| found.moved)
    }

    /// What the client was made with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The gateway's client there.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.settings.client_id
    }

    /// The redirect URI, as it must stand in the provider's form.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.settings.redirect_uri
    }

    /// The issuer identifier, where one is configured, or found by the resource's word.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        let found = || self.known.found()?.settings.issuer.clone();
        self.settings.issuer.clone().or_else(found)
    }

    /// The settings with all endpoints.
    pub(crate) async fn known(&self, outside: &Outside<'_>) -> Result<Arc<Settings>, OAuthError> {
        self.known.settings(&self.settings, outside).await
    }

    async fn obtain(
        &self,
        settings: &Settings,
        form: &AnswerForm,
        asked: Asked<'_>,
        outside: &Outside<'_>,
    ) -> Result<TokenSet, OAuthError> {
        let body = self.as_client(settings, asked, outside, |response| Body::read(response, settings, form)).await?;
        Self::taken(body, settings, outside)
    }

    /// The tokens of an answer, with what they are renewed by.
    pub(crate) fn taken(body: Body, settings: &Settings, outside: &Outside<'_>) -> Result<TokenSet, OAuthError> {
        let mut tokens = body.into_token_set(outside.now, settings)?;
        if settings.refresh_with == RefreshWith::AccessToken {
            tokens.refresh = Some(RefreshToken::new(tokens.access.expose()));
        }
        Ok(tokens)
    }

    /// Asks with the secret that was taken last, and where the provider does not know the client by it, with the other one: RFC 6749
    /// §5.2 has a client authenticated before anything of its request is used up.
    pub(crate) async fn as_client<T>(
        &self,
        settings: &Settings,
        asked: Asked<'_>,
        outside: &Outside<'_>,
        read: impl Fn(Response<Vec<u8>>) -> Result<T, OAuthError>,
    ) -> Result<T, OAuthError> {
        let Secrets { first, other } = self.secrets();
        let swapped = self.other_secret.load(Ordering::Relaxed);
        let (now, then) = if swapped { (other, first) } else { (first, other) };
        let answer = Box::pin(ask(settings, &asked, now.as_ref(), outside, &read)).await;
        let unknown = matches!(&answer, Err(OAuthError::Refused { code: ErrorCode::InvalidClient }));
        if !unknown || then.is_none() {
            return answer;
        }
        let answer = Box::pin(ask(settings, &asked, then.as_ref(), outside, &read)).await;
        if answer.is_ok() {
            self.other_secret.store(!swapped, Ordering::Relaxed);
        }
        answer
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.settings.token_place().map(|url| &url[url::Position::BeforeHost..url::Position::AfterPort]);
        write!(f, "Provider({})", place.unwrap_or_default())
    }
}

impl<'a> From<&'a AccessToken> for Revocable<'a> {
    fn from(token: &'a AccessToken) -> Self {
        Self::Access(token)
    }
}

impl<'a> From<&'a RefreshToken> for Revocable<'a> {
    fn from(token: &'a RefreshToken) -> Self {
        Self::Refresh(token)
    }
}

/// Asks as the client with this secret; once more where the proof of possession needs a nonce (RFC 9449 §8): nothing of the request was
/// used up. The nonce has been noted, and everything that is signed is signed anew.
async fn ask<T>(
    settings: &Settings,
    asked: &Asked<'_>,
    secret: Option<&ClientSecret>,
    outside: &Outside<'_>,
    read: &impl Fn(Response<Vec<u8>>) -> Result<T, OAuthError>,
) -> Result<T, OAuthError> {
    let request = token_request::request(settings, asked, secret, outside)?;
    let answer = read(send(outside, request).await?);
    let wanted = matches!(&answer, Err(OAuthError::Refused { code: ErrorCode::UseDpopNonce }));
    if !wanted || settings.binding != TokenBinding::Dpop {
        return answer;
    }
    let request = token_request::request(settings, asked, secret, outside)?;
    read(send(outside, request).await?)
}

async fn send(outside: &Outside<'_>, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OAuthError> {
    Ok(outside.http.send(request).await?)
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
