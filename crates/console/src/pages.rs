use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use broker::{
    AccountPage, AccountsPage, ConsentView, Destination, DevicePage, DonePage, Follows, Joins, KeyForm, KeyPage, Names,
    ReconnectPage, Vouching,
};
use http::{HeaderValue, StatusCode, header};

/// The page that asks.
#[derive(Template)]
#[template(path = "consent.html")]
pub(crate) struct Consent<'a> {
    pub(crate) view: &'a ConsentView,
    pub(crate) form: ConsentForm<'a>,
    pub(crate) token: &'a str,
    /// Who is signed in at the gateway itself.
    pub(crate) person: Option<Signed<'a>>,
}

/// What the form names the consent by.
pub(crate) enum ConsentForm<'a> {
    /// The session of the view.
    Session,
    /// A request that nobody has answered yet, sealed.
    Request(&'a str),
}

/// The page where a person types in what a device shows.
#[derive(Template)]
#[template(path = "user_code.html")]
pub(crate) struct UserCodePage<'a> {
    /// What the link brought, or was typed in last.
    pub(crate) code: &'a str,
    pub(crate) token: &'a str,
    /// Why the last one led nowhere.
    pub(crate) problem: Option<&'static str>,
}

/// The page where a person chooses by which service they enter the door for all of them.
#[derive(Template)]
#[template(path = "services.html")]
pub(crate) struct ServicesPage {
    /// Names, and where each leads.
    pub(crate) services: Vec<(String, String)>,
}

/// Somebody who is signed in, and may sign out.
pub(crate) struct Signed<'a> {
    pub(crate) label: &'a str,
    pub(crate) sign_out_token: String,
}

/// The page to sign in at.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(crate) struct SignInPage<'a> {
    pub(crate) form: SignInForm<'a>,
    /// Empty for none.
    pub(crate) session: &'a str,
    /// Empty for none.
    pub(crate) request: &'a str,
    pub(crate) token: &'a str,
    /// Why the last attempt did not succeed.
    pub(crate) problem: Option<&'static str>,
}

/// What that page asks for.
pub(crate) enum SignInForm<'a> {
    Openid { display_name: &'a str },
    Accounts,
    Header { name: &'a str },
}

/// The page that asks for a key.
#[derive(Template)]
#[template(path = "key.html")]
pub(crate) struct PasteKey<'a> {
    pub(crate) view: &'a KeyPage,
    pub(crate) session: &'a str,
    pub(crate) token: &'a str,
    /// Why the last one was of no use.
    pub(crate) problem: Option<&'static str>,
}

/// The page with a code to type in.
#[derive(Template)]
#[template(path = "device.html")]
pub(crate) struct Device<'a> {
    pub(crate) view: &'a DevicePage,
    pub(crate) session: &'a str,
}

/// The page that names the account.
#[derive(Template)]
#[template(path = "account.html")]
pub(crate) struct Account<'a> {
    pub(crate) view: &'a AccountPage,
    pub(crate) session: &'a str,
    pub(crate) token: &'a str,
}

/// What a person has connected, and which agents may use it.
#[derive(Template)]
#[template(path = "accounts.html")]
pub(crate) struct Accounts<'a> {
    /// `None` where nobody is signed in.
    pub(crate) view: Option<&'a AccountsPage>,
    pub(crate) token: &'a str,
    pub(crate) sign_out_token: &'a str,
}

/// The page behind a link for somebody whose connection has to be renewed.
#[derive(Template)]
#[template(path = "reconnect.html")]
pub(crate) struct Reconnect<'a> {
    pub(crate) view: &'a ReconnectPage,
    pub(crate) ticket: &'a str,
    pub(crate) token: &'a str,
}

/// The last page.
#[derive(Template)]
#[template(path = "done.html")]
pub(crate) struct Done<'a> {
    pub(crate) view: &'a DonePage,
}

/// A page that says what went wrong.
#[derive(Template)]
#[template(path = "error.html")]
pub(crate) struct Problem<'a> {
    pub(crate) title: &'a str,
    pub(crate) message: &'a str,
    pub(crate) hint: &'a str,
}

#[derive(Template)]
#[template(path = "home.html")]
struct Home;

/// What stands at the public URL itself.
pub(crate) async fn home() -> Response {
    render(StatusCode::OK, &Home)
}

/// What each code of a problem document means: where its `type` leads (RFC 9457 §3.1.1).
#[derive(Template)]
#[template(path = "errors.html")]
struct Errors {
    problems: [protocol::Problem; protocol::Problem::ALL.len()],
}

pub(crate) async fn errors() -> Response {
    render(StatusCode::OK, &Errors { problems: protocol::Problem::ALL })
}

/// The style sheet; the only thing besides HTML that a page loads.
pub(crate) async fn style() -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, include_str!("../templates/style.css"))
}

/// A point in time as people read it: `21 November 2026, 15:04 UTC`; whatever is no RFC 3339 as it is.
pub(crate) fn moment(written: &str) -> String {
    let read = || {
        let (date, time) = written.split_once('T')?;
        let mut parts = date.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let month = MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)?;
        Some(format!("{} {month} {year}, {} UTC", day.trim_start_matches('0'), time.get(..5)?))
    };
    read().unwrap_or_else(|| written.to_owned())
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Renders a page; a template that fails is an empty 500.
pub(crate) fn render(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(error = %error, "a page was not rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::moment;

    #[test]
    fn a_moment_is_read_by_people() {
        assert_eq!(moment("2026-11-21T15:04:59Z"), "21 November 2026, 15:04 UTC");
        assert_eq!(moment("2027-01-01T00:00:00Z"), "1 January 2027, 00:00 UTC");
        for odd in
            ["", "yesterday", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01T00:00:00Z", "2026-01-01Tx"]
        {
            assert_eq!(moment(odd), odd);
        }
    }
}
