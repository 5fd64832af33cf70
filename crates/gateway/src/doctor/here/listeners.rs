//! Whether the gateway can listen where it is to, or already does.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;
use store::EmbeddedStore;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::super::report::{Finding, Report};
use crate::config::{Config, ProxyProtocol, StoreKind};
use crate::running::{self, Said, ask, reachable};

/// What a running gateway says of itself; `None` where none runs.
pub(super) async fn examine(report: &mut Report, config: &Config) -> Option<Said> {
    let listen = config.gateway.listen;
    let about = format!("listener {listen}");
    let mut running = None;
    if !answers(reachable(listen)).await {
        report.add(free(about, listen));
    } else if config.gateway.front.proxy_protocol == ProxyProtocol::Required {
        report.add(Finding::note(about, "something listens there, and speaks to proxies alone"));
    } else {
        let place = running::places(config).into_iter().next().unwrap_or_default();
        running = ready(&place).await;
        report.add(match &running {
            Some(_) if is_anothers(config) => {
                running = None;
                Finding::wrong(
                    about,
                    "a gateway with another configuration listens there: the store of this one is not in use; end it, or write another listen in \
                     [gateway]",
                )
            }
            Some(said) => taken(about, said),
            None => Finding::wrong(
                about,
                "something listens there that is no gateway with this configuration; end it, or write another listen in [gateway]",
            ),
        });
    }
    let operators = operators(report, config).await;
    running.or(operators)
}

/// An embedded store is held by the gateway that runs on it.
fn is_anothers(config: &Config) -> bool {
    matches!(config.store.kind, StoreKind::Embedded) && !EmbeddedStore::is_in_use(&config.store.path)
}

async fn operators(report: &mut Report, config: &Config) -> Option<Said> {
    let Some(listen) = config.admin.listen else {
        report.add(Finding::note("operators' listener", "is off: operators' commands do not work"));
        return None;
    };
    let place = running::operators(config);
    let said = match &place {
        Some(place) => ready(place).await,
        None => None,
    };
    let about = place.map_or_else(|| "operators' listener".to_owned(), |place| format!("operators' listener {place}"));
    let fixed = listen.port() != 0;
    let finding = match &said {
        Some(_) => Finding::well(about, "answers"),
        None if fixed && answers(reachable(listen)).await => {
            Finding::wrong(about, "something else listens there; end it, or write another listen in [admin]")
        }
        None if fixed => free(about, listen),
        None => Finding::note(about, "no gateway that runs here has told where; one that starts takes a free port"),
    };
    report.add(finding);
    said
}

/// The answer for probes of a gateway.
async fn ready(place: &str) -> Option<Said> {
    let said = ask(place, "/readyz", PATIENCE).await.ok()?;
    said.body.get("status").and_then(Value::as_str)?;
    Some(said)
}

fn taken(about: String, said: &Said) -> Finding {
    let word = |name: &str| said.body.get(name).and_then(Value::as_str).unwrap_or_default();
    match (said.status, word("status")) {
        (200, _) => Finding::well(about, "a gateway listens there, and takes work"),
        (_, "draining") => Finding::note(about, "a gateway listens there, and is about to end"),
        _ => {
            let missing: Vec<&str> = said
                .body
                .get("missing")
                .and_then(Value::as_array)
                .map_or_else(Vec::new, |missing| missing.iter().filter_map(Value::as_str).collect());
            Finding::wrong(
                about,
                format!(
                    "a gateway listens there, and takes no work: it lacks {}; look at that below",
                    missing.join(", ")
                ),
            )
        }
    }
}

async fn answers(address: SocketAddr) -> bool {
    matches!(timeout(PATIENCE, TcpStream::connect(address)).await, Ok(Ok(_)))
}

/// Listens for a moment, and lets go.
fn free(about: String, listen: SocketAddr) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => Finding::well(about, "is free; no gateway runs here now"),
        Err(error) => Finding::wrong(about, format!("cannot be taken: {error}; {}", remedy(&error))),
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "ports below 1024 want a right of their own (CAP_NET_BIND_SERVICE); grant it, or write a higher port"
        }
        ErrorKind::AddrNotAvailable => "this machine has no such address; write one of its own, or 0.0.0.0 for all",
        ErrorKind::AddrInUse => "something holds it; end that, or write another listen",
        _ => "write another listen",
    }
}

const PATIENCE: Duration = Duration::from_secs(3);
