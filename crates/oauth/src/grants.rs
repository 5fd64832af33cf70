//! Tokens without a browser's way to the provider and back: client credentials (RFC 6749 §4.4) and token exchange (RFC 8693).

use http::Method;
use secret::{AccessToken, IdToken};

use crate::error::OAuthError;
use crate::outside::Outside;
use crate::provider::Provider;
use crate::settings::Settings;
use crate::token_request::{Asked, Auth, Parameters};
use crate::token_response::{Body, TokenSet};

/// What an exchange asks for besides a token (RFC 8693 §2.1). What is not said is left to the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExchangeWish {
    /// The service that the token is for, by the name that the provider has for it.
    pub audience: Option<String>,
    /// The same as a URI (RFC 8707).
    pub resource: Option<String>,
    /// What kind of token is wanted.
    pub requested_token_type: Option<String>,
}

/// The token that is exchanged.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// Says who somebody is.
    IdToken(&'a IdToken),
    /// Lets whoever holds it act for them.
    AccessToken(&'a AccessToken),
}

impl Subject<'_> {
    fn parameters(&self) -> (&str, &'static str) {
        match self {
            Self::IdToken(token) => (token.expose(), ID_TOKEN),
            Self::AccessToken(token) => (token.expose(), ACCESS_TOKEN),
        }
    }
}

impl Provider {
    /// Asks for a token of the client's own (RFC 6749 §4.4). A refresh token that comes all the same is dropped: whoever has the
    /// client's credentials needs none (§4.4.3).
    pub async fn client_credentials(
        &self,
        outside: &Outside<'_>,
        scopes: &[&str],
        resource: Option<&str>,
    ) -> Result<TokenSet, OAuthError> {
        let settings = self.known(outside).await?;
        let scope = settings.scope_text(scopes);
        let mut parameters = vec![("grant_type", "client_credentials")];
        parameters.extend(settings.scope_pair(&scope));
        parameters.extend(settings.resource_of(resource).map(|resource| ("resource", resource)));
        let body = self.ask(&settings, outside, parameters).await?;
        let tokens = body.into_token_set(outside.now, &settings)?;
        Ok(TokenSet { refresh: None, ..tokens })
    }

    /// Exchanges a token of somebody's for one of the provider's (RFC 8693 §2). What comes has to be of the kind that was asked for, or
    /// an access token.
    pub async fn exchange_token(
        &self,
        outside: &Outside<'_>,
        subject: Subject<'_>,
        wish: &ExchangeWish,
        scopes: &[&str],
    ) -> Result<TokenSet, OAuthError> {
        let settings = self.known(outside).await?;
        let scope = settings.scope_text(scopes);
        let (token, token_type) = subject.parameters();
        let mut parameters =
            vec![("grant_type", GRANT_TYPE), ("subject_token", token), ("subject_token_type", token_type)];
        parameters.extend(wish.audience.as_deref().map(|audience| ("audience", audience)));
        parameters.extend(settings.resource_of(wish.resource.as_deref()).map(|resource| ("resource", resource)));
        parameters.extend(wish.requested_token_type.as_deref().map(|kind| ("requested_token_type", kind)));
        parameters.extend(settings.scope_pair(&scope));
        let body = self.ask(&settings, outside, parameters).await?;
        let wanted = wish.requested_token_type.as_deref().unwrap_or(ACCESS_TOKEN);
        body.check_issued_token_type(&[wanted, ACCESS_TOKEN])?;
        Self::taken(body, &settings, outside)
    }

    /// One request to the token endpoint, as the client.
    pub(crate) async fn ask(
        &self,
        settings: &Settings,
        outside: &Outside<'_>,
        parameters: Parameters<'_>,
    ) -> Result<Body, OAuthError> {
        let asked = Asked {
            method: Method::POST,
            endpoint: settings.token_endpoint()?,
            auth: Auth::Client(settings.client_auth),
            encoding: settings.token_request,
            parameters,
            further: settings.token_parameters.iter().collect(),
        };
        self.as_client(settings, asked, outside, |response| Body::read(response, settings, &settings.answer)).await
    }
}

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeClient, NOW, outside, ready, settings};
    use crate::{ClientAuth, Settings};

    fn client() -> Provider {
        let client_secret = Some(secret::ClientSecret::new("s3cret"));
        Provider::new(Settings { client_auth: ClientAuth::Post, client_secret, ..settings() })
    }

    fn body(http: &FakeClient) -> String {
        http.request().and_then(|request| request.rsplit_once("\n\n").map(|(_, body)| body.to_owned())).expect("asked")
    }

    #[test]
    fn the_client_asks_for_itself() {
        let http = FakeClient::answering(
            200,
            r#"{"access_token":"at-1","token_type":"Bearer","expires_in":300,"refresh_token":"rt-1","scope":"read"}"#,
        );
        let tokens =
            ready(client().client_credentials(&outside(&http), &["read", "write"], Some("https://api.example")));
        let tokens = tokens.expect("tokens");
        assert_eq!(
            body(&http),
            "grant_type=client_credentials&scope=read+write&resource=https%3A%2F%2Fapi.example&client_id=gateway&client_secret=s3cret"
        );
        assert_eq!((tokens.access.expose(), tokens.expires_at), ("at-1", Some(NOW + 300)));
        assert!(tokens.refresh.is_none(), "whoever has the client's secret needs none");
        assert_eq!(tokens.scope.as_deref(), Some(&["read".to_owned()][..]));
    }

    #[test]
    fn without_scopes_none_is_sent() {
        let http = FakeClient::answering(200, r#"{"access_token":"at-1","token_type":"Bearer"}"#);
        ready(client().client_credentials(&outside(&http), &[], None)).expect("tokens");
        assert_eq!(body(&http), "grant_type=client_credentials&client_id=gateway&client_secret=s3cret");
    }

    fn exchanged(answer: &str, wish: &ExchangeWish) -> (Result<TokenSet, OAuthError>, String) {
        let http = FakeClient::answering(200, answer);
        let token = IdToken::new("e30.e30.c2ln");
        let tokens = ready(client().exchange_token(&outside(&http), Subject::IdToken(&token), wish, &["read"]));
        let body = body(&http);
        (tokens, body)
    }

    #[test]
    fn a_token_is_exchanged_as_the_standard_has_it() {
        let wish = ExchangeWish {
            audience: Some("crm".to_owned()),
            resource: Some("https://crm.example/api".to_owned()),
            requested_token_type: Some(ACCESS_TOKEN.to_owned()),
        };
        let answer = r#"{"access_token":"at-1","issued_token_type":"urn:ietf:params:oauth:token-type:access_token",
            "token_type":"Bearer","expires_in":60}"#;
        let (tokens, body) = exchanged(answer, &wish);
        assert_eq!(
            body,
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=e30.e30.c2ln\
             &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token&audience=crm\
             &resource=https%3A%2F%2Fcrm.example%2Fapi\
             &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&scope=read\
             &client_id=gateway&client_secret=s3cret"
        );
        assert_eq!(tokens.expect("tokens").access.expose(), "at-1");
        let http = FakeClient::answering(400, r#"{"error":"invalid_target"}"#);
        let token = AccessToken::new("at-0");
        let subject = Subject::AccessToken(&token);
        let refused = ready(client().exchange_token(&outside(&http), subject, &ExchangeWish::default(), &[]));
        assert_eq!(refused.expect_err("refused").reason(), "invalid_target");
        assert!(
            super::tests::body(&http)
                .contains("subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token")
        );
    }

    #[test]
    fn what_was_issued_is_what_was_asked_for() {
        let wish = ExchangeWish::default();
        for (issued, reason) in [
            ("urn:ietf:params:oauth:token-type:access_token", None),
            ("urn:ietf:params:oauth:token-type:jwt", Some("issued_token_type")),
            ("urn:ietf:params:oauth:token-type:refresh_token", Some("issued_token_type")),
            ("urn:ietf:params:oauth:token-type:id_token", Some("issued_token_type")),
            ("", Some("issued_token_type")),
        ] {
            let answer = format!(r#"{{"access_token":"at-1","token_type":"Bearer","issued_token_type":"{issued}"}}"#);
            let (tokens, _) = exchanged(&answer, &wish);
            assert_eq!(tokens.err().map(|error| error.reason()), reason, "{issued}");
        }
        // Required by the standard (§2.2.1), and left out by servers that know one kind.
        assert!(exchanged(r#"{"access_token":"at-1","token_type":"Bearer"}"#, &wish).0.is_ok());
        let (tokens, _) = exchanged(
            r#"{"access_token":"at-1","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#,
            &wish,
        );
        assert_eq!(tokens.expect_err("no bearer token").reason(), "token_type");
    }
}
