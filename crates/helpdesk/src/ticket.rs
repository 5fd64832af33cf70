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
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Open,
    InProgress,
    Resolved,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Team {
    Payments,
    Platform,
    Mobile,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    P1,
    P2,
    P3,
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
    fn timestamps_are_rfc_3339() {
        assert_eq!(Timestamp::at(1_768_204_800).to_rfc3339(), "2026-01-12T08:00:00Z");
        assert_eq!(Timestamp::at(u64::MAX).to_rfc3339(), "9999-12-31T23:59:59Z");
    }
}
