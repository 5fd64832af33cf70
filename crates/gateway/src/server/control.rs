use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tower_service::Service;
use tracing::Instrument;

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

    /// Answers one request. Goes on when the client hangs up: a decision that was begun is finished.
    pub(crate) async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let mut router = self.router.clone();
        let answer = async move { Service::call(&mut router, request.map(Body::new)).await };
        match self.runtime.spawn(answer.in_current_span()).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(error) => {
                tracing::error!(error = %error, "a control-plane request ended by a panic");
                fault()
            }
        }
    }
}

fn fault() -> Response<Body> {
    let body = r#"{"code":"INTERNAL_ERROR","message":"The gateway failed at this request.","details":{"reason":"fault","hint":"Try again; tell the gateway's operator the request id."}}"#;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
