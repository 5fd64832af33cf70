//! The documentation as a site, whose links lead somewhere, and the commands in it, which the programs know.

use std::fs;
use std::process::Command;

use tempfile::TempDir;
use tests::binary;

use super::{all, ask, content, deployed, root};

#[test]
fn the_site_is_built_and_every_link_leads_somewhere() {
    content(&deployed("site"), &[], "");
    let page = |name: &str| fs::read_to_string(root().join("target/site").join(name)).expect("a page");
    assert!(page("index.html").contains("no agent ever sees a credential"));
    assert!(page("configuration.html").contains("id=\"provideroauth\""));
    assert!(page("example.html").contains("public_url"));
    for told in ["POST /oauth/token", "GET /ath/my/services", "DELETE /ath/agents/{client_id}", "href=\"openapi.json\""] {
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

#[test]
fn the_commands_in_the_documentation_are_the_programs_own() {
    let mut tried = 0;
    for place in ["docs", "docs/recipes", "deploy"] {
        for entry in fs::read_dir(root().join(place)).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("a page");
            for line in in_fences(&text).filter_map(command) {
                assert!(knows(&line), "{}: {}", path.display(), line.join(" "));
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried}");
    assert!(!knows(&["conections".to_owned(), "list".to_owned()]));
    assert!(!knows(&["check".to_owned(), "--onlin".to_owned()]));
}

/// The lines of a page's blocks.
fn in_fences(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        fenced && !fence
    })
}

/// The words behind the program's name: its subcommands, then its flags.
fn command(line: &str) -> Option<Vec<String>> {
    let line = line.split(" #").next()?.split(['|', '<', '>']).next()?;
    let mut words = line.split_whitespace().skip_while(|word| word.contains('=') || *word == "$");
    let program = words.next()?;
    (program == "ath-gateway" || program.ends_with("/ath-gateway")).then(|| words.map(str::to_owned).collect())
}

fn knows(words: &[String]) -> bool {
    let subcommand =
        |word: &&String| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !word.starts_with('-');
    let mut commands: Vec<String> = words.iter().take_while(subcommand).cloned().collect();
    let all_help = loop {
        let help = Command::new(binary()).args(&commands).arg("--help").output().expect("it runs");
        if help.status.success() {
            break String::from_utf8_lossy(&help.stdout).into_owned();
        }
        // The last one may be the name of something: as in `providers show crm`.
        if commands.len() < 2 {
            return false;
        }
        commands.pop();
    };
    // A word where a subcommand belongs is not the name of something.
    let named = words.iter().take_while(subcommand).count() > commands.len();
    let flags = words.iter().filter(|word| word.starts_with("--")).filter_map(|word| word.split('=').next());
    (!named || !all_help.contains("Commands:"))
        && flags.into_iter().all(|flag| known(&all_help).any(|word| word == flag))
}

fn known(help: &str) -> impl Iterator<Item = &str> {
    help.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-')
}
