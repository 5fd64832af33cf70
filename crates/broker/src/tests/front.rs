//! OAuth clients: requests, codes, families of refresh tokens, devices.

use super::*;
use crate::front::{AuthorizationRequest, FrontError, GrantProblem, IssuedTokens, TokenGrant, Unasked};
use crate::{ClientCredential, Ending, Introspection, Presented, ProvenClient};

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:7777/cb";

impl Bench {
    async fn client(&self) -> ProvenClient {
        let metadata = json!({
            "client_name": "Shell", "redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        });
        let registered = self.broker.register_client(map(metadata)).await.expect("registers");
        let client_id = registered["client_id"].as_str().expect("a text").to_owned();
        self.proven(&client_id).await.expect("is itself")
    }

    async fn proven(&self, client_id: &str) -> Result<ProvenClient, FrontError> {
        self.broker.prove_client(&Presented { client_id, credential: ClientCredential::None }).await
    }

    fn asking(client: &ProvenClient, more: &str) -> String {
        format!(
            "client_id={}&redirect_uri={REDIRECT}&response_type=code&state=st&code_challenge={CHALLENGE}&code_challenge_method=S256{more}",
            client.name
        )
    }

    /// From a request to a code, for one person in one browser.
    async fn front_code(&self, client: &ProvenClient, more: &str) -> String {
        let request = AuthorizationRequest::read(&Self::asking(client, more));
        let asked = self.broker.asked(&request, None).await.expect("asks");
        let session = self.broker.take_up(&asked.sealed, None).await.expect("takes it up");
        self.consented(&session).await
    }

    async fn consented(&self, session: &protocol::SessionId) -> String {
        self.consented_for(session, None).await
    }

    async fn consented_for(&self, session: &protocol::SessionId, lasts: Option<u64>) -> String {
        let choice = Choice { lasts, ..Choice::default() };
        let allowed = self.broker.allow(session, None, &choice).await.expect("allows");
        let Next::Provider(mut url) = allowed.next else { panic!("to the provider") };
        loop {
            let at = Url::parse(&url).expect("a URL");
            let state = at.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
            self.tokens("at-1", "rt-1");
            let answer = ProviderAnswer::parse(&format!("code=c&state={state}")).expect("an answer");
            match self.broker.callback(answer, None, Some(allowed.binding.expose()), None).await.expect("exchanges") {
                // An older connection can do more, and is asked for as a whole.
                Next::Provider(again) => url = again,
                _ => break,
            }
        }
        let confirmed = self.broker.confirm(session, allowed.binding.expose(), None).await.expect("confirms");
        let Ending::Redirect(url) = confirmed.ending else { return String::new() };
        let url = Url::parse(&url).expect("a URL");
        let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
        assert_eq!((query["state"].as_str(), query["iss"].as_str(), query.len()), ("st", GATEWAY, 3));
        assert!(url.as_str().starts_with(REDIRECT));
        query["code"].clone()
    }

    async fn redeem(&self, client: &ProvenClient, code: &str, verifier: &str) -> Result<IssuedTokens, FrontError> {
        let grant = TokenGrant::Code { code, redirect_uri: Some(REDIRECT), verifier, resources: &[] };
        self.granted(client, grant).await
    }

    async fn renewed(&self, client: &ProvenClient, token: &str) -> Result<IssuedTokens, FrontError> {
        self.granted(client, TokenGrant::Refresh { token, scope: None, resources: &[] }).await
    }

    /// Each request proves its client anew.
    async fn granted(&self, client: &ProvenClient, grant: TokenGrant<'_>) -> Result<IssuedTokens, FrontError> {
        let client = self.proven(&client.name).await?;
        self.broker.issue_tokens(&client, grant).await
    }

    async fn is_good(&self, tokens: &IssuedTokens) -> bool {
        self.broker.authenticate(tokens.access_token.expose()).await.is_ok()
    }
}

/// The same but for its last digit.
fn one_off(text: &str) -> String {
    format!("{}{}", &text[..text.len() - 1], if text.ends_with('0') { '1' } else { '0' })
}

fn refresh_of(tokens: &IssuedTokens) -> String {
    tokens.refresh_token.as_ref().expect("a refresh token").expose().to_owned()
}

fn problem<T: std::fmt::Debug>(outcome: Result<T, FrontError>) -> GrantProblem {
    match outcome.expect_err("refused") {
        FrontError::Grant(problem) => problem,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_is_exchanged_once_and_its_replay_ends_what_came_of_it() {
    let bench = Bench::new();
    let client = bench.client().await;
    let code = bench.front_code(&client, "&scope=crm").await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    assert_eq!((tokens.scope.as_str(), tokens.expires_in.as_secs()), ("crm read", 3600));
    assert!(tokens.id_token.is_none());
    assert!(bench.is_good(&tokens).await);
    assert_eq!(problem(bench.redeem(&client, &code, VERIFIER).await), GrantProblem::CodeUsed);
    assert!(!bench.is_good(&tokens).await);
    assert_eq!(problem(bench.renewed(&client, &refresh_of(&tokens)).await), GrantProblem::Ended);
}

#[tokio::test]
async fn a_code_is_its_clients_alone_and_wants_its_verifier() {
    let bench = Bench::new();
    let (client, other) = (bench.client().await, bench.client().await);
    let code = bench.front_code(&client, "").await;
    assert_eq!(problem(bench.redeem(&other, &code, VERIFIER).await), GrantProblem::Code);
    let wrong = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl";
    assert_eq!(problem(bench.redeem(&client, &code, wrong).await), GrantProblem::Verifier);
    let elsewhere = TokenGrant::Code {
        code: &code,
        redirect_uri: Some("http://127.0.0.1:7778/cb"),
        verifier: VERIFIER,
        resources: &[],
    };
    assert_eq!(problem(bench.granted(&client, elsewhere).await), GrantProblem::RedirectUri);
    assert_eq!(problem(bench.redeem(&client, &one_off(&code), VERIFIER).await), GrantProblem::Code);
    assert!(bench.redeem(&client, &code, VERIFIER).await.is_ok());
    let late = bench.front_code(&client, "").await;
    bench.clock.advance(Duration::from_secs(601));
    assert_eq!(problem(bench.redeem(&client, &late, VERIFIER).await), GrantProblem::CodeExpired);
}

#[tokio::test]
async fn a_code_is_not_guessed_by_its_verifier() {
    let bench = Bench::new();
    let client = bench.client().await;
    let code = bench.front_code(&client, "").await;
    for _ in 0..5 {
        let wrong = "xBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(problem(bench.redeem(&client, &code, wrong).await), GrantProblem::Verifier);
    }
    assert_eq!(problem(bench.redeem(&client, &code, VERIFIER).await), GrantProblem::CodeUsed);
}

#[tokio::test]
async fn refresh_tokens_rotate_and_the_last_one_brings_the_same_successor_within_the_grace() {
    let bench = Bench::new();
    let client = bench.client().await;
    let code = bench.front_code(&client, "").await;
    let first = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    let second = bench.renewed(&client, &refresh_of(&first)).await.expect("rotates");
    assert_ne!(refresh_of(&first), refresh_of(&second));
    assert_ne!(first.access_token.expose(), second.access_token.expose());
    bench.clock.advance(Duration::from_secs(60));
    let again = bench.renewed(&client, &refresh_of(&first)).await.expect("the same once more");
    assert_eq!(refresh_of(&again), refresh_of(&second));
    assert_eq!(again.access_token.expose(), second.access_token.expose());
    assert_eq!(again.expires_in.as_secs(), 3540);
    assert!(bench.is_good(&first).await, "an access token lives its hour");
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(problem(bench.renewed(&client, &refresh_of(&first)).await), GrantProblem::RefreshTokenReused);
    assert_eq!(problem(bench.renewed(&client, &refresh_of(&second)).await), GrantProblem::Ended);
    assert!(!bench.is_good(&second).await && !bench.is_good(&first).await);
}

#[tokio::test]
async fn a_token_whose_successor_was_used_is_a_theft_at_once() {
    let bench = Bench::new();
    let client = bench.client().await;
    let code = bench.front_code(&client, "").await;
    let first = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    let second = bench.renewed(&client, &refresh_of(&first)).await.expect("rotates");
    let third = bench.renewed(&client, &refresh_of(&second)).await.expect("rotates");
    assert_eq!(problem(bench.renewed(&client, &refresh_of(&first)).await), GrantProblem::RefreshTokenReused);
    assert_eq!(problem(bench.renewed(&client, &refresh_of(&third)).await), GrantProblem::Ended);
    assert!(!bench.is_good(&third).await);
}

#[tokio::test]
async fn what_is_no_refresh_token_ends_nothing() {
    let bench = Bench::new();
    let (client, other) = (bench.client().await, bench.client().await);
    let code = bench.front_code(&client, "").await;
    let first = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    let second = bench.renewed(&client, &refresh_of(&first)).await.expect("rotates");
    let good = refresh_of(&second);
    let mut parts = good.split('.');
    let (family, proof) = (parts.next().expect("a family"), parts.nth(1).expect("a proof"));
    for forged in [
        format!("{family}.1.{proof}"),
        format!("{family}.3.{proof}"),
        format!("{family}.02.{proof}"),
        format!("{family}.2.{}", one_off(proof)),
        format!("{good}.x"),
        format!("{good} "),
        family.to_owned(),
        "ath_rt_".to_owned(),
        String::new(),
    ] {
        assert_eq!(problem(bench.renewed(&client, &forged).await), GrantProblem::RefreshToken, "{forged}");
    }
    assert_eq!(problem(bench.renewed(&other, &good).await), GrantProblem::RefreshToken);
    assert!(bench.renewed(&client, &good).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_present_one_token_get_one_successor() {
    let bench = Arc::new(Bench::new());
    let client = Arc::new(bench.client().await);
    let code = bench.front_code(&client, "").await;
    let first = refresh_of(&bench.redeem(&client, &code, VERIFIER).await.expect("tokens"));
    let all = (0..200).map(|_| {
        let (bench, client, first) = (bench.clone(), client.clone(), first.clone());
        tokio::spawn(async move { bench.renewed(&client, &first).await.map(|tokens| refresh_of(&tokens)) })
    });
    let all = futures_util::future::join_all(all).await;
    let successors: std::collections::HashSet<String> =
        all.into_iter().map(|one| one.expect("no panic").expect("a successor")).collect();
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn a_family_ends_with_disuse_and_in_any_case() {
    let bench = Bench::new();
    let client = bench.client().await;
    let code = bench.front_code(&client, "").await;
    let first = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    bench.clock.advance(Duration::from_secs(30 * 86400));
    assert_eq!(problem(bench.renewed(&client, &refresh_of(&first)).await), GrantProblem::RefreshTokenExpired);
}

#[tokio::test]
async fn what_a_person_ends_is_over_for_the_client_too() {
    let bench = Bench::new();
    let client = bench.client().await;
    let code = bench.front_code(&client, "").await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    let caller = bench.broker.authenticate(tokens.access_token.expose()).await.expect("a caller");
    let name = ConnectionName {
        user: caller.user_id().clone(),
        provider: caller.provider_id().clone(),
        account: caller.account_id().clone(),
    };
    let refresh = refresh_of(&tokens);
    let client = bench.proven(&client.name).await.expect("is itself");
    let live = bench.broker.introspect(&client, &refresh).await.expect("tells");
    assert!(matches!(live, Introspection::Active { kind: "refresh_token", .. }));
    bench.broker.revoke_grant(&name, caller.client_id()).await.expect("ends it");
    assert!(!bench.is_good(&tokens).await);
    assert_eq!(problem(bench.renewed(&client, &refresh).await), GrantProblem::Ended);
    for token in [refresh.as_str(), tokens.access_token.expose()] {
        assert!(matches!(bench.broker.introspect(&client, token).await, Ok(Introspection::Inactive)));
    }
}

#[tokio::test]
async fn a_client_ends_its_own_tokens_and_no_others() {
    let bench = Bench::new();
    let (client, other) = (bench.client().await, bench.client().await);
    let code = bench.front_code(&client, "&scope=openid+read").await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    assert!(tokens.id_token.is_some());
    let access = tokens.access_token.expose();
    assert!(bench.broker.userinfo(access).await.is_ok());
    for token in [access.to_owned(), refresh_of(&tokens)] {
        bench.broker.end_token_of(&other, &token).await.expect("says nothing");
        assert!(matches!(bench.broker.introspect(&other, &token).await, Ok(Introspection::Inactive)));
    }
    assert!(bench.is_good(&tokens).await);
    bench.broker.end_token_of(&client, access).await.expect("ends it");
    assert!(!bench.is_good(&tokens).await);
    let next = bench.renewed(&client, &refresh_of(&tokens)).await.expect("goes on");
    bench.broker.end_token_of(&client, &refresh_of(&next)).await.expect("ends all");
    assert!(!bench.is_good(&next).await);
    assert_eq!(problem(bench.renewed(&client, &refresh_of(&next)).await), GrantProblem::Ended);
}

#[tokio::test]
async fn requests_are_judged_before_anybody_is_asked() {
    let bench = Bench::new();
    let client = bench.client().await;
    let told = |query: String| {
        let broker = bench.broker.clone();
        async move {
            match broker.asked(&AuthorizationRequest::read(&query), None).await.expect_err("refused") {
                Unasked::Here(error) => (true, format!("{error:?}")),
                Unasked::Choose(services) => panic!("a choice of {services:?}"),
                Unasked::There { error, .. } => (false, format!("{error:?}")),
            }
        }
    };
    let good = Bench::asking(&client, "");
    for (from, to, here, error) in [
        ("client_id=", "client=", true, "Parameter(\"client_id\")"),
        ("client_id=ath_", "client_id=ath", true, "UnknownClient"),
        ("7777/cb", "7777/cb2", true, "RedirectUri"),
        ("http://127.0.0.1", "https://127.0.0.1", true, "RedirectUri"),
        ("http://127.0.0.1", "http://localhost", true, "RedirectUri"),
        ("redirect_uri=", "redirect_uri=http://127.0.0.1/cb&redirect_uri=", true, "Parameter(\"redirect_uri\")"),
        ("response_type=code", "response_type=token", false, "ResponseType"),
        ("response_type=code", "", false, "Parameter(\"response_type\")"),
        ("code_challenge_method=S256", "code_challenge_method=plain", false, "Parameter(\"code_challenge_method\")"),
        ("code_challenge_method=S256", "", false, "Parameter(\"code_challenge_method\")"),
        (CHALLENGE, "", false, "Parameter(\"code_challenge\")"),
        (CHALLENGE, &CHALLENGE[1..], false, "Parameter(\"code_challenge\")"),
        ("state=st", "state=st&state=st", false, "Parameter(\"state\")"),
        ("state=st", "state=st&scope=write", false, "Scope"),
        ("state=st", "state=st&resource=https://other.example", false, "Target"),
        ("state=st", "state=st&request_uri=https://x.example", false, "RequestObject"),
        ("state=st", "state=st&prompt=none", false, "InteractionRequired"),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(told(good.replace(from, to)).await, (here, error.to_owned()), "{from} -> {to}");
    }
}

#[tokio::test]
async fn a_request_that_nobody_answered_is_nowhere_and_one_that_was_is_answered_once() {
    let bench = Bench::new();
    let client = bench.client().await;
    let request = AuthorizationRequest::read(&Bench::asking(&client, ""));
    let asked = bench.broker.asked(&request, None).await.expect("asks");
    let session = asked.view.session.clone();
    assert!(matches!(bench.broker.consent(&session, None).await, Err(BrokerError::SessionNotFound)));
    assert_eq!(bench.broker.take_up(&asked.sealed, None).await.expect("takes it up"), session);
    assert_eq!(bench.broker.take_up(&asked.sealed, None).await.expect("still unanswered"), session);
    bench.broker.allow(&session, None, &Choice::default()).await.expect("allows");
    assert!(matches!(bench.broker.take_up(&asked.sealed, None).await, Err(BrokerError::SessionClaimed)));
    let refused = bench.broker.asked(&request, None).await.expect("asks");
    let Ending::Redirect(url) = bench.broker.refuse_request(&refused.sealed, None).await.expect("refuses") else {
        panic!("a redirect")
    };
    assert!(url.starts_with("http://127.0.0.1:7777/cb?error=access_denied&"), "{url}");
    assert!(bench.broker.take_up(&refused.sealed, None).await.is_err());
    let late = bench.broker.asked(&request, None).await.expect("asks");
    bench.clock.advance(Duration::from_secs(600));
    assert!(matches!(bench.broker.take_up(&late.sealed, None).await, Err(BrokerError::SessionExpired)));
    for forged in ["", "x", "AAAA", &late.sealed[1..]] {
        assert!(matches!(bench.broker.take_up(forged, None).await, Err(BrokerError::SessionNotFound)), "{forged}");
    }
}

#[tokio::test]
async fn a_device_waits_for_its_person_and_gets_tokens_once() {
    let bench = Bench::new();
    let (client, other) = (bench.client().await, bench.client().await);
    let device = bench.broker.begin_device_grant(&client, Some("crm"), &[]).await.expect("begins");
    assert_eq!((device.user_code.len(), device.expires_in.as_secs(), device.interval.as_secs()), (9, 600, 5));
    let code = device.device_code.expose();
    let poll = |client| bench.granted(client, TokenGrant::Device { code });
    assert!(matches!(poll(&client).await, Err(FrontError::AuthorizationPending)));
    assert_eq!(problem(poll(&other).await), GrantProblem::DeviceCode);
    assert!(matches!(bench.broker.device_consent("BBBB-BBBB").await, Err(BrokerError::SessionNotFound)));
    let typed = format!(" {} ", device.user_code.to_lowercase().replace('-', " "));
    let session = bench.broker.device_consent(&typed).await.expect("finds it");
    assert_eq!(bench.consented(&session).await, "");
    let tokens = poll(&client).await.expect("tokens");
    assert!(bench.is_good(&tokens).await && tokens.refresh_token.is_some());
    assert_eq!(problem(poll(&client).await), GrantProblem::DeviceCode);
}

#[tokio::test]
async fn a_registration_that_nobody_consents_to_is_forgotten() {
    let bench = Bench::new();
    let (used, unused) = (bench.client().await, bench.client().await);
    bench.front_code(&used, "").await;
    bench.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert!(bench.proven(&used.name).await.is_ok());
    assert!(matches!(bench.proven(&unused.name).await, Err(FrontError::ClientNotAuthenticated)));
}

#[tokio::test]
async fn aths_endpoints_are_not_for_oauth_clients() {
    let bench = Bench::new();
    let client = bench.client().await;
    let refused = bench.broker.authorize(map(json!({
        "client_id": client.name, "agent_attestation": bench.attest(GATEWAY), "provider_id": "crm", "scopes": ["read"], "state": "s",
    })));
    assert!(matches!(refused.await, Err(BrokerError::AgentNotRegistered)));
    assert!(matches!(
        bench.broker.revoke(&client.name, "", "ath_tk_x").await,
        Err(BrokerError::ClientNotAuthenticated)
    ));
}

#[tokio::test]
async fn nobody_registers_for_what_no_person_is_asked_for() {
    let bench = Bench::new();
    let registered = |grants: Value| {
        let metadata = json!({"redirect_uris": ["https://a.example/cb"], "grant_types": grants});
        let broker = bench.broker.clone();
        async move { broker.register_client(map(metadata)).await.map(|answer| answer["grant_types"].to_string()) }
    };
    let machine = registered(json!(["client_credentials"])).await;
    assert!(matches!(machine, Err(FrontError::Metadata("grant_types"))));
    let both = registered(json!(["authorization_code", "client_credentials"])).await;
    assert_eq!(both.expect("registers"), "[\"authorization_code\"]");
    // What it exchanges there is its own.
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let both = registered(json!(["authorization_code", exchange])).await;
    assert_eq!(both.expect("registers"), format!("[\"authorization_code\",\"{exchange}\"]"));
}

#[tokio::test]
async fn a_person_says_for_how_long() {
    let bench = Bench::new();
    let client = bench.client().await;
    let request = AuthorizationRequest::read(&Bench::asking(&client, ""));
    let asked = bench.broker.asked(&request, None).await.expect("asks");
    assert_eq!(asked.view.lasts.first(), Some(&(3600, "an hour")));
    assert_eq!(asked.view.lasts.last(), Some(&(90 * 86400, "90 days")));
    let session = bench.broker.take_up(&asked.sealed, None).await.expect("takes it up");
    let code = bench.consented_for(&session, Some(1800)).await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    assert_eq!(tokens.expires_in.as_secs(), 1800);
    bench.clock.advance(Duration::from_secs(1799));
    assert!(bench.is_good(&tokens).await);
    bench.clock.advance(Duration::from_secs(1));
    assert!(!bench.is_good(&tokens).await);
    assert!(bench.renewed(&client, &refresh_of(&tokens)).await.is_err());
}

#[tokio::test]
async fn a_client_that_an_operator_removed_has_to_ask_everybody_again() {
    let bench = Bench::new();
    let client = bench.client().await;
    let code = bench.front_code(&client, "").await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    let client_id =
        bench.broker.authenticate(tokens.access_token.expose()).await.expect("a caller").client_id().clone();
    bench.broker.delete_agent(&client_id).await.expect("removes it");
    assert!(!bench.is_good(&tokens).await);
    assert!(matches!(bench.renewed(&client, &refresh_of(&tokens)).await, Err(FrontError::ClientNotAuthenticated)));
}

#[tokio::test]
async fn who_only_wants_to_know_the_person_gets_nothing_of_the_provider() {
    let bench = Bench::new();
    let client = bench.client().await;
    for scope in ["openid", "openid+profile+email", "offline_access"] {
        let request = AuthorizationRequest::read(&Bench::asking(&client, &format!("&scope={scope}")));
        let refused = bench.broker.asked(&request, None).await.expect_err("refused");
        assert!(matches!(refused, Unasked::There { error: FrontError::Scope, .. }), "{scope}");
    }
    let named = Bench::asking(&client, "&scope=openid&resource=https://gateway.example/ath/proxy/crm/");
    let asked = bench.broker.asked(&AuthorizationRequest::read(&named), None).await.expect("asks");
    assert_eq!(asked.view.scopes.len(), 1);
}

/// A service with `read` and `write`, where `write` of whoever registered itself waits for the operator.
fn careful() -> Bench {
    let clock = Arc::new(ManualClock::at(NOW));
    let bench = Bench::over(Arc::new(MemoryStore::new(clock.clone())), clock.clone(), SignInMethod::Provider);
    let scope = |name: &str, rule: &str| {
        let rules = vec![Rule::parse(rule).expect("a rule")];
        (Scope::parse(name).expect("a scope"), ScopeRule { says: name.to_owned(), rules })
    };
    let operations = Operations::new(vec![scope("read", "GET /**"), scope("write", "POST /**")]);
    let waits = policy::ApprovalRule {
        decision: policy::Decision::Pending,
        agents: Vec::new(),
        hosts: Vec::new(),
        vouched_by: vec![policy::Vouching::Nobody],
        providers: Vec::new(),
        scopes: vec![policy::ScopePattern::parse("write").expect("a scope")],
        reason: None,
    };
    let parts = parts(Arc::new(MemoryStore::new(clock.clone())), &clock, bench.provider.clone());
    let settings = Settings {
        providers: vec![Arc::new(Provider { operations, ..crm(bench.provider.clone()) })],
        approvals: policy::Approvals::new(vec![waits]),
        ..parts.settings
    };
    Bench { broker: Broker::new(Parts { settings, ..parts }), ..bench }
}

#[tokio::test]
async fn what_waits_is_put_before_the_operator_and_their_word_has_its_time() {
    let bench = careful();
    let client = bench.client().await;
    let code = bench.front_code(&client, "&scope=crm").await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    assert_eq!(tokens.scope, "read", "the service's name would say more than was granted");
    let waiting = bench.broker.agents().await.expect("lists").remove(0);
    assert_eq!(waiting.waiting, ["crm write"]);
    bench.broker.approve_agent(&waiting.client_id, &Selection::default()).await.expect("approves");
    let code = bench.front_code(&client, "&scope=crm").await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    assert_eq!(tokens.scope, "crm read write");
    bench.clock.advance(Duration::from_secs(90 * 86400));
    let code = bench.front_code(&client, "&scope=crm").await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    assert_eq!(tokens.scope, "read");
    assert_eq!(bench.broker.agents().await.expect("lists").remove(0).waiting, ["crm write"]);
}

#[tokio::test]
async fn an_operators_word_keeps_a_client_as_a_persons_does() {
    let bench = careful();
    let client = bench.client().await;
    let request = AuthorizationRequest::read(&Bench::asking(&client, "&scope=write"));
    let asked = bench.broker.asked(&request, None).await.expect("asks");
    assert_eq!((asked.view.scopes.len(), asked.view.waits.len()), (0, 1));
    let refused = bench.broker.take_up(&asked.sealed, None).await;
    assert!(matches!(refused, Err(BrokerError::AgentUnapproved(Unapproved::Pending))));
    let waiting = bench.broker.agents().await.expect("lists").remove(0);
    bench.broker.approve_agent(&waiting.client_id, &Selection::default()).await.expect("approves");
    bench.clock.advance(Duration::from_secs(3 * 86400));
    let code = bench.front_code(&client, "&scope=write").await;
    assert_eq!(bench.redeem(&client, &code, VERIFIER).await.expect("tokens").scope, "write");
}

#[tokio::test]
async fn each_scope_holds_for_as_long_as_it_was_given() {
    let bench = careful();
    let client = bench.client().await;
    let waiting = |bench: &Bench| {
        let broker = bench.broker.clone();
        async move { broker.agents().await.expect("lists").remove(0).client_id }
    };
    bench.front_code(&client, "&scope=crm").await;
    bench.broker.approve_agent(&waiting(&bench).await, &Selection::default()).await.expect("approves");
    let given = |scope: &str, lasts| {
        let request = AuthorizationRequest::read(&Bench::asking(&client, &format!("&scope={scope}")));
        let bench = &bench;
        async move {
            let asked = bench.broker.asked(&request, None).await.expect("asks");
            let session = bench.broker.take_up(&asked.sealed, None).await.expect("takes it up");
            bench.consented_for(&session, lasts).await
        }
    };
    given("write", Some(3600)).await;
    let code = given("read", None).await;
    let tokens = bench.redeem(&client, &code, VERIFIER).await.expect("tokens");
    let caller = bench.broker.authenticate(tokens.access_token.expose()).await.expect("a caller");
    let name = ConnectionName {
        user: caller.user_id().clone(),
        provider: caller.provider_id().clone(),
        account: caller.account_id().clone(),
    };
    let scopes = || async {
        let all = bench.broker.connections().await.expect("lists");
        let own = all.iter().find(|it| it.name == name.to_string()).expect("the connection");
        own.agents[0].scopes.to_string()
    };
    assert_eq!(scopes().await, "read write");
    bench.clock.advance(Duration::from_secs(3600));
    assert_eq!(scopes().await, "read");
}

#[tokio::test]
async fn who_goes_back_may_still_refuse() {
    let bench = Bench::new();
    let client = bench.client().await;
    let request = AuthorizationRequest::read(&Bench::asking(&client, ""));
    let asked = bench.broker.asked(&request, None).await.expect("asks");
    bench.broker.take_up(&asked.sealed, None).await.expect("takes it up");
    let ending = bench.broker.refuse_request(&asked.sealed, None).await.expect("refuses");
    assert!(matches!(ending, Ending::Redirect(url) if url.contains("error=access_denied")));
}
