//! Refresh tokens that nobody uses are used before their provider forgets them, and those that end in any case are said to.
//!
//! Where a connection is due is written in a list of its hour, in the same breath as its record. A list is a hint: the record is the
//! truth, and a slow look at every record, once after each start, puts right what is missing.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join;
use futures_util::stream;
use protocol::{ProviderId, Timestamp, UserId};
use secret::SecretHash;
use store::{Index, Key, Write};
use tokio::time::Instant;

use crate::records::{Connection, Tokens, User};
use crate::refresh::{Need, Patience};
use crate::{Broker, BrokerError, Provider};

/// How long a provider's refresh tokens are good for, as far as its operator knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefreshTokenLife {
    /// Without being used.
    pub idle: Option<Duration>,
    /// From the consent on, whatever is done.
    pub lifetime: Option<Duration>,
}

impl Connection {
    /// When the provider ends it whatever is done, as far as anybody knows.
    pub(crate) fn ends(&self, provider: &Provider) -> Option<Timestamp> {
        let configured = provider.refresh_tokens.lifetime.map(|lifetime| self.connected.plus(lifetime));
        configured.into_iter().chain(self.ends).min()
    }

    /// From when on it is said to end soon: a week before, or for the last tenth where that is less.
    pub(crate) fn ending_soon(&self, provider: &Provider) -> Option<Timestamp> {
        let ends = self.ends(provider)?;
        Some(ends.minus(SOON.min(ends.since(self.connected) / 10)))
    }

    /// When its refresh token is to be used so that it is not forgotten: after 60 to 70 % of the time in which nobody has to, each
    /// connection at another moment, and all gateways at the same.
    pub(crate) fn keep_alive_at(&self, provider: &Provider) -> Option<Timestamp> {
        if !self.works() || self.tokens.refresh().is_none() {
            return None;
        }
        let begun = self.renewed.unwrap_or(self.connected);
        let idle = provider.refresh_tokens.idle.map(|idle| begun.plus(idle));
        let forgotten = idle.into_iter().chain(self.tokens.refresh_expires).min()?;
        // Where it ends in any case, using it gains nothing.
        if forgotten <= begun || self.ends.is_some_and(|ends| ends <= forgotten) {
            return None;
        }
        let chance = SecretHash::of(&self.id).bytes().first().copied().unwrap_or_default();
        Some(begun.plus(forgotten.since(begun).mul_f64(0.6 + f64::from(chance) / 2560.0)))
    }
}

/// What the end of its refresh tokens tells of a connection's own: where a refresh hardly moves it, none ever will.
pub(crate) fn learned_end(before: &Connection, renewed: &Tokens, at: Timestamp) -> Option<Timestamp> {
    let (Some(earlier), Some(later)) = (before.tokens.refresh_expires, renewed.refresh_expires) else {
        return before.ends;
    };
    let passed = at.since(before.renewed.unwrap_or(before.connected));
    if passed < TOO_SOON_TO_TELL {
        return before.ends;
    }
    (later.since(earlier) < passed / 2).then_some(later)
}

impl Broker {
    /// Uses what would be forgotten, for as long as the gateway runs. Every replica does; one of them refreshes.
    pub async fn keep_alive(self) {
        join(self.list_all(), self.look_after()).await;
    }

    /// A connection that is about to be written, with the write that lists it under the hour in which it is due. One that stands in the
    /// list of an earlier hour, yet to come, is found there: it is not listed anew with every refresh.
    pub(crate) fn with_hint(&self, key: &Key, connection: Connection) -> (Connection, Option<Write>) {
        let due = self.provider_of(key).and_then(|provider| connection.keep_alive_at(provider));
        let Some(due) = due else { return (connection, None) };
        let hour = self.hour_of(&connection, due);
        if connection.listed == Some(hour) {
            return (connection, None);
        }
        let list = Write::List { index: hint(hour), key: key.clone() };
        (Connection { listed: Some(hour), ..connection }, Some(list))
    }

    /// Where a connection that is due then is listed, or ought to be.
    fn hour_of(&self, connection: &Connection, due: Timestamp) -> u64 {
        let wanted = hour(due.max(self.now()));
        connection.listed.filter(|listed| (hour(self.now())..=wanted).contains(listed)).unwrap_or(wanted)
    }

    fn provider_of(&self, key: &Key) -> Option<&Provider> {
        let provider = key.parts().get(1).and_then(|provider| ProviderId::parse(provider).ok())?;
        self.provider(&provider).ok()
    }

    /// Lists every connection where it belongs: the configuration may be new, and a list may have been lost.
    async fn list_all(&self) {
        let mut listed = 0;
        while let Err(error) = self.try_list_all(&mut listed).await {
            tracing::debug!(error = %error, "connections cannot be looked through");
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        tracing::debug!(listed, "every connection was looked at");
    }

    async fn try_list_all(&self, listed: &mut usize) -> Result<(), BrokerError> {
        for key in self.vault.store().scan(&User::all()).await? {
            let Some(user) = key.parts().first().and_then(|user| UserId::parse(user).ok()) else { continue };
            for key in self.vault.store().scan(&User::connections(&user)).await? {
                let hint = match self.vault.get::<Connection>(&key).await {
                    Ok(Some(held)) => self.provider_of(&key).and_then(|provider| {
                        let due = held.body.keep_alive_at(provider)?;
                        Some(Write::List { index: hint(self.hour_of(&held.body, due)), key: key.clone() })
                    }),
                    Ok(None) | Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => None,
                    Err(error) => return Err(error),
                };
                if let Some(hint) = hint {
                    *listed += 1;
                    self.vault.write(hint).await?;
                }
                tokio::time::sleep(BETWEEN).await;
            }
        }
        Ok(())
    }

    async fn look_after(&self) {
        let mut hours = BTreeSet::new();
        let mut reached = hour(self.now());
        let mut waiting = HashMap::new();
        let mut whole = Instant::now();
        loop {
            let now = hour(self.now());
            hours.extend(reached.max(now.saturating_sub(MOST_HOURS))..=now);
            reached = now;
            // What is left of earlier hours failed before, and is tried again at leisure.
            if whole.elapsed() > LOOK_AGAIN {
                whole = Instant::now();
                waiting.clear();
            }
            for hour in hours.clone() {
                match self.look_at(hour, &mut waiting).await {
                    // A while after its end: who took its last moment for the present may have listed something yet.
                    Ok(left) if left == 0 && is_long_over(hour, self.now()) => {
                        hours.remove(&hour);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(error = %error, "idle connections cannot be looked at"),
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks after what is listed for an hour; how many still are.
    async fn look_at(&self, hour: u64, waiting: &mut HashMap<Key, Timestamp>) -> Result<usize, BrokerError> {
        let listed = self.vault.store().scan(&hint(hour)).await?;
        let now = self.now();
        let due: Vec<Key> =
            listed.iter().filter(|key| waiting.get(*key).is_none_or(|until| *until <= now)).cloned().collect();
        let mut looked = stream::iter(due)
            .map(|key| async move {
                let until = self.look_at_one(hour, &key).await;
                (key, until)
            })
            .buffer_unordered(AT_ONCE);
        let mut left = listed.len();
        while let Some((key, until)) = looked.next().await {
            match until {
                Ok(Stays::Until(until)) => {
                    waiting.insert(key, until);
                }
                Ok(Stays::ForOthers) => {
                    waiting.insert(key, now.plus(LOOK_AGAIN));
                    left = left.saturating_sub(1);
                }
                Ok(Stays::No) => {
                    waiting.remove(&key);
                    left = left.saturating_sub(1);
                }
                Err(error) => {
                    tracing::debug!(error = %error, "an idle connection cannot be looked at");
                    waiting.insert(key, now.plus(LOOK_AGAIN));
                }
            }
        }
        Ok(left)
    }

    async fn look_at_one(&self, listed: u64, key: &Key) -> Result<Stays, BrokerError> {
        let unlist = Write::Unlist { index: hint(listed), key: key.clone() };
        let found = match self.vault.get_marked::<Connection>(key).await {
            Err(BrokerError::Sealed(_) | BrokerError::RecordForm(_)) => None,
            found => found?,
        };
        let Some((held, mark)) = found.filter(|(held, _)| held.body.works() && held.body.tokens.refresh().is_some())
        else {
            return self.vault.write(unlist).await.map(|_| Stays::No);
        };
        let provider = self.provider_of(key).filter(|provider| provider.fingerprint() == mark);
        // A gateway with another configuration may know what this one does not.
        let Some((provider, due)) = provider.and_then(|provider| Some((provider, held.body.keep_alive_at(provider)?)))
        else {
            return Ok(Stays::ForOthers);
        };
        // Everything at the provider was ended, this with it.
        if !self.is_current(&held.body, provider).await? {
            return self.vault.write(unlist).await.map(|_| Stays::No);
        }
        let now = self.now();
        match due {
            due if due > now && hour(due) == listed => Ok(Stays::Until(due)),
            // Its record names another list, where it will be found.
            due if due > now && held.body.listed.is_some_and(|other| hour(now) < other && other != listed) => {
                self.vault.write(unlist).await.map(|_| Stays::No)
            }
            due if due > now => {
                let elsewhere = Write::List { index: hint(hour(due)), key: key.clone() };
                self.vault.write_all(vec![elsewhere, unlist]).await.map(|()| Stays::No)
            }
            due => {
                let outcome = self.refreshed(key, provider, Need::Since(due), Patience::ToTheEnd).await;
                tracing::debug!(provider_id = %provider.id, ?outcome, "an idle connection was due");
                // Renewed, it is listed elsewhere, and leaves this list at the next look.
                Ok(Stays::Until(if outcome.is_ok() { now } else { now.plus(LOOK_AGAIN) }))
            }
        }
    }
}

/// Whether a connection stays in a list.
enum Stays {
    /// It does, and need not be looked at before.
    Until(Timestamp),
    /// It does, and this gateway has nothing to do with it.
    ForOthers,
    No,
}

fn hour(moment: Timestamp) -> u64 {
    moment.as_secs() / 3600
}

fn is_long_over(hour: u64, now: Timestamp) -> bool {
    now >= Timestamp::from_secs((hour + 1) * 3600).plus(LISTED_LATE)
}

fn hint(hour: u64) -> Index {
    Index::new("keep-alive", &hour.to_string())
}

const SOON: Duration = Duration::from_secs(7 * 24 * 3600);
/// Two refreshes within this time say nothing about what a third would bring.
const TOO_SOON_TO_TELL: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Between two records of the look at all of them, which is in no hurry.
const BETWEEN: Duration = Duration::from_millis(2);
const AT_ONCE: usize = 8;
/// Longer than clocks differ and a write takes.
const LISTED_LATE: Duration = Duration::from_secs(600);
/// A gateway whose clock has jumped by more than a year does not look at each hour of it.
const MOST_HOURS: u64 = 366 * 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{ConnectionState, Rank, Rotation};

    struct Unasked;

    #[async_trait::async_trait]
    impl oauth::HttpClient for Unasked {
        async fn send(&self, _: http::Request<Vec<u8>>) -> Result<http::Response<Vec<u8>>, oauth::TransportError> {
            panic!("nobody is asked")
        }
    }

    fn crm() -> Provider {
        crate::tests::crm(std::sync::Arc::new(Unasked))
    }

    const DAY: Duration = Duration::from_secs(86_400);
    const BEGUN: Timestamp = Timestamp::from_secs(1_790_000_000);

    fn tokens(refresh_expires: Option<Timestamp>) -> Tokens {
        Tokens::new(&oauth::TokenSet {
            access: secret::AccessToken::new("at"),
            refresh: Some(secret::RefreshToken::new("rt")),
            expires_at: None,
            refresh_expires_at: refresh_expires.map(Timestamp::as_secs),
            scope: None,
            api_base: None,
            identity: None,
            id_token: None,
        })
    }

    fn connection(id: &str, refresh_expires: Option<Timestamp>) -> Connection {
        Connection {
            id: id.to_owned(),
            resource: None,
            label: None,
            state: ConnectionState::Connected,
            scopes: protocol::ScopeSet::default(),
            tokens: tokens(refresh_expires),
            attempt: None,
            rank: Rank::default(),
            issued_to: None,
            alternate: None,
            rotation: Rotation::Unknown,
            connected: BEGUN,
            era: 0,
            renewed: None,
            ends: None,
            listed: None,
            later: crate::records::Later::default(),
        }
    }

    fn days(moment: Timestamp) -> f64 {
        moment.since(BEGUN).as_secs_f64() / DAY.as_secs_f64()
    }

    #[test]
    fn it_is_used_after_60_to_70_percent_of_its_idle_time() {
        let mut provider = crm();
        let mut moments = Vec::new();
        for number in 0..50 {
            let told = connection(&number.to_string(), Some(BEGUN.plus(30 * DAY)));
            assert!(connection(&number.to_string(), None).keep_alive_at(&provider).is_none(), "off by default");
            moments.push(days(told.keep_alive_at(&provider).expect("told by the provider")));
        }
        assert!(moments.iter().all(|day| (18.0..=21.0).contains(day)), "{moments:?}");
        assert!(moments.iter().any(|day| *day < 19.0) && moments.iter().any(|day| *day > 20.0), "not all at once");
        provider.refresh_tokens.idle = Some(10 * DAY);
        let told = connection("1", Some(BEGUN.plus(30 * DAY)));
        assert!(told.keep_alive_at(&provider).is_some_and(|due| days(due) <= 7.0), "the earlier one counts");
        let renewed = Connection { renewed: Some(BEGUN.plus(100 * DAY)), ..connection("1", None) };
        assert!(renewed.keep_alive_at(&provider).is_some_and(|due| (106.0..=107.0).contains(&days(due))));
        let state = ConnectionState::ReconnectRequired { since: BEGUN, reason: "invalid_grant".to_owned() };
        assert!(Connection { state, ..connection("1", None) }.keep_alive_at(&provider).is_none());
    }

    #[test]
    fn an_end_that_does_not_move_is_an_end() {
        let provider = crm();
        let before = connection("1", Some(BEGUN.plus(30 * DAY)));
        let at = BEGUN.plus(20 * DAY);
        assert_eq!(learned_end(&before, &tokens(Some(at.plus(30 * DAY))), at), None, "it rolls");
        let fixed = BEGUN.plus(30 * DAY).plus(Duration::from_secs(2));
        assert_eq!(learned_end(&before, &tokens(Some(fixed)), at), Some(fixed), "it stays");
        let soon = BEGUN.plus(Duration::from_secs(60));
        assert_eq!(learned_end(&before, &tokens(Some(soon.plus(30 * DAY))), soon), None, "too soon to tell");
        assert_eq!(learned_end(&before, &tokens(None), at), None);

        let ending = Connection { ends: Some(fixed), renewed: Some(at), tokens: tokens(Some(fixed)), ..before };
        assert!(ending.keep_alive_at(&provider).is_none(), "using it gains nothing");
        assert_eq!(ending.ends(&provider), Some(fixed));
        assert!(ending.ending_soon(&provider).is_some_and(|soon| (26.9..27.1).contains(&days(soon))), "the last tenth");
    }

    #[test]
    fn a_lifetime_counts_from_the_consent() {
        let mut provider = crm();
        provider.refresh_tokens.lifetime = Some(90 * DAY);
        let renewed = Connection { renewed: Some(BEGUN.plus(80 * DAY)), ..connection("1", None) };
        assert_eq!(renewed.ends(&provider), Some(BEGUN.plus(90 * DAY)));
        assert_eq!(renewed.ending_soon(&provider), Some(BEGUN.plus(83 * DAY)), "a week before");
        let state = |day: u32| renewed.condition(Some(&provider), &provider.fingerprint(), BEGUN.plus(day * DAY)).state;
        assert_eq!([state(82), state(83), state(91)], ["connected", "ending_soon", "ending_soon"]);
    }
}
