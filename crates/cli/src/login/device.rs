//! By a code that the person types in on any device (RFC 8628).

use std::time::{Duration, Instant};

use secret::DeviceCode;
use serde::Deserialize;
use url::Url;

use super::Wanted;
use crate::credentials::PendingDevice;
use crate::gateway::{DEVICE_CODE, Issued};
use crate::talk::Talk;
use crate::{Code, Failure};

#[derive(Deserialize)]
struct Written {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    #[serde(default = "usual")]
    interval: u64,
}

/// RFC 8628 §3.2.
fn usual() -> u64 {
    5
}

/// Asks for a code.
pub(crate) async fn begin(wanted: &Wanted<'_>) -> Result<PendingDevice, Failure> {
    let Some(endpoint) = &wanted.metadata.device else {
        return Err(Failure::new(Code::Usage, "This gateway has no login by codes.", "Log in without --device."));
    };
    let mut fields = vec![("client_id", wanted.client_id), ("resource", wanted.resource())];
    fields.extend(wanted.service.map(|service| ("scope", service)));
    let answer = wanted.gateway.posted(endpoint, &fields).await?;
    let answer = answer.map_err(crate::gateway::OAuthRefusal::failure)?;
    let none = || wanted.gateway.is_none("what it answers is no code to type in");
    let written: Written = serde_json::from_value(answer).map_err(|_| none())?;
    // The person is sent to the gateway, and to nobody else.
    let place = wanted.gateway.url();
    place.own(&written.verification_uri).ok_or_else(none)?;
    let complete = written.verification_uri_complete.unwrap_or(written.verification_uri);
    let link: Url = place.own(&complete).ok_or_else(none)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if written.user_code.len() > 32 || !written.user_code.bytes().all(plain) {
        return Err(none());
    }
    Ok(PendingDevice {
        code: DeviceCode::new(written.device_code),
        user_code: written.user_code,
        link,
        ends: wanted.gateway.ends(written.expires_in),
        interval: Duration::from_secs(written.interval.clamp(1, 60)),
        service: wanted.service.map(str::to_owned),
    })
}

/// Asks whether the person has finished, as often as may be; none where they have not when the time is over.
///
/// No question is given up half-way: the answer to it could be the tokens, and they are handed out once.
pub(crate) async fn finish(
    wanted: &Wanted<'_>,
    pending: &PendingDevice,
    talk: Talk,
) -> Result<Option<Issued>, Failure> {
    talk.while_waiting("Waiting for you at the link", polled(wanted, pending)).await
}

/// After a failure that may pass: the code stays good meanwhile.
fn longer(pause: Duration, failure: Failure) -> Result<Duration, Failure> {
    if failure.retryable { Ok((pause * 2).min(Duration::from_secs(60))) } else { Err(failure) }
}

async fn polled(wanted: &Wanted<'_>, pending: &PendingDevice) -> Result<Option<Issued>, Failure> {
    let fields = [("grant_type", DEVICE_CODE), ("device_code", pending.code.expose()), ("client_id", wanted.client_id)];
    let (begun, mut pause) = (Instant::now(), pending.interval);
    loop {
        match wanted.gateway.tokens(&wanted.metadata.token, &fields).await {
            Ok(Ok(issued)) => return Ok(Some(issued)),
            Ok(Err(refusal)) => match refusal.error.as_str() {
                "authorization_pending" => {}
                "slow_down" => pause += Duration::from_secs(5),
                _ => pause = longer(pause, refusal.failure())?,
            },
            // RFC 8628 §3.5: who cannot connect asks less often.
            Err(failure) => pause = longer(pause, failure)?,
        }
        if begun.elapsed() + pause > wanted.patience {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
    }
}
