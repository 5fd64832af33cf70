//! The store and the keys to it: by the word of the gateway that runs, and else by looking.

use std::error::Error;
use std::time::Duration;

use protocol::Clock;
use secret::{KeyId, Opaque, SealingKey};
use serde_json::Value;
use store::{Durability, EmbeddedStore};
use tokio::time::timeout;

use super::super::report::{Finding, Report};
use crate::config::{Config, KeyPlace, StoreKind};
use crate::running::Said;
use crate::system::{SystemClock, SystemEntropy};
use crate::{ended, ground, keys};

pub(super) async fn examine(report: &mut Report, config: &Config, running: Option<&Said>) {
    if let Some(said) = running {
        return by_word(report, said);
    }
    let (finding, needed) = looked_at(config).await;
    report.add(finding);
    report.add(key(config, &needed));
}

/// What `/readyz` of the gateway that runs says.
fn by_word(report: &mut Report, said: &Said) {
    let word = |pointer: &str| said.body.pointer(pointer).and_then(Value::as_str).unwrap_or("unknown");
    report.add(match (word("/store/status"), word("/store/durability")) {
        ("ok", "best-effort") => Finding::note("store", BEST_EFFORT),
        ("ok", durability) => {
            Finding::well("store", format!("answers the gateway that runs; what it acknowledges is {durability}"))
        }
        _ => Finding::wrong(
            "store",
            "does not answer the gateway that runs; look at [store], and whether its Redis or its disk works",
        ),
    });
    report.add(match word("/keys/status") {
        "ok" => Finding::well("sealing keys", "open what is stored"),
        _ => Finding::wrong(
            "sealing keys",
            "some of what is stored is under a key that is not here; `ath-gateway keys status` says which",
        ),
    });
    report.add(match word("/audit/status") {
        "ok" => Finding::well("audit log", "is written"),
        _ => Finding::wrong(
            "audit log",
            "cannot be written, so that everything is refused; look at path in [audit] and at the disk",
        ),
    });
    report.add(match word("/journal/status") {
        "ok" => Finding::well("journal", "is written"),
        _ => Finding::note(
            "journal",
            "is off or fails: a crash at the wrong moment would cost a person's consent; look at journal in [store]",
        ),
    });
    let troubled = said.body.pointer("/providers").and_then(Value::as_array);
    for provider in troubled.into_iter().flatten() {
        let id = provider.get("id").and_then(Value::as_str).unwrap_or_default();
        let alarm = provider.pointer("/alarm/reason").and_then(Value::as_str);
        let says = match alarm {
            Some(reason) => format!("refuses the gateway's own client ({reason}); look at client_id and the secrets"),
            None => "failed again and again, and is left alone for a while".to_owned(),
        };
        report.add(Finding::wrong(format!("provider {id}, by the gateway that runs"), says));
    }
}

/// What the store is like, and the keys that its records are sealed with.
async fn looked_at(config: &Config) -> (Finding, Vec<KeyId>) {
    let data = &config.store.path;
    if matches!(config.store.kind, StoreKind::Embedded) {
        if EmbeddedStore::is_in_use(data) {
            let says = "is held by a process that does not answer; look which one it is";
            return (Finding::note("store", says), Vec::new());
        }
        if !data.join("gateway.redb").exists() {
            return (Finding::well("store", format!("is made in {} at the first start", data.display())), Vec::new());
        }
    }
    let instance = Opaque::generate("", &SystemEntropy);
    let begun = SystemClock.now();
    let asked = timeout(PATIENCE, async {
        let said = |error: &(dyn Error + 'static)| ended::sentence(error);
        let store = ground::open_store(&config.store, instance.expose()).await.map_err(|error| said(&error))?;
        let worth = store.health().await.map_err(|error| said(&error))?;
        let needed = broker::keys_needed(store.as_ref()).await.map_err(|error| said(&error))?;
        Ok::<_, String>((worth, needed))
    });
    match asked.await {
        Ok(Ok((Durability::BestEffort, needed))) => (Finding::note("store", BEST_EFFORT), needed),
        Ok(Ok((_, needed))) => {
            let took = SystemClock.now().as_millis().saturating_sub(begun.as_millis());
            let says = format!("answers (within {took} ms); what it acknowledges survives a crash");
            (Finding::well("store", says), needed)
        }
        Ok(Err(error)) => (Finding::wrong("store", format!("{error}; look at [store]")), Vec::new()),
        Err(_) => {
            let says = "does not answer in time; look at [store], and whether this machine may reach it";
            (Finding::wrong("store", says), Vec::new())
        }
    }
}

fn key(config: &Config, needed: &[KeyId]) -> Finding {
    let about = "sealing keys";
    let (there, says) = match &config.store.keys {
        KeyPlace::Given(given) => {
            let ids: Vec<KeyId> = given.iter().map(SealingKey::id).collect();
            let says = format!("{} named, and read", ids.len());
            (ids, says)
        }
        KeyPlace::File(path) if !path.exists() && has_store(config) => {
            let says = "is not there, and the store is: without it nothing in it can be read; put it back";
            return Finding::wrong(about, format!("{} {says}", path.display()));
        }
        KeyPlace::File(path) if !path.exists() => return Finding::well(about, "one is made at the first start"),
        KeyPlace::File(path) => match keys::ids(path) {
            Ok(ids) => {
                let says = format!("{} in {}", ids.len(), path.display());
                (ids, says)
            }
            Err(error) => return Finding::wrong(about, format!("{error}; put the right file back")),
        },
    };
    match needed.iter().find(|id| !there.contains(id)) {
        None => Finding::well(about, says),
        Some(id) => Finding::wrong(
            about,
            format!(
                "{says}; records of the store are sealed with key {id}, which is not among them: put it back, behind the key that seals"
            ),
        ),
    }
}

fn has_store(config: &Config) -> bool {
    matches!(config.store.kind, StoreKind::Embedded) && config.store.path.join("gateway.redb").exists()
}

const BEST_EFFORT: &str = "answers; what it acknowledges can be lost in a crash: appendonly yes and appendfsync always, or replicas and \
                           replicas_to_wait_for, make it durable";
const PATIENCE: Duration = Duration::from_secs(10);
