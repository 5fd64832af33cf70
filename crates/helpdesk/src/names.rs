//! A stand-in lives on loopback: a page whose name was made to resolve there is not what it serves (DNS rebinding).

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

/// Refuses whatever is for a host that is not the machine itself.
pub(crate) async fn loopback_alone(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    match authority {
        Some(authority) if is_loopback(authority) => next.run(request).await,
        _ => (StatusCode::MISDIRECTED_REQUEST, "this is a stand-in on loopback; call it there\n").into_response(),
    }
}

fn is_loopback(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    matches!(name, "127.0.0.1" | "localhost" | "[::1]") || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_the_machine_itself_is_loopback() {
        for authority in ["127.0.0.1:80", "localhost", "localhost:8080", "[::1]:1", "a.localhost:1"] {
            assert!(is_loopback(authority), "{authority}");
        }
        for authority in ["", "evil.test", "evil.test:80", "localhost.evil.test", "127.0.0.1.evil.test:80", "10.0.0.1"]
        {
            assert!(!is_loopback(authority), "{authority}");
        }
    }
}
