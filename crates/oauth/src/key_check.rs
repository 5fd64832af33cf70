use http::HeaderMap;
use secret::AccessToken;

use crate::error::OAuthError;
use crate::http_client::HttpClient;
use crate::identity::Identity;
use crate::placement::Placement;
use crate::settings::Settings;
use crate::userinfo::Userinfo;

/// Asks a service without OAuth whose a key is, as its API is asked.
#[derive(Debug, Clone)]
pub struct KeyCheck {
    userinfo: Userinfo,
    settings: Box<Settings>,
}

impl KeyCheck {
    /// Asked there, with the key in this place and these headers.
    #[must_use]
    pub fn new(userinfo: Userinfo, placement: Placement, headers: HeaderMap) -> Self {
        let settings = Settings { placement, api_headers: headers, ..Settings::of_client("", "") };
        Self { userinfo, settings: Box::new(settings) }
    }

    /// The same with the key in another place.
    #[must_use]
    pub fn placed(self, placement: Placement, headers: HeaderMap) -> Self {
        Self::new(self.userinfo, placement, headers)
    }

    /// Where the key is sent besides the API.
    #[must_use]
    pub fn host(&self) -> String {
        self.userinfo.endpoint.host()
    }

    /// Whose it is; an error of [`OAuthError::Refused`] where the service does not take it.
    pub async fn whose(&self, http: &dyn HttpClient, key: &AccessToken) -> Result<Identity, OAuthError> {
        let request = self.userinfo.request(key, &self.settings)?;
        self.userinfo.read(http.send(request).await?, &self.settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeClient, endpoint, ready};

    #[test]
    fn a_key_is_presented_as_at_the_api() {
        let placement = Placement::header("X-Api-Key", "").expect("a placement");
        let check = KeyCheck::new(Userinfo::new(endpoint("https://hub.example/me")), placement, HeaderMap::new());
        let http = FakeClient::answering(200, r#"{"sub":"u-1","email":"ada@acme.test"}"#);
        let ada = ready(check.whose(&http, &AccessToken::new("key-12345"))).expect("an identity");
        assert_eq!((ada.subject.as_str(), ada.label.as_deref()), ("u-1", Some("ada@acme.test")));
        assert_eq!(
            http.request().as_deref(),
            Some("GET https://hub.example/me\naccept: application/json\nx-api-key: key-12345 (sensitive)\n\n")
        );
        let refused = ready(check.whose(&FakeClient::answering(401, "{}"), &AccessToken::new("key-12345")));
        assert!(matches!(refused, Err(OAuthError::Refused { .. })));
        assert_eq!(check.host(), "hub.example");
    }
}
