use std::time::Duration;

use axum::body::Body;
use http::{Request, header};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::{
    Effect, Fault, Misbehaviour, Outcome, Pkce, Rotation, Successor, TokenBehaviour, TokenRequest, TokenRequests,
    testing::{AUTHORIZE, CALLBACK, CLIENT, Desk},
};

const READ: &str = "read:tickets";
const BOTH: &str = "read:tickets write:tickets";

/// The pair of RFC 7636 appendix B.
const CHALLENGE: &str = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

async fn alice(desk: &Desk) -> Value {
    desk.tokens("alice@acme.test", BOTH).await
}

fn refresh_token(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_code_is_exchanged_for_a_pair() {
    let desk = Desk::new();
    let code = desk.code("alice@acme.test", BOTH).await;
    let answer = desk.exchange(&code).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(
        answer.json(),
        json!({
            "access_token": "hd_at_AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM",
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": "hd_rt_BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ",
            "scope": "read:tickets write:tickets",
        })
    );
    assert_eq!(
        desk.helpdesk.issued_tokens(),
        [
            "hd_code_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI",
            "hd_rt_BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ",
            "hd_at_AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM",
        ]
    );
}

#[tokio::test]
async fn prefixes_mark_every_credential() {
    let desk = Desk::with(|settings| {
        settings.token_prefix = "CANARY-at-".to_owned();
        settings.refresh_token_prefix = "CANARY-rt-".to_owned();
        settings.code_prefix = "CANARY-code-".to_owned();
    });
    alice(&desk).await;
    let starts: Vec<String> = desk.helpdesk.issued_tokens().iter().map(|token| token[..10].to_owned()).collect();
    assert_eq!(starts, ["CANARY-cod", "CANARY-rt-", "CANARY-at-"]);
}

#[tokio::test]
async fn a_code_works_once_and_a_second_use_revokes_what_it_gave() {
    let desk = Desk::new();
    let code = desk.code("alice@acme.test", BOTH).await;
    let tokens = desk.exchange(&code).await.json();
    let again = desk.exchange(&code).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.json(), json!({ "error": "invalid_grant", "error_description": "The code was used before." }));
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(desk.api("GET", "/tickets", access_token, "").await.json(), json!({ "error": "invalid_token" }));
    assert_eq!(desk.refresh(refresh_token(&tokens)).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_code_lives_for_60_seconds() {
    let desk = Desk::new();
    let code = desk.code("alice@acme.test", BOTH).await;
    desk.pass_seconds(59);
    assert_eq!(desk.exchange(&code).await.status, 200);
    let code = desk.code("alice@acme.test", BOTH).await;
    desk.pass_seconds(60);
    let late = desk.exchange(&code).await;
    assert_eq!(late.json(), json!({ "error": "invalid_grant", "error_description": "The code has expired." }));
}

#[tokio::test]
async fn a_code_is_bound_to_its_redirect_uri() {
    let desk = Desk::new();
    let code = desk.code("alice@acme.test", BOTH).await;
    let fields = [("grant_type", "authorization_code"), ("code", &code)];
    assert_eq!(desk.post_as_client("/token", &fields).await.json()["error"], "invalid_request");
    let fields = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", "http://127.0.0.1:8080/")];
    assert_eq!(desk.post_as_client("/token", &fields).await.json()["error"], "invalid_grant");
    assert_eq!(desk.exchange("hd_code_unknown").await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn the_client_authenticates_by_post_or_basic() {
    let desk = Desk::new();
    let tokens = alice(&desk).await;
    let body = format!("grant_type=refresh_token&refresh_token={}", refresh_token(&tokens));
    let send = |authorization: &'static str, extra: &str| {
        let request = Request::post("/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::AUTHORIZATION, authorization);
        desk.send(request.body(Body::from(format!("{body}{extra}"))).unwrap())
    };
    let right = "Basic YXRoLWdhdGV3YXk6aGVscGRlc2stc2VjcmV0"; // ath-gateway:helpdesk-secret
    let wrong = "Basic YXRoLWdhdGV3YXk6d3Jvbmc="; // ath-gateway:wrong
    assert_eq!(send(right, "").await.status, 200);
    assert_eq!(send(right, "&client_id=ath-gateway").await.status, 200);
    assert_eq!(send(right, "&client_secret=helpdesk-secret").await.json()["error"], "invalid_request");
    for (authorization, extra) in [(wrong, ""), (right, "&client_id=other"), ("Bearer x", "")] {
        let answer = send(authorization, extra).await;
        assert_eq!(answer.status, 401, "{authorization} {extra}");
        assert_eq!(answer.headers[header::WWW_AUTHENTICATE], r#"Basic realm="acme-helpdesk""#);
        assert_eq!(answer.json()["error"], "invalid_client");
    }
    for credentials in [
        &[("client_id", "ath-gateway"), ("client_secret", "wrong")][..],
        &[("client_id", "other"), ("client_secret", "helpdesk-secret")],
        &[("client_id", "ath-gateway")],
        &[],
    ] {
        let request = [("grant_type", "refresh_token"), ("refresh_token", refresh_token(&tokens))];
        let answer = desk.form("/token", "", &[credentials, &request].concat()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (401, &json!("invalid_client")));
    }
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let desk = Desk::new();
    for (fields, error) in [
        (&[][..], "invalid_request"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
        (&[("grant_type", "authorization_code")], "invalid_request"),
        (&[("grant_type", "refresh_token")], "invalid_request"),
        (&[("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")], "invalid_request"),
    ] {
        let answer = desk.post_as_client("/token", fields).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!(error)), "{fields:?}");
    }
    let large = "x".repeat(64 * 1024);
    assert_eq!(desk.post_as_client("/token", &[("code", &large)]).await.status, 413);
    assert_eq!(desk.get("/token").await.status, 405);
    let counted = TokenRequests { authorization_code: 1, refresh_token: 1, other: 4 };
    assert_eq!(desk.helpdesk.counters().token_requests, counted);
}

#[tokio::test]
async fn the_switch_for_json_wants_json_and_nothing_else() {
    let desk = Desk::new();
    let code = desk.code("alice@acme.test", BOTH).await;
    let body = json!({
        "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK,
        "client_id": "ath-gateway", "client_secret": "helpdesk-secret",
    })
    .to_string();
    let send = || {
        let request = Request::post("/token").header(header::CONTENT_TYPE, "application/json; charset=utf-8");
        desk.send(request.body(Body::from(body.clone())).unwrap())
    };
    assert_eq!(send().await.json()["error"], "invalid_request");
    desk.helpdesk.change_settings(|settings| settings.token_request = TokenRequest::Json);
    assert_eq!(desk.exchange(&code).await.json()["error"], "invalid_request");
    assert_eq!(send().await.json()["token_type"], "Bearer");
}

#[tokio::test]
async fn the_lifetime_of_access_tokens_is_a_switch() {
    let desk = Desk::with(|settings| settings.access_token_lifetime = Duration::from_secs(5));
    let tokens = alice(&desk).await;
    assert_eq!(tokens["expires_in"], 5);
    let access_token = tokens["access_token"].as_str().unwrap();
    desk.pass_seconds(4);
    assert_eq!(desk.api("GET", "/tickets", access_token, "").await.status, 200);
    desk.pass_seconds(1);
    assert_eq!(desk.api("GET", "/tickets", access_token, "").await.json(), json!({ "error": "token_expired" }));
}

#[tokio::test]
async fn without_rotation_the_refresh_token_lives_on_and_is_not_repeated() {
    let desk = Desk::new();
    let tokens = alice(&desk).await;
    for _ in 0..2 {
        let answer = desk.refresh(refresh_token(&tokens)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["refresh_token"], Value::Null);
        assert_eq!(answer.json()["scope"], BOTH);
        let access_token = answer.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(desk.api("GET", "/tickets", &access_token, "").await.status, 200);
    }
    assert_eq!(desk.helpdesk.counters().refresh_token_presentations[refresh_token(&tokens)], 2);
}

#[tokio::test]
async fn with_rotation_the_old_refresh_token_is_refused_and_the_new_one_works() {
    let desk = Desk::with(|settings| settings.rotation = Rotation::Rotating);
    let first = alice(&desk).await;
    let second = desk.refresh(refresh_token(&first)).await.json();
    assert_ne!(refresh_token(&first), refresh_token(&second));
    assert_eq!(desk.refresh(refresh_token(&first)).await.json()["error"], "invalid_grant");
    assert_eq!(desk.refresh(refresh_token(&second)).await.status, 200);
    let counters = desk.helpdesk.counters();
    assert_eq!(counters.refresh_token_presentations[refresh_token(&first)], 2);
    assert_eq!(counters.refresh_token_presentations[refresh_token(&second)], 1);
    assert_eq!(counters.token_requests, TokenRequests { authorization_code: 1, refresh_token: 3, other: 0 });
}

#[tokio::test]
async fn with_reuse_detection_an_old_refresh_token_revokes_its_family_alone() {
    let desk = Desk::with(|settings| settings.rotation = Rotation::RotatingWithReuseDetection);
    let first = alice(&desk).await;
    let other = alice(&desk).await;
    let second = desk.refresh(refresh_token(&first)).await.json();
    assert_eq!(desk.refresh(refresh_token(&first)).await.json()["error"], "invalid_grant");
    assert_eq!(desk.refresh(refresh_token(&second)).await.json()["error"], "invalid_grant");
    let access_token = second["access_token"].as_str().unwrap();
    assert_eq!(desk.api("GET", "/tickets", access_token, "").await.status, 401);
    assert_eq!(desk.refresh(refresh_token(&other)).await.status, 200);
}

#[tokio::test]
async fn a_refresh_may_narrow_the_scope_and_not_widen_it() {
    let desk = Desk::with(|settings| settings.rotation = Rotation::Rotating);
    let tokens = desk.tokens("alice@acme.test", BOTH).await;
    let narrow = [("grant_type", "refresh_token"), ("refresh_token", refresh_token(&tokens)), ("scope", READ)];
    let narrowed = desk.post_as_client("/token", &narrow).await.json();
    assert_eq!(narrowed["scope"], READ);
    assert_eq!(desk.refresh(refresh_token(&narrowed)).await.json()["scope"], BOTH);

    let tokens = desk.tokens("alice@acme.test", READ).await;
    let wide = [("grant_type", "refresh_token"), ("refresh_token", refresh_token(&tokens)), ("scope", BOTH)];
    assert_eq!(desk.post_as_client("/token", &wide).await.json()["error"], "invalid_scope");
    assert_eq!(desk.refresh(refresh_token(&tokens)).await.status, 200, "a refused request changes nothing");
}

#[tokio::test]
async fn refresh_tokens_can_be_revoked_from_outside() {
    let desk = Desk::new();
    let tokens = alice(&desk).await;
    desk.helpdesk.revoke_all_refresh_tokens();
    assert_eq!(desk.refresh(refresh_token(&tokens)).await.json()["error"], "invalid_grant");
    let access_token = tokens["access_token"].as_str().unwrap();
    assert_eq!(desk.api("GET", "/tickets", access_token, "").await.status, 200);
}

#[tokio::test]
async fn a_server_that_ignores_pkce_ignores_the_verifier() {
    let desk = Desk::new();
    let code = desk.code("alice@acme.test", READ).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", "nonsense"),
    ];
    assert_eq!(desk.post_as_client("/token", &fields).await.status, 200);
}

#[tokio::test]
async fn a_server_that_rejects_pkce_rejects_the_verifier_and_any_other_parameter() {
    let desk = Desk::with(|settings| settings.pkce = Pkce::Rejected);
    let code = desk.code("alice@acme.test", READ).await;
    for extra in ["code_verifier", "resource"] {
        let fields =
            [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", CALLBACK), (extra, VERIFIER)];
        let answer = desk.post_as_client("/token", &fields).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")));
    }
    assert_eq!(desk.exchange(&code).await.status, 200);
}

#[tokio::test]
async fn a_server_that_requires_pkce_verifies_it() {
    let desk = Desk::with(|settings| settings.pkce = Pkce::Required);
    let target = format!("{AUTHORIZE}&scope=read:tickets{CHALLENGE}");
    for (verifier, status) in [(VERIFIER, 200), ("", 400), ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXX", 400)] {
        let code = desk.decide(&target, "alice@acme.test", "allow").await.remove(0).1;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        let answer = desk.post_as_client("/token", &fields).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        if status == 400 {
            assert_eq!(answer.json()["error"], "invalid_grant");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_has_taken_effect_even_if_nobody_waits_for_it() {
    let desk = Desk::with(|settings| settings.rotation = Rotation::Rotating);
    let tokens = alice(&desk).await;
    desk.helpdesk.set_token_behaviour(TokenBehaviour::Delay(Duration::from_secs(3)));
    let start = Instant::now();
    let second = desk.refresh(refresh_token(&tokens)).await.json();
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    assert!(timeout(Duration::from_secs(1), desk.refresh(refresh_token(&second))).await.is_err());
    desk.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
    assert_eq!(desk.refresh(refresh_token(&second)).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn failures_are_answered_as_told_and_take_no_effect() {
    let desk = Desk::with(|settings| settings.rotation = Rotation::Rotating);
    let tokens = alice(&desk).await;
    for (behaviour, status, content_type, text) in [
        (TokenBehaviour::ServerError(503), 503, "application/json", r#"{"error":"server_error"}"#),
        (TokenBehaviour::ServerError(429), 429, "application/json", r#"{"error":"server_error"}"#),
        (TokenBehaviour::ServerError(7), 500, "application/json", r#"{"error":"server_error"}"#),
        (TokenBehaviour::Html, 200, "text/html; charset=utf-8", super::MAINTENANCE),
        (TokenBehaviour::ErrorWith200, 200, "application/json", r#"{"error":"temporarily_unavailable","ok":false}"#),
    ] {
        desk.helpdesk.set_token_behaviour(behaviour);
        let answer = desk.refresh(refresh_token(&tokens)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, text), "{behaviour:?}");
        assert_eq!(answer.headers[header::CONTENT_TYPE], content_type, "{behaviour:?}");
    }
    desk.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
    assert_eq!(desk.refresh(refresh_token(&tokens)).await.status, 200);
    assert_eq!(desk.helpdesk.counters().token_requests.refresh_token, 6);
}

#[tokio::test]
async fn half_an_answer_has_taken_effect_and_cannot_be_parsed() {
    let desk = Desk::with(|settings| settings.rotation = Rotation::Rotating);
    let tokens = alice(&desk).await;
    desk.helpdesk.set_token_behaviour(TokenBehaviour::HalfJson);
    let answer = desk.refresh(refresh_token(&tokens)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    assert!(answer.text.starts_with(r#"{"access_token":"hd_at_"#), "{}", answer.text);
    assert!(serde_json::from_str::<Value>(&answer.text).is_err());
    desk.helpdesk.set_token_behaviour(TokenBehaviour::Normal);
    assert_eq!(desk.refresh(refresh_token(&tokens)).await.json()["error"], "invalid_grant");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_server_counts_and_never_answers() {
    let desk = Desk::new();
    let tokens = alice(&desk).await;
    desk.helpdesk.set_token_behaviour(TokenBehaviour::Hang);
    let a_day = Duration::from_secs(86_400);
    assert!(timeout(a_day, desk.refresh(refresh_token(&tokens))).await.is_err());
    assert_eq!(desk.helpdesk.counters().token_requests.refresh_token, 1);
}

#[tokio::test]
async fn the_clients_secret_is_a_switch() {
    let desk = Desk::with(|settings| settings.client_secret = "another".to_owned());
    let fields = [CLIENT.as_slice(), &[("grant_type", "refresh_token"), ("refresh_token", "x")]].concat();
    assert_eq!(desk.form("/token", "", &fields).await.json()["error"], "invalid_client");
}

#[tokio::test]
async fn within_its_grace_an_old_refresh_token_is_answered_again() {
    for successor in [Successor::Same, Successor::New] {
        let window = Duration::from_secs(30);
        let desk = Desk::with(|settings| settings.rotation = Rotation::RotatingWithGrace { window, successor });
        let first = alice(&desk).await;
        let second = desk.refresh(refresh_token(&first)).await.json();
        desk.pass_seconds(29);
        let again = desk.refresh(refresh_token(&first)).await.json();
        assert_ne!(again["access_token"], second["access_token"]);
        let same = refresh_token(&again) == refresh_token(&second);
        assert_eq!(same, successor == Successor::Same);
        assert_eq!(desk.refresh(refresh_token(&again)).await.status, 200);
        let outcomes: Vec<_> = desk.helpdesk.presentations(0).into_iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [Outcome::Renewed, Outcome::RenewedAgain, Outcome::Renewed]);
    }
}

#[tokio::test]
async fn after_its_grace_or_once_its_successor_was_used_it_revokes_the_family() {
    let window = Duration::from_secs(30);
    for (successor, seconds, uses) in [(Successor::Same, 30, 0), (Successor::New, 30, 0), (Successor::Same, 1, 1)] {
        let desk = Desk::with(|settings| settings.rotation = Rotation::RotatingWithGrace { window, successor });
        let first = alice(&desk).await;
        let mut last = desk.refresh(refresh_token(&first)).await.json();
        for _ in 0..uses {
            last = desk.refresh(refresh_token(&last)).await.json();
        }
        desk.pass_seconds(seconds);
        assert_eq!(desk.refresh(refresh_token(&first)).await.json()["error"], "invalid_grant");
        assert_eq!(desk.refresh(refresh_token(&last)).await.json()["error"], "invalid_grant");
        let presented = desk.helpdesk.presentations(1 + uses);
        assert!(presented.iter().all(|one| one.outcome == Outcome::Refused), "{presented:?}");
    }
}

#[tokio::test]
async fn what_goes_wrong_goes_wrong_as_often_as_it_was_told() {
    let desk = Desk::with(|settings| settings.rotation = Rotation::RotatingWithReuseDetection);
    let first = alice(&desk).await;
    let told = Misbehaviour { fault: Fault::Status503, effect: Effect::None, times: Some(2) };
    desk.helpdesk.set_token_behaviour(TokenBehaviour::Misbehave(told));
    assert_eq!(desk.refresh(refresh_token(&first)).await.status, 503);
    assert_eq!(desk.refresh(refresh_token(&first)).await.status, 503);
    assert_eq!(desk.refresh(refresh_token(&first)).await.status, 200);
    let told = Misbehaviour { fault: Fault::Status503, effect: Effect::Taken, times: None };
    let second = desk.tokens("alice@acme.test", READ).await;
    desk.helpdesk.set_token_behaviour(TokenBehaviour::Misbehave(told));
    assert_eq!(desk.refresh(refresh_token(&second)).await.status, 503);
    assert_eq!(desk.refresh(refresh_token(&second)).await.json()["error"], "invalid_grant");
    let outcomes: Vec<_> = desk.helpdesk.presentations(0).into_iter().map(|one| one.outcome).collect();
    let expected = [Outcome::Ignored, Outcome::Ignored, Outcome::Renewed, Outcome::Renewed, Outcome::Refused];
    assert_eq!(outcomes, expected);
}

#[tokio::test(start_paused = true)]
async fn every_fault_but_a_black_hole_answers_or_ends_the_connection() {
    let desk = Desk::new();
    for fault in Fault::ALL.iter().copied() {
        if matches!(
            fault,
            Fault::BlackHole | Fault::EndlessDrip | Fault::CutInBody | Fault::CutInChunks | Fault::ResetInBody
        ) {
            continue;
        }
        let tokens = alice(&desk).await;
        let told = Misbehaviour { fault, effect: Effect::None, times: Some(1) };
        desk.helpdesk.set_token_behaviour(TokenBehaviour::Misbehave(told));
        let answer = desk.refresh(refresh_token(&tokens)).await;
        if fault.issues() {
            assert!(answer.status.is_success(), "{fault:?}");
            let token = answer.text.split("hd_at_").nth(1).expect("a token");
            let token = format!("hd_at_{}", token.get(..43).expect("its whole length"));
            assert_eq!(desk.api("GET", "/tickets", &token, "").await.status, 200, "{fault:?}");
        }
    }
    assert_eq!(desk.helpdesk.settings().token_behaviour, TokenBehaviour::Normal);
}
