//! Local accounts: a name and a password, whose hash stands in the configuration.

use std::io::Write;
use std::process::{Command, Stdio};

use tests::{Browser, Page, binary};

use super::Scene;

const ADA: &str = "the password of ada";
const BOB: &str = "the password of bob";

/// By the program itself, as an operator does it.
pub(crate) fn hash(password: &str) -> String {
    let mut command = Command::new(binary());
    command.arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("it runs");
    process.stdin.take().expect("piped").write_all(format!("{password}\n").as_bytes()).expect("written");
    let ended = process.wait_with_output().expect("it ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).expect("text").trim().to_owned()
}

fn scene() -> Scene {
    let account = |name: &str, password: &str| {
        format!("[[sign_in.account]]\nname = {name:?}\npassword_hash = \"{}\"\n", hash(password))
    };
    Scene::new(&format!("kind = \"accounts\"\n{}{}", account("ada", ADA), account("bob", BOB)))
}

fn enter(browser: &mut Browser, page: &Page, name: &str, password: &str) -> Page {
    browser.submit(page, &[("name", name), ("password", password)])
}

fn signed_in(scene: &Scene, name: &str, password: &str) -> Browser {
    let mut browser = Browser::new();
    let (link, session) = scene.begin();
    let page = scene.sent_to_sign_in(&mut browser, &link, &session);
    let page = enter(&mut browser, &page, name, password);
    assert_eq!(page.url.as_str(), format!("{}/ath/consent?session_id={session}", scene.gateway.public_url()));
    assert!(
        page.says(&format!("You are signed in as <strong>{}</strong>", name.trim())),
        "{}",
        page.answer.body_text()
    );
    browser
}

#[test]
fn whoever_knows_the_password_is_the_user() {
    let scene = scene();
    scene.closed_without_sign_in(&mut Browser::new());
    let mut ada = signed_in(&scene, "ada", ADA);
    let mut bob = signed_in(&scene, " bob ", BOB);
    scene.two_people_with_one_account(&mut ada, &mut bob);
    scene.closed_without_sign_in(&mut Browser::new());
    scene.sign_out(&mut ada, "ada");
    // Another browser of the same person finds what is theirs.
    let mut again = signed_in(&scene, "ada", ADA);
    assert!(again.open(&scene.begin().0).says("alice@acme.test"));
    let log = scene.gateway.log();
    assert!(log.contains("signed_in") && log.contains("signed_out") && !log.contains("the password of"), "{log}");
}

#[test]
fn a_wrong_password_is_refused_and_five_of_them_are_a_minute() {
    let scene = scene();
    let mut browser = Browser::new();
    let (link, session) = scene.begin();
    let page = scene.sent_to_sign_in(&mut browser, &link, &session);
    assert_eq!(enter(&mut browser, &page, "ada", ADA).answer.status, 200, "the right one does not count");
    let page = scene.sent_to_sign_in(&mut Browser::new(), &link, &session);
    assert_eq!(enter(&mut Browser::new(), &page, "ada", ADA).answer.status, 403, "another browser's form token");

    let policy = page.answer.header("content-security-policy").expect("a policy");
    assert!(policy.ends_with("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");

    let mut guesser = Browser::new();
    let page = scene.sent_to_sign_in(&mut guesser, &link, &session);
    let attempts =
        [("ada", BOB), ("ada", ""), ("ada", "The password of ada"), ("ADA", ADA), ("nobody", ADA), ("ada", "x")];
    for (name, password) in attempts {
        let refused = enter(&mut guesser, &page, name, password);
        assert_eq!(refused.answer.status, 403, "{name} {password:?}");
        assert!(refused.says("Name or password is wrong.") && !refused.says(password_or_space(password)));
        assert!(guesser.cookie("ath_browser").is_none());
    }
    // An empty one is none; the others were five.
    for (name, password) in [("bob", BOB), ("nobody", "x"), ("ada", ADA)] {
        let refused = enter(&mut guesser, &page, name, password);
        assert_eq!((refused.answer.status, refused.answer.header("retry-after")), (429, Some("60")), "{name}");
        assert!(refused.says("too many wrong passwords") && guesser.cookie("ath_browser").is_none());
    }
    scene.sent_to_sign_in(&mut guesser, &link, &session);
}

/// What a page must not show: the password, where there was one.
fn password_or_space(password: &str) -> &str {
    if password.len() < 2 { "\u{0}" } else { password }
}

#[test]
fn signing_in_makes_a_new_cookie_and_voids_what_was_begun() {
    let scene = scene();
    let (link, session) = scene.begin();
    let mut browser = Browser::new();
    let page = scene.sent_to_sign_in(&mut browser, &link, &session);
    enter(&mut browser, &page, "ada", ADA);
    let cookies = browser.cookies("127.0.0.1");
    let (name, before) = cookies.iter().find(|(name, _)| name.starts_with("ath_browser")).expect("signed in");

    // Somebody plants their own cookie in another person's browser before that person signs in.
    let mut victim = Browser::new();
    let page = scene.sent_to_sign_in(&mut victim, &link, &session);
    victim.plant("127.0.0.1", name, before);
    enter(&mut victim, &page, "bob", BOB);
    assert_ne!(victim.cookie("ath_browser").as_ref(), Some(before));
    assert!(victim.open(&link).says("You are signed in as <strong>bob</strong>"));
    scene.sent_to_sign_in(&mut browser, &link, &session);

    // What one person allowed in a browser is not for the next one who signs in there to finish.
    let mut shared = signed_in(&scene, "ada", ADA);
    let (link, session) = scene.begin();
    let helpdesk = shared.sign_in(&link);
    assert!(shared.cookie("ath_consent_").is_some());
    let (other, _) = scene.begin();
    let page = shared.open(&other);
    let page = shared.submit_to("/ath/sign-out", &page, &[]);
    assert!(shared.cookie("ath_consent_").is_none());
    enter(&mut shared, &page, "bob", BOB);
    let page = shared.submit(&helpdesk, &[("decision", "allow")]);
    assert_eq!(page.answer.status, 400, "{}", page.answer.body_text());
    assert_eq!(
        scene.agent.exchange(&scene.gateway, &session, "x").text("/details/reason"),
        "authorization_failed",
        "and the consent is over"
    );
}

#[test]
fn a_form_from_elsewhere_signs_nobody_in_or_out() {
    let scene = scene();
    let (link, session) = scene.begin();
    let mut browser = Browser::new();
    let page = scene.sent_to_sign_in(&mut browser, &link, &session);
    let fields = [("name", "ada"), ("password", ADA)];
    for headers in [[("origin", "https://evil.test")], [("origin", "null")], [("sec-fetch-site", "cross-site")]] {
        assert_eq!(browser.submit_from(&page, &fields, &headers).answer.status, 403, "{headers:?}");
    }
    let sneaked = format!("{}/ath/sign-in?session_id={session}&name=ada&password=x", scene.gateway.public_url());
    assert_eq!(browser.open(&sneaked).answer.status, 200, "GET is the form, and no more");
    assert!(browser.cookie("ath_browser").is_none());
    assert_eq!(scene.gateway.request("GET", "/ath/sign-out").send().status, 405);
    assert_eq!(scene.gateway.request("POST", "/ath/sign-out").send().status, 400);
}
