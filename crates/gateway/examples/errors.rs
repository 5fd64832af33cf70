//! Prints docs/errors.md: what clients are told that are refused, from the tables that tell them.

use std::collections::HashSet;
use std::fmt::Write as _;

use api::Refusal;
use console::PageRow;
use protocol::{Act, ErrorCode, Problem};
use proxy::{ProxyError, Row};

#[path = "../src/trouble.rs"]
mod trouble;

fn main() {
    print!("{}", page());
}

fn page() -> String {
    let mut text = String::from(HEAD);
    codes(&mut text);
    text.push_str(CALLS);
    table(&mut text, ProxyError::rows().iter().map(call));
    text.push_str(ENDPOINTS);
    table(&mut text, Refusal::rows().iter().map(endpoint));
    text.push_str(OAUTH);
    table(&mut text, issuer::Refusal::rows().iter().map(oauth));
    text.push_str(PAGES);
    table(&mut text, PageRow::all().iter().map(shown));
    text.push_str(STARTS);
    for told in trouble::LIST.iter().map(|told| told.trouble.told()) {
        line(&mut text, &[&format!("`{}`", told.code), &told.exit.to_string(), told.means, told.remedy]);
    }
    text
}

/// The closed list.
fn codes(text: &mut String) {
    for problem in Problem::ALL {
        let repeated = if problem.is_retryable() { "yes" } else { "no" };
        let act = match problem.act() {
            Act::Client => "the client",
            Act::Person => "the person",
            Act::Operator => "the operator",
        };
        let (code, status, sentence) = (problem.as_str(), problem.status(), problem.sentence());
        line(text, &[&format!("`{code}`"), &status.to_string(), repeated, act, sentence]);
    }
}

/// A row with the reasons that have the same words, which are what makes it another row.
struct Told {
    /// What stands before the reason, and behind it.
    cells: (String, String),
    reason: &'static str,
}

fn call(row: &Row) -> Told {
    let todo = if row.plain_hint() == row.hint {
        row.hint.to_owned()
    } else {
        format!("{} At `/ath/proxy`: {}", row.plain_hint(), row.hint)
    };
    let before = format!("{} | `{}` | `{}`", row.status.as_u16(), row.problem.as_str(), written(row.code));
    Told { cells: (before, format!("{} | {todo}", row.message)), reason: row.reason }
}

fn endpoint(row: &Refusal) -> Told {
    let before = format!("{} | `{}`", row.status().as_u16(), written(row.code()));
    Told { cells: (before, format!("{} | {}", row.message(), row.hint())), reason: row.reason() }
}

fn oauth(row: &issuer::Refusal) -> Told {
    let before = format!("{} | `{}`", row.status().as_u16(), row.error());
    Told { cells: (before, row.description().to_owned()), reason: row.reason() }
}

fn shown(row: &PageRow) -> Told {
    let before = format!("{} | `{}`", row.status.as_u16(), written(row.code));
    Told { cells: (before, format!("**{}.** {} | {}", row.title, row.message, row.hint)), reason: row.reason }
}

/// One line for all reasons with the same words, where the first of them stands.
fn table(text: &mut String, rows: impl Iterator<Item = Told>) {
    let rows: Vec<Told> = rows.collect();
    let mut written = HashSet::new();
    for row in &rows {
        if !written.insert(&row.cells) {
            continue;
        }
        let mut reasons: Vec<String> = Vec::new();
        for alike in rows.iter().filter(|alike| alike.cells == row.cells) {
            let reason = format!("`{}`", alike.reason);
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        line(text, &[&row.cells.0, &reasons.join(", "), &row.cells.1]);
    }
}

fn line(text: &mut String, cells: &[&str]) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// As a client reads it.
fn written(code: ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default()
}

const HEAD: &str = "\
# What refusals say

Every refusal that a client of the gateway can meet, and every reason for which a gateway does not start, with what to do. The page is made of the tables that the gateway itself answers from, by
`cargo run -q -p gateway --example errors > docs/errors.md`; a test fails where it differs.

| where | form |
|---|---|
| a provider's own path (`path_prefix`) or host (`host`) | `application/problem+json` (RFC 9457), below |
| `/ath/proxy/{provider}` and ATH's endpoints | ATH 0.1: `{\"code\", \"message\", \"details\": {\"reason\", \"hint\", …}}` |
| OAuth's endpoints, `/oauth/…` | RFC 6749 §5.2: `error`, `error_description`; and `reason` |
| a program's own endpoints, `/ath/my/…` | `application/problem+json`, with the codes below ([programs.md](programs.md)) |
| pages | HTML for people; at `/ath/callback` ATH's form for whoever does not accept HTML |
| gRPC calls | `grpc-status` and `grpc-message`; ATH's form in base64 in `ath-error-bin` ([protocols.md](protocols.md)) |

A request that could not even be read, or is for a host that is none of the gateway's, is answered in ATH's form: it is nobody's entrance.
What is not listed here came from the service itself; such an answer has no `code` of these and passes as it is. Whoever must not take a service's word
for the gateway's looks at the header: every refusal of a call says `ath-gateway-refusal` and the code, which is taken out of services' answers.

## At a provider's own path or host

```json
{\"type\": \"https://gateway.example.com/errors#connect_required\", \"title\": \"The person has to connect the service again\", \"status\": 502,
 \"detail\": \"The person has to sign in at the provider again. Do not repeat the call. Hand connect_url to the person; …\",
 \"code\": \"connect_required\", \"reason\": \"reconnect_required\", \"hint\": \"Do not repeat the call. …\", \"retryable\": false,
 \"request_id\": \"0123456789abcdef\", \"connect_url\": \"https://gateway.example.com/ath/reconnect/ATeZ8_…\"}
```

| member | what |
|---|---|
| `type` | the gateway's page about the code, for people; programs compare `code`, which is the same at every gateway |
| `title` | the code in a few words |
| `status` | the HTTP status |
| `detail` | what is wrong, and what to do: for people |
| `code` | one of the list below, which is closed |
| `reason` | finer, for whoever looks for a fault; more of them may come |
| `hint` | what to do, alone |
| `retryable` | whether the same call may succeed later without anybody having done anything; `Retry-After` says when, where that is known |
| `request_id` | the request's name in the gateway's logs |
| `connect_url` | with `connect_required`: the link for the person |
| `wanted_scopes` | with `insufficient_scope`: the scopes that allow the operation, of which one is enough |

[problem.schema.json](problem.schema.json) has all that as a JSON Schema.

401 and 403 say in `WWW-Authenticate` where a token is to be had: `resource_metadata` is the entrance's metadata (RFC 9728), `scope` what to ask for.
`error=\"invalid_token\"` stands there where a token was presented, `error=\"insufficient_scope\"` where another scope, or a token for this very
service, would help. Where nothing that a client can ask for would help, there is no `error`: asking again would end in the same refusal.
What an API itself says in `WWW-Authenticate` is never handed on, nor what lies at its `/.well-known/oauth-protected-resource`,
`/.well-known/oauth-authorization-server` and `/.well-known/openid-configuration`: a client would begin to look for a token at the service's own server,
past the gateway. The body of its 401 passes, after the one renewal that it causes ([connections.md](connections.md)).

| code | status | same call again | whose act it takes | what it means |
|---|---|---|---|---|
";

const CALLS: &str = "
## Calls to a service

The code is the one of a provider's own path or host; ATH's code is that of `/ath/proxy`. Where a provider's OAuth server fails, the reason is a word for what it did
or said, of which these are some; [connections.md](connections.md) explains them.

| status | code | ATH's code | reason | what is wrong | what to do |
|---|---|---|---|---|---|
";

const ENDPOINTS: &str = "
## ATH's endpoints, and the operators'

| status | code | reason | what is wrong | what to do |
|---|---|---|---|---|
";

const OAUTH: &str = "
## OAuth's endpoints

What the authorization endpoint refuses goes to the client's redirect URI, as `error`, `error_description` and `iss`; where the client or its redirect URI is at fault, to a page.
`reason` is a member of the gateway's own; `connect_url` stands beside it where a person has to act. The names of parameters, fields and scopes are examples: the
refusal names the one that is meant.

| status | `error` | reason | `error_description` |
|---|---|---|---|
";

const PAGES: &str = "
## Pages

People read the words. A program at `/ath/callback` gets code and reason, with the status that ATH binds to the code.

| status | code | reason | what the page says | what to do |
|---|---|---|---|---|
";

const STARTS: &str = "
## A gateway that does not start

The last line of its log says `the gateway cannot run`, with `code`, what happened here (`error`), what that means and `remedy`. `ath-gateway doctor` finds most of it before
a start ([operations.md](operations.md#before-it-is-started)).

| code | exit | what is wrong | what to do |
|---|---|---|---|
";

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_the_documentation_is_this_one() {
        let written = include_str!("../../../docs/errors.md");
        let command = "cargo run -q -p gateway --example errors > docs/errors.md";
        assert!(written == super::page(), "docs/errors.md is not what the tables say; `{command}` writes it anew");
    }

    #[test]
    fn the_schema_knows_every_code() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../docs/problem.schema.json")).expect("a schema");
        let codes: Vec<&str> = protocol::Problem::ALL.into_iter().map(protocol::Problem::as_str).collect();
        assert_eq!(schema["properties"]["code"]["enum"], serde_json::json!(codes));
    }

    /// What stands in a row would end it.
    #[test]
    fn no_cell_has_a_bar_in_it() {
        for line in super::page().lines().filter(|line| line.starts_with("| ")) {
            let bars = line.matches(" | ").count();
            assert!((1..=5).contains(&bars) && line.matches('|').count() == bars + 2, "{line}");
        }
    }
}
