use std::rc::Rc;
use std::time::Duration;

use broker::Lent;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use policy::Permit;

use crate::body::{Progress, Upload};
use crate::error::ProxyError;
use crate::gate::GateError;
use crate::headers;
use crate::pool::{Answered, Pool};
use crate::upstream::Upstream;

/// Sends the permitted request with the lent credential, and waits for the head of the answer.
pub(crate) async fn forward(
    pool: &Rc<Pool>,
    upstream: &Upstream,
    permit: &Permit,
    query: Option<&str>,
    headers: HeaderMap,
    body: Incoming,
    lent: &Lent,
) -> Result<Answered, ProxyError> {
    let empty = body.is_end_stream();
    let bodyless = matches!(*permit.method(), Method::GET | Method::HEAD);
    if bodyless && !empty && body.size_hint().exact().is_none() {
        // A body of unknown length with such a method is one that half of all servers do not look for.
        return Err(ProxyError::Gate(GateError::Framing));
    }
    let (upload, progress) = Upload::new(body);
    let mut request = Request::new(upload);
    *request.method_mut() = permit.method().clone();
    *request.uri_mut() = target(upstream, permit, query)?;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers::outgoing(headers, upstream, lent);
    if empty && matches!(*permit.method(), Method::POST | Method::PUT | Method::PATCH) {
        // RFC 9110 §8.6: a method that could have a body says that there is none.
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let answered = in_time(upstream.response_timeout, &progress, pool.send(upstream, request, &progress)).await;
    if matches!(answered, Err(ProxyError::Timeout)) {
        // A shared connection that has gone silent would time every later request out, too.
        pool.forget_shared();
    }
    let answered = answered?;
    if answered.response.status().is_informational() {
        return Err(ProxyError::Switched);
    }
    refuse_ambiguous(answered.response.headers())?;
    refuse_encoded(answered.response.headers())?;
    Ok(answered)
}

/// Scheme and authority from the configuration, path from the permit, query as it came.
fn target(upstream: &Upstream, permit: &Permit, query: Option<&str>) -> Result<Uri, ProxyError> {
    let mut path = format!("{}{}", upstream.base_path, permit.path().as_str());
    if let Some(query) = query {
        path.push('?');
        path.push_str(query);
    }
    let path = PathAndQuery::try_from(path).map_err(|error| ProxyError::Unreachable(error.into()))?;
    let authority = upstream.authority.as_bytes();
    let uri = Uri::builder().scheme(upstream.scheme()).authority(authority).path_and_query(path).build();
    uri.map_err(|error| ProxyError::Unreachable(error.into()))
}

/// The clock of the answer runs from the last piece of the request that was taken: a long upload is no slow upstream.
async fn in_time(
    limit: Duration,
    upload: &Progress,
    answer: impl Future<Output = Result<Answered, ProxyError>>,
) -> Result<Answered, ProxyError> {
    let mut answer = std::pin::pin!(answer);
    loop {
        let deadline = tokio::time::Instant::from_std(upload.moved() + limit);
        match tokio::time::timeout_at(deadline, answer.as_mut()).await {
            Ok(answered) => return answered,
            Err(_) if upload.moved() + limit > deadline.into_std() => {}
            Err(_) => return Err(ProxyError::Timeout),
        }
    }
}

/// RFC 9112 §6.3: an answer with two lengths, or coded otherwise than in chunks, ends where nobody can say.
fn refuse_ambiguous(headers: &HeaderMap) -> Result<(), ProxyError> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if !codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Err(ProxyError::Encoded);
    }
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    if lengths > 1 || lengths == 1 && headers.contains_key(TRANSFER_ENCODING) {
        return Err(ProxyError::Framing);
    }
    Ok(())
}

/// The guard reads plain bodies; one that is compressed all the same would pass unread.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), ProxyError> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(ProxyError::Encoded)
}
