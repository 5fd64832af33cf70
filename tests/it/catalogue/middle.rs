//! From G to P.

use tests::acting::{Body, Client, Pkce, Place, Proof, Refresh, Revoke, Takes, Wants, Who};

use super::{ENDLESS, P, Record, WITH_ID_TOKEN};

pub(super) const RECORDS: &[Record] = &[
    Record {
        hosts: ["github.com", "github.com", "api.github.com"],
        wants: Wants {
            name: "github",
            scopes: &["read:user", "read:org", "repo"],
            answer: r#"{"access_token":"$access","token_type":"bearer","scope":"$scope"}"#,
            lifetime: None,
            refresh: Refresh::NONE,
            ..GITHUB
        },
    },
    Record {
        hosts: ["github.com", "github.com", "api.github.com"],
        wants: Wants {
            name: "github-app",
            scope_parameter: "",
            answer: r#"{"access_token":"$access","expires_in":$in,"refresh_token":"$refresh","refresh_token_expires_in":15897600,"token_type":"bearer","scope":""}"#,
            lifetime: Some(28800),
            ..GITHUB
        },
    },
    Record {
        hosts: ["gitlab.example.com", "gitlab.example.com", "gitlab.example.com"],
        wants: Wants {
            name: "gitlab",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            scopes: &["read_user", "read_api", "api", "openid"],
            must: &["openid"],
            answer: r#"{"access_token":"$access","token_type":"Bearer","expires_in":$in,"refresh_token":"$refresh","scope":"$scope","created_at":1607635748,"id_token":"$idtoken"}"#,
            lifetime: Some(7200),
            revoke: Some(Revoke::at("/oauth/revoke")),
            who: Who::Userinfo("/oauth/userinfo", r#"{"sub":"$id","email":"$name"}"#),
            api_path: "/api/v4",
            ..P
        },
    },
    Record {
        hosts: ["accounts.google.com", "oauth2.googleapis.com", "gmail.googleapis.com"],
        wants: Wants {
            name: "gmail",
            scopes: &[
                "openid",
                "email",
                "https://www.googleapis.com/auth/gmail.readonly",
                "https://www.googleapis.com/auth/gmail.compose",
                "https://www.googleapis.com/auth/gmail.send",
            ],
            api_path: "/gmail/v1",
            ..GOOGLE
        },
    },
    Record {
        hosts: ["accounts.google.com", "oauth2.googleapis.com", "www.googleapis.com"],
        wants: Wants {
            name: "google",
            scopes: &[
                "openid",
                "email",
                "https://www.googleapis.com/auth/calendar.readonly",
                "https://www.googleapis.com/auth/calendar.events",
                "https://www.googleapis.com/auth/drive.readonly",
            ],
            api_path: "/calendar/v3",
            ..GOOGLE
        },
    },
    Record {
        hosts: ["app.hubspot.com", "api.hubapi.com", "api.hubapi.com"],
        wants: Wants {
            name: "hubspot",
            authorize: "/oauth/authorize",
            token: "/oauth/2026-03/token",
            pkce: Pkce::Optional,
            scopes: &[
                "crm.objects.contacts.read",
                "crm.objects.contacts.write",
                "crm.objects.deals.read",
                "crm.objects.companies.read",
            ],
            answer: r#"{"token_type":"bearer","refresh_token":"$refresh","access_token":"$access","hub_id":1234,"scopes":$scopes,"expires_in":$in}"#,
            lifetime: Some(1800),
            refresh: Refresh::KEPT,
            revoke: Some(Revoke { takes: Takes::Refresh, ..Revoke::at("/oauth/2026-03/token/revoke") }),
            who: Who::Nobody,
            api_path: "/crm/v3",
            ..P
        },
    },
    Record {
        hosts: ["app.eu.intercom.com", "api.eu.intercom.io", "api.eu.intercom.io"],
        wants: Wants {
            name: "intercom",
            authorize: "/oauth",
            token: "/auth/eagle/token",
            pkce: Pkce::Refused,
            scope_parameter: "",
            answer: r#"{"token_type":"Bearer","token":"$access","access_token":"$access"}"#,
            who: Who::Userinfo("/me", r#"{"type":"admin","id":"$id","email":"$name"}"#),
            api_path: "/",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["", "", ""],
        wants: Wants {
            name: "keycloak",
            authorize: "/realms/acme/protocol/openid-connect/auth",
            token: "/realms/acme/protocol/openid-connect/token",
            issuer: Some("/realms/acme"),
            client: Client::Basic,
            scopes: &["openid", "offline_access", "read"],
            must: &["openid", "offline_access"],
            answer: r#"{"access_token":"$access","expires_in":$in,"refresh_expires_in":0,"refresh_token":"$refresh","token_type":"Bearer","id_token":"$idtoken","not-before-policy":0,"session_state":"s","scope":"$scope"}"#,
            lifetime: Some(300),
            refresh: Refresh::ROLLING,
            revoke: Some(Revoke::at("/realms/acme/protocol/openid-connect/revoke")),
            ..P
        },
    },
    Record {
        hosts: ["linear.app", "api.linear.app", "api.linear.app"],
        wants: Wants {
            name: "linear",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            pkce: Pkce::Optional,
            separator: ',',
            scopes: &["read", "comments:create", "issues:create"],
            asks: &[("prompt", "consent")],
            lifetime: Some(86400),
            revoke: Some(Revoke::at("/oauth/revoke")),
            who: Who::Nobody,
            api_path: "/graphql",
            ..P
        },
    },
    Record {
        hosts: ["www.linkedin.com", "www.linkedin.com", "api.linkedin.com"],
        wants: Wants {
            name: "linkedin",
            authorize: "/oauth/v2/authorization",
            token: "/oauth/v2/accessToken",
            pkce: Pkce::Refused,
            scopes: &["openid", "profile", "w_member_social"],
            must: &["openid"],
            granted_separator: ',',
            answer: r#"{"access_token":"$access","expires_in":$in,"scope":"$scope","token_type":"Bearer","id_token":"$idtoken"}"#,
            lifetime: Some(5_184_000),
            refresh: Refresh::NONE,
            who: Who::Userinfo("/v2/userinfo", r#"{"sub":"$id","name":"Alice"}"#),
            api_path: "/",
            ..P
        },
    },
    Record {
        hosts: ["login.mailchimp.com", "login.mailchimp.com", "us6.api.mailchimp.com"],
        wants: Wants {
            name: "mailchimp",
            authorize: "/oauth2/authorize",
            token: "/oauth2/token",
            pkce: Pkce::Refused,
            scope_parameter: "",
            answer: r#"{"access_token":"$access","expires_in":0,"scope":null}"#,
            who: Who::Nobody,
            api_path: "/3.0",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["login.microsoftonline.com", "login.microsoftonline.com", "graph.microsoft.com"],
        wants: Wants {
            name: "microsoft-graph",
            authorize: "/contoso.onmicrosoft.com/oauth2/v2.0/authorize",
            token: "/contoso.onmicrosoft.com/oauth2/v2.0/token",
            scopes: &[
                "offline_access",
                "User.Read",
                "Mail.Read",
                "Mail.Send",
                "Calendars.Read",
                "Calendars.ReadWrite",
                "Files.Read",
            ],
            must: &["offline_access", "User.Read"],
            answer: r#"{"token_type":"Bearer","scope":"profile openid email https://graph.microsoft.com/Mail.Read https://graph.microsoft.com/User.Read","expires_in":$in,"ext_expires_in":$in,"access_token":"$access","refresh_token":"$refresh"}"#,
            lifetime: Some(4000),
            refresh: Refresh::ROLLING,
            who: Who::Userinfo("/v1.0/me", r#"{"id":"$id","userPrincipalName":"$name","displayName":"Alice"}"#),
            api_path: "/v1.0",
            ..P
        },
    },
    Record {
        hosts: ["miro.com", "api.miro.com", "api.miro.com"],
        wants: Wants {
            name: "miro",
            authorize: "/oauth/authorize",
            token: "/v1/oauth/token",
            pkce: Pkce::Optional,
            scopes: &["boards:read", "boards:write"],
            answer: r#"{"user_id":"$id","refresh_token":"$refresh","access_token":"$access","expires_in":$in,"team_id":"T1","scope":"boards:write boards:read identity:read","token_type":"bearer"}"#,
            who: Who::Answer,
            api_path: "/v2",
            ..P
        },
    },
    Record {
        hosts: ["auth.monday.com", "auth.monday.com", "api.monday.com"],
        wants: Wants {
            name: "monday",
            authorize: "/oauth2/authorize",
            token: "/oauth2/token",
            pkce: Pkce::Refused,
            scopes: &["boards:read", "boards:write"],
            asks: &[("force_install_if_needed", "true")],
            who: Who::Nobody,
            api_path: "/v2",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["api.notion.com", "api.notion.com", "api.notion.com"],
        wants: Wants {
            name: "notion",
            authorize: "/v1/oauth/authorize",
            token: "/v1/oauth/token",
            client: Client::Basic,
            exchange: Body::Json,
            pkce: Pkce::Refused,
            scope_parameter: "",
            asks: &[("owner", "user")],
            answer: r#"{"access_token":"$access","token_type":"bearer","refresh_token":"$refresh","bot_id":"b1","workspace_name":"Acme","workspace_icon":null,"workspace_id":"w1","owner":{"type":"user","user":{"object":"user","id":"$id","name":"Alice","person":{"email":"$name"}}},"duplicated_template_id":null,"request_id":"r1"}"#,
            refresh: Refresh::JSON,
            revoke: Some(Revoke {
                body: Body::Json,
                proof: Proof::Basic,
                takes: Takes::Access,
                ..Revoke::at("/v1/oauth/revoke")
            }),
            who: Who::Answer,
            api_path: "/v1",
            api_headers: &[("notion-version", "")],
            expired: (
                401,
                "",
                r#"{"object":"error","status":401,"code":"unauthorized","message":"API token is invalid."}"#,
            ),
            ..P
        },
    },
    Record {
        hosts: ["", "", ""],
        wants: Wants {
            name: "okta",
            authorize: "/oauth2/default/v1/authorize",
            token: "/oauth2/default/v1/token",
            issuer: Some("/oauth2/default"),
            client: Client::Basic,
            scopes: &["openid", "offline_access", "read"],
            must: &["openid", "offline_access"],
            answer: WITH_ID_TOKEN,
            revoke: Some(Revoke::at("/oauth2/default/v1/revoke")),
            ..P
        },
    },
    Record {
        hosts: ["identity.pagerduty.com", "identity.pagerduty.com", "api.pagerduty.com"],
        wants: Wants {
            name: "pagerduty",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            scopes: &["openid", "users.read", "incidents.read", "incidents.write", "schedules.read"],
            must: &["users.read"],
            lifetime: Some(86400),
            revoke: Some(Revoke::at("/oauth/revoke")),
            who: Who::Userinfo("/users/me", r#"{"user":{"id":"$id","email":"$name","name":"Alice"}}"#),
            api_path: "/",
            api_headers: &[("accept", "application/vnd.pagerduty+json;version=2")],
            ..P
        },
    },
    Record {
        hosts: ["www.sandbox.paypal.com", "api-m.sandbox.paypal.com", "api-m.sandbox.paypal.com"],
        wants: Wants {
            name: "paypal",
            authorize: "/signin/authorize",
            token: "/v1/oauth2/token",
            client: Client::Basic,
            pkce: Pkce::Optional,
            scopes: &["openid", "profile", "email"],
            must: &["openid"],
            lifetime: Some(28800),
            refresh: Refresh::SILENT,
            who: Who::Userinfo(
                "/v1/identity/oauth2/userinfo",
                r#"{"user_id":"https://www.paypal.com/webapps/auth/identity/user/$id","name":"Alice"}"#,
            ),
            api_path: "/v1",
            ..P
        },
    },
    Record {
        hosts: ["oauth.pipedrive.com", "oauth.pipedrive.com", "api.pipedrive.com"],
        wants: Wants {
            name: "pipedrive",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            client: Client::Basic,
            pkce: Pkce::Refused,
            scopes: &["deals:read", "deals:full", "contacts:read"],
            granted_separator: ',',
            answer: r#"{"access_token":"$access","token_type":"bearer","refresh_token":"$refresh","scope":"$scope","expires_in":$in,"api_domain":"$origin"}"#,
            refresh: Refresh::KEPT,
            revoke: Some(Revoke::at("/oauth/revoke")),
            who: Who::Nobody,
            api: Place::Named,
            api_path: "/api/v1",
            ..P
        },
    },
];

const GITHUB: Wants = Wants {
    authorize: "/login/oauth/authorize",
    token: "/login/oauth/access_token",
    granted_separator: ',',
    token_headers: &[("accept", "application/json")],
    refusal: r#"{"error":"$code","error_description":"no"}"#,
    bad_code: (200, "bad_verification_code"),
    void: (200, "bad_refresh_token"),
    bad_client: (200, "incorrect_client_credentials"),
    revoke: Some(Revoke {
        method: "DELETE",
        body: Body::Json,
        proof: Proof::Basic,
        parameter: "access_token",
        takes: Takes::Access,
        ..Revoke::at("/applications/ath-gateway/token")
    }),
    who: Who::Userinfo("/user", r#"{"login":"alice","id":4711,"name":"Alice"}"#),
    api_path: "/",
    api_headers: &[("user-agent", "")],
    expired: (401, "", r#"{"message":"Bad credentials","status":"401"}"#),
    ..P
};

const GOOGLE: Wants = Wants {
    authorize: "/o/oauth2/v2/auth",
    must: &["openid", "email"],
    asks: &[("access_type", "offline"), ("prompt", "consent"), ("include_granted_scopes", "true")],
    answer: r#"{"access_token":"$access","expires_in":$in,"refresh_token":"$refresh","scope":"https://www.googleapis.com/auth/userinfo.email $scope","token_type":"Bearer","id_token":"$idtoken"}"#,
    issuer: Some(""),
    refresh: Refresh::SILENT,
    revoke: Some(Revoke { proof: Proof::Nobody, ..Revoke::at("/revoke") }),
    who: Who::Userinfo("/v1/userinfo", r#"{"sub":"$id","email":"$name"}"#),
    ..P
};
