//! The two scopes of the API.

use std::{collections::BTreeSet, fmt, str::FromStr};

use crate::error::Error;

/// One scope (RFC 6749 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    ReadTickets,
    WriteTickets,
}

impl Scope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReadTickets => "read:tickets",
            Self::WriteTickets => "write:tickets",
        }
    }

    /// What the consent page says the scope allows.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::ReadTickets => "See tickets, their comments and attachments",
            Self::WriteTickets => "Open and change tickets, and attach files to them",
        }
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "read:tickets" => Ok(Self::ReadTickets),
            "write:tickets" => Ok(Self::WriteTickets),
            _ => Err(Error::InvalidScope),
        }
    }
}

/// At least one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scopes(BTreeSet<Scope>);

impl Scopes {
    pub(crate) fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    /// These scopes, if all of them were granted.
    pub(crate) fn within(self, granted: &Self) -> Result<Self, Error> {
        if self.0.is_subset(&granted.0) { Ok(self) } else { Err(Error::InvalidScope) }
    }
}

impl FromStr for Scopes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let scopes = text.split_ascii_whitespace().map(str::parse).collect::<Result<BTreeSet<Scope>, Error>>()?;
        if scopes.is_empty() { Err(Error::InvalidScope) } else { Ok(Self(scopes)) }
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|scope| scope.as_str()).collect();
        formatter.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_in_a_fixed_order() {
        let scopes: Scopes = "write:tickets  read:tickets write:tickets".parse().unwrap();
        assert_eq!(scopes.to_string(), "read:tickets write:tickets");
    }

    #[test]
    fn none_and_unknown_scopes_are_refused() {
        assert_eq!("".parse::<Scopes>(), Err(Error::InvalidScope));
        assert_eq!("read:tickets admin".parse::<Scopes>(), Err(Error::InvalidScope));
        assert_eq!("Read:tickets".parse::<Scopes>(), Err(Error::InvalidScope));
    }

    #[test]
    fn fewer_scopes_may_be_asked_for_but_not_more() {
        let read: Scopes = "read:tickets".parse().unwrap();
        let both: Scopes = "read:tickets write:tickets".parse().unwrap();
        assert_eq!(read.clone().within(&both), Ok(read.clone()));
        assert_eq!(both.within(&read), Err(Error::InvalidScope));
    }
}
