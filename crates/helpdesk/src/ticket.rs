//! What a ticket is.

use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize, Serializer};

use crate::seed::User;

/// A ticket, serialised as the API shows it.
#[derive(Clone, Serialize)]
pub(crate) struct Ticket {
    pub(crate) id: u32,
    pub(crate) title: String,
    pub(crate) status: Status,
    pub(crate) team: Team,
    pub(crate) priority: Priority,
    pub(crate) assignee: Option<&'static User>,
    pub(crate) description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) comments: Vec<Comment>,
    pub(crate) updated_at: Timestamp,
}

#[derive(Clone, Serialize)]
pub(crate) struct Comment {
    pub(crate) author: &'static str,
    pub(crate) text: String,
    pub(crate) created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub(crate) enum Status {
    Open,
    InProgress,
    Resolved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub(crate) enum Team {
    Payments,
    Platform,
    Mobile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub(crate) enum Priority {
    P1,
    P2,
    P3,
}

/// A word of a closed list. It is also understood as people write it: with capital letters, and with `-` or a space for `_`.
pub(crate) trait Word: Copy + 'static {
    /// Each as the API writes it.
    const ALL: &'static [(&'static str, Self)];
    /// What is said to whoever uses another one.
    const EXPECTED: &'static str;

    fn read(written: &str) -> Option<Self> {
        let plain = written.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        Self::ALL.iter().find(|(word, _)| *word == plain).map(|(_, value)| *value)
    }
}

impl Word for Status {
    const ALL: &'static [(&'static str, Self)] =
        &[("open", Self::Open), ("in_progress", Self::InProgress), ("resolved", Self::Resolved)];
    const EXPECTED: &'static str = "The status is one of open, in_progress and resolved.";
}

impl Word for Team {
    const ALL: &'static [(&'static str, Self)] =
        &[("payments", Self::Payments), ("platform", Self::Platform), ("mobile", Self::Mobile)];
    const EXPECTED: &'static str = "The team is one of payments, platform and mobile.";
}

impl Word for Priority {
    const ALL: &'static [(&'static str, Self)] = &[("p1", Self::P1), ("p2", Self::P2), ("p3", Self::P3)];
    const EXPECTED: &'static str = "The priority is one of p1, p2 and p3; p1 is the most urgent.";
}

impl TryFrom<String> for Status {
    type Error = &'static str;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        Self::read(&written).ok_or(Self::EXPECTED)
    }
}

impl TryFrom<String> for Team {
    type Error = &'static str;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        Self::read(&written).ok_or(Self::EXPECTED)
    }
}

impl TryFrom<String> for Priority {
    type Error = &'static str;

    fn try_from(written: String) -> Result<Self, Self::Error> {
        Self::read(&written).ok_or(Self::EXPECTED)
    }
}

/// A moment in whole seconds, shown as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp(u64);

impl Timestamp {
    /// The moment that many seconds after the Unix epoch; RFC 3339 ends with the year 9999.
    pub(crate) fn at(seconds: u64) -> Self {
        Self(seconds.min(END_OF_9999))
    }

    pub(crate) fn to_rfc3339(self) -> String {
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(self.0)).to_string()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

const END_OF_9999: u64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood_as_people_write_them() {
        for (written, status) in [
            ("in_progress", Some(Status::InProgress)),
            ("In-Progress", Some(Status::InProgress)),
            (" in progress", Some(Status::InProgress)),
            ("inprogress", None),
            ("", None),
        ] {
            assert_eq!(Status::read(written), status, "{written:?}");
        }
        assert_eq!(Priority::read("P1"), Some(Priority::P1));
        assert_eq!(Team::read("Payments"), Some(Team::Payments));
    }

    #[test]
    fn what_is_written_is_what_is_read_and_what_is_said() {
        fn check<W: Word + Serialize>() {
            for (word, value) in W::ALL {
                assert_eq!(serde_json::to_value(value).unwrap(), *word);
                assert!(W::EXPECTED.contains(word), "{word}");
            }
        }
        check::<Status>();
        check::<Team>();
        check::<Priority>();
    }

    #[test]
    fn timestamps_are_rfc_3339() {
        assert_eq!(Timestamp::at(1_768_204_800).to_rfc3339(), "2026-01-12T08:00:00Z");
        assert_eq!(Timestamp::at(u64::MAX).to_rfc3339(), "9999-12-31T23:59:59Z");
    }
}
