use std::path::Path;

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

/// What the command finds in its environment instead of what was there: `None` is nothing.
pub(super) type Variables = Vec<(String, Option<String>)>;

/// What a command is to be told.
pub(super) struct Told<'a> {
    /// The proxy, with its secret.
    pub(super) proxy: &'a str,
    /// The services' base URLs.
    pub(super) base_urls: Vec<(&'a str, String)>,
    /// The hosts that lead to the gateway, as URLs begin.
    pub(super) taken: Vec<String>,
    /// Where the certificates to trust are.
    pub(super) trust: Vec<(&'static str, &'a Path)>,
}

impl Told<'_> {
    /// As variables; `variable` is the environment as it is.
    pub(super) fn variables(&self, variable: &dyn Fn(&str) -> Option<String>) -> Variables {
        let mut variables = Variables::new();
        let mut set = |name: &str, value: String| variables.push((name.to_owned(), Some(value)));
        // curl reads http_proxy in lower case alone, others in upper case alone.
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            set(name, self.proxy.to_owned());
        }
        let direct = self.direct(variable);
        for name in ["NO_PROXY", "no_proxy"] {
            set(name, direct.clone());
        }
        set("NODE_USE_ENV_PROXY", "1".to_owned());
        for (name, path) in &self.trust {
            set(name, path.display().to_string());
        }
        for (service, url) in &self.base_urls {
            let name = base_url_name(service);
            // A library's own setting may have the name of a service; what the person has set is theirs.
            if variable(&name).is_none() {
                set(&name, url.clone());
            }
        }
        // The login is this program's. Whatever the command wants of the gateway, it asks by the proxy.
        variables.push(("ATH_TOKEN".to_owned(), None));
        variables
    }

    /// The base URLs' names, for the person: which are set, and which were set before.
    pub(super) fn names(&self, variable: &dyn Fn(&str) -> Option<String>) -> (Vec<String>, Vec<String>) {
        self.base_urls.iter().map(|(service, _)| base_url_name(service)).partition(|name| variable(name).is_none())
    }

    /// What goes by no proxy: what did not before, but for the hosts that lead to the gateway, and this machine itself.
    fn direct(&self, variable: &dyn Fn(&str) -> Option<String>) -> String {
        let before = variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
        let before = before.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let mut entries: Vec<&str> = Vec::new();
        for entry in before.chain(["127.0.0.1", "::1", "localhost"]) {
            if !entries.contains(&entry) && !self.taken.iter().any(|origin| covers(entry, origin)) {
                entries.push(entry);
            }
        }
        entries.join(",")
    }
}

/// Whether an entry of `NO_PROXY` keeps calls to this origin away from a proxy.
fn covers(entry: &str, origin: &str) -> bool {
    let Ok(uri) = format!("{origin}/").parse::<Uri>() else { return false };
    // Some programs know entries with a star or a port, others compare the end of a name alone; a host that one of them would pass by is one too many.
    let entry = entry
        .trim_start_matches('*')
        .rsplit_once(':')
        .map_or(entry, |(name, port)| if port.parse::<u16>().is_ok() && !name.contains(':') { name } else { entry });
    let entry = if entry.trim_start_matches('*').is_empty() { "*" } else { entry.trim_start_matches('*') };
    Matcher::builder().all("http://127.0.0.1:9").no(entry).build().intercept(&uri).is_none()
}

/// `my-crm` is `MY_CRM_BASE_URL`.
fn base_url_name(service: &str) -> String {
    let name = service.to_ascii_uppercase().replace('-', "_");
    // No shell has a variable that begins with a digit.
    let gap = if name.starts_with(|first: char| first.is_ascii_digit()) { "_" } else { "" };
    format!("{gap}{name}_BASE_URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(taken: &[&str]) -> Told<'static> {
        let base_urls = vec![("my-crm", "http://127.0.0.1:4000/s/my-crm".to_owned()), ("3d", "x".to_owned())];
        let trust = vec![("SSL_CERT_FILE", Path::new("/tmp/x.pem"))];
        let taken = taken.iter().map(|origin| (*origin).to_owned()).collect();
        Told { proxy: "http://ath:secret@127.0.0.1:4000", base_urls, taken, trust }
    }

    fn value(variables: &Variables, name: &str) -> Option<String> {
        variables.iter().find(|(known, _)| known == name).and_then(|(_, value)| value.clone())
    }

    #[test]
    fn programs_are_told_of_the_proxy_and_of_nothing_secret_beside_it() {
        let variables = told(&["https://api.example.com"]).variables(&|_| None);
        for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
            assert_eq!(value(&variables, name).as_deref(), Some("http://ath:secret@127.0.0.1:4000"), "{name}");
        }
        for (name, expected) in [
            ("NO_PROXY", "127.0.0.1,::1,localhost"),
            ("NODE_USE_ENV_PROXY", "1"),
            ("SSL_CERT_FILE", "/tmp/x.pem"),
            ("MY_CRM_BASE_URL", "http://127.0.0.1:4000/s/my-crm"),
            ("_3D_BASE_URL", "x"),
        ] {
            assert_eq!(value(&variables, name).as_deref(), Some(expected), "{name}");
        }
        assert!(variables.contains(&("ATH_TOKEN".to_owned(), None)), "a token is taken away");
    }

    #[test]
    fn what_the_person_has_set_is_theirs() {
        let before = |name: &str| (name == "MY_CRM_BASE_URL").then(|| "https://own.example".to_owned());
        let variables = told(&[]).variables(&before);
        assert_eq!(
            (value(&variables, "MY_CRM_BASE_URL"), value(&variables, "_3D_BASE_URL")),
            (None, Some("x".to_owned()))
        );
        assert!(!variables.iter().any(|(name, _)| name == "MY_CRM_BASE_URL"), "nor is it taken away");
        assert_eq!(told(&[]).names(&before), (vec!["_3D_BASE_URL".to_owned()], vec!["MY_CRM_BASE_URL".to_owned()]));
    }

    #[test]
    fn what_went_directly_goes_directly_but_for_services() {
        let before = |name: &str| {
            (name == "no_proxy")
                .then(|| ".corp.test, api.example.com,10.0.0.0/8,*.example.com,example.com,x.test:8080".to_owned())
        };
        let variables = told(&["https://api.example.com"]).variables(&before);
        let direct = value(&variables, "NO_PROXY").expect("set");
        assert_eq!(direct, ".corp.test,10.0.0.0/8,x.test:8080,127.0.0.1,::1,localhost");
        let variables = told(&["http://localhost:9000", "https://10.1.2.3"]).variables(&before);
        let direct = value(&variables, "NO_PROXY").expect("set");
        assert_eq!(direct, ".corp.test,api.example.com,*.example.com,example.com,x.test:8080,127.0.0.1,::1");
        let star = told(&["https://api.example.com"]).variables(&|_| Some("*".to_owned()));
        assert_eq!(value(&star, "NO_PROXY").as_deref(), Some("127.0.0.1,::1,localhost"));
    }
}
