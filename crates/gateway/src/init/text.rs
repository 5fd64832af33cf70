//! The file itself.

use std::fmt::Write as _;
use std::path::Path;

use url::Url;

use super::calls::is_wide;
use super::plan::{
    Client, Endpoints, Found, Kind, KnownBy, PkcePlan, Plain, Plan, ScopePlan, SecretPlan, SendsIss, Server, Way,
};
use crate::config::{is_loopback, path_prefix};

/// The plan as a configuration; `secret` is where a new secret will lie.
pub(super) fn of(plan: &Plan, redirect_uri: &str, secret: &Path) -> String {
    let mut file = Text(String::from(HEAD));
    gateway(&mut file, plan);
    provider(&mut file, plan);
    match &plan.way {
        Way::OAuth { server, client } => oauth(&mut file, plan, (server, client), (redirect_uri, secret)),
        Way::PersonalKeys => {
            file.table(
                "[provider.key]",
                "There is no OAuth: each person pastes a key of their own, once, on a page of the gateway's.",
            );
            file.key("from", "person");
        }
        Way::Nothing => {}
    }
    scopes(&mut file, plan);
    file.0
}

/// The text so far.
struct Text(String);

impl Text {
    fn table(&mut self, head: &str, says: &str) {
        self.0.push('\n');
        self.comment(says);
        self.line(head);
    }

    fn comment(&mut self, says: &str) {
        let mut line = String::from("#");
        for word in says.split_whitespace() {
            if line.len() + word.len() > WIDTH {
                self.line(&line);
                line = String::from("#");
            }
            // Writing to a string does not fail.
            let _ = write!(line, " {word}");
        }
        if line.len() > 1 {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn key(&mut self, name: &str, value: &str) {
        self.line(&format!("{name} = {}", quoted(value)));
    }

    fn list(&mut self, name: &str, values: &[String]) {
        self.line(&format!("{name} = {}", list(values)));
    }
}

fn gateway(file: &mut Text, plan: &Plan) {
    file.table("[gateway]", "");
    file.comment("Where browsers and agents reach the gateway.");
    file.key("public_url", plan.public_url.as_str().trim_end_matches('/'));
    if !is_loopback(&plan.public_url) {
        file.comment(
            "It speaks plain http there, for the load balancer or proxy in front of it that ends TLS; name that one's network in trusted_proxies, or \
             set tls and let TLS end here.",
        );
    }
    file.key("listen", &plan.listen);
    file.table("[store]", "What the gateway keeps: the records, the audit log, and sealing.key, without which nobody can read the records.");
    file.key("path", &plan.place.data().display().to_string());
    if is_loopback(&plan.public_url) {
        file.table("[development]", "Plain http on this machine; refused as soon as public_url is anywhere else.");
        file.line("loopback_http = true");
    }
}

fn provider(file: &mut Text, plan: &Plan) {
    let service = &plan.service;
    file.table("[[provider]]", "");
    file.comment("Names the service in paths and records; never change it.");
    file.key("id", &service.id);
    match &service.kind {
        Kind::Preset { name, values, api } => {
            file.comment(&format!(
                "What the gateway knows of it holds wherever nothing else is written here; `ath-gateway providers show {}` has all of it.",
                service.id
            ));
            file.key("preset", name);
            if !values.is_empty() {
                let values: Vec<String> =
                    values.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
                file.line(&format!("values = {{ {} }}", values.join(", ")));
            }
            if let Some(api) = api {
                file.key("api_base", bare(api));
            }
        }
        Kind::Api(api) => {
            file.comment("The base URL of its API: tokens go there and nowhere else.");
            file.key("api_base", bare(api));
        }
        Kind::Mcp(server) => {
            file.comment(&format!("An MCP server; agents reach it at /{}/mcp of the gateway.", service.id));
            file.key("mcp", server.as_str());
        }
    }
    file.key("display_name", &service.name);
    let prefix = format!("/{}", service.id);
    if path_prefix(&prefix).is_ok() {
        file.comment("Where agents reach it at the gateway.");
        file.key("path_prefix", &prefix);
    }
    if let Some(openapi) = &service.openapi {
        file.comment("What it says of its operations; agents that come by MCP can search them.");
        file.key("openapi", openapi.as_str());
    }
    if let Some(ca_file) = &service.ca_file {
        file.key("ca_file", &ca_file.display().to_string());
    }
    if service.plaintext == Plain::Yes {
        file.comment("Its URLs may be http: whoever is on the way reads its tokens.");
        file.line("allow_plaintext = true");
    }
    if matches!(plan.way, Way::Nothing) {
        file.comment("It asks for no credential.");
        file.key("credential", "none");
    }
}

fn oauth(file: &mut Text, plan: &Plan, (server, client): (&Server, &Client), (redirect_uri, secret): (&str, &Path)) {
    let says = format!("The gateway is a client there, with this redirect URI, exactly as it stands: {redirect_uri}");
    file.table("[provider.oauth]", &says);
    if plan.service.kind.preset().is_none() {
        file.key("callback", "own");
    }
    found(file, &server.found);
    if server.pkce == PkcePlan::None {
        file.comment("It refuses parameters that it does not know.");
        file.key("pkce", "none");
    }
    if !server.further_scopes.is_empty() && plan.service.kind.preset().is_none() {
        file.comment(
            "Every consent asks for these, and agents do not see them: who somebody is, and a token that lasts.",
        );
        file.list("further_scopes", &server.further_scopes);
    }
    file.key("client_id", &client.id);
    if let Some(note) = &client.note {
        file.comment(note);
    }
    let reference = match &client.secret {
        SecretPlan::New(_) => Some(("file", secret.display().to_string())),
        SecretPlan::File(path) => Some(("file", path.display().to_string())),
        SecretPlan::Variable(name) => Some(("env", name.clone())),
        SecretPlan::None => None,
    };
    if let Some((kind, place)) = reference {
        file.line(&format!("client_secret = {{ {kind} = {} }}", quoted(&place)));
    }
    if let Some(auth) = &client.auth {
        file.key("client_auth", auth);
    }
}

fn found(file: &mut Text, found: &Found) {
    match found {
        Found::Elsewhere => {}
        Found::ByWord { servers, hosts } => {
            file.comment("Where people sign in, the MCP server says itself (RFC 9728).");
            if !servers.is_empty() {
                file.list("authorization_servers", servers);
            }
            if !hosts.is_empty() {
                file.list("endpoint_hosts", hosts);
            }
        }
        Found::Issuer { issuer, hosts, endpoints, sends_iss } => {
            file.key("issuer", issuer);
            let mut says = "Its endpoints come from its metadata, which is read once a day.".to_owned();
            if !endpoints.is_empty() {
                says.push_str(" When this was written:");
            }
            file.comment(&says);
            for (name, endpoint) in endpoints {
                file.line(&format!("#   {name} {endpoint}"));
            }
            file.line("discovery = true");
            if !hosts.is_empty() {
                file.list("endpoint_hosts", hosts);
            }
            if *sends_iss == SendsIss::Always {
                file.line("sends_iss = true");
            }
        }
        Found::Endpoints(told) => {
            let Endpoints { authorize, token, userinfo, revoke } = told.as_ref();
            file.key("authorize_endpoint", authorize.as_str());
            file.key("token_endpoint", token.as_str());
            if let Some(userinfo) = userinfo {
                file.key("userinfo_endpoint", userinfo.as_str());
            }
            if let Some(revoke) = revoke {
                file.key("revoke_endpoint", revoke.as_str());
            }
        }
    }
}

fn scopes(file: &mut Text, plan: &Plan) {
    if plan.scopes.is_empty() {
        return;
    }
    let mcp = matches!(plan.service.kind, Kind::Mcp(_));
    let what = if mcp { "which tools each allows" } else { "which calls each allows" };
    let says = format!(
        "What agents may ask for, what people are told of it, and {what}; what no scope allows is not forwarded. Narrow it to what agents need."
    );
    file.table("[provider.scopes]", &says);
    for line in wide(plan) {
        file.comment(&line);
    }
    for scope in &plan.scopes {
        file.line(&line(scope, plan));
    }
}

/// What a reader must not overlook: scopes that keep agents from nothing; and how to narrow them.
pub(super) fn wide(plan: &Plan) -> Vec<String> {
    if matches!(plan.service.kind, Kind::Mcp(_)) {
        let all = plan.scopes.iter().any(|scope| scope.allow.iter().any(|tool| tool == "*"));
        let says = "CAREFUL: * allows every tool of this server. Name those that agents need in its place.";
        return all.then(|| says.to_owned()).into_iter().collect();
    }
    let mut rules: Vec<&str> = plan.scopes.iter().flat_map(|scope| &scope.allow).map(String::as_str).collect();
    rules.retain(|rule| is_wide(rule));
    if rules.is_empty() {
        return Vec::new();
    }
    vec![format!(
        "CAREFUL: {} allow everything that the API has for these methods, for whoever holds the scope. Write the calls that agents need in their \
         place, such as \"GET /tickets\" or \"GET /tickets/*\": * is one segment, ** is the rest.",
        rules.join(", ")
    )]
}

fn line(scope: &ScopePlan, plan: &Plan) -> String {
    let mcp = matches!(plan.service.kind, Kind::Mcp(_));
    let rules = if mcp { "tools" } else { "allow" };
    // The gateway alone knows it: the OAuth server is not asked for it.
    let asks = if scope.known == KnownBy::TheGateway && !mcp && matches!(plan.way, Way::OAuth { .. }) {
        ", asks = []"
    } else {
        ""
    };
    format!("{} = {{ says = {}, {rules} = {}{asks} }}", quoted(&scope.name), quoted(&scope.says), list(&scope.allow))
}

/// Without the slash that an empty path is.
fn bare(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

fn list(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", quoted.join(", "))
}

/// A JSON string is a basic string of TOML, but for one character that TOML wants escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

const WIDTH: usize = 118;
const HEAD: &str = "# The configuration of an ATH Gateway, as `ath-gateway init` wrote it. Change it as you like: `ath-gateway check` finds every slip,\n\
                    # `ath-gateway doctor` asks the service as well, and `ath-gateway schema` has every key that there is.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_a_string_of_toml() {
        for text in ["plain", "a \"b\" \\c", "tab\t line\n", "\u{7f}\u{1}", "\u{e4}\u{1f600}", "'''"] {
            let written = format!("x = {}", quoted(text));
            let read: toml::Table = toml::from_str(&written).expect("TOML");
            assert_eq!(read.get("x").and_then(toml::Value::as_str), Some(text), "{written}");
        }
    }
}
