use std::collections::HashMap;
use std::sync::Arc;

use protocol::ProviderId;

use crate::Provider;

/// The configured providers, each found in the same time however many there are: by id, host and path, which all differ.
pub(crate) struct Providers {
    /// By id.
    all: Vec<Arc<Provider>>,
    ids: HashMap<ProviderId, usize>,
    hosts: HashMap<String, usize>,
    paths: HashMap<String, usize>,
}

impl Providers {
    /// The ids differ, and so do the hosts.
    pub(crate) fn new(mut all: Vec<Arc<Provider>>) -> Self {
        all.sort_by(|one, other| one.id.cmp(&other.id));
        let ids = all.iter().enumerate().map(|(number, provider)| (provider.id.clone(), number)).collect();
        let hosts = all.iter().enumerate();
        let hosts = hosts.filter_map(|(number, provider)| Some((provider.host.as_ref()?.to_ascii_lowercase(), number)));
        let paths = all.iter().enumerate();
        let paths = paths.filter_map(|(number, provider)| Some((provider.path_prefix.clone()?, number))).collect();
        Self { hosts: hosts.collect(), paths, ids, all }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.all.iter().map(Arc::as_ref)
    }

    /// Whether this very one is among them.
    pub(crate) fn has(&self, provider: &Arc<Provider>) -> bool {
        let number = self.ids.get(&provider.id);
        number.and_then(|number| self.all.get(*number)).is_some_and(|known| Arc::ptr_eq(known, provider))
    }

    pub(crate) fn get(&self, id: &ProviderId) -> Option<&Provider> {
        self.at_number(*self.ids.get(id)?)
    }

    /// The one with this path of its own at the gateway, and nothing behind it.
    pub(crate) fn under(&self, path: &str) -> Option<&Provider> {
        self.at_number(*self.paths.get(path)?)
    }

    /// The only one, where there is only one.
    pub(crate) fn only(&self) -> Option<&Provider> {
        match self.all.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// The one with this host name at the gateway, in whichever case.
    pub(crate) fn at(&self, host: &str) -> Option<&Provider> {
        if self.hosts.is_empty() {
            return None;
        }
        self.at_number(*self.hosts.get(&host.to_ascii_lowercase())?)
    }

    fn at_number(&self, number: usize) -> Option<&Provider> {
        self.all.get(number).map(Arc::as_ref)
    }
}
