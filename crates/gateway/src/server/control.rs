use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use proxy::Inbound;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service;
use tracing::Instrument;

use crate::server::memory::Held;

/// The control plane's service, on its own runtime: a slow request there never holds a core up.
#[derive(Clone)]
pub(crate) struct Control {
    router: Router,
    runtime: Handle,
}

impl Control {
    pub(crate) fn new(router: Router, runtime: Handle) -> Self {
        Self { router, runtime }
    }

    /// Answers one request, and sees to it that nobody keeps or frames the answer, whatever it is.
    pub(super) async fn call(&self, request: Request<Inbound>, taken: Option<Held<'_>>) -> Response<Body> {
        let mut response = self.answer(request, taken).await;
        for (name, value) in GUARDS {
            response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
        }
        response
    }

    /// Answers one request: its body first, whole, small and in time; then the answer, which is finished even when the client hangs
    /// up, since a decision that was begun is one. A tool call ends with its client, as every call does.
    async fn answer(&self, request: Request<Inbound>, taken: Option<Held<'_>>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let form = Form::of(head.uri.path());
        // Kept for as long as the body is.
        let mut taken = taken;
        let body = match tokio::time::timeout(BODY_TIMEOUT, whole(body, taken.as_mut())).await {
            Ok(Ok(body)) => body,
            Ok(Err(unanswered)) => return form.refusal(unanswered),
            Err(_) => return form.refusal(Unanswered::Slow),
        };
        let is_tool_call = head.extensions.get::<mcp::Visit>().is_some();
        let mut router = self.router.clone();
        let answer = async move { Service::call(&mut router, Request::from_parts(head, Body::from(body))).await };
        let answering = self.runtime.spawn(answer.in_current_span());
        let answered = if is_tool_call { AbortOnDropHandle::new(answering).await } else { answering.await };
        match answered {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(error) => {
                tracing::error!(error = %error, "a control-plane request ended by a panic");
                form.refusal(Unanswered::Fault)
            }
        }
    }
}

/// Why no endpoint had its say.
enum Unanswered {
    /// The body is longer than any may be, or broke off.
    TooLarge,
    /// There is no memory for it.
    Full,
    /// It did not come in time.
    Slow,
    /// The endpoint failed.
    Fault,
}

/// How what is refused here is told.
#[derive(Clone, Copy)]
enum Form {
    /// As ATH 0.1 has it.
    Ath,
    /// As RFC 6749 §5.2 has it: OAuth clients read nothing else.
    OAuth,
    /// As JSON-RPC has it.
    Mcp,
}

impl Form {
    fn of(path: &str) -> Self {
        match path {
            path if path.starts_with("/oauth/") => Self::OAuth,
            path if path.trim_end_matches('/').ends_with("/mcp") => Self::Mcp,
            _ => Self::Ath,
        }
    }

    fn refusal(self, why: Unanswered) -> Response<Body> {
        match (self, why) {
            (Self::Ath, Unanswered::TooLarge) => api::Refusal::body_too_large().into_response(),
            (Self::Ath, Unanswered::Full) => api::Refusal::request_memory().into_response(),
            (Self::Ath, Unanswered::Slow) => api::Refusal::body_too_slow().into_response(),
            (Self::Ath, Unanswered::Fault) => api::Refusal::fault().into_response(),
            (Self::Mcp, Unanswered::TooLarge) => mcp::unread(mcp::Unread::TooLarge),
            (Self::Mcp, Unanswered::Full) => mcp::unread(mcp::Unread::Full),
            (Self::Mcp, Unanswered::Slow) => mcp::unread(mcp::Unread::Slow),
            (Self::Mcp, Unanswered::Fault) => mcp::unread(mcp::Unread::Fault),
            (Self::OAuth, Unanswered::TooLarge) => issuer::Refusal::body_too_large().into_response(),
            (Self::OAuth, Unanswered::Full) => issuer::Refusal::request_memory().into_response(),
            (Self::OAuth, Unanswered::Slow) => issuer::Refusal::body_too_slow().into_response(),
            (Self::OAuth, Unanswered::Fault) => issuer::Refusal::fault().into_response(),
        }
    }
}

/// All of a body, in one piece however many it came in.
async fn whole(mut body: Inbound, mut taken: Option<&mut Held<'_>>) -> Result<Bytes, Unanswered> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unanswered::TooLarge)?.into_data() else { continue };
        if whole.len() + data.len() > BODY_LIMIT {
            return Err(Unanswered::TooLarge);
        }
        if let Some(taken) = &mut taken {
            taken.grow(data.len()).map_err(|_| Unanswered::Full)?;
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Pages say more of themselves; a style sheet may be kept.
const GUARDS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::REFERRER_POLICY, "no-referrer"),
];

const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Above the limit of every endpoint, whose own refusal says more.
const BODY_LIMIT: usize = 256 * 1024;
