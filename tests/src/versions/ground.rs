use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use super::Story;
use crate::{CANARY, Gateway, Launch, MovedClock, PROGRAM, Received, Reply, Served, Store};

/// A provider that takes every token it could have issued, and a clock that all gateways live by. It remembers nothing, so that a store of
/// another day is as good there as one of today.
pub struct Ground {
    provider: Served,
    public: u16,
    /// The gateways' clock.
    pub clock: MovedClock,
}

impl Ground {
    /// For gateways that are called by this port, with the provider on that one; waits for whoever has them.
    #[must_use]
    pub fn at(public: u16, provider: u16) -> Self {
        let listener = (0..PATIENCE).find_map(|_| {
            let free = TcpListener::bind(("127.0.0.1", provider)).ok();
            if free.is_none() {
                std::thread::sleep(Duration::from_millis(250));
            }
            free
        });
        let issued = AtomicU64::new(0);
        let answer = move |received: &Received| answer(received, issued.fetch_add(1, Ordering::Relaxed));
        let provider = Served::on(listener.expect("the port is free"), answer);
        Self { provider, public, clock: MovedClock::new() }
    }

    /// A gateway on this store; by another program than the built one where there is one.
    #[must_use]
    pub fn launch(&self, store: Store<'_>, port: u16, program: Option<&Path>) -> Gateway {
        let mut environment = self.clock.environment();
        environment.extend(program.map(|path| (PROGRAM, path.display().to_string())));
        let public_url = format!("http://127.0.0.1:{}", self.public);
        let rest = self.configuration();
        Gateway::launch(&Launch {
            store,
            port,
            public_url: &public_url,
            gateway: "",
            rest: &rest,
            environment: &environment,
        })
    }

    /// It is so many seconds after a story was written down.
    pub fn after(&self, story: &Story, seconds: u64) {
        match story.age() {
            age if age > seconds => self.clock.back(age - seconds),
            age => self.clock.forward(seconds - age),
        }
    }

    /// The port by which agents and browsers know the gateways.
    #[must_use]
    pub fn public(&self) -> u16 {
        self.public
    }

    /// How often a refresh token was presented.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        let presented =
            |received: &Received| String::from_utf8_lossy(&received.body).contains("grant_type=refresh_token");
        self.provider.received().iter().filter(|received| presented(received)).count()
    }

    fn configuration(&self) -> String {
        let base = format!("http://localhost:{}", self.provider.port());
        let provider = |id: &str| {
            format!(
                r#"[[provider]]
id = "{id}"
display_name = "Acme Helpdesk"
api_base = "{base}"
path_prefix = "/{id}"

[provider.oauth]
authorize_endpoint = "{base}/authorize"
token_endpoint = "{base}/token"
userinfo_endpoint = "{base}/userinfo"
revoke_endpoint = "{base}/revoke"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}

[provider.scopes]
"read:tickets" = {{ says = "See your tickets", allow = ["GET /tickets"] }}
"write:tickets" = {{ says = "Open and change tickets", allow = ["POST /tickets"] }}
"#
            )
        };
        format!("[development]\nloopback_http = true\n\n{}\n{}", provider("helpdesk"), provider("other"))
    }
}

fn answer(received: &Received, number: u64) -> Reply {
    match received.path() {
        "/authorize" => {
            let back = received.query("redirect_uri").expect("a redirect URI");
            let state = received.query("state").expect("a state");
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {back}?code=code-{number}&state={state}\r\n");
            Reply::Bytes(format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes())
        }
        "/token" => Reply::json(&json!({
            "access_token": format!("{CANARY}at-{number}"), "refresh_token": format!("{CANARY}rt-{number}"), "token_type": "Bearer",
            "expires_in": 60,
        })),
        "/userinfo" => Reply::json(&json!({"sub": "alice-1", "email": "alice@acme.test"})),
        "/revoke" => Reply::of("503 Service Unavailable", "text/plain", b"later"),
        _ => match received.header("authorization") {
            Some(token) if token.starts_with(&format!("Bearer {CANARY}at-")) => Reply::json(&json!({"tickets": []})),
            _ => Reply::of("401 Unauthorized", "text/plain", b"no token of mine"),
        },
    }
}

/// In quarters of a second.
const PATIENCE: u32 = 480;
