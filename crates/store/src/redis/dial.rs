use std::collections::HashMap;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo,
    RedisConnectionInfo, RedisResult, TlsCertificates,
};
use socket2::TcpKeepalive;
use tokio::sync::mpsc;

use super::failure::Failure;
use super::{CONNECT, RedisAddress, RedisLogin, RedisTls, TIMEOUT};

/// Opens connections, to any server, as one user.
pub(super) struct Dial {
    mode: Mode,
    login: RedisConnectionInfo,
    encryption: Encryption,
}

#[derive(Clone)]
enum Encryption {
    None,
    /// With the machine's authorities.
    Plain,
    /// With an authority or a certificate of our own.
    With(TlsCertificates),
}

/// Whether servers are expected to be nodes of a cluster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Alone,
    Cluster,
}

/// An open connection to a primary.
#[derive(Clone)]
pub(super) struct Reached {
    pub(super) connection: MultiplexedConnection,
    /// Names this run of this server: another after each start.
    pub(super) run: Arc<str>,
}

/// A connection on which messages arrive.
pub(super) struct Subscription {
    pub(super) run: Arc<str>,
    pub(super) messages: mpsc::UnboundedReceiver<PushInfo>,
    _connection: MultiplexedConnection,
}

impl Dial {
    pub(super) fn new(login: &RedisLogin, tls: Option<&RedisTls>, mode: Mode) -> Self {
        let mut info = RedisConnectionInfo::default().set_db(i64::from(login.database)).set_skip_set_lib_name();
        if let Some(user) = &login.user {
            info = info.set_username(user);
        }
        if let Some(password) = &login.password {
            info = info.set_password(password);
        }
        let encryption = match tls.cloned() {
            None => Encryption::None,
            Some(RedisTls { authority: None, client: None }) => Encryption::Plain,
            Some(RedisTls { authority, client }) => {
                let client = client.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
                Encryption::With(TlsCertificates { client_tls: client, root_cert: authority })
            }
        };
        Self { mode, login: info, encryption }
    }

    /// Whether certificates and keys can be used at all.
    pub(super) fn check(&self) -> RedisResult<()> {
        self.client(&RedisAddress::new("localhost", 1), ProtocolVersion::RESP2).map(drop)
    }

    /// A connection to a server that takes writes and has all its data.
    pub(super) async fn reach(&self, address: &RedisAddress) -> Result<Reached, Failure> {
        let opened = async {
            let client = self.client(address, ProtocolVersion::RESP2)?;
            let mut connection = client.get_multiplexed_async_connection_with_config(&config()).await?;
            let run = identify(&mut connection, self.mode).await?;
            Ok(Reached { connection, run })
        };
        tokio::time::timeout(CONNECT, opened).await.unwrap_or(Err(Failure::Late))
    }

    /// A connection to any server that answers.
    pub(super) async fn open(&self, address: &RedisAddress) -> Result<MultiplexedConnection, Failure> {
        let opened = async {
            let client = self.client(address, ProtocolVersion::RESP2)?;
            Ok(client.get_multiplexed_async_connection_with_config(&config()).await?)
        };
        tokio::time::timeout(CONNECT, opened).await.unwrap_or(Err(Failure::Late))
    }

    /// A connection that hears these channels. What is published at that server after this returned is heard, in order.
    pub(super) async fn subscribe(&self, address: &RedisAddress, channels: &[String]) -> Result<Subscription, Failure> {
        let subscribed = async {
            let client = self.client(address, ProtocolVersion::RESP3)?;
            let (sender, messages) = mpsc::unbounded_channel();
            let config = config().set_push_sender(sender);
            let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            let run = identify(&mut connection, self.mode).await?;
            connection.subscribe(channels).await?;
            Ok(Subscription { run, messages, _connection: connection })
        };
        tokio::time::timeout(CONNECT, subscribed).await.unwrap_or(Err(Failure::Late))
    }

    /// A network that swallows packets must break a connection, not keep it: only a broken one is renewed.
    fn client(&self, address: &RedisAddress, protocol: ProtocolVersion) -> RedisResult<Client> {
        let keepalive = TcpKeepalive::new().with_time(TIMEOUT).with_interval(TIMEOUT).with_retries(2);
        let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        #[cfg(target_os = "linux")]
        let settings = settings.set_user_timeout(2 * TIMEOUT);
        let (host, port) = (address.host().to_owned(), address.port());
        let place = match &self.encryption {
            Encryption::None => ConnectionAddr::Tcp(host, port),
            Encryption::Plain | Encryption::With(_) => {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            }
        };
        let login = self.login.clone().set_protocol(protocol);
        let info = place.into_connection_info()?.set_tcp_settings(settings).set_redis_settings(login);
        match &self.encryption {
            Encryption::With(certificates) => Client::build_with_tls(info, certificates.clone()),
            Encryption::None | Encryption::Plain => Client::open(info),
        }
    }
}

/// The server's run, where it may be used: a replica, or one that is still loading, may not.
async fn identify(connection: &mut MultiplexedConnection, mode: Mode) -> Result<Arc<str>, Failure> {
    let text: String = redis::cmd("INFO").query_async(connection).await?;
    let info = info(&text);
    if info.get("loading").is_some_and(|loading| *loading != "0") {
        return Err(Failure::Unusable("LOADING"));
    }
    if info.get("role").is_some_and(|role| *role != "master") {
        return Err(Failure::Unusable("it is a replica"));
    }
    if mode == Mode::Alone && info.get("redis_mode").is_some_and(|mode| *mode == "cluster") {
        return Err(Failure::Unusable("it is a node of a Cluster; name its nodes with `cluster` instead of `url`"));
    }
    info.get("run_id").map(|run| Arc::from(*run)).ok_or(Failure::Unusable("it does not say which run it is in"))
}

/// What `INFO` says, by name.
pub(super) fn info(text: &str) -> HashMap<&str, &str> {
    text.lines().filter_map(|line| line.trim_end().split_once(':')).collect()
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(TIMEOUT))
}
