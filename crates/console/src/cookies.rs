use broker::Broker;
use cookie::{Cookie, SameSite, time::Duration};
use http::{HeaderMap, HeaderValue, header};
use protocol::SessionId;
use secret::SecretHash;

/// The cookies of one request, under the names that this deployment gives them.
///
/// On https they are `__Host-` cookies, which no other host and no other path can set. On loopback http, where browsers refuse that
/// prefix and share cookies between ports, the port is part of the name.
pub(crate) struct Cookies<'a> {
    headers: &'a HeaderMap,
    naming: Naming,
}

enum Naming {
    Host,
    Port(String),
}

impl<'a> Cookies<'a> {
    pub(crate) fn of(headers: &'a HeaderMap, broker: &Broker) -> Self {
        let urls = broker.urls();
        let naming = if urls.is_https() {
            Naming::Host
        } else {
            Naming::Port(urls.public().rsplit(':').next().unwrap_or_default().to_owned())
        };
        Self { headers, naming }
    }

    /// The browser's sign-in at the gateway.
    pub(crate) fn browser(&self) -> Option<String> {
        self.get(&self.name(BROWSER))
    }

    /// The proof that this browser claimed the session.
    pub(crate) fn binding(&self, session: &SessionId) -> Option<String> {
        self.get(&self.name(&binding_name(session)))
    }

    /// The secret that forms of this browser are bound to.
    pub(crate) fn form(&self) -> Option<String> {
        self.get(&self.name(FORM)).filter(|value| value.len() == 43)
    }

    /// The secret that a way to the OpenID provider was begun with.
    pub(crate) fn departure(&self, session: Option<&SessionId>) -> Option<String> {
        self.get(&self.name(&departure_name(session))).filter(|value| value.len() == 43)
    }

    pub(crate) fn set_departure(&self, session: Option<&SessionId>, value: &str) -> Option<HeaderValue> {
        self.set(&departure_name(session), value, Some(Duration::minutes(10)))
    }

    pub(crate) fn drop_departure(&self, session: Option<&SessionId>) -> Option<HeaderValue> {
        self.set(&departure_name(session), "", Some(Duration::ZERO))
    }

    pub(crate) fn drop_browser(&self) -> Option<HeaderValue> {
        self.set(BROWSER, "", Some(Duration::ZERO))
    }

    /// Ends every consent that this browser has claimed: what one person began is not for the next one to finish.
    pub(crate) fn drop_bindings(&self) -> Vec<Option<HeaderValue>> {
        let lines = self.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let names = lines.flat_map(Cookie::split_parse).filter_map(Result::ok).map(|cookie| cookie.name().to_owned());
        let own =
            names.filter_map(|name| self.own_name(&name).filter(|own| own.starts_with(BINDING)).map(str::to_owned));
        own.map(|own| self.set(&own, "", Some(Duration::ZERO))).collect()
    }

    pub(crate) fn set_browser(&self, value: &str) -> Option<HeaderValue> {
        self.set(BROWSER, value, Some(Duration::days(30)))
    }

    pub(crate) fn set_binding(&self, session: &SessionId, value: &str) -> Option<HeaderValue> {
        // Longer than a consent may take, codes that are typed in elsewhere included.
        self.set(&binding_name(session), value, Some(Duration::minutes(45)))
    }

    /// The proof that this browser typed in the code of the device which waits for this consent.
    pub(crate) fn device(&self, session: &SessionId) -> Option<String> {
        self.get(&self.name(&device_name(session)))
    }

    pub(crate) fn set_device(&self, session: &SessionId, value: &str) -> Option<HeaderValue> {
        self.set(&device_name(session), value, Some(Duration::minutes(15)))
    }

    pub(crate) fn set_form(&self, value: &str) -> Option<HeaderValue> {
        self.set(FORM, value, None)
    }

    /// The value of the one cookie of that name; of two, neither is believed.
    fn get(&self, name: &str) -> Option<String> {
        let lines = self.headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut values =
            lines.flat_map(Cookie::split_parse).filter_map(Result::ok).filter(|cookie| cookie.name() == name);
        match (values.next(), values.next()) {
            (Some(cookie), None) => Some(cookie.value().to_owned()),
            _ => None,
        }
    }

    fn set(&self, name: &str, value: &str, age: Option<Duration>) -> Option<HeaderValue> {
        let mut cookie =
            Cookie::build((self.name(name), value.to_owned())).path("/").http_only(true).same_site(SameSite::Lax);
        if matches!(self.naming, Naming::Host) {
            cookie = cookie.secure(true);
        }
        if let Some(age) = age {
            cookie = cookie.max_age(age);
        }
        let mut value = HeaderValue::from_str(&cookie.build().to_string()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What this deployment calls `name`; `None` for a cookie of somebody else's.
    fn own_name<'n>(&self, name: &'n str) -> Option<&'n str> {
        match &self.naming {
            Naming::Host => name.strip_prefix("__Host-"),
            Naming::Port(port) => name.strip_suffix(port.as_str())?.strip_suffix('_'),
        }
    }

    fn name(&self, name: &str) -> String {
        match &self.naming {
            Naming::Host => format!("__Host-{name}"),
            Naming::Port(port) => format!("{name}_{port}"),
        }
    }
}

/// One cookie per session, so that two consents in one browser do not disturb each other.
fn binding_name(session: &SessionId) -> String {
    let hash = SecretHash::of(session.as_str()).to_hex();
    format!("{BINDING}{}", hash.get(..16).unwrap_or_default())
}

/// One for each code that was typed in, likewise.
fn device_name(session: &SessionId) -> String {
    let hash = SecretHash::of(session.as_str()).to_hex();
    format!("ath_device_{}", hash.get(..16).unwrap_or_default())
}

/// One cookie for each consent that the sign-in is on the way to, likewise.
fn departure_name(session: Option<&SessionId>) -> String {
    let hash = session.map(|session| SecretHash::of(session.as_str()).to_hex()).unwrap_or_default();
    format!("ath_sign_in_{}", hash.get(..16).unwrap_or("none"))
}

const BINDING: &str = "ath_consent_";
const BROWSER: &str = "ath_browser";
const FORM: &str = "ath_form";

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(naming: Naming, cookies: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for line in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(line).expect("a value"));
        }
        let cookies = Cookies { headers: &headers, naming };
        let values = cookies.drop_bindings().into_iter().flatten();
        values.map(|value| value.to_str().expect("ASCII").to_owned()).collect()
    }

    #[test]
    fn what_a_browser_has_claimed_is_dropped_and_nothing_else() {
        let sent = [
            "__Host-ath_consent_0a=x; __Host-ath_browser=y; ath_consent_0b=z",
            "__Host-ath_consent_0c=x; other=ath_consent_",
        ];
        let gone = |name: &str| format!("{name}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
        assert_eq!(dropped(Naming::Host, &sent), ["__Host-ath_consent_0a", "__Host-ath_consent_0c"].map(gone));
        let sent = ["ath_consent_0a_4180=x; ath_consent_0b_4181=x; ath_browser_4180=y; ath_form_4180=z"];
        assert_eq!(
            dropped(Naming::Port("4180".to_owned()), &sent),
            ["ath_consent_0a_4180=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"]
        );
    }
}
