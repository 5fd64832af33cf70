//! By the browser on this machine: an authorization code that comes back to a port of this program's (RFC 8252), proved by RFC 7636 and RFC 9207.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use secret::AuthorizationCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use url::form_urlencoded;

use super::Wanted;
use super::proof::Proof;
use crate::gateway::Issued;
use crate::talk::Talk;
use crate::{Code, Failure};

/// A login that waits for its answer.
pub(crate) struct Loopback<'a> {
    wanted: Wanted<'a>,
    listener: TcpListener,
    redirect_uri: String,
    proof: Proof,
}

/// What came back in the browser.
#[derive(Debug)]
enum Came {
    Code(AuthorizationCode),
    /// With the fixed word for why; what is said beside it could be anybody's who saw the link.
    Refused(String),
    /// From another authorization server than the one that was asked (RFC 9207).
    OtherIssuer,
}

impl<'a> Loopback<'a> {
    /// Listens on a port that the system chooses, and that only this machine reaches.
    pub(crate) async fn begin(wanted: Wanted<'a>) -> Result<Self, Failure> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let port = bound.and_then(|listener| Ok((listener.local_addr()?.port(), listener)));
        let (port, listener) = port.map_err(|error| {
            let message = format!("No port can be listened on: {error}.");
            Failure::new(Code::Local, message, "Log in with --device, which needs none.")
        })?;
        let proof = Proof::new(&*wanted.gateway.machine().entropy);
        Ok(Self { wanted, listener, redirect_uri: format!("http://127.0.0.1:{port}/callback"), proof })
    }

    /// What the person opens.
    pub(crate) fn link(&self) -> String {
        let challenge = self.proof.challenge();
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", self.wanted.client_id),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("resource", self.wanted.resource()),
            ("state", self.proof.state()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        parameters.extend(self.wanted.service.map(|service| ("scope", service)));
        Wanted::with(&self.wanted.metadata.authorization, &parameters).into()
    }

    /// Waits for the person, and fetches the tokens.
    pub(crate) async fn finish(&self, talk: Talk) -> Result<Issued, Failure> {
        let came = tokio::time::timeout(self.wanted.patience, self.came());
        let came = talk.while_waiting("Waiting for you in the browser", came).await;
        let came = came.map_err(|_| {
            let hint = "Begin again with `ath login`; --wait says how many seconds it waits.";
            Failure::new(Code::TimedOut, "Nobody finished the login in the browser.", hint)
        })?;
        match came {
            Came::Code(code) => self.exchange(&code).await,
            Came::OtherIssuer => Err(self.wanted.gateway.is_none("the answer came from another authorization server")),
            Came::Refused(error) => Err(refused(&error)),
        }
    }

    async fn exchange(&self, code: &AuthorizationCode) -> Result<Issued, Failure> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("client_id", self.wanted.client_id),
            ("code_verifier", self.proof.verifier.expose()),
            ("resource", self.wanted.resource()),
        ];
        let answer = self.wanted.gateway.tokens(&self.wanted.metadata.token, &fields).await?;
        answer.map_err(crate::gateway::OAuthRefusal::failure)
    }

    /// The first answer that belongs to the request. Browsers open connections that they do not use, and pages knock at ports: neither is
    /// waited for, nor ends anything.
    async fn came(&self) -> Came {
        let (tell, mut told) = mpsc::channel(1);
        let seats = Arc::new(Semaphore::new(MOST));
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    match (accepted, seats.clone().try_acquire_owned()) {
                        (Ok((stream, _)), Ok(seat)) => {
                            let tell = tell.clone();
                            tokio::spawn(async move {
                                let _ = tokio::time::timeout(SLOWEST, heard(stream, tell)).await;
                                drop(seat);
                            });
                        }
                        // Whoever fills the machine with connections does not get a core as well.
                        (Err(_), _) => tokio::time::sleep(PAUSE).await,
                        (Ok(_), Err(_)) => {}
                    }
                }
                Some((parameters, page)) = told.recv() => {
                    let came = self.judged(&parameters);
                    let words = came.as_ref().map_or(STRAY, Came::page);
                    show(page, words).await;
                    if let Some(came) = came {
                        return came;
                    }
                }
            }
        }
    }

    fn judged(&self, parameters: &BTreeMap<String, String>) -> Option<Came> {
        let get = |name: &str| parameters.get(name).map(String::as_str);
        if !get("state").is_some_and(|state| self.proof.is_answered_by(state)) {
            return None;
        }
        // The gateway says that it sends it, so an answer without it is none of the gateway's.
        if get("iss").map(|issuer| issuer.trim_end_matches('/')) != Some(self.wanted.gateway.url().as_str()) {
            return Some(Came::OtherIssuer);
        }
        match (get("code"), get("error")) {
            (Some(code), None) => Some(Came::Code(AuthorizationCode::new(code))),
            (_, error) => Some(Came::Refused(error.unwrap_or("invalid_request").to_owned())),
        }
    }
}

impl Came {
    const fn page(&self) -> (&'static str, &'static str) {
        match self {
            Self::Code(_) => ("200 OK", "You are logged in. You may close this page, and go back to your terminal."),
            Self::Refused(_) => ("200 OK", "You are not logged in. Your terminal says why; you may close this page."),
            Self::OtherIssuer => ("400 Bad Request", "This answer is not the gateway's. Nobody was logged in."),
        }
    }
}

type Heard = (BTreeMap<String, String>, TcpStream);

/// Reads the head of a request, and hands on the parameters of one for the redirect URI.
async fn heard(mut stream: TcpStream, tell: mpsc::Sender<Heard>) -> Option<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let read = stream.read(&mut bytes).await.ok().filter(|read| *read > 0)?;
        head.extend_from_slice(bytes.get(..read)?);
        if head.len() > LONGEST {
            return None;
        }
    }
    if let Some(parameters) = parameters(&head) {
        return tell.send((parameters, stream)).await.ok();
    }
    show(stream, ("404 Not Found", "There is nothing here.")).await;
    None
}

fn parameters(head: &[u8]) -> Option<BTreeMap<String, String>> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let target = std::str::from_utf8(line).ok()?.strip_prefix("GET ")?.split(' ').next()?;
    let query = target.strip_prefix("/callback?")?;
    Some(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

async fn show(mut stream: TcpStream, (status, words): (&str, &str)) {
    let page =
        format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>ath</title><p>{words}</p></html>\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{page}",
        page.len()
    );
    // Whoever has left misses a page that says what the terminal says as well.
    let _ = tokio::time::timeout(SLOWEST, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

fn refused(error: &str) -> Failure {
    match error {
        "access_denied" => Failure::new(
            Code::AccessDenied,
            "The person, or the gateway's operator, refused the login.",
            "Begin again with `ath login`, if the person wants it.",
        ),
        "invalid_scope" => Failure::new(
            Code::Gateway(protocol::Problem::BadRequest),
            "The gateway has no service of this name for this program.",
            "Name one of its services, `ath login <service>`, or none: the person then chooses in the browser.",
        ),
        error => {
            let word =
                error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && error.len() <= LONGEST_WORD;
            let why = if word { error } else { "unknown" };
            Failure::new(
                Code::Gateway(protocol::Problem::BadRequest),
                format!("The gateway refused the login: {why}."),
                "Begin again with `ath login`, if the person wants it.",
            )
        }
    }
}

const STRAY: (&str, &str) = ("400 Bad Request", "This is not the answer that is waited for.");
/// Connections at a time; a browser has a few.
const MOST: usize = 64;
/// After a connection that could not be taken.
const PAUSE: Duration = Duration::from_millis(100);
/// For a request on a connection within this machine.
const SLOWEST: Duration = Duration::from_secs(10);
/// Of a word for what was wrong (RFC 6749 §4.1.2.1), in bytes.
const LONGEST_WORD: usize = 40;
/// Bytes of a request's head.
const LONGEST: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_is_read() {
        let read = |line: &str| parameters(format!("{line}\r\nHost: 127.0.0.1\r\n\r\n").as_bytes());
        let found = read("GET /callback?code=a%20b&state=x&iss=https%3A%2F%2Fg HTTP/1.1").expect("an answer");
        assert_eq!((found["code"].as_str(), found["iss"].as_str()), ("a b", "https://g"));
        for stray in [
            "GET / HTTP/1.1",
            "GET /callback HTTP/1.1",
            "POST /callback?code=a&state=x HTTP/1.1",
            "GET /callbackx?code=a HTTP/1.1",
            "GET //callback?code=a HTTP/1.1",
            "",
            "\u{fffd}",
        ] {
            assert!(read(stray).is_none(), "{stray}");
        }
    }
}
