use std::rc::Rc;
use std::time::Duration;

use broker::{Broker, Caller, Lent};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use policy::Permit;

use crate::body::{Progress, Upload};
use crate::error::ProxyError;
use crate::gate::GateError;
use crate::headers;
use crate::pool::{Answered, Pool};
use crate::upstream::Upstream;

/// A permitted request, all but its body and its credential.
pub(crate) struct Call<'a> {
    pub(crate) pool: &'a Rc<Pool>,
    pub(crate) upstream: &'a Upstream,
    pub(crate) permit: &'a Permit,
    pub(crate) query: Option<&'a str>,
    /// As the agent sent them.
    pub(crate) headers: &'a HeaderMap,
}

impl Call<'_> {
    /// Sends it with the lent credential, and waits for the head of the answer.
    ///
    /// An upstream that answers 401 no longer takes the token, whatever it said about its life: it is renewed, and the request sent
    /// once more, where it had no body and changes nothing (RFC 9110 §9.2.1). What comes back is the token that was used last, too.
    pub(crate) async fn exchange(
        &self,
        broker: &Broker,
        caller: &Caller,
        body: Incoming,
        lent: Lent,
    ) -> Result<(Answered, Vec<Lent>), ProxyError> {
        let repeatable = body.is_end_stream() && self.permit.method().is_safe();
        let answered = self.forward(Upload::new(body), &lent).await?;
        if !repeatable || answered.response.status() != StatusCode::UNAUTHORIZED {
            return Ok((answered, vec![lent]));
        }
        let Some(renewed) = broker.renew(caller, &lent).await? else { return Ok((answered, vec![lent])) };
        let answered = self.forward(Upload::empty(), &renewed).await?;
        Ok((answered, vec![renewed, lent]))
    }

    async fn forward(&self, (upload, progress): (Upload, Rc<Progress>), lent: &Lent) -> Result<Answered, ProxyError> {
        let method = self.permit.method();
        let empty = upload.is_end_stream();
        if matches!(*method, Method::GET | Method::HEAD) && !empty && upload.size_hint().exact().is_none() {
            // A body of unknown length with such a method is one that half of all servers do not look for.
            return Err(ProxyError::Gate(GateError::Framing));
        }
        let mut request = Request::new(upload);
        *request.method_mut() = method.clone();
        *request.uri_mut() = target(self.upstream, self.permit, self.query)?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers::outgoing(self.headers, self.upstream, lent);
        if empty && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
            // RFC 9110 §8.6: a method that could have a body says that there is none.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let sent = self.pool.send(self.upstream, request, &progress);
        let answered = in_time(self.upstream.response_timeout, &progress, sent).await;
        if matches!(answered, Err(ProxyError::Timeout)) {
            // A shared connection that has gone silent would time every later request out, too.
            self.pool.forget_shared();
        }
        let answered = answered?;
        if answered.response.status().is_informational() {
            return Err(ProxyError::Switched);
        }
        refuse_ambiguous(answered.response.headers())?;
        refuse_encoded(answered.response.headers())?;
        Ok(answered)
    }
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
