//! The demonstration agent's own little site: its identity document, and where the browser comes back to.

use std::sync::Arc;

use axum::extract::{RawQuery, Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::demo::Failure;
use crate::demo::agent::Agent;

/// Serves the agent's site until `shutdown`.
pub(crate) async fn serve(listener: TcpListener, agent: Arc<Agent>, shutdown: CancellationToken) {
    let router = Router::new()
        .route("/agent.json", get(identity))
        .route("/", get(begin))
        .route("/callback", get(callback))
        .layer(from_fn(by_its_own_name))
        .with_state(agent);
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await {
        eprintln!("the demonstration agent's site ended: {error}");
    }
}

/// A page whose name was made to resolve to loopback is shown nothing (DNS rebinding).
async fn by_its_own_name(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost") {
        return next.run(request).await;
    }
    page(StatusCode::MISDIRECTED_REQUEST, "This is a demonstration on 127.0.0.1; call it there.")
}

async fn identity(State(agent): State<Arc<Agent>>) -> Response {
    match agent.identity_document() {
        Ok(document) => Json(document).into_response(),
        Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Begins: the agent registers once, then sends the browser to the gateway's consent page.
async fn begin(State(agent): State<Arc<Agent>>) -> Response {
    match consent_url(&agent).await {
        Ok(url) => Redirect::to(&url).into_response(),
        Err(error) => page(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

async fn consent_url(agent: &Agent) -> Result<String, Failure> {
    if !agent.is_registered() {
        let answer = agent.register().await?;
        if answer.status != StatusCode::CREATED {
            return Err(answer.text("/message").into());
        }
    }
    let answer = agent.authorize(&["read:tickets", "write:tickets"]).await?;
    match answer.status {
        StatusCode::OK => Ok(answer.text("/authorization_url")),
        _ => Err(answer.text("/message").into()),
    }
}

/// The end of the consent: a code, or a refusal.
async fn callback(State(agent): State<Arc<Agent>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let code =
        form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code").map(|(_, code)| code.into_owned());
    let Some(code) = code else { return page(StatusCode::OK, "You refused. The agent got nothing.") };
    match agent.exchange(&code).await {
        Ok(answer) if answer.status == StatusCode::OK => page(StatusCode::OK, &allowed(&agent, &answer.json())),
        Ok(answer) => page(StatusCode::BAD_GATEWAY, &answer.text("/message")),
        Err(error) => page(StatusCode::BAD_GATEWAY, &error.to_string()),
    }
}

fn allowed(agent: &Agent, answer: &Value) -> String {
    let token = agent.token().unwrap_or_default();
    let base = agent.proxy_url();
    format!(
        "The agent got an ATH token for {}, and no token of the helpdesk's. Call the API as the agent does:\n\n\
         curl -s {base}/tickets \\\n  -H 'Authorization: Bearer {token}' \\\n  -H 'X-ATH-Agent-ID: {}'\n\n\
         And something it may not do:\n\n\
         curl -s -X DELETE {base}/tickets/1 \\\n  -H 'Authorization: Bearer {token}' \\\n  -H 'X-ATH-Agent-ID: {}'\n",
        answer.get("effective_scopes").unwrap_or(&Value::Null),
        agent.id(),
        agent.id(),
    )
}

fn page(status: StatusCode, text: &str) -> Response {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Ticket Helper</title>\
         <body style=\"font:1rem/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem\">\
         <h1>Ticket Helper</h1><pre style=\"white-space:pre-wrap;overflow-wrap:anywhere\">{escaped}</pre></body></html>"
    );
    (status, Html(html)).into_response()
}
