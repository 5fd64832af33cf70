//! Authorization requests (RFC 6749 §4.1.1, RFC 7636 §4.3): read, judged, and sealed until a person answers.

use std::collections::HashMap;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use protocol::SessionId;
use serde::{Deserialize, Serialize};
use store::{Life, Written};
use url::form_urlencoded;

use super::clients::Known;
use super::records::FrontSession;
use super::scopes::Wish;
use super::{FrontError, GrantType};
use crate::authorize::SESSION;
use crate::consent::about;
use crate::records::{Agent, Session, Stage};
use crate::urls::Urls;
use crate::vault::Held;
use crate::{Broker, BrokerError, ConsentView, Ending, Unapproved};

/// An authorization request, as the browser brought it.
#[derive(Debug)]
pub struct AuthorizationRequest {
    parameters: HashMap<String, String>,
    resources: Vec<String>,
    /// A parameter that came twice; which one is meant nobody can tell.
    doubled: Option<&'static str>,
}

/// Why an authorization request came to nothing.
#[derive(Debug)]
pub enum Unasked {
    /// The client, or the place to send the browser back to, is not known: the person is told here (RFC 6749 §4.1.2.1).
    Here(FrontError),
    /// The person chooses a service first; the same request with its id as scope is one that can be shown.
    Choose(Vec<Choosable>),
    /// The client is told, at its redirect URI.
    There {
        /// Where to.
        redirect_uri: String,
        /// `state`, where it sent one.
        state: Option<String>,
        /// Why.
        error: FrontError,
    },
}

/// A service by which a person may enter the door for all of them.
#[derive(Debug)]
pub struct Choosable {
    /// For the `scope` of the request.
    pub id: String,
    /// As people read it.
    pub name: String,
}

/// A request that a person may answer, sealed: whoever posts it back has seen the page.
#[derive(Debug)]
pub struct Asked {
    /// For the form.
    pub sealed: String,
    /// What the page says.
    pub view: ConsentView,
}

/// How long a sealed request is good.
#[derive(Clone, Copy)]
pub(crate) enum Lives {
    /// As long as somebody reads a page.
    AsAPage,
    /// Until somebody finds the time to open a link.
    AsALink,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    id: SessionId,
    session: Session,
}

impl AuthorizationRequest {
    /// Reads a query. Nothing is judged yet.
    #[must_use]
    pub fn read(query: &str) -> Self {
        let (mut parameters, mut resources, mut doubled) = (HashMap::new(), Vec::new(), None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            if name == "resource" {
                resources.push(value.into_owned());
                continue;
            }
            let Some(known) = KNOWN.into_iter().find(|known| *known == name) else { continue };
            if parameters.insert(known.to_owned(), value.into_owned()).is_some() {
                doubled = Some(known);
            }
        }
        Self { parameters, resources, doubled }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

impl Broker {
    /// What to show a person who was sent here by an OAuth client. Changes nothing, and stores nothing: software follows links, too.
    pub async fn asked(&self, request: &AuthorizationRequest, browser: Option<&str>) -> Result<Asked, Unasked> {
        self.admit_handshake().map_err(|error| Unasked::Here(error.into()))?;
        if let Some(name @ ("client_id" | "redirect_uri")) = request.doubled {
            return Err(Unasked::Here(FrontError::Parameter(name)));
        }
        let client = request.get("client_id").ok_or(Unasked::Here(FrontError::Parameter("client_id")))?;
        let known = self.front_client(client).await.map_err(Unasked::Here)?;
        let redirect_uri = redirect_of(&known.agent, request.get("redirect_uri")).map_err(Unasked::Here)?;
        let there = |error: FrontError| match error {
            // What is nobody's fault but the gateway's is said here, where it can be tried again.
            FrontError::Broker(_) | FrontError::TooMany { .. } => Unasked::Here(error),
            error => Unasked::There {
                redirect_uri: redirect_uri.clone(),
                state: request.get("state").map(str::to_owned),
                error,
            },
        };
        let front = match self.front_session(client, &known, request) {
            Err(FrontError::ServiceNotChosen) => return Err(Unasked::Choose(self.choosable())),
            front => front.map_err(there)?,
        };
        let state = request.get("state").unwrap_or_default().to_owned();
        let (wish, front) = front;
        self.sealed_request(&known, &wish, front, (Some(redirect_uri.clone()), state), Lives::AsAPage, browser)
            .await
            .map_err(there)
    }

    fn choosable(&self) -> Vec<Choosable> {
        let all = self.providers().map(|it| Choosable { id: it.id.to_string(), name: it.display_name.clone() });
        all.collect()
    }

    /// The same for somebody whom a client could not act for: the link in its refusal.
    pub(crate) async fn sealed_request(
        &self,
        known: &Known,
        wish: &Wish,
        front: FrontSession,
        (redirect_uri, state): (Option<String>, String),
        lives: Lives,
        browser: Option<&str>,
    ) -> Result<Asked, FrontError> {
        self.check_switch(&wish.provider).await?;
        let (agent, asked) = self.judged_client(&known.agent, wish)?;
        // Those that wait are shown, too: Allow puts them before the operator.
        let shown = if asked.is_empty() { wish.scopes.clone() } else { asked };
        let (id, _, session) = self.new_session(&agent, wish.provider.clone(), shown, state, redirect_uri, None);
        let expires = match lives {
            Lives::AsAPage => session.expires,
            Lives::AsALink => self.now().plus(LINK_LIVES),
        };
        let session = Session { front: Some(front), expires, ..session };
        let sealed = self.seal_request(&Sealed { id: id.clone(), session: session.clone() })?;
        if sealed.len() > LONGEST_SEALED {
            return Err(FrontError::Parameter("scope"));
        }
        let view = self.consent_view(&id, &session, &agent, browser).await?;
        Ok(Asked { sealed, view })
    }

    /// What to show a person who comes with a sealed request.
    pub async fn asked_again(&self, sealed: &str, browser: Option<&str>) -> Result<Asked, BrokerError> {
        let Sealed { id, session } = self.open_request(sealed)?;
        let known = self.client_of(&session).await?;
        let wish = wish_of(&session);
        let (agent, _) = self.judged_client(&known.agent, &wish).map_err(plain)?;
        let view = self.consent_view(&id, &session, &agent, browser).await?;
        Ok(Asked { sealed: sealed.to_owned(), view })
    }

    /// For how long a person may allow something, in seconds and in words: as long as the configuration says, or less.
    pub(crate) fn lasting(&self) -> Vec<(u64, &'static str)> {
        let most = self.front.refresh_ends.as_secs();
        let shorter = LASTING.into_iter().filter(|(seconds, _)| *seconds < most);
        let longest = LASTING
            .into_iter()
            .find(|(seconds, _)| *seconds == most)
            .map_or("as long as this gateway lets it", |it| it.1);
        shorter.chain([(most, longest)]).collect()
    }

    /// Turns a sealed request into a consent under way: somebody has answered the page. Once; a second time it is under way already.
    pub async fn take_up(&self, sealed: &str, browser: Option<&str>) -> Result<SessionId, BrokerError> {
        self.admit_handshake()?;
        let Sealed { id, session } = self.open_request(sealed)?;
        self.refuse_another_person(&session, browser).await?;
        let name = session.front.as_ref().map_or("", |front| front.client.as_str());
        let wish = wish_of(&session);
        let (_, asked) = self.enter_client(name, &wish).await.map_err(plain)?;
        if asked.is_empty() {
            return Err(BrokerError::AgentUnapproved(Unapproved::Pending));
        }
        // The person has as long from here on as for every other consent.
        let session = Session { scopes: asked, expires: self.now().plus(SESSION), ..session };
        match self.begin_front(&id, &session).await {
            // Posted twice, or the way back: it goes on where nobody has answered yet.
            Err(BrokerError::SessionClaimed) => self.begin_again(&id, session).await.map(|()| id),
            begun => begun.map(|()| id),
        }
    }

    /// A consent that was taken up before, and that nobody has answered since.
    async fn begin_again(&self, id: &SessionId, session: Session) -> Result<(), BrokerError> {
        let held = self.held_session(id).await?;
        if held.body.client_id != session.client_id || !matches!(held.body.stage, Stage::Pending) {
            return Err(BrokerError::SessionClaimed);
        }
        let life = Life::For(session.expires.since(self.now()) + SOON);
        match self.vault.swap(&Session::key(id), held.version, &session, life).await? {
            Written::Done => Ok(()),
            Written::Refused => Err(BrokerError::SessionClaimed),
        }
    }

    /// A link that one person was sent is not used up by another.
    async fn refuse_another_person(&self, session: &Session, browser: Option<&str>) -> Result<(), BrokerError> {
        let only = session.front.as_ref().and_then(|front| front.only.as_ref());
        let Some(only) = only else { return Ok(()) };
        match self.live_browser(browser).await? {
            Some(live) if live.user != *only => Err(BrokerError::AccountElsewhere),
            _ => Ok(()),
        }
    }

    /// The person refuses what a sealed request asks for. It is remembered, so that the same page allows nothing any more.
    pub async fn refuse_request(&self, sealed: &str, browser: Option<&str>) -> Result<Ending, BrokerError> {
        self.admit_handshake()?;
        let Sealed { id, session } = self.open_request(sealed)?;
        let session = Session { expires: self.now().plus(SESSION), ..session };
        match self.begin_front(&id, &session).await {
            Err(BrokerError::SessionClaimed) => self.begin_again(&id, session).await?,
            begun => begun?,
        }
        self.deny(&id, browser).await
    }

    /// Writes a consent down that an OAuth client began.
    pub(crate) async fn begin_front(&self, id: &SessionId, session: &Session) -> Result<(), BrokerError> {
        let event = about(self.event("authorization_started"), session).by("person");
        let write = async {
            // One that nobody answers is forgotten soon.
            let life = Life::For(session.expires.since(self.now()) + SOON);
            match self.vault.insert(&Session::key(id), session, life).await? {
                Written::Done => Ok(()),
                Written::Refused => Err(BrokerError::SessionClaimed),
            }
        };
        self.decide(event, write).await
    }

    async fn client_of(&self, session: &Session) -> Result<Known, BrokerError> {
        let name = session.front.as_ref().map_or("", |front| front.client.as_str());
        self.front_client(name).await.map_err(plain)
    }

    /// Everything that a request says but who asks and where the answer goes.
    fn front_session(
        &self,
        client: &str,
        known: &Known,
        request: &AuthorizationRequest,
    ) -> Result<(Wish, FrontSession), FrontError> {
        if let Some(doubled) = request.doubled {
            return Err(FrontError::Parameter(doubled));
        }
        if UNSUPPORTED.into_iter().any(|name| request.get(name).is_some()) {
            return Err(FrontError::RequestObject);
        }
        match request.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(FrontError::ResponseType),
            None => return Err(FrontError::Parameter("response_type")),
        }
        if !matches!(request.get("response_mode"), None | Some("query")) {
            return Err(FrontError::Parameter("response_mode"));
        }
        let oauth = known.agent.oauth.as_ref();
        if !oauth.is_some_and(|oauth| oauth.grants.contains(&GrantType::AuthorizationCode)) {
            return Err(FrontError::GrantNotAllowed);
        }
        if request.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|word| word == "none")) {
            return Err(FrontError::InteractionRequired);
        }
        let bounded = [("state", MOST_STATE), ("nonce", MOST_STATE)];
        if let Some((name, _)) =
            bounded.into_iter().find(|(name, most)| request.get(name).is_some_and(|it| it.len() > *most))
        {
            return Err(FrontError::Parameter(name));
        }
        let challenge = challenge_of(request)?;
        let wish = self.wish(request.get("scope"), &request.resources)?;
        let front = FrontSession {
            client: client.to_owned(),
            words: wish.words.clone(),
            wished: wish.scopes.clone(),
            resource: wish.resource.clone(),
            challenge: Some(challenge),
            nonce: request.get("nonce").map(str::to_owned),
            device: None,
            only: None,
            lasts: None,
        };
        Ok((wish, front))
    }

    fn seal_request(&self, sealed: &Sealed) -> Result<String, BrokerError> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(sealed).map_err(BrokerError::RecordForm)?);
        Ok(BASE64URL_NOPAD.encode(&self.vault.seal_handed_out(KIND, &plain)?))
    }

    fn open_request(&self, text: &str) -> Result<Sealed, BrokerError> {
        let gone = || BrokerError::SessionNotFound;
        let sealed = BASE64URL_NOPAD.decode(text.as_bytes()).map_err(|_| gone())?;
        let plain = self.vault.open_handed_out(KIND, &sealed).map_err(|_| gone())?;
        let opened: Sealed = serde_json::from_slice(&plain).map_err(|_| gone())?;
        if opened.session.expires <= self.now() {
            return Err(BrokerError::SessionExpired);
        }
        Ok(opened)
    }

    /// Where the browser goes when an OAuth client is told something (RFC 6749 §4.1.2, RFC 9207 §2).
    #[must_use]
    pub fn answer_to(&self, redirect_uri: &str, state: Option<&str>, answer: &[(&str, &str)]) -> String {
        let state = state.filter(|state| !state.is_empty()).map(|state| ("state", state));
        let parameters: Vec<(&str, &str)> =
            answer.iter().copied().chain(state).chain([("iss", self.urls.public())]).collect();
        Urls::with_parameters(redirect_uri, &parameters)
    }

    /// A consent under way as the store has it, by its sealed request.
    pub(crate) async fn held_session(&self, id: &SessionId) -> Result<Held<Session>, BrokerError> {
        self.vault.get::<Session>(&Session::key(id)).await?.ok_or(BrokerError::SessionNotFound)
    }
}

/// The redirect URI of a request: one of the client's, exactly, but for the port of a loopback address; or its only one.
fn redirect_of(agent: &Agent, wanted: Option<&str>) -> Result<String, FrontError> {
    match (wanted, agent.redirect_uris.as_slice()) {
        (Some(uri), _) if uri.len() <= MOST_URI && agent.may_redirect_to(uri) => Ok(uri.to_owned()),
        (None, [only]) => Ok(only.clone()),
        (Some(_), _) => Err(FrontError::RedirectUri),
        (None, _) => Err(FrontError::Parameter("redirect_uri")),
    }
}

/// S256 alone, and never without (OAuth 2.1 §7.6).
fn challenge_of(request: &AuthorizationRequest) -> Result<String, FrontError> {
    let challenge = request.get("code_challenge").ok_or(FrontError::Parameter("code_challenge"))?;
    if request.get("code_challenge_method") != Some("S256") {
        return Err(FrontError::Parameter("code_challenge_method"));
    }
    // 43 characters of base64url: a SHA-256.
    match BASE64URL_NOPAD.decode(challenge.as_bytes()) {
        Ok(hash) if hash.len() == 32 => Ok(challenge.to_owned()),
        _ => Err(FrontError::Parameter("code_challenge")),
    }
}

/// What a sealed request asks for.
fn wish_of(session: &Session) -> Wish {
    let front = session.front.as_ref();
    Wish {
        provider: session.provider.clone(),
        resource: front.map(|front| front.resource.clone()).unwrap_or_default(),
        scopes: front.map(|front| front.wished.clone()).unwrap_or_default(),
        words: Vec::new(),
    }
}

/// As pages know it.
fn plain(error: FrontError) -> BrokerError {
    match error {
        FrontError::Broker(error) => error,
        FrontError::TooMany { retry_after } => BrokerError::TooMany { retry_after },
        FrontError::Scope | FrontError::AccessDenied => BrokerError::AgentUnapproved(Unapproved::Denied),
        _ => BrokerError::AgentNotRegistered,
    }
}

const LASTING: [(u64, &str); 5] = [
    (60 * 60, "an hour"),
    (24 * 60 * 60, "a day"),
    (7 * 24 * 60 * 60, "a week"),
    (30 * 24 * 60 * 60, "30 days"),
    (90 * 24 * 60 * 60, "90 days"),
];
/// What a sealed request is bound to.
const KIND: &str = "authorization request";
const KNOWN: [&str; 14] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "prompt",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "registration",
    "claims",
];
/// OpenID Connect Core §6: not here.
const UNSUPPORTED: [&str; 3] = ["request", "request_uri", "registration"];
const MOST_STATE: usize = 1024;
const LINK_LIVES: Duration = Duration::from_secs(24 * 60 * 60);
const SOON: Duration = Duration::from_secs(10 * 60);
/// A sealed request is part of a URL where people sign in first, and that has its limit.
const LONGEST_SEALED: usize = 7000;
const MOST_URI: usize = 2048;
