//! `ath run`.

use std::sync::Arc;

use async_trait::async_trait;
use protocol::Problem;

use super::service_id;
use crate::arguments::Run;
use crate::context::Context;
use crate::credentials::Visit;
use crate::gateway::{Gateway, Said, State};
use crate::output::{self, Outcome};
use crate::run::{self, After, Ended, Reach, Service, Surroundings, Tokens};
use crate::{Code, Failure};

pub(crate) async fn run(context: &Context, wanted: &Run) -> Result<Outcome, Failure> {
    if context.settings.identity.is_some() {
        let hint = "Leave --agent out, and `identity` out of config.toml, to run it as yourself.";
        return Err(Failure::new(Code::Usage, "This is nothing that an agent does.", hint));
    }
    let gateway = context.gateway()?;
    let found = gateway.services().await?;
    let services: Vec<Service> = found
        .services
        .into_iter()
        .filter_map(|service| {
            let reach = match service.state {
                // Where the person has to sign in again, a call says so; one that passed by the gateway would fail without a word.
                State::Connected | State::NeedsReconnecting => Reach::Connected,
                State::NotConnected => Reach::BaseUrl,
                State::OutOfReach => return None,
            };
            Some(Service { id: service.id, url: service.url, api_base: service.api_base, reach })
        })
        .collect();
    let environment = context.machine.environment.clone();
    let around = Surroundings {
        clock: context.machine.clock.clone(),
        entropy: context.machine.entropy.clone(),
        variable: &|name| environment.variable(name),
        folder: &context.settings.state.join("run").join(gateway.url().file_name()),
        patience: gateway.egress().timeout(),
        talk: context.talk,
    };
    let login = Arc::new(Login(gateway));
    match run::run(&wanted.command, &services, login, &around).await? {
        Ended::With(code) => Ok(Outcome::Ended(code)),
        Ended::NotBegun(failure, code) => {
            output::fail(context.talk, &failure);
            Ok(Outcome::Ended(code))
        }
    }
}

/// The person's login, from which every call gets a token of its own service's.
struct Login(Gateway);

#[async_trait]
impl Tokens for Login {
    async fn visit(&self, service: &str) -> Result<Visit, Failure> {
        self.0.visit(&service_id(service)?).await
    }

    async fn after(&self, service: &str, visit: &Visit, refused: &Said) -> After {
        let Ok(id) = service_id(service) else { return After::Person(None) };
        let link = match refused.problem {
            Problem::LoginRequired | Problem::WrongService | Problem::NotFound => None,
            Problem::InsufficientScope => match self.0.ask_to_connect(&id, &refused.wanted_scopes).await {
                Ok(asked) => asked.connect_url,
                Err(_) => return After::Person(None),
            },
            _ => return After::Person(refused.link.as_deref().and_then(|link| self.0.link(link))),
        };
        if link.is_some() {
            return After::Person(link);
        }
        // Where it cannot be forgotten there is no login any more, or none that can be written: the next attempt says which.
        let _ = self.0.forget(&id, visit).await;
        After::Again
    }
}
