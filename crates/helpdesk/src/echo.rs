//! An upstream that gives away what it was sent, credentials included: what a response guard must catch.

use std::{convert::Infallible, time::Duration};

use axum::{
    Json,
    body::Body,
    extract::{RawQuery, State, rejection::BytesRejection},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::json;

use crate::{bearer, error::Error, recorder, scope::Scope, state::Helpdesk};

/// `/echo`, any method: the request as JSON. With `?in=`, the value of its Authorization header instead:
/// `header` (in `X-Echo-Authorization`), `body` (as plain text), `split` (the same in two chunks, 50 ms apart) or
/// `location` (in the query of a redirect). GET and HEAD want `read:tickets`, other methods `write:tickets`.
pub(crate) async fn any(
    State(helpdesk): State<Helpdesk>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Error> {
    let reads = matches!(method, Method::GET | Method::HEAD);
    bearer::authorize(&helpdesk, &headers, Some(if reads { Scope::ReadTickets } else { Scope::WriteTickets }))?;
    let body = body.map_err(|_| Error::TooLarge)?;
    let credentials = headers.get(header::AUTHORIZATION).ok_or(Error::MissingToken)?;
    match query.as_deref().and_then(place).as_deref() {
        None => Ok(Json(json!({
            "method": method.as_str(),
            "path": uri.path(),
            "query": query,
            "headers": recorder::by_name(&headers),
            "body": String::from_utf8_lossy(&body),
        }))
        .into_response()),
        Some("header") => Ok(([("x-echo-authorization", credentials.clone())], Json(json!({}))).into_response()),
        Some("body") => Ok((PLAIN, credentials.as_bytes().to_vec()).into_response()),
        Some("split") => Ok((PLAIN, in_two_chunks(credentials)).into_response()),
        Some("location") => Ok(redirect(&helpdesk.settings().base_url, credentials)),
        Some(_) => Err(Error::InvalidRequest("The parameter in is header, body, split or location.")),
    }
}

/// The first `in` of a query that may otherwise contain anything, any number of times.
fn place(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "in").map(|(_, value)| value.into_owned())
}

fn in_two_chunks(credentials: &HeaderValue) -> Body {
    let mut first = Bytes::copy_from_slice(credentials.as_bytes());
    let second = first.split_off(first.len() / 2);
    let late = stream::once(async move {
        tokio::time::sleep(BETWEEN_CHUNKS).await;
        second
    });
    Body::from_stream(stream::once(async { first }).chain(late).map(Ok::<_, Infallible>))
}

fn redirect(base_url: &str, credentials: &HeaderValue) -> Response {
    let query: String = form_urlencoded::byte_serialize(credentials.as_bytes()).collect();
    (StatusCode::FOUND, [(header::LOCATION, format!("{base_url}/tickets?authorization={query}"))]).into_response()
}

const PLAIN: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
const BETWEEN_CHUNKS: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::testing::Desk;

    const BOTH: &str = "read:tickets write:tickets";

    #[tokio::test]
    async fn the_request_comes_back() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", BOTH).await;
        let answer = desk.api("PURGE", "/echo?a=%20b&a=c", &token, "hello").await;
        assert_eq!(
            answer.json(),
            json!({
                "method": "PURGE",
                "path": "/echo",
                "query": "a=%20b&a=c",
                "headers": { "authorization": [format!("Bearer {token}")] },
                "body": "hello",
            })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_credentials_come_back_where_they_are_wanted() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", BOTH).await;
        let credentials = format!("Bearer {token}");

        let header = desk.api("GET", "/echo?in=header", &token, "").await;
        assert_eq!(header.headers["x-echo-authorization"], credentials);
        assert_eq!(header.text, "{}");

        let body = desk.api("GET", "/echo?in=body", &token, "").await;
        assert_eq!(body.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(body.text, credentials);

        let start = Instant::now();
        let split = desk.open("GET", "/echo?in=split", &token, "").await;
        let chunks: Vec<Bytes> = split.into_body().into_data_stream().map(Result::unwrap).collect().await;
        assert_eq!(chunks.len(), 2);
        assert_eq!(chunks.concat(), credentials.as_bytes());
        assert_eq!(start.elapsed(), Duration::from_millis(50));

        let location = desk.api("GET", "/echo?in=location", &token, "").await;
        assert_eq!(location.status, 302);
        assert_eq!(location.headers["location"], format!("http://localhost:4000/tickets?authorization=Bearer+{token}"));
        assert_eq!(desk.api("GET", "/echo?in=trailer", &token, "").await.status, 400);
    }

    #[tokio::test]
    async fn reading_and_writing_need_their_scopes() {
        let desk = Desk::new();
        let reader = desk.access_token("alice@acme.test", "read:tickets").await;
        let writer = desk.access_token("alice@acme.test", "write:tickets").await;
        for (method, for_reader, for_writer) in
            [("GET", 200, 403), ("HEAD", 200, 403), ("POST", 403, 200), ("OPTIONS", 403, 200), ("DELETE", 403, 200)]
        {
            assert_eq!(desk.api(method, "/echo", &reader, "").await.status, for_reader, "{method}");
            assert_eq!(desk.api(method, "/echo", &writer, "").await.status, for_writer, "{method}");
        }
    }

    #[tokio::test]
    async fn a_body_has_at_most_a_mebibyte() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", BOTH).await;
        assert_eq!(desk.api("POST", "/echo", &token, vec![b'x'; 1024 * 1024]).await.status, 200);
        assert_eq!(desk.api("POST", "/echo", &token, vec![b'x'; 1024 * 1024 + 1]).await.status, 413);
    }
}
