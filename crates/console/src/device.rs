use axum::extract::{Extension, RawQuery};
use axum::response::Response;
use broker::{AtDevice, Broker};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::consent::{form_page, go, session_in};
use crate::cookies::Cookies;
use crate::error::PageError;
use crate::pages::{Device, render};

/// Shows the code that the person types in at the provider, to the browser that allowed it; goes on where they have. Looks again by
/// itself, without script.
pub(crate) async fn show(
    Extension(broker): Extension<Broker>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let session = session_in(query.as_deref())?;
    let cookies = Cookies::of(&headers, &broker);
    let binding = cookies.binding(&session).unwrap_or_default();
    match broker.device_page(&session, &binding, cookies.browser().as_deref()).await? {
        AtDevice::GoesOn(next) => Ok(go(&broker, &next)),
        AtDevice::Waits(view) => {
            let page = render(StatusCode::OK, &Device { view: &view, session: session.as_str() });
            let mut page = form_page(page, None, view.returns_to.as_ref());
            if let Ok(pause) = HeaderValue::from_str(&view.look_again.to_string()) {
                page.headers_mut().insert(header::REFRESH, pause);
            }
            Ok(page)
        }
    }
}
