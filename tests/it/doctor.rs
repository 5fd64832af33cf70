//! `check --online`: what is right is said to be, what is wrong is named with its remedy, and no secret is in what it prints.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::acting::{Acting, Body, Client, Pkce, Revoke, SECRET, Wants, Who};
use tests::{CANARY, Reply, Served, binary, free_port};

const WANTS: Wants = Wants { name: "acme", scopes: &["read"], revoke: Some(Revoke::at("/revoke")), ..Wants::STANDARD };
const REDIRECT: &str = "http://127.0.0.1:4180/ath/callback/acme";
const ENDPOINTS: &str = "authorize_endpoint = \"$base/authorize\"\ntoken_endpoint = \"$base/token\"\nuserinfo_endpoint = \"$base/userinfo\"\nrevoke_endpoint = \"$base/revoke\"\n";

/// What came of it: the exit code, and everything that was printed.
struct Examined {
    status: i32,
    said: String,
}

fn examine(acting: &Acting, oauth: &str, secret: &str, arguments: &[&str]) -> Examined {
    examine_by(&["check", "--online"], acting, oauth, secret, arguments)
}

fn examine_by(by: &[&str], acting: &Acting, oauth: &str, secret: &str, arguments: &[&str]) -> Examined {
    examine_with(("", oauth), by, acting, secret, arguments)
}

/// With further keys of `[[provider]]`, and those of `[provider.oauth]`.
fn examine_with(
    (above, oauth): (&str, &str),
    by: &[&str],
    acting: &Acting,
    secret: &str,
    arguments: &[&str],
) -> Examined {
    let folder = TempDir::new().expect("a folder");
    let text = format!(
        "[gateway]\npublic_url = \"http://127.0.0.1:4180\"\n\n[development]\nloopback_http = true\n\n[[provider]]\nid = \"acme\"\n\
         api_base = \"$base/api\"\n{above}\n[provider.oauth]\ncallback = \"own\"\nclient_id = \"ath-gateway\"\nclient_secret = {{ env = \"ACTING_SECRET\" }}\n\
         timeout = \"2s\"\n{oauth}\n\n[provider.scopes]\nread = {{ says = \"Look\", allow = [\"GET /things\"] }}\n"
    );
    let config = folder.path().join("gateway.toml");
    std::fs::write(&config, text.replace("$base", acting.url())).expect("written");
    let mut command = Command::new(binary());
    command.args(by).arg("--config").arg(&config).args(arguments).current_dir(folder.path());
    let ended = command.env("ACTING_SECRET", secret).output().expect("it runs");
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    for hidden in [secret, CANARY] {
        assert!(!said.contains(hidden), "a secret is printed: {said}");
    }
    Examined { status: ended.status.code().unwrap_or(-1), said }
}

fn provider(wants: &Wants) -> Acting {
    Acting::start(*wants, REDIRECT)
}

/// It ends with 1, and says all of this in one line that is marked as wrong.
fn wrong(examined: &Examined, texts: &[&str]) {
    assert_eq!(examined.status, 1, "{}", examined.said);
    let lines = examined.said.lines().filter(|line| line.trim_start().starts_with("wrong"));
    let found = lines.clone().any(|line| texts.iter().all(|text| line.contains(text)));
    assert!(found, "{texts:?}: {}", examined.said);
}

#[test]
fn what_is_right_is_well() {
    let acting = provider(&Wants { issuer: Some(""), ..WANTS });
    for oauth in [
        ENDPOINTS.to_owned(),
        format!("{ENDPOINTS}issuer = \"$base\""),
        "issuer = \"$base\"\ndiscovery = true".to_owned(),
    ] {
        let examined = examine(&acting, &oauth, SECRET, &[]);
        assert_eq!(examined.status, 0, "{oauth}: {} {:?}", examined.said, acting.refusals());
        assert!(examined.said.contains(REDIRECT), "{}", examined.said);
        assert!(examined.said.contains("knows the gateway's client"), "{}", examined.said);
        assert!(!examined.said.contains("wrong "), "{}", examined.said);
    }
    let examined = examine(&acting, ENDPOINTS, SECRET, &["--json"]);
    assert_eq!(examined.status, 0, "{}", examined.said);
    let report: Value = serde_json::from_str(&examined.said).expect("JSON and nothing else");
    assert_eq!((&report[0]["provider_id"], &report[0]["well"]), (&json!("acme"), &json!(true)), "{report}");
    assert_eq!(report[0]["redirect_uri"], json!(REDIRECT));
    let findings = report[0]["findings"].as_array().expect("findings");
    assert!(findings.len() >= 5 && findings.iter().all(|finding| finding["verdict"] != "wrong"), "{report}");
}

#[test]
fn in_ways_of_their_own_too() {
    let json = Wants { client: Client::Basic, exchange: Body::Json, pkce: Pkce::Refused, ..WANTS };
    let acting = provider(&json);
    let oauth = format!(
        "{ENDPOINTS}client_auth = \"basic\"\ntoken_request = \"json\"\nrevoke_request = \"form\"\npkce = \"none\""
    );
    let examined = examine(&acting, &oauth, SECRET, &[]);
    assert_eq!(examined.status, 0, "{} {:?}", examined.said, acting.refusals());
}

#[test]
fn a_client_that_is_not_known() {
    let acting = provider(&WANTS);
    let examined = examine(&acting, ENDPOINTS, "another-secret-than-that-one", &[]);
    wrong(&examined, &["token endpoint", "401 invalid_client", "client_id, client_secret and client_auth"]);
    // Sent in another way than the provider wants it, the same.
    let basic = format!("{ENDPOINTS}client_auth = \"basic\"");
    wrong(&examine(&acting, &basic, SECRET, &[]), &["token endpoint", "client_auth"]);
    let examined = examine(&acting, ENDPOINTS, "another-secret-than-that-one", &["--json"]);
    assert_eq!(examined.status, 1);
    let report: Value = serde_json::from_str(&examined.said).expect("JSON");
    assert_eq!(report[0]["well"], json!(false), "{report}");
}

#[test]
fn a_redirect_uri_that_is_not_registered() {
    let acting = Acting::start(WANTS, "http://127.0.0.1:4180/ath/callback/acme/");
    wrong(&examine(&acting, ENDPOINTS, SECRET, &[]), &["authorize endpoint", "redirect URI", "register it"]);
}

#[test]
fn a_page_or_a_redirect_that_speaks_of_the_redirect_uri() {
    let acting = provider(&WANTS);
    let page = "<!doctype html><p>Error 400: redirect_uri_mismatch";
    acting.answer_instead("/authorize", Some(Reply::of("200 OK", "text/html", page.as_bytes())));
    wrong(&examine(&acting, ENDPOINTS, SECRET, &[]), &["authorize endpoint", "redirect URI", "register it"]);
    acting.answer_instead("/authorize", Some(Reply::redirect("/signin/oauth/error?authError=redirect_uri_mismatch")));
    wrong(&examine(&acting, ENDPOINTS, SECRET, &[]), &["authorize endpoint", "redirect URI", "register it"]);
    acting.answer_instead("/authorize", Some(Reply::redirect("/login?next=1")));
    let examined = examine(&acting, ENDPOINTS, SECRET, &[]);
    assert_eq!(examined.status, 0, "{}", examined.said);
    assert!(
        examined.said.contains("/login); whether the redirect URI is registered shows at the first consent"),
        "{}",
        examined.said
    );
}

#[test]
fn what_the_probe_causes_itself_is_no_fault() {
    let acting = provider(&WANTS);
    let refusal = r#"{"error":"invalid_verifier"}"#;
    acting.answer_instead("/token", Some(Reply::of("401 Unauthorized", "application/json", refusal.as_bytes())));
    let rule = "\n[[provider.oauth.error]]\nstatus = 401\ncode = \"invalid_verifier\"\nmeans = \"operator\"\n";
    let examined = examine(&acting, &format!("{ENDPOINTS}{rule}"), SECRET, &[]);
    assert_eq!(examined.status, 0, "{}", examined.said);
    assert!(
        examined.said.contains("401 invalid_verifier") && examined.said.contains("look at pkce"),
        "{}",
        examined.said
    );
}

#[test]
fn endpoints_that_are_elsewhere() {
    let acting = provider(&WANTS);
    let moved = |from: &str, to: &str| ENDPOINTS.replace(from, to);
    wrong(&examine(&acting, &moved("/token", "/nothing"), SECRET, &[]), &["token endpoint", "token_endpoint"]);
    wrong(&examine(&acting, &moved("/authorize\"", "/nothing\""), SECRET, &[]), &["authorize_endpoint", "404"]);
    wrong(&examine(&acting, &moved("/userinfo", "/nothing"), SECRET, &[]), &["userinfo_endpoint", "404"]);
    wrong(&examine(&acting, &moved("/revoke", "/nothing"), SECRET, &[]), &["revocation", "revoke_endpoint"]);
    let page = format!("<!doctype html><title>{CANARY}</title>");
    acting.answer_instead("/token", Some(Reply::of("200 OK", "text/html", page.as_bytes())));
    wrong(
        &examine(&acting, ENDPOINTS, SECRET, &[]),
        &["token endpoint", "a web page (200)", "token_endpoint is another URL"],
    );
    let said = |status: &str, body: &str| {
        acting.answer_instead("/token", Some(Reply::of(status, "application/json", body.as_bytes())));
        examine(&acting, ENDPOINTS, SECRET, &[])
    };
    wrong(
        &said("415 Unsupported Media Type", "{}"),
        &["token endpoint", "token_request = \"form\"", "write the other one"],
    );
    wrong(&said("503 Service Unavailable", "{}"), &["token endpoint", "cannot answer (503)"]);
    let hidden = said("401 Unauthorized", r#"{"error":{"code":"invalid_client"}}"#);
    wrong(
        &hidden,
        &[
            "token endpoint",
            "invalid_client (401), at /error/code",
            r#"answer = { error = ["/error", "/error/code"] }"#,
        ],
    );
    let secretive = said("400 Bad Request", &format!(r#"{{"error":"{CANARY} and much more than a code"}}"#));
    assert_eq!(secretive.status, 0, "{}", secretive.said);
    assert!(secretive.said.contains("400 no code"), "{}", secretive.said);
    acting.answer_instead("/token", Some(Reply::redirect("https://acme.test/v2/token?secret=1")));
    wrong(&examine(&acting, ENDPOINTS, SECRET, &[]), &["token endpoint", "302 to https://acme.test/v2/token)"]);
    acting.answer_instead("/token", None);
    let refresh = format!("{ENDPOINTS}refresh_endpoint = \"$base/nothing\"");
    wrong(&examine(&acting, &refresh, SECRET, &[]), &["refresh endpoint", "is not there (404)", "refresh_endpoint"]);
    let tokens = format!(r#"{{"access_token":"{CANARY}at","token_type":"Bearer"}}"#);
    acting.answer_instead("/token", Some(Reply::of("200 OK", "application/json", tokens.as_bytes())));
    wrong(&examine(&acting, ENDPOINTS, SECRET, &[]), &["token endpoint", "a code that nobody issued"]);
}

#[test]
fn a_host_that_cannot_be_reached() {
    let acting = provider(&WANTS);
    let nowhere = format!("http://localhost:{}", free_port());
    let oauth = ENDPOINTS.replace("$base/token", &format!("{nowhere}/token"));
    wrong(&examine(&acting, &oauth, SECRET, &[]), &["token endpoint", "nothing listens there"]);
    acting.answer_instead("/token", Some(Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n{".to_vec())));
    wrong(&examine(&acting, ENDPOINTS, SECRET, &[]), &["token endpoint", "timeout"]);
}

#[test]
fn metadata_that_says_otherwise() {
    const PATH: &str = "/.well-known/openid-configuration";
    let acting = provider(&Wants { issuer: Some(""), ..WANTS });
    let base = acting.url().to_owned();
    let found = "issuer = \"$base\"\ndiscovery = true";
    let document = |change: &dyn Fn(&mut Value)| {
        let mut document = json!({
            "issuer": base, "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
            "code_challenge_methods_supported": ["S256"], "token_endpoint_auth_methods_supported": ["client_secret_post"],
        });
        change(&mut document);
        acting.answer_instead(PATH, Some(Reply::json(&document)));
    };
    document(&|document| document["issuer"] = json!(format!("{base}/")));
    wrong(
        &examine(&acting, found, SECRET, &[]),
        &["metadata", "another issuer", "write the issuer as its metadata has it"],
    );

    document(&|document| document["token_endpoint"] = json!("https://tokens.acme.test/token"));
    let remedy = "endpoint_hosts = [\"tokens.acme.test\"]";
    wrong(&examine(&acting, found, SECRET, &[]), &["metadata", remedy]);

    document(&|_| {});
    let examined = examine(&acting, &format!("{ENDPOINTS}issuer = \"$base\"\npkce = \"none\""), SECRET, &[]);
    assert!(examined.said.contains("remove `pkce = \"none\"`"), "{}", examined.said);
    let basic = format!("{ENDPOINTS}issuer = \"$base\"\nclient_auth = \"basic\"");
    wrong(&examine(&acting, &basic, SECRET, &[]), &["client_auth", "client_secret_post"]);

    acting.answer_instead(PATH, Some(Reply::of("200 OK", "text/html", b"<html>")));
    wrong(&examine(&acting, found, SECRET, &[]), &["metadata"]);
    let examined = examine(&acting, &format!("{ENDPOINTS}issuer = \"$base\""), SECRET, &[]);
    assert_eq!(examined.status, 0, "without discovery it is a note: {}", examined.said);
}

#[test]
fn what_a_service_says_of_itself() {
    let acting = provider(&WANTS);
    let examined = |document: Reply| {
        let served = Served::start(move |_| document.clone());
        let above = format!("openapi = \"{}/openapi.json\"\ntools = [\"GET /things\"]\n", served.url());
        examine_with((&above, ENDPOINTS), &["check", "--online"], &acting, SECRET, &[])
    };
    let things = |path: &str| json!({"openapi": "3.1.0", "paths": {path: {"get": {"operationId": "listThings"}}}});
    let well = examined(Reply::json(&things("/api/things")));
    assert_eq!(well.status, 0, "{}", well.said);
    assert!(well.said.contains("openapi.json: operations described: 1"), "{}", well.said);
    wrong(&examined(Reply::json(&things("/others"))), &["tools", "GET /things is not in the document"]);
    wrong(&examined(Reply::json(&json!({"swagger": "2.0"}))), &["openapi.json", "convert it to OpenAPI 3.0 or 3.1"]);
    wrong(&examined(Reply::redirect("/elsewhere")), &["openapi.json", "answers 302", "without a redirect"]);
    wrong(
        &examined(Reply::of("401 Unauthorized", "text/plain", b"")),
        &["openapi.json", "answers 401", "without a token"],
    );
}

#[test]
fn a_provider_by_name() {
    let acting = provider(&Wants { who: Who::Nobody, ..WANTS });
    let oauth = ENDPOINTS.replace("userinfo_endpoint = \"$base/userinfo\"\n", "");
    let examined = examine_by(&["doctor"], &acting, &oauth, SECRET, &["acme"]);
    assert_eq!(examined.status, 0, "{}", examined.said);
    let examined = examine_by(&["doctor"], &acting, &oauth, SECRET, &["other"]);
    assert_eq!(examined.status, 2, "{}", examined.said);
    assert!(examined.said.contains("configured are acme"), "{}", examined.said);
}
