use std::time::Duration;

use api::Refusal;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use proxy::Inbound;
use tokio::runtime::Handle;
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
    /// up, since a decision that was begun is one.
    async fn answer(&self, request: Request<Inbound>, taken: Option<Held<'_>>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let body = match tokio::time::timeout(BODY_TIMEOUT, whole(body, taken)).await {
            Ok(Ok(body)) => body,
            Ok(Err(Unread::TooLarge)) => return Refusal::body_too_large().into_response(),
            Ok(Err(Unread::Full)) => return Refusal::request_memory().into_response(),
            Err(_) => return Refusal::body_too_slow().into_response(),
        };
        let mut router = self.router.clone();
        let answer = async move { Service::call(&mut router, Request::from_parts(head, Body::from(body))).await };
        match self.runtime.spawn(answer.in_current_span()).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(error) => {
                tracing::error!(error = %error, "a control-plane request ended by a panic");
                Refusal::fault().into_response()
            }
        }
    }
}

/// Why a body was not read to its end.
enum Unread {
    /// It is longer than any may be, or broke off.
    TooLarge,
    /// There is no memory for it.
    Full,
}

/// All of a body, in one piece however many it came in.
async fn whole(mut body: Inbound, mut taken: Option<Held<'_>>) -> Result<Bytes, Unread> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::TooLarge)?.into_data() else { continue };
        if whole.len() + data.len() > BODY_LIMIT {
            return Err(Unread::TooLarge);
        }
        if let Some(taken) = &mut taken {
            taken.grow(data.len()).map_err(|_| Unread::Full)?;
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
