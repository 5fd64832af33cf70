use std::net::IpAddr;
use std::sync::Arc;

/// Where a piece of work comes from: one request, by its name in logs and answers, and the address that sent it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    request_id: Option<Arc<str>>,
    address: Option<IpAddr>,
}

impl Origin {
    /// A request named `request_id`, from `address`.
    #[must_use]
    pub fn new(request_id: &str, address: IpAddr) -> Self {
        Self { request_id: Some(request_id.into()), address: Some(address.to_canonical()) }
    }

    /// The request's name; `None` for the gateway's own work.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Who sent it; `None` for the gateway's own work.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}
