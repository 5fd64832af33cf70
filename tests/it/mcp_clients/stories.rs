//! What every client lives through: connect, consent, list, call, a consent that is missing later, new tokens, and the end of the grant.

use std::time::Instant;

use serde_json::{Value, json};

use super::{Client, Scene, names, read, text, until_tokens_have_ended, went_well, write};

/// Which header says the revision that was agreed upon.
const REVISION: &str = "mcp-protocol-version: ";

struct Story {
    client: Client,
    /// What stands in that header; nothing where the program says it to nobody.
    revision: &'static str,
    /// Whether the program hands on `structuredContent` of errors.
    structured: Structured,
}

#[derive(PartialEq, Eq)]
enum Structured {
    Always,
    OfSuccesses,
}

fn lives(story: &Story) {
    let scene = Scene::open();
    let mut client = scene.client(&story.client, "/helpdesk/mcp");
    client.does("connect", &json!({}));
    let tools = client.does("list", &json!({}));
    let begun = Instant::now();
    assert_eq!(tools, client.does("list", &json!({})), "the same list in the same order");
    assert_eq!(scene.person.logins(), 1, "{:?}", scene.person.opened());
    let said = scene.wire.said().to_lowercase();
    assert!(said.contains(&format!("{REVISION}{}", story.revision)), "{}", story.revision);
    assert!(said.contains("/.well-known/oauth-protected-resource/helpdesk/mcp"), "it discovers what it needs");

    let listed = names(&tools);
    for name in ["helpdesk_read", "helpdesk_write", "ath_services", "ath_connect"] {
        assert!(listed.iter().any(|listed| listed == name), "{name}: {listed:?}");
    }
    for tool in tools.as_array().expect("a list") {
        let schema = tool["inputSchema"].clone();
        assert!(jsonschema::meta::is_valid(&schema), "{tool}");
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 20), "{tool}");
    }

    let tickets = client.does("call", &read("/tickets"));
    let structured = &went_well(&tickets)["structuredContent"];
    assert_eq!(structured["status"], json!(200), "{tickets}");
    assert!(text(&tickets).contains("Card payments fail"), "{tickets}");
    let opened = client.does(
        "call",
        &write("POST", "/tickets", &json!({"title": "The printer is on fire", "team": "platform", "priority": "p2"})),
    );
    assert_eq!(went_well(&opened)["structuredContent"]["status"], json!(201), "{opened}");
    assert!(client.does("call", &read("/tickets")).to_string().contains("printer is on fire"));
    let refused = client.does("call", &read("/nowhere"));
    assert_eq!(refused["isError"], json!(true), "{refused}");
    assert!(went_well(&client.does("call", &json!({"name": "ath_services", "arguments": {}}))).is_object());

    a_consent_is_missing(story, &scene, &mut client);
    tokens_end(&scene, &mut client, begun);
    the_grant_ends(&scene, &mut client);
}

/// The service takes the access back: a result with the link, and after the person has been there the same call works.
fn a_consent_is_missing(story: &Story, scene: &Scene, client: &mut tests::Puppet) {
    scene.lose();
    let missing = client.does("call", &read("/tickets"));
    assert_eq!(missing["isError"], json!(true), "{missing}");
    let said = text(&missing);
    let link = said.split_whitespace().find(|word| word.starts_with("http")).expect("a link");
    let link = link.trim_end_matches(['.', ',', ')', '>', '"']).to_owned();
    assert!(link.starts_with(&scene.url("/")), "{link}");
    if story.structured == Structured::Always {
        let structured = &missing["structuredContent"];
        assert_eq!(
            (&structured["code"], &structured["retryable"]),
            (&json!("connect_required"), &json!(true)),
            "{missing}"
        );
        assert_eq!(structured["connect_url"], json!(link), "{missing}");
        assert!(structured["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{missing}");
    }
    let page = scene.person.follow(&link);
    assert_eq!(page.answer.status, 200, "{} {}", page.url, page.answer.body_text());
    went_well(&client.does("call", &read("/tickets")));
    assert_eq!(scene.person.logins(), 1, "the program itself was not away");
}

fn tokens_end(scene: &Scene, client: &mut tests::Puppet, begun: Instant) {
    until_tokens_have_ended(begun);
    went_well(&client.does("call", &read("/tickets")));
    assert!(scene.wire.count("grant_type=refresh_token") > 0, "it refreshes");
    assert_eq!(scene.person.logins(), 1, "nobody was asked");
}

/// The person takes it back from the client: it begins anew, and is let in when they say yes again.
fn the_grant_ends(scene: &Scene, client: &mut tests::Puppet) {
    let page = scene.person.with_browser(|browser| {
        let page = browser.open(&scene.url("/accounts"));
        assert!(page.says("helpdesk") || page.says("Helpdesk"), "{}", page.answer.body_text());
        browser.submit(&page, &[("action", "end")])
    });
    assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
    let tickets: Value = client.does("call", &read("/tickets"));
    went_well(&tickets);
    assert_eq!(scene.person.logins(), 2, "it began anew: {:?}", scene.person.opened());
}

macro_rules! stories {
    ($($name:ident: $program:literal $options:tt $revision:literal $structured:ident;)*) => {
        $(#[test]
        fn $name() {
            lives(&Story {
                client: Client { program: $program, options: &$options },
                revision: $revision,
                structured: Structured::$structured,
            });
        })*
    };
}

stories! {
    modelcontextprotocol_sdk_1: "sdk1.mjs" [] "2025-11-25" Always;
    modelcontextprotocol_sdk_1_of_an_earlier_revision: "sdk1.mjs" ["--package", "mcp-sdk-2025-06-18"] "2025-06-18" Always;
    modelcontextprotocol_client_2: "client2.mjs" ["--era", "2026-07-28"] "2026-07-28" Always;
    modelcontextprotocol_client_2_that_finds_out: "client2.mjs" ["--era", "auto"] "2026-07-28" Always;
    modelcontextprotocol_client_2_in_the_era_before: "client2.mjs" ["--era", "legacy"] "2025-11-25" Always;
    mcp_of_pypi: "sdk.py" ["--era", "2026-07-28"] "2026-07-28" Always;
    mcp_of_pypi_that_finds_out: "sdk.py" ["--era", "auto"] "2026-07-28" Always;
    mcp_of_pypi_in_the_era_before: "sdk.py" ["--era", "legacy"] "2025-11-25" Always;
    fastmcp: "fast.py" ["--era", "auto"] "2026-07-28" Always;
    fastmcp_in_the_era_before: "fast.py" ["--era", "legacy"] "2025-11-25" Always;
    langchain_mcp_adapters: "adapters.py" [] "2025-11-25" OfSuccesses;
    inspector: "inspector.mjs" ["--era", "modern"] "2026-07-28" Always;
    inspector_in_the_era_before: "inspector.mjs" ["--era", "legacy"] "2025-11-25" Always;
    mcp_remote: "remote.mjs" ["--era", "auto"] "2026-07-28" Always;
    mcp_remote_in_the_era_before: "remote.mjs" ["--era", "legacy"] "2025-11-25" Always;
}
