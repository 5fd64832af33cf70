use std::rc::Rc;
use std::time::Duration;

use broker::Lent;
use http::header::CONTENT_ENCODING;
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Uri, Version};
use hyper::body::Incoming;
use policy::Permit;

use crate::body::{Progress, Upload};
use crate::error::ProxyError;
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
    let (upload, progress) = Upload::new(body);
    let mut request = Request::new(upload);
    *request.method_mut() = permit.method().clone();
    *request.uri_mut() = target(upstream, permit, query)?;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers::outgoing(headers, upstream, lent);
    let answered = in_time(upstream.response_timeout, &progress, pool.send(upstream, request, &progress)).await;
    if matches!(answered, Err(ProxyError::Timeout)) {
        // A shared connection that has gone silent would time every later request out, too.
        pool.forget_shared();
    }
    let answered = answered?;
    if answered.response.status().is_informational() {
        return Err(ProxyError::Switched);
    }
    refuse_encoded(&answered)?;
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

/// The guard reads plain bodies; one that is compressed all the same would pass unread.
fn refuse_encoded(answered: &Answered) -> Result<(), ProxyError> {
    let mut encodings = answered.response.headers().get_all(CONTENT_ENCODING).iter();
    if encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Ok(());
    }
    Err(ProxyError::Encoded)
}
