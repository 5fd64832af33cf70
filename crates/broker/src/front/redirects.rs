use url::{Host, Url};

/// Why a redirect URI is not taken. Says what to write instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectProblem {
    /// Too long, or not in the one spelling that URLs have.
    #[error(
        "is no URL in its plain spelling, of 2048 characters at most; write it as in \"https://app.example.com/callback\""
    )]
    Form,
    /// Something that a redirect URI has not.
    #[error("has credentials, a fragment or a star; remove them, and name each redirect URI as a whole")]
    Part,
    /// `http` somewhere else than on this machine.
    #[error("is http on a host that is not loopback; use https, or http with 127.0.0.1, [::1] or localhost")]
    Plaintext,
    /// A scheme of an application's own that is not listed.
    #[error(
        "has a scheme that is not taken here; use https, http on loopback, or a scheme that redirect_schemes lists"
    )]
    Scheme,
}

/// Whether people may be sent there after a consent: https, http on loopback, or a scheme that native applications are reached by and that
/// is in `schemes` (RFC 8252 §7). In one spelling alone, since redirect URIs are compared character for character.
pub fn check_redirect_uri(text: &str, schemes: &[String]) -> Result<(), RedirectProblem> {
    // A backslash is a slash to some readers, and what is not ASCII looks like something else to others.
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(plain) {
        return Err(RedirectProblem::Form);
    }
    let url = Url::parse(text).map_err(|_| RedirectProblem::Form)?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(RedirectProblem::Part);
    }
    let canonical = url.as_str() == text || url.path() == "/" && url.as_str().strip_suffix('/') == Some(text);
    if !canonical || url.cannot_be_a_base() {
        return Err(RedirectProblem::Form);
    }
    if url.host_str().is_some_and(|host| host.contains('*')) {
        return Err(RedirectProblem::Part);
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_this_machine(&url) => Ok(()),
        "http" => Err(RedirectProblem::Plaintext),
        scheme if schemes.iter().any(|known| known == scheme) && check_redirect_scheme(scheme).is_ok() => Ok(()),
        _ => Err(RedirectProblem::Scheme),
    }
}

/// Whether `asked` is one of a client's redirect URIs: the same characters; on loopback with any port (RFC 8252 §7.3), since native
/// applications take one that is free.
pub(crate) fn is_registered(registered: &[String], asked: &str) -> bool {
    registered.iter().any(|uri| uri == asked || same_but_for_the_port(uri, asked))
}

fn same_but_for_the_port(registered: &str, asked: &str) -> bool {
    let Some(((host, rest), (asked_host, asked_rest))) = loopback(registered).zip(loopback(asked)) else {
        return false;
    };
    host == asked_host && rest == asked_rest
}

/// Host and path of `http://127.0.0.1:1234/callback`, by the text alone: nothing is decoded that might be decoded otherwise elsewhere.
fn loopback(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let host = THIS_MACHINE.into_iter().find(|host| rest.starts_with(host))?;
    let rest = rest.strip_prefix(host)?;
    let path = match rest.strip_prefix(':') {
        None => rest,
        Some(port) => {
            let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
            let (port, path) = port.split_at(end);
            // As the operating system counts them, and written in one way.
            if port.starts_with('0') || port.parse::<u16>().is_err() {
                return None;
            }
            path
        }
    };
    (path.is_empty() || path.starts_with(['/', '?'])).then_some((host, path))
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address == std::net::Ipv4Addr::LOCALHOST,
        Some(Host::Ipv6(address)) => address == std::net::Ipv6Addr::LOCALHOST,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Why a scheme cannot be one of a native application's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SchemeProblem {
    /// RFC 3986 §3.1, in lower case.
    #[error("is no scheme in lower case; write one such as \"cursor\" or \"com.example.app\", without ://")]
    Form,
    /// What browsers do something else with than handing it to an application.
    #[error("is a scheme that browsers and systems use themselves, by which a code could be stolen; remove it")]
    Taken,
}

/// Whether redirect URIs may be given this scheme by the configuration.
pub fn check_redirect_scheme(scheme: &str) -> Result<(), SchemeProblem> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.');
    let begins = scheme.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if !begins || scheme.len() > LONGEST_SCHEME || !scheme.bytes().all(inner) {
        return Err(SchemeProblem::Form);
    }
    if TAKEN.contains(&scheme) {
        return Err(SchemeProblem::Taken);
    }
    Ok(())
}

/// In bytes.
const LONGEST: usize = 2048;
/// In bytes.
const LONGEST_SCHEME: usize = 64;
const THIS_MACHINE: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];
const TAKEN: [&str; 34] = [
    "about",
    "acap",
    "android-app",
    "blob",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "dav",
    "dns",
    "edge",
    "facetime",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "geo",
    "http",
    "https",
    "intent",
    "jar",
    "javascript",
    "ldap",
    "mailto",
    "moz-extension",
    "resource",
    "sftp",
    "sms",
    "ssh",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(uri: &str) -> Result<(), RedirectProblem> {
        check_redirect_uri(uri, &["cursor".to_owned(), "vscode".to_owned(), "javascript".to_owned()])
    }

    #[test]
    fn what_real_clients_register_is_taken() {
        for uri in [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
            "https://vscode.dev/redirect",
            "https://insiders.vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
            "http://127.0.0.1",
            "http://[::1]:1/x",
            "https://claude.ai/api/mcp/auth_callback",
            "http://localhost/callback",
            "https://app.example.com/cb?tenant=1",
            "https://app.example.com",
            "vscode:/callback",
        ] {
            assert_eq!(judged(uri), Ok(()), "{uri}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use RedirectProblem::{Form, Part, Plaintext, Scheme};
        for (uri, problem) in [
            ("", Form),
            ("/callback", Form),
            ("//app.example.com/cb", Form),
            ("app.example.com/cb", Form),
            ("https://", Form),
            ("https:app.example.com/cb", Form),
            ("https:/app.example.com/cb", Form),
            ("https:///app.example.com/cb", Form),
            ("https:\\\\app.example.com\\cb", Form),
            ("https://app.example.com\\@evil.example/", Form),
            ("https://app.example.com/cb\n", Form),
            (" https://app.example.com/cb", Form),
            ("https://app.example.com/c\tb", Form),
            ("https://app.example.com/a/../cb", Form),
            ("https://app.example.com/%2e%2e/cb", Form),
            ("https://App.example.com/cb", Form),
            ("HTTPS://app.example.com/cb", Form),
            ("https://app.example.com:443/cb", Form),
            ("https://\u{430}pp.example.com/cb", Form),
            ("https://0x7f.1/cb", Form),
            ("http://2130706433/cb", Form),
            ("http://127.1/cb", Form),
            ("http://[0:0:0:0:0:0:0:1]/cb", Form),
            ("cursor:callback", Form),
            ("https://user@app.example.com/cb", Part),
            ("https://user:secret@app.example.com/cb", Part),
            ("https://app.example.com/cb#", Part),
            ("https://app.example.com/cb#fragment", Part),
            ("https://*.example.com/cb", Part),
            ("cursor://evil@anysphere.cursor-mcp/", Part),
            ("http://app.example.com/cb", Plaintext),
            ("http://127.0.0.2/cb", Plaintext),
            ("http://localhost.example.com/cb", Plaintext),
            ("http://localhost./cb", Plaintext),
            ("http://10.0.0.1/cb", Plaintext),
            ("http://[::ffff:7f00:1]/cb", Plaintext),
            ("ftp://app.example.com/cb", Scheme),
            ("file:///etc/passwd", Scheme),
            ("ws://app.example.com/", Scheme),
            ("zed://x/", Scheme),
            ("javascript://x/%0aalert(1)", Scheme),
            ("javascript:alert(1)", Form),
            ("data:text/html,x", Form),
        ] {
            assert_eq!(judged(uri), Err(problem), "{uri}");
        }
        assert_eq!(judged(&format!("https://app.example.com/{}", "a".repeat(2048))), Err(Form));
    }

    #[test]
    fn a_port_on_loopback_is_the_systems_choice() {
        let registered = [
            "http://localhost/callback",
            "http://127.0.0.1:33418/",
            "https://app.example.com/cb",
            "http://[::1]/x?y=1",
        ]
        .map(str::to_owned);
        for asked in [
            "http://localhost/callback",
            "http://localhost:1/callback",
            "http://localhost:65535/callback",
            "http://127.0.0.1/",
            "http://127.0.0.1:8080/",
            "https://app.example.com/cb",
            "http://[::1]:9/x?y=1",
        ] {
            assert!(is_registered(&registered, asked), "{asked}");
        }
        for asked in [
            "http://127.0.0.1:8080/callback",
            "http://127.0.0.1:8080",
            "http://localhost:8080/callback/",
            "http://localhost:8080/callback?x=1",
            "http://localhost:8080/callback#x",
            "http://localhost:65536/callback",
            "http://localhost:0/callback",
            "http://localhost:080/callback",
            "http://localhost:/callback",
            "http://localhost:80a/callback",
            "http://localhost:80@evil.example/callback",
            "http://localhost@evil.example/callback",
            "http://localhost.evil.example/callback",
            "http://localhost:8080\\callback",
            "https://localhost:8080/callback",
            "https://app.example.com:8443/cb",
            "https://app.example.com/cb/",
            "http://[::1]:9/x?y=2",
            "",
        ] {
            assert!(!is_registered(&registered, asked), "{asked}");
        }
    }

    #[test]
    fn a_scheme_belongs_to_an_application() {
        for scheme in ["cursor", "vscode", "vscode-insiders", "windsurf", "zed", "claude", "com.example.app"] {
            assert_eq!(check_redirect_scheme(scheme), Ok(()), "{scheme}");
        }
        for scheme in TAKEN {
            assert_eq!(check_redirect_scheme(scheme), Err(SchemeProblem::Taken), "{scheme}");
        }
        for scheme in ["", "Cursor", "cursor:", "cursor://", "1password", "a b", "\u{e4}pp", "-x", "x_y"] {
            assert_eq!(check_redirect_scheme(scheme), Err(SchemeProblem::Form), "{scheme}");
        }
    }
}
