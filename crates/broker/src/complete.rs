use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ProviderId, Scope, ScopeSet, SessionId, Timestamp, UserId};
use secret::SecretHash;
use store::{Life, Written};

use crate::callback::renews;
use crate::connections::ConnectionName;
use crate::consent::{Ending, about, code};
use crate::records::{Agent, Arrived, Client, Connection, Consented, Grant, KeptHash, Session, Stage, User, Work};
use crate::urls::{Outcome, Urls};
use crate::vault::Held;
use crate::{Broker, BrokerError, Provider};

/// A consent that was carried out.
pub(crate) struct Done {
    pub(crate) user: UserId,
    pub(crate) provider: ProviderId,
    pub(crate) ending: Ending,
}

impl Broker {
    /// Carries out what a person's word set going: connects the account, gives the grant, releases the code. Each step is durable before
    /// the next, and can be taken again where a crash came between them.
    pub(crate) async fn complete(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: &str,
        work: Work,
    ) -> Result<Done, BrokerError> {
        let agent = self.agent(&held.body.client_id).await?.ok_or(BrokerError::AgentNotRegistered)?.body;
        self.check_approval(&agent)?;
        self.check_switch(&held.body.provider).await?;
        let (consented, connection) = self.connected(&held.body, work).await?;
        let event = about(self.event("access_granted"), &held.body)
            .by("person")
            .user(&consented.user)
            .account(&consented.account)
            .effective(&consented.scopes.intersection(&agent.approved(&held.body.provider)))
            .denied(&held.body.scopes.difference(&consented.scopes), "not granted by the provider");
        self.decide(event, self.release(session, held, binding, &agent, consented, connection)).await
    }

    /// The account that the grant is for, and its connection's id; connected now, where it is not yet.
    async fn connected(&self, session: &Session, work: Work) -> Result<(Consented, String), BrokerError> {
        let provider = self.provider(&session.provider)?;
        match work {
            Work::Connect { arrived } => {
                self.check_renewal(provider, session, &arrived).await?;
                let user = self.settle_owner(provider, &arrived).await?;
                let connection = self.connect(provider, &user, session, &arrived).await?;
                let scopes = session.scopes.intersection(&arrived.granted);
                Ok((Consented { user, account: arrived.account, label: arrived.label, scopes }, connection))
            }
            Work::Grant { user, account, label } => {
                let key = Connection::key(&user, &provider.id, &account);
                let held = self.vault.get::<Connection>(&key).await?.ok_or(BrokerError::Unknown("connection"))?;
                if held.body.era < self.era(&provider.id).await? {
                    return Err(BrokerError::Overtaken);
                }
                let scopes = session.scopes.intersection(&held.body.scopes);
                Ok((Consented { user, account, label, scopes }, held.body.id))
            }
        }
    }

    /// What a link is to renew may have been ended since it was opened: it does not begin anew. What the provider issued is given back.
    async fn check_renewal(
        &self,
        provider: &Provider,
        session: &Session,
        arrived: &Arrived,
    ) -> Result<(), BrokerError> {
        let Some(user) = arrived.user.as_ref().filter(|user| renews(session, user, &arrived.account)) else {
            return Ok(());
        };
        let name =
            ConnectionName { user: user.clone(), provider: provider.id.clone(), account: arrived.account.clone() };
        let renewable = self.renewable(&session.client_id, &name).await.map(drop);
        if matches!(renewable, Err(BrokerError::Reconnect(_))) && !self.is_connected(provider, arrived).await? {
            self.queue_revocation(&provider.id, &arrived.mark, &arrived.tokens).await?;
        }
        renewable
    }

    async fn release(
        &self,
        session: &SessionId,
        held: Held<Session>,
        binding: &str,
        agent: &Agent,
        consented: Consented,
        connection: String,
    ) -> Result<Done, BrokerError> {
        self.give_grant(&held.body, agent, &consented, &connection).await?;
        let code = KeptHash::of(SecretHash::of(&code(session, &held.body, binding)));
        let (user, provider) = (consented.user.clone(), held.body.provider.clone());
        let binding_hash = KeptHash::of(SecretHash::of(binding));
        let stage = Stage::Completed { binding: binding_hash, consented, code, wrong_codes: 0 };
        let held = self.fresh_code(held);
        let record = self.advance(session, held, stage).await?;
        Ok(Done { user, provider, ending: self.ending(session, &record, binding) })
    }

    /// What was released late is good for a while all the same: an OAuth client fetches it by itself.
    fn fresh_code(&self, held: Held<Session>) -> Held<Session> {
        if held.body.front.is_none() {
            return held;
        }
        let expires = self.now().plus(CODE_LIVES);
        // A device asks by itself, and was told how long it may.
        let waits = held.body.front.as_ref().is_some_and(|front| front.device.is_some());
        let expires = if waits { expires.max(held.body.expires) } else { expires };
        Held { body: Session { expires, ..held.body }, version: held.version }
    }

    /// Where the browser goes once the code is released: RFC 6749 §4.1.2, with `iss` (RFC 9207).
    pub(crate) fn ending(&self, session: &SessionId, record: &Session, binding: &str) -> Ending {
        let Some(uri) = &record.redirect_uri else { return Ending::Page(self.urls.done(session, Outcome::Allowed)) };
        let code = code(session, record, binding);
        if record.front.is_some() {
            return Ending::Redirect(self.answer_to(uri, Some(&record.state), &[("code", &code)]));
        }
        let parameters = [
            ("code", code.as_str()),
            ("state", &record.state),
            ("ath_session_id", session.as_str()),
            ("iss", self.urls.public()),
        ];
        Ending::Redirect(Urls::with_parameters(uri, &parameters))
    }

    /// Writes the grant, or unites it with the one that is there and still holds.
    pub(crate) async fn give_grant(
        &self,
        session: &Session,
        agent: &Agent,
        consented: &Consented,
        connection: &str,
    ) -> Result<(), BrokerError> {
        let key = Grant::key(&session.client_id, &consented.user, &session.provider, &consented.account);
        for _ in 0..RETRIES {
            let held = self.vault.get::<Grant>(&key).await?;
            let live = held.as_ref().filter(|held| {
                let alive = held.body.revoked.is_none() && !held.body.is_over(self.now());
                alive && held.body.connection == connection && held.body.era == agent.era
            });
            let family = match (&held, live) {
                (_, Some(live)) => live.body.family,
                (Some(dead), None) => dead.body.family + 1,
                (None, None) => 1,
            };
            let earlier = live.map(|live| live.body.allowed(self.now())).unwrap_or_default();
            let grant = Grant {
                client_id: session.client_id.clone(),
                user: consented.user.clone(),
                provider: session.provider.clone(),
                account: consented.account.clone(),
                consented: earlier.union(&consented.scopes),
                connection: connection.to_owned(),
                era: agent.era,
                given: live.map_or(self.now(), |live| live.body.given),
                family,
                revoked: None,
                ends: self.lasting_until(session, &consented.scopes, live.map(|live| &live.body)),
                later: live.map(|live| live.body.later.clone()).unwrap_or_default(),
            };
            let written = match held {
                Some(held) => self.vault.swap(&key, held.version, &grant, Life::Forever).await?,
                None => self.vault.insert(&key, &grant, Life::Forever).await?,
            };
            if written == Written::Done {
                self.settle_client(agent).await?;
                self.vault.list(Client::grants(&session.client_id), &key).await?;
                return self.vault.list(User::grants(&consented.user), &key).await;
            }
        }
        Err(BrokerError::Contention)
    }

    /// Until when each scope of a grant holds: as long as the person chose for an OAuth client. What was given before, for longer, stays as
    /// long as it was given for.
    fn lasting_until(&self, session: &Session, scopes: &ScopeSet, live: Option<&Grant>) -> BTreeMap<Scope, Timestamp> {
        let earlier = live.map(|live| live.ends.clone()).unwrap_or_default();
        let Some(front) = &session.front else {
            // Nobody was asked for how long: what is there goes on as it was, and the rest until it is ended.
            return earlier;
        };
        let lasts = front.lasts.map_or(self.front.refresh_ends, Duration::from_secs).min(self.front.refresh_ends);
        let chosen = self.now().plus(lasts);
        let had = live.map(|live| live.allowed(self.now())).unwrap_or_default();
        let mut ends = earlier;
        for scope in scopes.iter() {
            match (had.contains(scope), ends.get(scope).copied()) {
                // Given before, and without an end.
                (true, None) => {}
                (true, Some(before)) => drop(ends.insert(scope.clone(), before.max(chosen))),
                (false, _) => drop(ends.insert(scope.clone(), chosen)),
            }
        }
        ends
    }
}

/// Whether a grant, a connection and an agent still belong to each other.
pub(crate) fn holds(grant: &Grant, connection: &Connection, agent: &Agent) -> bool {
    grant.revoked.is_none() && grant.connection == connection.id && grant.era == agent.era
}

/// RFC 6749 §4.1.2: ten minutes at most.
const CODE_LIVES: Duration = Duration::from_secs(5 * 60);
const RETRIES: usize = 8;
