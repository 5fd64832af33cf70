//! The requests that pages show, made to a gateway; and the commands for compose, up to the engine that is not there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tempfile::TempDir;
use tests::{Gateway, Store, Upstream, free_port};

use super::pages::Page;
use super::root;

/// Page, how a command begins, and the status of the answer. What a page leaves to the reader (`…`) is refused as what it is: wrong.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("docs/oauth.md", "curl https://gateway.example.com/oauth/register", "201"),
    ("docs/oauth.md", "curl https://gateway.example.com/oauth/token", "401"),
    ("docs/oauth.md", "curl https://gateway.example.com/helpdesk/tickets", "401"),
    ("docs/programs.md", "curl https://gateway.example.com/oauth/register", "201"),
    ("docs/programs.md", "curl https://gateway.example.com/oauth/token", "401"),
    ("docs/own-api.md", "curl https://gateway.example.com/ath/proxy/crm/contacts", "401"),
    ("docs/own-api.md", "curl -i https://gateway.example.com/crm/contacts", "401"),
];

#[test]
fn every_request_reaches_its_endpoint() {
    let upstream = Upstream::start(free_port(), |_| {});
    let provider = upstream.provider("pkce = \"none\"\ncallback = \"own\"");
    let helpdesk = provider.split("[[provider]]").nth(1).expect("the first one");
    let crm = helpdesk.replace("helpdesk", "crm").replace("/tickets", "/contacts").replace(":tickets", ":contacts");
    let gateway = Gateway::start_with(
        Store::Embedded,
        upstream.gateway_port(),
        &format!("[[provider]]{helpdesk}\n[[provider]]{crm}"),
    );
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join(".curlrc"), "silent\nshow-error\noutput = \"answer\"\nwrite-out = \"%{http_code}\"\n")
        .expect("written");
    for page in ["docs/oauth.md", "docs/programs.md", "docs/own-api.md"] {
        let page = Page::at(page);
        let statements = page.blocks().flat_map(super::Block::statements).filter(|one| one.starts_with("curl "));
        for statement in statements {
            let known = REQUESTS.iter().find(|(path, begins, _)| *path == page.path() && statement.starts_with(begins));
            let (_, _, status) =
                known.unwrap_or_else(|| panic!("{}: say in REQUESTS what is answered: {statement}", page.path()));
            let here = statement.replace("https://gateway.example.com", &gateway.public_url()).replace('…', "left-out");
            let mut command = Command::new("bash");
            command.args(["-eo", "pipefail", "-c", &here]).current_dir(folder.path()).env("CURL_HOME", folder.path());
            let ended = command.output().expect("bash");
            let said = String::from_utf8_lossy(&ended.stdout).into_owned();
            let answer = fs::read_to_string(folder.path().join("answer")).unwrap_or_default();
            assert!(ended.status.success(), "{here}: {}", String::from_utf8_lossy(&ended.stderr));
            assert_eq!(said, *status, "{here}: {answer}");
        }
    }
}

/// docs/deployment.md's block for compose, in a copy of deploy/, with a `docker` that reads the file as an engine would and starts nothing.
#[test]
fn compose_up_to_the_engine() {
    let folder = TempDir::new().expect("a folder");
    let copied = Command::new("cp").arg("-r").arg(root().join("deploy")).arg(folder.path()).status().expect("cp");
    assert!(copied.success());
    let docker = folder.path().join("docker");
    let reads = "#!/usr/bin/env bash\nset -euo pipefail\n[ \"$*\" = \"compose up --build\" ]\nchmod 600 secrets/crm\n\
        for secret in $(docker-compose config | sed -n 's/^ *file: //p'); do [ -e \"$secret\" ] || echo \"no $secret\"; done\n";
    fs::write(&docker, reads).expect("written");
    fs::set_permissions(&docker, fs::Permissions::from_mode(0o755)).expect("a mode");
    let page = Page::at("docs/deployment.md");
    let block = page.blocks().find(|block| block.lines().any(|line| line == "./make-secrets")).expect("the block");
    let lines: Vec<&str> = block.lines().collect();
    // Changing an owner is for root alone.
    let root_alone = rustix::process::geteuid().is_root();
    let lines = if root_alone { lines.join("\n") } else { lines.join("\n").replace("chown 65532", "test -e") };
    let mut command = Command::new("bash");
    let lines = format!("PATH='{}':$PATH\n{lines}", folder.path().display());
    command.args(["-euo", "pipefail", "-c", &lines]).current_dir(folder.path());
    let ended = command.env("CLIENT_SECRET", "a-secret").output().expect("bash");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert!(ended.status.success(), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    let missing: Vec<&str> = said.lines().filter(|line| line.starts_with("no ")).collect();
    assert_eq!(missing, Vec::<&str>::new(), "{said}");
    assert_eq!(fs::read_to_string(folder.path().join("deploy/secrets/crm")).expect("written"), "a-secret");
}
