//! The gateway as a client at the service's OAuth server.

use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::InitError;
use super::look::Look;
use super::plan::{Client, SecretPlan, Server, Service};
use super::talk::{Question, Talk};
use crate::cli::init::InitClient;

pub(super) fn settle(
    talk: &Talk,
    look: Option<&Look>,
    given: &InitClient,
    (service, server, redirect_uri): (&Service, &Server, &str),
) -> Result<Client, InitError> {
    if let (Some(look), Some(endpoint)) = (look, &server.registration)
        && (given.register || wishes_to(talk, given, service)?)
    {
        return registered(look, endpoint, server, redirect_uri);
    }
    if given.register {
        return Err(InitError::Undecided(
            "the server does not say where clients register themselves; register the gateway by hand, and give --client-id".to_owned(),
        ));
    }
    talk.say(&format!(
        "\nRegister the gateway as an OAuth client at {}. It wants this redirect URI, exactly as it stands:",
        service.name
    ));
    talk.say(&format!("\n  {redirect_uri}\n"));
    talk.say("and gives out a client id, and mostly a secret.");
    let question =
        Question { asks: "Client id", flag: "--client-id", given: given.client_id.as_deref(), default: None };
    let id =
        talk.settle(&question, |text| if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) });
    let secret = secret(talk, given);
    let (id, secret) = match (id, secret) {
        (Err(InitError::Missing(mut one)), Err(InitError::Missing(two))) => {
            one.extend(two);
            return Err(InitError::Missing(one));
        }
        (id, secret) => (id?, secret?),
    };
    Ok(Client { id, secret, auth: given.client_auth.clone(), note: None })
}

/// Whether the person would rather not register it by hand.
fn wishes_to(talk: &Talk, given: &InitClient, service: &Service) -> Result<bool, InitError> {
    let said = given.client_id.is_some();
    if said || !talk.is_with_a_person() {
        return Ok(false);
    }
    talk.say(&format!("\n{} lets programs register themselves (RFC 7591).", service.name));
    Ok(talk.agreed("Register the gateway there now?")? == Some(true))
}

fn secret(talk: &Talk, given: &InitClient) -> Result<SecretPlan, InitError> {
    if given.public_client {
        return Ok(SecretPlan::None);
    }
    if let Some(variable) = &given.client_secret_env {
        return Ok(SecretPlan::Variable(variable.clone()));
    }
    match given.client_secret_file.as_deref() {
        Some(path) if path.as_os_str() == "-" => return from_standard_input(),
        Some(path) => return std::path::absolute(path).map(SecretPlan::File).map_err(InitError::Terminal),
        None => {}
    }
    match talk.secret("Client secret, which is not shown (nothing for a client without one)")? {
        Some(text) if text.is_empty() => Ok(SecretPlan::None),
        Some(text) => Ok(SecretPlan::New(text)),
        None => {
            Err(InitError::Missing(vec!["--client-secret-file, --client-secret-env or --public-client".to_owned()]))
        }
    }
}

fn from_standard_input() -> Result<SecretPlan, InitError> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line).map_err(InitError::Terminal)?;
    let text = line.trim();
    if text.is_empty() {
        let problem = "- reads the secret from standard input, and there is none".to_owned();
        return Err(InitError::Flag { flag: "--client-secret-file", problem });
    }
    Ok(SecretPlan::New(Zeroizing::new(text.to_owned())))
}

/// A client that the server makes at once.
fn registered(look: &Look, endpoint: &Url, server: &Server, redirect_uri: &str) -> Result<Client, InitError> {
    let method = method(server.auth_methods.as_deref());
    let wish = json!({
        "client_name": "ATH Gateway",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": method,
    });
    let answer = look.register(endpoint, &wish).map_err(|problem| {
        InitError::Undecided(format!(
            "the gateway was not registered at {endpoint}: {problem}; register it by hand, and give --client-id"
        ))
    })?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = text("client_id").ok_or_else(|| {
        InitError::Undecided(format!(
            "{endpoint} gave out no client id; register the gateway by hand, and give --client-id"
        ))
    })?;
    let method = text("token_endpoint_auth_method").unwrap_or_else(|| method.to_owned());
    let secret = text("client_secret").filter(|_| method != "none").map(Zeroizing::new);
    let auth = match (&secret, method.as_str()) {
        (Some(_), "client_secret_post") => Some("post".to_owned()),
        (Some(_), _) => Some("basic".to_owned()),
        (None, _) => None,
    };
    let ends = answer.get("client_secret_expires_at").and_then(Value::as_u64).filter(|at| *at > 0);
    let note = ends.filter(|_| secret.is_some()).map(|at| {
        format!("The server says that the secret ends {at} seconds after the beginning of 1970; register anew before.")
    });
    Ok(Client { id, secret: secret.map_or(SecretPlan::None, SecretPlan::New), auth, note })
}

/// How the gateway proves itself, of the ways that the server knows; where it says nothing, as RFC 8414 has it.
fn method(known: Option<&[String]>) -> &'static str {
    let Some(known) = known else { return METHODS[0] };
    METHODS.into_iter().find(|method| known.iter().any(|one| one == method)).unwrap_or(METHODS[0])
}

const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "none"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_way_that_the_server_knows() {
        let known = |text: &str| method(Some(&text.split(' ').map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(method(None), "client_secret_basic");
        assert_eq!(known("none client_secret_post"), "client_secret_post");
        assert_eq!(known("none private_key_jwt"), "none");
    }
}
