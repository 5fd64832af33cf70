//! The operators' door: a listener of its own, on loopback unless the configuration says otherwise, and a key for whoever comes in.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, header};
use metrics::{Metrics, Readings};
use protocol::{Origin, RequestId};
use proxy::Stage;
use secret::{Entropy, Opaque, SecretHash};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::access_log::AccessLog;
use crate::config::{AdminConfig, MetricsDoor};
use crate::ground::Ground;
use crate::reload::{Refused, Wish};
use crate::server::availability;
use crate::system::SystemEntropy;
use crate::wiring::Generation;
use crate::{private_file, process};

/// Where the commands find the running gateway; in the data folder, readable by its owner alone.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Whereabouts {
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
}

/// Serves operators until shutdown. Where nothing is said of a key, and none can be kept, there is no such door.
pub(crate) async fn start(config: &AdminConfig, data: &Path, seen: Seen, shutdown: CancellationToken) {
    let Some(listen) = config.listen else { return };
    let key = match &config.key {
        Some(key) => key.clone(),
        None => match made_key(data) {
            Ok(key) => key,
            Err(error) => {
                tracing::warn!(error = %error, "no admin key can be kept in {}: operators' commands do not work", data.display());
                return;
            }
        },
    };
    let listener = match TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(error = %error, %listen, "nobody listens for operators' commands");
            return;
        }
    };
    let Ok(address) = listener.local_addr() else { return };
    let whereabouts = Whereabouts { url: format!("http://{address}") };
    let text = serde_json::to_string(&whereabouts).unwrap_or_default();
    if let Err(error) = private_file::replace(&data.join(WHEREABOUTS), &text) {
        tracing::warn!(error = %error, "admin.json was not written: name the address in [admin] for operators' commands");
    }
    tracing::info!(%address, "operators' commands are listened for");
    let door = Door { key: SecretHash::of(&key), address, seen, metrics: config.metrics };
    tokio::spawn(async move {
        let service = router(door).into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned());
        if let Err(error) = served.await {
            tracing::error!(error = %error, "operators' commands are no longer listened for");
        }
    });
}

/// The key in the data folder, made where there is none.
fn made_key(data: &Path) -> io::Result<Zeroizing<String>> {
    let path = data.join(KEY);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() < SHORTEST_KEY => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "admin.key is shorter than 32 bytes: remove it, and another is made",
        )),
        Ok(text) => Ok(Zeroizing::new(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = Opaque::generate("ath_admin_", &SystemEntropy);
            match private_file::make(&path, key.expose()) {
                // Another gateway of this folder was faster: its key is the folder's.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => made_key(data),
                made => made.map(|()| Zeroizing::new(key.expose().to_owned())),
            }
        }
        Err(error) => Err(error),
    }
}

#[derive(Clone)]
struct Door {
    /// As it was at the start.
    key: SecretHash,
    address: SocketAddr,
    seen: Seen,
    metrics: MetricsDoor,
}

impl Door {
    /// The configuration that holds.
    fn present(&self) -> Arc<Generation> {
        self.seen.holds.borrow().clone()
    }

    fn is_key(&self, presented: &str) -> bool {
        let present = self.present();
        present.admin_key.as_ref().map_or(self.key, |key| SecretHash::of(key)).matches(presented)
    }
}

/// What of the gateway is shown here.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) holds: watch::Receiver<Arc<Generation>>,
    pub(crate) ground: Arc<Ground>,
    /// Where another configuration is asked for; nowhere, where there is no file of it.
    pub(crate) reload: Option<mpsc::Sender<Wish>>,
}

fn router(door: Door) -> Router {
    let door = Arc::new(door);
    let page = Router::new().route("/metrics", get(metrics)).with_state(door.clone());
    let (closed, open) = match door.metrics {
        MetricsDoor::Key => (page, Router::new()),
        MetricsDoor::Open => (Router::new(), page.layer(from_fn_with_state(door.clone(), called_by_its_name))),
    };
    let own = Router::new().route("/admin/configuration/reload", post(reload)).with_state(door.clone());
    let commands = api::admin_router().merge(own).merge(closed).layer(from_fn_with_state(door.clone(), admitted));
    // Probes have no key: they read, and are told nothing that is secret.
    api::health_router().layer(from_fn_with_state(door, probed)).merge(open).fallback_service(commands)
}

/// Everything that is counted, for Prometheus.
async fn metrics(State(door): State<Arc<Door>>) -> Response {
    let (ground, present) = (&door.seen.ground, door.present());
    let (traces_dropped, logs_dropped) = ground.telemetry.dropped();
    let readings = Readings {
        version: env!("CARGO_PKG_VERSION"),
        audit_waiting: u64::try_from(present.parts.broker.audit_waiting()).unwrap_or(u64::MAX),
        access_log_lost: ground.access_log.as_ref().map_or(0, AccessLog::lost),
        traces_dropped,
        logs_dropped,
        draining: ground.drain.has_reached(Stage::Leaving),
        process: process::reading(),
    };
    match ground.metrics.page(readings) {
        Ok(page) => ([(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)], page).into_response(),
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "fault", "The metrics cannot be written.", "Try again."),
    }
}

/// Reads the configuration again, and answers when it holds, or why it does not.
async fn reload(State(door): State<Arc<Door>>) -> Response {
    let Some(reload) = &door.seen.reload else {
        let hint = "Start the gateway with --config.";
        return refused(StatusCode::CONFLICT, "no_file", "This gateway runs without a configuration file.", hint);
    };
    let (wish, outcome) = oneshot::channel();
    if reload.send(wish).await.is_err() {
        let hint = "Ask the gateway that takes its place.";
        return refused(StatusCode::SERVICE_UNAVAILABLE, "leaving", "The gateway is about to end.", hint);
    }
    let outcome = outcome.await.unwrap_or(Err(Refused::Lost));
    match outcome {
        Ok(changes) => axum::Json(json!({"status": "reloaded", "providers": changes})).into_response(),
        Err(error) => {
            let message = format!("{error}: the one before it goes on.");
            let details = json!({"reason": "configuration", "hint": error.remedy(), "problems": error.problems()});
            let body = json!({"code": "INTERNAL_ERROR", "message": message, "details": details});
            (StatusCode::UNPROCESSABLE_ENTITY, axum::Json(body)).into_response()
        }
    }
}

async fn probed(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(door.present().parts.broker.clone());
    request.extensions_mut().insert(availability(&door.seen.ground.drain));
    next.run(request).await
}

/// Without a key, too, no page reads by a name of its own what is for the network alone (DNS rebinding).
async fn called_by_its_name(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if is_own_host(request.headers(), &door) { next.run(request).await } else { misdirected() }
}

/// Lets in whoever has the key; and no browser, whatever page it is on (DNS rebinding, forged requests).
async fn admitted(
    State(door): State<Arc<Door>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    if !is_own_host(headers, &door) {
        return misdirected();
    }
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        let hint = "Use the `ath-gateway` command, or any client that is no browser.";
        return refused(StatusCode::FORBIDDEN, "browser", "Browsers are not served here.", hint);
    }
    if !bearer(headers).is_some_and(|presented| door.is_key(presented)) {
        let hint = "Send `Authorization: Bearer <admin key>`; the key is in admin.key of the data folder, or where [admin] says.";
        return refused(StatusCode::UNAUTHORIZED, "admin_key", "The admin key is missing or wrong.", hint);
    }
    let mut id = [0u8; 8];
    SystemEntropy.fill(&mut id);
    let origin = Origin::new(RequestId::new(u64::from_ne_bytes(id)), peer.ip());
    request.extensions_mut().insert(door.present().parts.broker.asked_by(origin));
    // A decision that was begun is one, also when the command that asked for it has gone.
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(error = %error, "an operator's request ended by a panic");
            let hint = "Try again, and look at the gateway's log.";
            refused(StatusCode::INTERNAL_SERVER_ERROR, "fault", "The gateway failed at this request.", hint)
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    value.to_str().ok()?.strip_prefix("Bearer ")
}

fn is_own_host(headers: &HeaderMap, door: &Door) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let port = door.address.port();
    let own =
        [door.address.to_string(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")];
    // Bound to every address, it is called by each of them; a name of somebody else's is none.
    let literal =
        door.address.ip().is_unspecified() && host.parse::<Authority>().is_ok_and(|host| is_address(host.host()));
    own.iter().any(|own| own == host) || literal || door.present().hosts.is_named(host)
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

fn misdirected() -> Response {
    let hint = "Ask for the address and port that the gateway listens on for operators; another name of it stands in hosts of [gateway].";
    refused(StatusCode::MISDIRECTED_REQUEST, "misdirected", "This listener has another name.", hint)
}

fn refused(status: StatusCode, reason: &str, message: &str, hint: &str) -> Response {
    let body = json!({"code": "INTERNAL_ERROR", "message": message, "details": {"reason": reason, "hint": hint}});
    (status, axum::Json(body)).into_response()
}

/// Takes back where the gateway is found: another program may listen there next.
pub(crate) fn leave(data: &Path) {
    if let Err(error) = fs::remove_file(data.join(WHEREABOUTS)) {
        tracing::debug!(error = %error, "admin.json was not removed");
    }
}

/// As for a key that the configuration names.
const SHORTEST_KEY: usize = 32;
pub(crate) const WHEREABOUTS: &str = "admin.json";
pub(crate) const KEY: &str = "admin.key";
