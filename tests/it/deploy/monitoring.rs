//! The alert rules, by promtool; the dashboard, by a real Prometheus that watches two real gateways.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Request, eventually, free_port};

use super::one_machine::{Installation, legacy_api};
use super::{ask, client, content, deployed, refused, root};

/// Panels that show nothing unless something is wrong, or is used that is not used here.
const EMPTY_WHERE_ALL_IS_WELL: [&str; 5] =
    ["Failed tool calls of MCP clients", "Consents", "Refreshes", "Tokens found in answers", "Connections turned away"];

#[test]
fn the_alerts_fire_where_they_must_and_nowhere_else() {
    content("promtool", &["check", "rules", &deployed("prometheus/alerts.yaml")], "");
    content("promtool", &["test", "rules", &deployed("prometheus/alerts_test.yaml")], "");
    let folder = TempDir::new().expect("a folder");
    let test = fs::read_to_string(deployed("prometheus/alerts_test.yaml")).expect("a file");
    let rules = fs::read_to_string(deployed("prometheus/alerts.yaml")).expect("a file");
    let every = rules.matches("- alert: ").count();
    for name in rules.split("- alert: ").skip(1).filter_map(|rest| rest.lines().next()) {
        assert!(test.matches(&format!("alertname: {name}")).count() >= 2, "{name} is not tested both ways");
    }
    assert!(every > 8, "{every}");
    fs::write(folder.path().join("alerts_test.yaml"), test).expect("written");
    fs::write(folder.path().join("alerts.yaml"), rules.replace("== 0", "== 1")).expect("written");
    let broken = folder.path().join("alerts_test.yaml").display().to_string();
    refused("promtool", &["test", "rules", &broken], "", "AthGatewayDown");
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let page = fs::read_to_string(root().join("docs/metrics.md")).expect("a page");
    let known: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(known.len() > 20, "{known:?}");
    for file in ["prometheus/alerts.yaml", "grafana/ath-gateway.json"] {
        let text = fs::read_to_string(deployed(file)).expect("a file");
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        for word in words.filter(|word| word.starts_with("ath_gateway_") || word.starts_with("process_")) {
            let name = ["_bucket", "_count", "_sum"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            assert!(known.contains(name), "{word} of {file} is in no gateway");
        }
    }
}

#[test]
fn the_page_lists_the_alerts_that_there_are() {
    let rules = fs::read_to_string(deployed("prometheus/alerts.yaml")).expect("a file");
    let rules = rules.split("- alert: ").skip(1).map(|rule| {
        let severity = rule.split("severity: ").nth(1).and_then(|rest| rest.split([' ', '\n', '}', ',']).next());
        (rule.lines().next().expect("a name").trim().to_owned(), severity.expect("a severity").to_owned())
    });
    let page = fs::read_to_string(root().join("docs/monitoring.md")).expect("a page");
    let told = page.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `AthGateway")?.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        Some((format!("AthGateway{name}"), cells.next()?.to_owned()))
    });
    assert_eq!(told.collect::<Vec<_>>(), rules.collect::<Vec<_>>());
}

/// Prometheus, watching these admin listeners.
struct Prometheus {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    fn start(installation: &Installation) -> Self {
        let (folder, port) = (TempDir::new().expect("a folder"), free_port());
        let targets = installation.admin().map(|port| format!("\"127.0.0.1:{port}\"")).join(", ");
        let config = format!(
            "global: {{scrape_interval: 500ms, evaluation_interval: 1s}}\nrule_files: [\"{}\"]\nscrape_configs:\n- job_name: ath-gateway\n\
             \u{20} authorization: {{type: Bearer, credentials_file: \"{}\"}}\n  static_configs: [{{targets: [{targets}]}}]\n",
            deployed("prometheus/alerts.yaml"),
            installation.place().join("secrets/admin-key").display()
        );
        let file = folder.path().join("prometheus.yml");
        fs::write(&file, config).expect("written");
        content("promtool", &["check", "config", &file.display().to_string()], "");
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display())).arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("tests/run installs it");
        let prometheus = Self { process, port, _folder: folder };
        eventually("prometheus answers", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        prometheus
    }

    fn ask(&self, query: &str) -> Vec<Value> {
        let mut url = url::Url::parse(&format!("http://127.0.0.1:{}/api/v1/query", self.port)).expect("a URL");
        url.query_pairs_mut().append_pair("query", query);
        let answer = Request::new("GET", url.as_str()).send();
        assert_eq!(answer.status, 200, "{query}: {}", answer.body_text());
        answer.json()["data"]["result"].as_array().cloned().unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn every_panel_of_the_dashboard_shows_something() {
    let api = legacy_api();
    let installation = Installation::start(&api);
    let prometheus = Prometheus::start(&installation);
    let token = installation.token();
    for method in ["GET", "DELETE", "POST"] {
        assert_eq!(installation.calls(&token, method, 20).len(), 20);
    }
    let both = "sum(up{job=\"ath-gateway\"}) == 2 and count(ath_gateway_denied_total) >= 1";
    eventually("both are watched", || !prometheus.ask(both).is_empty());
    let _ = installation.calls(&token, "GET", 20);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let dashboard: Value =
        serde_json::from_str(&fs::read_to_string(deployed("grafana/ath-gateway.json")).expect("a file")).expect("JSON");
    let mut shown = 0;
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().expect("a query");
            let query = ["$job", "$instance", "$upstream"]
                .iter()
                .fold(query.to_owned(), |query, name| query.replace(name, ".*"));
            let query = query.replace("$__rate_interval", "1m").replace("[1h]", "[1m]");
            assert!(!query.contains('$'), "{title}: {query}");
            let found = prometheus.ask(&query);
            assert!(!found.is_empty() || EMPTY_WHERE_ALL_IS_WELL.contains(&title), "{title}: {query}");
            shown += usize::from(!found.is_empty());
        }
    }
    println!("{shown} queries of the dashboard answered");
    assert!(shown >= 22, "{shown}");
    drawn(&prometheus);
    // Somebody was refused by scope, and no alert is about that.
    let alerts = prometheus.ask("ALERTS");
    assert!(alerts.is_empty(), "{alerts:?}");
}

/// The whole dashboard on one page with what Prometheus has, and a picture of it, in target/dashboard: to be looked at.
fn drawn(prometheus: &Prometheus) {
    let folder = root().join("target/dashboard");
    fs::create_dir_all(&folder).expect("a folder");
    let address = format!("http://127.0.0.1:{}", prometheus.port);
    let drawn = ask("python3", &[&client("dashboard.py"), &deployed("grafana/ath-gateway.json"), &address, "30"], "");
    let panels = String::from_utf8_lossy(&drawn.stderr).into_owned();
    assert!(drawn.status.success(), "{panels}");
    let page = folder.join("index.html");
    fs::write(&page, &drawn.stdout).expect("written");
    let cells = panels.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let empty: BTreeSet<&str> = cells.filter(|cells| cells[1] == "0").map(|cells| cells[0]).collect();
    assert!(empty.iter().all(|title| EMPTY_WHERE_ALL_IS_WELL.contains(title)), "{empty:?}");
    assert!(!String::from_utf8_lossy(&drawn.stdout).contains("no name"), "a legend says nothing: {panels}");
    let picture = format!("--screenshot={}", folder.join("dashboard.png").display());
    let shot =
        ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1460,2300", &picture];
    content("chromium", &[&shot[..], &[&format!("file://{}", page.display())]].concat(), "");
}
