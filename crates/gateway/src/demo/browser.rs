use std::collections::HashMap;

use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{Method, StatusCode};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::demo::Failure;
use crate::egress;

/// What a person's browser does, no more: keeps cookies by host, follows redirects, fills in forms.
pub(crate) struct Browser {
    http: reqwest::Client,
    cookies: HashMap<String, HashMap<String, String>>,
}

/// A page, as it was shown.
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: StatusCode,
    pub(crate) html: String,
}

impl Browser {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { http: egress::loopback_client()?, cookies: HashMap::new() })
    }

    pub(crate) async fn open(&mut self, url: &str) -> Result<Page, Failure> {
        self.go(Method::GET, Url::parse(url)?, None).await
    }

    /// Fills in the first form of a page and presses the button that says `decision`.
    pub(crate) async fn submit(&mut self, page: &Page, fields: &[(&str, &str)]) -> Result<Page, Failure> {
        let form = between(&page.html, "<form", "</form>").ok_or("the page has no form")?;
        let action = attribute(form, "action").unwrap_or_default();
        let mut filled = Serializer::new(String::new());
        for input in form.split("<input").skip(1) {
            let input = input.split('>').next().unwrap_or_default();
            let name = attribute(input, "name").unwrap_or_default();
            let given = fields.iter().any(|(field, _)| *field == name);
            if attribute(input, "type").as_deref() == Some("hidden") && !given {
                filled.append_pair(&name, &attribute(input, "value").unwrap_or_default());
            }
        }
        filled.extend_pairs(fields);
        self.go(Method::POST, page.url.join(&action)?, Some(filled.finish())).await
    }

    async fn go(&mut self, method: Method, url: Url, form: Option<String>) -> Result<Page, Failure> {
        let (mut method, mut url, mut form) = (method, url, form);
        for _ in 0..MAX_REDIRECTS {
            let mut request = self.http.request(method, url.clone()).header(COOKIE, self.cookies_for(&url));
            if let Some(form) = form.take() {
                request = request.header("origin", url.origin().ascii_serialization());
                request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
            }
            let response = request.send().await?;
            self.keep(&url, response.headers());
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            match location {
                Some(location) if response.status().is_redirection() => {
                    url = url.join(location)?;
                    method = Method::GET;
                }
                _ => {
                    let status = response.status();
                    let html = response.text().await?;
                    return Ok(Page { url, status, html });
                }
            }
        }
        Err("too many redirects".into())
    }

    fn cookies_for(&self, url: &Url) -> String {
        let jar = self.cookies.get(url.host_str().unwrap_or_default());
        let pairs: Vec<String> = jar.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn keep(&mut self, url: &Url, headers: &http::HeaderMap) {
        let jar = self.cookies.entry(url.host_str().unwrap_or_default().to_owned()).or_default();
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok()) {
            if let Some((name, value)) = cookie.split(';').next().and_then(|pair| pair.split_once('=')) {
                jar.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

impl Page {
    /// Whether a person would read `text` on it.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inside, _)| inside)
}

/// The value of an attribute in the first tag that has it.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = between(tag, &format!(" {name}=\""), "\"")?;
    let plain = value
        .replace("&#38;", "&")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">");
    Some(plain.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

const MAX_REDIRECTS: usize = 12;

#[cfg(test)]
mod tests {
    use super::attribute;

    #[test]
    fn attributes_are_read_and_decoded() {
        let tag = r#" type="hidden" name="csrf" value="a&#38;b&quot;""#;
        assert_eq!(attribute(tag, "name").as_deref(), Some("csrf"));
        assert_eq!(attribute(tag, "value").as_deref(), Some("a&b\""));
        assert_eq!(attribute(tag, "action"), None);
    }
}
