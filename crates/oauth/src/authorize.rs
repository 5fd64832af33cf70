use crate::error::OAuthError;
use crate::settings::{Pkce, Settings};

/// What one authorization request asks for (RFC 6749 §4.1.1).
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    /// The scopes; with none the parameter is left out.
    pub scopes: &'a [&'a str],
    /// Comes back with the callback, and binds it to the browser that began.
    pub state: &'a str,
    /// The PKCE challenge (RFC 7636 §4.3), sent only where the provider uses [`Pkce::S256`].
    pub challenge: Option<&'a str>,
    /// Comes back in the ID token, and binds it to this request (OpenID Connect Core §3.1.2.1).
    pub nonce: Option<&'a str>,
    /// The resource that the token is for (RFC 8707 §2).
    pub resource: Option<&'a str>,
    /// The thumbprint of the key that the code will be bound to (RFC 9449 §10).
    pub dpop_jkt: Option<&'a str>,
}

/// The URL to send the browser to.
pub(crate) fn url(settings: &Settings, request: &AuthorizationRequest<'_>) -> Result<String, OAuthError> {
    let endpoint = settings.authorize_endpoint.as_ref().ok_or(OAuthError::Nonsense("no_authorize_endpoint"))?;
    let scope = settings.scope_text(request.scopes);
    let mut own = vec![
        ("response_type", "code"),
        ("client_id", settings.client_id.as_str()),
        ("redirect_uri", settings.redirect_uri.as_str()),
    ];
    own.extend(settings.scope_pair(&scope));
    own.push(("state", request.state));
    if let (Pkce::S256, Some(challenge)) = (settings.pkce, request.challenge) {
        own.extend([("code_challenge", challenge), ("code_challenge_method", "S256")]);
    }
    own.extend(request.nonce.map(|nonce| ("nonce", nonce)));
    own.extend(settings.resource_of(request.resource).map(|resource| ("resource", resource)));
    own.extend(request.dpop_jkt.map(|thumbprint| ("dpop_jkt", thumbprint)));
    for (name, _) in &mut own {
        *name = settings.parameter(name);
    }
    let further = settings.authorize_parameters.iter().filter(|(name, _)| own.iter().all(|(taken, _)| taken != name));

    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&own).extend_pairs(further).finish();
    // Every server reads `%20` as a space; some read `+` as a plus. A plus of the value's own is `%2B` by now.
    let encoded = encoded.replace('+', "%20");
    let mut url = endpoint.url().clone();
    let query = match url.query() {
        Some(query) if !query.is_empty() => format!("{query}&{encoded}"),
        _ => encoded,
    };
    url.set_query(Some(&query));
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{endpoint, settings};

    const REQUEST: AuthorizationRequest<'_> = AuthorizationRequest {
        scopes: &["read:tickets", "write:tickets"],
        state: "s t+a&te",
        challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        nonce: None,
        resource: None,
        dpop_jkt: None,
    };

    fn url_of(settings: &Settings, request: &AuthorizationRequest<'_>) -> String {
        url(settings, request).expect("a URL")
    }

    #[test]
    fn the_url_has_what_the_standard_asks_for() {
        assert_eq!(
            url_of(&settings(), &REQUEST),
            "https://id.example/authorize?response_type=code&client_id=gateway\
             &redirect_uri=https%3A%2F%2Fgateway.example%2Fath%2Fcallback&scope=read%3Atickets%20write%3Atickets\
             &state=s%20t%2Ba%26te&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        );
    }

    #[test]
    fn without_pkce_there_is_not_one_parameter_more() {
        assert_eq!(
            url_of(&Settings { pkce: Pkce::None, ..settings() }, &REQUEST),
            "https://id.example/authorize?response_type=code&client_id=gateway\
             &redirect_uri=https%3A%2F%2Fgateway.example%2Fath%2Fcallback&scope=read%3Atickets%20write%3Atickets\
             &state=s%20t%2Ba%26te"
        );
    }

    #[test]
    fn without_scopes_there_is_no_scope_parameter_and_with_a_nonce_one_more() {
        let request = AuthorizationRequest { scopes: &[], challenge: None, state: "s", nonce: Some("n"), ..REQUEST };
        assert_eq!(
            url_of(&settings(), &request),
            "https://id.example/authorize?response_type=code&client_id=gateway\
             &redirect_uri=https%3A%2F%2Fgateway.example%2Fath%2Fcallback&state=s&nonce=n"
        );
    }

    #[test]
    fn a_provider_may_have_its_own_ways() {
        let settings = Settings {
            authorize_endpoint: Some(endpoint("https://id.example/start?tenant=acme%20inc&v=2")),
            pkce: Pkce::None,
            scope_separator: ',',
            scope_parameter: "user_scope".to_owned(),
            redirect_uri: "https://Gateway.example:443/ath/callback/".to_owned(),
            authorize_parameters: vec![
                ("access_type".to_owned(), "offline".to_owned()),
                ("state".to_owned(), "evil".to_owned()),
                ("response_type".to_owned(), "token".to_owned()),
                ("scope".to_owned(), "bot".to_owned()),
                ("audience".to_owned(), "api.example & co".to_owned()),
            ],
            ..settings()
        };
        let request = AuthorizationRequest { state: "s", resource: Some("https://api.example/"), ..REQUEST };
        assert_eq!(
            url_of(&settings, &request),
            "https://id.example/start?tenant=acme%20inc&v=2&response_type=code&client_id=gateway\
             &redirect_uri=https%3A%2F%2FGateway.example%3A443%2Fath%2Fcallback%2F&user_scope=read%3Atickets%2Cwrite%3Atickets\
             &state=s&resource=https%3A%2F%2Fapi.example%2F&access_type=offline&scope=bot&audience=api.example%20%26%20co"
        );
    }

    #[test]
    fn an_empty_query_is_no_query() {
        let settings = Settings { authorize_endpoint: Some(endpoint("https://id.example/authorize?")), ..settings() };
        assert!(url_of(&settings, &REQUEST).starts_with("https://id.example/authorize?response_type=code&"));
    }
}
