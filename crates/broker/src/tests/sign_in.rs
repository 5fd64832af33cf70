//! Signing in at the gateway itself.

use std::net::IpAddr;

use data_encoding::BASE64URL_NOPAD;
use protocol::SessionId;
use secret::{ClientSecret, Password, PasswordHash};

use super::*;
use crate::records::{Connection, Identity, Session, User};

fn password(text: &str) -> Password {
    Password::parse(text).expect("a password")
}

fn account(name: &str, text: &str) -> Account {
    let hash = PasswordHash::of(&password(text), &SeededEntropy::new(2)).expect("memory");
    Account::new(name, hash).expect("a name")
}

fn accounts(accounts: Vec<Account>) -> SignInMethod {
    SignInMethod::Accounts(Box::new(Accounts::new(accounts, &SeededEntropy::new(3))))
}

fn home() -> IpAddr {
    "192.0.2.1".parse().expect("an address")
}

/// A store, and the gateways that run on it one after the other.
struct House {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        Self { store: Arc::new(MemoryStore::new(clock.clone())), clock }
    }

    fn gateway(&self, sign_in: SignInMethod) -> Bench {
        Bench::over(self.store.clone(), self.clock.clone(), sign_in)
    }
}

impl Bench {
    async fn enter(&self, name: &str, text: &str) -> Result<String, BrokerError> {
        let entered = self.broker.sign_in_by_password(name, password(text), home(), None).await?;
        Ok(entered.expose().to_owned())
    }

    async fn user(&self, cookie: &str) -> Option<protocol::UserId> {
        let person = self.broker.signed_in(Some(cookie), None).await.expect("an answer");
        let user = self.broker.browser_user(Some(cookie)).await.expect("an answer");
        assert_eq!(person.map(|person| person.user), user);
        user
    }

    async fn begin(&self) -> SessionId {
        let registered = self.register().await.expect("registers");
        let started = self.broker.authorize(map(json!({
            "client_id": registered.client_id, "agent_attestation": self.attest(GATEWAY), "provider_id": "crm", "scopes": ["read"], "state": "s",
        })));
        started.await.expect("begins").ath_session_id
    }
}

#[tokio::test]
async fn a_sign_in_is_good_while_the_account_is_there_and_its_password_the_same() {
    let house = House::new();
    let first = house.gateway(accounts(vec![account("ada", "one"), account("bob", "two")]));
    let (ada, bob) = (first.enter("ada", "one").await.expect("in"), first.enter("bob", "two").await.expect("in"));
    let user = first.user(&ada).await.expect("somebody");
    assert_ne!(Some(&user), first.user(&bob).await.as_ref());
    assert_eq!(first.user("somebody else's").await, None);

    let second = house.gateway(accounts(vec![account("ada", "changed")]));
    assert_eq!((second.user(&ada).await, second.user(&bob).await), (None, None));
    assert!(matches!(second.enter("ada", "one").await, Err(BrokerError::SignIn(SignInError::WrongPassword))));
    let again = second.enter("ada", "changed").await.expect("in");
    assert_eq!(second.user(&again).await, Some(user), "ada is still ada");

    let third = house.gateway(SignInMethod::Provider);
    assert_eq!(third.broker.browser_user(Some(&again)).await.expect("an answer"), None, "another way, another sign-in");
    house.clock.advance(Duration::from_secs(86_400));
    assert_eq!(second.user(&again).await, None, "a day is over");
}

#[tokio::test]
async fn signing_in_voids_the_cookie_that_the_browser_came_with() {
    let bench = House::new().gateway(accounts(vec![account("ada", "one"), account("bob", "two")]));
    let planted = bench.enter("bob", "two").await.expect("in");
    let entered = bench.broker.sign_in_by_password("ada", password("one"), home(), Some(&planted)).await.expect("in");
    assert_ne!(entered.expose(), planted);
    assert!(bench.user(entered.expose()).await.is_some());
    assert_eq!(bench.user(&planted).await, None);
    bench.broker.sign_out(Some(entered.expose())).await.expect("out");
    assert_eq!(bench.user(entered.expose()).await, None);
    bench.broker.sign_out(Some(entered.expose())).await.expect("nothing to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_guesses_at_once_five_are_compared() {
    let bench = Arc::new(House::new().gateway(accounts(vec![account("ada", "one")])));
    let guesses = (0..20).map(|number| {
        let bench = bench.clone();
        tokio::spawn(async move { bench.enter("ada", &format!("guess {number}")).await })
    });
    let mut wrong = 0;
    for guess in futures_util::future::join_all(guesses).await {
        match guess.expect("no panic") {
            Err(BrokerError::SignIn(SignInError::WrongPassword)) => wrong += 1,
            Err(BrokerError::SignIn(SignInError::TooManyWrong)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(wrong, 5);
    bench.clock.advance(Duration::from_secs(60));
    bench.enter("ada", "one").await.expect("a minute later");
}

#[tokio::test]
async fn a_connection_is_of_whoever_is_signed_in_and_the_providers_name_for_them_of_nobody() {
    let bench = House::new().gateway(accounts(vec![account("ada", "one")]));
    let session = bench.begin().await;
    let refused = bench.broker.allow(&session, None, &Choice::default()).await;
    assert!(matches!(refused, Err(BrokerError::SignIn(SignInError::Missing))), "nobody goes on without");
    let cookie = bench.enter("ada", "one").await.expect("in");
    let user = bench.user(&cookie).await.expect("somebody");

    let allowed = bench.broker.allow(&session, Some(&cookie), &Choice::default()).await.expect("allows");
    let Next::Provider(url) = allowed.next else { panic!("to the provider") };
    let url = Url::parse(&url).expect("a URL");
    let state = url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    bench.tokens("at-1", "rt-1");
    let answer = ProviderAnswer::parse(&format!("code=c&state={state}")).expect("an answer");
    let binding = Some(allowed.binding.expose());
    let next = bench.broker.callback(answer, None, binding, Some(&cookie)).await.expect("exchanges");
    assert!(matches!(next, Next::Confirm(_)), "the account is named");
    let confirmed = bench.broker.confirm(&session, allowed.binding.expose(), Some(&cookie)).await.expect("confirms");
    assert!(confirmed.signed_in.is_none(), "a consent signs nobody in");

    let crm = ProviderId::parse("crm").expect("an id");
    let account = protocol::AccountId::of_subject(&crm, "u-alice");
    let vault = &bench.broker.vault;
    assert!(vault.get::<Connection>(&Connection::key(&user, &crm, &account)).await.expect("read").is_some());
    assert!(
        vault
            .get::<Identity>(&Identity::key(bench.broker.provider(&crm).expect("configured"), "u-alice"))
            .await
            .expect("read")
            .is_none()
    );
    assert!(vault.get::<User>(&User::key(&user)).await.expect("read").is_some());
    assert!(vault.get::<Session>(&Session::key(&session)).await.expect("read").is_some());
}

/// An OpenID provider whose every word can be changed.
struct ActingOpenid {
    discovered: AtomicUsize,
    down: std::sync::atomic::AtomicBool,
    names_itself: bool,
    claims: Mutex<Value>,
}

#[async_trait]
impl HttpClient for ActingOpenid {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        if self.down.load(Ordering::Relaxed) {
            return Err(TransportError::new(TransportErrorKind::Connect, "nothing listens"));
        }
        if request.uri().path() == "/.well-known/openid-configuration" {
            self.discovered.fetch_add(1, Ordering::Relaxed);
            return Ok(answer(
                200,
                &json!({
                    "issuer": ISSUER, "authorization_endpoint": format!("{ISSUER}/authorize"), "token_endpoint": format!("{ISSUER}/token"),
                    "authorization_response_iss_parameter_supported": self.names_itself,
                }),
            ));
        }
        let claims = self.claims.lock().expect("no panic").to_string();
        let token = format!("e30.{}.c2ln", BASE64URL_NOPAD.encode(claims.as_bytes()));
        Ok(answer(200, &json!({"access_token": "at", "token_type": "Bearer", "id_token": token})))
    }
}

const ISSUER: &str = "https://login.example";

struct Sso {
    bench: Bench,
    /// Another gateway on the same store.
    replica: Bench,
    openid: Arc<ActingOpenid>,
}

impl Sso {
    fn new(names_itself: bool) -> Self {
        let openid = Arc::new(ActingOpenid {
            discovered: AtomicUsize::new(0),
            down: false.into(),
            names_itself,
            claims: Mutex::new(json!({})),
        });
        let settings = || OpenidSettings {
            issuer: Endpoint::parse(ISSUER, Plaintext::Refused).expect("a URL"),
            client_id: "gw".to_owned(),
            client_secret: ClientSecret::new("secret"),
            scopes: vec!["openid".to_owned()],
            display_name: "SSO".to_owned(),
            endpoints: OpenidEndpoints::Discovered(Plaintext::Refused),
        };
        let house = House::new();
        let gateway = || house.gateway(SignInMethod::Openid(Box::new(OpenidClient::new(settings(), openid.clone()))));
        Self { bench: gateway(), replica: gateway(), openid }
    }

    /// Begins, and lets the OpenID provider issue what it should: the cookie's secret, and the state.
    async fn depart(&self, session: Option<&SessionId>) -> (String, String) {
        let departure = self.bench.broker.depart(session).await.expect("a way");
        let url = Url::parse(&departure.url).expect("a URL");
        let parameters: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert!(departure.url.starts_with("https://login.example/authorize?"), "{url}");
        assert_eq!(parameters["redirect_uri"], "https://gateway.example/ath/sign-in/callback");
        assert_eq!((parameters["code_challenge_method"].as_str(), parameters["scope"].as_str()), ("S256", "openid"));
        assert!(!departure.url.contains(departure.secret.expose()), "the secret stays in the cookie");
        *self.openid.claims.lock().expect("no panic") = json!({
            "iss": ISSUER, "sub": "u-1", "aud": "gw", "exp": NOW.as_secs() + 7200, "nonce": parameters["nonce"], "email": "ada@acme.test",
        });
        (departure.secret.expose().to_owned(), parameters["state"].clone())
    }

    async fn arrive(&self, query: &str, secret: Option<&str>) -> Result<Arrived, BrokerError> {
        self.bench.broker.arrive(OpenidAnswer::parse(query)?, secret, None).await
    }
}

fn session(number: u64) -> SessionId {
    SessionId::generate(&SeededEntropy::new(number))
}

#[tokio::test]
async fn a_person_is_issuer_and_subject() {
    let sso = Sso::new(false);
    let on_the_way = session(11);
    let (secret, state) = sso.depart(Some(&on_the_way)).await;
    let arrived = sso.arrive(&format!("code=c&state={state}"), Some(&secret)).await.expect("in");
    assert_eq!(arrived.session, Some(on_the_way));
    let signed_in =
        |cookie: String| async move { sso.bench.broker.signed_in(Some(&cookie), None).await.expect("an answer") };
    let ada = signed_in(arrived.cookie.expose().to_owned()).await.expect("somebody");
    assert_eq!(ada.label, "ada@acme.test");
}

#[tokio::test]
async fn another_subject_with_the_same_address_is_somebody_else() {
    let sso = Sso::new(false);
    let mut users = Vec::new();
    for (subject, email) in [("u-1", "ada@acme.test"), ("u-2", "ada@acme.test"), ("u-1", "new@acme.test")] {
        let (secret, state) = sso.depart(None).await;
        sso.openid.claims.lock().expect("no panic")["sub"] = json!(subject);
        sso.openid.claims.lock().expect("no panic")["email"] = json!(email);
        let query = format!("code=c&state={state}&iss=https%3A%2F%2Flogin.example");
        let arrived = sso.arrive(&query, Some(&secret)).await.expect("in");
        assert_eq!(arrived.session, None);
        users.push(sso.bench.user(arrived.cookie.expose()).await.expect("somebody"));
    }
    assert!(users[0] != users[1] && users[0] == users[2]);
    assert_eq!(sso.openid.discovered.load(Ordering::Relaxed), 1, "the metadata is asked for once");
}

#[tokio::test]
async fn a_sign_in_may_end_at_another_gateway_than_it_began() {
    let sso = Sso::new(false);
    let (secret, state) = sso.depart(None).await;
    let answer = OpenidAnswer::parse(&format!("code=c&state={state}")).expect("an answer");
    let arrived = sso.replica.broker.arrive(answer, Some(&secret), None).await.expect("in");
    assert!(sso.bench.user(arrived.cookie.expose()).await.is_some());
}

#[tokio::test]
async fn what_was_not_begun_here_signs_nobody_in() {
    let sso = Sso::new(true);
    let (one, other) = (session(11), session(12));
    let iss = "iss=https%3A%2F%2Flogin.example";
    let (secret, state) = sso.depart(Some(&one)).await;
    let (_, foreign) = sso.depart(Some(&one)).await;
    let swapped = state.replace(one.as_str(), other.as_str());
    for query in [
        format!("code=c&state={foreign}&{iss}"),
        format!("code=c&state={swapped}&{iss}"),
        format!("code=c&state={}&{iss}", state.replace(one.as_str(), "")),
        format!("code=c&state={one}.&{iss}"),
        format!("code=c&state={state}&state={state}&{iss}"),
        format!("code=c&{iss}"),
        "code=c&state=x".to_owned(),
        "code=c&state=https://evil.test/.x".to_owned(),
    ] {
        assert!(matches!(sso.arrive(&query, Some(&secret)).await, Err(BrokerError::StateMismatch)), "{query}");
    }
    let whole = format!("code=c&state={state}&{iss}");
    assert!(matches!(sso.arrive(&whole, None).await, Err(BrokerError::StateMismatch)), "another browser");
    for iss in ["", "&iss=https://evil.test", "&iss=https://login.example/"] {
        let answered = sso.arrive(&format!("code=c&state={state}{iss}"), Some(&secret)).await;
        assert!(matches!(answered, Err(BrokerError::IssuerMismatch)), "{iss:?}");
    }
    let denied = sso.arrive(&format!("error=access_denied&state={state}&{iss}"), Some(&secret)).await;
    assert!(matches!(denied, Err(BrokerError::SignIn(SignInError::Refused))));

    // The ID token was made for the second way out: its nonce is another's.
    let reason = |answered: Result<Arrived, BrokerError>| match answered {
        Err(BrokerError::SignIn(SignInError::Openid(error))) => error.reason(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(sso.arrive(&whole, Some(&secret)).await), "id_token_nonce");
    let (secret, state) = sso.depart(Some(&one)).await;
    let whole = format!("code=c&state={state}&{iss}");
    for (claim, value, expected) in [
        ("iss", json!("https://evil.test"), "id_token_issuer"),
        ("aud", json!("other"), "id_token_audience"),
        ("exp", json!(NOW.as_secs() - 60), "id_token_expired"),
        ("sub", json!(""), "subject"),
    ] {
        let right = std::mem::replace(&mut sso.openid.claims.lock().expect("no panic")[claim], value);
        assert_eq!(reason(sso.arrive(&whole, Some(&secret)).await), expected);
        sso.openid.claims.lock().expect("no panic")[claim] = right;
    }
    sso.arrive(&whole, Some(&secret)).await.expect("in");
}

#[tokio::test]
async fn metadata_outlives_the_providers_bad_days() {
    let sso = Sso::new(false);
    let down = |is: bool| sso.openid.down.store(is, Ordering::Relaxed);
    let reason = |answered: Result<Departure, BrokerError>| match answered {
        Err(BrokerError::SignIn(SignInError::Openid(error))) => Some(error.reason()),
        other => other.ok().and(None),
    };
    down(true);
    assert_eq!(reason(sso.bench.broker.depart(None).await), Some("connect"));
    down(false);
    assert_eq!(reason(sso.bench.broker.depart(None).await), Some("discovery_paused"));
    sso.bench.clock.advance(Duration::from_secs(5));
    assert_eq!(reason(sso.bench.broker.depart(None).await), None);
    sso.bench.clock.advance(Duration::from_secs(3600));
    down(true);
    assert_eq!(reason(sso.bench.broker.depart(None).await), None, "what was known is still good");
    down(false);
    sso.bench.clock.advance(Duration::from_secs(5));
    sso.bench.broker.depart(None).await.expect("a way");
    assert_eq!(sso.openid.discovered.load(Ordering::Relaxed), 2, "and asked for again when it can be");
}

#[tokio::test]
async fn a_form_of_another_way_signs_nobody_in() {
    let bench = House::new().gateway(SignInMethod::Provider);
    let entered = bench.enter("ada", "one").await;
    assert!(matches!(entered, Err(BrokerError::SignIn(SignInError::OtherMethod))));
    assert!(matches!(bench.broker.depart(None).await, Err(BrokerError::SignIn(SignInError::OtherMethod))));
    let headers = http::HeaderMap::new();
    assert!(bench.broker.vouched(&headers, ClientCertificate::Verified).expect("an answer").is_none());
}
