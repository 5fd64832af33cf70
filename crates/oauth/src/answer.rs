//! What an answer's head says, before anybody reads its body.

use std::time::Duration;

use http::{HeaderMap, header, response::Parts};

use crate::OAuthError;

/// How an answer's body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As what was asked for.
    Success,
    /// As the reason for a refusal.
    Refusal,
}

/// Sorts an answer by its status, of which `success` are those that mean success.
pub(crate) fn judge(head: &Parts, success: &[u16]) -> Result<Verdict, OAuthError> {
    match head.status.as_u16() {
        status if success.contains(&status) => Ok(Verdict::Success),
        408 | 429 | 500..=599 => Err(retry(head)),
        400..=499 => Ok(Verdict::Refusal),
        300..=399 => Err(OAuthError::Nonsense("redirect")),
        _ => Err(OAuthError::Nonsense("status")),
    }
}

/// The provider cannot answer now.
pub(crate) fn retry(head: &Parts) -> OAuthError {
    OAuthError::Retry { after: retry_after(&head.headers), status: Some(head.status.as_u16()) }
}

/// A number of seconds, or a date (RFC 9110 §10.2.3), which is read by the clock of the answer's own `Date`: nobody's clock here has to
/// agree with it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let after = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let sent = httpdate::parse_http_date(headers.get(header::DATE)?.to_str().ok()?).ok()?;
        httpdate::parse_http_date(text).ok()?.duration_since(sent).unwrap_or_default()
    };
    Some(after.min(MAX_RETRY_AFTER))
}

/// A day. Whoever wants to be left alone for longer is asked once more.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::answer;

    fn judged(status: u16, headers: &[(&str, &str)]) -> Result<Verdict, OAuthError> {
        judge(&answer(status, headers, "").into_parts().0, &[200, 201])
    }

    #[test]
    fn a_status_says_how_to_read_the_body() {
        assert_eq!(judged(200, &[]).expect("judged"), Verdict::Success);
        assert_eq!(judged(201, &[]).expect("judged"), Verdict::Success);
        for status in [400, 401, 402, 403, 404, 405, 409, 410, 415, 418, 422, 499] {
            assert_eq!(judged(status, &[]).expect("judged"), Verdict::Refusal, "{status}");
        }
        for status in [301, 302, 303, 304, 307, 308] {
            assert_eq!(judged(status, &[]).expect_err("nonsense").reason(), "redirect", "{status}");
        }
        for status in [100, 101, 202, 204, 206, 600, 999] {
            assert_eq!(judged(status, &[]).expect_err("nonsense").reason(), "status", "{status}");
        }
        for status in [408, 429, 500, 502, 503, 504, 520, 599] {
            let error = judged(status, &[]).expect_err("temporary");
            assert!(
                matches!(error, OAuthError::Retry { after: None, status: Some(seen) } if seen == status),
                "{error:?}"
            );
        }
    }

    #[test]
    fn retry_after_is_a_number_of_seconds() {
        for (value, expected) in [
            ("0", Some(0)),
            ("30", Some(30)),
            (" 30 ", Some(30)),
            ("18446744073709551615", Some(86_400)),
            ("18446744073709551616", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
        ] {
            let error = judged(429, &[("retry-after", value)]).expect_err("temporary");
            let expected = expected.map(Duration::from_secs);
            assert!(matches!(error, OAuthError::Retry { after, .. } if after == expected), "{value:?}: {error:?}");
        }
    }

    #[test]
    fn retry_after_may_be_a_date_by_the_servers_own_clock() {
        for (value, date, expected) in [
            ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:29 GMT", Some(30)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", Some(0)),
            ("Wed, 05 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", Some(86_400)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", "yesterday", None),
            ("tomorrow", "Sat, 01 Jan 2000 00:00:00 GMT", None),
        ] {
            let error = judged(503, &[("retry-after", value), ("date", date)]).expect_err("temporary");
            let expected = expected.map(Duration::from_secs);
            assert!(matches!(error, OAuthError::Retry { after, .. } if after == expected), "{value:?}: {error:?}");
        }
    }
}
