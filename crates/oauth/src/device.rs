//! The device authorization grant (RFC 8628): a code that a person types in at the provider, on whatever machine.

use std::time::Duration;

use http::{Method, Response};
use secret::DeviceCode;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::answer::{self, Verdict};
use crate::endpoint::{Endpoint, Plaintext};
use crate::error::{ErrorCode, OAuthError};
use crate::outside::Outside;
use crate::provider::Provider;
use crate::token_request::{Asked, Auth};
use crate::token_response::{self, TokenSet, seconds};

/// What a provider gives out for a person to type in (RFC 8628 §3.2).
#[derive(Debug, Clone)]
pub struct DeviceAuthorization {
    /// What is asked with, again and again. A secret.
    pub device_code: DeviceCode,
    /// What the person types in: at most 64 visible characters.
    pub user_code: String,
    /// Where they do.
    pub verification_uri: Endpoint,
    /// The same with the code in it already; only on the host of the other one.
    pub verification_uri_complete: Option<Endpoint>,
    /// How long both codes are good for.
    pub expires_in: Duration,
    /// How often the provider may be asked at most.
    pub interval: Duration,
}

/// What asking with a device code came to (RFC 8628 §3.5).
#[derive(Debug)]
pub enum DeviceAnswer {
    /// The person has not answered yet.
    Pending,
    /// Nor have they, and the provider is asked too often: from now on less, by five seconds.
    SlowDown,
    /// They have allowed it.
    Issued(Box<TokenSet>),
}

/// As the provider writes it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    device_code: Value,
    user_code: Value,
    verification_uri: Value,
    /// What Google and others called it in the drafts.
    verification_url: Value,
    verification_uri_complete: Value,
    verification_url_complete: Value,
    expires_in: Value,
    interval: Value,
}

impl Provider {
    /// Asks for codes (RFC 8628 §3.1). `plaintext` says whether people may be sent to a page by http.
    pub async fn authorize_device(
        &self,
        outside: &Outside<'_>,
        scopes: &[&str],
        plaintext: Plaintext,
    ) -> Result<DeviceAuthorization, OAuthError> {
        let settings = self.known(outside).await?;
        let endpoint = settings.device_endpoint.as_ref().ok_or(OAuthError::Nonsense("no_device_endpoint"))?;
        let scope = settings.scope_text(scopes);
        let parameters = settings.scope_pair(&scope).into_iter().collect();
        let (encoding, auth) = (settings.token_request, Auth::Client(settings.client_auth));
        let asked = Asked { method: Method::POST, endpoint, auth, encoding, parameters, further: Vec::new() };
        self.as_client(&settings, asked, outside, |response: Response<Vec<u8>>| {
            let (head, body) = response.into_parts();
            if answer::judge(&head, &[200, 201])? == Verdict::Refusal {
                return Err(token_response::refusal(&head, &body, &settings.answer));
            }
            read(body, plaintext)
        })
        .await
    }

    /// Asks whether the person has answered (RFC 8628 §3.4). Their refusal and the codes' end are errors.
    pub async fn device_token(
        &self,
        outside: &Outside<'_>,
        device_code: &DeviceCode,
    ) -> Result<DeviceAnswer, OAuthError> {
        let parameters = vec![("grant_type", GRANT_TYPE), ("device_code", device_code.expose())];
        let settings = self.known(outside).await?;
        match self.ask(&settings, outside, parameters).await {
            Ok(body) => Self::taken(body, &settings, outside).map(Box::new).map(DeviceAnswer::Issued),
            Err(OAuthError::Refused { code: ErrorCode::AuthorizationPending }) => Ok(DeviceAnswer::Pending),
            Err(OAuthError::Refused { code: ErrorCode::SlowDown }) => Ok(DeviceAnswer::SlowDown),
            Err(error) => Err(error),
        }
    }
}

fn read(body: Vec<u8>, plaintext: Plaintext) -> Result<DeviceAuthorization, OAuthError> {
    let body = Zeroizing::new(body);
    let word = OAuthError::Nonsense;
    let body: Body = serde_json::from_slice(&body).map_err(|_| word("malformed"))?;
    let graphic = |text: &str, most: usize| {
        !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let device_code = body.device_code.as_str().filter(|code| graphic(code, MAX_DEVICE_CODE));
    let user_code = body.user_code.as_str().map(str::trim).filter(|code| {
        !code.is_empty()
            && code.len() <= MAX_USER_CODE
            && code.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    });
    let page = |value: &Value| value.as_str().and_then(|text| Endpoint::parse(text, plaintext).ok());
    let either = |one: &Value, other: &Value| page(one).or_else(|| page(other));
    let verification_uri =
        either(&body.verification_uri, &body.verification_url).ok_or_else(|| word("verification_uri"))?;
    let complete = either(&body.verification_uri_complete, &body.verification_url_complete);
    let same = |complete: &Endpoint| complete.url().origin() == verification_uri.url().origin();
    Ok(DeviceAuthorization {
        device_code: DeviceCode::new(device_code.ok_or_else(|| word("device_code"))?),
        user_code: user_code.ok_or_else(|| word("user_code"))?.to_owned(),
        verification_uri_complete: complete.filter(same),
        verification_uri,
        // Required; a server that leaves it out has some end all the same.
        expires_in: seconds(&body.expires_in).map_or(EXPIRES_IN, Duration::from_secs).min(LONGEST),
        interval: seconds(&body.interval).map_or(INTERVAL, Duration::from_secs).min(SLOWEST),
    })
}

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const MAX_DEVICE_CODE: usize = 4096;
const MAX_USER_CODE: usize = 64;
const EXPIRES_IN: Duration = Duration::from_secs(600);
/// Nobody types for longer.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// What holds where the provider does not say (RFC 8628 §3.2).
const INTERVAL: Duration = Duration::from_secs(5);
const SLOWEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::{FakeClient, NOW, endpoint, outside, ready, settings};

    fn client() -> Provider {
        Provider::new(Settings { device_endpoint: Some(endpoint("https://id.example/device")), ..settings() })
    }

    fn authorized(answer: &str) -> Result<DeviceAuthorization, OAuthError> {
        ready(client().authorize_device(&outside(&FakeClient::answering(200, answer)), &["read"], Plaintext::Refused))
    }

    #[test]
    fn codes_are_asked_for_as_the_standard_has_it() {
        // The answer of RFC 8628 §3.2.
        let http = FakeClient::answering(
            200,
            r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT",
            "verification_uri":"https://example.com/device",
            "verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT","expires_in":1800,"interval":5}"#,
        );
        let device =
            ready(client().authorize_device(&outside(&http), &["read", "write"], Plaintext::Refused)).expect("codes");
        let request = http.request().expect("asked");
        assert!(request.starts_with("POST https://id.example/device\n"), "{request}");
        assert!(request.ends_with("\n\nscope=read+write&client_id=gateway"), "{request}");
        assert_eq!(device.device_code.expose(), "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
        assert_eq!(
            (device.user_code.as_str(), device.verification_uri.as_str()),
            ("WDJB-MJHT", "https://example.com/device")
        );
        assert_eq!(
            device.verification_uri_complete.as_ref().map(Endpoint::as_str),
            Some("https://example.com/device?user_code=WDJB-MJHT")
        );
        assert_eq!((device.expires_in, device.interval), (Duration::from_secs(1800), Duration::from_secs(5)));
    }

    #[test]
    fn what_is_left_out_has_a_default_and_an_end() {
        let google = r#"{"device_code":"d","user_code":"AB CD","verification_url":"https://www.google.com/device","expires_in":86400,"interval":3600}"#;
        let device = authorized(google).expect("codes");
        assert_eq!((device.expires_in, device.interval), (LONGEST, SLOWEST));
        assert_eq!(device.user_code, "AB CD");
        let short = authorized(r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example/d"}"#);
        assert_eq!(short.map(|it| (it.expires_in, it.interval)).expect("codes"), (EXPIRES_IN, INTERVAL));
    }

    #[test]
    fn a_page_elsewhere_or_by_http_is_none() {
        let base = |uri: &str, more: &str| {
            format!(r#"{{"device_code":"d","user_code":"u","verification_uri":"{uri}"{more}}}"#)
        };
        let complete = r#","verification_uri_complete":"https://evil.example/d?c=u""#;
        assert!(authorized(&base("https://a.example/d", complete)).expect("codes").verification_uri_complete.is_none());
        for uri in ["http://a.example/d", "javascript:alert(1)", "", "https://u:p@a.example/d"] {
            assert_eq!(authorized(&base(uri, "")).expect_err(uri).reason(), "verification_uri", "{uri}");
        }
        for (answer, reason) in [
            ("[]", "verification_uri"),
            ("", "malformed"),
            (r#"{"user_code":"u","verification_uri":"https://a.example/d"}"#, "device_code"),
            (r#"{"device_code":"d","verification_uri":"https://a.example/d"}"#, "user_code"),
            (r#"{"device_code":"a b","user_code":"u","verification_uri":"https://a.example/d"}"#, "device_code"),
            (r#"{"device_code":"d","user_code":"\u202e","verification_uri":"https://a.example/d"}"#, "user_code"),
        ] {
            assert_eq!(authorized(answer).expect_err(answer).reason(), reason, "{answer}");
        }
    }

    #[test]
    fn every_answer_to_a_device_code_has_its_meaning() {
        let asked = |status, answer: &str| {
            let http = FakeClient::answering(status, answer);
            let outcome = ready(client().device_token(&outside(&http), &DeviceCode::new("d-1")));
            let request = http.request().expect("asked");
            assert!(
                request.ends_with(
                    "\n\ngrant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d-1&client_id=gateway"
                ),
                "{request}"
            );
            outcome
        };
        assert!(matches!(asked(400, r#"{"error":"authorization_pending"}"#), Ok(DeviceAnswer::Pending)));
        // Google's status, and GitHub's.
        assert!(matches!(asked(428, r#"{"error":"authorization_pending"}"#), Ok(DeviceAnswer::Pending)));
        assert!(matches!(asked(200, r#"{"error":"authorization_pending"}"#), Ok(DeviceAnswer::Pending)));
        assert!(matches!(asked(400, r#"{"error":"slow_down"}"#), Ok(DeviceAnswer::SlowDown)));
        for (status, answer, reason) in [
            (400, r#"{"error":"access_denied"}"#, "access_denied"),
            (400, r#"{"error":"expired_token"}"#, "expired_token"),
            (400, r#"{"error":"invalid_grant"}"#, "invalid_grant"),
            (503, "", "unavailable"),
        ] {
            assert_eq!(asked(status, answer).expect_err(answer).reason(), reason);
        }
        let issued =
            asked(200, r#"{"access_token":"at-1","token_type":"bearer","refresh_token":"rt-1","expires_in":60}"#);
        let Ok(DeviceAnswer::Issued(tokens)) = issued else { panic!("tokens") };
        assert_eq!((tokens.access.expose(), tokens.expires_at), ("at-1", Some(NOW + 60)));
    }
}
