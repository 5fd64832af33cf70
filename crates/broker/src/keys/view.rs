use std::collections::BTreeMap;

use secret::KeyId;
use serde::Serialize;

use super::KeyOwner;
use super::keeper::GRACE;
use super::marks::Mark;
use super::rotation::{Phase, Rotation};
use crate::{Broker, BrokerError};

/// The sealing keys, as an operator sees them. Nothing of the keys themselves.
#[derive(Debug, Serialize)]
pub struct KeysView {
    /// Every key that is in this gateway's ring, or that records need.
    pub keys: Vec<KeyView>,
    /// The gateways that run on the store.
    pub gateways: Vec<GatewayView>,
    /// How far the moving of records has come in this gateway.
    pub rotation: RotationView,
    /// Records that do not open although their key is here.
    pub unreadable: u64,
    /// `gateway` where the gateway changes its keys itself, `operator` where the configuration names them.
    pub owner: &'static str,
}

/// One key.
#[derive(Debug, Serialize)]
pub struct KeyView {
    /// Its name.
    pub key_id: String,
    /// Whether this gateway seals with it.
    pub seals: bool,
    /// Whether this gateway opens with it.
    pub held: bool,
    /// How many records are under it.
    pub records: u64,
    /// `in_use`, `leaving`, `empty` (nothing is under it, and it may be removed at `removable_from`), `unused` (it may be removed), or
    /// `missing`.
    pub state: &'static str,
    /// RFC 3339.
    pub removable_from: Option<String>,
}

/// One gateway.
#[derive(Debug, Serialize)]
pub struct GatewayView {
    /// Its name until it is started again.
    pub name: String,
    /// Whether it is the one that was asked.
    pub this: bool,
    /// The keys that it seals with.
    pub seals_with: Vec<String>,
    /// The keys that it opens with.
    pub holds: Vec<String>,
}

/// How far the moving of records has come.
#[derive(Debug, Serialize)]
pub struct RotationView {
    /// `none`, `counting`, `sealing`, `finished` or `failed`.
    pub state: &'static str,
    /// The key that records are moved to.
    pub key_id: String,
    /// How many there were to move.
    pub total: u64,
    /// How many were moved, by this gateway.
    pub done: u64,
    /// How many are left, as this gateway last read them.
    pub left: u64,
    /// Records moved in a second, on average.
    pub per_second: u64,
    /// How many records are under which key.
    pub records: BTreeMap<String, u64>,
    /// Records that do not open although their key is here.
    pub unreadable: u64,
    /// Gateways that go on sealing with a key that is left.
    pub still_sealing: Vec<String>,
}

impl RotationView {
    pub(super) fn of(rotation: &Rotation, current: KeyId) -> Self {
        let ended = rotation.ended.unwrap_or_else(tokio::time::Instant::now);
        let millis = rotation.begun.map_or(0, |begun| ended.duration_since(begun).as_millis());
        let millis = u64::try_from(millis).unwrap_or(u64::MAX).max(1);
        Self {
            state: match rotation.phase {
                Phase::None => "none",
                Phase::Counting => "counting",
                Phase::Sealing => "sealing",
                Phase::Finished => "finished",
                Phase::Failed => "failed",
            },
            key_id: current.to_string(),
            total: rotation.total,
            done: rotation.done,
            left: rotation.census.records.iter().filter(|(id, _)| **id != current).map(|(_, count)| count).sum(),
            per_second: rotation.done.saturating_mul(1000) / millis,
            records: rotation.census.records.iter().map(|(id, count)| (id.to_string(), *count)).collect(),
            unreadable: rotation.census.unreadable,
            still_sealing: rotation.still_sealing.clone(),
        }
    }
}

impl Broker {
    /// Which keys there are, who holds them, and how many records are under each: reads the whole store.
    pub async fn sealing_keys(&self) -> Result<KeysView, BrokerError> {
        let (ring, ledger, census) = (self.vault.keys(), self.ledger().await?, self.census().await?);
        let mut ids: Vec<KeyId> = ring.ids().collect();
        for id in ledger.marks.keys().chain(census.records.keys()) {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        let keys = ids.into_iter().map(|id| {
            let mark = ledger.marks.get(&id).and_then(Option::as_ref).map(|held| &held.body);
            KeyView {
                key_id: id.to_string(),
                seals: id == ring.current(),
                held: ring.holds(id),
                records: census.records.get(&id).copied().unwrap_or_default(),
                state: state(ring.holds(id), mark),
                removable_from: mark.and_then(|mark| mark.unused).map(|unused| unused.plus(GRACE).to_rfc3339()),
            }
        });
        let names = |ids: &std::collections::BTreeSet<KeyId>| ids.iter().map(ToString::to_string).collect();
        let gateways = ledger.gateways.iter().map(|(name, holdings)| GatewayView {
            name: name.clone(),
            this: *name == self.keys.gateway,
            seals_with: names(&holdings.seals),
            holds: names(&holdings.opens),
        });
        Ok(KeysView {
            keys: keys.collect(),
            gateways: gateways.collect(),
            rotation: self.key_rotation(),
            unreadable: census.unreadable,
            owner: match self.keys.source.owner() {
                KeyOwner::Gateway => "gateway",
                KeyOwner::Operator => "operator",
            },
        })
    }
}

fn state(held: bool, mark: Option<&Mark>) -> &'static str {
    match mark {
        _ if !held => "missing",
        None => "unused",
        Some(Mark { unused: Some(_), .. }) => "empty",
        Some(Mark { leaving: Some(_), .. }) => "leaving",
        Some(_) => "in_use",
    }
}
