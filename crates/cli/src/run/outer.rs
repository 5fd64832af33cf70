use std::io;
use std::time::Duration;

use data_encoding::BASE64;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::origin::{Origin, Scheme};

/// The proxy that stood in the environment before: whatever the program's connections would have gone through without this one.
pub(super) struct Outer {
    matcher: Matcher,
    patience: Duration,
}

/// How a server is reached.
pub(super) enum Line {
    /// By a connection to it.
    Direct(TcpStream),
    /// By a connection to a proxy, which is sent whole URLs and, where it wants some, credentials.
    Proxied(TcpStream, Option<HeaderValue>),
}

impl Outer {
    /// As these variables say.
    pub(super) fn of(variable: &dyn Fn(&str) -> Option<String>, patience: Duration) -> Self {
        let either = |names: [&str; 2]| names.into_iter().find_map(variable).unwrap_or_default();
        let builder = Matcher::builder().all(either(["ALL_PROXY", "all_proxy"]));
        let builder = builder.https(either(["HTTPS_PROXY", "https_proxy"])).http(either(["http_proxy", "HTTP_PROXY"]));
        Self { matcher: builder.no(either(["NO_PROXY", "no_proxy"])).build(), patience }
    }

    /// A connection whose bytes reach the server as they are.
    pub(super) async fn dial(&self, origin: &Origin) -> io::Result<TcpStream> {
        let dialled = async {
            match self.proxy(origin)? {
                None => TcpStream::connect((origin.bare_host(), origin.port())).await,
                Some(proxy) => tunnel(&proxy, origin).await,
            }
        };
        tokio::time::timeout(self.patience, dialled).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// A connection for a request in the clear.
    pub(super) async fn dial_plain(&self, origin: &Origin) -> io::Result<Line> {
        let Some(proxy) = self.proxy(origin)? else { return self.dial(origin).await.map(Line::Direct) };
        let connected =
            tokio::time::timeout(self.patience, connect(&proxy)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Line::Proxied(connected, credentials(&proxy)))
    }

    fn proxy(&self, origin: &Origin) -> io::Result<Option<Intercept>> {
        let uri: Uri = format!("{}/", origin.written()).parse().map_err(io::Error::other)?;
        let Some(proxy) = self.matcher.intercept(&uri) else { return Ok(None) };
        if proxy.uri().scheme_str() != Some(Scheme::Http.as_str()) {
            let why = "the proxy of the environment is not an http:// one, and others are not spoken to";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        Ok(Some(proxy))
    }
}

async fn connect(proxy: &Intercept) -> io::Result<TcpStream> {
    let host = proxy.uri().host().ok_or(io::ErrorKind::InvalidInput)?;
    let port = proxy.uri().port_u16().unwrap_or(Scheme::Http.usual_port());
    TcpStream::connect((host.trim_start_matches('[').trim_end_matches(']'), port)).await
}

/// RFC 9110 §9.3.6.
async fn tunnel(proxy: &Intercept, origin: &Origin) -> io::Result<TcpStream> {
    let mut stream = connect(proxy).await?;
    let target = format!("{}:{}", origin.host(), origin.port());
    let credentials = credentials(proxy);
    let credentials = credentials.as_ref().and_then(|value| value.to_str().ok());
    let credentials = credentials.map(|value| format!("Proxy-Authorization: {value}\r\n")).unwrap_or_default();
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{credentials}\r\n").as_bytes()).await?;
    let mut head = Vec::new();
    // By single bytes, for what comes after the head is the tunnel's.
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= LONGEST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.push(stream.read_u8().await?);
    }
    let status = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if !status.starts_with(b"2") {
        let status = String::from_utf8_lossy(status.get(..3).unwrap_or_default()).into_owned();
        return Err(io::Error::other(format!("the proxy of the environment answers {status}")));
    }
    Ok(stream)
}

fn credentials(proxy: &Intercept) -> Option<HeaderValue> {
    if let Some(basic) = proxy.basic_auth() {
        return Some(basic.clone());
    }
    let (name, password) = proxy.raw_auth()?;
    let mut value =
        HeaderValue::from_str(&format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// In bytes.
const LONGEST_HEAD: usize = 16 * 1024;
