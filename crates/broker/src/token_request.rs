//! What is asked of a provider's token endpoint, as a step of whatever trace it is part of.

use oauth::OAuthError;
use protocol::ProviderId;
use tracing::Instrument;
use tracing::field::Empty;

/// Makes the request within a span of its own, which nobody reads but who writes traces down: the log leaves this target out.
pub(crate) async fn token_request<T>(
    grant: &'static str,
    provider: &ProviderId,
    asking: impl Future<Output = Result<T, OAuthError>>,
) -> Result<T, OAuthError> {
    let span = tracing::info_span!(
        target: "ath_gateway::step",
        "token_request",
        grant_type = grant,
        provider_id = provider.as_str(),
        error = Empty
    );
    let answer = asking.instrument(span.clone()).await;
    if let Err(error) = &answer {
        span.record("error", error.reason());
    }
    answer
}
