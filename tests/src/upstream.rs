use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use helpdesk::{Helpdesk, Settings};
use secret::{Entropy, SeededEntropy};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::CANARY;

/// The gateway's secret at the helpdesk.
pub(crate) const CLIENT_SECRET: &str = "the-client-secret-of-the-gateway";

/// The acting helpdesk, served on `localhost` by a runtime of its own. Every token and code it issues is a canary.
pub struct Upstream {
    /// To be looked into, and misbehaved with.
    pub helpdesk: Helpdesk,
    port: u16,
    gateway: u16,
    runtime: Option<Runtime>,
}

static SEED: AtomicU64 = AtomicU64::new(1);

impl Upstream {
    /// A helpdesk for the gateway at `gateway`, with some of its switches set.
    #[must_use]
    pub fn start(gateway: u16, change: impl FnOnce(&mut Settings)) -> Self {
        let port = crate::free_port();
        let mut settings = Settings {
            client_secret: CLIENT_SECRET.to_owned(),
            redirect_uris: vec![format!("http://127.0.0.1:{gateway}/ath/callback")],
            base_url: format!("http://localhost:{port}"),
            token_prefix: format!("{CANARY}at-"),
            refresh_token_prefix: format!("{CANARY}rt-"),
            code_prefix: "code-".to_owned(),
            ..Settings::default()
        };
        change(&mut settings);
        let entropy = SeededEntropy::new(SEED.fetch_add(1, Ordering::Relaxed));
        let helpdesk = Helpdesk::new(settings, Arc::new(move |bytes: &mut [u8]| entropy.fill(bytes)), Arc::new(clock));
        let mut upstream = Self { helpdesk, port, gateway, runtime: None };
        upstream.serve();
        upstream
    }

    /// Serves again after [`Upstream::stop`].
    pub fn serve(&mut self) {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", self.port))).expect("the port is free");
        runtime.spawn(self.helpdesk.clone().serve(listener, std::future::pending::<()>()));
        self.runtime = Some(runtime);
    }

    /// Nothing listens there any more.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Where it listens, on `localhost`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the gateway that this upstream knows must listen.
    #[must_use]
    pub fn gateway_port(&self) -> u16 {
        self.gateway
    }

    /// The upstream in the gateway's configuration.
    #[must_use]
    pub fn provider(&self, settings: &str) -> String {
        let base = format!("http://localhost:{}", self.port);
        format!(
            r#"[[provider]]
id = "helpdesk"
display_name = "Acme Helpdesk"
api_base = "{base}"
path_prefix = "/helpdesk"
response_timeout = "2s"

[provider.oauth]
authorize_endpoint = "{base}/authorize"
token_endpoint = "{base}/token"
userinfo_endpoint = "{base}/userinfo"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
{settings}

[provider.scopes]
"read:tickets" = {{ says = "See your tickets", allow = ["GET /tickets", "GET /tickets/*", "GET /tickets/*/attachments/*", "GET /echo"] }}
"write:tickets" = {{ says = "Open and change tickets", allow = ["POST /tickets", "PATCH /tickets/*", "PUT /tickets/*/attachments/*"] }}

[[provider]]
id = "other"
display_name = "Another service"
api_base = "{base}"

[provider.oauth]
authorize_endpoint = "{base}/authorize"
token_endpoint = "{base}/token"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
pkce = "none"

[provider.scopes]
"read:tickets" = {{ says = "See your tickets", allow = ["GET /tickets"] }}
"#
        )
    }
}

impl Upstream {
    /// The upstream as a provider that gives out what calls are made with in another way: `above` are further keys of `[[provider]]`, `way`
    /// is the table that says how. `{base}` stands for its address.
    #[must_use]
    pub fn provider_by(&self, above: &str, way: &str) -> String {
        let base = format!("http://localhost:{}", self.port);
        let text = format!(
            r#"[[provider]]
id = "helpdesk"
display_name = "Acme Helpdesk"
api_base = "{{base}}"
{above}

{way}

[provider.scopes]
"read:tickets" = {{ says = "See your tickets", allow = ["GET /tickets", "GET /tickets/*", "GET /echo"] }}
"write:tickets" = {{ says = "Open and change tickets", allow = ["POST /tickets"] }}
"#
        );
        text.replace("{base}", &base)
    }
}

/// The time since the Unix epoch, by which the acting provider lives.
pub(crate) fn clock() -> Duration {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock of the acting provider enters")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default()
}
