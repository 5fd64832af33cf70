//! Login sessions, and the authorization requests that wait for a person's answer.

use std::collections::HashMap;

use http::{HeaderMap, header};

use crate::{authorize::AuthorizationRequest, seed::User};

/// Who is signed in, and what they are being asked.
#[derive(Default)]
pub(crate) struct SignIns {
    sessions: HashMap<SessionId, Session>,
    pending: HashMap<String, Pending>,
}

/// The value of the session cookie.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct SessionId(String);

impl SignIns {
    /// Starts a session.
    pub(crate) fn sign_in(&mut self, id: SessionId, user: &'static User, now: u64) {
        self.sessions.retain(|_, session| now < session.expires_at);
        self.sessions.insert(id, Session { user, expires_at: now + SESSION_SECONDS });
    }

    /// Ends a session.
    pub(crate) fn sign_out(&mut self, id: &SessionId) {
        self.sessions.remove(id);
    }

    /// The user of a session that is alive.
    pub(crate) fn user(&self, id: &SessionId, now: u64) -> Option<&'static User> {
        self.sessions.get(id).filter(|session| now < session.expires_at).map(|session| session.user)
    }

    /// Keeps a request until it is answered, or for ten minutes.
    pub(crate) fn wait(&mut self, id: String, request: AuthorizationRequest, now: u64) {
        self.pending.retain(|_, pending| now < pending.expires_at);
        self.pending.insert(id, Pending { request, asked: None, expires_at: now + PENDING_SECONDS });
    }

    /// The request that waits under this id.
    pub(crate) fn waiting(&self, id: &str, now: u64) -> Option<&AuthorizationRequest> {
        self.pending.get(id).filter(|pending| now < pending.expires_at).map(|pending| &pending.request)
    }

    /// Notes in which session the consent page is shown; an answer from another one does not count.
    pub(crate) fn ask(&mut self, id: &str, session: &SessionId) {
        if let Some(pending) = self.pending.get_mut(id) {
            pending.asked = Some(session.clone());
        }
    }

    /// Takes the request that this session was asked about, once.
    pub(crate) fn answer(
        &mut self,
        id: &str,
        session: &SessionId,
        now: u64,
    ) -> Option<(&'static User, AuthorizationRequest)> {
        let user = self.user(session, now)?;
        let pending = self.pending.get(id)?;
        if now >= pending.expires_at || pending.asked.as_ref() != Some(session) {
            return None;
        }
        self.pending.remove(id).map(|pending| (user, pending.request))
    }
}

impl SessionId {
    pub(crate) fn new(random: String) -> Self {
        Self(random)
    }

    /// The session named by the request's cookies.
    pub(crate) fn from_cookies(headers: &HeaderMap) -> Option<Self> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| Self(value.to_owned()))
    }

    /// The value of `Set-Cookie` that starts the session in a browser; Lax, since clients send people here by a link.
    pub(crate) fn set_cookie(&self) -> String {
        format!("{COOKIE}={}; HttpOnly; SameSite=Lax; Path=/", self.0)
    }
}

struct Session {
    user: &'static User,
    expires_at: u64,
}

struct Pending {
    request: AuthorizationRequest,
    asked: Option<SessionId>,
    expires_at: u64,
}

const COOKIE: &str = "helpdesk_session";
const SESSION_SECONDS: u64 = 8 * 3600;
const PENDING_SECONDS: u64 = 600;
