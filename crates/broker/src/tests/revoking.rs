//! What ends while something is waited for, and what becomes of the tokens.

use super::*;
use crate::connections::ConnectionName;
use crate::records::{Connection, ProviderSwitch, Revocation, User};

fn name(caller: &Caller) -> ConnectionName {
    ConnectionName {
        user: caller.user_id().clone(),
        provider: caller.provider_id().clone(),
        account: caller.account_id().clone(),
    }
}

fn read() -> Scope {
    Scope::parse("read").expect("a scope")
}

#[tokio::test]
async fn a_caller_that_was_ended_may_go_on_no_more() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    assert!(bench.broker.still_may(&caller, &read()).await.is_ok());
    bench.broker.revoke_grant(&name(&caller), caller.client_id()).await.expect("ends");
    assert!(matches!(bench.broker.still_may(&caller, &read()).await, Err(BrokerError::TokenRevoked)));
}

#[tokio::test]
async fn a_connection_made_anew_lends_nothing_to_the_callers_of_the_earlier() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    let key = caller.known().connection.clone();
    let (held, mark) = bench.broker.vault.get_marked::<Connection>(&key).await.expect("reads").expect("is there");
    let anew = Connection { id: "another".to_owned(), ..held.body };
    let bytes = bench.broker.vault.seal(&key, held.version.next(), &mark, &anew).expect("seals");
    let swap = store::Write::Swap { key, expected: held.version, bytes, life: store::Life::Forever };
    bench.broker.vault.write(swap).await.expect("writes");
    assert!(matches!(bench.lend(&caller).await, Err(BrokerError::TokenRevoked)));
}

#[tokio::test]
async fn an_era_does_not_come_again_where_its_record_was_lost() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    let provider = caller.provider_id().clone();
    let era = |bench: &Bench| {
        let (broker, provider) = (bench.broker.clone(), provider.clone());
        async move { broker.era(&provider).await.expect("reads") }
    };
    bench.broker.revoke_provider(&provider).await.expect("ends");
    let first = era(&bench).await;
    bench.broker.revoke_provider(&provider).await.expect("ends");
    assert_eq!(era(&bench).await, first + 1, "within one second");
    bench.broker.vault.delete(&ProviderSwitch::key(&provider)).await.expect("loses");
    bench.clock.advance(Duration::from_secs(60));
    bench.broker.revoke_provider(&provider).await.expect("ends");
    assert!(era(&bench).await > first + 1);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    let scope = read();
    let outlived = bench.broker.outlived(&caller, &scope);
    assert!(tokio::time::timeout(Duration::from_millis(50), outlived).await.is_err(), "it is good yet");
    bench.clock.advance(Duration::from_secs(3600));
    let outlived = bench.broker.outlived(&caller, &scope);
    tokio::time::timeout(Duration::from_secs(5), outlived).await.expect("ends");
    assert!(matches!(bench.broker.end_of(&caller), BrokerError::TokenExpired));
}

#[tokio::test]
async fn tokens_are_told_to_nobody_but_who_issued_them() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    let held = bench.broker.vault.get::<Connection>(&caller.known().connection).await.expect("reads");
    let tokens = held.expect("is there").body.tokens;
    let provider = bench.broker.provider(caller.provider_id()).expect("is there");
    assert!(provider.is_marked(&provider.fingerprint()) && !provider.is_marked(b"another"));
    // It has no endpoint for it: nothing waits.
    let queued = bench.broker.revocation(&provider.id, &provider.fingerprint(), &tokens, None).expect("none");
    assert!(queued.is_empty());
    assert!(bench.broker.vault.store().scan(&Revocation::all()).await.expect("scans").is_empty());
}

#[tokio::test]
async fn an_ended_connection_leaves_the_list_and_a_person_takes_all_with_them() {
    let bench = Bench::new();
    let (caller, _) = bench.caller().await;
    let user = caller.user_id().clone();
    let listed = || async { bench.broker.vault.store().scan(&User::connections(&user)).await.expect("scans").len() };
    assert_eq!(listed().await, 1);
    bench.broker.delete_user(&user).await.expect("deletes");
    assert_eq!(listed().await, 0);
    assert!(matches!(bench.lend(&caller).await, Err(BrokerError::TokenRevoked)));
}
