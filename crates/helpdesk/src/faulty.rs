//! Answers with a fault.

use std::{convert::Infallible, fmt::Write, future::pending, io, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::{fault::Fault, wire::Wire};

/// What the answer would have been: a success's members, and what the request presented.
pub(crate) struct Good {
    pub(crate) members: Value,
    pub(crate) presented: Option<String>,
}

/// The answer with this fault, at `now`, in seconds since the Unix epoch.
pub(crate) async fn answer(fault: Fault, good: Good, wire: &Wire, now: u64) -> Response {
    let text = good.members.to_string();
    match fault {
        Fault::BlackHole => pending().await,
        Fault::CutConnection => {
            wire.cut();
            StatusCode::OK.into_response()
        }
        Fault::ResetConnection => {
            wire.reset();
            StatusCode::OK.into_response()
        }
        Fault::DripAnswer => json(StatusCode::OK, Body::from_stream(dripping(text, Duration::from_millis(8)))),
        Fault::DripEverything => {
            wire.drip();
            json(StatusCode::OK, text)
        }
        Fault::EndlessDrip => {
            let spaces = stream::repeat(" ".to_owned()).then(|space| async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok::<_, Infallible>(space)
            });
            json(StatusCode::OK, Body::from_stream(spaces))
        }
        Fault::CutInBody => broken_off(&text, &Length::Told, wire, Wire::cut),
        Fault::CutInChunks => broken_off(&text, &Length::InChunks, wire, Wire::cut),
        Fault::ResetInBody => broken_off(&text, &Length::Told, wire, Wire::reset),
        _ => status(fault, &text, now)
            .or_else(|| redirect(fault))
            .or_else(|| refusal(fault))
            .or_else(|| nonsense(fault, &text))
            .unwrap_or_else(|| success(fault, good)),
    }
}

fn status(fault: Fault, text: &str, now: u64) -> Option<Response> {
    let code = match fault {
        Fault::Status400 => return Some(StatusCode::BAD_REQUEST.into_response()),
        Fault::Status401 => return Some(StatusCode::UNAUTHORIZED.into_response()),
        Fault::Status403 => return Some(page(StatusCode::FORBIDDEN, "Forbidden")),
        Fault::Status502 => return Some(page(StatusCode::BAD_GATEWAY, "Bad gateway")),
        Fault::Status202 => return Some(StatusCode::ACCEPTED.into_response()),
        Fault::Status204 => return Some(StatusCode::NO_CONTENT.into_response()),
        Fault::Status304 => return Some(StatusCode::NOT_MODIFIED.into_response()),
        Fault::Status206 => {
            let half = text.get(..text.len() / 2).unwrap_or_default().to_owned();
            return Some(json(StatusCode::PARTIAL_CONTENT, half));
        }
        Fault::Status404 => 404,
        Fault::Status405 => 405,
        Fault::Status408 => 408,
        Fault::Status409 => 409,
        Fault::Status413 => 413,
        Fault::Status418 => 418,
        Fault::Status429
        | Fault::Status429Seconds
        | Fault::Status429Date
        | Fault::Status429Nonsense
        | Fault::Status429Forever => 429,
        Fault::Status500 => 500,
        Fault::Status501 => 501,
        Fault::Status503 | Fault::Status503Seconds | Fault::Status503Date | Fault::Status503Past => 503,
        Fault::Status504 => 504,
        Fault::Status520 => 520,
        _ => return None,
    };
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(code, json!({ "error": "server_error" }).to_string());
    let wait = match fault {
        Fault::Status429Seconds | Fault::Status503Seconds => Some("2".to_owned()),
        Fault::Status429Date | Fault::Status503Date => Some(http_date(now + 2)),
        Fault::Status503Past => Some(http_date(0)),
        Fault::Status429Nonsense => Some("in a while".to_owned()),
        Fault::Status429Forever => Some("315360000".to_owned()),
        _ => None,
    };
    if let Some(wait) = wait.and_then(|wait| HeaderValue::try_from(wait).ok()) {
        answer.headers_mut().insert(header::RETRY_AFTER, wait);
    }
    Some(answer)
}

fn redirect(fault: Fault) -> Option<Response> {
    let (code, place) = match fault {
        Fault::Redirect301 => (301, Some("/token/moved")),
        Fault::Redirect302 => (302, Some("/token/moved")),
        Fault::Redirect303 => (303, Some("/token/moved")),
        Fault::Redirect307 => (307, Some("/token/moved")),
        Fault::Redirect308 => (308, Some("/token/moved")),
        Fault::RedirectNowhere => (302, None),
        _ => return None,
    };
    let mut answer = StatusCode::from_u16(code).unwrap_or(StatusCode::FOUND).into_response();
    if let Some(place) = place {
        answer.headers_mut().insert(header::LOCATION, HeaderValue::from_static(place));
    }
    Some(answer)
}

fn refusal(fault: Fault) -> Option<Response> {
    let (status, error) = match fault {
        Fault::InvalidRequest => (400, json!("invalid_request")),
        Fault::InvalidClient => (401, json!("invalid_client")),
        Fault::InvalidClient400 => (400, json!("invalid_client")),
        Fault::UnauthorizedClient => (400, json!("unauthorized_client")),
        Fault::UnsupportedGrantType => (400, json!("unsupported_grant_type")),
        Fault::InvalidScope => (400, json!("invalid_scope")),
        Fault::AccessDenied => (403, json!("access_denied")),
        Fault::SlowDown => (400, json!("slow_down")),
        Fault::TemporarilyUnavailable => (400, json!("temporarily_unavailable")),
        Fault::TemporarilyUnavailable503 => (503, json!("temporarily_unavailable")),
        Fault::ServerErrorCode => (400, json!("server_error")),
        Fault::UnknownCode => (400, json!("E-4711")),
        Fault::CodeIsNoText => (400, json!(4711)),
        Fault::InvalidGrantIn500 => (500, json!("invalid_grant")),
        Fault::InvalidGrantIn503 => (503, json!("invalid_grant")),
        Fault::InvalidGrantInCapitals => (400, json!("INVALID_GRANT")),
        Fault::InvalidGrantInDescription => {
            let body = json!({ "error": "invalid_request", "error_description": "invalid_grant" });
            return Some(json(StatusCode::BAD_REQUEST, body.to_string()));
        }
        Fault::InvalidGrantInPage => return Some(page(StatusCode::BAD_REQUEST, "invalid_grant")),
        _ => return None,
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Some(json(status, json!({ "error": error }).to_string()))
}

fn nonsense(fault: Fault, text: &str) -> Option<Response> {
    let body: Body = match fault {
        Fault::EmptyBody => Body::empty(),
        Fault::MaintenancePage => return Some(page(StatusCode::OK, "Down for maintenance")),
        Fault::PageAsJson => "<!doctype html><h1>Down for maintenance</h1>".into(),
        Fault::JsonNull => "null".into(),
        Fault::JsonArray => format!("[{text}]").into(),
        Fault::JsonText => "\"ok\"".into(),
        Fault::JsonEmpty => "{}".into(),
        Fault::InvalidJson => "{access_token: 'x'}".into(),
        Fault::NotUtf8 => {
            let mut bytes = text.as_bytes().to_vec();
            bytes.splice(2..2, [0xff]);
            bytes.into()
        }
        Fault::HugeJson => {
            let mut huge = text.trim_end_matches('}').to_owned();
            let _ = write!(huge, ",\"padding\":\"{}\"}}", "x".repeat(8 * 1024 * 1024));
            huge.into()
        }
        Fault::DeepJson => format!("{{\"access_token\":{}", "[".repeat(100_000)).into(),
        Fault::OkFalse => json!({ "ok": false }).to_string().into(),
        Fault::ErrorObject => json!({ "error": { "code": 503, "message": "Try again." } }).to_string().into(),
        _ => return None,
    };
    Some(json(StatusCode::OK, body))
}

/// The members of a success, with one that is not as it should be.
fn success(fault: Fault, good: Good) -> Response {
    let Good { members, presented } = good;
    let Value::Object(mut members) = members else { return json(StatusCode::OK, members.to_string()) };
    let mut status = StatusCode::OK;
    let mut kind = Some("application/json");
    match fault {
        Fault::WithoutAccessToken => drop(members.remove("access_token")),
        Fault::AccessTokenNull => drop(members.insert("access_token".to_owned(), Value::Null)),
        Fault::AccessTokenEmpty => drop(members.insert("access_token".to_owned(), json!(""))),
        Fault::AccessTokenNumber => drop(members.insert("access_token".to_owned(), json!(4711))),
        Fault::AccessTokenWithSpace => drop(members.insert("access_token".to_owned(), json!("two words"))),
        Fault::AccessTokenWithLineBreak => drop(members.insert("access_token".to_owned(), json!("a\r\nx-injected: b"))),
        Fault::AccessTokenHuge => drop(members.insert("access_token".to_owned(), json!("x".repeat(1_000_000)))),
        Fault::TokenTypeMac => drop(members.insert("token_type".to_owned(), json!("mac"))),
        Fault::TokenTypeNumber => drop(members.insert("token_type".to_owned(), json!(4711))),
        Fault::TokenTypeAbsent => drop(members.remove("token_type")),
        Fault::TokenTypeShouted => drop(members.insert("token_type".to_owned(), json!("BEARER"))),
        Fault::ExpiresInText => {
            let text = members.get("expires_in").map(ToString::to_string);
            members.insert("expires_in".to_owned(), json!(text));
        }
        Fault::ExpiresInAbsent => drop(members.remove("expires_in")),
        Fault::ExpiresInNull => drop(members.insert("expires_in".to_owned(), Value::Null)),
        Fault::ExpiresInZero => drop(members.insert("expires_in".to_owned(), json!(0))),
        Fault::ExpiresInNegative => drop(members.insert("expires_in".to_owned(), json!(-1))),
        Fault::ExpiresInFraction => drop(members.insert("expires_in".to_owned(), json!(3599.5))),
        Fault::ExpiresInHuge => drop(members.insert("expires_in".to_owned(), json!(1_u64 << 63))),
        Fault::ExpiresInNonsense => drop(members.insert("expires_in".to_owned(), json!("soon"))),
        Fault::RefreshTokenNull => drop(members.entry("refresh_token").or_insert(Value::Null)),
        Fault::RefreshTokenEmpty => drop(members.entry("refresh_token").or_insert(json!(""))),
        Fault::RefreshTokenRepeated => drop(members.entry("refresh_token").or_insert(json!(presented))),
        Fault::ScopeAbsent => drop(members.remove("scope")),
        Fault::ScopeNull => drop(members.insert("scope".to_owned(), Value::Null)),
        Fault::Status201 => status = StatusCode::CREATED,
        Fault::ContentTypeText => kind = Some("text/plain"),
        Fault::ContentTypeAbsent => kind = None,
        Fault::UnknownMembers => members.extend((0..100).map(|number| (format!("member_{number}"), json!([number])))),
        _ => {}
    }
    let body = match fault {
        Fault::DuplicateMembers => {
            format!("{{\"access_token\":\"first\",{}", Value::Object(members).to_string().trim_start_matches('{'))
        }
        Fault::ByteOrderMark => format!("\u{feff}{}", Value::Object(members)),
        Fault::Form => {
            kind = Some("application/x-www-form-urlencoded");
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pairs = members.iter().map(|(name, value)| (name, text(value)));
            form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        }
        _ => Value::Object(members).to_string(),
    };
    let mut answer = (status, body).into_response();
    answer.headers_mut().remove(header::CONTENT_TYPE);
    if fault == Fault::SaysGzip {
        answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Some(kind) = kind {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    answer
}

/// Whether the head of an answer says how long the body is.
enum Length {
    Told,
    InChunks,
}

/// The first half of a body, and then the end of the connection.
fn broken_off(text: &str, length: &Length, wire: &Wire, end: fn(&Wire)) -> Response {
    let told = text.len();
    let wire = wire.clone();
    let (first, rest) = text.split_at(told / 2);
    let halves = stream::iter([first.to_owned(), rest.to_owned()]).enumerate().then(move |(number, half)| {
        let wire = wire.clone();
        async move {
            if number == 0 {
                return Ok(half);
            }
            // By now the first half has been written.
            tokio::time::sleep(Duration::from_millis(50)).await;
            end(&wire);
            Err(io::Error::from(io::ErrorKind::ConnectionAborted))
        }
    });
    let mut answer = json(StatusCode::OK, Body::from_stream(halves));
    if matches!(length, Length::Told) {
        answer.headers_mut().insert(header::CONTENT_LENGTH, told.into());
    }
    answer
}

fn dripping(text: String, pause: Duration) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::iter(text.into_bytes()).then(move |byte| async move {
        tokio::time::sleep(pause).await;
        Ok(Bytes::copy_from_slice(&[byte]))
    })
}

fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

fn page(status: StatusCode, says: &str) -> Response {
    let page = format!("<!doctype html><html lang=\"en\"><title>{says}</title><h1>{says}</h1></html>");
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// RFC 9110 §5.6.7, from seconds since the Unix epoch.
fn http_date(seconds: u64) -> String {
    let days = seconds / 86_400;
    let weekday = WEEKDAYS.get(usize::try_from(days % 7).unwrap_or(0)).copied().unwrap_or_default();
    let time = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + Duration::from_secs(seconds)).to_string();
    let field = |range: std::ops::Range<usize>| time.get(range).unwrap_or_default();
    let month = field(5..7).parse::<usize>().ok().and_then(|month| MONTHS.get(month - 1)).copied().unwrap_or_default();
    format!("{weekday}, {} {month} {} {} GMT", field(8..10), field(0..4), field(11..19))
}

/// The first of January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_as_http_has_it() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT", "the example of RFC 9110");
    }
}
