//! An acting OAuth server and its API, which want exactly what a record says and refuse everything else, with a reason.
//!
//! What it wants is written down apart from how the gateway is configured: where both agree, a habit is spoken.

mod api;
mod books;
mod fill;
mod person;
mod presented;
mod street;
mod token;
mod wants;

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub use street::{Ground, House, Street, allows};
pub use wants::{Body, Client, Credential, Pkce, Place, Proof, Refresh, Revoke, Rotation, SECRET, Takes, Wants, Who};

use crate::{Received, Reply, Served};
use books::Books;
pub use books::{Call, Presentation};

/// One acting provider, on loopback, until the test's process ends.
pub struct Acting {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    wants: Wants,
    redirect_uri: String,
    base: OnceLock<String>,
    api: OnceLock<String>,
    books: Mutex<Books>,
}

impl Acting {
    /// A provider that wants this, and sends browsers back to that very URI.
    #[must_use]
    pub fn start(wants: Wants, redirect_uri: &str) -> Self {
        let shared = Arc::new(Shared {
            wants,
            redirect_uri: redirect_uri.to_owned(),
            base: OnceLock::new(),
            api: OnceLock::new(),
            books: Mutex::new(Books::new(wants.name)),
        });
        let at = |port: u16| format!("http://localhost:{port}");
        let answering = shared.clone();
        let server = Served::start(move |received| answering.answer(received));
        shared.base.set(at(server.port())).expect("once");
        let api = match wants.api {
            Place::Here => at(server.port()),
            Place::Named => {
                let answering = shared.clone();
                at(Served::start(move |received| answering.call(received)).port())
            }
        };
        shared.api.set(api).expect("once");
        Self { shared }
    }

    /// What it wants.
    #[must_use]
    pub fn wants(&self) -> &Wants {
        &self.shared.wants
    }

    /// Its own origin.
    #[must_use]
    pub fn url(&self) -> &str {
        self.shared.base()
    }

    /// The origin of its API.
    #[must_use]
    pub fn api_url(&self) -> &str {
        self.shared.api()
    }

    /// Why it refused something, each time, in words that say what was wanted.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.shared.books().refusals.clone()
    }

    /// The same, and forgets them.
    #[must_use]
    pub fn take_refusals(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.books().refusals)
    }

    /// Every refresh token that was presented, and what became of it.
    #[must_use]
    pub fn presentations(&self) -> Vec<Presentation> {
        self.shared.books().presentations.clone()
    }

    /// Every call of the API that was let in.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.shared.books().calls.clone()
    }

    /// How many tokens were given back.
    #[must_use]
    pub fn given_back(&self) -> usize {
        self.shared.books().given_back
    }

    /// How many grants are alive.
    #[must_use]
    pub fn live_grants(&self) -> usize {
        self.shared.books().live_grants()
    }

    /// Somebody else sits at the browser.
    pub fn signs_in(&self, id: &str, name: &str) {
        self.shared.books().person = (id.to_owned(), name.to_owned());
    }

    /// No access token is good any more, by the provider's own word.
    pub fn expire_all(&self) {
        self.shared.books().expire_all();
    }

    /// No grant is good any more: the person took the access back there.
    pub fn end_all(&self) {
        self.shared.books().end_all();
    }

    /// It is so many seconds later for it.
    pub fn forward(&self, seconds: u64) {
        self.shared.books().later = seconds;
    }

    /// The next code is for another challenge than the gateway sent.
    pub fn spoil_next_challenge(&self) {
        self.shared.books().spoils_next_challenge = true;
    }

    /// Answers this at a path, until told otherwise.
    pub fn answer_instead(&self, path: &str, reply: Option<Reply>) {
        let mut books = self.shared.books();
        match reply {
            Some(reply) => books.instead.insert(path.to_owned(), reply),
            None => books.instead.remove(path),
        };
    }

    /// The next tokens come with these members alone besides themselves, and with a cookie.
    pub fn answer_next_with(&self, members: &'static str) {
        self.shared.books().odd = Some(members);
    }

    /// The cookies that it was sent, ever.
    #[must_use]
    pub fn cookies(&self) -> Vec<String> {
        self.shared.books().cookies.clone()
    }

    /// It knows the client by another secret from now on.
    pub fn change_secret(&self, secret: &'static str) {
        self.shared.books().secret = Some(secret);
    }
}

impl Shared {
    fn base(&self) -> &str {
        self.base.get().expect("started")
    }

    fn api(&self) -> &str {
        self.api.get().expect("started")
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn secret(&self) -> &'static str {
        self.books().secret.unwrap_or(self.wants.secret)
    }

    /// Writes down why, and says it.
    fn refused(&self, why: &str) -> String {
        let said = format!("{}: {why}", self.wants.name);
        self.books().refusals.push(said.clone());
        said
    }

    fn answer(&self, received: &Received) -> Reply {
        let wants = &self.wants;
        let path = received.path();
        if let Some(cookie) = received.header("cookie").filter(|_| path != person::PATH && path != wants.authorize) {
            self.books().cookies.push(cookie.to_owned());
        }
        if let Some(reply) = self.books().instead.get(path) {
            return reply.clone();
        }
        let refresh = if wants.refresh.path.is_empty() { wants.token } else { wants.refresh.path };
        if path == wants.authorize && received.method == "GET" {
            return self.authorize(received);
        }
        if path == person::PATH {
            return self.decide(received);
        }
        if path == wants.token || path == refresh {
            return self.token(received);
        }
        if let Some(revoke) = wants.revoke.filter(|revoke| path == revoke.path) {
            return self.revoke(received, &revoke);
        }
        if let Who::Userinfo(at, body) = wants.who
            && path == at
            && received.method == "GET"
        {
            return self.userinfo(received, body);
        }
        if let Some(issuer) = wants.issuer
            && path.strip_prefix(issuer.trim_end_matches('/')) == Some("/.well-known/openid-configuration")
        {
            return self.metadata(issuer);
        }
        if wants.api == Place::Here && path.starts_with(wants.api_path) {
            return self.call(received);
        }
        let why = self.refused(&format!("{} {path} is nothing here", received.method));
        Reply::of("404 Not Found", "text/plain", why.as_bytes())
    }
}
