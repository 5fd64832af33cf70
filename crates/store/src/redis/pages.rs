//! All records, page by page: one primary after the other.
//!
//! `SCAN` shows every key that was there all the while, as long as its cursor goes back to the same run of the same server, and slots stay
//! where they are. Where that changed between two pages, the whole way has to be gone again: this says so rather than leave something out.

use super::RedisStore;
use super::failure::Failure;
use super::node::{self, Lane};
use crate::{Cursor, Key, Page, Store, StoreError};

/// Which primary, where its own cursor is, in which run of it, and who had which slots.
struct Place {
    number: usize,
    at: String,
    run: String,
    layout: String,
}

impl RedisStore {
    pub(super) async fn page(&self, from: Option<&Cursor>) -> Result<Page, StoreError> {
        let layout = self.fleet.layout().await?;
        let place = match from {
            Some(cursor) => Place::parse(cursor).ok_or(Failure::MixedUp)?,
            None => Place { number: 0, at: "0".to_owned(), run: String::new(), layout: layout.clone() },
        };
        let mut nodes = self.fleet.nodes();
        nodes.sort_by_key(|node| node.address().to_string());
        let node = nodes.get(place.number).filter(|_| place.layout == layout).ok_or(CHANGED)?;
        let mut answers = node.run(vec![self.commands.names(&place.at)], Lane::Read).await?;
        if !place.run.is_empty() && *place.run != *answers.run {
            return Err(CHANGED.into());
        }
        let answer = answers.each.pop().ok_or(Failure::MixedUp)?.map_err(Failure::from)?;
        let (at, names): (String, Vec<String>) = node::expect(node, answer)?;
        let keys: Vec<Key> = names.iter().filter_map(|name| self.commands.key_of(name)).collect();
        let next = match at.as_str() {
            "0" if place.number + 1 >= nodes.len() => None,
            "0" => Some(Place { number: place.number + 1, at, run: String::new(), layout }),
            _ => Some(Place { number: place.number, at, run: answers.run.to_string(), layout }),
        };
        let values = futures_util::future::try_join_all(keys.iter().map(|key| self.get(key))).await?;
        let records = keys.into_iter().zip(values).filter_map(|(key, record)| record.map(|record| (key, record)));
        Ok(Page { records: records.collect(), next: next.map(|place| place.cursor()) })
    }
}

impl Place {
    fn parse(cursor: &Cursor) -> Option<Self> {
        let mut parts = cursor.0.splitn(4, '/');
        let (number, at, run) = (parts.next()?.parse().ok()?, parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { number, at, run, layout: parts.next()?.to_owned() })
    }

    fn cursor(&self) -> Cursor {
        Cursor(format!("{}/{}/{}/{}", self.number, self.at, self.run, self.layout))
    }
}

const CHANGED: Failure = Failure::Unusable("the servers changed between two pages; begin again");
