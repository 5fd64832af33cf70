use data_encoding::BASE64URL_NOPAD;
use secret::IdToken;
use serde::Deserialize;
use serde_json::Value;

use crate::error::OAuthError;
use crate::token_response::seconds;

/// The claims of an ID token (OpenID Connect Core §2) that came straight from the token endpoint.
///
/// Its signature is not looked at: the server was authenticated by TLS when it handed the token over (OpenID Connect Core
/// §3.1.3.7, item 6). For the same reason a token that came any other way must never be read by this.
#[derive(Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    #[serde(default)]
    iss: Value,
    aud: Value,
    exp: Value,
    #[serde(default)]
    nonce: Value,
    #[serde(default)]
    azp: Value,
    #[serde(default)]
    email: Value,
    #[serde(default)]
    name: Value,
    #[serde(default)]
    preferred_username: Value,
}

impl Claims {
    /// Reads the claims, believing nothing yet.
    pub(crate) fn read(token: &IdToken) -> Result<Self, OAuthError> {
        let mut parts = token.expose().split('.');
        let (Some(_header), Some(payload), Some(_signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MALFORMED);
        };
        let claims = BASE64URL_NOPAD.decode(payload.as_bytes()).map_err(|_| MALFORMED)?;
        serde_json::from_slice(&claims).map_err(|_| MALFORMED)
    }

    /// Items 2 and 3 of OpenID Connect Core §3.1.3.7: issuer and audience. Without an `issuer` any will do.
    pub(crate) fn check(&self, issuer: Option<&str>, client_id: &str) -> Result<(), OAuthError> {
        if issuer.is_some_and(|issuer| self.iss.as_str() != Some(issuer)) {
            return Err(OAuthError::Nonsense("id_token_issuer"));
        }
        let mine = |audience: &Value| audience.as_str() == Some(client_id);
        if !mine(&self.aud) && !self.aud.as_array().is_some_and(|audiences| audiences.iter().any(mine)) {
            return Err(OAuthError::Nonsense("id_token_audience"));
        }
        Ok(())
    }

    /// Items 4, 5 and 11, for a token that signs somebody in at the gateway itself: it was issued to this client, upon the very
    /// request that had this nonce.
    pub(crate) fn check_sign_in(&self, client_id: &str, nonce: &str) -> Result<(), OAuthError> {
        let several = self.aud.as_array().is_some_and(|audiences| audiences.len() > 1);
        match self.azp.as_str() {
            None if self.azp.is_null() && !several => {}
            Some(party) if party == client_id => {}
            _ => return Err(OAuthError::Nonsense("id_token_party")),
        }
        match self.nonce.as_str() {
            Some(found) if !nonce.is_empty() && found == nonce => Ok(()),
            _ => Err(OAuthError::Nonsense("id_token_nonce")),
        }
    }

    /// Item 9: the token's time is not over, give or take a minute between two clocks.
    pub(crate) fn check_time(&self, now: u64) -> Result<(), OAuthError> {
        match seconds(&self.exp) {
            Some(exp) if exp.saturating_add(LEEWAY) > now => Ok(()),
            _ => Err(OAuthError::Nonsense("id_token_expired")),
        }
    }

    /// What a person would know the account by, best first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.email, &self.name, &self.preferred_username].into_iter().filter_map(Value::as_str)
    }
}

/// When an ID token ends by its own word, in Unix seconds.
#[must_use]
pub fn expiry_of(token: &IdToken) -> Option<u64> {
    Claims::read(token).ok().and_then(|claims| seconds(&claims.exp))
}

const MALFORMED: OAuthError = OAuthError::Nonsense("id_token");

/// In seconds.
const LEEWAY: u64 = 60;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{NOW, id_token};

    fn claims() -> Value {
        json!({"iss": "https://id.example", "sub": "u-alice", "aud": "gateway", "exp": NOW + 300, "iat": NOW})
    }

    fn read(claims: &Value) -> Claims {
        Claims::read(&id_token(claims)).expect("claims")
    }

    #[test]
    fn a_token_for_this_client_is_believed() {
        let plain = read(&claims());
        assert_eq!(plain.sub, "u-alice");
        assert!(plain.check(Some("https://id.example"), "gateway").is_ok());
        assert!(plain.check(None, "gateway").is_ok());
        assert!(plain.check_time(NOW).is_ok());
        let mut several = claims();
        several["aud"] = json!(["other", "gateway"]);
        assert!(read(&several).check(None, "gateway").is_ok());
    }

    #[test]
    fn issuer_and_audience_are_compared_character_for_character() {
        for (issuer, client_id, reason) in [
            ("https://id.example/", "gateway", "id_token_issuer"),
            ("https://ID.example", "gateway", "id_token_issuer"),
            ("https://id.example", "Gateway", "id_token_audience"),
            ("https://id.example", "gate", "id_token_audience"),
            ("https://id.example", "", "id_token_audience"),
        ] {
            let error = read(&claims()).check(Some(issuer), client_id).expect_err("refused");
            assert_eq!(error.reason(), reason, "{issuer} {client_id}");
        }
        for aud in [json!([]), json!(["other"]), json!({"gateway": 1}), json!([["gateway"]]), json!(null)] {
            let mut claims = claims();
            claims["aud"] = aud.clone();
            assert_eq!(
                read(&claims).check(None, "gateway").expect_err("refused").reason(),
                "id_token_audience",
                "{aud}"
            );
        }
        for iss in [json!(null), json!(["https://id.example"]), json!("")] {
            let mut claims = claims();
            claims["iss"] = iss.clone();
            let error = read(&claims).check(Some("https://id.example"), "gateway").expect_err("refused");
            assert_eq!(error.reason(), "id_token_issuer", "{iss}");
        }
    }

    #[test]
    fn a_sign_in_is_the_one_that_was_begun_here() {
        let with = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims();
            claims["nonce"] = json!("n-1");
            change(&mut claims);
            read(&claims).check_sign_in("gateway", "n-1").map_err(|error| error.reason())
        };
        assert!(with(&|_| {}).is_ok());
        assert!(with(&|claims| claims["azp"] = json!("gateway")).is_ok());
        assert!(with(&|claims| (claims["aud"], claims["azp"]) = (json!(["gateway", "x"]), json!("gateway"))).is_ok());
        for nonce in [json!(null), json!(""), json!("n-2"), json!("N-1"), json!(["n-1"])] {
            assert_eq!(with(&|claims| claims["nonce"] = nonce.clone()), Err("id_token_nonce"), "{nonce}");
        }
        for azp in [json!("other"), json!(["gateway"]), json!("")] {
            assert_eq!(with(&|claims| claims["azp"] = azp.clone()), Err("id_token_party"), "{azp}");
        }
        assert_eq!(with(&|claims| claims["aud"] = json!(["gateway", "x"])), Err("id_token_party"));
        assert!(read(&claims()).check_sign_in("gateway", "").is_err(), "no nonce is no proof");
    }

    #[test]
    fn a_token_ends() {
        let claims = read(&claims());
        assert!(claims.check_time(NOW + 359).is_ok());
        assert_eq!(claims.check_time(NOW + 360).expect_err("over").reason(), "id_token_expired");
        for exp in [json!(null), json!("never"), json!(0), json!(-1), json!([])] {
            let mut claims = self::claims();
            claims["exp"] = exp.clone();
            assert!(read(&claims).check_time(NOW).is_err(), "{exp}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let encoded = |text: &str| format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(text.as_bytes()));
        for token in [
            String::new(),
            "e30".to_owned(),
            "e30.e30".to_owned(),
            "e30.e30.c2ln.c2ln.c2ln".to_owned(),
            "e30.!.c2ln".to_owned(),
            "e30.e30=.c2ln".to_owned(),
            encoded(""),
            encoded("[]"),
            encoded("{}"),
            encoded("{\"sub\":1,\"aud\":\"gateway\",\"exp\":1}"),
            encoded("{\"sub\":\"a\",\"sub\":\"b\",\"aud\":\"gateway\",\"exp\":1}"),
            encoded("{\"sub\":\"a\",\"aud\":\"gateway\"}"),
        ] {
            assert_eq!(
                Claims::read(&IdToken::new(token.as_str())).err().expect("refused").reason(),
                "id_token",
                "{token}"
            );
        }
    }
}
