//! Which token a request is made with. A login's own token is for every service: it is exchanged for one that is for a single
//! service, and ends with the login.
//!
//! **Invariant:** a refresh token is used by whoever holds the login's lock, and its successor is on the disk before anything else happens.

use std::sync::PoisonError;

use protocol::{Problem, ProviderId};
use secret::AccessToken;
use url::Url;

use super::oauth::{TOKEN_EXCHANGE, TokenAnswer};
use super::{Gateway, Service};
use crate::credentials::{Access, Kept, Login, Visit};
use crate::private_file::Lock;
use crate::{Code, Failure};

impl Gateway {
    /// The login's own token, as fresh as a request needs it.
    pub(crate) async fn access(&self) -> Result<Access, Failure> {
        if let Some(token) = self.given() {
            return Ok(token);
        }
        let login = self.login().await?;
        match login.access {
            Some(access) if access.is_fresh(self.machine().clock.now()) => Ok(access),
            _ => self.access_anew(None).await,
        }
    }

    /// Another one than this, which the gateway no longer takes.
    pub(crate) async fn access_instead_of(&self, refused: &Access) -> Result<Access, Failure> {
        match self.given() {
            Some(_) => Err(given_token_refused()),
            None => self.access_anew(Some(refused.token.clone())).await,
        }
    }

    /// What a call at this service is made with. Cheap where one was made a moment ago.
    pub(crate) async fn visit(&self, service: &ProviderId) -> Result<Visit, Failure> {
        let now = self.machine().clock.now();
        if let Some(visit) = self.near().get(service.as_str()).filter(|visit| visit.access.is_fresh(now)) {
            return Ok(visit.clone());
        }
        let visit = match self.given() {
            Some(access) => self.visit_as_given(&access.token, service).await?,
            None => match self.login().await?.visit(service, now) {
                Some(visit) => visit.clone(),
                None => self.visit_anew(service.clone()).await?,
            },
        };
        self.near().insert(service.to_string(), visit.clone());
        Ok(visit)
    }

    /// Another one than this, which the gateway no longer takes.
    pub(crate) async fn visit_instead_of(&self, service: &ProviderId, refused: &Visit) -> Result<Visit, Failure> {
        self.forget(service, refused).await?;
        self.visit(service).await
    }

    /// Uses this no longer: the gateway does not take it.
    pub(crate) async fn forget(&self, service: &ProviderId, refused: &Visit) -> Result<(), Failure> {
        let is_it = |visit: &Visit| visit.access.token.expose() == refused.access.token.expose();
        {
            let mut near = self.near();
            if near.get(service.as_str()).is_some_and(is_it) {
                near.remove(service.as_str());
            }
        }
        if self.given().is_some() {
            return Ok(());
        }
        let lock = self.lock().await?;
        let mut login = self.login().await?;
        if login.visits.get(service.as_str()).is_some_and(is_it) {
            login.visits.remove(service.as_str());
            self.shelf().keep(&login, &lock).await?;
        }
        Ok(())
    }

    /// Keeps nothing for calls at this service any longer; the person ended it.
    pub(crate) async fn leave(&self, service: &ProviderId) -> Result<(), Failure> {
        self.near().remove(service.as_str());
        if self.given().is_some() {
            return Ok(());
        }
        let lock = self.lock().await?;
        let mut login = self.login().await?;
        if login.visits.remove(service.as_str()).is_some() {
            self.shelf().keep(&login, &lock).await?;
        }
        Ok(())
    }

    /// What is kept of the login; a failure where nobody is logged in.
    pub(crate) async fn login(&self) -> Result<Login, Failure> {
        match self.shelf().read().await? {
            Some(Kept { login, .. }) if login.is_somebodys() => Ok(login),
            _ => Err(nobody()),
        }
    }

    /// Waits until nobody else changes the login.
    pub(crate) async fn lock(&self) -> Result<Lock, Failure> {
        self.shelf().lock(self.egress().timeout()).await
    }

    /// Does what must not be stopped half-way.
    pub(crate) async fn unbroken<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        self.0.context.unbroken.work(work).await
    }

    async fn access_anew(&self, refused: Option<AccessToken>) -> Result<Access, Failure> {
        let gateway = self.clone();
        self.unbroken(async move {
            let lock = gateway.lock().await?;
            let mut login = gateway.login().await?;
            gateway.fresh(&mut login, refused.as_ref(), &lock).await
        })
        .await
    }

    async fn visit_anew(&self, service: ProviderId) -> Result<Visit, Failure> {
        let gateway = self.clone();
        self.unbroken(async move {
            let lock = gateway.lock().await?;
            let mut login = gateway.login().await?;
            if let Some(visit) = login.visit(&service, gateway.machine().clock.now()) {
                return Ok(visit.clone());
            }
            let mut access = gateway.fresh(&mut login, None, &lock).await?;
            let mut described = gateway.service_by(&access.token, &service).await;
            if is_login_required(&described) {
                access = gateway.fresh(&mut login, Some(&access.token), &lock).await?;
                described = gateway.service_by(&access.token, &service).await;
            }
            let described = described?;
            let endpoint = login.token_endpoint.clone();
            let visit = gateway.exchanged((&endpoint, &login.client_id), &access.token, described).await?;
            login.visits.insert(service.to_string(), visit.clone());
            gateway.shelf().keep(&login, &lock).await?;
            Ok(visit)
        })
        .await
    }

    async fn visit_as_given(&self, token: &AccessToken, service: &ProviderId) -> Result<Visit, Failure> {
        let services = self.services_by(token).await;
        let services = if is_login_required(&services) { Err(given_token_refused()) } else { services }?;
        let described = self.service_by(token, service).await?;
        let metadata = self.metadata().await?;
        self.exchanged((&metadata.token, &services.client_id), token, described).await
    }

    /// The token that is kept, where it is fresh and none that was refused; else what the refresh token brings.
    async fn fresh(&self, login: &mut Login, refused: Option<&AccessToken>, lock: &Lock) -> Result<Access, Failure> {
        let was_refused = |access: &Access| refused.is_some_and(|refused| refused.expose() == access.token.expose());
        let now = self.machine().clock.now();
        if let Some(access) = login.access.as_ref().filter(|access| access.is_fresh(now) && !was_refused(access)) {
            return Ok(access.clone());
        }
        let Some(refresh) = &login.refresh_token else { return Err(self.over(login, lock).await?) };
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.expose()),
            ("client_id", login.client_id.as_str()),
            ("resource", self.url().as_str()),
        ];
        match self.tokens(&login.token_endpoint, &fields).await? {
            Ok(issued) => {
                login.access = Some(issued.access.clone());
                login.refresh_token = issued.refresh_token.or(login.refresh_token.take());
                self.shelf().keep(login, lock).await?;
                Ok(issued.access)
            }
            Err(refusal) if matches!(refusal.error.as_str(), "invalid_grant" | "invalid_client") => {
                Err(self.over(login, lock).await?)
            }
            Err(refusal) => Err(refusal.failure()),
        }
    }

    /// The login has ended at the gateway: nothing of it is presented again. The client's name stays.
    async fn over(&self, login: &mut Login, lock: &Lock) -> Result<Failure, Failure> {
        let Login { client_id, token_endpoint, revocation_endpoint, .. } = login.clone();
        *login = Login::of_client(client_id, token_endpoint, revocation_endpoint);
        self.shelf().keep(login, lock).await?;
        Ok(ended())
    }

    async fn exchanged(
        &self,
        (endpoint, client_id): (&Url, &str),
        token: &AccessToken,
        service: Service,
    ) -> Result<Visit, Failure> {
        let fields = [
            ("grant_type", TOKEN_EXCHANGE),
            ("client_id", client_id),
            ("subject_token", token.expose()),
            ("subject_token_type", ACCESS_TOKEN),
            ("resource", service.url.as_str()),
        ];
        let answer: TokenAnswer = self.tokens(endpoint, &fields).await?;
        match answer {
            Ok(issued) => {
                let Service { url, api_base, kind, .. } = service;
                Ok(Visit { url, api_base, kind, access: issued.access })
            }
            Err(refusal) if refusal.wants_consent() => {
                let link = refusal.connect_url.or(service.connect_url);
                let failure = not_connected(service.id.as_str());
                Err(Failure { connect_url: link, request_id: refusal.request_id, ..failure })
            }
            Err(refusal) => Err(refusal.failure()),
        }
    }

    /// The token that stands in for a login. How long it lives, the gateway knows.
    fn given(&self) -> Option<Access> {
        let token = self.0.context.settings.token.clone()?;
        let ends = self.ends(u64::MAX);
        Some(Access { token, ends })
    }

    fn near(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeMap<String, Visit>> {
        self.0.near.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the person has not allowed the service, with everything but the link.
pub(crate) fn not_connected(service: &str) -> Failure {
    Failure::new(
        Code::Gateway(Problem::ConnectRequired),
        format!("{service} is not connected."),
        format!(
            "Ask the person to open the link and to allow it; `ath connect {service} --wait` waits for them. Then repeat the command."
        ),
    )
}

fn is_login_required<T>(answered: &Result<T, Failure>) -> bool {
    matches!(answered, Err(failure) if failure.code == Code::Gateway(Problem::LoginRequired))
}

fn nobody() -> Failure {
    Failure::new(Code::Gateway(Problem::LoginRequired), "Nobody is logged in at the gateway.", LOG_IN)
}

fn ended() -> Failure {
    Failure::new(Code::Gateway(Problem::LoginRequired), "The login at the gateway has ended.", LOG_IN)
}

fn given_token_refused() -> Failure {
    Failure::new(
        Code::Gateway(Problem::LoginRequired),
        "The gateway does not take the token in ATH_TOKEN.",
        "Set ATH_TOKEN to an access token of this gateway's that is for every service and has not ended, or unset it and log in.",
    )
}

const LOG_IN: &str = "Ask the person to run `ath login`; without a browser here, `ath login --device`.";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
