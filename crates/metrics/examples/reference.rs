//! Prints docs/metrics.md: every metric, from the table that the page of metrics is made of.

use std::fmt::Write as _;

use metrics::NAMES;

fn main() {
    print!("{}", page());
}

fn page() -> String {
    let mut text = String::from(HEAD);
    for name in NAMES {
        let behind = if name.kind == "counter" { "_total" } else { "" };
        let cells = [&format!("`{}{behind}`", name.name), name.kind, &name.labels.join(", "), name.says];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        // Writing into a text does not fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push_str(END);
    text
}

const HEAD: &str = "\
# Metrics

`GET /metrics` on the admin listener, in the text form of OpenMetrics, which Prometheus reads. It wants the admin key (`Authorization: Bearer`), unless `[admin] metrics = \"open\"` lets in
whoever reaches the listener. No label names a person, an agent, a path or a token; `upstream` is the id of a configured provider, or `none`.

```yaml
scrape_configs:
  - job_name: ath-gateway
    authorization: { type: Bearer, credentials_file: /run/secrets/ath-admin-key }
    static_configs: [{ targets: [\"127.0.0.1:4190\"] }]
```

This page is made from the table that the gateway counts by: `cargo run -q -p metrics --example reference > docs/metrics.md`; a test fails where it differs.

| metric | kind | labels | says |
|---|---|---|---|
";

const END: &str = "
What happens with every request is counted by its core alone, in cells of its own, and summed when the page is asked for; a line about a provider is there once somebody has called it.
`cargo run --release -p metrics --example cost` prints what counting one request costs on your machine.

A request is counted when its answer has ended: a stream that is open is in `ath_gateway_agent_connections`, and in no other line yet.
";

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_the_documentation_is_this_one() {
        let written = include_str!("../../../docs/metrics.md");
        let command = "cargo run -q -p metrics --example reference > docs/metrics.md";
        assert!(written == super::page(), "docs/metrics.md is not what the table says; `{command}` writes it anew");
    }
}
