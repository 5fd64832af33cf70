//! Bodies that are read before anything is sent: in time, up to a limit, and counted as memory. What was read is what is sent.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body::Body;
use policy::Unreadable;

use crate::error::ProxyError;
use crate::flight::Flight;
use crate::gate::GateError;
use crate::inbound::Inbound;
use crate::pace::{Pace, Stretch};
use crate::space::Space;

/// Why a request is refused whose body decides about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Another type than JSON in UTF-8, none, or several.
    #[error("the body is not said to be JSON")]
    Type,
    /// It is compressed, or coded otherwise.
    #[error("the body is encoded")]
    Encoded,
    /// The URL asks for something as well, which some servers prefer.
    #[error("the URL of a request whose body decides has a query")]
    Query,
    /// Longer than what is read.
    #[error("the body is longer than what is read of one")]
    TooLong,
    /// It can be read in no way, or in several.
    #[error("the body cannot be read")]
    Unreadable(#[source] Unreadable),
}

/// Whether the head lets the body alone say what is asked for.
pub(crate) fn check_head(headers: &HeaderMap, query: Option<&str>) -> Result<(), ContentError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    if !types.next().is_some_and(is_json) || types.next().is_some() {
        return Err(ContentError::Type);
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(ContentError::Encoded);
    }
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(ContentError::Query);
    }
    Ok(())
}

/// `application/json`, with `charset=utf-8` at most.
fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let (essence, parameter) = value.split_once(';').map_or((value, None), |(before, after)| (before, Some(after)));
    let plain = parameter.is_none_or(|parameter| {
        let charset = parameter.trim().split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("charset"));
        charset.is_some_and(|(_, value)| matches!(value.to_ascii_lowercase().as_str(), "utf-8" | "\"utf-8\""))
    });
    essence.trim().eq_ignore_ascii_case("application/json") && plain
}

/// All of a body, in one piece however many it came in: `limit` bytes at most, and as fast as an upload has to be.
pub(crate) async fn whole(
    mut body: Inbound,
    limit: usize,
    (pace, flight): (Pace, &Flight),
    space: &mut dyn Space,
) -> Result<Bytes, ProxyError> {
    let is_long = |length: u64| usize::try_from(length).map_or(true, |length| length > limit);
    if is_long(body.size_hint().lower()) {
        return Err(ProxyError::Content(ContentError::TooLong));
    }
    let stretch = Stretch::default();
    flight.set_due(Some(Instant::now() + pace.window()));
    // What comes in one piece stays where it is.
    let (mut one, mut several) = (Bytes::new(), BytesMut::new());
    while let Some(piece) = next(&mut body, (&stretch, pace), flight).await? {
        if one.len() + several.len() + piece.len() > limit {
            return Err(ProxyError::Content(ContentError::TooLong));
        }
        space.take(piece.len()).map_err(|_| ProxyError::Memory)?;
        if one.is_empty() && several.is_empty() {
            one = piece;
            continue;
        }
        several.extend_from_slice(&std::mem::take(&mut one));
        several.extend_from_slice(&piece);
    }
    flight.set_due(None);
    Ok(if several.is_empty() { one } else { several.freeze() })
}

/// The next piece that is not empty; trailers are passed over.
async fn next(
    body: &mut Inbound,
    (stretch, pace): (&Stretch, Pace),
    flight: &Flight,
) -> Result<Option<Bytes>, ProxyError> {
    let mut waits = false;
    poll_fn(|context| {
        while let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) {
            let Some(frame) = frame else { return Poll::Ready(Ok(None)) };
            // Nobody is left to be told more of it.
            let Ok(frame) = frame else { return Poll::Ready(Err(ProxyError::Gate(GateError::Framing))) };
            let Ok(data) = frame.into_data() else { continue };
            stretch.came(Some(&data), Instant::now());
            waits = false;
            if !data.is_empty() {
                return Poll::Ready(Ok(Some(data)));
            }
        }
        if !waits {
            waits = true;
            stretch.wait(Instant::now());
        }
        flight.wait(context);
        if flight.is_due() {
            match stretch.check(pace, Instant::now()) {
                Some(due) => flight.set_due(Some(due)),
                None => return Poll::Ready(Err(ProxyError::Slow)),
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(headers: &[(http::HeaderName, &str)], query: Option<&str>) -> Result<(), ContentError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).expect("a value"));
        }
        check_head(&map, query)
    }

    #[test]
    fn a_body_that_decides_is_plain_json() {
        for value in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=UTF-8",
            "application/json ; Charset=\"utf-8\"",
        ] {
            assert_eq!(checked(&[(CONTENT_TYPE, value)], None), Ok(()), "{value}");
        }
        for value in [
            "",
            "text/plain",
            "application/graphql",
            "application/json-rpc",
            "application/jsonx",
            "application/json, text/plain",
            "application/json; charset=utf-16",
            "application/json; charset=utf-7",
            "application/json;",
            "application/json; boundary=x",
            "application/json; charset=utf-8; charset=utf-16",
            "multipart/form-data; boundary=x",
        ] {
            assert_eq!(checked(&[(CONTENT_TYPE, value)], None), Err(ContentError::Type), "{value}");
        }
        let json = (CONTENT_TYPE, "application/json");
        assert_eq!(checked(&[], None), Err(ContentError::Type));
        assert_eq!(checked(&[json.clone(), json.clone()], None), Err(ContentError::Type));
        for coding in ["gzip", "identity", ""] {
            let headers = [json.clone(), (CONTENT_ENCODING, coding)];
            assert_eq!(checked(&headers, None), Err(ContentError::Encoded), "{coding}");
        }
        assert_eq!(checked(std::slice::from_ref(&json), Some("")), Ok(()));
        assert_eq!(checked(&[json], Some("query={a}")), Err(ContentError::Query));
    }
}
