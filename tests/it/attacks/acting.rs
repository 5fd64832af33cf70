//! An authorization server that agrees to everything at once, as one does that remembers an earlier consent, and the API behind it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tests::{CANARY, Received, Reply, Served};
use url::Url;

/// What it does; may be changed while it runs.
#[derive(Default)]
pub(super) struct Conduct {
    /// The `iss` parameters of its redirects (RFC 9207), in this order.
    pub(super) iss: Vec<String>,
    /// Sends browsers on to this authorize endpoint, with the query as it came.
    pub(super) forward: Option<String>,
    /// Where it sends browsers back to, whatever it was asked; where it is empty, as asked.
    pub(super) redirect_uri: String,
    /// What it says it granted; null where it says nothing.
    pub(super) scope: Value,
    /// Who signs in there; where it is empty, somebody new each time.
    pub(super) subject: String,
    /// What it calls the next accounts, in this order; then `alice@acme.test`.
    pub(super) labels: VecDeque<String>,
}

pub(super) struct Acting {
    served: Served,
    conduct: Arc<Mutex<Conduct>>,
}

static COUNTER: AtomicU64 = AtomicU64::new(1);

impl Acting {
    pub(super) fn start() -> Self {
        let conduct = Arc::new(Mutex::new(Conduct::default()));
        let current = conduct.clone();
        let served =
            Served::start(move |request| answer(request, &mut current.lock().unwrap_or_else(PoisonError::into_inner)));
        Self { served, conduct }
    }

    pub(super) fn conduct(&self, change: impl FnOnce(&mut Conduct)) {
        change(&mut self.conduct.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Another host than the gateway's, so that it has other cookies.
    pub(super) fn url(&self) -> String {
        format!("http://localhost:{}", self.served.port())
    }

    /// What arrived at a path.
    pub(super) fn received(&self, path: &str) -> Vec<Received> {
        self.served.received().into_iter().filter(|request| request.path() == path).collect()
    }

    /// Its `[[provider]]` table, with `settings` in the one for OAuth.
    pub(super) fn provider(&self, id: &str, settings: &str) -> String {
        let base = self.url();
        format!(
            r#"[[provider]]
id = "{id}"
display_name = "The {id} service"
api_base = "{base}/api"

[provider.oauth]
authorize_endpoint = "{base}/authorize"
token_endpoint = "{base}/token"
userinfo_endpoint = "{base}/userinfo"
client_id = "ath-gateway"
client_secret = {{ env = "CLIENT_SECRET" }}
{settings}

[provider.scopes]
"read" = {{ says = "See your things", allow = ["GET /read"] }}
"write" = {{ says = "Change your things", allow = ["POST /write"] }}
"admin" = {{ says = "Administer everything", allow = ["POST /admin"] }}
"Read" = {{ says = "Something else", allow = ["GET /capital"] }}

"#
        )
    }
}

fn answer(request: &Received, conduct: &mut Conduct) -> Reply {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    match request.path() {
        "/authorize" => match &conduct.forward {
            Some(endpoint) => {
                Reply::redirect(&format!("{endpoint}?{}", request.target.split_once('?').expect("a query").1))
            }
            None => granted(request, conduct, number),
        },
        "/token" => {
            let mut tokens = json!({
                "access_token": format!("{CANARY}at-{number}"), "token_type": "Bearer", "expires_in": 3600,
                "refresh_token": format!("{CANARY}rt-{number}"),
            });
            if !conduct.scope.is_null() {
                tokens["scope"] = conduct.scope.clone();
            }
            Reply::json(&tokens)
        }
        "/userinfo" => {
            let label = conduct.labels.pop_front().unwrap_or_else(|| "alice@acme.test".to_owned());
            let new = format!("person-{number}");
            let subject = if conduct.subject.is_empty() { &new } else { &conduct.subject };
            Reply::json(&json!({"sub": subject, "email": label}))
        }
        _ => Reply::json(&json!({"path": request.path()})),
    }
}

fn granted(request: &Received, conduct: &Conduct, number: u64) -> Reply {
    let asked = request.query("redirect_uri").expect("a redirect_uri");
    let back = if conduct.redirect_uri.is_empty() { &asked } else { &conduct.redirect_uri };
    let mut location = Url::parse(back).expect("a URL");
    location.query_pairs_mut().append_pair("code", &format!("code-{number}"));
    location.query_pairs_mut().append_pair("state", &request.query("state").unwrap_or_default());
    for iss in &conduct.iss {
        location.query_pairs_mut().append_pair("iss", iss);
    }
    Reply::redirect(location.as_str())
}
