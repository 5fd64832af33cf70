//! The pages a person sees: plain HTML without script.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use data_encoding::BASE64;
use http::{StatusCode, header};
use sha2::{Digest, Sha256};

use crate::{
    scope::{Scope, Scopes},
    seed::User,
};

/// The login form for the authorization request under this id.
pub(crate) fn login(request: &str) -> Response {
    page(StatusCode::OK, &Login { request, username: "", refused: false })
}

/// The login form again, after a wrong user name or password.
pub(crate) fn login_refused(request: &str, username: &str) -> Response {
    page(StatusCode::UNAUTHORIZED, &Login { request, username, refused: true })
}

/// What the client wants, with Allow and Deny.
pub(crate) fn consent(request: &str, client: &str, user: &User, scopes: &Scopes) -> Response {
    page(StatusCode::OK, &Consent { request, client, user, scopes: scopes.iter().collect() })
}

/// 400, and why it cannot go on.
pub(crate) fn problem(message: &str) -> Response {
    page(StatusCode::BAD_REQUEST, &Problem { message })
}

/// The style of every page; the templates embed it as it is.
const STYLE: &str = include_str!("../templates/style.css");

#[derive(Template)]
#[template(path = "login.html")]
struct Login<'a> {
    request: &'a str,
    username: &'a str,
    refused: bool,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct Consent<'a> {
    request: &'a str,
    client: &'a str,
    user: &'a User,
    scopes: Vec<Scope>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    message: &'a str,
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    let Ok(html) = template.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, content_security_policy()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (status, headers, Html(html)).into_response()
}

/// No `form-action`: Chromium applies it to the redirects that follow a form, and these lead to the client.
fn content_security_policy() -> String {
    let style = BASE64.encode(&Sha256::digest(STYLE));
    format!("default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; frame-ancestors 'none'")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    async fn html(response: Response) -> (HeaderMap, String) {
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        (parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn text_is_escaped() {
        let (_, login) = html(login_refused("\"><script>", "<b>'eve'</b>")).await;
        assert!(!login.contains("<script>") && !login.contains("<b>"), "{login}");
        assert!(login.contains("&#60;b&#62;&#39;eve&#39;&#60;/b&#62;"), "{login}");
    }

    #[tokio::test]
    async fn the_policy_allows_exactly_the_embedded_style() {
        let (headers, page) = html(problem("No.")).await;
        let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let hash = BASE64.encode(&Sha256::digest(style));
        assert_eq!(
            headers[header::CONTENT_SECURITY_POLICY],
            format!(
                "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
            )
        );
        assert!(!page.contains("<script") && !page.contains("style="));
    }
}
