//! What teaches agents this API (agentskills.io): the plugin's skill, served by the API that it is about.

use axum::response::{IntoResponse, Response};
use http::header;

/// `GET /skill.md`, without a token.
pub(crate) async fn get() -> Response {
    ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], TEXT).into_response()
}

const TEXT: &str = include_str!("../../../deploy/plugin/skills/acme-helpdesk/SKILL.md");

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::testing::Desk;

    /// The calls of the text: method, target and body.
    fn calls() -> Vec<(String, String, String)> {
        let commands = super::TEXT.split('`').filter(|code| {
            code.starts_with("ath fetch --json helpdesk /tickets")
                || code.starts_with("ath fetch --json helpdesk '/tickets")
        });
        commands
            .map(|command| {
                let target = command.split(' ').nth(4).unwrap().trim_matches('\'').to_owned();
                let body = command.split_once("-d '").map_or("", |(_, rest)| rest.trim_end_matches('\'')).to_owned();
                let method = match command.split_once("-X ") {
                    Some((_, rest)) => rest.split(' ').next().unwrap(),
                    None if body.is_empty() => "GET",
                    None => "POST",
                };
                (method.to_owned(), target, body)
            })
            .collect()
    }

    #[tokio::test]
    async fn it_is_served_without_a_token() {
        let answer = Desk::new().get("/skill.md").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "text/markdown; charset=utf-8");
        assert_eq!(answer.text, super::TEXT);
    }

    #[tokio::test]
    async fn every_call_in_it_does_what_it_says() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", "read:tickets write:tickets").await;
        let calls = calls();
        assert_eq!(calls.len(), 7, "{calls:?}");
        for (method, target, body) in calls {
            let answer = desk.api(&method, &target, &token, body.clone()).await;
            assert_eq!(answer.status, if method == "POST" { 201 } else { 200 }, "{method} {target} {}", answer.text);
            let json = answer.json();
            match method.as_str() {
                "GET" if target.contains('?') => assert!(!json["tickets"].as_array().unwrap().is_empty(), "{target}"),
                "GET" => assert!(json["comments"].is_array(), "{json}"),
                _ => {
                    let sent: Value = serde_json::from_str(&body).unwrap();
                    for (name, value) in sent.as_object().unwrap() {
                        let is = if name == "comment" { &json["comments"][0]["text"] } else { &json[name] };
                        assert_eq!(is, value, "{name}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_word_of_the_api_is_in_it() {
        let document: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        for schema in ["Status", "Team", "Priority"] {
            for word in document["components"]["schemas"][schema]["enum"].as_array().unwrap() {
                assert!(super::TEXT.contains(&format!("`{}`", word.as_str().unwrap())), "{word}");
            }
        }
        let sample = super::TEXT.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
        let sample: Value = serde_json::from_str(sample).unwrap();
        let fields =
            |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
        let schemas = &document["components"]["schemas"];
        assert_eq!(fields(&sample), fields(&schemas["Ticket"]["properties"]));
        assert_eq!(fields(&sample["comments"][0]), fields(&schemas["Comment"]["properties"]));
        for field in document["components"]["schemas"]["NewTicket"]["properties"].as_object().unwrap().keys() {
            assert!(super::TEXT.contains(field), "{field}");
        }
    }
}
