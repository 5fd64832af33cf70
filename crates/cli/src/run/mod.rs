//! `ath run`: a command whose calls to services go through the gateway, without a token in its hands.
//!
//! A proxy on loopback, for this command alone, ends TLS for the hosts of services that the person has connected, by an authority of the
//! person's own that is good for these hosts and no others. Everything else is tunnelled as it is. For programs that know no proxies there
//! is a base URL for each service.
//!
//! **Invariant:** no token is in the command's environment or its arguments, and none is in what the proxy answers; what it has is a secret
//! that opens this proxy, as long as it runs. What the person's files and keyring hold is in its reach, as in that of all their programs.

mod answer;
mod authority;
mod child;
mod egress;
mod environment;
mod gate;
mod headers;
mod keeping;
mod origin;
mod outer;
mod pass;
mod proxy;
mod relay;
mod routes;
mod trust;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::Clock;
use secret::Entropy;
use tokio::net::TcpListener;
use url::Url;

pub(crate) use child::Ended;
pub(crate) use gate::{After, Tokens};
pub(crate) use routes::{Reach, Service};

use crate::talk::Talk;
use crate::{Code, Failure};
use authority::Leaves;
use egress::Egress;
use environment::Told;
use gate::Gate;
use origin::Scheme;
use outer::Outer;
use pass::Pass;
use proxy::Proxy;
use relay::Relay;
use routes::Routes;
use trust::Trust;

/// What a run needs of its surroundings.
pub(crate) struct Surroundings<'a> {
    /// The time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// The environment as it is.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    /// Where the user's authority for this gateway is kept.
    pub(crate) folder: &'a Path,
    /// How long a connection may take to be made.
    pub(crate) patience: Duration,
    /// How lines are told to the person.
    pub(crate) talk: Talk,
}

/// Runs the command to its end, and tells what it ended with.
pub(crate) async fn run(
    command: &[String],
    services: &[Service],
    tokens: Arc<dyn Tokens>,
    around: &Surroundings<'_>,
) -> Result<Ended, Failure> {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| local("a port of this machine", &error))?;
    let port = listener.local_addr().map_err(|error| local("a port of this machine", &error))?.port();
    let pass = Pass::draw(around.entropy.as_ref());
    let routes = Routes::new(services, |service| Url::parse(&pass.base_url(port, service)).ok());
    tell_of_shadows(services, &routes, around.talk);

    let secure = routes.origins().into_iter().filter(|origin| origin.scheme() == Scheme::Https);
    let mut hosts: Vec<String> = secure.map(|origin| origin.bare_host().to_owned()).collect();
    hosts.dedup();
    let authority = keeping::authority(around.folder, &hosts, around.clock.now());
    let authority = authority.map_err(|error| local("the certificate authority", &error))?;
    let roots = rustls_native_certs::load_native_certs().certs;
    let trust = Trust::write(authority.certificate(), &roots, around.variable);
    let trust = trust.map_err(|error| local("a folder for temporary files", &error))?;
    let proxy_url = pass.proxy_url(port);
    let told = Told {
        proxy: &proxy_url,
        base_urls: routes.doors().map(|route| (route.service.as_str(), pass.base_url(port, &route.service))).collect(),
        taken: routes.origins().into_iter().map(origin::Origin::written).collect(),
        trust: trust.variables().collect(),
    };
    // Which hosts they are is the gateway's word; the person is to see what they trust it with.
    if !told.taken.is_empty() {
        around.talk.say(&format!("ath: calls to {} go through the gateway", told.taken.join(", ")));
    }
    let (set, theirs) = told.names(around.variable);
    if !set.is_empty() {
        around.talk.say(&format!("ath: base URLs of services, in the command's environment: {}", set.join(", ")));
    }
    for name in theirs {
        around.talk.say(&format!("ath: {name} is set already, and stays as it is; unset it to have the service's"));
    }
    let variables = told.variables(around.variable);

    let egress = Egress::new(around.patience)?;
    let relay = Relay::new(Outer::of(around.variable, around.patience), egress.tls());
    let gate = Gate::new(tokens, egress, around.talk);
    let leaves = Leaves::new(authority, around.clock.clone());
    let proxy = tokio::spawn(Arc::new(Proxy { pass, port, routes, leaves, gate, relay }).serve(listener));
    let ended = child::run(command, &variables).await;
    proxy.abort();
    ended
}

/// Two services at one place cannot be told apart by their URLs.
fn tell_of_shadows(services: &[Service], routes: &Routes, talk: Talk) {
    let taken: Vec<&str> = routes.taken().collect();
    let connected = services.iter().filter(|service| service.reach == Reach::Connected && service.api_base.is_some());
    for service in connected.filter(|service| !taken.contains(&service.id.as_str())) {
        let id = &service.id;
        talk.say(&format!("ath: {id} has its API where another service has it, and is reached by its base URL alone"));
    }
}

fn local(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(
        Code::Local,
        format!("{what} cannot be used: {error}.").replacen("..", ".", 1),
        "`ath run` writes below $XDG_STATE_HOME/ath and $XDG_RUNTIME_DIR; look at their permissions and at the room that is left.",
    )
}
