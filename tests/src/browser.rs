use std::collections::BTreeMap;

use url::Url;
use url::form_urlencoded::Serializer;

use crate::{Answer, CANARY, Request};

/// A person's browser: cookies by host, redirects, forms. What it is shown by the gateway is searched for canaries.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    /// Stands for a gateway behind its public URL: requests to the first port go to the second.
    reroute: Option<(u16, u16)>,
    received: Vec<u8>,
    /// What a proxy in front of the gateway adds to each request.
    added: Vec<(String, String)>,
    /// A path that the browser does not open.
    stop: Option<String>,
}

/// Where the browser is now.
pub struct Page {
    /// The last URL.
    pub url: Url,
    /// What stands there; status 0 where nobody listens, as at an agent's redirect URI.
    pub answer: Answer,
}

impl Browser {
    /// A browser that has been nowhere.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on the gateway's public port leads to another replica.
    pub fn reroute(&mut self, public: u16, replica: u16) {
        self.reroute = Some((public, replica));
    }

    /// Every byte that the gateway has sent it.
    #[must_use]
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Plants a cookie, as somebody with a foot in the door might.
    pub fn plant(&mut self, host: &str, name: &str, value: &str) {
        self.cookies.entry(host.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
    }

    /// The cookies that go to a host.
    #[must_use]
    pub fn cookies(&self, host: &str) -> BTreeMap<String, String> {
        self.cookies.get(host).cloned().unwrap_or_default()
    }

    /// Opens a link and stays where it leads first: the URL of its redirect.
    pub fn peek(&mut self, url: &str) -> (Answer, Option<String>) {
        let answer = self.one("GET", &Url::parse(url).expect("a URL"), None, &[]).expect("served");
        let location = answer.header("location").map(str::to_owned);
        (answer, location)
    }

    /// From now on a proxy in front of the gateway adds these headers to each request.
    pub fn proxied(&mut self, headers: &[(&str, &str)]) {
        self.added = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    }

    /// Where `way` leads to, up to `path`, which the browser does not open.
    pub fn stop_at(&mut self, path: &str, way: impl FnOnce(&mut Self) -> Page) -> Url {
        self.stop = Some(path.to_owned());
        let url = way(self).url;
        self.stop = None;
        assert_eq!(url.path(), path);
        url
    }

    /// The same for a way that may end elsewhere: at `path` the page has status 0.
    pub(crate) fn stopping_at(&mut self, path: &str, way: impl FnOnce(&mut Self) -> Page) -> Page {
        self.stop = Some(path.to_owned());
        let page = way(self);
        self.stop = None;
        page
    }

    /// The cookie of the gateway's whose name begins so.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies("127.0.0.1").into_iter().find(|(known, _)| known.starts_with(name)).map(|(_, value)| value)
    }

    /// Loses the cookies of a host: nobody is signed in there any more.
    pub fn forget(&mut self, host: &str) {
        self.cookies.remove(host);
    }

    /// Fills in the form that is sent to `action`, wherever it stands on the page.
    pub fn submit_to(&mut self, action: &str, page: &Page, fields: &[(&str, &str)]) -> Page {
        let html = page.answer.body_text();
        let form = html.split("<form").find(|form| form.contains(&format!("action=\"{action}\"")));
        let form = form.unwrap_or_else(|| panic!("no form for {action} at {}: {html}", page.url));
        let mut alone = Page { url: page.url.clone(), answer: page.answer.clone() };
        alone.answer.body = format!("<form{form}").into_bytes();
        self.submit(&alone, fields)
    }

    /// Opens a link and follows redirects.
    pub fn open(&mut self, url: &str) -> Page {
        self.go("GET", Url::parse(url).expect("a URL"), None, &[])
    }

    /// Fills in the first form and presses the button.
    pub fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Page {
        self.submit_from(page, fields, &[])
    }

    /// The same with other headers: another origin, say.
    pub fn submit_from(&mut self, page: &Page, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let (action, form) = filled(page, fields);
        self.go("POST", action, Some(form), headers)
    }

    /// Presses the button and stays with what comes back, wherever that leads.
    pub fn submit_once(&mut self, page: &Page, fields: &[(&str, &str)]) -> Answer {
        let (action, form) = filled(page, fields);
        self.one("POST", &action, Some(form), &[]).expect("served")
    }

    /// The request that pressing the button would send, to be sent as often as one likes; the browser learns nothing from its answers.
    #[must_use]
    pub fn request(&self, page: &Page, fields: &[(&str, &str)]) -> Request {
        let (action, form) = filled(page, fields);
        let host = action.host_str().expect("a host").to_owned();
        Request::new("POST", action.as_str())
            .header("cookie", &self.cookie_header(&host))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", &action.origin().ascii_serialization())
            .body(form.into_bytes())
    }

    /// The `Cookie` header that goes to a host.
    #[must_use]
    pub fn cookie_header(&self, host: &str) -> String {
        let pairs = self.cookies.get(host).into_iter().flatten();
        pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// The whole consent of alice, from the link to the end; the parameters of the agent's redirect URI.
    pub fn consent(&mut self, link: &str) -> BTreeMap<String, String> {
        let page = self.sign_in(link);
        let page = self.submit(&page, &[("decision", "allow")]);
        assert!(page.says("alice@acme.test"), "the account is named: {}", page.answer.body_text());
        self.submit(&page, &[("decision", "continue")]).parameters()
    }

    /// Allow at the gateway, and alice's sign-in at the helpdesk: the helpdesk's own consent page.
    pub fn sign_in(&mut self, link: &str) -> Page {
        let page = self.open(link);
        assert_eq!(page.answer.status, 200, "{}", page.answer.body_text());
        let page = self.submit(&page, &[("decision", "allow")]);
        self.submit(&page, &[("username", "alice@acme.test"), ("password", "demo1234")])
    }

    fn go(&mut self, method: &str, url: Url, form: Option<String>, headers: &[(&str, &str)]) -> Page {
        let (mut method, mut url, mut form) = (method, url, form);
        for _ in 0..12 {
            let Some(answer) = self.one(method, &url, form.take(), headers) else {
                return Page {
                    url,
                    answer: Answer { status: 0, headers: Vec::new(), body: Vec::new(), bytes: Vec::new() },
                };
            };
            let location = answer.header("location").map(str::to_owned);
            match location {
                Some(location) if (300..400).contains(&answer.status) => {
                    url = url.join(&location).expect("a URL");
                    method = "GET";
                }
                _ => return Page { url, answer },
            }
        }
        panic!("too many redirects, the last to {url}");
    }

    /// `None` where the URL is an agent's redirect URI: the tests read it, and nobody serves it.
    fn one(&mut self, method: &str, url: &Url, form: Option<String>, headers: &[(&str, &str)]) -> Option<Answer> {
        if url.path() == "/callback" || self.stop.as_deref() == Some(url.path()) {
            return None;
        }
        let host = url.host_str().expect("a host").to_owned();
        let mut target = url.clone();
        let gateway = host == "127.0.0.1";
        if let Some((public, replica)) = self.reroute
            && gateway
            && url.port() == Some(public)
        {
            target.set_port(Some(replica)).expect("a port");
        }
        let mut request = Request::new(method, target.as_str()).header("cookie", &self.cookie_header(&host));
        request = request.header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        if let Some(form) = form {
            request = request.header("content-type", "application/x-www-form-urlencoded").body(form.into_bytes());
            if headers.is_empty() {
                request = request.header("origin", &url.origin().ascii_serialization());
            }
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        for (name, value) in self.added.iter().filter(|_| gateway) {
            request = request.header(name, value);
        }
        let answer = request.send();
        if gateway {
            self.received.extend_from_slice(&answer.bytes);
            assert!(!String::from_utf8_lossy(&answer.bytes).contains(CANARY), "a page of the gateway's shows a token");
        }
        let jar = self.cookies.entry(host).or_default();
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            if let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) {
                if cookie.contains("Max-Age=0") {
                    jar.remove(name);
                } else {
                    jar.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        Some(answer)
    }
}

impl Page {
    /// Whether a person would read `text` there.
    #[must_use]
    pub fn says(&self, text: &str) -> bool {
        self.answer.body_text().contains(text)
    }

    /// The parameters of the URL.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, String> {
        self.url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }
}

/// Where the first form of a page goes, and what is in it once it is filled in.
fn filled(page: &Page, fields: &[(&str, &str)]) -> (Url, String) {
    let html = page.answer.body_text();
    let form = between(&html, "<form", "</form>").unwrap_or_else(|| panic!("no form at {}: {html}", page.url));
    let mut filled = Serializer::new(String::new());
    for input in form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = attribute(input, "name").unwrap_or_default();
        let hidden = attribute(input, "type").as_deref() == Some("hidden");
        let chosen = attribute(input, "type").as_deref() == Some("radio") && input.contains("checked");
        if (hidden || chosen) && fields.iter().all(|(field, _)| *field != name) {
            filled.append_pair(&name, &attribute(input, "value").unwrap_or_default());
        }
    }
    filled.extend_pairs(fields);
    let action = page.url.join(&attribute(form, "action").unwrap_or_default()).expect("an action");
    (action, filled.finish())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(inside, _)| inside)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = between(tag, &format!(" {name}=\""), "\"")?;
    Some(
        value
            .replace("&#38;", "&")
            .replace("&#34;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
            .replace("&quot;", "\""),
    )
}
