//! The helpdesk itself: shared state, and the handles by which a test looks at it and changes it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::{
    attachments::Attachments,
    device::Devices,
    ledger::Ledger,
    presentation::{Outcome, Presentation},
    recorder::{Recorded, RecordedRequest},
    seed,
    settings::{Settings, TokenBehaviour},
    sign_in::SignIns,
    ticket::Ticket,
};

/// Fills the slice with random bytes.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// Tells the time since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The helpdesk. Clones share one state, so a test keeps one to look into what a running server does.
#[derive(Clone)]
pub struct Helpdesk {
    shared: Arc<Shared>,
}

/// How often the helpdesk was asked for what, since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests to `/token`, whatever became of them.
    pub token_requests: TokenRequests,
    /// How often each refresh token arrived at `/token`, whatever became of the request; unknown ones count too.
    pub refresh_token_presentations: BTreeMap<String, u64>,
    /// Requests to `/revoke`.
    pub revocation_requests: u64,
    /// Requests to `/userinfo`.
    pub userinfo_requests: u64,
    /// The most requests to `/token` that were under way at one time.
    pub token_requests_at_once: u64,
    /// Requests to the API (tickets, attachments, events, echo, and whatever does not exist), with or without a token.
    pub api_requests: u64,
}

/// Requests to the token endpoint by `grant_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TokenRequests {
    /// `authorization_code`
    pub authorization_code: u64,
    /// `refresh_token`
    pub refresh_token: u64,
    /// Any other, none, or a body that could not be read.
    pub other: u64,
}

impl Helpdesk {
    /// Makes a helpdesk with three users and twelve tickets.
    #[must_use]
    pub fn new(settings: Settings, entropy: Entropy, now: Clock) -> Self {
        let state = State {
            settings,
            sign_ins: SignIns::default(),
            devices: Devices::default(),
            ledger: Ledger::default(),
            tickets: seed::tickets(),
            attachments: Attachments::default(),
            counters: Counters::default(),
            token_requests_now: 0,
            presentations: Vec::new(),
            recorded: VecDeque::new(),
        };
        Self { shared: Arc::new(Shared { entropy, now, state: Mutex::new(state) }) }
    }

    /// The switches as they are now.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.state().settings.clone()
    }

    /// Changes switches of a running helpdesk; requests that are already being answered may see either.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.state().settings);
    }

    /// Changes how the token endpoint answers from the next request on.
    pub fn set_token_behaviour(&self, behaviour: TokenBehaviour) {
        self.change_settings(|settings| settings.token_behaviour = behaviour);
    }

    /// Makes every access token issued so far expired: the API answers `token_expired`.
    pub fn expire_all_access_tokens(&self) {
        self.state().ledger.expire_all_access_tokens();
    }

    /// Makes every refresh token issued so far useless: the token endpoint answers `invalid_grant`.
    pub fn revoke_all_refresh_tokens(&self) {
        self.state().ledger.revoke_all_refresh_tokens();
    }

    /// What a user says who types a device's code in: allowed by whoever has this address, or denied. `false` where there is no such code.
    #[must_use]
    pub fn answer_device(&self, user_code: &str, email: Option<&str>) -> bool {
        let user = email.and_then(seed::User::by_email);
        self.state().devices.answer(user_code, user)
    }

    /// Makes every device code given out so far expired.
    pub fn expire_devices(&self) {
        self.state().devices.expire();
    }

    /// How often the helpdesk was asked for what.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state().counters.clone()
    }

    /// Every code, access token and refresh token ever issued, oldest first: what must not be found elsewhere.
    #[must_use]
    pub fn issued_tokens(&self) -> Vec<String> {
        self.state().ledger.issued().to_vec()
    }

    /// The latest API requests (at most 10,000), oldest first, as they arrived.
    #[must_use]
    pub fn recorded_requests(&self) -> Vec<RecordedRequest> {
        self.state().recorded.iter().map(Recorded::snapshot).collect()
    }

    /// What became of every refresh token that arrived, oldest first, without the first `skip` of them.
    #[must_use]
    pub fn presentations(&self, skip: usize) -> Vec<Presentation> {
        self.state().presentations.iter().skip(skip).cloned().collect()
    }

    /// The state, locked; a guard never lives across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Every change under the lock is complete at each point where it could panic.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the Unix epoch.
    pub(crate) fn now(&self) -> u64 {
        self.precisely().as_secs()
    }

    /// The time since the Unix epoch, as finely as the clock tells it.
    pub(crate) fn precisely(&self) -> Duration {
        (self.shared.now)()
    }

    /// Adds to the ledger of presentations.
    pub(crate) fn note(&self, token: &str, outcome: Outcome) {
        let mut state = self.state();
        let at = self.precisely();
        state.presentations.push(Presentation { token: token.to_owned(), at, outcome });
    }

    /// 256 random bits as 43 characters that need no escaping in a URL, a header, a cookie or JSON.
    pub(crate) fn random(&self) -> String {
        let mut bytes = [0; 32];
        (self.shared.entropy)(&mut bytes);
        BASE64URL_NOPAD.encode(&bytes)
    }
}

struct Shared {
    entropy: Entropy,
    now: Clock,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) sign_ins: SignIns,
    pub(crate) devices: Devices,
    pub(crate) ledger: Ledger,
    pub(crate) tickets: Vec<Ticket>,
    pub(crate) attachments: Attachments,
    pub(crate) counters: Counters,
    /// Requests to `/token` that are under way.
    pub(crate) token_requests_now: u64,
    pub(crate) presentations: Vec<Presentation>,
    pub(crate) recorded: VecDeque<Recorded>,
}
