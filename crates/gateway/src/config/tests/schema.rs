use jsonschema::Validator;
use serde_json::Value;

use crate::config::schema;

const EXAMPLE: &str = include_str!("../../../../../gateway.toml.example");
const GITHUB: &str = "[gateway]\npublic_url = \"https://gateway.example.com\"\n[[provider]]\nid = \"git\"\npreset = \"github\"\nclient_id = \"x\"\n";

fn validator() -> Validator {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::draft202012::meta::validate(&schema).expect("a JSON Schema");
    jsonschema::draft202012::new(&schema).expect("a JSON Schema")
}

fn wrong(validator: &Validator, text: &str) -> Vec<String> {
    let value: Value = toml::from_str(text).expect("TOML");
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_example_fits_the_schema() {
    assert_eq!(wrong(&validator(), EXAMPLE), Vec::<String>::new());
    let on: Vec<&str> = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .collect();
    assert_eq!(wrong(&validator(), &on.join("\n")), Vec::<String>::new(), "with every line switched on");
}

#[test]
fn a_preset_brings_what_is_needed_otherwise() {
    let validator = validator();
    assert_eq!(wrong(&validator, GITHUB), Vec::<String>::new());
    let values =
        |preset: &str, values: &str| wrong(&validator, &GITHUB.replace("github\"", &format!("{preset}\"\n{values}")));
    assert_eq!(values("shopify", "values = { shop = \"acme\" }"), Vec::<String>::new());
    assert_eq!(values("gitlab", ""), Vec::<String>::new(), "its value has a default");
    for (preset, written) in [
        ("shopify", ""),
        ("shopify", "values = {}"),
        ("shopify", "values = { shop = \"acme.example/\" }"),
        ("shopify", "values = { shop = \"acme\", shp = \"acme\" }"),
        ("zoho", "values = { dc = \"example\" }"),
        ("github", "values = { base = \"https://x.example\" }"),
        ("githup", ""),
    ] {
        assert_ne!(values(preset, written), Vec::<String>::new(), "{preset} {written}");
    }
}

#[test]
fn what_the_reader_refuses_does_not_fit() {
    let validator = validator();
    for (before, after) in [
        ("[gateway]\n", "[gateway]\nlisten_on = \"x\"\n"),
        ("public_url = \"https://gateway.example.com\"\n", ""),
        ("public_url = \"https://gateway.example.com\"", "public_url = 7"),
        ("client_auth = \"post\"", "client_auth = \"sideways\""),
        ("\nclient_secret = { env = \"HELPDESK_CLIENT_SECRET\" }", "\nclient_secret = \"hunter2\""),
        ("\nclient_secret = { env = \"HELPDESK_CLIENT_SECRET\" }", "\nclient_secret = { env = \"A\", file = \"b\" }"),
        ("\nclient_secret = { env = \"HELPDESK_CLIENT_SECRET\" }", "\nclient_secret = { vault = \"x\" }"),
        ("id = \"helpdesk\"", ""),
        ("api_base = \"https://helpdesk.internal\"", ""),
        ("#workers = 2", "workers = \"two\""),
    ] {
        let text =
            EXAMPLE.replacen(before, after, 1).replace("#client_auth = \"sideways\"", "client_auth = \"sideways\"");
        assert_ne!(text, EXAMPLE, "{before}");
        assert_ne!(wrong(&validator, &text), Vec::<String>::new(), "{after}");
    }
}

#[test]
fn every_key_is_described() {
    fn described(schema: &Value, path: &str) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            let is_way = matches!(name.as_str(), "file" | "env");
            assert!(is_way || property["description"].as_str().is_some_and(|says| says.ends_with('.')), "{path}");
            described(property, &path);
            described(&property["items"], &path);
            described(&property["additionalProperties"], &path);
        }
    }
    described(&schema(), "");
}
