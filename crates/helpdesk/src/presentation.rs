//! The ledger of presentations: what became of each refresh token that arrived, so that a test can say how often one was used.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// One arrival of a refresh token at `/token`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Presentation {
    /// The refresh token.
    pub token: String,
    /// When it was decided about, since the Unix epoch; as JSON, in microseconds.
    #[serde(rename = "at_us", serialize_with = "microseconds")]
    pub at: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a refresh token that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered with a new access token; where tokens rotate, it is replaced from this moment on.
    Renewed,
    /// It had been replaced, and was answered once more.
    RenewedAgain,
    /// `invalid_grant`.
    Refused,
    /// The request was wrong in another way, the client's secret for instance; the token is as good as before.
    Rejected,
    /// The endpoint was told to misbehave, and did nothing; the token is as good as before.
    Ignored,
}

fn microseconds<S: Serializer>(at: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(at.as_micros()).unwrap_or(u64::MAX))
}
