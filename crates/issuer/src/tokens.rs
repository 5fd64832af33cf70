//! What may be asked of a token that is there: its end, what it is, whose it is; and the beginning of one for a device.

use axum::Json;
use axum::extract::Extension;
use axum::response::Response;
use broker::{Broker, Introspection};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::client;
use crate::form::Form;
use crate::own::Unread;
use crate::refusal::Refusal;
use crate::token::{required, unkept};

/// RFC 7009. The answer is the same whether or not there was such a token, and never comes before its end is durable.
pub(crate) async fn revoke(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let token = required(&form, "token")?;
    let client = client::prove(&broker, &headers, &form).await?;
    broker.end_token_of(&client, token).await?;
    Ok(unkept(StatusCode::OK))
}

/// RFC 7662.
pub(crate) async fn introspect(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let token = required(&form, "token")?;
    let client = client::prove_by_secret(&broker, &headers, &form).await?;
    let told = broker.introspect(&client, token).await?;
    Ok(unkept(Json(view(&told, broker.urls().public()))))
}

fn view(told: &Introspection, issuer: &str) -> Value {
    match told {
        Introspection::Inactive => json!({"active": false}),
        Introspection::Active { scope, client_id, sub, aud, exp, iat, kind } => json!({
            "active": true, "scope": scope, "client_id": client_id, "token_type": token_type(kind), "sub": sub, "aud": aud,
            "iss": issuer, "exp": exp, "iat": iat, "token_use": kind,
        }),
    }
}

/// RFC 7662 §2.2 means the type of RFC 6749 §5.1; a refresh token has none.
fn token_type(kind: &str) -> &'static str {
    if kind == "refresh_token" { "refresh_token" } else { "Bearer" }
}

/// RFC 8628 §3.1.
pub(crate) async fn authorize_device(
    Extension(broker): Extension<Broker>,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Refusal> {
    let client = client::prove(&broker, &headers, &form).await?;
    let begun = broker.begin_device_grant(&client, form.get("scope"), form.resources()).await?;
    Ok(unkept(Json(json!({
        "device_code": begun.device_code.expose(),
        "user_code": begun.user_code,
        "verification_uri": begun.verification_uri,
        "verification_uri_complete": begun.verification_uri_complete,
        "expires_in": begun.expires_in.as_secs(),
        "interval": begun.interval.as_secs(),
    }))))
}

/// `OpenID` Connect Core §5.3; the token comes in the header alone.
pub(crate) async fn userinfo(Extension(broker): Extension<Broker>, headers: HeaderMap) -> Result<Response, Refusal> {
    let info = broker.userinfo(bearer(&headers)?).await?;
    Ok(unkept(Json(json!({"sub": info.sub}))))
}

/// RFC 6750 §2.1.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let missing = || Refusal::from(Unread::TokenMissing);
    let value = values.next().ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(Unread::SeveralTokens.into());
    }
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
    let token = token.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() { Ok(token) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use protocol::UserId;

    use super::*;

    fn read(values: &[&str]) -> Result<String, (u16, &'static str, String)> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().expect("a header"));
        }
        bearer(&headers).map(str::to_owned).map_err(|refusal| {
            let (status, reason) = (refusal.status().as_u16(), refusal.reason());
            let challenge =
                refusal.into_response().headers()[header::WWW_AUTHENTICATE].to_str().expect("text").to_owned();
            (status, reason, challenge)
        })
    }

    #[test]
    fn a_token_comes_in_one_header() {
        assert_eq!(read(&["Bearer abc"]).expect("a token"), "abc");
        assert_eq!(read(&["bearer  abc "]).expect("a token"), "abc");
        for values in [&[][..], &["Basic abc"], &["Bearer"], &["Bearer "], &["abc"]] {
            let (status, reason, challenge) = read(values).expect_err("refused");
            assert_eq!((status, reason, challenge.as_str()), (401, "token_missing", r#"Bearer realm="ath-gateway""#));
        }
        let (status, reason, challenge) = read(&["Bearer a", "Bearer a"]).expect_err("refused");
        assert_eq!((status, reason), (400, "authorization_several"));
        assert!(challenge.contains(r#"error="invalid_request""#));
    }

    #[test]
    fn an_inactive_token_tells_nothing_else() {
        assert_eq!(view(&Introspection::Inactive, "https://gw"), json!({"active": false}));
        let active = Introspection::Active {
            scope: "read".to_owned(),
            client_id: "c".to_owned(),
            sub: UserId::generate(&secret::SeededEntropy::new(1)),
            aud: "https://gw/crm".to_owned(),
            exp: 2,
            iat: 1,
            kind: "access_token",
        };
        let told = view(&active, "https://gw");
        assert_eq!(
            (&told["active"], &told["token_type"], &told["iss"]),
            (&json!(true), &json!("Bearer"), &json!("https://gw"))
        );
        assert_eq!((&told["exp"], &told["iat"], &told["aud"]), (&json!(2), &json!(1), &json!("https://gw/crm")));
    }
}
