use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, REFERER};
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::answer::{self, Body};
use super::authority::Leaves;
use super::gate::Gate;
use super::origin::{Origin, Scheme};
use super::pass::Pass;
use super::relay::Relay;
use super::routes::{Routes, is_plain};

/// The proxy of one command: services' hosts lead to the gateway, and everything else where it would have led without it.
///
/// **Invariant:** what does not show the secret is answered before anything is opened or sent.
pub(super) struct Proxy {
    /// What those show who may use it.
    pub(super) pass: Pass,
    /// Where it listens.
    pub(super) port: u16,
    /// Whose calls go to the gateway.
    pub(super) routes: Routes,
    /// What services' hosts are answered for with.
    pub(super) leaves: Leaves,
    /// The way to the gateway.
    pub(super) gate: Gate,
    /// The way to everywhere else.
    pub(super) relay: Relay,
}

impl Proxy {
    /// Serves until it is dropped.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, most likely: others have to end first.
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let proxy = self.clone();
            tokio::spawn(async move {
                // Small messages are not to wait for one another.
                let _ = stream.set_nodelay(true);
                let service = service_fn(move |request| {
                    let proxy = proxy.clone();
                    async move { Ok::<_, Infallible>(proxy.answer(request).await) }
                });
                serve_http(stream, service).await;
            });
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        if request.method() == Method::CONNECT {
            return if self.pass.admits(request.headers()) { self.connect(request).await } else { answer::stranger() };
        }
        let Some(authority) = request.uri().authority().cloned() else {
            return self.door(request).await;
        };
        if request.uri().scheme_str() != Some(Scheme::Http.as_str()) {
            return answer::sentence(StatusCode::BAD_REQUEST, "https goes through a tunnel; send CONNECT");
        }
        let Some(origin) = Origin::of_authority(Scheme::Http, &authority) else {
            return answer::sentence(StatusCode::BAD_REQUEST, "the URL names no server");
        };
        if self.is_own(&origin) {
            return self.door(request).await;
        }
        if !self.pass.admits(request.headers()) {
            return answer::stranger();
        }
        self.towards(&origin, request).await
    }

    /// A request to a server that was named exactly: the gateway's where a service's API is at that path, the server's otherwise.
    async fn towards(&self, origin: &Origin, request: Request<Incoming>) -> Response<Body> {
        let request = self.without_own_address(request);
        let path = request.uri().path();
        if self.routes.is_at(origin) && !is_plain(path) && request.method() != Method::OPTIONS {
            return answer::sentence(
                StatusCode::BAD_REQUEST,
                "a path with . or .. or a backslash in it is not forwarded",
            );
        }
        match self.routes.find(origin, path) {
            None => self.relay.pass(origin, request).await,
            Some(route) => {
                let rest = route.rest(path).unwrap_or_default().to_owned();
                self.gate.call(route, &rest, request).await
            }
        }
    }

    /// A base URL: `/<secret>/<service>/…`.
    async fn door(&self, request: Request<Incoming>) -> Response<Body> {
        // A page in a browser may know the port, and have given this address a name of its own.
        let named = request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let named = named.and_then(|named| Origin::of_authority(Scheme::Http, &named));
        let path = request.uri().path().to_owned();
        let mut segments = path.splitn(4, '/').skip(1);
        let (secret, service) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
        if !named.is_some_and(|named| self.is_own(&named)) || !self.pass.opens(secret) {
            return answer::sentence(
                StatusCode::NOT_FOUND,
                "there is nothing here without the URL that the command was given",
            );
        }
        let Some(route) = self.routes.door(service) else {
            return answer::sentence(StatusCode::NOT_FOUND, "no service has this base URL; `ath services` lists them");
        };
        let rest = route.rest(&path).unwrap_or_default().to_owned();
        self.gate.call(route, &rest, self.without_own_address(request)).await
    }

    /// A base URL has a secret in it, and programs tell where they come from.
    fn without_own_address(&self, mut request: Request<Incoming>) -> Request<Incoming> {
        let referer = request.headers().get(REFERER).and_then(|referer| referer.to_str().ok());
        let referer = referer.and_then(|referer| Origin::of_url(&Url::parse(referer).ok()?));
        if referer.is_some_and(|referer| self.is_own(&referer)) {
            request.headers_mut().remove(REFERER);
        }
        request
    }

    fn is_own(&self, origin: &Origin) -> bool {
        origin.port() == self.port && matches!(origin.host(), "127.0.0.1" | "localhost")
    }

    async fn connect(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let named = request.uri().authority().filter(|authority| authority.port_u16().is_some());
        let Some(origin) = named.and_then(|authority| Origin::of_authority(Scheme::Https, authority)) else {
            return answer::sentence(StatusCode::BAD_REQUEST, "CONNECT names a host and a port");
        };
        let taken = [Scheme::Https, Scheme::Http].into_iter().any(|scheme| self.routes.is_at(&origin.spoken(scheme)));
        if taken {
            tokio::spawn(async move {
                let Ok(upgraded) = hyper::upgrade::on(request).await else { return };
                // Whatever breaks off here is the program's to notice, by its own connection.
                let _ = self.taken(origin, TokioIo::new(upgraded)).await;
            });
            return answer::empty(StatusCode::OK);
        }
        match self.relay.dial(&origin).await {
            Err(error) => {
                let why = format!("{}:{} cannot be reached: {error}", origin.host(), origin.port());
                answer::sentence(StatusCode::BAD_GATEWAY, &why)
            }
            Ok(mut there) => {
                tokio::spawn(async move {
                    let Ok(here) = hyper::upgrade::on(request).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(here), &mut there).await;
                });
                answer::empty(StatusCode::OK)
            }
        }
    }

    /// A tunnel to a server where a service's API is. What is neither TLS nor HTTP is carried on as it is.
    async fn taken<S>(self: Arc<Self>, origin: Origin, mut stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut first = [0];
        if stream.read(&mut first).await? == 0 {
            return Ok(());
        }
        let (reader, writer) = tokio::io::split(stream);
        let mut stream = tokio::io::join(io::Cursor::new(first).chain(reader), writer);
        let secure = first == [TLS_HANDSHAKE];
        let scheme = if secure { Scheme::Https } else { Scheme::Http };
        let spoken = origin.spoken(scheme);
        if !self.routes.is_at(&spoken) {
            let mut there = self.relay.dial(&origin).await?;
            tokio::io::copy_bidirectional(&mut stream, &mut there).await?;
            return Ok(());
        }
        let proxy = self.clone();
        let named = spoken.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let (proxy, origin) = (proxy.clone(), named.clone());
            async move { Ok::<_, Infallible>(proxy.inside(&origin, request).await) }
        });
        if secure {
            let acceptor = TlsAcceptor::from(Arc::new(self.tls(spoken.bare_host())?));
            serve_http(acceptor.accept(stream).await?, service).await;
        } else {
            serve_http(stream, service).await;
        }
        Ok(())
    }

    /// A request within such a tunnel. It is for the server that the tunnel was opened to, or for nobody.
    async fn inside(&self, origin: &Origin, request: Request<Incoming>) -> Response<Body> {
        let host = request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let named = request.uri().authority().cloned().or(host);
        let named = named.and_then(|authority| Origin::of_authority(origin.scheme(), &authority));
        if named.as_ref() != Some(origin) {
            return answer::sentence(
                StatusCode::MISDIRECTED_REQUEST,
                "the request names another server than the tunnel",
            );
        }
        self.towards(origin, request).await
    }

    fn tls(&self, host: &str) -> io::Result<ServerConfig> {
        let leaf = self.leaves.of(host).map_err(io::Error::other)?;
        let builder =
            ServerConfig::builder_with_provider(Arc::new(default_provider())).with_safe_default_protocol_versions();
        let builder = builder.map_err(io::Error::other)?.with_no_client_auth();
        let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(leaf)));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// HTTP/1.1, or HTTP/2 where it begins like that.
async fn serve_http<S, F, R>(stream: S, service: F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future = R> + Send + 'static,
    R: Future<Output = Result<Response<Body>, Infallible>> + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().preserve_header_case(true).timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    // How a program's connection ends is the program's affair.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

/// The first byte of TLS (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// Before connections are taken again.
const PAUSE: Duration = Duration::from_millis(100);
/// For the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
