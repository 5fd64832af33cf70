use std::rc::Rc;
use std::time::Duration;

use broker::{Broker, Caller, Carrier, Lent};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use policy::Permit;

use crate::error::ProxyError;
use crate::expiry::{self, Verdict};
use crate::gate::GateError;
use crate::headers;
use crate::pool::Answered;
use crate::pools::{Place, Pools};
use crate::target::Target;
use crate::upload::{Progress, Repeat, Upload};
use crate::upstream::{BodyGuard, Upstream};
use crate::websocket::{self, Handshake};

/// A permitted request, all but its body and its credential.
pub(crate) struct Call<'a> {
    pub(crate) pools: &'a Pools,
    pub(crate) upstream: &'a Upstream,
    pub(crate) permit: &'a Permit,
    pub(crate) query: Option<&'a str>,
    /// As the agent sent them.
    pub(crate) headers: &'a HeaderMap,
    /// Where it asks for a WebSocket.
    pub(crate) handshake: Option<&'a Handshake>,
}

impl Call<'_> {
    /// Sends it with the lent credential, and waits for the head of the answer.
    ///
    /// An upstream that refuses the token no longer takes it, whatever it said about its life: it is renewed, and the request sent
    /// once more, where a second time does no more than the first (RFC 9110 §9.2.2) and its body is at hand. What comes back is every
    /// token that the answer could hold.
    pub(crate) async fn exchange(
        &self,
        broker: &Broker,
        caller: &Caller,
        body: Incoming,
        lent: Lent,
    ) -> Result<(Answered, Vec<Lent>), ProxyError> {
        let idempotent = self.permit.method().is_idempotent();
        // What an upstream refuses for its proof alone can be repeated whatever it is: nothing of it was done (RFC 9449 §9).
        let repeat = if idempotent || lent.is_bound() { Repeat::Perhaps } else { Repeat::Never };
        let (upload, sent) = Upload::new(body, repeat);
        let (mut answered, sent, proof) = self.presented(broker, caller, (upload, sent), &lent).await?;
        // A proof that is refused says nothing of the token.
        if proof == Proof::Another || self.verdict(&mut answered).await? != Verdict::Refused {
            return Ok((answered, vec![lent]));
        }
        let Some(body) = sent.copy().filter(|_| idempotent) else {
            // It gains nothing from a renewal, and waits for none: the agent's next one is served.
            broker.renew_behind(caller, &lent).await?;
            return Ok((answered, vec![lent]));
        };
        let Some(renewed) = broker.renew(caller, &lent).await? else { return Ok((answered, vec![lent])) };
        broker.still_may(caller, self.permit.scope()).await?;
        if let Some(connection) = answered.connection.filter(|_| answered.response.body().has_arrived()) {
            connection.give_back();
        }
        let (answered, ..) = self.presented(broker, caller, Upload::again(body), &renewed).await?;
        Ok((answered, vec![renewed, lent]))
    }

    /// Sends it; once more where the upstream wants another proof, and the body is at hand. One that cannot be sent again is answered as
    /// the upstream did; the agent's next one has the proof.
    async fn presented(
        &self,
        broker: &Broker,
        caller: &Caller,
        (upload, sent): (Upload, Rc<Progress>),
        lent: &Lent,
    ) -> Result<(Answered, Rc<Progress>, Proof), ProxyError> {
        let (answered, proof) = self.forward(broker, caller, upload, &sent, lent).await?;
        let Some(body) = sent.copy().filter(|_| proof == Proof::Another) else { return Ok((answered, sent, proof)) };
        if let Some(connection) = answered.connection.filter(|_| answered.response.body().is_end_stream()) {
            connection.give_back();
        }
        let (upload, sent) = Upload::again(body);
        let (answered, proof) = self.forward(broker, caller, upload, &sent, lent).await?;
        Ok((answered, sent, proof))
    }

    /// Whether the upstream refuses the token.
    async fn verdict(&self, answered: &mut Answered) -> Result<Verdict, ProxyError> {
        let signs = &self.upstream.expired;
        let response = &mut answered.response;
        let verdict = expiry::by_head(signs, response.status(), response.headers());
        if verdict != Verdict::Unread {
            return Ok(verdict);
        }
        let reading = response.body_mut().peek(MAX_READ);
        let read = tokio::time::timeout(self.upstream.response_timeout, reading).await;
        match read.map_err(|_| ProxyError::Timeout)? {
            Some(body) => {
                let body = body.map_err(ProxyError::Malformed)?;
                Ok(expiry::by_body(signs, response.status(), response.headers(), &body))
            }
            None => Ok(Verdict::Taken),
        }
    }

    async fn forward(
        &self,
        broker: &Broker,
        caller: &Caller,
        upload: Upload,
        progress: &Rc<Progress>,
        lent: &Lent,
    ) -> Result<(Answered, Proof), ProxyError> {
        let Place { pool, target } = self.pools.of(self.upstream, lent)?;
        let method = self.permit.method();
        let empty = upload.is_end_stream();
        if matches!(*method, Method::GET | Method::HEAD) && !empty && upload.size_hint().exact().is_none() {
            // A body of unknown length with such a method is one that half of all servers do not look for.
            return Err(ProxyError::Gate(GateError::Framing));
        }
        let mut request = Request::new(upload);
        *request.method_mut() = method.clone();
        let uri = self.uri(&target, lent)?;
        *request.uri_mut() = uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers::outgoing(self.headers, self.upstream, &target, lent);
        if let Some(proof) = broker.proof(caller, lent, method, &uri)? {
            request.headers_mut().insert("dpop", proof);
        }
        if empty && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
            // RFC 9110 §8.6: a method that could have a body says that there is none.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let offer = self.handshake.map(|handshake| handshake.offer(request.headers_mut())).transpose()?;
        let limit = self.upstream.connect_timeout;
        let sent = async {
            match offer {
                None => pool.send(&target, limit, request, progress).await,
                Some(_) => Box::pin(websocket::send(&target, limit, request)).await,
            }
        };
        let answered = in_time(self.upstream.response_timeout, progress, sent).await;
        if matches!(answered, Err(ProxyError::Timeout)) {
            // A shared connection that has gone silent would time every later request out, too.
            pool.forget_shared();
        }
        let answered = answered?;
        if answered.response.status().is_informational() {
            let (status, headers) = (answered.response.status(), answered.response.headers());
            offer.ok_or(ProxyError::Switched)?.check(status, headers)?;
            return Ok((answered, Proof::Enough));
        }
        refuse_ambiguous(answered.response.headers())?;
        if self.upstream.guard == BodyGuard::Mask {
            refuse_encoded(answered.response.headers())?;
        }
        let (status, headers) = (answered.response.status().as_u16(), answered.response.headers());
        let another = broker.wants_another_proof(caller, lent, &uri, status, headers);
        Ok((answered, if another { Proof::Another } else { Proof::Enough }))
    }

    /// Scheme and authority from the place, path from the permit, query as it came, with the credential at its end where it goes into
    /// one.
    fn uri(&self, target: &Target, lent: &Lent) -> Result<Uri, ProxyError> {
        let own = match lent.credential().carrier() {
            Carrier::Query(_, pair) => Some(pair.as_str()),
            Carrier::Header(..) => None,
        };
        let mut path = format!("{}{}", self.upstream.base_path, self.permit.path().as_str());
        let mut separator = '?';
        for part in self.query.into_iter().chain(own) {
            path.push(separator);
            path.push_str(part);
            separator = '&';
        }
        let path = PathAndQuery::try_from(path).map_err(|error| ProxyError::Unreachable(error.into()))?;
        let uri = Uri::builder().scheme(target.scheme()).authority(target.authority.as_bytes()).path_and_query(path);
        uri.build().map_err(|error| ProxyError::Unreachable(error.into()))
    }
}

/// What an answer says of the proof that went along.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Enough,
    /// It lacks what the answer says.
    Another,
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

/// The longest answer that is read before it is handed on.
const MAX_READ: u64 = 16 << 10;
