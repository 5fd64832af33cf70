//! The commands that say what the gateway knows of providers.

use std::process::{Command, Output};

use serde_json::Value;
use tests::binary;

const CANARY: &str = "hunter2-canary";

fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).output().expect("it runs")
}

fn said(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&said(arguments)).expect("JSON")
}

#[test]
fn the_catalogue_is_listed_for_people_and_for_programs() {
    let listed = json(&["providers", "list", "--json"]);
    let presets = listed.as_array().expect("a list");
    assert!(presets.len() >= 48, "{}", presets.len());
    let text = said(&["providers", "list"]);
    for preset in presets {
        for member in ["name", "title", "class"] {
            let word = preset[member].as_str().expect("a word");
            assert!(text.contains(word), "{word}");
        }
        assert!(preset["documentation"].as_str().is_some_and(|url| url.starts_with("https://")), "{preset}");
    }
}

/// What `show` says is to be written is a configuration without a problem, for every preset.
#[test]
fn the_lines_that_are_shown_are_a_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.toml");
    let data = folder.path().join("data");
    for preset in json(&["providers", "list", "--json"]).as_array().expect("a list") {
        let name = preset["name"].as_str().expect("a name");
        let shown = json(&["providers", "show", name, "--json", "--config", "/nowhere/gateway.toml"]);
        let head = format!("[gateway]\npublic_url = \"https://gateway.example.com\"\n[store]\npath = {data:?}\n");
        let lines = shown["lines"].as_str().expect("lines").replace("\"...\"", "\"x\"");
        std::fs::write(&path, format!("{head}{lines}")).expect("written");
        let variable = format!("{}_CLIENT_SECRET", name.to_ascii_uppercase().replace('-', "_"));
        let checked = Command::new(binary())
            .args(["check", "--config", path.to_str().expect("text")])
            .env(variable, "secret")
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success() && said.is_empty(), "{name}: {said}");
        let redirect_uri = format!("https://gateway.example.com/ath/callback/{name}");
        assert!(String::from_utf8_lossy(&checked.stdout).contains(&redirect_uri), "{name}");
    }
}

#[test]
fn a_configured_provider_is_shown_with_what_holds_and_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gateway.toml");
    let config = path.to_str().expect("text");
    let text = format!(
        "[gateway]\npublic_url = \"https://gateway.example.com\"\n[[provider]]\nid = \"code\"\npreset = \"gitlab\"\n\
         values = {{ base = \"https://git.example.com\" }}\nclient_id = \"x\"\nclient_secret = {{ env = \"SECRET\" }}\n\
         without = \"oauth.revoke_endpoint\"\nheaders = {{ X-Team = \"blue\" }}\ncredential = {{ header = \"X-Gate\" }}\n[provider.oauth]\ntoken_headers = {{ X-Key = \"{CANARY}\" }}\n\
         token_parameters = {{ pin = \"{CANARY}\" }}\n"
    );
    std::fs::write(&path, &text).expect("written");
    let shown = said(&["providers", "show", "code", "--config", config]);
    assert!(shown.contains("+ oauth.token_endpoint = \"https://git.example.com/oauth/token\""), "{shown}");
    assert!(shown.contains("  oauth.client_secret = { env = \"SECRET\" }"), "{shown}");
    assert!(
        shown.contains("  headers.X-Team = \"blue\"") && shown.contains("  credential.header = \"X-Gate\""),
        "{shown}"
    );
    assert!(shown.starts_with(&format!("code: the provider of {config}, by the preset gitlab\n")), "{shown}");
    assert!(!shown.contains("revoke_endpoint =") && !shown.contains(CANARY), "{shown}");
    let wrong = text.replace("{ env = \"SECRET\" }", &format!("\"{CANARY}\""));
    std::fs::write(&path, wrong).expect("written");
    for arguments in [["providers", "show", "code", "--config", config].as_slice(), &["check", "--config", config]] {
        let output = run(arguments);
        let all = [output.stdout, output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains(CANARY), "{arguments:?}");
    }
}

#[test]
fn what_is_neither_is_refused() {
    let output = run(&["providers", "show", "acme", "--config", "/nowhere/gateway.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("neither a preset nor a provider of /nowhere/gateway.toml, which does not exist"), "{said}");
    let output = run(&["providers", "show", "githb", "--config", "/nowhere/gateway.toml"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("did you mean the preset `github`?"));
}

#[test]
fn the_schema_fits_the_example() {
    let schema = json(&["schema"]);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::draft202012::meta::validate(&schema).is_ok());
    let presets = &schema["properties"]["provider"]["items"]["properties"]["preset"]["enum"];
    assert!(presets.as_array().is_some_and(|presets| presets.len() >= 48), "{presets}");
}

/// Every recipe's TOML is right as it stands, and `check` prints of it what the recipe shows.
#[test]
fn the_recipes_hold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/recipes");
    let mut recipes = 0;
    for entry in std::fs::read_dir(folder).expect("the recipes") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let blocks: Vec<&str> = text.split("```").skip(1).step_by(2).collect();
        let toml = blocks.iter().find_map(|block| block.strip_prefix("toml\n")).expect("its TOML");
        let shown =
            blocks.iter().find(|block| block.starts_with("text\nprovider ") || block.starts_with("text\ngateway "));
        let shown = shown.and_then(|block| block.strip_prefix("text\n")).expect("what check prints").trim();
        let head =
            if toml.contains("[gateway]") { "" } else { "[gateway]\npublic_url = \"https://gateway.example.com\"\n" };
        let place = tempfile::tempdir().expect("a folder");
        std::fs::write(place.path().join("gateway.toml"), format!("{head}{toml}")).expect("written");
        let mut check = Command::new(binary());
        check.arg("check").current_dir(place.path());
        for (_, rest) in toml.match_indices("{ env = \"").map(|(at, found)| toml.split_at(at + found.len())) {
            check.env(rest.split('"').next().expect("a name"), "secret");
        }
        let checked = check.output().expect("it runs");
        let [out, error] = [checked.stdout, checked.stderr].map(|bytes| String::from_utf8(bytes).expect("text"));
        assert!(checked.status.success() && error.is_empty(), "{}: {error}", path.display());
        assert!(out.contains(shown), "{}: {out}", path.display());
        recipes += 1;
    }
    assert_eq!(recipes, 10);
}
