//! Blocks that a test runs as they stand, and commands that nobody can run here.

use super::pages::{Block, Page};

/// A block, and the test that runs it.
pub(super) struct Run {
    pub(super) page: &'static str,
    /// How its first command begins.
    pub(super) begins: &'static str,
    /// In tests/it.
    pub(super) file: &'static str,
    pub(super) test: &'static str,
}

impl Run {
    pub(super) fn holds(&self, page: &Page, block: &Block) -> bool {
        let first = block.statements().into_iter().next().unwrap_or_default();
        page.path() == self.page && first.starts_with(self.begins)
    }
}

const fn run(page: &'static str, begins: &'static str, file: &'static str, test: &'static str) -> Run {
    Run { page, begins, file, test }
}

const MACHINE: &str = "deploy/one_machine.rs";
const ROLLING: &str = "two_gateways_behind_nginx_and_envoy_live_through_rolling_restarts";
const QUICKSTART: &str = "documented/quickstart.rs";
const REQUESTS: &str = "documented/requests.rs";

pub(super) const RUN_WHOLE: &[Run] = &[
    run("README.md", "cargo run -- demo", QUICKSTART, "the_two_commands_of_the_readme"),
    run("docs/quickstart.md", "cargo run -- demo", QUICKSTART, "the_two_commands_of_the_readme"),
    run("docs/quickstart.md", "cargo build --release", QUICKSTART, "from_nothing_to_a_gateway_that_runs"),
    run("docs/quickstart.md", "./target/release/ath-gateway check", QUICKSTART, "from_nothing_to_a_gateway_that_runs"),
    run("docs/legacy-api.md", "TOKEN=$(curl", MACHINE, ROLLING),
    run("docs/legacy-api.md", "curl -sS --cacert", MACHINE, ROLLING),
    run("docs/many-gateways.md", "curl -sS --fail", MACHINE, ROLLING),
    run("docs/many-gateways.md", "kill -HUP", MACHINE, ROLLING),
    run("docs/many-gateways.md", "cd try", MACHINE, ROLLING),
    run("docs/clients.md", "G=https://gateway.example.com", "mcp_clients/page.rs", "the_lines_for_curl"),
    run("docs/clients.md", "npx @modelcontextprotocol/inspector", "mcp_clients/page.rs", "the_line_for_the_inspector"),
    run(
        "docs/oauth.md",
        "curl https://gateway.example.com/oauth/register",
        REQUESTS,
        "every_request_reaches_its_endpoint",
    ),
    run(
        "docs/oauth.md",
        "curl https://gateway.example.com/oauth/token",
        REQUESTS,
        "every_request_reaches_its_endpoint",
    ),
    run(
        "docs/programs.md",
        "curl https://gateway.example.com/oauth/register",
        REQUESTS,
        "every_request_reaches_its_endpoint",
    ),
    run(
        "docs/programs.md",
        "curl https://gateway.example.com/oauth/token",
        REQUESTS,
        "every_request_reaches_its_endpoint",
    ),
    run(
        "docs/own-api.md",
        "curl https://gateway.example.com/ath/proxy/crm",
        REQUESTS,
        "every_request_reaches_its_endpoint",
    ),
    run("docs/own-api.md", "curl -i https://gateway.example.com/crm", REQUESTS, "every_request_reaches_its_endpoint"),
    run("deploy/plugin/README.md", "claude plugin marketplace add ./", "plugin.rs", "claude_code_takes_it"),
    run("deploy/plugin/README.md", "codex plugin marketplace add ./", "plugin.rs", "codex_takes_it"),
    run("docs/deployment.md", "cd deploy", REQUESTS, "compose_up_to_the_engine"),
];

/// Each with the reason.
pub(super) const UNTRIED: &[(&str, &str)] = &[
    ("opencode mcp auth helpdesk", "opencode is not among the clients of the tests; it was tried by hand"),
    (
        "docker build -f deploy/Dockerfile -t ath-gateway .",
        "there is no engine, and its base image comes from a registry of images; hadolint reads the file",
    ),
    (
        "kubectl apply -f deploy/kubernetes/more",
        "there is no cluster; deploy/files.rs holds both files against the schemas of their kinds",
    ),
    (
        "helm install ath-gateway deploy/helm/ath-gateway --namespace ath-gateway --values values.yaml",
        "there is no cluster and no helm; deploy/chart.rs renders the chart by helm's libraries",
    ),
    (
        "apt-get install ./target/debian/ath-gateway_*.deb",
        "it would change this machine; deploy/package unpacks and checks it",
    ),
    ("systemctl enable --now ath-gateway", "there is no systemd as the first process; systemd-analyze reads the unit"),
    ("ACL SETUSER gateway +waitaof", "Redis 7.2 has it, and Debian's is 7.0"),
];
