use crate::error::FormError;

/// What a value may look like. No form has room for a character that means something in a URL or a TOML string, besides the slashes and the
/// port of [`Form::Base`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// One label of a DNS name: `acme`.
    Label,
    /// A DNS name of two labels or more: `acme.okta.com`.
    Host,
    /// One segment of a path: `8a4b-11ee`.
    Segment,
    /// An https URL without user, query, fragment and slash at the end: `https://gitlab.example.com`.
    Base,
    /// One of these words.
    OneOf(Vec<String>),
}

impl Form {
    /// Whether the text has the form.
    pub fn check(&self, text: &str) -> Result<(), FormError> {
        let fits = match self {
            Self::Label => is_label(text),
            Self::Host => is_host(text) && text.contains('.') && !ends_in_number(text),
            Self::Segment => is_segment(text),
            Self::Base => is_base(text),
            Self::OneOf(words) => words.iter().any(|word| word == text),
        };
        if fits { Ok(()) } else { Err(FormError { wanted: self.wanted() }) }
    }

    /// What the slip is that keeps the text from the form, and the text without it; `None` where that cannot be told.
    #[must_use]
    pub fn mended(&self, text: &str) -> Option<(&'static str, String)> {
        let lower = text.trim().to_ascii_lowercase();
        let bare = lower.split_once("://").map_or(lower.as_str(), |(_, rest)| rest);
        let host = bare.split(['/', '?', '#', ':']).next().unwrap_or_default();
        let (slip, mended) = match self {
            Self::Label if host.contains('.') => ("is a whole host name", host.split('.').next()?.to_owned()),
            Self::Label | Self::Host if host.len() < bare.len() || bare.len() < lower.len() => {
                ("is a URL, or has a port", host.to_owned())
            }
            Self::Label | Self::Host | Self::OneOf(_) => ("has upper case letters or spaces", lower),
            Self::Base if text.starts_with("http://") => ("is http", text.replacen("http://", "https://", 1)),
            Self::Base if text.ends_with('/') => ("ends with a slash", text.trim_end_matches('/').to_owned()),
            Self::Base if !text.contains("://") => ("has no https:// before it", format!("https://{text}")),
            Self::Base | Self::Segment => return None,
        };
        if self.check(&mended).is_ok() {
            return Some((slip, mended));
        }
        // One slip hides another, as in `http://git.example/`; the text gets shorter or better each time, or nothing is proposed.
        if mended == text { None } else { self.mended(&mended).map(|(_, mended)| (slip, mended)) }
    }

    /// What is expected, for people.
    #[must_use]
    pub fn wanted(&self) -> String {
        match self {
            Self::Label => "part of a host name: a-z, 0-9 and - alone".to_owned(),
            Self::Host => "host name, in lower case and without port".to_owned(),
            Self::Segment => "plain segment of a path: letters, digits, - . _ and ~ alone".to_owned(),
            Self::Base => "https URL without query and without slash at the end".to_owned(),
            Self::OneOf(words) => format!("word it knows: {}", words.join(", ")),
        }
    }

    /// As it stands in the files; `one_of` has its words.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Host => "host",
            Self::Segment => "segment",
            Self::Base => "base",
            Self::OneOf(_) => "one_of",
        }
    }

    /// A regular expression (ECMA 262) that nearly says the same, for editors; none where there are words.
    #[must_use]
    pub fn pattern(&self) -> Option<&'static str> {
        match self {
            Self::Label => Some("^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"),
            Self::Host => Some("^[a-z0-9-]+(\\.[a-z0-9-]+)+$"),
            Self::Segment => Some("^[A-Za-z0-9._~-]+$"),
            Self::Base => {
                Some("^(https://[a-z0-9.-]+|http://(localhost|127\\.0\\.0\\.1))(:[0-9]+)?(/[A-Za-z0-9._~-]+)*$")
            }
            Self::OneOf(_) => None,
        }
    }
}

fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
        && !text.starts_with("xn--")
}

fn is_host(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Such a name is read as an address (WHATWG URL).
fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x")
}

fn is_segment(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (1..=255).contains(&text.len()) && text.bytes().all(plain) && !matches!(text, "." | "..")
}

fn is_base(text: &str) -> bool {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let mut parts = rest.split('/');
    let authority = parts.next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    // On this machine itself http will do, as far as the configuration's own rules go.
    let scheme = scheme == "https" || scheme == "http" && matches!(host, "localhost" | "127.0.0.1");
    scheme && is_host(host) && is_port && parts.all(is_segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_the_form() {
        let words = Form::OneOf(vec!["eu".to_owned(), "com.au".to_owned()]);
        for (form, text) in [
            (&Form::Label, "acme"),
            (&Form::Label, "acme-2"),
            (&Form::Host, "acme.okta.com"),
            (&Form::Host, "id.acme.example"),
            (&Form::Segment, "common"),
            (&Form::Segment, "Iv1.8a61f9b3a7aba766"),
            (&Form::Segment, "~x_y"),
            (&Form::Base, "https://gitlab.example.com"),
            (&Form::Base, "https://id.example.com:8443/auth"),
            (&Form::Base, "https://10.0.0.5"),
            (&Form::Base, "http://127.0.0.1:8080/realms"),
            (&words, "com.au"),
        ] {
            assert_eq!(form.check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_slip_is_mended() {
        for (form, text, mended) in [
            (Form::Host, "https://acme.okta.com/", Some("acme.okta.com")),
            (Form::Host, "Acme.okta.com", Some("acme.okta.com")),
            (Form::Label, "acme.zendesk.com", Some("acme")),
            (Form::Label, "Acme", Some("acme")),
            (Form::Base, "http://git.example", Some("https://git.example")),
            (Form::Base, "https://git.example/", Some("https://git.example")),
            (Form::Base, "git.example", Some("https://git.example")),
            (Form::Base, "http://git.example/", Some("https://git.example")),
            (Form::Base, "Git example", None),
            (Form::Base, "https://u@git.example", None),
            (Form::Segment, "a/b", None),
        ] {
            assert_eq!(form.mended(text).map(|(_, text)| text).as_deref(), mended, "{text}");
        }
    }

    /// What would move a token to another place, or leave a string.
    #[test]
    fn what_has_not() {
        let words = Form::OneOf(vec!["eu".to_owned()]);
        for (form, texts) in [
            (
                &Form::Label,
                [
                    "",
                    "a.b",
                    "evil.com/",
                    "evil.com#",
                    "evil.com?",
                    "a@b",
                    "a:1",
                    "A",
                    "-a",
                    "a-",
                    "a\\b",
                    "a\"",
                    "a b",
                    "a%2f",
                    "\u{e4}",
                    "a\n",
                    "{x}",
                    "_a",
                    "xn--a",
                ]
                .as_slice(),
            ),
            (
                &Form::Host,
                &["acme", "a..b", ".a.b", "a.b.", "127.0.0.1", "1.0x7f", "a.b:1", "a.b/c", "u@a.b", "A.b", "[::1]"],
            ),
            (&Form::Segment, &["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "a\\b", "a;b", "a:b", "a@b"]),
            (
                &Form::Base,
                &[
                    "http://a.b",
                    "https://",
                    "https:///a",
                    "https://a.b/",
                    "https://a.b?x",
                    "https://a.b#x",
                    "https://u@a.b",
                    "https://a.b:",
                    "https://a.b:0",
                    "https://a.b:99999",
                    "https://a.b:+1",
                    "https://a.b//c",
                    "https://a.b/..",
                    "https://a.b\\c",
                    "HTTPS://a.b",
                    "https://[::1]",
                    " https://a.b",
                ],
            ),
            (&words, &["", "EU", "eu/", "us"]),
        ] {
            for text in texts {
                assert!(form.check(text).is_err(), "{form:?}: {text:?}");
            }
        }
    }
}
