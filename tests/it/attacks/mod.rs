//! Attacks on identity and consent, each named by its number: A on who an agent is, O on what a person consents to.

mod acting;
mod attestation;
mod browsers;
mod callers;
mod documents;
mod headers;
mod mixup;
mod once;
mod pages;
pub(crate) mod redirects;
mod scopes;
mod vectors;

use tests::Answer;

use crate::consent::{PKCE, Scene};

/// Status, code and finer reason of a refusal.
fn refusal(answer: &Answer) -> (u16, String, String) {
    let (status, code) = answer.refusal();
    (status, code, answer.reason())
}

fn refused(status: u16, code: &str, reason: &str) -> (u16, String, String) {
    (status, code.to_owned(), reason.to_owned())
}
