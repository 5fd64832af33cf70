//! The service that agents are to use: which one, and what it is called.

use catalogue::{Form, Preset};
use oauth::{Endpoint, Plaintext};
use protocol::ProviderId;
use url::Url;

use super::InitError;
use super::calls;
use super::look::Look;
use super::plan::{Kind, Plain, Service};
use super::talk::{Question, Talk};
use crate::cli::init::InitService;
use crate::config::{is_loopback, meant};

pub(super) fn settle(
    talk: &Talk,
    look: Option<&Look>,
    given: &InitService,
    public_url: &Url,
) -> Result<Service, InitError> {
    let kind = kind(talk, given)?;
    let guess = guess(&kind);
    let id = talk.settle(
        &Question {
            asks: "A short name for it, which stands in paths",
            flag: "--id",
            given: given.id.as_deref(),
            default: Some(&guess),
        },
        |text| ProviderId::parse(text).map(|id| id.to_string()).map_err(|error| format!("is no id: {error}")),
    )?;
    let titled = title(&kind, &id);
    let name = talk.settle(
        &Question { asks: "What people call it", flag: "--name", given: given.name.as_deref(), default: Some(&titled) },
        |text| if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) },
    )?;
    let plaintext = plaintext(talk, given, &kind, public_url)?;
    let (openapi, described) = openapi(talk, look, given, &kind)?;
    let ca_file = given.ca_file.as_deref().map(std::path::absolute).transpose().map_err(InitError::Terminal)?;
    Ok(Service { id, name, kind, openapi, described, ca_file, plaintext })
}

/// A URL as people paste it.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let endpoint = Endpoint::parse(text, Plaintext::Allowed)
        .map_err(|error| format!("{error}; write it as in https://api.example.com"))?;
    Ok(endpoint.url().clone())
}

fn kind(talk: &Talk, given: &InitService) -> Result<Kind, InitError> {
    let api = given.api.as_deref().map(|text| told(text, "--api")).transpose()?;
    if let Some(name) = &given.preset {
        return preset(talk, given, name, api);
    }
    if let Some(mcp) = &given.mcp {
        return Ok(Kind::Mcp(told(mcp, "--mcp")?));
    }
    if let Some(api) = api {
        return Ok(Kind::Api(api));
    }
    talk.say(
        "\nWhat are agents to use? The base URL of an API, the URL of an MCP server, or the name of a service that the",
    );
    talk.say("gateway knows, such as github or google (`ath-gateway providers list` has them all).");
    let question = Question { asks: "Service", flag: "--api, --mcp or --preset", given: None, default: None };
    let answer = talk.settle(&question, |text| {
        if text.contains("://") {
            return url(text).map(Answer::Url);
        }
        catalogue::find(text).map(|preset| Answer::Preset(preset.name())).map_err(|_| unknown(text))
    })?;
    match answer {
        Answer::Preset(name) => preset(talk, given, name, None),
        Answer::Url(url) => {
            let looks = url.path().trim_end_matches('/').ends_with("/mcp");
            if looks && talk.agreed("Is that an MCP server?")? == Some(true) {
                return Ok(Kind::Mcp(url));
            }
            Ok(Kind::Api(url))
        }
    }
}

enum Answer {
    Preset(&'static str),
    Url(Url),
}

fn told(text: &str, flag: &'static str) -> Result<Url, InitError> {
    url(text).map_err(|problem| InitError::Flag { flag, problem })
}

fn unknown(name: &str) -> String {
    let remedy = meant(name).map_or_else(
        || "write a whole URL, or one of `ath-gateway providers list`".to_owned(),
        |meant| format!("did you mean {meant}?"),
    );
    format!("is no service that the gateway knows; {remedy}")
}

fn preset(talk: &Talk, given: &InitService, name: &str, api: Option<Url>) -> Result<Kind, InitError> {
    let preset = catalogue::find(name)
        .map_err(|_| InitError::Flag { flag: "--preset", problem: format!("{name} {}", unknown(name)) })?;
    let about = preset.about();
    talk.say(&format!("\n{}: {}", about.title, about.documentation));
    for note in &about.notes {
        talk.say(&format!("  - {note}"));
    }
    let values = values(talk, given, &preset)?;
    let api = match (api, preset.template().contains_key("api_base")) {
        (None, false) => {
            let question = Question { asks: "The base URL of its API", flag: "--api", given: None, default: None };
            Some(talk.settle(&question, url)?)
        }
        (api, _) => api,
    };
    Ok(Kind::Preset { name: preset.name().to_owned(), values, api })
}

fn values(talk: &Talk, given: &InitService, preset: &Preset) -> Result<Vec<(String, String)>, InitError> {
    let pairs: Vec<(&str, &str)> = given.value.iter().filter_map(|pair| pair.split_once('=')).collect();
    let known = |name: &str| preset.values().iter().any(|value| value.name() == name);
    if let Some(stray) = given.value.iter().find(|pair| !known(pair.split_once('=').unwrap_or_default().0)) {
        let names: Vec<&str> = preset.values().iter().map(catalogue::Value::name).collect();
        let problem = format!("{stray:?} is none of its values, as in name=value; it has: {}", names.join(", "));
        return Err(InitError::Flag { flag: "--value", problem });
    }
    let mut values = Vec::new();
    for value in preset.values() {
        let asks = format!("{} Such as {:?}", value.says(), value.example());
        let told = pairs.iter().find(|(name, _)| *name == value.name()).map(|(_, text)| *text);
        let question = Question { asks: &asks, flag: "--value", given: told, default: value.default() };
        let text = talk.settle(&question, |text| formed(value.form(), text)).map_err(|error| match error {
            InitError::Missing(_) => InitError::Missing(vec![format!("--value {}=...", value.name())]),
            error => error,
        })?;
        if Some(text.as_str()) != value.default() {
            values.push((value.name().to_owned(), text));
        }
    }
    Ok(values)
}

fn formed(form: &Form, text: &str) -> Result<String, String> {
    match form.check(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => match form.mended(text) {
            Some((slip, mended)) => Err(format!("{slip}; write {mended}")),
            None => Err(error.to_string()),
        },
    }
}

/// A name from the host, without what all hosts have.
fn guess(kind: &Kind) -> String {
    let host = match kind {
        Kind::Preset { name, .. } => return name.clone(),
        Kind::Api(url) | Kind::Mcp(url) => url.host_str().unwrap_or_default().to_ascii_lowercase(),
    };
    let is_name = host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[');
    let labels = host.split('.').filter(|label| is_name && !COMMON.contains(label));
    let mut found = labels.filter(|label| ProviderId::parse(label).is_ok());
    found.next().unwrap_or("service").to_owned()
}

fn title(kind: &Kind, id: &str) -> String {
    let named = kind.preset().and_then(|name| catalogue::find(name).ok());
    let display = named.as_ref().and_then(|preset| preset.template().get("display_name")?.get_ref().as_str());
    if let Some(display) = display {
        return display.to_owned();
    }
    let mut letters = id.replace(['-', '_'], " ").chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        first.make_ascii_uppercase();
    }
    letters.into_iter().collect()
}

/// What the file allows on loopback needs no word; anything else in http needs the operator's.
fn plaintext(talk: &Talk, given: &InitService, kind: &Kind, public_url: &Url) -> Result<Plain, InitError> {
    if given.allow_plaintext {
        return Ok(Plain::Yes);
    }
    let Some(url) = kind.url().filter(|url| url.scheme() == "http") else { return Ok(Plain::No) };
    if is_loopback(url) && is_loopback(public_url) {
        return Ok(Plain::No);
    }
    talk.say(&format!(
        "\n{url} is http: whoever is on the way there reads what agents and people send, and their tokens."
    ));
    match talk.agreed("Use it all the same?")? {
        Some(true) => Ok(Plain::Yes),
        _ => Err(InitError::Flag {
            flag: "--api",
            problem: format!("{url} is http, by which tokens travel unprotected; use https, or add --allow-plaintext"),
        }),
    }
}

/// Where it describes itself, and the calls that are described there.
fn openapi(
    talk: &Talk,
    look: Option<&Look>,
    given: &InitService,
    kind: &Kind,
) -> Result<(Option<Url>, Vec<String>), InitError> {
    let told = given.openapi.as_deref().map(|text| told(text, "--openapi")).transpose()?;
    let (Some(look), Kind::Api(api)) = (look, kind) else { return Ok((told, Vec::new())) };
    let base_path = api.path().trim_end_matches('/');
    let mut beside = api.clone();
    beside.set_path(&format!("{base_path}/openapi.json"));
    let place = told.clone().unwrap_or(beside);
    let Some(operations) = look.described(&place, base_path) else { return Ok((told, Vec::new())) };
    talk.say(&format!("It describes itself at {place}: {} operations, which agents can search.", operations.len()));
    Ok((Some(place), operations.iter().filter_map(calls::rule).collect()))
}

/// What stands before a service's own name.
const COMMON: &[&str] = &["api", "www", "mcp", "rest", "localhost", "com", "org", "net", "io", "dev", "app"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gives_a_name() {
        for (url, name) in [
            ("https://helpdesk.internal", "helpdesk"),
            ("https://api.acme.com/v2", "acme"),
            ("https://mcp.linear.app/mcp", "linear"),
            ("http://localhost:4181", "service"),
            ("http://127.0.0.1:4181", "service"),
            ("http://[::1]:4181", "service"),
        ] {
            assert_eq!(guess(&Kind::Api(Url::parse(url).expect("a URL"))), name, "{url}");
        }
        assert_eq!(title(&Kind::Api(Url::parse("https://a.b").expect("a URL")), "acme-desk"), "Acme desk");
    }
}
