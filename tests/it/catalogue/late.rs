//! From Q to Z.

use tests::acting::{Body, Client, Credential, Pkce, Place, Proof, Refresh, Revoke, Takes, Wants, Who};

use super::{ENDLESS, P, Record};

pub(super) const RECORDS: &[Record] = &[
    Record {
        hosts: ["appcenter.intuit.com", "oauth.platform.intuit.com", "sandbox-quickbooks.api.intuit.com"],
        wants: Wants {
            name: "quickbooks",
            authorize: "/connect/oauth2",
            token: "/oauth2/v1/tokens/bearer",
            client: Client::Basic,
            pkce: Pkce::Optional,
            scopes: &["com.intuit.quickbooks.accounting", "openid", "email"],
            must: &["openid", "email", "com.intuit.quickbooks.accounting"],
            token_headers: &[("accept", "application/json")],
            answer: r#"{"token_type":"bearer","expires_in":$in,"refresh_token":"$refresh","x_refresh_token_expires_in":8726400,"access_token":"$access"}"#,
            refresh: Refresh::ROLLING,
            revoke: Some(Revoke { body: Body::Json, ..Revoke::at("/v2/oauth2/tokens/revoke") }),
            who: Who::Userinfo("/v1/openid_connect/userinfo", r#"{"sub":"$id","email":"$name"}"#),
            api_path: "/v3/company/9130357766900456",
            ..P
        },
    },
    Record {
        hosts: ["www.reddit.com", "www.reddit.com", "oauth.reddit.com"],
        wants: Wants {
            name: "reddit",
            authorize: "/api/v1/authorize",
            token: "/api/v1/access_token",
            client: Client::Basic,
            pkce: Pkce::Optional,
            scopes: &["identity", "read", "mysubreddits", "submit"],
            must: &["identity"],
            asks: &[("duration", "permanent")],
            token_headers: &[("user-agent", "")],
            refresh: Refresh::SILENT,
            revoke: Some(Revoke::at("/api/v1/revoke_token")),
            who: Who::Userinfo("/api/v1/me", r#"{"id":"$id","name":"alice"}"#),
            api_path: "/",
            api_headers: &[("user-agent", "")],
            ..P
        },
    },
    Record {
        hosts: ["acme.my.salesforce.com", "acme.my.salesforce.com", "acme.my.salesforce.com"],
        wants: Wants {
            name: "salesforce",
            authorize: "/services/oauth2/authorize",
            token: "/services/oauth2/token",
            scopes: &["api", "refresh_token", "openid"],
            must: &["api", "refresh_token"],
            answer: r#"{"access_token":"$access","refresh_token":"$refresh","signature":"c2ln","scope":"$scope","instance_url":"$origin","id":"https://login.salesforce.com/id/00D/005","token_type":"Bearer","issued_at":"1558553873237"}"#,
            lifetime: Some(7200),
            refresh: Refresh {
                answer: r#"{"access_token":"$access","signature":"c2ln","instance_url":"$origin","token_type":"Bearer","issued_at":"1558553873237"}"#,
                ..Refresh::KEPT
            },
            revoke: Some(Revoke::at("/services/oauth2/revoke")),
            who: Who::Userinfo(
                "/services/oauth2/userinfo",
                r#"{"sub":"https://login.salesforce.com/id/00D/$id","user_id":"$id","preferred_username":"$name"}"#,
            ),
            api: Place::Named,
            api_path: "/services/data",
            expired: (401, "", r#"[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]"#),
            ..P
        },
    },
    Record {
        hosts: ["sentry.io", "sentry.io", "de.sentry.io"],
        wants: Wants {
            name: "sentry",
            authorize: "/oauth/authorize/",
            token: "/oauth/token/",
            pkce: Pkce::Optional,
            scopes: &["event:read", "project:read", "event:write"],
            answer: r#"{"access_token":"$access","refresh_token":"$refresh","expires_at":"$date","token_type":"bearer","scope":"$scope","user":{"id":"$id","name":"Alice","email":"$name"}}"#,
            lifetime: Some(2_592_000),
            who: Who::Answer,
            api_path: "/api/0",
            ..P
        },
    },
    Record {
        hosts: ["acme.service-now.com", "acme.service-now.com", "acme.service-now.com"],
        wants: Wants {
            name: "servicenow",
            authorize: "/oauth_auth.do",
            token: "/oauth_token.do",
            scopes: &["useraccount"],
            lifetime: Some(1800),
            refresh: Refresh::KEPT,
            revoke: Some(Revoke::at("/oauth_revoke_token.do")),
            who: Who::Nobody,
            api_path: "/api/now",
            ..P
        },
    },
    Record {
        hosts: ["acme-store.myshopify.com", "acme-store.myshopify.com", "acme-store.myshopify.com"],
        wants: Wants {
            name: "shopify",
            authorize: "/admin/oauth/authorize",
            token: "/admin/oauth/access_token",
            exchange: Body::Json,
            pkce: Pkce::Refused,
            separator: ',',
            granted_separator: ',',
            scopes: &["read_products", "read_orders", "write_products"],
            token_parameters: &[("expiring", "1")],
            answer: r#"{"access_token":"$access","scope":"$scope","expires_in":$in,"refresh_token":"$refresh","refresh_token_expires_in":7776000}"#,
            refresh: Refresh::JSON,
            who: Who::Nobody,
            api_path: "/admin/api",
            credential: Credential::Header("x-shopify-access-token", ""),
            expired: (
                401,
                "",
                r#"{"errors":"[API] Invalid API key or access token (unrecognized login or wrong password)"}"#,
            ),
            ..P
        },
    },
    Record {
        hosts: ["slack.com", "slack.com", "slack.com"],
        wants: Wants {
            name: "slack",
            scope_parameter: "user_scope",
            scopes: &["channels:read", "channels:history", "users:read", "chat:write"],
            answer: r#"{"ok":true,"app_id":"A1","authed_user":{"id":"$id","scope":"$scope","access_token":"$access","token_type":"user","expires_in":$in,"refresh_token":"$refresh"},"team":{"id":"T1","name":"Acme"},"enterprise":null,"is_enterprise_install":false}"#,
            refresh: Refresh {
                answer: r#"{"ok":true,"app_id":"A1","access_token":"$access","token_type":"user","expires_in":$in,"refresh_token":"$refresh","scope":"$scope","user_id":"$id","team":{"id":"T1","name":"Acme"}}"#,
                ..Refresh::STANDARD
            },
            ..SLACK
        },
    },
    Record {
        hosts: ["slack.com", "slack.com", "slack.com"],
        wants: Wants {
            name: "slack-bot",
            scopes: &["channels:read", "channels:history", "chat:write"],
            answer: r#"{"ok":true,"app_id":"A1","access_token":"$access","token_type":"bot","expires_in":$in,"refresh_token":"$refresh","scope":"$scope","bot_user_id":"U1","team":{"id":"T1","name":"Acme"},"authed_user":{"id":"$id"}}"#,
            ..SLACK
        },
    },
    Record {
        hosts: [
            "acme-analytics.snowflakecomputing.com",
            "acme-analytics.snowflakecomputing.com",
            "acme-analytics.snowflakecomputing.com",
        ],
        wants: Wants {
            name: "snowflake",
            authorize: "/oauth/authorize",
            token: "/oauth/token-request",
            client: Client::Basic,
            scopes: &["refresh_token", "session:role:AGENT_READER"],
            must: &["refresh_token", "session:role:AGENT_READER"],
            answer: r#"{"access_token":"$access","expires_in":$in,"idpInitiated":false,"refresh_token":"$refresh","refresh_token_expires_in":7775999,"scope":"$scope","token_type":"Bearer","username":"$name"}"#,
            lifetime: Some(600),
            refresh: Refresh {
                answer: r#"{"access_token":"$access","token_type":"Bearer","expires_in":$in,"idpInitiated":false}"#,
                ..Refresh::KEPT
            },
            who: Who::Answer,
            api_path: "/api/v2",
            api_headers: &[("x-snowflake-authorization-token-type", "OAUTH")],
            ..P
        },
    },
    Record {
        hosts: ["accounts.spotify.com", "accounts.spotify.com", "api.spotify.com"],
        wants: Wants {
            name: "spotify",
            token: "/api/token",
            client: Client::Basic,
            scopes: &[
                "playlist-read-private",
                "playlist-modify-private",
                "user-read-playback-state",
                "user-modify-playback-state",
            ],
            refresh: Refresh::SILENT,
            who: Who::Userinfo("/v1/me", r#"{"id":"$id","display_name":"Alice"}"#),
            api_path: "/v1",
            ..P
        },
    },
    Record {
        hosts: ["www.strava.com", "www.strava.com", "www.strava.com"],
        wants: Wants {
            name: "strava",
            authorize: "/oauth/authorize",
            token: "/api/v3/oauth/token",
            pkce: Pkce::Refused,
            separator: ',',
            scopes: &["read", "activity:read", "activity:write"],
            asks: &[("approval_prompt", "auto")],
            answer: r#"{"token_type":"Bearer","expires_at":$at,"refresh_token":"$refresh","access_token":"$access","athlete":{"id":4711,"username":"alice","firstname":"Alice"}}"#,
            lifetime: Some(21600),
            refresh: Refresh {
                answer: r#"{"token_type":"Bearer","access_token":"$access","expires_at":$at,"expires_in":$in,"refresh_token":"$refresh"}"#,
                ..Refresh::STANDARD
            },
            revoke: Some(Revoke {
                proof: Proof::Nobody,
                parameter: "access_token",
                takes: Takes::Access,
                ..Revoke::at("/oauth/deauthorize")
            }),
            who: Who::Answer,
            api_path: "/api/v3",
            ..P
        },
    },
    Record {
        hosts: ["connect.stripe.com", "connect.stripe.com", "api.stripe.com"],
        wants: Wants {
            name: "stripe",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            pkce: Pkce::Refused,
            scopes: &["read_only", "read_write"],
            answer: r#"{"access_token":"$access","livemode":false,"token_type":"bearer","stripe_publishable_key":"pk_test","stripe_user_id":"acct_$id","scope":"$scope"}"#,
            who: Who::Nobody,
            api_path: "/v1",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["api.supabase.com", "api.supabase.com", "api.supabase.com"],
        wants: Wants {
            name: "supabase",
            authorize: "/v1/oauth/authorize",
            token: "/v1/oauth/token",
            client: Client::Basic,
            scope_parameter: "",
            answer: r#"{"access_token":"$access","refresh_token":"$refresh","expires_in":$in,"token_type":"Bearer"}"#,
            lifetime: Some(86400),
            who: Who::Nobody,
            api_path: "/v1",
            ..P
        },
    },
    Record {
        hosts: ["app.todoist.com", "api.todoist.com", "api.todoist.com"],
        wants: Wants {
            name: "todoist",
            authorize: "/oauth/authorize",
            token: "/oauth/access_token",
            pkce: Pkce::Refused,
            separator: ',',
            scopes: &["data:read", "data:read_write"],
            answer: r#"{"access_token":"$access","token_type":"Bearer"}"#,
            who: Who::Userinfo("/api/v1/user", r#"{"id":"$id","email":"$name","full_name":"Alice"}"#),
            api_path: "/api/v1",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["id.twitch.tv", "id.twitch.tv", "api.twitch.tv"],
        wants: Wants {
            name: "twitch",
            authorize: "/oauth2/authorize",
            token: "/oauth2/token",
            pkce: Pkce::Optional,
            scopes: &["openid", "user:read:follows", "user:read:email"],
            must: &["openid"],
            answer: r#"{"access_token":"$access","expires_in":$in,"refresh_token":"$refresh","scope":$scopes,"token_type":"bearer"}"#,
            lifetime: Some(14400),
            refresh: Refresh::ROLLING,
            revoke: Some(Revoke { takes: Takes::Access, ..Revoke::at("/oauth2/revoke") }),
            who: Who::Userinfo("/oauth2/userinfo", r#"{"sub":"$id","preferred_username":"alice"}"#),
            api_path: "/helix",
            ..P
        },
    },
    Record {
        hosts: ["api.typeform.com", "api.typeform.com", "api.typeform.com"],
        wants: Wants {
            name: "typeform",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            pkce: Pkce::Refused,
            scopes: &["offline", "accounts:read", "forms:read", "responses:read", "forms:write"],
            must: &["offline"],
            lifetime: Some(604_800),
            who: Who::Userinfo("/me", r#"{"user_id":"$id","email":"$name","alias":"alice"}"#),
            api_path: "/",
            ..P
        },
    },
    Record {
        hosts: ["webflow.com", "api.webflow.com", "api.webflow.com"],
        wants: Wants {
            name: "webflow",
            authorize: "/oauth/authorize",
            token: "/oauth/access_token",
            pkce: Pkce::Optional,
            scopes: &["authorized_user:read", "sites:read", "cms:read", "cms:write"],
            must: &["authorized_user:read"],
            who: Who::Userinfo("/v2/token/authorized_by", r#"{"id":"$id","email":"$name","firstName":"Alice"}"#),
            api_path: "/v2",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["public-api.wordpress.com", "public-api.wordpress.com", "public-api.wordpress.com"],
        wants: Wants {
            name: "wordpress",
            authorize: "/oauth2/authorize",
            token: "/oauth2/token",
            pkce: Pkce::Optional,
            scopes: &["auth", "posts", "comments"],
            must: &["auth"],
            answer: r#"{"access_token":"$access","blog_id":"0","blog_url":"https://acme.test","token_type":"bearer"}"#,
            who: Who::Userinfo("/rest/v1.1/me", r#"{"ID":4711,"username":"alice","display_name":"Alice"}"#),
            api_path: "/rest",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["x.com", "api.x.com", "api.x.com"],
        wants: Wants {
            name: "x",
            authorize: "/i/oauth2/authorize",
            token: "/2/oauth2/token",
            client: Client::Basic,
            scopes: &["offline.access", "users.read", "tweet.read", "tweet.write"],
            must: &["offline.access", "users.read", "tweet.read"],
            lifetime: Some(7200),
            revoke: Some(Revoke::at("/2/oauth2/revoke")),
            who: Who::Userinfo("/2/users/me", r#"{"data":{"id":"$id","username":"alice"}}"#),
            api_path: "/2",
            ..P
        },
    },
    Record {
        hosts: ["login.xero.com", "identity.xero.com", "api.xero.com"],
        wants: Wants {
            name: "xero",
            authorize: "/identity/connect/authorize",
            token: "/connect/token",
            client: Client::Basic,
            scopes: &[
                "offline_access",
                "openid",
                "email",
                "accounting.transactions.read",
                "accounting.contacts.read",
                "accounting.transactions",
            ],
            must: &["offline_access", "openid"],
            answer: r#"{"id_token":"$idtoken","access_token":"$access","expires_in":$in,"token_type":"Bearer","refresh_token":"$refresh","scope":"$scope"}"#,
            issuer: Some(""),
            lifetime: Some(1800),
            revoke: Some(Revoke { takes: Takes::Refresh, ..Revoke::at("/connect/revocation") }),
            who: Who::Userinfo("/connect/userinfo", r#"{"sub":"$id","email":"$name"}"#),
            api_path: "/",
            ..P
        },
    },
    Record {
        hosts: ["acme.zendesk.com", "acme.zendesk.com", "acme.zendesk.com"],
        wants: Wants {
            name: "zendesk",
            authorize: "/oauth/authorizations/new",
            token: "/oauth/tokens",
            exchange: Body::Json,
            scopes: &["tickets:read", "tickets:write", "users:read"],
            token_parameters: &[("expires_in", "172800"), ("refresh_token_expires_in", "7776000")],
            answer: r#"{"access_token":"$access","refresh_token":"$refresh","token_type":"bearer","scope":"$scope","expires_in":$in,"refresh_token_expires_in":7776000}"#,
            lifetime: Some(172_800),
            refresh: Refresh::JSON,
            who: Who::Userinfo("/api/v2/users/me.json", r#"{"user":{"id":4711,"email":"$name","name":"Alice"}}"#),
            api_path: "/api/v2",
            ..P
        },
    },
    Record {
        hosts: ["accounts.zoho.eu", "accounts.zoho.eu", "www.zohoapis.eu"],
        wants: Wants {
            name: "zoho",
            authorize: "/oauth/v2/auth",
            token: "/oauth/v2/token",
            pkce: Pkce::Optional,
            separator: ',',
            scopes: &[
                "AaaServer.profile.READ",
                "ZohoCRM.modules.contacts.READ",
                "ZohoCRM.modules.leads.READ",
                "ZohoCRM.modules.leads.CREATE",
            ],
            must: &["AaaServer.profile.READ"],
            asks: &[("access_type", "offline"), ("prompt", "consent")],
            answer: r#"{"access_token":"$access","refresh_token":"$refresh","scope":"$scope","api_domain":"https://www.zohoapis.eu","token_type":"Bearer","expires_in":$in}"#,
            refusal: r#"{"error":"$code"}"#,
            bad_code: (200, "invalid_code"),
            void: (200, "invalid_code"),
            bad_client: (200, "invalid_client"),
            refresh: Refresh::SILENT,
            revoke: Some(Revoke {
                proof: Proof::Nobody,
                takes: Takes::Refresh,
                ..Revoke::at("/oauth/v2/token/revoke")
            }),
            who: Who::Userinfo("/oauth/user/info", r#"{"ZUID":4711,"Email":"$name","Display_Name":"Alice"}"#),
            api_path: "/crm/v8",
            credential: Credential::Header("authorization", "Zoho-oauthtoken "),
            expired: (401, "", r#"{"code":"INVALID_TOKEN","status":"error"}"#),
            ..P
        },
    },
    Record {
        hosts: ["zoom.us", "zoom.us", "api.zoom.us"],
        wants: Wants {
            name: "zoom",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            client: Client::Basic,
            scopes: &["user:read:user", "meeting:read:list_meetings", "meeting:read:meeting", "meeting:write:meeting"],
            answer: r#"{"access_token":"$access","token_type":"bearer","refresh_token":"$refresh","expires_in":$in,"scope":"$scope","api_url":"https://api.zoom.us"}"#,
            revoke: Some(Revoke { takes: Takes::Access, ..Revoke::at("/oauth/revoke") }),
            who: Who::Userinfo("/v2/users/me", r#"{"id":"$id","email":"$name","display_name":"Alice"}"#),
            api_path: "/v2",
            ..P
        },
    },
];

const SLACK: Wants = Wants {
    authorize: "/oauth/v2/authorize",
    token: "/api/oauth.v2.access",
    client: Client::Basic,
    pkce: Pkce::Optional,
    separator: ',',
    granted_separator: ',',
    refusal: r#"{"ok":false,"error":"$code"}"#,
    bad_code: (200, "invalid_code"),
    void: (200, "invalid_refresh_token"),
    bad_client: (200, "bad_client_secret"),
    lifetime: Some(43200),
    revoke: Some(Revoke { proof: Proof::Bearer, takes: Takes::Access, ..Revoke::at("/api/auth.revoke") }),
    who: Who::Answer,
    api_path: "/api",
    expired: (200, "", r#"{"ok":false,"error":"token_expired"}"#),
    ..P
};
