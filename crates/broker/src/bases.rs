//! Where the API of one connection is, at providers that have a host for each tenant: the provider's answer names it, and the
//! configuration says which hosts it may name.

use oauth::{Endpoint, HostPattern, Identity, Plaintext, TokenSet};
use url::Url;

use crate::Provider;
use crate::records::Tokens;

/// Which hosts an answer may name as the place of somebody's API.
#[derive(Debug, Clone)]
pub struct Bases {
    hosts: Vec<HostPattern>,
    plaintext: Plaintext,
    template: Option<Template>,
}

/// What becomes of a value that is one label of a name: `https://{}.api.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

/// The text is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a template is an origin with `{{}}` as a whole label, as in \"https://{{}}.api.example.com\"")]
pub struct TemplateError;

/// Why an answer's word is not heeded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BaseRefused {
    #[error("the answer names no place of the API")]
    Missing,
    #[error("the answer names a place of the API that is no https URL and no host")]
    Form,
    #[error("the answer names {0} as the place of the API, which is none of `hosts`")]
    Host(String),
}

impl Template {
    /// Reads an origin in which `{}` stands for one label of the host's name.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (before, after) = text.split_once("{}").ok_or(TemplateError)?;
        let template = Self { before: before.to_owned(), after: after.to_owned() };
        let filled = template.filled("x").and_then(|url| origin(&url, Plaintext::Refused));
        let labels = before.ends_with(['/', '.']) && after.starts_with('.') && !after.contains(['/', '{', '?']);
        if filled.is_none() || !labels { Err(TemplateError) } else { Ok(template) }
    }

    fn filled(&self, label: &str) -> Option<String> {
        let plain = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let fits = (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
        (plain && fits).then(|| format!("{}{label}{}", self.before, self.after))
    }
}

impl Bases {
    /// These hosts, by TLS; by `http` on this machine itself where that is allowed. Answers hold URLs or names of hosts, or what a
    /// template is filled with.
    #[must_use]
    pub fn new(hosts: Vec<HostPattern>, plaintext: Plaintext, template: Option<Template>) -> Self {
        Self { hosts, plaintext, template }
    }

    /// The origin that an answer's word stands for. Whatever follows the origin in it is not heeded: paths are the configuration's.
    fn read(&self, word: &str) -> Result<Url, BaseRefused> {
        let url = match &self.template {
            Some(template) => template.filled(word).ok_or(BaseRefused::Form)?,
            None if word.contains("://") => word.to_owned(),
            None if word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte)) => {
                format!("https://{word}")
            }
            None => return Err(BaseRefused::Form),
        };
        let origin = origin(&url, self.plaintext).ok_or(BaseRefused::Form)?;
        if self.hosts.iter().any(|host| host.fits(&origin)) {
            return Ok(origin);
        }
        let port = origin.port().map(|port| format!(":{port}")).unwrap_or_default();
        Err(BaseRefused::Host(format!("{}{port}", origin.host_str().unwrap_or_default())))
    }

    /// The origin that was stored, if it may still be used.
    fn stored(&self, origin_: &str) -> Option<Url> {
        origin(origin_, self.plaintext).filter(|origin| self.hosts.iter().any(|host| host.fits(origin)))
    }
}

impl Provider {
    /// What a consent brought, with the place of the account's API checked, in the form in which it is stored.
    pub(crate) fn based(&self, tokens: TokenSet, identity: Option<&Identity>) -> Result<TokenSet, BaseRefused> {
        let Some(bases) = &self.bases else { return Ok(TokenSet { api_base: None, ..tokens }) };
        let told = identity.and_then(|identity| identity.api_base.as_deref());
        let word = tokens.api_base.as_deref().or(told).ok_or(BaseRefused::Missing)?;
        let origin = bases.read(word)?.origin().ascii_serialization();
        Ok(TokenSet { api_base: Some(origin), ..tokens })
    }

    /// What a refresh brought, with the place of before: an answer that names another one is not heeded, whatever it names. Who is to
    /// be sent elsewhere consents anew.
    pub(crate) fn rebased(&self, tokens: &TokenSet, before: &Tokens) -> Tokens {
        if let (Some(bases), Some(word)) = (&self.bases, &tokens.api_base) {
            let named = bases.read(word).map(|url| url.origin().ascii_serialization());
            if named.as_ref().ok() != before.base.as_ref() {
                let named = named.unwrap_or_else(|refused| refused.to_string());
                tracing::error!(provider_id = %self.id, named, "a refresh names another place of the API than the consent: the place stays");
            }
        }
        let base = before.base.clone();
        Tokens::new(&TokenSet { api_base: base, ..tokens.clone() })
    }

    /// Where these tokens may be sent: `None` for where the configuration says, an error where that can be nowhere.
    pub(crate) fn place_of(&self, tokens: &Tokens) -> Result<Option<Url>, BaseRefused> {
        let Some(bases) = &self.bases else { return Ok(None) };
        let stored = tokens.base.as_deref().ok_or(BaseRefused::Missing)?;
        bases.stored(stored).map(Some).ok_or_else(|| BaseRefused::Host(stored.to_owned()))
    }
}

fn origin(text: &str, plaintext: Plaintext) -> Option<Url> {
    let mut url = Endpoint::parse(text, plaintext).ok()?.url().clone();
    url.set_path("");
    url.set_query(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bases(hosts: &[&str], plaintext: Plaintext, template: Option<&str>) -> Bases {
        let hosts = hosts.iter().map(|host| HostPattern::parse(host).expect("a pattern")).collect();
        Bases::new(hosts, plaintext, template.map(|text| Template::parse(text).expect("a template")))
    }

    fn read(hosts: &[&str], word: &str) -> Result<String, BaseRefused> {
        bases(hosts, Plaintext::Refused, None).read(word).map(String::from)
    }

    #[test]
    fn an_answer_names_an_origin_among_the_hosts() {
        for (word, origin) in [
            ("https://acme.my.salesforce.com", "https://acme.my.salesforce.com/"),
            ("https://ACME.my.salesforce.com:443/services/data?x=1", "https://acme.my.salesforce.com/"),
            ("acme.my.salesforce.com", "https://acme.my.salesforce.com/"),
            ("https://acme--dev.sandbox.my.salesforce.com/", "https://acme--dev.sandbox.my.salesforce.com/"),
        ] {
            assert_eq!(read(&["*.my.salesforce.com"], word).as_deref(), Ok(origin), "{word}");
        }
        assert_eq!(
            read(&["api.example.com:8443"], "https://api.example.com:8443").as_deref(),
            Ok("https://api.example.com:8443/")
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for word in [
            "https://evil.example",
            "https://my.salesforce.com",
            "https://acme.my.salesforce.com.evil.example",
            "https://acme.my.salesforce.com:8443",
            "https://acme.my.salesforce.com.",
            "https://evilmy.salesforce.com",
            "evil.example",
            "https://[::1]",
            "169.254.169.254",
        ] {
            assert!(matches!(read(&["*.my.salesforce.com"], word), Err(BaseRefused::Host(_))), "{word}");
        }
        for word in [
            "http://acme.my.salesforce.com",
            "https://acme.my.salesforce.com@evil.example",
            "https://user:pw@acme.my.salesforce.com",
            "https://evil.example\\.my.salesforce.com",
            "//acme.my.salesforce.com",
            "acme.my.salesforce.com/x",
            "evil.example?.my.salesforce.com",
            "evil.example#.my.salesforce.com",
            "ftp://acme.my.salesforce.com",
            "https://acme.my.salesforce.com#x",
            "https:///acme.my.salesforce.com",
            "acme my.salesforce.com",
            "\u{e4}.my.salesforce.com",
            "",
        ] {
            assert_eq!(read(&["*.my.salesforce.com"], word), Err(BaseRefused::Form), "{word}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_in_development() {
        let word = "http://127.0.0.1:4180";
        assert_eq!(read(&["127.0.0.1:4180"], word), Err(BaseRefused::Form));
        let allowed = bases(&["127.0.0.1:4180", "api.example.com"], Plaintext::Allowed, None);
        assert!(allowed.read(word).is_ok());
        assert!(allowed.read("http://api.example.com").is_err());
    }

    #[test]
    fn a_label_fills_a_template() {
        let bases = bases(&["*.api.mailchimp.com"], Plaintext::Refused, Some("https://{}.api.mailchimp.com"));
        assert_eq!(bases.read("us19").map(String::from).as_deref(), Ok("https://us19.api.mailchimp.com/"));
        for word in
            ["", "us19.evil", "evil.example/", "evil.example#", "-a", "a-", "US19", "https://us19.api.mailchimp.com"]
        {
            assert_eq!(bases.read(word), Err(BaseRefused::Form), "{word}");
        }
        for text in [
            "https://{}",
            "https://api.example.com",
            "https://a{}.example.com",
            "https://{}x.example.com",
            "http://{}.a.example",
            "https://{}.a.example/b",
            "https://{}.{}.a",
        ] {
            assert_eq!(Template::parse(text), Err(TemplateError), "{text}");
        }
    }

    #[test]
    fn a_narrower_list_holds_for_what_is_stored() {
        assert!(bases(&["*.a.example"], Plaintext::Refused, None).stored("https://x.a.example").is_some());
        assert!(bases(&["y.a.example"], Plaintext::Refused, None).stored("https://x.a.example").is_none());
    }
}
