//! From A to F.

use tests::acting::{Body, Client, Credential, Pkce, Place, Proof, Refresh, Revoke, Rotation, Takes, Wants, Who};

use super::{ENDLESS, P, Record, WITH_ID_TOKEN};

pub(super) const RECORDS: &[Record] = &[
    Record {
        hosts: ["airtable.com", "airtable.com", "api.airtable.com"],
        wants: Wants {
            name: "airtable",
            authorize: "/oauth2/v1/authorize",
            token: "/oauth2/v1/token",
            client: Client::Basic,
            scopes: &["schema.bases:read", "data.records:read", "data.records:write", "user.email:read"],
            who: Who::Userinfo("/v0/meta/whoami", r#"{"id":"$id","email":"$name"}"#),
            api_path: "/v0",
            ..P
        },
    },
    Record {
        hosts: ["app.asana.com", "app.asana.com", "app.asana.com"],
        wants: Wants {
            name: "asana",
            authorize: "/-/oauth_authorize",
            token: "/-/oauth_token",
            scopes: &["tasks:read", "projects:read", "tasks:write"],
            answer: r#"{"access_token":"$access","token_type":"bearer","expires_in":$in,"refresh_token":"$refresh","data":{"id":"$id","gid":"$id","name":"Alice","email":"$name"}}"#,
            refresh: Refresh::SILENT,
            who: Who::Answer,
            revoke: Some(Revoke { takes: Takes::Refresh, ..Revoke::at("/-/oauth_revoke") }),
            api_path: "/api/1.0",
            ..P
        },
    },
    Record {
        hosts: ["app.attio.com", "app.attio.com", "api.attio.com"],
        wants: Wants {
            name: "attio",
            token: "/oauth/token",
            pkce: Pkce::Optional,
            scopes: &["record_permission:read", "record_permission:read-write"],
            who: Who::Userinfo(
                "/v2/self",
                r#"{"active":true,"authorized_by_workspace_member_id":"$id","workspace_name":"Acme"}"#,
            ),
            api_path: "/v2",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["", "", ""],
        wants: Wants {
            name: "auth0",
            token: "/oauth/token",
            issuer: Some("/"),
            scopes: &["read", "openid", "offline_access"],
            must: &["openid", "offline_access"],
            asks: &[("audience", "https://api.acme.test")],
            answer: WITH_ID_TOKEN,
            lifetime: Some(86400),
            revoke: Some(Revoke { takes: Takes::Refresh, ..Revoke::at("/oauth/revoke") }),
            ..P
        },
    },
    Record {
        hosts: ["bitbucket.org", "bitbucket.org", "api.bitbucket.org"],
        wants: Wants {
            name: "bitbucket",
            authorize: "/site/oauth2/authorize",
            token: "/site/oauth2/access_token",
            client: Client::Basic,
            pkce: Pkce::Optional,
            scopes: &["repository", "pullrequest", "pullrequest:write"],
            answer: r#"{"scopes":"account repository team","access_token":"$access","expires_in":$in,"token_type":"bearer","state":"authorization_code","refresh_token":"$refresh"}"#,
            lifetime: Some(7200),
            refresh: Refresh::KEPT,
            who: Who::Userinfo("/2.0/user", r#"{"uuid":"{$id}","username":"alice","display_name":"$name"}"#),
            api_path: "/2.0",
            ..P
        },
    },
    Record {
        hosts: ["account.box.com", "api.box.com", "api.box.com"],
        wants: Wants {
            name: "box",
            authorize: "/api/oauth2/authorize",
            token: "/oauth2/token",
            pkce: Pkce::Optional,
            scopes: &["root_readonly", "root_readwrite"],
            answer: r#"{"access_token":"$access","expires_in":$in,"restricted_to":[],"refresh_token":"$refresh","token_type":"bearer"}"#,
            revoke: Some(Revoke::at("/oauth2/revoke")),
            who: Who::Userinfo("/2.0/users/me", r#"{"type":"user","id":"$id","name":"Alice","login":"$name"}"#),
            api_path: "/2.0",
            ..P
        },
    },
    Record {
        hosts: ["auth.calendly.com", "auth.calendly.com", "api.calendly.com"],
        wants: Wants {
            name: "calendly",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            client: Client::Basic,
            scopes: &["event_types:read", "scheduled_events:read", "scheduled_events:write"],
            answer: r#"{"token_type":"Bearer","access_token":"$access","refresh_token":"$refresh","scope":"default","created_at":1548689183,"expires_in":$in,"owner":"https://api.calendly.com/users/$id","organization":"https://api.calendly.com/organizations/1"}"#,
            lifetime: Some(7200),
            revoke: Some(Revoke { proof: Proof::Post, ..Revoke::at("/oauth/revoke") }),
            who: Who::Answer,
            api_path: "/",
            ..P
        },
    },
    Record {
        hosts: ["www.canva.com", "api.canva.com", "api.canva.com"],
        wants: Wants {
            name: "canva",
            authorize: "/api/oauth/authorize",
            token: "/rest/v1/oauth/token",
            client: Client::Basic,
            scopes: &["design:meta:read", "design:content:read", "design:content:write"],
            lifetime: Some(14400),
            revoke: Some(Revoke { takes: Takes::Refresh, ..Revoke::at("/rest/v1/oauth/revoke") }),
            who: Who::Userinfo("/rest/v1/users/me", r#"{"team_user":{"user_id":"$id","team_id":"T1"}}"#),
            api_path: "/rest/v1",
            ..P
        },
    },
    Record {
        hosts: ["", "", ""],
        wants: Wants {
            name: "clerk",
            authorize: "/oauth/authorize",
            token: "/oauth/token",
            issuer: Some(""),
            client: Client::Basic,
            scopes: &["openid", "profile", "email", "offline_access", "read"],
            must: &["openid", "offline_access"],
            answer: WITH_ID_TOKEN,
            lifetime: Some(86400),
            refresh: Refresh::SILENT,
            ..P
        },
    },
    Record {
        hosts: ["app.clickup.com", "api.clickup.com", "api.clickup.com"],
        wants: Wants {
            name: "clickup",
            authorize: "/api",
            token: "/api/v2/oauth/token",
            exchange: Body::Json,
            pkce: Pkce::Refused,
            scope_parameter: "",
            who: Who::Userinfo("/api/v2/user", r#"{"user":{"id":4711,"username":"Alice","email":"$name"}}"#),
            api_path: "/api/v2",
            ..ENDLESS
        },
    },
    Record {
        hosts: ["", "", ""],
        wants: Wants {
            name: "cognito",
            authorize: "/oauth2/authorize",
            token: "/oauth2/token",
            issuer: Some("/eu-central-1_Abc123DEF"),
            client: Client::Basic,
            scopes: &["openid", "read"],
            must: &["openid"],
            answer: WITH_ID_TOKEN,
            refresh: Refresh::SILENT,
            revoke: Some(Revoke { takes: Takes::Refresh, ..Revoke::at("/oauth2/revoke") }),
            ..P
        },
    },
    Record {
        hosts: ["auth.atlassian.com", "auth.atlassian.com", "api.atlassian.com"],
        wants: Wants {
            name: "confluence",
            scopes: &[
                "read:page:confluence",
                "read:space:confluence",
                "write:page:confluence",
                "offline_access",
                "read:me",
            ],
            api_path: "/ex/confluence/11223344-a1b2-3b33-c444-def123456789/wiki",
            ..ATLASSIAN
        },
    },
    Record {
        hosts: ["auth.atlassian.com", "auth.atlassian.com", "api.atlassian.com"],
        wants: Wants {
            name: "jira",
            scopes: &["read:jira-work", "read:jira-user", "write:jira-work", "offline_access", "read:me"],
            api_path: "/ex/jira/11223344-a1b2-3b33-c444-def123456789/rest",
            ..ATLASSIAN
        },
    },
    Record {
        hosts: ["cloud.digitalocean.com", "cloud.digitalocean.com", "api.digitalocean.com"],
        wants: Wants {
            name: "digitalocean",
            authorize: "/v1/oauth/authorize",
            token: "/v1/oauth/token",
            pkce: Pkce::Optional,
            scopes: &["read", "write"],
            answer: r#"{"access_token":"$access","expires_in":$in,"refresh_token":"$refresh","scope":"$scope","token_type":"bearer","info":{"name":"Alice","email":"$name","uuid":"$id"}}"#,
            lifetime: Some(2_592_000),
            revoke: Some(Revoke::at("/v1/oauth/revoke")),
            who: Who::Answer,
            api_path: "/v2",
            ..P
        },
    },
    Record {
        hosts: ["discord.com", "discord.com", "discord.com"],
        wants: Wants {
            name: "discord",
            authorize: "/oauth2/authorize",
            token: "/api/oauth2/token",
            client: Client::Basic,
            scopes: &["identify", "guilds", "connections"],
            must: &["identify"],
            asks: &[("prompt", "consent")],
            lifetime: Some(604_800),
            revoke: Some(Revoke::at("/api/oauth2/token/revoke")),
            who: Who::Userinfo("/api/v10/users/@me", r#"{"id":"$id","username":"alice"}"#),
            api_path: "/api/v10",
            ..P
        },
    },
    Record {
        hosts: ["account-d.docusign.com", "account-d.docusign.com", "account-d.docusign.com"],
        wants: Wants {
            name: "docusign",
            authorize: "/oauth/auth",
            token: "/oauth/token",
            client: Client::Basic,
            scopes: &["signature", "extended"],
            must: &["signature", "extended"],
            lifetime: Some(28800),
            who: Who::Userinfo(
                "/oauth/userinfo",
                r#"{"sub":"$id","name":"Alice","email":"$name","accounts":[{"account_id":"a1","is_default":true,"base_uri":"$origin"}]}"#,
            ),
            api: Place::Named,
            api_path: "/restapi",
            ..P
        },
    },
    Record {
        hosts: ["www.dropbox.com", "api.dropboxapi.com", "content.dropboxapi.com"],
        wants: Wants {
            name: "dropbox",
            authorize: "/oauth2/authorize",
            token: "/oauth2/token",
            scopes: &["files.metadata.read", "files.content.read", "files.content.write", "sharing.read"],
            asks: &[("token_access_type", "offline")],
            answer: r#"{"access_token":"$access","expires_in":$in,"token_type":"bearer","scope":"$scope","refresh_token":"$refresh","account_id":"dbid:$id","uid":"12345"}"#,
            lifetime: Some(14400),
            refresh: Refresh::SILENT,
            revoke: Some(Revoke { proof: Proof::Bearer, takes: Takes::Access, ..Revoke::at("/2/auth/token/revoke") }),
            who: Who::Answer,
            api_path: "/2",
            ..P
        },
    },
    Record {
        hosts: ["", "", ""],
        wants: Wants {
            name: "entra",
            authorize: "/9188040d-6c67-4c5b-b112-36a304b66dad/oauth2/v2.0/authorize",
            token: "/9188040d-6c67-4c5b-b112-36a304b66dad/oauth2/v2.0/token",
            issuer: Some("/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
            scopes: &["openid", "offline_access", "api://acme/read"],
            must: &["openid", "offline_access", "api://acme/read"],
            answer: r#"{"token_type":"Bearer","scope":"api://acme/read","expires_in":$in,"ext_expires_in":$in,"access_token":"$access","refresh_token":"$refresh","id_token":"$idtoken"}"#,
            lifetime: Some(4500),
            refresh: Refresh::ROLLING,
            ..P
        },
    },
    Record {
        hosts: ["www.facebook.com", "graph.facebook.com", "graph.facebook.com"],
        wants: Wants {
            name: "facebook",
            authorize: "/v22.0/dialog/oauth",
            token: "/v22.0/oauth/access_token",
            pkce: Pkce::Optional,
            separator: ',',
            scopes: &["public_profile", "pages_show_list", "pages_read_engagement"],
            answer: r#"{"access_token":"$access","token_type":"bearer","expires_in":$in}"#,
            refusal: r#"{"error":{"message":"no","type":"OAuthException","code":"$code"}}"#,
            lifetime: Some(5_184_000),
            refresh: Refresh {
                rotation: Rotation::Access,
                body: Body::Query,
                grant_type: "fb_exchange_token",
                parameter: "fb_exchange_token",
                ..Refresh::STANDARD
            },
            who: Who::Userinfo("/v22.0/me", r#"{"id":"$id","name":"Alice"}"#),
            api_path: "/v22.0",
            ..P
        },
    },
    Record {
        hosts: ["www.figma.com", "api.figma.com", "api.figma.com"],
        wants: Wants {
            name: "figma",
            authorize: "/oauth",
            token: "/v1/oauth/token",
            client: Client::Basic,
            pkce: Pkce::Optional,
            separator: ',',
            scopes: &["file_content:read", "file_comments:read", "file_comments:write", "current_user:read"],
            must: &["current_user:read"],
            answer: r#"{"user_id":1,"access_token":"$access","token_type":"bearer","refresh_token":"$refresh","expires_in":$in}"#,
            code_lifetime: 30,
            lifetime: Some(7_776_000),
            refresh: Refresh { path: "/v1/oauth/refresh", ..Refresh::SILENT },
            who: Who::Userinfo("/v1/me", r#"{"id":"$id","email":"$name","handle":"alice"}"#),
            api_path: "/v1",
            ..P
        },
    },
];

const ATLASSIAN: Wants = Wants {
    token: "/oauth/token",
    exchange: Body::Json,
    pkce: Pkce::Optional,
    must: &["offline_access", "read:me"],
    asks: &[("audience", "api.atlassian.com"), ("prompt", "consent")],
    void: (403, "invalid_grant"),
    refresh: Refresh::JSON,
    who: Who::Userinfo("/me", r#"{"account_id":"$id","email":"$name","name":"Alice"}"#),
    credential: Credential::Header("authorization", "Bearer "),
    ..P
};
