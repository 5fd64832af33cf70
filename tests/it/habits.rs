//! Classes of habits: for each, an acting provider that wants exactly this, and the lines of TOML by which the gateway has it. The whole way
//! of a connection, in each: consent, call, expiry by the provider's word and by the clock, a second agent, the end of the grant and a new
//! one, revocation.

use tests::acting::{
    Body, Client, Credential, Ground, Pkce, Place, Proof, Refresh, Revoke, Rotation, Street, Takes, Wants, Who,
};
use tests::{RedisServer, Store};

const PLAIN: Wants = Wants::STANDARD;
const READ: &str = "[provider.scopes]\nread = { says = \"Look\", allow = [\"GET /things\"] }\n";
const LOOK: (&str, &str) = ("GET", "/things");

/// The table that most need, with these lines in `[provider]`, and these in `[provider.oauth]`.
fn table(provider: &str, oauth: &str) -> String {
    table_with(provider, oauth, READ)
}

fn table_with(provider: &str, oauth: &str, rest: &str) -> String {
    let authorize = if oauth.contains("authorize_endpoint") || oauth.contains("discovery") {
        ""
    } else {
        "authorize_endpoint = \"$base/authorize\"\ntoken_endpoint = \"$base/token\"\n"
    };
    let api = if provider.contains("api_base ") { "" } else { "api_base = \"$base/api\"\n" };
    let client = if oauth.contains("client_id = \"ath") { "" } else { "client_id = \"ath-gateway\"\n" };
    let secret = if oauth.contains("client_secret = $") || oauth.contains("\"none\" # public") {
        ""
    } else {
        "client_secret = $secret\n"
    };
    format!("{api}{provider}\n[provider.oauth]\ncallback = \"own\"\n{authorize}{client}{secret}{oauth}\n\n{rest}")
}

const WHO: &str = "userinfo_endpoint = \"$base/userinfo\"\n";

fn street(houses: Vec<(Wants, String)>) -> Street {
    let mut ground = Ground::new();
    for (wants, toml) in houses {
        ground = ground.with(wants, &toml, &["read"], LOOK);
    }
    ground.open(Store::Embedded)
}

/// Where the members of answers lie, what they are, and what a refusal looks like.
#[test]
fn what_answers_look_like() {
    let nested = Wants {
        name: "nested",
        scope_parameter: "user_scope",
        separator: ',',
        granted_separator: ',',
        scopes: &["read"],
        answer: r#"{"ok":true,"access_token":"xoxb-of-the-app","authed_user":{"id":"$id","access_token":"$access","refresh_token":"$refresh","token_type":"user","expires_in":$in,"scope":"$scope"},"team":{"id":"T1","name":"Acme"}}"#,
        refusal: r#"{"ok":false,"error":"$code"}"#,
        bad_code: (200, "invalid_code"),
        void: (200, "invalid_refresh_token"),
        bad_client: (200, "bad_client_secret"),
        lifetime: Some(43200),
        refresh: Refresh {
            answer: r#"{"ok":true,"access_token":"$access","refresh_token":"$refresh","token_type":"user","expires_in":$in,"scope":"$scope"}"#,
            ..Refresh::STANDARD
        },
        who: Who::Answer,
        expired: (200, "", r#"{"ok":false,"error":"token_expired"}"#),
        ..PLAIN
    };
    let nested_toml = table_with(
        "expired = [{ status = 401 }, { status = 200, pointer = \"/error\", value = [\"token_expired\"] }]",
        "scope_parameter = \"user_scope\"\nscope_separator = \"comma\"\ntoken_types = [\"user\"]\nrefresh_answer = { access_token = \"/access_token\", refresh_token = \"/refresh_token\", expires_in = \"/expires_in\", scope = \"/scope\" }\n\
         answer = { access_token = \"/authed_user/access_token\", refresh_token = \"/authed_user/refresh_token\", expires_in = \"/authed_user/expires_in\", scope = \"/authed_user/scope\", subject = [\"/team/id\", \"/authed_user/id\"], name = [\"/team/name\"], success = \"/ok=true\" }",
        "[[provider.oauth.error]]\ncode = \"invalid_refresh_token\"\nmeans = \"reconnect\"\n\n[provider.scopes]\nread = { says = \"Look\", allow = [\"GET /things\"] }\n",
    );
    let envelope = Wants {
        name: "envelope",
        scopes: &["read"],
        answer: r#"{"status":"ok","data":{"access_token":"$access","refresh_token":"$refresh","ttl":"$in","granted":$scopes,"account":{"number":4711,"title":"$name"}}}"#,
        refusal: r#"{"status":"failed","problem":{"code":"$code"}}"#,
        bad_code: (400, "E_CODE"),
        void: (422, "E_VOID"),
        who: Who::Answer,
        ..PLAIN
    };
    let envelope_toml = table_with(
        "",
        "answer = { access_token = \"/data/access_token\", refresh_token = \"/data/refresh_token\", expires_in = \"/data/ttl\", scope = \"/data/granted\", error = \"/problem/code\", subject = \"/data/account/number\", name = \"/data/account/title\" }",
        "[[provider.oauth.error]]\nstatus = 422\ncode = \"E_VOID\"\nmeans = \"reconnect\"\n\n[provider.scopes]\nread = { says = \"Look\", allow = [\"GET /things\"] }\n",
    );
    street(vec![(nested, nested_toml), (envelope, envelope_toml)]).walk();
}

/// Lifetimes as moments, answers that are no JSON, and refusals that are called success.
#[test]
fn what_else_answers_look_like() {
    let epoch = Wants {
        name: "epoch",
        scopes: &["read"],
        separator: ',',
        granted_separator: ',',
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","token_type":"Bearer","expires_at":$at,"scope":"$scope"}"#,
        ..PLAIN
    };
    let date = Wants {
        name: "date",
        scopes: &["read"],
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","token_type":"bearer","expires_at":"$date","scope":$scopes}"#,
        ..PLAIN
    };
    let form = Wants {
        name: "form",
        scopes: &["read"],
        answer: "access_token=$access&refresh_token=$refresh&token_type=bearer&expires_in=$in&scope=$scope",
        answer_type: "application/x-www-form-urlencoded",
        refusal: r#"{"error":"$code"}"#,
        void: (403, "invalid_grant"),
        ..PLAIN
    };
    let wrong = Wants {
        name: "ok-with-error",
        scopes: &["read"],
        pkce: Pkce::Refused,
        refusal: r#"{"error":"$code","error_description":"The code is wrong."}"#,
        bad_code: (200, "bad_verification_code"),
        void: (200, "bad_refresh_token"),
        bad_client: (200, "incorrect_client_credentials"),
        token_headers: &[("accept", "application/json")],
        ..PLAIN
    };
    let error = |code: &str| format!("[[provider.oauth.error]]\ncode = \"{code}\"\nmeans = \"reconnect\"\n\n{READ}");
    street(vec![
        (epoch, table("", &format!("{WHO}scope_separator = \"comma\""))),
        (date, table("", WHO)),
        (
            form,
            table_with(
                "",
                WHO,
                &format!(
                    "[[provider.oauth.error]]\nstatus = 403\ncode = \"invalid_grant\"\nmeans = \"reconnect\"\n\n{READ}"
                ),
            ),
        ),
        (
            wrong,
            table_with(
                "",
                &format!("{WHO}pkce = \"none\"\ntoken_headers = {{ Accept = \"application/json\" }}"),
                &error("bad_refresh_token"),
            ),
        ),
    ])
    .walk();
}

/// How the gateway's client proves itself, how its requests are encoded, and what else stands in them.
#[test]
fn what_requests_look_like() {
    let basic_json = Wants {
        name: "basic-json",
        client: Client::Basic,
        exchange: Body::Json,
        pkce: Pkce::Refused,
        scope_parameter: "",
        asks: &[("owner", "user")],
        refresh: Refresh::JSON,
        revoke: Some(Revoke { body: Body::Json, proof: Proof::Basic, takes: Takes::Access, ..Revoke::at("/revoke") }),
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","token_type":"bearer","expires_in":$in,"scope":"default","owner":{"user":{"id":"$id"}}}"#,
        who: Who::Answer,
        ..PLAIN
    };
    let basic_json_toml = table_with(
        "",
        "client_auth = \"basic\"\ntoken_request = \"json\"\npkce = \"none\"\nauthorize_parameters = { owner = \"user\" }\nanswer = { subject = \"/owner/user/id\" }\nrevoke_endpoint = \"$base/revoke\"\nrevoke_request = \"json\"\nrevoke_auth = \"basic\"\nrevoke_token = \"access\"",
        "[provider.scopes]\nread = { says = \"Look\", asks = [], allow = [\"GET /things\"] }\n",
    );
    let plain = Wants {
        name: "basic-plain",
        client: Client::BasicPlain,
        client_id: "ath gateway:no, but so",
        scopes: &["read", "offline_access"],
        token_parameters: &[("expiring", "1")],
        revoke: Some(Revoke {
            method: "DELETE",
            body: Body::Json,
            parameter: "access_token",
            takes: Takes::Access,
            proof: Proof::Basic,
            ..Revoke::at("/applications/ath-gateway/grant")
        }),
        ..PLAIN
    };
    let plain = Wants { client_id: "ath-gateway", ..plain };
    let named = Wants {
        name: "own-names",
        names: &[("client_id", "client_key"), ("client_secret", "client_password")],
        scopes: &["read", "openid"],
        asks: &[("audience", "api.acme.test"), ("prompt", "consent"), ("access_type", "offline")],
        revoke: Some(Revoke { takes: Takes::Refresh, ..Revoke::at("/revoke") }),
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","token_type":"Bearer","expires_in":"$in","id_token":"$idtoken"}"#,
        who: Who::Answer,
        ..PLAIN
    };
    let public = Wants {
        name: "public",
        client: Client::Public,
        scopes: &["read"],
        revoke: Some(Revoke {
            proof: Proof::Nobody,
            parameter: "access_token",
            takes: Takes::Access,
            ..Revoke::at("/revoke")
        }),
        ..PLAIN
    };
    let own_refresh = Wants {
        name: "own-refresh",
        scopes: &["read"],
        refresh: Refresh {
            path: "/v1/refresh",
            body: Body::Json,
            parameters: &[("extend", "true")],
            answer: r#"{"token":"$access","renew":"$refresh","seconds":$in}"#,
            ..Refresh::STANDARD
        },
        revoke: Some(Revoke { proof: Proof::Bearer, takes: Takes::Access, ..Revoke::at("/auth.revoke") }),
        ..PLAIN
    };
    let asks = Wants {
        name: "asks",
        scopes: &["https://acme.test/auth/things.readonly", "openid"],
        granted_separator: ' ',
        ..PLAIN
    };
    street(vec![
        (basic_json, basic_json_toml),
        (plain, table("", &format!("{WHO}client_auth = \"basic_plain\"\nfurther_scopes = [\"offline_access\"]\ntoken_parameters = {{ expiring = \"1\" }}\nrevoke_endpoint = \"$base/applications/ath-gateway/grant\"\nrevoke_method = \"DELETE\"\nrevoke_request = \"json\"\nrevoke_auth = \"basic\"\nrevoke_parameter = \"access_token\"\nrevoke_token = \"access\""))),
        (named, table("", "parameter_names = { client_id = \"client_key\", client_secret = \"client_password\" }\nfurther_scopes = [\"openid\"]\nauthorize_parameters = { audience = \"api.acme.test\", prompt = \"consent\", access_type = \"offline\" }\nrevoke_endpoint = \"$base/revoke\"\nrevoke_token = \"refresh\"")),
        (public, table("", &format!("{WHO}client_auth = \"none\" # public\nrevoke_endpoint = \"$base/revoke\"\nrevoke_auth = \"none\"\nrevoke_parameter = \"access_token\"\nrevoke_token = \"access\""))),
        (own_refresh, table("", &format!("{WHO}refresh_endpoint = \"$base/v1/refresh\"\nrefresh_request = \"json\"\nrefresh_parameters = {{ extend = \"true\" }}\nrefresh_answer = {{ access_token = \"/token\", refresh_token = \"/renew\", expires_in = \"/seconds\" }}\nrevoke_endpoint = \"$base/auth.revoke\"\nrevoke_auth = \"bearer\"\nrevoke_token = \"access\""))),
        (asks, table_with("", &format!("{WHO}further_scopes = [\"openid\"]"), "[provider.scopes]\nread = { says = \"Look\", asks = [\"https://acme.test/auth/things.readonly\"], allow = [\"GET /things\"] }\n")),
    ])
    .walk();
}

/// How long tokens live, and what becomes of refresh tokens.
#[test]
fn how_long_things_last() {
    let kept = Wants {
        name: "kept",
        scopes: &["read"],
        refresh: Refresh {
            answer: r#"{"access_token":"$access","expires_in":$in,"token_type":"Bearer"}"#,
            ..Refresh::KEPT
        },
        revoke: Some(Revoke::at("/revoke")),
        ..PLAIN
    };
    let same = Wants { name: "same", scopes: &["read"], refresh: Refresh::KEPT, ..PLAIN };
    let once =
        Wants { name: "once", scopes: &["read"], lifetime: Some(7200), revoke: Some(Revoke::at("/revoke")), ..PLAIN };
    let endless = Wants {
        name: "endless",
        scopes: &["read"],
        lifetime: None,
        refresh: Refresh::NONE,
        answer: r#"{"access_token":"$access","token_type":"bearer","scope":"$scope"}"#,
        ..PLAIN
    };
    let no_refresh = Wants {
        name: "no-refresh",
        scopes: &["read"],
        lifetime: Some(60 * 86400),
        refresh: Refresh::NONE,
        answer: r#"{"access_token":"$access","token_type":"Bearer","expires_in":$in,"scope":"$scope"}"#,
        ..PLAIN
    };
    let unsaid = Wants {
        name: "unsaid",
        scopes: &["read"],
        lifetime: Some(1800),
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","token_type":"Bearer","scope":"$scope"}"#,
        ..PLAIN
    };
    let exchanged = Wants {
        name: "exchanged",
        scopes: &["read"],
        lifetime: Some(30 * 86400),
        answer: r#"{"access_token":"$access","token_type":"bearer","expires_in":$in}"#,
        refresh: Refresh {
            rotation: Rotation::Access,
            path: "/refresh_access_token",
            body: Body::Query,
            grant_type: "fb_exchange_token",
            parameter: "fb_exchange_token",
            ..Refresh::STANDARD
        },
        ..PLAIN
    };
    street(vec![
        (kept, table("", &format!("{WHO}rotation = \"kept\"\nrevoke_endpoint = \"$base/revoke\""))),
        (same, table("", WHO)),
        (once, table("", &format!("{WHO}rotation = \"single_use\"\nrevoke_endpoint = \"$base/revoke\""))),
        (endless, table("", &format!("{WHO}default_lifetime = \"never\""))),
        (no_refresh, table("", WHO)),
        (unsaid, table("", &format!("{WHO}default_lifetime = \"30m\""))),
        (exchanged, table("", &format!("{WHO}refresh_endpoint = \"$base/refresh_access_token\"\nrefresh_request = \"query\"\nrefresh_with = \"access_token\"\nrefresh_grant_type = \"fb_exchange_token\"\nrefresh_parameter = \"fb_exchange_token\""))),
    ])
    .walk();
}

/// Where the API looks for the token, what it wants besides, where it is, and how it says that a token is over.
#[test]
fn what_the_api_wants() {
    let plain = |name: &'static str, credential: Credential| Wants { name, scopes: &["read"], credential, ..PLAIN };
    let scheme = plain("scheme", Credential::Header("authorization", "Zoho-oauthtoken "));
    let header = Wants {
        api_headers: &[("x-version", "2026-01"), ("user-agent", "web:acme:v1")],
        ..plain("header", Credential::Header("x-shopify-access-token", ""))
    };
    let user = plain("user", Credential::User("X"));
    let password = plain("password", Credential::Password("oauth2"));
    let query = plain("query", Credential::Query("api_key"));
    let tenant = Wants {
        name: "tenant",
        scopes: &["read", "refresh_token"],
        answer: r#"{"access_token":"$access","refresh_token":"$refresh","instance_url":"$origin","token_type":"Bearer","scope":"$scope"}"#,
        lifetime: Some(7200),
        refresh: Refresh {
            answer: r#"{"access_token":"$access","instance_url":"$origin","token_type":"Bearer"}"#,
            ..Refresh::KEPT
        },
        api: Place::Named,
        expired: (401, "", r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#),
        ..PLAIN
    };
    let told = Wants {
        name: "told-by-userinfo",
        scopes: &["read"],
        api: Place::Named,
        who: Who::Userinfo("/userinfo", r#"{"sub":"$id","email":"$name","accounts":[{"base_uri":"$origin"}]}"#),
        expired: (401, "", r#"{"error":{"code":"token_expired"}}"#),
        ..PLAIN
    };
    let api = |line: &str| table(line, WHO);
    street(vec![
        (scheme, api("credential = { scheme = \"Zoho-oauthtoken\" }")),
        (header, api("credential = { header = \"X-Shopify-Access-Token\" }\nheaders = { User-Agent = \"web:acme:v1\" }\ndefault_headers = { X-Version = \"2026-01\" }")),
        (user, api("credential = { basic = \"user\", other = \"X\" }")),
        (password, api("credential = { basic = \"password\", other = \"oauth2\" }")),
        (query, api("credential = { query = \"api_key\", in_url = true }")),
        (tenant, table("api_base_from = { pointer = \"/instance_url\", hosts = [\"$named\"] }\nexpired = [{ status = 401, pointer = \"/0/errorCode\", value = [\"INVALID_SESSION_ID\"] }]", &format!("{WHO}further_scopes = [\"refresh_token\"]"))),
        (told, table("api_base_from = { pointer = \"/accounts/0/base_uri\", from = \"userinfo\", hosts = [\"$named\"] }\nexpired = [{ status = 401, pointer = \"/error/code\", value = [\"token_expired\"] }]", WHO)),
    ])
    .walk();
}

/// Two replicas on one store: the person's consent at one, the second agent at the other, and one renewal for both.
#[test]
fn two_replicas_have_the_same_habits() {
    let redis = RedisServer::start();
    let wants = Wants { name: "shared", scopes: &["read"], revoke: Some(Revoke::at("/revoke")), ..PLAIN };
    let toml = table("", &format!("{WHO}rotation = \"single_use\"\nrevoke_endpoint = \"$base/revoke\""));
    Ground::new().with(wants, &toml, &["read"], LOOK).open(Store::Redis(&redis)).walk();
}

/// While a client's secret is changed, the provider knows the old one or the new one.
#[test]
fn two_secrets_while_one_is_changed() {
    let wants = Wants { name: "two-secrets", scopes: &["read"], client: Client::Basic, ..PLAIN };
    let toml = table("", &format!("{WHO}client_auth = \"basic\"\nother_client_secret = {{ env = \"CLIENT_SECRET\" }}"));
    let mut street = street(vec![(wants, toml)]);
    street.opens(0);
    street.houses[0].acting.change_secret("the-client-secret-of-the-gateway");
    street.houses[0].acting.expire_all();
    assert_eq!(street.calls(0, 0).status, 200);
    let refusals = street.houses[0].acting.take_refusals();
    assert_eq!(refusals, ["two-secrets: token: another client in the Authorization header"], "the first is tried once");
    street.forward(4000);
    street.works(0, 1);
}
