use protocol::ProviderId;
use serde_json::{Value, json};

use super::super::operation::MethodAndPath;
use super::super::samples::{CLUSTER, PAYMENTS, TICKETS, document, tool};
use super::*;

fn input(text: &str, base: &str, wanted: &str) -> Value {
    Value::Object((**tool(text, base, wanted).expect("a tool").input_schema()).clone())
}

fn refusal(text: &str, base: &str, wanted: &str) -> String {
    tool(text, base, wanted).expect_err("no tool").to_string()
}

#[test]
fn a_tool_has_name_title_description_and_effect() {
    let tool = tool(TICKETS, "/api", "GET /tickets").expect("a tool");
    assert_eq!(tool.name(), "desk_list_tickets");
    assert_eq!(tool.title(), "List tickets");
    assert_eq!(
        tool.description(),
        "List tickets\nThe tickets that you may see, open ones among them.\nRequest: GET /tickets"
    );
    assert_eq!((tool.method(), tool.path(), tool.effect()), (&http::Method::GET, "/tickets", Effect::Read));
    let effect = |wanted: &str| super::super::samples::tool(TICKETS, "/api", wanted).expect("a tool").effect();
    assert_eq!(["DELETE /tickets/{id}", "POST /tickets"].map(effect), [Effect::Replace, Effect::Write]);
}

#[test]
fn parameters_are_properties() {
    assert_eq!(
        input(TICKETS, "/api", "GET /tickets"),
        json!({
            "type": "object",
            "properties": {
                "status": {"type": "string", "enum": ["open", "closed"]},
                "verbose": {"type": "integer", "description": "From the operation"},
            },
            "additionalProperties": false,
        })
    );
    assert_eq!(
        input(TICKETS, "/api", "DELETE /tickets/{ticket}"),
        json!({"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"], "additionalProperties": false})
    );
}

#[test]
fn a_body_is_one_argument() {
    assert_eq!(
        input(TICKETS, "/api", "POST /tickets"),
        json!({
            "type": "object",
            "properties": {
                "verbose": {"type": "boolean", "description": "From the path"},
                "body": {"type": "object", "required": ["title"], "properties": {
                    "title": {"type": "string"},
                    "status": {"type": "string", "enum": ["open", "closed"]},
                    "parent": {"type": "object", "description": "Ticket, as described further up"},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                }},
            },
            "required": ["body"],
            "additionalProperties": false,
        })
    );
    assert_eq!(input(PAYMENTS, "", "GET /v1/customers").pointer("/properties/body"), None);
}

#[test]
fn one_name_in_several_places_is_several_arguments() {
    let input = input(CLUSTER, "", "GET /repos/{owner}/{repo}/contents/{path}");
    let names: Vec<&String> = input["properties"].as_object().expect("properties").keys().collect();
    assert_eq!(names, ["X-Trace", "filter.state", "filter_state", "owner", "path_path", "query_path", "repo", "where"]);
    assert_eq!(input["required"], json!(["owner", "repo", "path_path"]));
    assert_eq!(
        input["properties"]["filter_state"],
        json!({"type": "array", "items": {"enum": ["a", "b"]}, "description": "Sent as `filter[state]` in the query."})
    );
    assert_eq!(input["properties"]["path_path"]["description"], "Sent as `path` in the path.");
}

#[test]
fn older_schemas_become_json_schema_and_references_go() {
    let input = input(CLUSTER, "", "POST /api/v1/namespaces/{namespace}/pods");
    assert_eq!(
        input["properties"]["body"],
        json!({
            "type": "object",
            "description": "A Pod",
            "properties": {
                "metadata": {
                    "type": "object",
                    "default": {},
                    "required": ["name", "uid"],
                    "properties": {"name": {"type": "string"}, "uid": {"type": "string"}},
                },
                "priority": {"type": "integer", "exclusiveMinimum": 0},
            },
        })
    );
}

#[test]
fn every_schema_is_whole_in_itself() {
    for (text, base) in [(TICKETS, "/api"), (PAYMENTS, ""), (CLUSTER, "")] {
        let document = document(text, base);
        let provider = ProviderId::parse("desk").expect("an id");
        let all: Vec<MethodAndPath> = document
            .find("", 100)
            .iter()
            .filter_map(|one| MethodAndPath::parse(&format!("{} {}", one.method, one.path)).ok())
            .collect();
        let tools: Vec<TypedTool> = document.typed(&provider, &all).into_iter().flatten().collect();
        assert!(tools.len() > 2);
        for tool in tools {
            let schema = Value::Object((**tool.input_schema()).clone());
            let written = schema.to_string();
            assert!(!written.contains("$ref") && !written.contains("$defs"), "{written}");
            assert!(jsonschema::draft202012::meta::is_valid(&schema), "{written}");
        }
    }
}

#[test]
fn names_are_stable_and_told_apart() {
    let provider = ProviderId::parse("desk").expect("an id");
    let text = json!({"openapi": "3.1.0", "paths": {
        "/a": {"get": {"operationId": "find"}, "post": {"operationId": "do-it"}, "put": {"operationId": "doIt"}},
    }});
    let document = document(&text.to_string(), "");
    let wanted: Vec<MethodAndPath> =
        ["PUT /a", "POST /a", "GET /a"].iter().map(|text| MethodAndPath::parse(text).expect("one")).collect();
    let names = |wanted: &[MethodAndPath]| -> Vec<String> {
        document.typed(&provider, wanted).into_iter().map(|tool| tool.expect("a tool").name().to_owned()).collect()
    };
    let first = names(&wanted);
    assert_eq!(first[0], "desk_do_it");
    assert!(first[1].starts_with("desk_do_it_") && first[1].len() == "desk_do_it_".len() + 6, "{first:?}");
    assert!(first[2].starts_with("desk_find_"), "{first:?}");
    assert_eq!(names(&wanted), first);
}

#[test]
fn what_cannot_be_a_tool_says_why() {
    assert_eq!(refusal(TICKETS, "/api", "PUT /tickets"), "is not in the document; it has GET /tickets, POST /tickets");
    assert_eq!(
        refusal(TICKETS, "/api", "GET /api/ticket"),
        "is not in the document; it has GET /tickets, GET /tickets/{id}, POST /tickets"
    );
    assert_eq!(
        refusal(PAYMENTS, "", "POST /v1/files"),
        "takes a body that is neither JSON nor a form (multipart/form-data); leave it to the general tools"
    );
    assert_eq!(
        refusal(CLUSTER, "", "GET /broken/{id}"),
        "has a path parameter that the document does not describe: id; mend the document"
    );
    assert_eq!(
        refusal(CLUSTER, "", "GET /matrix/{id}"),
        "has a parameter that cannot be sent: id in path has the style matrix; leave it to the general tools"
    );
    assert_eq!(
        refusal(CLUSTER, "", "GET /cookie"),
        "has a parameter that cannot be sent: id in cookie is a cookie; leave it to the general tools"
    );
    assert_eq!(
        refusal(CLUSTER, "", "POST /elsewhere"),
        "refers to something outside of the document: https://evil.example/x.json; take a document that has everything in it"
    );
    let odd = json!({"openapi": "3.1.0", "paths": {"/a/../b": {"get": {}}}}).to_string();
    assert_eq!(
        refusal(&odd, "", "GET /a/../b"),
        "has a path that is never forwarded: the path has a dot segment; leave it to the general tools, or out"
    );
}
