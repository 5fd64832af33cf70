//! RFC 8628 from a shell: `sh` and `curl` are the whole client.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tests::{Browser, CANARY, RedisServer, Store, consented};

use super::Door;
use crate::clients::script;

#[test]
fn the_device_flow_works_from_a_shell() {
    works_on(Store::Embedded);
}

#[test]
fn the_device_flow_works_from_a_shell_with_redis() {
    works_on(Store::Redis(&RedisServer::start()));
}

fn works_on(store: Store<'_>) {
    let Door { gateway, upstream: _upstream } = Door::on(store, "");
    let mut shell = Command::new("sh")
        .arg(script("oauth_device.sh"))
        .args([gateway.url(), "/helpdesk".to_owned()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut lines = BufReader::new(shell.stdout.take().expect("piped")).lines();
    let mut line = || lines.next().and_then(Result::ok).unwrap_or_default();
    let shown = line();
    let (uri, code) = shown.split_once(' ').expect("a link and a code");
    assert_eq!(uri, format!("{}/oauth/device", gateway.public_url()));
    assert_eq!(line(), "authorization_pending");

    let mut browser = Browser::new();
    let page = browser.open(uri);
    assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
    let page = browser.submit(&page, &[("user_code", &code.to_lowercase().replace('-', " "))]);
    assert!(page.says("Shell") && page.says("See your tickets"), "{}", page.answer.body_text());
    let end = consented(&mut browser, page);
    assert_eq!(end.answer.status, 200, "{}", end.answer.body_text());
    assert!(end.says("Shell"), "{}", end.answer.body_text());

    let said: Vec<_> = std::iter::from_fn(|| Some(line()).filter(|line| !line.is_empty())).collect();
    let ended = shell.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{said:?} {}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(said.last().map(String::as_str), Some("done"), "{said:?}");
    for result in ["tickets 200", "revoked 401"] {
        assert!(said.iter().any(|line| line == result), "{said:?}");
    }
    assert!(!said.iter().any(|line| line.contains(CANARY)));
}

#[test]
fn a_code_is_good_once_and_a_no_is_told() {
    use std::collections::BTreeMap;
    use tests::{OAuthClient, form};

    let Door { gateway, upstream: _upstream } = Door::open();
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    let client = OAuthClient::register_as(
        &gateway,
        &serde_json::json!({"grant_types": [grant, "refresh_token"], "token_endpoint_auth_method": "none", "redirect_uris": ["http://127.0.0.1:7777/callback"]}),
    );
    let begins = || {
        let fields = BTreeMap::from([
            ("client_id", client.id.clone()),
            ("scope", "read:tickets".to_owned()),
            ("resource", client.resource.clone()),
        ]);
        let begun = form(&gateway, "/oauth/device_authorization", &fields).send();
        assert_eq!(begun.status, 200, "{}", begun.body_text());
        begun
    };
    let poll = |code: &str| {
        let fields = BTreeMap::from([
            ("client_id", client.id.clone()),
            ("grant_type", grant.to_owned()),
            ("device_code", code.to_owned()),
        ]);
        form(&gateway, "/oauth/token", &fields).send()
    };
    let device = begins();
    let complete = device.text("/verification_uri_complete");
    let mut browser = Browser::new();
    let page = browser.open(&complete);
    let page = if page.says("value=\"deny\"") {
        page
    } else {
        browser.submit(&page, &[("user_code", &device.text("/user_code"))])
    };
    browser.submit(&page, &[("decision", "deny")]);
    assert_eq!(super::refusal(&poll(&device.text("/device_code"))), super::refused(400, "access_denied"));

    let device = begins();
    let code = device.text("/device_code");
    assert_eq!(super::refusal(&poll(&code)), super::refused(400, "authorization_pending"));
    assert_eq!(super::refusal(&poll(&code)), super::refused(400, "slow_down"), "sooner than the interval");
    let other = OAuthClient::register(&gateway);
    let mut fields = BTreeMap::from([("grant_type", grant.to_owned()), ("device_code", code.clone())]);
    fields.insert("client_id", other.id.clone());
    let stolen = form(&gateway, "/oauth/token", &fields).send();
    assert!(
        matches!(stolen.text("/error").as_str(), "invalid_grant" | "unauthorized_client"),
        "{}",
        stolen.body_text()
    );
    for wrong in ["AAAA-AAAA", "", "x", "ath_dc_x"] {
        let page = Browser::new().open(&format!("{}/oauth/device", gateway.url()));
        let page = Browser::new().submit(&page, &[("user_code", wrong)]);
        assert!(page.answer.status >= 400 || !page.says("value=\"allow\""), "{wrong:?}");
    }
}
