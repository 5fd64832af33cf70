//! What the gateway refused, in the forms in which it says so.

use protocol::Problem;
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value;

use crate::egress::{Answer, request_id};
use crate::{Code, Failure};

/// A refusal of the gateway's.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) problem: Problem,
    pub(crate) message: String,
    pub(crate) hint: String,
    /// As it was written; to be believed where it leads to the gateway.
    pub(crate) link: Option<String>,
    /// The scopes that would have allowed it, each alone.
    pub(crate) wanted_scopes: Vec<String>,
    pub(crate) request_id: Option<String>,
}

/// The code by which the gateway says that it answers a proxied call itself. Services cannot send it: the gateway strips it from their answers.
pub(crate) fn refused_call(headers: &HeaderMap) -> Option<Problem> {
    let mut told = headers.get_all("ath-gateway-refusal").iter();
    let (code, further) = (told.next()?, told.next());
    let code = code.to_str().ok().filter(|_| further.is_none())?;
    // One that is newer than this program is a refusal all the same.
    Some(problem(code).unwrap_or(Problem::InternalError))
}

impl Said {
    /// A refusal of the gateway's at its own paths: a problem document (RFC 9457).
    pub(crate) fn of_own(answer: &Answer) -> Option<Self> {
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        let problem = problem(body.get("code")?.as_str()?)?;
        Some(Self::of_body(problem, &body, &answer.headers))
    }

    /// A refusal of a proxied call: a problem document, or ATH's form.
    pub(crate) fn of_call(problem: Problem, answer: &Answer) -> Self {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Self::of_body(problem, &body, &answer.headers)
    }

    /// As it is told; `link` believes a link or does not.
    pub(crate) fn failure(self, link: impl FnOnce(&str) -> Option<String>) -> Failure {
        let Self { problem, message, hint, request_id, .. } = self;
        let connect_url = self.link.as_deref().and_then(link);
        let retryable = problem.is_retryable();
        Failure { connect_url, retryable, request_id, ..Failure::new(Code::Gateway(problem), message, hint) }
    }

    fn of_body(problem: Problem, body: &Value, headers: &HeaderMap) -> Self {
        let details = body.get("details").unwrap_or(body);
        let text = |from: &Value, name: &str| from.get(name).and_then(Value::as_str).map(str::to_owned);
        let hint = text(details, "hint").unwrap_or_else(|| problem.sentence().to_owned());
        let said =
            text(body, "message").or_else(|| text(body, "detail")).unwrap_or_else(|| format!("{}.", problem.title()));
        // A problem document's detail ends with its hint.
        let message = said.strip_suffix(hint.as_str()).map_or(said.as_str(), str::trim_end).to_owned();
        let message = if message.is_empty() { said } else { message };
        let wanted = details.get("wanted_scopes").and_then(Value::as_array);
        let hint = match seconds(headers) {
            Some(after) => format!("{hint} Wait {after} seconds."),
            None => hint,
        };
        Self {
            problem,
            message,
            hint,
            link: text(details, "connect_url").or_else(|| text(details, "reconnect_url")),
            wanted_scopes: wanted.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
            request_id: text(body, "request_id").or_else(|| request_id(headers)),
        }
    }
}

fn seconds(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER).map(HeaderValue::to_str)?.ok()?.parse().ok()
}

fn problem(code: &str) -> Option<Problem> {
    Problem::ALL.into_iter().find(|problem| problem.as_str() == code)
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use serde_json::json;

    use super::*;

    fn answer(body: &Value) -> Answer {
        Answer { status: StatusCode::BAD_GATEWAY, headers: HeaderMap::new(), body: body.to_string().into_bytes() }
    }

    #[test]
    fn both_forms_say_the_same() {
        let link = "https://gateway.test/connect/1";
        let plain = json!({"code": "connect_required", "detail": "It is gone. Hand over the link.", "hint": "Hand over the link.",
            "connect_url": link, "request_id": "0123456789abcdef"});
        let ath = json!({"code": "OAUTH_ERROR", "message": "It is gone.",
            "details": {"reason": "reconnect_required", "hint": "Hand over the link.", "reconnect_url": link}});
        for body in [&plain, &ath] {
            let said = Said::of_call(Problem::ConnectRequired, &answer(body));
            assert_eq!((said.message.as_str(), said.hint.as_str()), ("It is gone.", "Hand over the link."));
            let failure = said.failure(|link| Some(link.to_owned()));
            assert_eq!(failure.connect_url.as_deref(), Some(link));
            assert_eq!(failure.code, Code::Gateway(Problem::ConnectRequired));
        }
        assert_eq!(Said::of_own(&answer(&plain)).and_then(|said| said.request_id).as_deref(), Some("0123456789abcdef"));
        assert!(Said::of_own(&answer(&ath)).is_none(), "the gateway's own paths speak in problem documents");
    }

    #[test]
    fn a_refusal_without_words_is_told_in_ours() {
        for body in [json!(null), json!([]), json!({"message": 7}), json!({"details": "x"})] {
            let said = Said::of_call(Problem::RateLimited, &answer(&body));
            assert_eq!(
                (said.message.as_str(), said.hint.as_str()),
                ("Too many requests.", Problem::RateLimited.sentence())
            );
        }
    }

    #[test]
    fn a_link_that_is_not_believed_is_not_told() {
        let body = json!({"code": "connect_required", "detail": "x", "hint": "y", "connect_url": "https://evil.test/"});
        let failure = Said::of_call(Problem::ConnectRequired, &answer(&body)).failure(|_| None);
        assert_eq!(failure.connect_url, None);
    }

    #[test]
    fn the_header_alone_says_who_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(refused_call(&headers), None);
        headers.insert("ath-gateway-refusal", HeaderValue::from_static("rate_limited"));
        assert_eq!(refused_call(&headers), Some(Problem::RateLimited));
        headers.insert("ath-gateway-refusal", HeaderValue::from_static("brand_new"));
        assert_eq!(refused_call(&headers), Some(Problem::InternalError));
        headers.append("ath-gateway-refusal", HeaderValue::from_static("rate_limited"));
        assert_eq!(refused_call(&headers), None, "said twice, it is not the gateway's");
    }
}
