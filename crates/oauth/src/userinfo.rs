use http::{HeaderValue, Method, Request, Response, Uri, header};
use secret::AccessToken;
use serde_json::Value;

use crate::answer::{self, Verdict};
use crate::endpoint::Endpoint;
use crate::error::{ErrorCode, OAuthError};
use crate::identity::Identity;
use crate::placement::Carrier;
use crate::pointer::Pointer;
use crate::settings::Settings;
use crate::token_response::{base_in, subject_in};

/// Where a provider says who an access token belongs to, and in which members of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Userinfo {
    /// Asked by GET with the access token.
    pub endpoint: Endpoint,
    /// The provider's own, lasting name for the account: a string or a whole number.
    pub subject: Pointer,
    /// What a person would know the account by, best first.
    pub name: Vec<Pointer>,
}

impl Userinfo {
    /// The members that OpenID Connect Core §5.1 defines.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        let name = ["email", "name", "preferred_username"].map(Pointer::member).into();
        Self { endpoint, subject: Pointer::member("sub"), name }
    }

    pub(crate) fn request(&self, access: &AccessToken, settings: &Settings) -> Result<Request<Vec<u8>>, OAuthError> {
        let credential = settings.placement.prepare(access, &[]).ok_or(OAuthError::Nonsense("credentials"))?;
        let mut request = Request::new(Vec::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.endpoint.uri().clone();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.extend(settings.api_headers.clone());
        match credential.carrier() {
            Carrier::Header(name, value) => drop(headers.insert(name, value.clone())),
            Carrier::Query(_, pair) => *request.uri_mut() = with_query(&self.endpoint, pair)?,
            Carrier::Nothing => {}
        }
        Ok(request)
    }

    pub(crate) fn read(&self, response: Response<Vec<u8>>, settings: &Settings) -> Result<Identity, OAuthError> {
        let (head, body) = response.into_parts();
        if answer::judge(&head, &[200])? == Verdict::Refusal {
            return Err(OAuthError::Refused { code: ErrorCode::Other });
        }
        let answer: Value = serde_json::from_slice(&body).map_err(|_| OAuthError::Nonsense("userinfo"))?;
        let subject = self.subject.find(&answer).and_then(subject_in).ok_or(OAuthError::Nonsense("subject"))?;
        let names = self.name.iter().filter_map(|name| name.find(&answer)?.as_str());
        let api_base = settings.userinfo_api_base.as_ref().and_then(|place| base_in(place, &answer));
        Ok(Identity { api_base, ..Identity::new(subject, names)? })
    }
}

fn with_query(endpoint: &Endpoint, pair: &str) -> Result<Uri, OAuthError> {
    let uri = endpoint.uri();
    let separator = if uri.query().is_some() { '&' } else { '?' };
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let target = format!("{target}{separator}{pair}");
    let parts = Uri::builder().scheme(uri.scheme_str().unwrap_or("https"));
    let parts = parts.authority(uri.authority().map_or("", |authority| authority.as_str()));
    parts.path_and_query(target).build().map_err(|_| OAuthError::Nonsense("credentials"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Placement;
    use crate::testing::{answer, endpoint, settings, written};

    fn userinfo() -> Userinfo {
        Userinfo::new(endpoint("https://id.example/userinfo"))
    }

    fn read(userinfo: &Userinfo, body: &str) -> Result<Identity, OAuthError> {
        userinfo.read(answer(200, &[], body), &settings())
    }

    #[test]
    fn it_is_asked_with_the_access_token() {
        let request = |settings: &Settings, token: &str| userinfo().request(&AccessToken::new(token), settings);
        assert_eq!(
            written(&request(&settings(), "at-1").expect("a request")),
            "GET https://id.example/userinfo\naccept: application/json\nauthorization: Bearer at-1 (sensitive)\n\n"
        );
        let placement = Placement::header("Authorization", "Zoho-oauthtoken").expect("a placement");
        let api_headers = [(header::USER_AGENT, HeaderValue::from_static("acme/1"))].into_iter().collect();
        let zoho = Settings { placement, api_headers, ..settings() };
        assert_eq!(
            written(&request(&zoho, "at-1").expect("a request")),
            "GET https://id.example/userinfo\naccept: application/json\nauthorization: Zoho-oauthtoken at-1 (sensitive)\n\
             user-agent: acme/1\n\n"
        );
        let query = Settings { placement: Placement::query("access_token").expect("a placement"), ..settings() };
        let me = Userinfo::new(endpoint("https://id.example/me?fields=id"));
        let asked = me.request(&AccessToken::new("a&b"), &query).expect("a request");
        assert_eq!(asked.uri(), "https://id.example/me?fields=id&access_token=a%26b");
        let evil = request(&settings(), "at-1\r\nX-Evil: 1");
        assert_eq!(evil.expect_err("refused").reason(), "credentials");
    }

    #[test]
    fn the_standard_s_members_are_the_default() {
        let read = |body| read(&userinfo(), body).expect("an identity");
        let alice = read(r#"{"sub":"u-alice","email":"alice@acme.test","name":"Alice Archer"}"#);
        assert_eq!((alice.subject.as_str(), alice.label.as_deref()), ("u-alice", Some("alice@acme.test")));
        let named = read(r#"{"sub":"u-alice","email":"","name":"Alice Archer"}"#);
        assert_eq!(named.label.as_deref(), Some("Alice Archer"));
        let called = read(r#"{"sub":"u-alice","email":null,"name":7,"preferred_username":"alice"}"#);
        assert_eq!(called.label.as_deref(), Some("alice"));
        assert_eq!(read(r#"{"sub":"u-alice"}"#).label, None);
    }

    #[test]
    fn a_provider_may_have_members_of_its_own() {
        let pointer = |text| Pointer::parse(text).expect("a pointer");
        let userinfo = Userinfo { subject: pointer("/data/id"), name: vec![pointer("/data/login")], ..userinfo() };
        let octocat =
            read(&userinfo, r#"{"data":{"id":583231,"login":"octocat","email":"o@acme.test"}}"#).expect("an identity");
        assert_eq!((octocat.subject.as_str(), octocat.label.as_deref()), ("583231", Some("octocat")));
    }

    #[test]
    fn an_answer_that_names_nobody_is_refused() {
        for (body, reason) in [
            ("", "userinfo"),
            ("<!doctype html>", "userinfo"),
            (r#"{"sub":"u-al"#, "userinfo"),
            ("eyJhbGciOiJub25lIn0.e30.", "userinfo"),
            ("null", "subject"),
            ("{}", "subject"),
            ("[]", "subject"),
            (r#"{"ok":false,"error":"invalid_auth"}"#, "subject"),
            (r#"{"sub":null}"#, "subject"),
            (r#"{"sub":true}"#, "subject"),
            (r#"{"sub":1.5}"#, "subject"),
            (r#"{"sub":1e30}"#, "subject"),
            (r#"{"sub":["u-alice"]}"#, "subject"),
            (r#"{"sub":""}"#, "subject"),
            (r#"{"sub":"u-alice\u0000"}"#, "subject"),
        ] {
            assert_eq!(read(&userinfo(), body).expect_err(body).reason(), reason, "{body}");
        }
        let long = format!(r#"{{"sub":"{}"}}"#, "x".repeat(256));
        assert_eq!(read(&userinfo(), &long).expect_err("too long").reason(), "subject");
    }

    #[test]
    fn a_status_other_than_200_names_nobody() {
        for (status, reason) in [
            (201, "status"),
            (204, "status"),
            (302, "redirect"),
            (401, "refused"),
            (404, "refused"),
            (503, "unavailable"),
        ] {
            let answer =
                answer(status, &[("location", "https://evil.example")], r#"{"sub":"u-alice","error":"invalid_grant"}"#);
            assert_eq!(userinfo().read(answer, &settings()).expect_err("refused").reason(), reason, "{status}");
        }
    }
}
