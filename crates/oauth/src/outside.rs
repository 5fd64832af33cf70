use secret::Entropy;

use crate::http_client::HttpClient;

/// What the client needs of the world outside, for one call.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// The way to the provider.
    pub http: &'a dyn HttpClient,
    /// The time, in Unix seconds.
    pub now: u64,
    /// For identifiers of what is signed.
    pub entropy: &'a dyn Entropy,
}
