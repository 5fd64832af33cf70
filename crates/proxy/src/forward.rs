use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use broker::{Carrier, Lent};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use policy::Permit;
use tracing::Instrument;

use crate::body::Download;
use crate::error::ProxyError;
use crate::expiry::{self, Verdict};
use crate::gate::GateError;
use crate::grpc::{self, Dialect};
use crate::guard::Lents;
use crate::headers;
use crate::inbound::Inbound;
use crate::owner::Owner;
use crate::pace::Pace;
use crate::pools::{Place, Pools};
use crate::target::Target;
use crate::upload::{Progress, Repeat, Trailers, Turn, Upload};
use crate::upstream::Upstream;
use crate::watch::Watch;
use crate::websocket::{self, Handshake};

/// A permitted request, all but its body and its credential.
pub(crate) struct Call<'a> {
    pub(crate) pools: &'a Pools,
    pub(crate) upstream: &'a Upstream,
    pub(crate) permit: &'a Permit<'a>,
    pub(crate) query: Option<&'a str>,
    /// What goes on of the agent's, and what the configuration sets.
    pub(crate) headers: HeaderMap,
    pub(crate) watch: &'a Watch,
    pub(crate) pace: Pace,
    pub(crate) dialect: Dialect,
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
        body: Inbound,
        lent: Rc<Lent>,
        begun: Instant,
    ) -> Result<(Response<Download>, Lents), ProxyError> {
        let idempotent = self.permit.method().is_idempotent();
        // What an upstream refuses for its proof alone can be repeated whatever it is: nothing of it was done (RFC 9449 §9).
        let repeat = if idempotent || lent.is_bound() || self.refuses_before_it_acts() {
            Repeat::Perhaps
        } else {
            Repeat::Never
        };
        let (upload, sent) = Upload::new(body, repeat, begun);
        let (mut answered, sent, proof) = self.presented((upload, sent), &lent).await?;
        // A proof that is refused says nothing of the token.
        if proof == Proof::Another || self.verdict(&mut answered).await? != Verdict::Refused {
            return Ok((answered, Lents { lent, refused: None }));
        }
        Box::pin(self.exchange_again(answered, &sent, lent).instrument(self.watch.named())).await
    }

    /// An MCP server looks at the token of each request before anything else (its authorization is the transport's), so that one which it
    /// refuses did nothing.
    fn refuses_before_it_acts(&self) -> bool {
        self.upstream.mcp.is_some()
    }

    /// The upstream has refused the token.
    async fn exchange_again(
        &self,
        answered: Response<Download>,
        sent: &Progress,
        refused: Rc<Lent>,
    ) -> Result<(Response<Download>, Lents), ProxyError> {
        let (broker, caller) = (self.watch.broker(), self.watch.caller());
        let repeats = self.permit.method().is_idempotent() || self.refuses_before_it_acts();
        let Some(body) = sent.copy().filter(|_| repeats) else {
            // It gains nothing from a renewal, and waits for none: the agent's next one is served.
            broker.renew_behind(caller, &refused).await?;
            return Ok((answered, Lents { lent: refused, refused: None }));
        };
        let Some(renewed) = broker.renew(caller, &refused).await? else {
            return Ok((answered, Lents { lent: refused, refused: None }));
        };
        let renewed = Rc::new(renewed);
        broker.still_may(caller, self.permit.scope()).await?;
        drop(answered);
        let (answered, ..) = self.presented(Upload::again(body), &renewed).await?;
        Ok((answered, Lents { lent: renewed, refused: Some(refused) }))
    }

    /// Sends it; once more where the upstream wants another proof, and the body is at hand. One that cannot be sent again is answered as
    /// the upstream did; the agent's next one has the proof.
    async fn presented(
        &self,
        (upload, sent): (Upload, Rc<Progress>),
        lent: &Lent,
    ) -> Result<(Response<Download>, Rc<Progress>, Proof), ProxyError> {
        let (answered, sent, proof) = self.sent_on((upload, sent), lent).await?;
        let Some(body) = sent.copy().filter(|_| proof == Proof::Another) else { return Ok((answered, sent, proof)) };
        drop(answered);
        Box::pin(self.sent_on(Upload::again(body), lent)).await
    }

    /// Sends it; again where the upstream says that it has done nothing with it, on another connection.
    async fn sent_on(
        &self,
        (upload, sent): (Upload, Rc<Progress>),
        lent: &Lent,
    ) -> Result<(Response<Download>, Rc<Progress>, Proof), ProxyError> {
        match self.forward(upload, &sent, lent).await {
            Ok((answered, proof)) => Ok((answered, sent, proof)),
            Err(error @ ProxyError::Untouched(_)) => Box::pin(self.sent_again(error, sent, lent)).await,
            Err(error) => Err(error),
        }
    }

    async fn sent_again(
        &self,
        error: ProxyError,
        sent: Rc<Progress>,
        lent: &Lent,
    ) -> Result<(Response<Download>, Rc<Progress>, Proof), ProxyError> {
        let (mut error, mut sent) = (error, sent);
        for _ in 1..ATTEMPTS {
            let upload;
            (upload, sent) = sent.begun_again().ok_or(error)?;
            match self.forward(upload, &sent, lent).await {
                Ok((answered, proof)) => return Ok((answered, sent, proof)),
                Err(again @ ProxyError::Untouched(_)) => error = again,
                Err(error) => return Err(error),
            }
        }
        Err(error)
    }

    /// Whether the upstream refuses the token.
    async fn verdict(&self, answered: &mut Response<Download>) -> Result<Verdict, ProxyError> {
        let signs = &self.upstream.expired;
        let response = answered;
        if self.dialect == Dialect::Grpc && grpc::is_unauthenticated(response.headers()) {
            return Ok(expiry::by_head(signs, StatusCode::UNAUTHORIZED, response.headers()));
        }
        let verdict = expiry::by_head(signs, response.status(), response.headers());
        if verdict != Verdict::Unread {
            return Ok(verdict);
        }
        let reading = response.body_mut().peek(MAX_READ);
        let read = Box::pin(tokio::time::timeout(self.upstream.response_timeout, reading)).await;
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
        upload: Upload,
        progress: &Rc<Progress>,
        lent: &Lent,
    ) -> Result<(Response<Download>, Proof), ProxyError> {
        let (broker, caller) = (self.watch.near().broker(), self.watch.caller());
        let Place { pool, target } = self.pools.of(self.upstream, lent)?;
        let method = self.permit.method();
        let empty = upload.is_end_stream();
        if matches!(*method, Method::GET | Method::HEAD) && !empty && upload.size_hint().exact().is_none() {
            // A body of unknown length with such a method is one that half of all servers do not look for.
            return Err(ProxyError::Gate(GateError::Framing));
        }
        let upload = match (self.dialect, lent.credential().carrier()) {
            (Dialect::Http, _) => upload,
            (Dialect::Grpc, Carrier::Header(name, _)) => upload.with_trailers(Trailers::Pass(Some(name.clone()))),
            (Dialect::Grpc, Carrier::Query(..) | Carrier::Nothing) => upload.with_trailers(Trailers::Pass(None)),
        };
        // Boxed: it goes through many hands.
        let mut request = Box::new(Request::new(upload));
        *request.method_mut() = method.clone();
        let path = self.path(lent)?;
        *request.uri_mut() = Uri::from(path.clone());
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers::outgoing(self.headers.clone(), self.upstream, &target, lent);
        if self.dialect == Dialect::Grpc {
            grpc::outgoing(request.headers_mut(), self.upstream.guard);
        }
        // A proof is for the whole URI; nobody else asks for one.
        let bound = if lent.is_bound() { Some(absolute(&target, path)?) } else { None };
        if let Some(uri) = &bound
            && let Some(proof) = broker.proof(caller, lent, method, uri)?
        {
            request.headers_mut().insert("dpop", proof);
        }
        if empty && matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
            // RFC 9110 §8.6: a method that could have a body says that there is none.
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let offer = self.handshake.map(|handshake| handshake.offer(request.headers_mut())).transpose()?;
        let limit = self.upstream.connect_timeout;
        let owner = Owner::of(caller, self.upstream.connections);
        let sent = async {
            match &offer {
                None => pool.send((&target, owner), limit, request, progress).await,
                Some(_) => Box::pin(websocket::send(&target, limit, *request)).await,
            }
        };
        let limit = self.upstream.response_timeout;
        let limits = Limits { answer: limit, pace: self.pace, dialect: self.dialect };
        let answered = { in_time(self.watch, limits, progress, pin!(sent)).await };
        if matches!(answered, Err(ProxyError::Timeout)) {
            // A shared connection that has gone silent would time every later request out, too.
            pool.forget_silent(self.upstream.response_timeout);
        }
        let answered = answered?;
        if answered.status().is_informational() {
            let (status, headers) = (answered.status(), answered.headers());
            offer.ok_or(ProxyError::Switched)?.check(status, headers)?;
            return Ok((answered, Proof::Enough));
        }
        refuse_ambiguous(answered.headers())?;
        if self.upstream.guard.reads() {
            refuse_encoded(answered.headers())?;
            if self.dialect == Dialect::Grpc && grpc::is_compressed(answered.headers()) {
                return Err(ProxyError::Encoded);
            }
        }
        let (status, headers) = (answered.status().as_u16(), answered.headers());
        let another = bound.is_some_and(|uri| broker.wants_another_proof(caller, lent, &uri, status, headers));
        Ok((answered, if another { Proof::Another } else { Proof::Enough }))
    }

    /// The path from the permit, the query as it came, with the credential at its end where it goes into one.
    fn path(&self, lent: &Lent) -> Result<PathAndQuery, ProxyError> {
        let own = match lent.credential().carrier() {
            Carrier::Query(_, pair) => Some(pair.as_str()),
            Carrier::Header(..) | Carrier::Nothing => None,
        };
        let (base, path) = (&self.upstream.base_path, self.permit.path().as_str());
        let parts = [self.query, own];
        let length = parts.iter().flatten().map(|part| part.len() + 1).sum::<usize>();
        let mut whole = String::with_capacity(base.len() + path.len() + length);
        whole.push_str(base);
        whole.push_str(path);
        let mut separator = '?';
        for part in parts.into_iter().flatten() {
            whole.push(separator);
            whole.push_str(part);
            separator = '&';
        }
        PathAndQuery::try_from(whole).map_err(|error| ProxyError::Unreachable(error.into()))
    }
}

/// Scheme and authority come from the place.
fn absolute(target: &Target, path: PathAndQuery) -> Result<Uri, ProxyError> {
    let uri = Uri::builder().scheme(target.scheme()).authority(target.authority.as_bytes()).path_and_query(path);
    uri.build().map_err(|error| ProxyError::Unreachable(error.into()))
}

/// What an answer says of the proof that went along.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Enough,
    /// It lacks what the answer says.
    Another,
}

/// What an answer may take.
#[derive(Clone, Copy)]
struct Limits {
    answer: Duration,
    pace: Pace,
    dialect: Dialect,
}

impl Limits {
    /// When to look again; or what is over.
    fn next(self, upload: &Progress, now: Instant) -> Result<Instant, ProxyError> {
        let due = upload.moved() + self.answer;
        let agents_turn = !upload.is_done() && upload.turn() == Turn::Agent;
        if self.dialect == Dialect::Grpc {
            let due = if agents_turn { now + self.answer } else { due };
            return if due <= now { Err(ProxyError::Timeout) } else { Ok(due) };
        }
        if !agents_turn {
            let next = if upload.is_done() { due } else { due.min(now + self.pace.window()) };
            return if due <= now { Err(ProxyError::Timeout) } else { Ok(next) };
        }
        // Whoever is waited for is the agent, whose body has a clock of its own.
        upload.check(self.pace, now).ok_or(ProxyError::Slow)
    }
}

/// The clock of the answer runs from the last piece of the request that was taken: a long upload is no slow upstream, nor is a gRPC
/// stream whose agent says nothing for a while.
async fn in_time(
    watch: &Watch,
    limits: Limits,
    upload: &Progress,
    mut answer: Pin<&mut impl Future<Output = Result<Response<Download>, ProxyError>>>,
) -> Result<Response<Download>, ProxyError> {
    let first = upload.moved() + if upload.is_done() { limits.answer } else { limits.answer.min(limits.pace.window()) };
    watch.set_due(Some(first));
    let answered = poll_fn(|context| {
        if let Poll::Ready(answered) = answer.as_mut().poll(context) {
            return Poll::Ready(answered);
        }
        if watch.is_due() {
            match limits.next(upload, Instant::now()) {
                Ok(due) => watch.set_due(Some(due)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Pending
    });
    let answered = answered.await;
    watch.set_due(None);
    answered
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

/// How often a request is sent that the upstream says it has done nothing with.
const ATTEMPTS: usize = 4;
/// The longest answer that is read before it is handed on.
const MAX_READ: u64 = 16 << 10;
