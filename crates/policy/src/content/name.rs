use std::fmt;

/// A name, or the names that begin and end so: `items.list`, `items.*`, `get_*_by_id`, `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    before: Box<str>,
    /// `None` where there is no star.
    after: Option<Box<str>>,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NamePatternError {
    /// It is empty, or has spaces or signs that do not print.
    #[error("is no name; write one such as \"items.list\", without spaces")]
    Form,
    /// A star at the beginning, or a second one.
    #[error("has a star at its beginning, or two; write one at the end or inside, as in \"items.*\", or \"*\" alone")]
    Star,
}

impl NamePattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, NamePatternError> {
        if text.is_empty() || text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err(NamePatternError::Form);
        }
        let Some((before, after)) = text.split_once('*') else {
            return Ok(Self { before: text.into(), after: None });
        };
        if after.contains('*') || (before.is_empty() && !after.is_empty()) {
            return Err(NamePatternError::Star);
        }
        Ok(Self { before: before.into(), after: Some(after.into()) })
    }

    /// Whether a name is meant: byte for byte, the star for any text, and none.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match &self.after {
            None => *self.before == *name,
            Some(after) => name.strip_prefix(&*self.before).is_some_and(|rest| rest.ends_with(&**after)),
        }
    }

    /// What stands before the star, or all of it.
    pub(super) fn beginning(&self) -> &str {
        &self.before
    }

    pub(super) fn is_made_of(&self, form: impl Fn(char) -> bool) -> bool {
        self.before.chars().chain(self.after.iter().flat_map(|after| after.chars())).all(form)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            None => f.write_str(&self.before),
            Some(after) => write!(f, "{}*{after}", self.before),
        }
    }
}

/// Whether some pattern means the name.
pub(super) fn any(patterns: &[NamePattern], name: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("items.list", "items.list", true),
            ("items.list", "Items.list", false),
            ("items.list", "items.lists", false),
            ("items.*", "items.list", true),
            ("items.*", "items.", true),
            ("items.*", "items", false),
            ("items.*", "xitems.list", false),
            ("get_*_by_id", "get_item_by_id", true),
            ("get_*_by_id", "get__by_id", true),
            ("get_*_by_id", "get_by_id", false),
            ("aa*aa", "aaa", false),
            ("aa*aa", "aaaa", true),
            ("*", "", true),
            ("*", "anything at all", true),
        ] {
            let read = NamePattern::parse(pattern).expect("a pattern");
            assert_eq!(read.matches(name), expected, "{pattern} on {name}");
            assert_eq!(read.to_string(), pattern);
        }
        for text in ["", " ", "a b", "a\n", "a\u{2028}b"] {
            assert_eq!(NamePattern::parse(text), Err(NamePatternError::Form), "{text:?}");
        }
        for text in ["**", "*a", "a*b*", "a**"] {
            assert_eq!(NamePattern::parse(text), Err(NamePatternError::Star), "{text:?}");
        }
    }
}
