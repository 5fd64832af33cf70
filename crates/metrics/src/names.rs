/// A metric: what it is called, its labels, and what it says.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// As it is written; counters get `_total` behind it.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// In their order.
    pub labels: &'static [&'static str],
    /// For people.
    pub says: &'static str,
}

pub(crate) const REQUESTS: Name = Name {
    name: "ath_gateway_http_requests",
    kind: "counter",
    labels: &["upstream", "door", "code"],
    says: "Requests that were answered. door is ath (/ath/proxy), path, host, mcp (a tool call, or an MCP server's own path), or control for everything that is no call; code is the status, or its class where it is a rare one",
};
pub(crate) const DURATION: Name = Name {
    name: "ath_gateway_http_request_duration_seconds",
    kind: "histogram",
    labels: &["upstream"],
    says: "From a request's head to the last byte of its answer",
};
pub(crate) const UPSTREAM: Name = Name {
    name: "ath_gateway_upstream_request_duration_seconds",
    kind: "histogram",
    labels: &["upstream"],
    says: "From the call to the upstream to the head of its answer",
};
pub(crate) const SENT: Name = Name {
    name: "ath_gateway_response_bytes",
    kind: "counter",
    labels: &["upstream"],
    says: "Bytes of the bodies of answers",
};
pub(crate) const MASKED: Name = Name {
    name: "ath_gateway_guard_finds",
    kind: "counter",
    labels: &["upstream"],
    says: "Tokens that the response guard found in answers, and masked",
};
pub(crate) const DENIED: Name = Name {
    name: "ath_gateway_denied",
    kind: "counter",
    labels: &["reason"],
    says: "Calls that were refused, or failed, by the reason that the agent was told",
};
pub(crate) const REFRESHES: Name = Name {
    name: "ath_gateway_token_refresh",
    kind: "counter",
    labels: &["upstream", "result"],
    says: "Answers of a provider's OAuth server to refresh tokens: ok, ended (invalid_grant) or failed",
};
pub(crate) const CONSENTS: Name = Name {
    name: "ath_gateway_consents",
    kind: "counter",
    labels: &["upstream", "result"],
    says: "Consents that were begun, granted or denied",
};
pub(crate) const TOOL_ERRORS: Name = Name {
    name: "ath_gateway_mcp_tool_errors",
    kind: "counter",
    labels: &["upstream", "code"],
    says: "Tool calls of MCP clients that were refused or failed, by the code that the agent was told, or by service_4xx and service_5xx where the service said no",
};
pub(crate) const STORE: Name = Name {
    name: "ath_gateway_store_op_duration_seconds",
    kind: "histogram",
    labels: &["op"],
    says: "How long the store took",
};
pub(crate) const STORE_ERRORS: Name = Name {
    name: "ath_gateway_store_errors",
    kind: "counter",
    labels: &["op"],
    says: "Operations that the store did not do, or not in time",
};
pub(crate) const OPEN: Name = Name {
    name: "ath_gateway_agent_connections",
    kind: "gauge",
    labels: &[],
    says: "Connections of clients that are open",
};
pub(crate) const ACCEPTED: Name = Name {
    name: "ath_gateway_agent_connections_accepted",
    kind: "counter",
    labels: &[],
    says: "Connections of clients that were accepted",
};
pub(crate) const TURNED_AWAY: Name = Name {
    name: "ath_gateway_agent_connections_turned_away",
    kind: "counter",
    labels: &["reason"],
    says: "Connections that were not taken, or not kept: connections or address (too many), handshake, head or write (too slow), flood (frames that carry nothing)",
};
pub(crate) const LOST: Name = Name {
    name: "ath_gateway_access_log_dropped",
    kind: "counter",
    labels: &[],
    says: "Lines that are not in the access log, since it could not keep up",
};
pub(crate) const UNSENT: Name = Name {
    name: "ath_gateway_telemetry_dropped",
    kind: "counter",
    labels: &["signal"],
    says: "Spans (traces) and log records (logs) that did not reach the collector of [opentelemetry], since it could not be reached or keep up",
};
pub(crate) const AUDIT: Name = Name {
    name: "ath_gateway_audit_waiting",
    kind: "gauge",
    labels: &[],
    says: "Decisions and refusals that wait to be written to the audit log",
};
pub(crate) const READY: Name =
    Name { name: "ath_gateway_draining", kind: "gauge", labels: &[], says: "1 once the gateway was told to stop" };
pub(crate) const RELOAD: Name = Name {
    name: "ath_gateway_config_reload_success",
    kind: "gauge",
    labels: &[],
    says: "0 where the configuration was read again and refused, so that the one before it goes on; else 1",
};
pub(crate) const HELD_SINCE: Name = Name {
    name: "ath_gateway_config_held_since_seconds",
    kind: "gauge",
    labels: &[],
    says: "When the configuration that holds was read, since the Unix epoch",
};
pub(crate) const RELOADS: Name = Name {
    name: "ath_gateway_config_reloads",
    kind: "counter",
    labels: &["result"],
    says: "How often the configuration was read, the start included: done, or refused",
};
pub(crate) const BUILD: Name =
    Name { name: "ath_gateway_build_info", kind: "gauge", labels: &["version"], says: "Always 1" };
pub(crate) const MEMORY: Name =
    Name { name: "process_resident_memory_bytes", kind: "gauge", labels: &[], says: "Memory of the process" };
pub(crate) const FILES: Name =
    Name { name: "process_open_fds", kind: "gauge", labels: &[], says: "File descriptors that are open" };
pub(crate) const MOST_FILES: Name =
    Name { name: "process_max_fds", kind: "gauge", labels: &[], says: "File descriptors that may be open" };
pub(crate) const STARTED: Name = Name {
    name: "process_start_time_seconds",
    kind: "gauge",
    labels: &[],
    says: "When the process was started, since the Unix epoch",
};
pub(crate) const PROCESSOR: Name =
    Name { name: "process_cpu_seconds", kind: "counter", labels: &[], says: "Processor time, user and system" };

/// Every metric, in the order of the page.
pub const NAMES: &[Name] = &[
    REQUESTS,
    DURATION,
    UPSTREAM,
    SENT,
    MASKED,
    DENIED,
    REFRESHES,
    CONSENTS,
    TOOL_ERRORS,
    STORE,
    STORE_ERRORS,
    OPEN,
    ACCEPTED,
    TURNED_AWAY,
    LOST,
    UNSENT,
    AUDIT,
    READY,
    RELOAD,
    HELD_SINCE,
    RELOADS,
    BUILD,
    MEMORY,
    FILES,
    MOST_FILES,
    STARTED,
    PROCESSOR,
];
