use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use crate::form::Form;
use crate::own::{self, Unread};
use crate::refusal::Refusal;

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if !is_of_type(request.headers(), "application/x-www-form-urlencoded") {
            return Err(Unread::FormType.into());
        }
        Self::parse(&whole(request, own::Body::Form).await?).map_err(|problem| Unread::Form(problem).into())
    }
}

/// A JSON object without doubled names, of a client's registration.
pub(crate) struct Metadata(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Metadata {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if !is_of_type(request.headers(), "application/json") {
            return Err(Unread::JsonType.into());
        }
        let body = whole(request, own::Body::Metadata).await?;
        protocol::wire::object(&body).map(Self).map_err(|_| Unread::Json.into())
    }
}

/// A JSON object without doubled names; none at all where there is no body.
pub(crate) struct Wishes(pub(crate) Map<String, Value>);

impl<S: Send + Sync> FromRequest<S> for Wishes {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let is_json = is_of_type(request.headers(), "application/json");
        let body = whole(request, own::Body::Form).await?;
        match body.is_empty() {
            true => Ok(Self(Map::new())),
            false if is_json => protocol::wire::object(&body).map(Self).map_err(|_| Unread::Json.into()),
            false => Err(Unread::JsonType.into()),
        }
    }
}

async fn whole(request: Request, body: own::Body) -> Result<Bytes, Refusal> {
    to_bytes(request.into_body(), LIMIT).await.map_err(|_| Unread::TooLarge(body).into())
}

/// One `Content-Type`, without parameters or with UTF-8 as its charset.
fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(str::trim);
    let type_is = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(wanted));
    let charset = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    type_is && parts.all(charset)
}

const LIMIT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn asked(types: &[&str], body: &str) -> Request {
        let mut request = Request::new(Body::from(body.to_owned()));
        for value in types {
            request.headers_mut().append(header::CONTENT_TYPE, value.parse().expect("a header"));
        }
        request
    }

    async fn form(types: &[&str], body: &str) -> Result<Form, (u16, &'static str)> {
        let read = Form::from_request(asked(types, body), &()).await;
        read.map_err(|refusal| (refusal.status().as_u16(), refusal.reason()))
    }

    const METADATA: &str = "invalid_client_metadata";
    const FORM: &str = "application/x-www-form-urlencoded";

    #[tokio::test]
    async fn forms_are_taken_in_utf_8_alone() {
        for value in [
            FORM,
            "Application/X-WWW-Form-URLEncoded",
            "application/x-www-form-urlencoded;charset=UTF-8",
            "application/x-www-form-urlencoded ; charset=\"utf-8\"; x=y",
            "application/x-www-form-urlencoded;",
        ] {
            assert!(form(&[value], "code=1").await.is_ok(), "{value}");
        }
        let one: &[&[&str]] = &[
            &[],
            &[""],
            &["application/json"],
            &["application/x-www-form-urlencoded;charset=latin1"],
            &["application/x-www-form-urlencodedx"],
            &["multipart/form-data; boundary=x"],
            &[FORM, FORM],
            &["text/plain"],
        ];
        for types in one {
            assert_eq!(form(types, "code=1").await.err(), Some((415, "content_type")), "{types:?}");
        }
    }

    #[tokio::test]
    async fn bodies_are_bounded_and_read_in_one_way() {
        let long = |length: usize| format!("x={}", "a".repeat(length - 2));
        assert!(form(&[FORM], &long(65_536)).await.is_ok());
        assert_eq!(form(&[FORM], &long(65_537)).await.err(), Some((413, "body_too_large")));
        assert_eq!(form(&[FORM], "a=%").await.err(), Some((400, "form_malformed")));
        assert_eq!(form(&[FORM], "code=1&code=2").await.err(), Some((400, "parameter_doubled")));
        assert_eq!(form(&[FORM], &format!("code={}", "a".repeat(5000))).await.err(), Some((400, "parameter_too_long")));
        assert_eq!(form(&[FORM], &"resource=a&".repeat(9)).await.err(), Some((400, "resources_too_many")));
        let many = (0..65).map(|number| format!("p{number}=")).collect::<Vec<_>>().join("&");
        assert_eq!(form(&[FORM], &many).await.err(), Some((400, "parameters_too_many")));
    }

    #[tokio::test]
    async fn metadata_is_one_json_object() {
        async fn metadata(kind: &str, body: &str) -> Result<usize, (u16, &'static str, &'static str)> {
            let read = Metadata::from_request(asked(&[kind], body), &()).await;
            read.map(|read| read.0.len())
                .map_err(|refusal| (refusal.status().as_u16(), refusal.error(), refusal.reason()))
        }
        assert_eq!(metadata("application/json; charset=utf-8", r#"{"a":1}"#).await, Ok(1));
        assert_eq!(metadata("text/json", "{}").await, Err((415, METADATA, "content_type")));
        for body in ["", "[]", "{", r#"{"a":1,"a":2}"#, "null"] {
            assert_eq!(metadata("application/json", body).await, Err((400, METADATA, "malformed_json")), "{body}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "a".repeat(65_536));
        assert_eq!(metadata("application/json", &long).await, Err((413, METADATA, "body_too_large")));
    }
}
