//! Which path leads where, and how the helpdesk is served.

use std::{
    future::{Future, IntoFuture},
    io,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{any, get, post},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    attachments, authorize, control, device, echo,
    error::Error,
    events, names, openapi, recorder, revoke, skill,
    state::Helpdesk,
    tickets, token, userinfo,
    wire::{Wire, WiredListener},
};

impl Helpdesk {
    /// The helpdesk as its users and clients see it.
    pub fn router(&self) -> Router {
        self.routes().with_state(self.clone())
    }

    /// The same with `/_control/`, where anybody may read every credential and change every switch: for tests that run
    /// the helpdesk as a process of its own.
    pub fn router_with_control(&self) -> Router {
        self.routes().merge(control::routes()).with_state(self.clone())
    }

    /// Answers connections until `shutdown` completes, under the machine's own names. What is still running then has a second to end.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        serve(self.router().layer(middleware::from_fn(names::loopback_alone)), listener, shutdown).await
    }

    /// As [`Helpdesk::serve`], with the routes of [`Helpdesk::router_with_control`].
    pub async fn serve_with_control(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        serve(self.router_with_control().layer(middleware::from_fn(names::loopback_alone)), listener, shutdown).await
    }

    fn routes(&self) -> Router<Self> {
        let oauth = Router::new()
            .route("/health", get(health))
            .route("/openapi.json", get(openapi::get))
            .route("/skill.md", get(skill::get))
            .route("/authorize", get(authorize::get).post(authorize::post))
            .route("/login", post(authorize::login))
            .route("/logout", post(authorize::logout))
            .route("/consent", post(authorize::consent))
            .route("/token", post(token::post))
            .route("/revoke", post(revoke::post))
            .route("/device", post(device::post))
            .route("/userinfo", get(userinfo::get));
        let attachment = get(attachments::get).put(attachments::put).post(attachments::put);
        let api = Router::new()
            .route("/tickets", get(tickets::list).post(tickets::create))
            .route("/tickets/events", get(events::get))
            .route("/tickets/{id}", get(tickets::read).patch(tickets::change))
            .route("/tickets/{id}/attachments/{name}", attachment)
            .route("/echo", any(echo::any).layer(DefaultBodyLimit::max(ECHO_BYTES)))
            .fallback(async || Error::NotFound)
            .method_not_allowed_fallback(async || Error::MethodNotAllowed)
            .layer(middleware::from_fn_with_state(self.clone(), recorder::record));
        oauth.merge(api).layer(DefaultBodyLimit::max(BODY_BYTES))
    }
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "service": "acme-helpdesk" }))
}

async fn serve(
    router: Router,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let service = router.into_make_service_with_connect_info::<Wire>();
    let (stop, stopping) = oneshot::channel();
    let signal = async move {
        shutdown.await;
        drop(stop);
    };
    let grace = async {
        let _: Result<(), _> = stopping.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        result = axum::serve(WiredListener(listener), service).with_graceful_shutdown(signal).into_future() => result,
        () = grace => Ok(()),
    }
}

/// The largest form or JSON body.
const BODY_BYTES: usize = 64 * 1024;

/// The largest body that `/echo` reflects.
const ECHO_BYTES: usize = 1024 * 1024;

/// Event streams never end by themselves; this is how long a shutdown waits for them.
const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;
    use crate::testing::Desk;

    #[tokio::test]
    async fn it_is_healthy() {
        let answer = Desk::new().get("/health").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json(), json!({ "status": "ok", "service": "acme-helpdesk" }));
    }

    #[tokio::test]
    async fn what_does_not_exist_is_said_in_json() {
        let desk = Desk::new();
        let answer = desk.get("/nothing").await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json(), json!({ "error": "not_found", "error_description": "There is nothing here." }));
        assert_eq!(desk.get("/tickets/").await.status, 404);
        let token = desk.access_token("alice@acme.test", "write:tickets").await;
        let answer = desk.api("DELETE", "/tickets/1", &token, "").await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.json()["error"], "method_not_allowed");
    }

    #[tokio::test]
    async fn it_serves_a_listener_until_it_is_told_to_stop() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(Desk::new().helpdesk.serve(listener, async { drop(stopped.await) }));

        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with(r#"{"service":"acme-helpdesk","status":"ok"}"#), "{answer}");

        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn an_open_event_stream_does_not_hold_up_a_shutdown() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", "read:tickets").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(desk.helpdesk.serve(listener, async { drop(stopped.await) }));

        let mut stream = TcpStream::connect(address).await.unwrap();
        let request =
            format!("GET /tickets/events HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 15];
        stream.read_exact(&mut status).await.unwrap();
        assert_eq!(&status, b"HTTP/1.1 200 OK");

        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    }
}
