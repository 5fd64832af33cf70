//! A connection that needs its owner: who calls without knowing ATH gets the person's link, too.

use helpdesk::Rotation;
use tests::{Browser, RedisServer};

use super::{Door, PLAIN, Scene, ask};

#[test]
fn a_refusal_carries_the_persons_link_and_the_token_goes_on() {
    let rotating = |redis| Scene::start(redis, |settings| settings.rotation = Rotation::RotatingWithReuseDetection);
    for scene in [rotating(None), rotating(Some(RedisServer::start()))] {
        assert_eq!(scene.call(Door::Prefix, "/tickets").status, 200);
        scene.upstream.helpdesk.expire_all_access_tokens();
        scene.upstream.helpdesk.revoke_all_refresh_tokens();
        let bearer = format!("Bearer {}", scene.token);
        let mut link = String::new();
        for gateway in [&scene.one, scene.two()] {
            for door in PLAIN {
                let answer = ask(gateway, door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
                assert_eq!(answer.refusal(), (502, "connect_required".to_owned()), "{}", answer.body_text());
                assert_eq!(
                    (answer.reason().as_str(), &answer.json()["retryable"]),
                    ("reconnect_required", &false.into())
                );
                link = answer.text("/connect_url");
                let begins = format!("{}/ath/reconnect/", scene.one.public_url());
                assert!(link.starts_with(&begins), "{}", answer.body_text());
                assert!(answer.text("/hint").contains("connect_url"), "{}", answer.body_text());
                assert!(!answer.body_text().contains("details."), "{}", answer.body_text());
            }
        }
        let before = scene.forwarded();
        assert_eq!(scene.call(Door::Host, "/tickets").status, 502);
        assert_eq!(scene.forwarded(), before, "nobody is asked in vain");

        let mut browser = Browser::new();
        let page = browser.open(&link);
        let page = browser.submit(&page, &[]);
        let page = browser.submit(&page, &[("decision", "allow")]);
        let page = browser.submit(&page, &[("username", "alice@acme.test"), ("password", "demo1234")]);
        let page = browser.submit(&page, &[("decision", "allow")]);
        let page = browser.submit(&page, &[("decision", "continue")]);
        assert_eq!(page.url.path(), "/ath/consent/done", "{}", page.answer.body_text());
        for door in PLAIN {
            let answer = ask(scene.two(), door, ("GET", "/tickets"), &[("Authorization", &bearer)]);
            assert_eq!(answer.status, 200, "{door:?}: {}", answer.body_text());
        }
    }
}
