use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::{Browser, Page, Reply, Request, Served};

/// Somebody to whom programs send links, as they would open a browser: signs in as alice, says yes to everything, and comes back to the
/// program's redirect URI.
pub struct Person {
    desk: Served,
    browser: Arc<Mutex<Browser>>,
    opened: Arc<Mutex<Vec<String>>>,
}

impl Default for Person {
    fn default() -> Self {
        let (browser, opened) = (Arc::<Mutex<Browser>>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (theirs, seen) = (browser.clone(), opened.clone());
        let desk = Served::start(move |request| {
            let link = request.query("link").expect("a link");
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(link.clone());
            // Programs do not wait for what a person does.
            let browser = theirs.clone();
            std::thread::spawn(move || follow(&mut browser.lock().unwrap_or_else(PoisonError::into_inner), &link));
            Reply::of("200 OK", "text/plain", b"opened")
        });
        Self { desk, browser, opened }
    }
}

impl Person {
    /// Where links are sent to, in the parameter `link`.
    #[must_use]
    pub fn url(&self) -> String {
        self.desk.url()
    }

    /// The links so far.
    #[must_use]
    pub fn opened(&self) -> Vec<String> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many links of a program's own login there were.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.opened().iter().filter(|link| link.contains("/oauth/authorize?")).count()
    }

    /// Follows a link that was read somewhere, to its end; the last page.
    pub fn follow(&self, link: &str) -> Page {
        follow(&mut self.browser.lock().unwrap_or_else(PoisonError::into_inner), link)
    }

    /// What they do in their browser themselves.
    pub fn with_browser<T>(&self, deed: impl FnOnce(&mut Browser) -> T) -> T {
        deed(&mut self.browser.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn follow(browser: &mut Browser, link: &str) -> Page {
    let url = Url::parse(link).expect("a URL");
    let redirect_uri = url.query_pairs().find(|(name, _)| name == "redirect_uri").map(|(_, value)| value.into_owned());
    let Some(redirect_uri) = redirect_uri else {
        let page = browser.open(link);
        return pressed(browser, page);
    };
    let path = Url::parse(&redirect_uri).expect("a URL").path().to_owned();
    let page = browser.stopping_at(&path, |browser| {
        let page = browser.open(link);
        pressed(browser, page)
    });
    if page.answer.status != 0 {
        return page;
    }
    // A person is slower than this: some programs listen only when the browser is open.
    let port = page.url.port().expect("a port");
    crate::eventually("the program listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let answer = Request::new("GET", page.url.as_str()).send();
    Page { url: page.url, answer }
}

/// Of services to choose from, the first.
fn first_choice(page: &Page) -> Option<String> {
    let html = page.answer.body_text();
    let link = html.split_once("class=\"choices\"")?.1.split_once("href=\"")?.1.split_once('"')?.0;
    let link = link.replace("&amp;", "&").replace("&#38;", "&");
    Some(page.url.join(&link).expect("a link").to_string())
}

/// Presses on until a page has no button for it, or leads to a program's redirect URI.
fn pressed(browser: &mut Browser, page: Page) -> Page {
    let mut page = page;
    for _ in 0..12 {
        if page.answer.status != 200 {
            return page;
        }
        page = if page.says("name=\"username\"") {
            browser.submit(&page, &[("username", "alice@acme.test"), ("password", "demo1234")])
        } else if page.says("value=\"continue\"") {
            browser.submit(&page, &[("decision", "continue")])
        } else if page.says("value=\"allow\"") {
            browser.submit(&page, &[("decision", "allow")])
        } else if let (true, Some(code)) = (page.says("name=\"user_code\""), page.parameters().get("user_code")) {
            browser.submit(&page, &[("user_code", code)])
        } else if let Some(link) = first_choice(&page) {
            browser.open(&link)
        } else if page.url.path().starts_with("/ath/reconnect/") && page.says("<form") {
            browser.submit(&page, &[])
        } else {
            return page;
        };
    }
    panic!("no end at {}", page.url);
}
