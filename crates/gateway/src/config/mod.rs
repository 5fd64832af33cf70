//! `gateway.toml`, read and checked.
//!
//! The text becomes a tree with positions (`toml`), a small reader walks it key by key (`reader.rs`, `key.rs`), and each section makes
//! checked values of it. Everything that is wrong is found in one go.
//!
//! **Invariant:** what is reported names files, variables, keys and positions. It never holds a line of the file, nor a value that
//! could be a secret.
//!
//! **Invariant:** files and variables are reached through [`Environment`] alone.

mod access_log;
mod admin;
mod agents;
mod approvals;
mod audit;
mod development;
mod duration;
mod effective;
mod environment;
mod fingerprint;
mod gateway;
mod key;
mod lifetimes;
mod limits;
mod log;
mod mcp;
mod oauth_door;
mod opentelemetry;
mod pem;
mod presets;
mod provider;
mod providers;
mod reader;
mod redis;
mod reference;
mod remedy;
mod report;
mod schema;
mod secrets;
mod sign_in;
mod store;
mod suggest;
mod syntax;
#[cfg(test)]
mod tests;
mod timeouts;
mod urls;

use std::path::Path;

use broker::FrontSettings;
use policy::Approvals;
use toml::de::DeTable;

pub(crate) use access_log::{AccessLogConfig, AccessLogPath};
pub(crate) use admin::{AdminConfig, MetricsDoor};
pub(crate) use agents::PinnedAgent;
pub(crate) use audit::AuditConfig;
pub(crate) use development::{DevelopmentConfig, PlaceholderCodes};
pub(crate) use effective::{Setting, of_preset};
pub(crate) use environment::{Contents, Environment, MAX_CONFIGURATION, Readers, SystemEnvironment};
pub(crate) use fingerprint::{Fingerprint, Fixed};
pub(crate) use gateway::{Ending, FrontConfig, GatewayConfig, ProxyProtocol, TlsFiles, TlsPaths};
pub(crate) use lifetimes::LifetimesConfig;
pub(crate) use limits::{LimitsConfig, NumbersConfig};
pub(crate) use log::{LogConfig, LogFormat};
pub(crate) use mcp::{McpConfig, McpDoorConfig};
pub(crate) use opentelemetry::{CollectorConfig, Incoming, OpenTelemetryConfig, Signal};
pub(crate) use presets::meant;
pub(crate) use provider::{OpenapiConfig, OpenapiSource, ProviderConfig, WayConfig, path_prefix, untyped};
pub(crate) use reference::reference;
pub(crate) use report::{Problems, Warning};
pub(crate) use schema::schema;
pub(crate) use sign_in::SignInConfig;
pub(crate) use store::{JournalConfig, KeyPlace, StoreConfig, StoreKind};
pub(crate) use timeouts::TimeoutsConfig;
pub(crate) use urls::is_loopback;

use key::Key;
use reader::{Context, Table};
use report::{Finding, Severity};

/// A checked configuration.
#[derive(Debug)]
pub(crate) struct Config {
    /// The gateway itself: where it is, and how it listens.
    pub(crate) gateway: GatewayConfig,
    /// Where records lie, and what seals them.
    pub(crate) store: StoreConfig,
    /// What is logged, and how.
    pub(crate) log: LogConfig,
    /// How long things last.
    pub(crate) lifetimes: LifetimesConfig,
    /// Where decisions and calls are written down.
    pub(crate) audit: AuditConfig,
    /// Where every request is logged.
    pub(crate) access_log: AccessLogConfig,
    /// Where traces and logs go.
    pub(crate) opentelemetry: OpenTelemetryConfig,
    /// The operators' door.
    pub(crate) admin: AdminConfig,
    /// How often what may happen, and how much at a time.
    pub(crate) limits: LimitsConfig,
    /// How long clients may take for what.
    pub(crate) timeouts: TimeoutsConfig,
    /// What agents that register are approved for.
    pub(crate) approvals: Approvals,
    /// How the gateway learns who the user is.
    pub(crate) sign_in: SignInConfig,
    /// How ordinary OAuth clients are served.
    pub(crate) oauth: FrontSettings,
    /// How MCP clients are served.
    pub(crate) mcp: McpConfig,
    /// Agents that the configuration vouches for.
    pub(crate) agents: Vec<PinnedAgent>,
    /// Looser rules for loopback.
    pub(crate) development: DevelopmentConfig,
    /// The upstream services; their ids, path prefixes and hosts differ.
    pub(crate) providers: Vec<ProviderConfig>,
    /// What is read at the start alone.
    pub(crate) fixed: Fixed,
}

impl Config {
    /// Reads and checks a file, and what it refers to.
    pub(crate) fn load(path: &Path, environment: &dyn Environment) -> Result<(Self, Vec<Warning>), Problems> {
        let file = path.display().to_string();
        Self::parse(&file, &text_of(path, environment)?, environment)
    }

    /// What holds for the provider with that id, whatever else is wrong with the file; `None` where it has none.
    pub(crate) fn effective(
        path: &Path,
        id: &str,
        environment: &dyn Environment,
    ) -> Result<Option<Vec<Setting>>, Problems> {
        let text = text_of(path, environment)?;
        let (mut tree, _) = DeTable::parse_recoverable(&text);
        let context = Context::new(path, &text, environment);
        presets::lay_beneath(tree.get_mut(), &context);
        Ok(effective::of(tree.get_ref(), id, &context))
    }

    /// What the file says, setting by setting, whatever is wrong with it: no value that could be a secret, and no person's name.
    pub(crate) fn told(path: &Path, environment: &dyn Environment) -> Result<Vec<Setting>, Problems> {
        let text = text_of(path, environment)?;
        let (tree, _) = DeTable::parse_recoverable(&text);
        Ok(effective::whole(tree.get_ref()))
    }

    /// Checks a text, and what it refers to. `file` is what messages call it.
    pub(crate) fn parse(
        file: &str,
        text: &str,
        environment: &dyn Environment,
    ) -> Result<(Self, Vec<Warning>), Problems> {
        let (mut tree, errors) = DeTable::parse_recoverable(text);
        let context = Context::new(Path::new(file), text, environment);
        for error in &errors {
            // The message alone: the error's own `Display` shows the line.
            let offset = error.span().map_or(0, |span| span.start);
            context.place(offset).problem(syntax::told(text, offset, error.message()));
        }
        presets::lay_beneath(tree.get_mut(), &context);
        // Where the syntax is broken, keys that seem to be missing may stand in the broken part.
        let fixed = Fixed::of(tree.get_ref());
        let config = if errors.is_empty() { read(&context.root(tree.get_ref(), KEYS), fixed) } else { None };
        match (Problems::among(file, context.into_findings()), config) {
            (Err(warnings), Some(config)) => Ok((config, warnings)),
            (Ok(problems), _) => Err(problems),
            (Err(_), None) => Err(whole(file, "cannot be read")),
        }
    }
}

/// Reads every section to its end before any of them is missed, so that all problems come at once.
fn read(root: &Table<'_>, fixed: Fixed) -> Option<Config> {
    let development = development::read(&root.table(&DEVELOPMENT));
    let gateway_table = root.table(&GATEWAY);
    let gateway = gateway::read(&gateway_table, development.value.loopback);
    development::check(&development, gateway.public_url.as_ref());
    let store = store::read(&root.table(&STORE));
    let log = log::read(&root.table(&LOG));
    let lifetimes = lifetimes::read(&root.table(&LIFETIMES));
    let audit = audit::read(&root.table(&AUDIT), store.as_ref().map(|store| store.path.as_path()));
    let access_log = access_log::read(&root.table(&ACCESS_LOG));
    let admin = admin::read(&root.table(&ADMIN));
    let limits = limits::read(&root.table(&LIMITS));
    let timeouts = timeouts::read(&root.table(&TIMEOUTS));
    let approvals = Approvals::new(approvals::read(&root.tables(&APPROVAL), development.value.loopback));
    let sign_in = sign_in::read(
        &root.table(&SIGN_IN),
        &sign_in::Surroundings {
            loopback: development.value.loopback,
            client_authority: gateway::client_authority(&gateway_table),
        },
    );
    let agents = agents::read(&root.tables(&AGENT), development.value.loopback);
    let surroundings = provider::Surroundings {
        public_url: gateway.public_url.clone(),
        loopback: development.value.loopback,
        sign_in: sign_in::at(sign_in.as_ref()),
    };
    let provider_tables = root.tables(&PROVIDER);
    let providers = providers::read(root, &provider_tables, &surroundings);
    let door = oauth_door::Tables {
        oauth: root.table(&OAUTH),
        clients: root.tables(&CLIENT),
        documents: root.tables(&CLIENT_DOCUMENT),
        enterprise: root.optional_table(&ENTERPRISE),
    };
    let oauth = oauth_door::read(
        &door,
        &oauth_door::Surroundings {
            loopback: development.value.loopback,
            sign_in: sign_in.as_ref(),
            providers: &providers,
            complete: providers.len() == provider_tables.len(),
        },
    );
    let mcp = mcp::read(&root.table(&MCP));
    let opentelemetry = opentelemetry::read(
        &root.table(&OPENTELEMETRY),
        &opentelemetry::Surroundings {
            providers: providers.iter().map(|provider| &provider.id).collect(),
            complete: providers.len() == provider_tables.len(),
        },
    );
    Some(Config {
        gateway: gateway.complete()?,
        store: store?,
        log: log?,
        lifetimes: lifetimes?,
        audit: audit?,
        access_log: access_log?,
        opentelemetry: opentelemetry?,
        admin: admin?,
        limits: limits?,
        timeouts: timeouts?,
        approvals,
        sign_in: sign_in?,
        oauth: oauth?,
        mcp: mcp?,
        agents,
        development: development.value,
        providers,
        fixed,
    })
}

fn text_of(path: &Path, environment: &dyn Environment) -> Result<String, Problems> {
    let file = path.display().to_string();
    let contents = environment.read_up_to(path, MAX_CONFIGURATION).map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => whole(&file, "is larger than 1 GiB"),
        _ => whole(&file, &secrets::unreadable(&error)),
    })?;
    match std::str::from_utf8(&contents.bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(whole(&file, "is not UTF-8 text")),
    }
}

/// A problem with the file as a whole.
fn whole(file: &str, message: &str) -> Problems {
    let message = message.to_owned();
    Problems::one(file, &Finding { severity: Severity::Problem, position: None, key: String::new(), message })
}

const KEYS: &[Key] = &[
    GATEWAY,
    STORE,
    LOG,
    LIFETIMES,
    AUDIT,
    ACCESS_LOG,
    OPENTELEMETRY,
    ADMIN,
    LIMITS,
    TIMEOUTS,
    APPROVAL,
    SIGN_IN,
    OAUTH,
    MCP,
    CLIENT,
    CLIENT_DOCUMENT,
    ENTERPRISE,
    AGENT,
    DEVELOPMENT,
    PROVIDER,
];
const GATEWAY: Key = Key::optional("gateway", key::Form::Table(gateway::KEYS), "The gateway itself.");
const STORE: Key = Key::optional("store", key::Form::Table(store::KEYS), "Where records lie, and what seals them.");
const LOG: Key = Key::optional("log", key::Form::Table(log::KEYS), "What is logged to standard error, and how.");
const LIFETIMES: Key = Key::optional("lifetimes", key::Form::Table(lifetimes::KEYS), "How long things last.");
const SIGN_IN: Key =
    Key::optional("sign_in", key::Form::Table(sign_in::KEYS), "How the gateway learns who the user is.");
const AUDIT: Key =
    Key::optional("audit", key::Form::Table(audit::KEYS), "Where every decision and every call is written down.");
const ACCESS_LOG: Key = Key::optional(
    "access_log",
    key::Form::Table(access_log::KEYS),
    "Where every request is written down, whatever became of it; the audit log has the calls and decisions in any case.",
);
const OPENTELEMETRY: Key = Key::optional(
    "opentelemetry",
    key::Form::Table(opentelemetry::KEYS),
    "Where traces and logs go by OpenTelemetry's protocol, OTLP; the log on standard error is written in any case.",
);
const ADMIN: Key = Key::optional("admin", key::Form::Table(admin::KEYS), "The door for operators' commands.");
const LIMITS: Key = Key::optional(
    "limits",
    key::Form::Table(limits::KEYS),
    "How often what may happen, as in \"600/m\": that many at once, then evenly; s, m and h, or \"off\"; and how much at a time, as a number.",
);
const TIMEOUTS: Key =
    Key::optional("timeouts", key::Form::Table(timeouts::KEYS), "How long clients may take, before they are let go.");
const APPROVAL: Key = Key::optional(
    "approval",
    key::Form::Tables(approvals::KEYS),
    "What agents that register are approved for: the first rule that speaks of agent, provider and scope decides; where none does, the \
     scope is approved.",
);
const OAUTH: Key = Key::optional(
    "oauth",
    key::Form::Table(oauth_door::KEYS),
    "How ordinary OAuth clients are served, which know nothing of ATH.",
);
const MCP: Key =
    Key::optional("mcp", key::Form::Table(mcp::KEYS), "The door for MCP clients: every provider as tools.");
const CLIENT: Key = Key::optional(
    "client",
    key::Form::Tables(oauth_door::CLIENT_KEYS),
    "An OAuth client that this file names, and that registers nowhere.",
);
const CLIENT_DOCUMENT: Key = Key::optional(
    "client_document",
    key::Form::Tables(oauth_door::DOCUMENT_KEYS),
    "A client ID metadata document that is not fetched: a copy that this file vouches for.",
);
const ENTERPRISE: Key = Key::optional(
    "enterprise",
    key::Form::Table(oauth_door::ENTERPRISE_KEYS),
    "The identity provider whose word for its people is taken at the token endpoint.",
);
const AGENT: Key =
    Key::optional("agent", key::Form::Tables(agents::KEYS), "An agent whose identity this file vouches for.");
const DEVELOPMENT: Key = Key::optional(
    "development",
    key::Form::Table(development::KEYS),
    "Looser rules for development, refused unless public_url is on loopback.",
);
const PROVIDER: Key =
    Key::optional("provider", key::Form::Tables(provider::KEYS), "An upstream service that agents may use.");
