use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{Request, Response};
use secret::{AccessToken, AuthorizationCode, CodeVerifier, RefreshToken};

use crate::authorize::{self, AuthorizationRequest};
use crate::endpoint::Endpoint;
use crate::error::{ErrorCode, OAuthError};
use crate::habits::RevokedToken;
use crate::http_client::HttpClient;
use crate::id_token::Claims;
use crate::identity::Identity;
use crate::settings::{Pkce, Settings};
use crate::token_request::{self, Asked};
use crate::token_response::{self, Body, TokenSet};

/// The OAuth client towards one provider.
pub struct Provider {
    settings: Settings,
    /// Whether the provider took the second secret last.
    other_secret: AtomicBool,
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
        Self { settings, other_secret: AtomicBool::new(false) }
    }

    /// The URL to send the browser to (RFC 6749 §4.1.1).
    #[must_use]
    pub fn authorization_url(&self, request: &AuthorizationRequest<'_>) -> String {
        authorize::url(&self.settings, request)
    }

    /// Turns the code that came with the callback into tokens (RFC 6749 §4.1.3). Whatever comes of it, the code is used up.
    ///
    /// `verifier` belongs to the challenge that the authorization URL had, and is sent only where the provider uses
    /// [`Pkce::S256`]; `resource` is that of the URL.
    pub async fn exchange(
        &self,
        http: &dyn HttpClient,
        code: &AuthorizationCode,
        verifier: Option<&CodeVerifier>,
        resource: Option<&str>,
        now: u64,
    ) -> Result<TokenSet, OAuthError> {
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", self.settings.redirect_uri.as_str()),
        ];
        if let (Pkce::S256, Some(verifier)) = (self.settings.pkce, verifier) {
            parameters.push(("code_verifier", verifier.expose()));
        }
        parameters.extend(resource.map(|resource| ("resource", resource)));
        let further = self.settings.token_parameters.iter().collect();
        let (endpoint, encoding) = (&self.settings.token_endpoint, self.settings.token_request);
        let tokens = self.obtain(http, Asked { endpoint, encoding, parameters, further }, now).await?;
        // Here and not in `identify`: what counts is that it was fresh when it came. One that cannot be read may never be needed.
        if let Some(claims) = tokens.id_token.as_ref().and_then(|token| Claims::read(token).ok()) {
            claims.check_time(now)?;
        }
        Ok(tokens)
    }

    /// Asks for a new access token (RFC 6749 §6). Where no new refresh token comes back, the set has the old one.
    ///
    /// After an error without an answer the provider may have replaced the refresh token all the same.
    pub async fn refresh(
        &self,
        http: &dyn HttpClient,
        refresh: &RefreshToken,
        now: u64,
    ) -> Result<TokenSet, OAuthError> {
        let parameters = vec![("grant_type", "refresh_token"), ("refresh_token", refresh.expose())];
        let settings = &self.settings;
        let asked = Asked {
            endpoint: settings.refresh_endpoint.as_ref().unwrap_or(&settings.token_endpoint),
            encoding: settings.refresh_request.unwrap_or(settings.token_request),
            parameters,
            further: settings.refresh_parameters.iter().chain(&settings.token_parameters).collect(),
        };
        let mut tokens = self.obtain(http, asked, now).await?;
        tokens.refresh.get_or_insert_with(|| refresh.clone());
        Ok(tokens)
    }

    /// Who signed in: the ID token's word, or else that of the userinfo endpoint; `None` where the provider has neither.
    ///
    /// For tokens that [`Provider::exchange`] just returned. The ID token's signature is not looked at, since TLS vouches for it
    /// (OpenID Connect Core §3.1.3.7, item 6).
    pub async fn identify(&self, http: &dyn HttpClient, tokens: &TokenSet) -> Result<Option<Identity>, OAuthError> {
        if let Some(token) = &tokens.id_token {
            let claims = Claims::read(token)?;
            claims.check(self.settings.issuer.as_deref(), &self.settings.client_id)?;
            return Identity::new(claims.sub.clone(), claims.names()).map(Some);
        }
        let Some(userinfo) = &self.settings.userinfo else {
            return Ok(None);
        };
        userinfo.whose(http, &tokens.access).await.map(Some)
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
    pub async fn revoke<'a>(&self, http: &dyn HttpClient, token: impl Into<Revocable<'a>>) -> Result<(), OAuthError> {
        let Some(endpoint) = &self.settings.revoke_endpoint else {
            return Ok(());
        };
        let (token, hint) = match token.into() {
            Revocable::Access(token) => (token.expose(), "access_token"),
            Revocable::Refresh(token) => (token.expose(), "refresh_token"),
        };
        let encoding = self.settings.revoke_request.unwrap_or(self.settings.token_request);
        let parameters = vec![("token", token), ("token_type_hint", hint)];
        let asked = Asked { endpoint, encoding, parameters, further: Vec::new() };
        self.as_client(http, asked, |response| token_response::confirmation(response, &self.settings)).await
    }

    /// Which of its tokens the provider wants back.
    #[must_use]
    pub fn revoked_token(&self) -> RevokedToken {
        self.settings.revoke_token
    }

    /// Whether [`Provider::revoke`] reaches the provider, or a revocation is local only.
    #[must_use]
    pub fn can_revoke(&self) -> bool {
        self.settings.revoke_endpoint.is_some()
    }

    /// Where the browser is sent, as a person should read it: the host, and the port where it is not the usual one.
    #[must_use]
    pub fn authorize_host(&self) -> String {
        self.settings.authorize_endpoint.host()
    }

    /// Where codes and refresh tokens are sent.
    #[must_use]
    pub fn token_endpoint(&self) -> &Endpoint {
        &self.settings.token_endpoint
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

    /// The issuer identifier, where one is configured.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.settings.issuer.as_deref()
    }

    async fn obtain(&self, http: &dyn HttpClient, asked: Asked<'_>, now: u64) -> Result<TokenSet, OAuthError> {
        self.token_set(self.ask(http, asked).await?, now)
    }

    pub(crate) async fn ask(&self, http: &dyn HttpClient, asked: Asked<'_>) -> Result<Body, OAuthError> {
        self.as_client(http, asked, |response| Body::read(response, &self.settings)).await
    }

    pub(crate) fn token_set(&self, body: Body, now: u64) -> Result<TokenSet, OAuthError> {
        body.into_token_set(now, self.settings.default_lifetime)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks with the secret that was taken last, and where the provider does not know the client by it, with the other one: RFC 6749
    /// §5.2 has a client authenticated before anything of its request is used up.
    pub(crate) async fn as_client<T>(
        &self,
        http: &dyn HttpClient,
        asked: Asked<'_>,
        read: impl Fn(Response<Vec<u8>>) -> Result<T, OAuthError>,
    ) -> Result<T, OAuthError> {
        let (first, other) = (self.settings.client_secret.as_ref(), self.settings.other_client_secret.as_ref());
        let swapped = self.other_secret.load(Ordering::Relaxed);
        let (now, then) = if swapped { (other, first) } else { (first, other) };
        let request = token_request::post(&self.settings, asked.clone(), now)?;
        let answer = read(send(http, request).await?);
        let unknown = matches!(&answer, Err(OAuthError::Refused { code: ErrorCode::InvalidClient }));
        if !unknown || then.is_none() {
            return answer;
        }
        let request = token_request::post(&self.settings, asked, then)?;
        let answer = read(send(http, request).await?);
        if answer.is_ok() {
            self.other_secret.store(!swapped, Ordering::Relaxed);
        }
        answer
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.settings.token_endpoint.host())
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

async fn send(http: &dyn HttpClient, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OAuthError> {
    Ok(http.send(request).await?)
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
