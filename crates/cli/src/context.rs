//! What a command works with.

use std::path::PathBuf;
use std::time::Duration;

use protocol::Problem;

use crate::arguments::Common;
use crate::egress::Egress;
use crate::gateway::Gateway;
use crate::gateway_url::GatewayUrl;
use crate::machine::Machine;
use crate::private_file;
use crate::settings::Settings;
use crate::talk::Talk;
use crate::unbroken::Unbroken;
use crate::{Code, Failure};

/// What a command works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) talk: Talk,
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) egress: Egress,
    pub(crate) unbroken: Unbroken,
}

impl Context {
    /// From what every command understands.
    pub(crate) fn new(common: &Common, talk: Talk, machine: Machine) -> Result<Self, Failure> {
        let mut settings = Settings::read(&*machine.environment, common.gateway.as_ref())?;
        if common.agent && settings.identity.is_none() {
            settings.identity = Some(settings.own_identity());
        }
        let egress = Egress::new(Duration::from_secs(common.timeout.max(1)))?;
        Ok(Self { talk, machine, settings, egress, unbroken: Unbroken::default() })
    }

    /// The gateway that was named, or that of the last login.
    pub(crate) fn gateway(&self) -> Result<Gateway, Failure> {
        let url = match &self.settings.gateway {
            Some(url) => url.clone(),
            None => self.last_gateway()?.ok_or_else(nowhere)?,
        };
        Ok(Gateway::new(url, self))
    }

    /// The same, as if no token stood in for a login.
    pub(crate) fn without_token(&self) -> Self {
        Self { settings: Settings { token: None, ..self.settings.clone() }, ..self.clone() }
    }

    /// Makes the gateway the one that commands mean where they name none.
    pub(crate) fn remember(&self, gateway: &GatewayUrl) -> Result<(), Failure> {
        let path = self.last();
        private_file::replace(&path, gateway.as_str()).map_err(|error| {
            let message = format!("{} cannot be written: {error}.", path.display());
            Failure::new(Code::Local, message, "Make room, or give yourself the right to write there.")
        })
    }

    fn last_gateway(&self) -> Result<Option<GatewayUrl>, Failure> {
        let path = self.last();
        let text = private_file::read(&path).map_err(|error| {
            let message = format!("{} cannot be read: {error}.", path.display());
            Failure::new(Code::Local, message, "Remove it, and name the gateway with --gateway.")
        })?;
        text.map(|text| GatewayUrl::parse(text.trim())).transpose()
    }

    fn last(&self) -> PathBuf {
        self.settings.state.join("gateway")
    }
}

fn nowhere() -> Failure {
    Failure::new(
        Code::Gateway(Problem::LoginRequired),
        "Nobody has logged in at a gateway here, and none is named.",
        "Log in with `ath login --gateway https://gateway.example.com`; whoever runs the gateway knows its URL.",
    )
}
