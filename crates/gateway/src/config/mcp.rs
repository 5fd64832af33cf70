//! The door for MCP clients.

use url::Url;

use super::key::{Form, Key};
use super::reader::Table;

/// How MCP clients are served.
#[derive(Debug)]
pub(crate) struct McpConfig {
    pub(crate) door: McpDoorConfig,
    /// Web pages that may use it besides the gateway's own, as their origins.
    pub(crate) origins: Vec<Url>,
}

/// Whether MCP clients are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum McpDoorConfig {
    Open,
    Closed,
}

pub(super) fn read(table: &Table<'_>) -> Option<McpConfig> {
    let door = if table.text(&DOOR)?.value == "off" { McpDoorConfig::Closed } else { McpDoorConfig::Open };
    let origins = table.texts(&ORIGINS).into_iter().filter_map(|text| text.parsed(origin)).map(|found| found.value);
    Some(McpConfig { door, origins: origins.collect() })
}

/// RFC 6454 §6.2: scheme, host and port, and nothing behind them.
fn origin(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.filter(|url| url.origin().ascii_serialization() == text)
        .ok_or("is no origin; write scheme, host and port as browsers do, as in \"https://inspector.example.com\"")
}

pub(super) const KEYS: &[Key] = &[DOOR, ORIGINS];

const DOOR: Key = Key::default(
    "door",
    Form::OneOf(&["on", "off"]),
    "on",
    "Whether MCP clients are served, at /{provider}/mcp and at /mcp for all of them; on by default.",
);
const ORIGINS: Key = Key::optional(
    "origins",
    Form::Texts,
    "Web pages that may use this door besides the gateway's own, by their origins; where public_url is on loopback, every page there may.",
);

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_origin_has_one_spelling() {
        for good in ["https://a.test", "http://localhost:6274", "https://[::1]:8443"] {
            assert!(origin(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "a.test",
            "https://a.test/",
            "https://a.test:443",
            "HTTPS://a.test",
            "ftp://a.test",
            "https://a.test/x",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }
}
