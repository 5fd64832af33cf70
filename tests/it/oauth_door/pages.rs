//! The pages of the door: opening one changes nothing, no other site can use or frame one, and what a form carries cannot be changed.

use serde_json::json;
use tests::{Answer, Browser, OAuthClient, Page, RedisServer, Store, consented};

use super::Door;

fn cannot_be_framed(answer: &Answer) {
    let policy = answer.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action"] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("script-src"), "{policy}");
    assert_eq!(answer.header("x-frame-options").map(str::to_ascii_uppercase).as_deref(), Some("DENY"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    assert!(!answer.body_text().contains("<script"));
}

#[test]
fn a_hundred_looks_at_a_request_leave_nothing_behind() {
    let redis = RedisServer::start();
    let Door { gateway, upstream } = Door::on(Store::Redis(&redis), "");
    let client = OAuthClient::register(&gateway);
    let kept = || {
        let mut keys = redis.keys("*");
        keys.sort();
        (keys, gateway.audit().len(), upstream.helpdesk.recorded_requests().len())
    };
    let before = kept();
    for number in 0..100 {
        let mut browser = Browser::new();
        let page = browser.open(&client.link(&gateway));
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        let head = gateway.request("HEAD", page.url.path()).send();
        assert!(head.status < 500, "{number}");
        let broken = browser.open(&format!("{}&response_type=token", client.link(&gateway)));
        assert!(broken.answer.status == 400 || broken.parameters().contains_key("error"), "{number}");
        browser.open(&format!("{}/oauth/device?user_code=AAAA-BBBB", gateway.url()));
    }
    assert_eq!(kept(), before);
    // A link that was looked at so often still works, and works again in another browser.
    for _ in 0..2 {
        assert!(client.consent(&gateway, &mut Browser::new()).contains_key("code"));
    }
}

#[test]
fn the_pages_are_framed_by_nobody_and_say_who_asks_for_what() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register_as(
        &gateway,
        &json!({"redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": "none"}),
    );
    let page = Browser::new().open(&client.link(&gateway));
    assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
    cannot_be_framed(&page.answer);
    for text in ["Plain Client", "app.example", "Acme Helpdesk", "See your tickets"] {
        assert!(page.says(text), "{text}: {}", page.answer.body_text());
    }
    assert!(!page.says("Open and change tickets"), "nothing that was not asked for");
    cannot_be_framed(&Browser::new().open(&format!("{}/oauth/device", gateway.url())).answer);
    let mut wrong = client.authorization();
    wrong.insert("client_id", "ath_00000000000000000000000000000000".to_owned());
    let error = Browser::new().open(&tests::link(&gateway, &wrong));
    assert_eq!(error.answer.status, 400);
    cannot_be_framed(&error.answer);
}

#[test]
fn a_form_from_elsewhere_is_refused() {
    let Door { gateway, upstream: _upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let mut browser = Browser::new();
    let page = browser.open(&client.link(&gateway));
    for headers in [
        [("origin", "https://evil.test")],
        [("origin", "null")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        let answer = browser.submit_from(&page, &[("decision", "allow")], &headers).answer;
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    let stranger = Browser::new().submit(&page, &[("decision", "allow")]).answer;
    assert_eq!(stranger.status, 403, "the form of another browser: {}", stranger.body_text());
    // Login CSRF: an attacker's request in the victim's browser, by a form that the attacker got.
    let mut victim = Browser::new();
    victim.open(&client.link(&gateway));
    let answer = victim.submit(&page, &[("decision", "allow")]).answer;
    assert_eq!(answer.status, 403, "{}", answer.body_text());
    assert!(consented(&mut browser, page).parameters().contains_key("code"), "its own browser goes on");
}

/// Every hidden field of the form, changed by one character, emptied, or taken from another request.
#[test]
fn what_a_form_carries_cannot_be_changed() {
    let Door { gateway, upstream } = Door::open();
    let client = OAuthClient::register(&gateway);
    let mut browser = Browser::new();
    let page = browser.open(&client.link(&gateway));
    let hidden = hidden(&page);
    assert!(!hidden.is_empty());
    for (name, value) in &hidden {
        assert!(!value.contains(&client.id), "what was asked for is sealed");
        let place = value.len() / 2;
        let flipped = if value.as_bytes()[place] == b'A' { "B" } else { "A" };
        let mut changed = value.clone();
        changed.replace_range(place..=place, flipped);
        for other in [changed, String::new(), value[..value.len() - 1].to_owned(), format!("{value}A")] {
            let answer = browser.submit_once(&page, &[("decision", "allow"), (name.as_str(), &other)]);
            assert!(matches!(answer.status, 400 | 403), "{name}={other}: {} {:?}", answer.status, answer.headers);
            assert!(answer.header("location").is_none());
        }
    }
    for decision in ["", "ALLOW", "yes"] {
        let answer = browser.submit_once(&page, &[("decision", decision)]);
        assert!(
            answer.status == 400 || answer.header("location").is_some_and(|to| to.contains("error=")),
            "{decision:?}"
        );
    }
    assert_eq!(upstream.helpdesk.counters().token_requests.authorization_code, 0);
    // Nor can a member that nobody asked for be added.
    let answer = browser.submit_once(&page, &[("decision", "allow"), ("scope", "write:tickets")]);
    let location = answer.header("location").unwrap_or_default().to_owned();
    assert!(!location.contains("write"), "{location}");
}

fn hidden(page: &Page) -> Vec<(String, String)> {
    let html = page.answer.body_text();
    let value =
        |input: &str, name: &str| Some(input.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0.to_owned());
    let inputs = html
        .split("<input")
        .skip(1)
        .filter(|input| input.split('>').next().is_some_and(|tag| tag.contains("type=\"hidden\"")));
    inputs.filter_map(|input| Some((value(input, "name")?, value(input, "value")?))).collect()
}
