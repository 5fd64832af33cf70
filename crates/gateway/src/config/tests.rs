use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::Loopback;
use zeroize::Zeroizing;

use super::environment::{Contents, Readers};
use super::*;

mod body_rules;
mod broken;
mod credential;
mod example;
mod front;
mod habits;
mod leaks;
mod mcp;
mod oauth_door;
mod openapi;
mod opentelemetry;
mod presets;
mod redis;
mod reference;
mod schema;
mod sign_in;
mod slips;
mod tls;
mod ways;

/// Files and variables that exist in the test alone.
#[derive(Default)]
pub(super) struct Fake {
    files: HashMap<PathBuf, Vec<u8>>,
    open: HashSet<PathBuf>,
    variables: HashMap<&'static str, OsString>,
}

impl Fake {
    /// With a client secret in `SECRET`, sealing keys in `KEY` and `/key`, and no other place.
    pub(super) fn new() -> Self {
        Self::default().variable("SECRET", CANARY).variable("KEY", SEALING_KEY).file("/key", SEALING_KEY)
    }

    pub(super) fn file(mut self, path: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), contents.into());
        self
    }

    /// A file that everybody can read.
    pub(super) fn open_file(mut self, path: &str, contents: &str) -> Self {
        self.open.insert(path.into());
        self.file(path, contents)
    }

    pub(super) fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name, value.into());
        self
    }
}

impl Environment for Fake {
    fn read_up_to(&self, path: &Path, _: u64) -> io::Result<Contents> {
        let bytes = self.files.get(path).cloned().ok_or(io::ErrorKind::NotFound)?;
        let readers = if self.open.contains(path) { Readers::Everyone } else { Readers::Few };
        Ok(Contents { bytes: Zeroizing::new(bytes), readers })
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.variables.get(name).cloned()
    }
}

/// The problems and warnings of a text, line by line.
pub(super) fn lines(text: &str, environment: &Fake) -> Vec<String> {
    match Config::parse("gateway.toml", text, environment) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
    }
}

fn good(text: &str) -> Config {
    match Config::parse("gateway.toml", text, &Fake::new()) {
        Ok((config, _)) => config,
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let config = good(&format!("{GATEWAY}{PROVIDER}"));
    assert_eq!(config.gateway.public_url.as_str(), "https://gateway.example.com/");
    assert_eq!(config.gateway.listen.to_string(), "127.0.0.1:4180");
    assert_eq!(config.gateway.workers, None);
    assert!(config.gateway.tls.is_none());
    assert!(matches!(config.store.kind, StoreKind::Embedded));
    assert_eq!(config.store.path, Path::new("./data"));
    assert!(matches!(&config.store.keys, KeyPlace::File(path) if path == Path::new("./data/sealing.key")));
    assert_eq!(config.log, LogConfig { format: LogFormat::Text, filter: "info".to_owned() });
    let lifetimes = [config.lifetimes.token, config.lifetimes.approval, config.lifetimes.browser];
    assert_eq!(lifetimes.map(|lifetime| lifetime.as_secs()), [3600, 7_776_000, 43_200]);
    assert_eq!(
        config.development,
        DevelopmentConfig { loopback: Loopback::Refused, placeholder_codes: PlaceholderCodes::Refused }
    );
    assert!(matches!(config.sign_in, SignInConfig::Provider));
    let [provider] = config.providers.as_slice() else { panic!("one provider") };
    assert_eq!((provider.id.as_str(), provider.display_name.as_str()), ("helpdesk", "helpdesk"));
    assert_eq!(provider.api_base.as_str(), "https://helpdesk.internal/");
    assert_eq!(provider.connect_timeout, Duration::from_secs(5));
    assert_eq!(provider.response_timeout, Duration::from_secs(60));
    assert_eq!((&provider.path_prefix, &provider.host), (&None, &None));
    let oauth = provider.oauth().expect("OAuth");
    assert_eq!(oauth.redirect_uri, "https://gateway.example.com/ath/callback");
    assert_eq!(oauth.client_auth, ::oauth::ClientAuth::Post);
    assert_eq!(oauth.token_request, ::oauth::TokenRequest::Form);
    assert_eq!(oauth.pkce, ::oauth::Pkce::S256);
    assert_eq!((oauth.scope_separator, oauth.scope_parameter.as_str()), (' ', "scope"));
    assert_eq!(oauth.client_secret.as_ref().map(::secret::ClientSecret::expose), Some(CANARY));
    assert_eq!(provider.operations.scopes().to_string(), "read:tickets");
}

#[test]
fn what_is_written_holds() {
    let config = good(
        r#"
        [gateway]
        public_url = "http://127.0.0.1:4180/"
        listen = "[::1]:4180"
        workers = 0x3
        [store]
        url = "rediss://:hunter2@redis.example.com/2"
        keys = [{ file = "/key" }, { env = "KEY" }]
        key_prefix = "gateway:"
        replicas_to_wait_for = 1
        [log]
        format = "json"
        filter = "warn,proxy=debug"
        [lifetimes]
        token = "10m"
        [development]
        loopback_http = true
        placeholder_codes = true
        [[provider]]
        id = "crm"
        api_base = "http://localhost:4181/api/v2/"
        path_prefix = "/crm/v2"
        host = "crm.gateway.example.com"
        categories = "sales"
        [provider.oauth]
        authorize_endpoint = "http://localhost:4181/start?tenant=1"
        token_endpoint = "http://localhost:4181/token"
        userinfo_endpoint = "http://localhost:4181/me"
        userinfo_subject = "/data/id"
        userinfo_name = "/data/mail"
        client_id = "gateway"
        pkce = "s256"
        token_request = "json"
        scope_separator = "comma"
        scope_parameter = "user_scope"
        authorize_parameters = { access_type = "offline" }
        issuer = "http://localhost:4181"
        default_lifetime = "30m"
        [provider.scopes]
        read = { says = "Read", allow = "GET /**" }
        "#,
    );
    assert_eq!(config.gateway.public_url.as_str(), "http://127.0.0.1:4180/");
    assert_eq!(config.gateway.workers.map(std::num::NonZeroUsize::get), Some(3));
    let StoreKind::Redis(redis) = &config.store.kind else { panic!("Redis") };
    let login = &redis.servers.login;
    assert_eq!((login.password.as_deref(), login.database), (Some("hunter2"), 2));
    assert!(redis.servers.encryption.is_some());
    assert_eq!((redis.prefix.as_str(), redis.replicas_to_wait_for), ("gateway:", 1));
    assert!(matches!(&config.store.keys, KeyPlace::Given(keys) if keys.len() == 2));
    assert_eq!(config.log, LogConfig { format: LogFormat::Json, filter: "warn,proxy=debug".to_owned() });
    assert_eq!(config.lifetimes.token, Duration::from_secs(600));
    assert_eq!(
        config.development,
        DevelopmentConfig { loopback: Loopback::Allowed, placeholder_codes: PlaceholderCodes::Accepted }
    );
    let [provider] = config.providers.as_slice() else { panic!("one provider") };
    assert_eq!(provider.api_base.as_str(), "http://localhost:4181/api/v2");
    assert_eq!(provider.path_prefix.as_deref(), Some("/crm/v2"));
    assert_eq!(provider.host.as_deref(), Some("crm.gateway.example.com"));
    assert_eq!(provider.categories, ["sales"]);
    let oauth = provider.oauth().expect("OAuth");
    assert_eq!(oauth.redirect_uri, "http://127.0.0.1:4180/ath/callback");
    assert_eq!(
        oauth.authorize_endpoint.as_ref().map(|endpoint| endpoint.as_str().to_owned()).as_deref(),
        Some("http://localhost:4181/start?tenant=1")
    );
    let pointer = |text| ::oauth::Pointer::parse(text).expect("a pointer");
    let userinfo = oauth.userinfo.as_ref().expect("userinfo");
    assert_eq!((&userinfo.subject, &userinfo.name), (&pointer("/data/id"), &vec![pointer("/data/mail")]));
    assert_eq!((oauth.client_auth, oauth.token_request), (::oauth::ClientAuth::None, ::oauth::TokenRequest::Json));
    assert_eq!((oauth.scope_separator, oauth.scope_parameter.as_str()), (',', "user_scope"));
    assert_eq!(oauth.authorize_parameters, [("access_type".to_owned(), "offline".to_owned())]);
    assert_eq!((oauth.issuer.as_deref(), oauth.default_lifetime), (Some("http://localhost:4181"), Some(1800)));
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let load = |environment: &Fake| Config::load(Path::new("/x.toml"), environment).expect_err("a problem");
    assert_eq!(load(&Fake::new()).to_string(), "/x.toml: does not exist");
    assert_eq!(load(&Fake::new().file("/x.toml", [0xff])).to_string(), "/x.toml: is not UTF-8 text");
    assert_eq!(load(&Fake::new()).count(), 1);
}

pub(super) const GATEWAY: &str = "[gateway]\npublic_url = \"https://gateway.example.com\"\n";
/// Follows [`GATEWAY`] from line 3 on; `[provider.oauth]` is line 6, the last line 12.
pub(super) const PROVIDER: &str = r#"[[provider]]
id = "helpdesk"
api_base = "https://helpdesk.internal"
[provider.oauth]
authorize_endpoint = "https://helpdesk.internal/authorize"
token_endpoint = "https://helpdesk.internal/token"
client_id = "ath-gateway"
client_secret = { env = "SECRET" }
[provider.scopes]
"read:tickets" = { says = "See your tickets", allow = ["GET /tickets"] }
"#;
pub(super) const SEALING_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
/// Stands wherever a secret may.
pub(super) const CANARY: &str = "hunter2-canary";
