//! What agents may ask for: the service's scopes, and which calls each allows.

use policy::Rule;
use protocol::Scope;

use super::InitError;
use super::calls::{READING, SEPARATORS, WRITING, usual};
use super::plan::{Kind, KnownBy, ScopePlan, Service};
use super::talk::{Question, Talk};
use crate::cli::init::InitScopes;

/// `known`: what the server says there is.
pub(super) fn settle(
    talk: &Talk,
    given: &InitScopes,
    service: &Service,
    known: Option<&[String]>,
) -> Result<Vec<ScopePlan>, InitError> {
    let (says, allow) = (pairs(&given.says, "--says", given)?, pairs(&given.allow, "--allow", given)?);
    let mcp = matches!(service.kind, Kind::Mcp(_));
    if let (Some(preset), true) = (service.kind.preset(), given.scope.is_empty())
        && catalogue::find(preset).is_ok_and(|preset| preset.template().contains_key("scopes"))
    {
        return Ok(Vec::new());
    }
    let mut named: Vec<(String, KnownBy)> = Vec::new();
    if given.scope.is_empty() && mcp {
        named.push(("use".to_owned(), KnownBy::TheGateway));
    } else if given.scope.is_empty() {
        named = asked(talk, known.unwrap_or_default())?;
    } else {
        for name in &given.scope {
            let name = scope(name).map_err(|problem| InitError::Flag { flag: "--scope", problem })?;
            named.push((name, if mcp { KnownBy::TheGateway } else { KnownBy::TheService }));
        }
    }
    talk.say("\nWhat each scope lets agents do, and by which calls: a method and a path below the API's base, where * is one segment and ** the rest.");
    let mut plans = Vec::new();
    for (name, known) in named {
        let of = |pairs: &[(String, String)]| -> Vec<String> {
            pairs.iter().filter(|(scope, _)| *scope == name).map(|(_, text)| text.clone()).collect()
        };
        let (said, allowed) = (of(&says).pop(), of(&allow));
        plans.push(one(talk, &name, (said, allowed), (known, service))?);
    }
    Ok(plans)
}

fn one(
    talk: &Talk,
    name: &str,
    (said, allowed): (Option<String>, Vec<String>),
    (known, service): (KnownBy, &Service),
) -> Result<ScopePlan, InitError> {
    let mcp = matches!(service.kind, Kind::Mcp(_));
    let sentence = sentence(name, mcp);
    let asks = format!("{name} lets an agent");
    let question = Question { asks: &asks, flag: "--says", given: said.as_deref(), default: Some(&sentence) };
    let says =
        talk.settle(&question, |text| if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) })?;
    let usual = if mcp { "*".to_owned() } else { usual(name, &service.described).join(", ") };
    let given = (!allowed.is_empty()).then(|| allowed.join(", "));
    let asks = if mcp { format!("{name} allows the tools") } else { format!("{name} allows") };
    let question = Question { asks: &asks, flag: "--allow", given: given.as_deref(), default: Some(&usual) };
    let allow = talk.settle(&question, |text| if mcp { tools(text) } else { calls(text) })?;
    Ok(ScopePlan { name: name.to_owned(), says, allow, known })
}

/// Those of the service that the person wants agents to have.
fn asked(talk: &Talk, known: &[String]) -> Result<Vec<(String, KnownBy)>, InitError> {
    let offered: Vec<&str> = known
        .iter()
        .map(String::as_str)
        .filter(|name| !ABOUT_PEOPLE.contains(name) && Scope::parse(name).is_ok())
        .collect();
    let list = offered.join(" ");
    let asks = if offered.is_empty() {
        "\nWhich scopes does the service have, as its documentation calls them? With spaces between; nothing if it has none"
    } else {
        "\nWhich of its scopes may agents ask for? With spaces between"
    };
    let question = Question { asks, flag: "--scope", given: None, default: Some(&list) };
    let names = talk.settle(&question, |text| text.split_whitespace().map(scope).collect::<Result<Vec<_>, _>>())?;
    if names.is_empty() {
        return Ok(["read", "write"].map(|name| (name.to_owned(), KnownBy::TheGateway)).into());
    }
    Ok(names.into_iter().map(|name| (name, KnownBy::TheService)).collect())
}

fn scope(text: &str) -> Result<String, String> {
    Scope::parse(text).map(|scope| scope.as_str().to_owned()).map_err(|error| format!("is no scope: {error}"))
}

fn calls(text: &str) -> Result<Vec<String>, String> {
    let rules: Vec<String> = listed(text);
    if let Some((rule, error)) = rules.iter().find_map(|rule| Some((rule, Rule::parse(rule).err()?))) {
        return Err(format!("has {rule:?}, which is no call: {error}; write it as in GET /tickets/*"));
    }
    if rules.is_empty() { Err("names no call; write one such as GET /tickets".to_owned()) } else { Ok(rules) }
}

fn tools(text: &str) -> Result<Vec<String>, String> {
    let tools = listed(text);
    if tools.is_empty() { Err("names no tool; write * for all".to_owned()) } else { Ok(tools) }
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// What stands before the first `=` is a scope that is given, too; scopes hold none that is not theirs.
fn pairs(texts: &[String], flag: &'static str, given: &InitScopes) -> Result<Vec<(String, String)>, InitError> {
    let pair = |text: &String| {
        let scope = given
            .scope
            .iter()
            .find(|scope| text.strip_prefix(scope.as_str()).is_some_and(|rest| rest.starts_with('=')));
        let scope = scope.ok_or_else(|| {
            let problem = format!("{text:?} begins with none of the scopes that --scope names, and a =");
            InitError::Flag { flag, problem }
        })?;
        Ok((scope.clone(), text.get(scope.len() + 1..).unwrap_or_default().to_owned()))
    };
    texts.iter().map(pair).collect()
}

/// `read:tickets` is to read tickets.
fn sentence(name: &str, mcp: bool) -> String {
    if mcp && name == "use" {
        return "Use its tools".to_owned();
    }
    if let Some((_, says)) = OWN.iter().find(|(own, _)| *own == name) {
        return (*says).to_owned();
    }
    let words: Vec<&str> = name.split(SEPARATORS).filter(|word| !word.is_empty()).collect();
    let verb = words.iter().position(|word| READING.contains(word) || WRITING.contains(word));
    match verb {
        Some(at) if words.len() > 1 => {
            let mut rest = words.clone();
            let verb = rest.remove(at);
            format!("{} {}", capital(verb), rest.join(" "))
        }
        _ => format!("Use {name}"),
    }
}

fn capital(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if let Some(first) = letters.first_mut() {
        first.make_ascii_uppercase();
    }
    letters.into_iter().collect()
}

const OWN: [(&str, &str); 2] = [("read", "See what you have there"), ("write", "Change what you have there")];
/// They say who somebody is, or how long something lasts, and allow no call.
const ABOUT_PEOPLE: &[&str] = &["openid", "profile", "email", "address", "phone", "offline_access", "offline"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_it_is_for() {
        for (name, says, calls) in [
            ("read:tickets", "Read tickets", "GET /**"),
            ("api:read", "Read api", "GET /**"),
            ("tickets.write", "Write tickets", "POST /**, PUT /**, PATCH /**, DELETE /**"),
            ("read", "See what you have there", "GET /**"),
            ("write", "Change what you have there", "POST /**, PUT /**, PATCH /**, DELETE /**"),
            ("repo", "Use repo", "GET /**"),
        ] {
            assert_eq!((sentence(name, false).as_str(), usual(name, &[]).join(", ").as_str()), (says, calls), "{name}");
            assert!(super::calls(calls).is_ok(), "{calls}");
        }
    }

    #[test]
    fn calls_are_separated_by_commas() {
        assert_eq!(calls("GET /a, POST /a/*").expect("calls"), ["GET /a", "POST /a/*"]);
        for text in ["", ",", "/a", "GET a", "GET https://a.b/c"] {
            assert!(calls(text).is_err(), "{text}");
        }
    }
}
