use std::fmt;

use crate::error::OAuthError;

/// Who an account at a provider belongs to, as the provider says.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's own, lasting name for the account: at most 255 bytes, without control characters. Compared byte for byte.
    pub subject: String,
    /// What a person would know the account by: an address, a name or a user name, made fit to be shown. It proves nothing, and
    /// may change.
    pub label: Option<String>,
    /// Where the account's API is, as the userinfo endpoint has it: whoever uses it must check it.
    pub api_base: Option<String>,
}

impl Identity {
    /// The first of `names` with something in it to show becomes the label.
    pub(crate) fn new<'a>(subject: String, names: impl Iterator<Item = &'a str>) -> Result<Self, OAuthError> {
        if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return Err(OAuthError::Nonsense("subject"));
        }
        Ok(Self { subject, label: names.map(presentable).find(|name| !name.is_empty()), api_base: None })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity([redacted])")
    }
}

/// A name without the characters that could make a page show something else than is there.
fn presentable(name: &str) -> String {
    let visible: String =
        name.chars().filter(|&char| !char.is_control() && !is_invisible(char)).take(MAX_LABEL).collect();
    visible.trim().to_owned()
}

/// Line separators, zero-width characters, and those that change the direction of writing (UAX #9).
fn is_invisible(char: char) -> bool {
    matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// In bytes: what OpenID Connect Core §2 allows `sub`.
const MAX_SUBJECT: usize = 255;
/// In characters.
const MAX_LABEL: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn label(names: &[&str]) -> Option<String> {
        Identity::new("u-alice".to_owned(), names.iter().copied()).expect("an identity").label
    }

    #[test]
    fn the_first_name_with_something_in_it_is_the_label() {
        assert_eq!(label(&["alice@acme.test", "Alice"]).as_deref(), Some("alice@acme.test"));
        assert_eq!(label(&["", " \u{200b}\n", "Alice"]).as_deref(), Some("Alice"));
        assert_eq!(label(&[]), None);
    }

    #[test]
    fn a_label_shows_what_is_there() {
        for (name, shown) in [
            ("  Zoë Ångström  ", "Zoë Ångström"),
            ("алиса@acme.test", "алиса@acme.test"),
            ("alice\r\n\u{0}\u{1b}[31m\u{85}", "alice[31m"),
            ("\u{202e}tset.emca@ecila\u{202c}", "tset.emca@ecila"),
            ("\u{2066}a\u{2067}b\u{2068}c\u{2069}\u{200e}\u{200f}\u{61c}", "abc"),
            ("al\u{200b}ice\u{feff}\u{2028}\u{ad}\u{e0041}", "alice"),
        ] {
            assert_eq!(label(&[name]).as_deref(), Some(shown), "{name:?}");
        }
        assert_eq!(label(&["é".repeat(1000).as_str()]), Some("é".repeat(100)));
    }

    #[test]
    fn a_subject_is_taken_as_it_is_or_not_at_all() {
        let identity = |subject: &str| Identity::new(subject.to_owned(), std::iter::empty());
        for subject in ["0", " 7 ", "auth0|5f7c8ec7c33c6c004bbafe82", "İ"] {
            assert_eq!(identity(subject).expect("an identity").subject, subject);
        }
        assert!(identity(&"x".repeat(255)).is_ok());
        for subject in ["", "a\n", "a\u{0}", "\u{7f}", &"x".repeat(256)] {
            assert_eq!(identity(subject).expect_err("refused").reason(), "subject", "{subject:?}");
        }
    }

    #[test]
    fn debug_names_nobody() {
        let identity = Identity::new("canary".to_owned(), std::iter::once("canary")).expect("an identity");
        assert_eq!(format!("{identity:?}"), "Identity([redacted])");
    }
}
