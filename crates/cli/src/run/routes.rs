use protocol::ProviderId;
use url::Url;

use super::origin::Origin;

/// Whether calls to a service's own host are taken to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The person has connected it: its own host leads to the gateway.
    Connected,
    /// By its base URL alone, where the gateway says what is missing.
    BaseUrl,
}

/// A service as the gateway lists it, as far as calls go.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// As it stands in base URLs and in the names of variables.
    pub(crate) id: ProviderId,
    /// Where it is called at the gateway.
    pub(crate) url: Url,
    /// Where it would be called without a gateway; `None` where that varies, or where programs have no business there.
    pub(crate) api_base: Option<Url>,
    /// Which calls are taken.
    pub(crate) reach: Reach,
}

/// Where the URLs of a service begin, for whoever reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Scheme, host and port.
    pub(super) origin: String,
    /// The path, without a slash at its end; empty at the root.
    pub(super) path: String,
}

impl Place {
    /// Where this URL leads.
    pub(super) fn of(url: &Url) -> Self {
        Self { origin: url.origin().ascii_serialization(), path: url.path().trim_end_matches('/').to_owned() }
    }
}

/// The way from a place to the gateway.
#[derive(Debug)]
pub(super) struct Route {
    /// The service.
    pub(super) service: String,
    /// Where its URLs begin for the program.
    pub(super) here: Place,
    /// Where they begin at the gateway.
    pub(super) there: Place,
    origin: Option<Origin>,
}

/// All ways to the gateway: by services' own hosts, and by base URLs.
#[derive(Debug)]
pub(super) struct Routes {
    hosts: Vec<Route>,
    doors: Vec<Route>,
}

impl Routes {
    /// For these services; `base_url` says where each has its base URL. Of two services at one place the first is meant.
    pub(super) fn new(services: &[Service], base_url: impl Fn(&str) -> Option<Url>) -> Self {
        let mut hosts: Vec<Route> = Vec::new();
        for service in services.iter().filter(|service| service.reach == Reach::Connected) {
            let Some(api) = &service.api_base else { continue };
            let Some(origin) = Origin::of_url(api) else { continue };
            let here = Place::of(api);
            if !hosts.iter().any(|route| route.here == here) {
                let there = Place::of(&service.url);
                hosts.push(Route { service: service.id.to_string(), here, there, origin: Some(origin) });
            }
        }
        // The longest path first: a service below another one's is itself.
        hosts.sort_by_key(|route| std::cmp::Reverse(route.here.path.len()));
        let door = |service: &Service| {
            let here = Place::of(&base_url(service.id.as_str())?);
            Some(Route { service: service.id.to_string(), here, there: Place::of(&service.url), origin: None })
        };
        Self { hosts, doors: services.iter().filter_map(door).collect() }
    }

    /// The service whose API is at this path of this server.
    pub(super) fn find(&self, origin: &Origin, path: &str) -> Option<&Route> {
        self.hosts.iter().find(|route| route.origin.as_ref() == Some(origin) && below(&route.here.path, path).is_some())
    }

    /// The service of a base URL.
    pub(super) fn door(&self, service: &str) -> Option<&Route> {
        self.doors.iter().find(|route| route.service == service)
    }

    /// Whether a service's API is at this very server.
    pub(super) fn is_at(&self, origin: &Origin) -> bool {
        self.hosts.iter().any(|route| route.origin.as_ref() == Some(origin))
    }

    /// The servers whose calls are taken, each once.
    pub(super) fn origins(&self) -> Vec<&Origin> {
        let mut origins: Vec<&Origin> = Vec::new();
        for origin in self.hosts.iter().filter_map(|route| route.origin.as_ref()) {
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        origins
    }

    /// The services whose hosts are taken.
    pub(super) fn taken(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|route| route.service.as_str())
    }

    /// The services that have a base URL.
    pub(super) fn doors(&self) -> impl Iterator<Item = &Route> {
        self.doors.iter()
    }
}

impl Route {
    /// What stands behind the service's place in this path; `None` where it is not below it.
    pub(super) fn rest<'p>(&self, path: &'p str) -> Option<&'p str> {
        below(&self.here.path, path)
    }
}

fn below<'p>(base: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(base)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether every reader of a path sees the same segments in it: none that means "here" or "above", and no backslash.
pub(super) fn is_plain(path: &str) -> bool {
    let dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
    path.starts_with('/') && !path.contains(['\\', '#']) && !path.split('/').any(dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(id: &str, api_base: &str, reach: Reach) -> Service {
        let url = Url::parse(&format!("https://gateway.example.com/{id}")).expect("a URL");
        Service { id: ProviderId::parse(id).expect("an id"), url, api_base: Url::parse(api_base).ok(), reach }
    }

    fn routes() -> Routes {
        let services = [
            service("files", "https://api.example.com/v1", Reach::Connected),
            service("photos", "https://api.example.com/v1/photos/", Reach::Connected),
            service("again", "https://api.example.com/v1/", Reach::Connected),
            service("later", "https://later.example.com", Reach::BaseUrl),
            service("tools", "", Reach::Connected),
        ];
        Routes::new(&services, |id| Url::parse(&format!("http://127.0.0.1:4000/secret/{id}")).ok())
    }

    #[test]
    fn a_call_goes_to_the_service_whose_path_it_is() {
        let routes = routes();
        let origin = Origin::of_url(&Url::parse("https://api.example.com").expect("a URL")).expect("an origin");
        let found =
            |path: &'static str| routes.find(&origin, path).map(|route| (route.service.as_str(), route.rest(path)));
        assert_eq!(found("/v1"), Some(("files", Some(""))));
        assert_eq!(found("/v1/a"), Some(("files", Some("/a"))));
        assert_eq!(found("/v1/photos/1"), Some(("photos", Some("/1"))));
        assert_eq!(found("/v1/photosynthesis"), Some(("files", Some("/photosynthesis"))));
        for other in ["/", "/v10", "/V1/a", "/other"] {
            assert_eq!(found(other), None, "{other}");
        }
        assert_eq!(routes.origins().len(), 1);
        let later = Origin::of_url(&Url::parse("https://later.example.com").expect("a URL")).expect("an origin");
        assert!(!routes.is_at(&later), "what is not connected is left alone");
        assert!(!routes.is_at(&origin.spoken(super::super::origin::Scheme::Http)));
    }

    #[test]
    fn every_service_has_a_base_url() {
        let routes = routes();
        for id in ["files", "photos", "again", "later", "tools"] {
            let route = routes.door(id).expect(id);
            assert_eq!(route.here.path, format!("/secret/{id}"));
            assert_eq!(route.there.path, format!("/{id}"));
        }
        assert!(routes.door("nothing").is_none());
    }

    #[test]
    fn a_path_is_read_in_one_way() {
        for plain in ["/", "/a/b", "/a//b", "/a...b/.c", "/a%2fb", "/..."] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["", "*", "a", "/../a", "/a/..", "/a/./b", "/a/%2e%2E/b", "/a/.%2e", "/a\\..\\b", "/a/%2e"] {
            assert!(!is_plain(other), "{other}");
        }
    }
}
