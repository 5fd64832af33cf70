//! The documentation as a site, whose links lead somewhere.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::{all, ask, content, deployed, root};

#[test]
fn the_site_is_built_and_every_link_leads_somewhere() {
    content(&deployed("site"), &[], "");
    let page = |name: &str| fs::read_to_string(root().join("target/site").join(name)).expect("a page");
    assert!(page("index.html").contains("no agent ever sees a credential"));
    assert!(page("configuration.html").contains("id=\"provideroauth\""));
    assert!(page("example.html").contains("public_url"));
    for told in ["POST /oauth/token", "GET /ath/my/services", "DELETE /ath/agents/{client_id}", "href=\"openapi.json\""]
    {
        assert!(page("api.html").contains(told), "{told}");
    }
    let document = fs::read_to_string(root().join("crates/issuer/src/openapi.json")).expect("a file");
    assert_eq!(page("openapi.json"), document);
    assert!(page("many-gateways.html").contains("href=\"legacy-api.html\""));
    let page = page("index.html");
    for outside in ["src=\"http", "href=\"http://fonts", "href=\"https://fonts", "cdnjs"] {
        assert!(!page.contains(outside), "{outside}: a page loads nothing from elsewhere");
    }
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let folder = TempDir::new().expect("a folder");
    let copied = Command::new("cp").arg("-r").arg(root().join("docs")).arg(folder.path()).status().expect("copied");
    assert!(copied.success());
    for file in ["README.md", "CHANGELOG.md", "gateway.toml.example", "crates/issuer/src/openapi.json"] {
        let copy = folder.path().join(file);
        fs::create_dir_all(copy.parent().expect("a folder")).expect("a folder");
        fs::copy(root().join(file), copy).expect("copied");
    }
    let page = folder.path().join("docs/broken.md");
    let links = ["no-such-page.md", "limits.md#no-such-heading", "../no/such.rs"];
    fs::write(&page, format!("# Broken\n\n{}\n", links.map(|link| format!("[x]({link})")).join("\n")))
        .expect("written");
    let config = folder.path().join("docs/site/mkdocs.yml").display().to_string();
    let ended = ask(&super::tool("mkdocs"), &["build", "--strict", "-f", &config], "");
    assert!(!ended.status.success());
    for link in links {
        let target = link.trim_start_matches("../");
        let told = all(&ended).lines().any(|line| line.contains("broken.md") && line.contains(target));
        assert!(told, "{link}: {}", all(&ended));
    }
}
