use serde_json::json;
use tempfile::TempDir;
use tests::{Reply, Request, Served, free_port};

use super::{SECRET, helpdesk, init, is_kept, passes, works};
use crate::clients::{OidcProvider, with_consent};

/// What every one of these says.
fn public_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

#[test]
fn an_api_whose_server_publishes_nothing() {
    let upstream = helpdesk();
    let base = format!("http://localhost:{}", upstream.port());
    let at = |path: &str| format!("{base}{path}");
    let (authorize, token, userinfo) = (at("/authorize"), at("/token"), at("/userinfo"));
    let (public_url, folder) = (public_url(upstream.gateway_port()), TempDir::new().expect("a folder"));
    let done = init(
        folder.path(),
        &[
            "--public-url",
            &public_url,
            "--api",
            &base,
            "--id",
            "helpdesk",
            "--name",
            "Acme \"Helpdesk\"",
            "--authorize-endpoint",
            &authorize,
            "--token-endpoint",
            &token,
            "--userinfo-endpoint",
            &userinfo,
            "--pkce",
            "none",
            "--client-id",
            "ath-gateway",
            "--client-secret-file",
            "-",
            "--scope",
            "read:tickets",
            "--says",
            "read:tickets=See your tickets",
            "--allow",
            "read:tickets=GET /tickets",
            "--allow",
            "read:tickets=GET /tickets/*",
            "--scope",
            "write:tickets",
        ],
        &format!("{SECRET}\n"),
    );
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    let redirect_uri = format!("{public_url}/ath/callback/helpdesk");
    assert!(done.said.contains(&redirect_uri), "what to paste is shown: {}", done.said);
    // The service was asked as well: the secret that was given is the right one.
    assert!(done.said.contains("knows the gateway's client"), "{}", done.said);
    assert!(done.said.contains("ath login helpdesk --gateway") && !done.said.contains("  wrong "), "{}", done.said);
    let text = is_kept(&folder, "helpdesk");
    assert!(text.contains("pkce = \"none\"") && text.contains(&redirect_uri), "{text}");
    // The helpdesk describes itself, and that was found.
    assert!(text.contains("/openapi.json"), "{text}");
    // What nobody narrowed allows what the document has, and not everything.
    assert!(
        done.said.contains("\n  write:tickets: POST /tickets, ") && !done.said.contains("CAREFUL"),
        "{}",
        done.said
    );
    works(folder, &upstream);
}

#[test]
fn an_api_whose_issuer_says_the_rest() {
    let port = free_port();
    let (public_url, folder) = (public_url(port), TempDir::new().expect("a folder"));
    let oidc = OidcProvider::start_for(&format!("{public_url}/ath/callback/modern"), "3600");
    let api = format!("{}/api", oidc.issuer());
    let done = init(
        folder.path(),
        &[
            "--public-url",
            &public_url,
            "--api",
            &api,
            "--id",
            "modern",
            "--client-id",
            "ath-gateway",
            "--client-secret-file",
            "-",
        ],
        SECRET,
    );
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    let text = is_kept(&folder, "modern");
    for line in ["discovery = true", "sends_iss = true", "further_scopes = [\"openid\", \"email\", \"offline_access\"]"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
    // Nothing says which calls there are: it is shown that all of them are open, and stands in the file.
    let open = "CAREFUL: GET /**, POST /**, PUT /**, PATCH /**, DELETE /** allow everything";
    assert!(done.said.contains(open) && done.said.contains("\n  api:read: GET /**\n"), "{}", done.said);
    assert!(text.contains("# CAREFUL: GET /**, POST /**"), "{text}");
    assert!(text.contains("\"api:read\" = { says = \"Read api\", allow = [\"GET /**\"] }"), "{text}");
    let gateway = tests::Gateway::start_in(folder, port);
    let (agent, token) = with_consent(&gateway, &["api:read"]);
    let request = Request::new("GET", &format!("{public_url}/ath/proxy/modern/things"));
    let request =
        request.header("authorization", &format!("Bearer {token}")).header("x-ath-agent-id", agent.id.as_str());
    let answer = agent.send(&request);
    assert_eq!((answer.status, answer.text("/account")), (200, "alice".to_owned()), "{}", answer.body_text());
}

#[test]
fn a_server_where_clients_register_themselves() {
    let port = free_port();
    let (public_url, folder) = (public_url(port), TempDir::new().expect("a folder"));
    let oidc = OidcProvider::start_with("http://127.0.0.1:1/elsewhere", "3600", &[("REGISTRATION", "on")]);
    let api = format!("{}/api", oidc.issuer());
    // A slash at the end of the issuer is a slip that is mended.
    let issuer = format!("{}/", oidc.issuer());
    let done = init(
        folder.path(),
        &[
            "--public-url",
            &public_url,
            "--api",
            &api,
            "--issuer",
            &issuer,
            "--id",
            "modern",
            "--register",
            "--scope",
            "api:read",
        ],
        "",
    );
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    let text = passes(&folder);
    assert!(
        text.contains(&format!("issuer = \"{}\"", oidc.issuer())) && !text.contains("client_id = \"ath-gateway\""),
        "{text}"
    );
    assert!(folder.path().join("secrets/modern").is_file(), "{text}");
    let gateway = tests::Gateway::start_in(folder, port);
    let (_, token) = with_consent(&gateway, &["api:read"]);
    assert!(!token.is_empty());
}

#[test]
fn a_service_that_the_gateway_knows() {
    let folder = TempDir::new().expect("a folder");
    let done = init(
        folder.path(),
        &[
            "--offline",
            "--public-url",
            "https://gateway.example.com",
            "--preset",
            "gitlab",
            "--value",
            "base=https://git.acme.example",
            "--client-id",
            "x",
            "--client-secret-file",
            "-",
            "--config",
            "etc/gateway.toml",
        ],
        SECRET,
    );
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    assert!(done.said.contains("https://gateway.example.com/ath/callback/gitlab"), "{}", done.said);
    let text = std::fs::read_to_string(folder.path().join("etc/gateway.toml")).expect("written");
    assert!(text.contains("preset = \"gitlab\"\nvalues = { base = \"https://git.acme.example\" }"), "{text}");
    assert!(text.contains("listen = \"127.0.0.1:4180\"") && !text.contains("loopback_http"), "{text}");
    assert!(folder.path().join("etc/secrets/gitlab").is_file());
}

#[test]
fn a_service_with_keys_of_people() {
    let folder = TempDir::new().expect("a folder");
    let done = init(folder.path(), &["--api", "http://127.0.0.1:9/v1", "--personal-keys", "--offline"], "");
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    let text = passes(&folder);
    assert!(text.contains("[provider.key]") && text.contains("from = \"person\""), "{text}");
    assert!(text.contains("\"read\" = { says = \"See what you have there\", allow = [\"GET /**\"] }"), "{text}");
}

#[test]
fn an_mcp_server() {
    let folder = TempDir::new().expect("a folder");
    let open = Served::start(|_| Reply::json(&json!({"jsonrpc": "2.0", "id": 1, "result": {}})));
    let url = format!("{}/mcp", open.url());
    let done = init(folder.path(), &["--mcp", &url, "--id", "wiki"], "");
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    let text = passes(&folder);
    assert!(text.contains("credential = \"none\"") && text.contains("tools = [\"*\"]"), "{text}");

    // One that wants a token, and names an authorization server on another domain, which gets the secret only where somebody says so.
    let issuer = Served::start(|request| match request.path() {
        "/.well-known/openid-configuration" => {
            let host = format!("http://{}", request.header("host").unwrap_or_default());
            Reply::json(
                &json!({"issuer": host, "authorization_endpoint": format!("{host}/a"), "token_endpoint": format!("{host}/t"),
                "code_challenge_methods_supported": ["S256"]}),
            )
        }
        _ => Reply::of("404 Not Found", "text/plain", b""),
    });
    let named = issuer.url().replace("127.0.0.1", "localhost");
    let by_its_word = named.clone();
    let closed = Served::start(move |request| {
        let host = format!("http://{}", request.header("host").unwrap_or_default());
        match request.path() {
            "/.well-known/oauth-protected-resource/mcp" => {
                Reply::json(&json!({"resource": format!("{host}/mcp"), "authorization_servers": [by_its_word]}))
            }
            _ => Reply::of("401 Unauthorized", "application/json", b"{}"),
        }
    });
    let (folder, url) = (TempDir::new().expect("a folder"), format!("{}/mcp", closed.url()));
    let client = ["--mcp", &url, "--id", "wiki", "--client-id", "x", "--public-client"];
    let done = init(folder.path(), &client, "");
    assert_eq!(done.status, 2, "{}{}", done.said, done.complained);
    assert!(done.complained.contains(&format!("add --issuer {named}")), "{}", done.complained);
    let done = init(folder.path(), &[&client[..], &["--issuer", &named]].concat(), "");
    assert_eq!(done.status, 0, "{}{}", done.said, done.complained);
    let text = passes(&folder);
    assert!(text.contains(&format!("authorization_servers = [\"{named}\"]")), "{text}");
}

#[test]
fn nothing_is_written_over_and_nothing_without_need() {
    let folder = TempDir::new().expect("a folder");
    let complete = [
        "--offline",
        "--api",
        "https://api.acme.example",
        "--issuer",
        "https://id.acme.example",
        "--client-id",
        "x",
        "--client-secret-file",
        "-",
    ];
    std::fs::write(folder.path().join("gateway.toml"), "mine").expect("written");
    let done = init(folder.path(), &complete, SECRET);
    assert_eq!(done.status, 2, "{}", done.said);
    assert!(done.complained.contains("gateway.toml is there already"), "{}", done.complained);
    assert_eq!(std::fs::read_to_string(folder.path().join("gateway.toml")).expect("read"), "mine");
    assert!(!folder.path().join("secrets").exists());

    std::fs::remove_file(folder.path().join("gateway.toml")).expect("removed");
    std::fs::create_dir(folder.path().join("secrets")).expect("made");
    std::fs::write(folder.path().join("secrets/acme"), "mine").expect("written");
    let done = init(folder.path(), &complete, SECRET);
    assert_eq!(done.status, 2, "{}", done.said);
    assert!(done.complained.contains("secrets/acme is there already"), "{}", done.complained);
    assert!(!folder.path().join("gateway.toml").exists());

    // What the gateway would not start with is not written, and the reason is that of `check`.
    let done = init(folder.path(), &[&complete[..], &["--id", "other", "--ca-file", "nowhere.pem"]].concat(), SECRET);
    assert_eq!(done.status, 2, "{}", done.said);
    assert!(done.complained.contains("ca_file") && done.complained.contains("does not exist"), "{}", done.complained);
    assert!(!folder.path().join("gateway.toml").exists() && !folder.path().join("secrets/other").exists());
}

#[test]
fn what_is_missing_is_said_at_once_and_nobody_is_asked() {
    let folder = TempDir::new().expect("a folder");
    let says = |arguments: &[&str], texts: &[&str]| {
        let done = init(folder.path(), arguments, "y\ny\ny\ny\n");
        assert_eq!(done.status, 2, "{arguments:?}: {}{}", done.said, done.complained);
        for text in texts {
            assert!(done.complained.contains(text), "{text} in {}", done.complained);
        }
        assert!(std::fs::read_dir(folder.path()).expect("a folder").next().is_none(), "{arguments:?}");
    };
    says(
        &[],
        &["--api, --mcp or --preset", "--client-id", "--client-secret-file, --client-secret-env or --public-client"],
    );
    says(&["--preset", "gitlub", "--client-id", "x", "--public-client"], &["did you mean `"]);
    let api = ["--api", "https://api.acme.example", "--client-id", "x", "--public-client", "--offline"];
    let with = |more: &[&'static str]| [&api[..], more].concat();
    says(&with(&[]), &["--issuer, or --authorize-endpoint and --token-endpoint"]);
    says(&with(&["--public-url", "http://gateway.example.com"]), &["--public-url", "use https"]);
    says(&with(&["--issuer", "https://a.example", "--listen", "here"]), &["--listen", "no address and port"]);
    says(&with(&["--issuer", "https://a.example", "--id", "A B"]), &["--id"]);
    says(
        &with(&["--issuer", "https://a.example", "--scope", "a", "--allow", "b=GET /"]),
        &["--allow", "none of the scopes"],
    );
    says(
        &with(&["--issuer", "https://a.example", "--scope", "a", "--allow", "a=/things"]),
        &["--allow", "GET /tickets/*"],
    );
    says(&["--api", "http://api.acme.example", "--client-id", "x", "--public-client"], &["--allow-plaintext"]);
}
