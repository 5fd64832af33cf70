use super::slips::ONLY_BROWSERS;
use super::{Fake, GATEWAY, PROVIDER, lines};

/// Below a gateway and above a provider, both without fault: line 3 and on.
fn between(text: &str) -> Vec<String> {
    lines(&format!("{GATEWAY}{text}\n{PROVIDER}"), &Fake::new())
}

/// A provider whose lines 4 and 5 and OAuth table are without fault, and `text` among its own keys: line 6 and on.
pub(super) fn in_provider(text: &str) -> Vec<String> {
    let provider = PROVIDER.replace("[provider.oauth]", &format!("{text}\n[provider.oauth]"));
    lines(&format!("{GATEWAY}{provider}"), &Fake::new())
}

/// `text` below `[provider.oauth]`: line 7 and on.
pub(super) fn in_oauth(text: &str) -> Vec<String> {
    let provider = PROVIDER.replace("[provider.oauth]", &format!("[provider.oauth]\n{text}"));
    lines(&format!("{GATEWAY}{provider}"), &Fake::new())
}

#[test]
fn everything_is_reported_at_once_and_in_order() {
    let text = r#"[gatway]
[gateway]
public_url = "http://gateway.example.com"
listen = 4180
worker = 3
[store]
url = "redis://redis"
[[provider]]
id = "Help Desk"
api_base = "ftp://helpdesk.internal"
[provider.scopes]
"read" = { says = "Read", alow = ["GET /"] }
[lifetimes]
token = "forever"
"#;
    assert_eq!(
        lines(text, &Fake::new()),
        [
            "gateway.toml:1:2: gatway: is not known; did you mean `gateway`?",
            "gateway.toml:3:14: gateway.public_url: is http on a host that is not loopback; use https",
            "gateway.toml:4:10: gateway.listen: is an integer; write a string in quotes",
            "gateway.toml:5:1: gateway.worker: is not known; did you mean `workers`?",
            "gateway.toml:6:1: store: has a Redis and no sealing keys; `ath-gateway keygen` prints one; add `keys = [{ file = \
             \"/run/secrets/ath-sealing-key\" }]`",
            "gateway.toml:8:1: provider: does not say how tokens or keys are got; add `[provider.oauth]` where people sign in, `[provider.key]` \
             where they, or you, have a key, or `credential = \"none\"` where the service asks for none",
            "gateway.toml:9:6: provider.id: a provider id is 1 to 64 of a-z, 0-9 and -, not beginning or ending with -",
            "gateway.toml:10:12: provider.api_base: the scheme is not https; use https",
            "gateway.toml:11:1: warning: provider.scopes: allows no call, so nothing is forwarded; add to [provider.scopes] a line such as \
             `\"read\" = { says = \"See your things\", allow = [\"GET /things\", \"GET /things/*\"] }`",
            "gateway.toml:12:10: provider.scopes.read.allow: is missing; add `allow = [\"GET /tickets\", \"GET /tickets/*\"]`. The calls it \
             allows: a method, or * for any, and a path below api_base, where * is one segment and ** the rest.",
            "gateway.toml:12:27: provider.scopes.read.alow: is not known; did you mean `allow`?",
            "gateway.toml:14:9: lifetimes.token: is no duration; write a whole number with s, m, h or d, from \"1s\" to \"3650d\"",
        ]
    );
}

#[test]
fn broken_syntax_has_a_position_too() {
    for (text, expected) in [
        ("[gateway\npublic_url = 1", "gateway.toml:1:9: unclosed table, expected `]`"),
        ("a = 1\na = 2", "gateway.toml:2:1: duplicate key"),
        ("é = \"\u{fc}\nb = 1", "gateway.toml:1:1: invalid unquoted key"),
    ] {
        let lines = lines(text, &Fake::new());
        assert!(lines.first().is_some_and(|line| line.starts_with(expected)), "{lines:?}");
    }
    let both = lines("a = hunter2\nb = 'x' y\n", &Fake::new());
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn an_empty_file_lacks_a_public_url_and_a_provider() {
    assert_eq!(
        lines("", &Fake::new()),
        [
            "gateway.toml:1:1: gateway.public_url: is missing; add `public_url = \"https://gateway.example.com\"`. Where browsers and agents \
             reach the gateway: https, a host, and a port if it is not 443.",
            "gateway.toml:1:1: warning: no provider is configured, so there is nothing to forward to; add [[provider]]",
        ]
    );
}

#[test]
fn values_of_the_gateway() {
    for (line, expected) in [
        (
            "public_url = \"https://a.example/x\"",
            "2:14: gateway.public_url: has a path or a query; write scheme, host and port alone",
        ),
        ("public_url = \"https://u:p@a.example\"", "2:14: gateway.public_url: credentials in the URL; remove them"),
        (
            "public_url = \"http://127.0.0.1:4180\"",
            "2:14: gateway.public_url: is http; use https, or set development.loopback_http = true for this machine alone",
        ),
    ] {
        assert_eq!(
            lines(&format!("[gateway]\n{line}\n{PROVIDER}"), &Fake::new()),
            [format!("gateway.toml:{expected}")]
        );
    }
    for (line, expected) in [
        (
            "listen = \"localhost\"",
            "3:10: gateway.listen: is no address and port; write one such as \"127.0.0.1:4180\", \"0.0.0.0:8443\" or \"[::]:8443\"",
        ),
        ("workers = 0", "3:11: gateway.workers: is out of range; write a number from 1 to 1024"),
        ("workers = -1", "3:11: gateway.workers: is out of range; write a number from 1 to 1024"),
        ("[log]\nformat = \"xml\"", "4:10: log.format: is none of its values; write \"text\" or \"json\""),
        ("[log]\nfilter = \"a=b\"", "4:10: log.filter: is no filter; write a level, or as in \"info,proxy=debug\""),
        ("[lifetimes]\ntoken = 3600", "4:9: lifetimes.token: is an integer; write it with its unit, as in \"3600s\""),
        (
            "[development]\nplaceholder_codes = true",
            "4:1: development.placeholder_codes: is refused unless gateway.public_url is on loopback; remove it",
        ),
    ] {
        assert_eq!(between(line), [format!("gateway.toml:{expected}")]);
    }
}

#[test]
fn values_of_the_store() {
    for (text, expected) in [
        ("key_prefix = \"x\"", "4:1: store.key_prefix: is for Redis alone; add url, or remove it"),
        ("keys = []", "4:8: store.keys: is empty; write one at least, or remove it"),
        (
            "keys = [\"AAAA\"]",
            "4:8: store.keys: is a list; write a list of { file = \"...\" } or { env = \"...\" }; the secrets themselves do not stand in this file",
        ),
        (
            "keys = [{ env = \"NOT_SET\" }]",
            "4:17: store.keys.env: the variable NOT_SET is not set; set NOT_SET where the gateway is started",
        ),
        ("keys = [{ file = \"/none\" }]", "4:18: store.keys.file: /none does not exist"),
        (
            "keys = [{ file = \"/key\", env = \"KEY\" }]",
            "4:9: store.keys: names no place or several; write { file = \"...\" } or { env = \"...\" }",
        ),
        (
            "keys = [{ env = \"SECRET\" }]",
            "4:17: store.keys.env: a sealing key is 32 bytes in standard base64 (44 characters); `ath-gateway keygen` prints one",
        ),
        (
            "url = \"http://r\"\nkeys = [{ env = \"KEY\" }]",
            "4:7: store.url: is no URL of a Redis; write it as in \"redis://redis:6379\" or \"rediss://redis.example.com\"",
        ),
    ] {
        assert_eq!(between(&format!("[store]\n{text}")), [format!("gateway.toml:{expected}")]);
    }
}

#[test]
fn values_of_a_provider() {
    for (line, expected) in [
        (
            "path_prefix = \"/ath/x\"",
            "6:15: provider.path_prefix: begins with /ath, which is the gateway's own; choose another",
        ),
        (
            "path_prefix = \"/.well-known\"",
            "6:15: provider.path_prefix: begins with /.well-known, which is the gateway's own; choose another",
        ),
        (
            "path_prefix = \"/a/\"",
            "6:15: provider.path_prefix: is no plain path; write it as in \"/helpdesk\", without a slash at the end",
        ),
        (
            "path_prefix = \"/a/../b\"",
            "6:15: provider.path_prefix: is no plain path; write it as in \"/helpdesk\", without a slash at the end",
        ),
        (
            "host = \"A.example\"",
            "6:8: provider.host: is no host name; write it in lower case and without port, as in \"helpdesk.gateway.example.com\"",
        ),
        (
            "host = \"gateway.example.com\"",
            "6:8: provider.host: is the host of gateway.public_url; choose one that is this provider's alone",
        ),
        ("ca_file = \"/none\"", "6:11: provider.ca_file: /none does not exist"),
        (
            "ca_file = \"/key\"",
            "6:11: provider.ca_file: /key holds no certificates in PEM; it begins with -----BEGIN CERTIFICATE-----",
        ),
        ("display_name = \" \"", "6:16: provider.display_name: is empty"),
        ("colour = \"x\"", "6:1: provider.colour: is not known; gateway.toml.example has all keys"),
    ] {
        assert_eq!(in_provider(line), [format!("gateway.toml:{expected}")]);
    }
}

/// A provider's prefix is looked at before the gateway's own pages, so one of these would take them over.
#[test]
fn what_the_gateway_serves_itself_is_no_prefix() {
    for own in [
        "ath",
        ".well-known",
        "health",
        "healthz",
        "readyz",
        "oauth",
        "mcp",
        "assets",
        "openapi.json",
        "errors",
        "accounts",
    ] {
        let expected = format!(
            "gateway.toml:6:15: provider.path_prefix: begins with /{own}, which is the gateway's own; choose another"
        );
        for prefix in [format!("/{own}"), format!("/{own}/x")] {
            assert_eq!(in_provider(&format!("path_prefix = \"{prefix}\"")), [expected.as_str()], "{prefix}");
        }
        assert_eq!(in_provider(&format!("path_prefix = \"/{own}x\"")), Vec::<String>::new(), "{own}");
    }
}

#[test]
fn values_of_oauth() {
    for (line, expected) in [
        (
            "client_auth = \"none\"",
            "7:1: provider.oauth.client_auth: is none, and there is a client_secret; remove one of them",
        ),
        ("pkce = \"plain\"", "7:8: provider.oauth.pkce: is none of its values; write \"s256\" or \"none\""),
        (
            "userinfo_subject = \"/id\"",
            "7:1: provider.oauth.userinfo_subject: is about an answer that is not asked for; add userinfo_endpoint, or remove it",
        ),
        (
            "revoke_endpoint = \"http://helpdesk.internal/revoke\"",
            "7:19: provider.oauth.revoke_endpoint: is http, by which secrets travel unprotected; use https, or set allow_plaintext = true for \
             this provider",
        ),
        (
            "revoke_endpoint = \"http://127.0.0.1/revoke\"",
            "7:19: provider.oauth.revoke_endpoint: is http; use https, or set development.loopback_http = true",
        ),
        (
            "authorize_parameters = { state = \"x\" }",
            "7:26: provider.oauth.authorize_parameters.state: is set by the gateway itself; remove it",
        ),
        (
            "authorize_parameters = { scope = \"x\" }",
            "7:26: provider.oauth.authorize_parameters.scope: is set by the gateway itself; remove it",
        ),
        ("authorize_parameters = { a = 1 }", "7:30: provider.oauth.authorize_parameters.a: must be a string in quotes"),
    ] {
        assert_eq!(in_oauth(line), [format!("gateway.toml:{expected}")]);
    }
    let public = PROVIDER.replace("client_secret = { env = \"SECRET\" }", "client_auth = \"basic\"");
    assert_eq!(
        lines(&format!("{GATEWAY}{public}"), &Fake::new()),
        [
            "gateway.toml:10:1: provider.oauth.client_auth: needs a secret; add `client_secret = { file = \"...\" }` or write \"none\""
        ]
    );
}

#[test]
fn rules_and_scopes() {
    for (scope, expected) in [
        (
            "\"a b\" = { says = \"x\", allow = [\"GET /\"] }",
            "12:1: provider.scopes.\"a b\": a scope is 1 to 256 printable ASCII characters without space, quote, comma or backslash",
        ),
        (
            "a = { says = \"x\", allow = [\"GET /x\", \"FETCH /\"] }",
            "12:38: provider.scopes.a.allow: the method must be GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, or * for any of them",
        ),
        ("a = \"GET /\"", "12:5: provider.scopes.a: must be a table with says and allow"),
    ] {
        let provider =
            PROVIDER.replace("\"read:tickets\" =", "x = { says = \"x\", allow = \"GET /x\" }\n\"read:tickets\" =");
        let provider = provider.replace("x = { says = \"x\", allow = \"GET /x\" }", scope);
        assert_eq!(lines(&format!("{GATEWAY}{provider}"), &Fake::new()), [format!("gateway.toml:{expected}")]);
    }
}

#[test]
fn providers_do_not_clash() {
    let provider = |id: &str, keys: &str| {
        PROVIDER
            .replace("\"helpdesk\"", &format!("\"{id}\"\n{keys}"))
            .replace("client_id", "callback = \"own\"\nclient_id")
    };
    let (one, two, three) = (
        provider("a", "path_prefix = \"/crm\"\nhost = \"a.example\""),
        provider("a", "path_prefix = \"/crm/v2\"\nhost = \"a.example\""),
        provider("b", "path_prefix = \"/crmx\"\nhost = \"b.example\""),
    );
    assert_eq!(
        lines(&format!("{GATEWAY}{one}{two}{three}"), &Fake::new()),
        [
            ONLY_BROWSERS,
            "gateway.toml:17:6: provider.id of a: clashes with the one of line 4; choose another",
            "gateway.toml:18:15: provider.path_prefix of a: clashes with the one of line 5; choose another",
            "gateway.toml:19:8: provider.host of a: clashes with the one of line 6; choose another",
        ]
    );
}

/// With the first of those that are the same path, or above it, or below.
#[test]
fn paths_of_providers_lie_beside_each_other() {
    let paths = ["/a/b", "/a/c", "/a", "/ab", "/a/b/c", "/a/c"];
    let provider = |(number, path): (usize, &&str)| {
        let keys = format!("\"p{number}\"\npath_prefix = \"{path}\"");
        PROVIDER.replace("\"helpdesk\"", &keys).replace("client_id", "callback = \"own\"\nclient_id")
    };
    let text = format!("{GATEWAY}{}", paths.iter().enumerate().map(provider).collect::<String>());
    let numbered = (1..).zip(text.lines()).filter(|(_, line)| line.starts_with("path_prefix"));
    let at: Vec<usize> = numbered.map(|(number, _)| number).collect();
    let clash = |one: usize, other: usize| {
        let (one, other, id) = (at[one], at[other], format!("p{one}"));
        format!(
            "gateway.toml:{one}:15: provider.path_prefix of {id}: clashes with the one of line {other}; choose another"
        )
    };
    let found: Vec<String> =
        lines(&text, &Fake::new()).into_iter().filter(|line| line.contains("path_prefix")).collect();
    assert_eq!(found, [clash(2, 0), clash(4, 0), clash(5, 1)]);
}

#[test]
fn agents_are_pinned_once_and_by_public_keys() {
    let agent = "[[agent]]\nagent_id = \"https://a.example/\"\nname = \"A\"\ndeveloper = \"D\"\n";
    let environment =
        Fake::new().file("/public", PUBLIC_KEY).file("/private", "-----BEGIN PRIVATE KEY-----\nhunter2-canary\n");
    let text = format!(
        "{GATEWAY}{PROVIDER}{agent}public_key = {{ file = \"/public\" }}\n{agent}public_key = {{ file = \"/private\" }}\n\
         {agent}public_key = \"x\"\n[[agent]]\nagent_id = \"http://127.0.0.1/\"\nname = \"A\"\ndeveloper = \"D\"\npublic_key = {{ env = 1 }}\n"
    );
    assert_eq!(
        lines(&text, &environment),
        [
            "gateway.toml:19:12: agent.agent_id: is the agent_id of line 14 too; keep one of them",
            "gateway.toml:22:23: agent.public_key.file: is a private key, which is the agent's alone; write its public key",
            "gateway.toml:24:12: agent.agent_id: is the agent_id of line 14 too; keep one of them",
            "gateway.toml:27:14: agent.public_key: is no EC P-256 public key; write PEM that begins with -----BEGIN PUBLIC KEY-----",
            "gateway.toml:29:12: agent.agent_id: agent_id is an https URL in canonical spelling, without credentials or fragment",
            "gateway.toml:32:14: agent.public_key: names no place or several; write { file = \"...\" }",
            "gateway.toml:32:16: agent.public_key.env: is not known; known are file",
        ]
    );
}

#[test]
fn warnings_do_not_keep_it_from_starting() {
    let open = Fake::new().open_file("/open", "s3cret\n");
    let file = PROVIDER.replace("{ env = \"SECRET\" }", "{ file = \"/open\" }");
    let plain = PROVIDER.replace("https://helpdesk.internal\"", "http://helpdesk.internal\"\nallow_plaintext = true");
    let bare = PROVIDER.replace("client_secret = { env = \"SECRET\" }", "pkce = \"none\"");
    let unmapped = PROVIDER.replace("allow = [\"GET /tickets\"]", "allow = []");
    for (provider, expected) in [
        (
            file,
            "10:26: warning: provider.oauth.client_secret.file: /open can be read by every user of this machine; chmod o-r /open",
        ),
        (
            plain,
            "5:12: warning: provider.api_base: is http on another machine: whoever is on the way reads the tokens; use https",
        ),
        (
            bare,
            "6:1: warning: provider.oauth: has neither a client secret nor PKCE: whoever sees a code can use it; add client_secret, or pkce \
             = \"s256\"",
        ),
        (
            unmapped,
            "11:1: warning: provider.scopes: allows no call, so nothing is forwarded; add to [provider.scopes] a line such as `\"read\" = { \
             says = \"See your things\", allow = [\"GET /things\", \"GET /things/*\"] }`",
        ),
    ] {
        assert_eq!(lines(&format!("{GATEWAY}{provider}"), &open), [format!("gateway.toml:{expected}")]);
    }
}

const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE5qdQbYkNLZmBUC8RQbK0QG5tnQifXd1Bhx0GZy/RA536t2R47pqtdR36376BqzlYkdQ/vR+6pEwIvwsDgfdIzg==\n-----END PUBLIC KEY-----\n";

#[test]
fn signs_of_expiry() {
    for (line, expected) in [
        (
            "expired = [{ status = 700 }]",
            "6:23: provider.expired.status: is out of range; write a number from 200 to 599",
        ),
        (
            "expired = [{ status = 200 }]",
            "6:12: provider.expired: takes every answer with this status for an expired token; add `pointer` and `value`, or \
             `www_authenticate`",
        ),
        (
            "expired = [{ pointer = \"/error\" }]",
            "6:14: provider.expired.pointer: says where to look, and not for what; add `value = \"token_expired\"`",
        ),
        (
            "expired = [{ value = \"token_expired\" }]",
            "6:14: provider.expired.value: says what to look for, and not where; add `pointer = \"/error/code\"`",
        ),
        (
            "expired = [{ pointer = \"/error\", value = [] }]",
            "6:34: provider.expired.value: is empty; write what stands there",
        ),
        (
            "expired = [{ pointer = \"error\", value = \"x\" }]",
            "6:24: provider.expired.pointer: is no JSON pointer; a JSON pointer begins with `/`, and `~` stands only in `~0` and `~1`",
        ),
        ("expired = [{ statuss = 401 }]", "6:14: provider.expired.statuss: is not known; did you mean `status`?"),
    ] {
        let found = in_provider(line);
        assert_eq!(found, [format!("gateway.toml:{expected}")], "{line}");
    }
    for line in ["expired = []", "[[provider.expired]]\nstatus = 403\nwww_authenticate = \"invalid_token\""] {
        assert_eq!(in_provider(line), Vec::<String>::new(), "{line}");
    }
}
