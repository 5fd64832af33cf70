use data_encoding::BASE64;
use http::HeaderMap;
use http::header::PROXY_AUTHORIZATION;
use secret::{Entropy, Opaque, SecretHash};

/// What the processes below a command show, and no others on this machine can: one secret for the proxy, and one for the base URLs, which
/// programs write into their logs.
pub(super) struct Pass {
    proxy: Opaque,
    credentials: SecretHash,
    path: Opaque,
    segment: SecretHash,
}

impl Pass {
    /// Draws both.
    pub(super) fn draw(entropy: &dyn Entropy) -> Self {
        let (proxy, path) = (Opaque::generate("", entropy), Opaque::generate("", entropy));
        let credentials = SecretHash::of(&BASE64.encode(format!("{NAME}:{}", proxy.expose()).as_bytes()));
        Self { credentials, segment: path.hash(), proxy, path }
    }

    /// As `HTTPS_PROXY` has it.
    pub(super) fn proxy_url(&self, port: u16) -> String {
        format!("http://{NAME}:{}@127.0.0.1:{port}", self.proxy.expose())
    }

    /// A service's base URL.
    pub(super) fn base_url(&self, port: u16, service: &str) -> String {
        format!("http://127.0.0.1:{port}/{}/{service}", self.path.expose())
    }

    /// Whether a request to the proxy carries the proxy's secret.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let mut presented = headers.get_all(PROXY_AUTHORIZATION).iter();
        let (Some(value), None) = (presented.next(), presented.next()) else { return false };
        let basic = value.to_str().ok().and_then(|value| value.split_once(' '));
        basic.is_some_and(|(scheme, credentials)| {
            scheme.eq_ignore_ascii_case("basic") && self.credentials.matches(credentials.trim())
        })
    }

    /// Whether the first segment of a base URL's path is the secret.
    pub(super) fn opens(&self, segment: &str) -> bool {
        self.segment.matches(segment)
    }
}

/// The user name of the proxy's credentials. The secret is the password.
const NAME: &str = "ath";

#[cfg(test)]
mod tests {
    use secret::SeededEntropy;

    use super::*;

    fn with(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PROXY_AUTHORIZATION, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn the_secret_admits_and_nothing_else_does() {
        let pass = Pass::draw(&SeededEntropy::new(1));
        let url = url::Url::parse(&pass.proxy_url(4000)).expect("a URL");
        let secret = url.password().expect("a password");
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text.as_bytes()));
        let right = basic(&format!("ath:{secret}"));
        assert!(pass.admits(&with(&[&right])));
        assert!(pass.admits(&with(&[&right.replace("Basic", "basic")])));
        for wrong in
            [basic("ath:"), basic(&format!(":{secret}")), basic("ath:x"), format!("Bearer {secret}"), String::new()]
        {
            assert!(!pass.admits(&with(&[&wrong])), "{wrong}");
        }
        assert!(!pass.admits(&with(&[])));
        assert!(!pass.admits(&with(&[&right, &right])));
    }

    #[test]
    fn the_two_secrets_are_not_one() {
        let pass = Pass::draw(&SeededEntropy::new(1));
        let base = pass.base_url(4000, "helpdesk");
        let segment = base.split('/').nth(3).expect("a segment");
        assert!(pass.opens(segment) && !pass.opens("") && !pass.opens("x"));
        assert!(!pass.proxy_url(4000).contains(segment));
        assert!(base.ends_with("/helpdesk"), "{base}");
    }
}
