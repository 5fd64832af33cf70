use std::fmt;
use std::str::FromStr;

use redis::{ConnectionAddr, IntoConnectionInfo};

use crate::StoreError;

/// Which Redis, and how to get in.
#[derive(Debug, Clone)]
pub struct RedisServers {
    /// Where it is.
    pub topology: RedisTopology,
    /// Who the gateway is to the servers that keep records.
    pub login: RedisLogin,
    /// How connections are encrypted; none where they are not.
    pub encryption: Option<RedisTls>,
}

/// Where a Redis is.
#[derive(Debug, Clone)]
pub enum RedisTopology {
    /// One server, or one name behind which somebody else sees to it that there is one.
    One(RedisAddress),
    /// A primary that Sentinels watch over.
    Sentinel {
        /// Some of the Sentinels, better all.
        sentinels: Vec<RedisAddress>,
        /// What they call the primary.
        master: String,
        /// Who the gateway is to the Sentinels.
        login: RedisLogin,
    },
    /// A Redis Cluster; some of its nodes, from which the others are learnt.
    Cluster(Vec<RedisAddress>),
}

/// `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisAddress {
    host: String,
    port: u16,
}

/// User, password and number of the database.
#[derive(Clone, Default)]
pub struct RedisLogin {
    /// The ACL user; `default` where there is none.
    pub user: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The database's number; a cluster has 0 alone.
    pub database: u32,
}

/// TLS to Redis.
#[derive(Clone, Default)]
pub struct RedisTls {
    /// Certificates of the authority that signed the servers', in PEM; the system's authorities where there is none.
    pub authority: Option<Vec<u8>>,
    /// The gateway's own certificate chain and its key, in PEM, where the servers ask for one.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisServers {
    /// One server, as a `redis` or `rediss` URL says.
    pub fn at_url(url: &str) -> Result<Self, StoreError> {
        let refused = || StoreError::Open(URL_FORM.to_owned());
        let info = url.into_connection_info().map_err(|_| refused())?;
        let (host, port, encryption) = match info.addr() {
            ConnectionAddr::Tcp(host, port) => (host.clone(), *port, None),
            ConnectionAddr::TcpTls { host, port, insecure: false, .. } => {
                (host.clone(), *port, Some(RedisTls::default()))
            }
            _ => return Err(refused()),
        };
        let settings = info.redis_settings();
        let login = RedisLogin {
            user: settings.username().map(str::to_owned),
            password: settings.password().map(str::to_owned),
            database: u32::try_from(settings.db()).map_err(|_| refused())?,
        };
        Ok(Self { topology: RedisTopology::One(RedisAddress { host, port }), login, encryption })
    }
}

impl RedisAddress {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

/// A text is no `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no host and port; write it as in \"redis-1.example.com:6379\" or \"[::1]:6379\"")]
pub struct RedisAddressError;

impl FromStr for RedisAddress {
    type Err = RedisAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(RedisAddressError)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let plain = |host: &str| {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        };
        let host = match bare {
            Some(address) if address.parse::<std::net::Ipv6Addr>().is_ok() => address,
            None if plain(host) => host,
            _ => return Err(RedisAddressError),
        };
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(RedisAddressError)?;
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for RedisLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisLogin([redacted])")
    }
}

impl fmt::Debug for RedisTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisTls([redacted])")
    }
}

const URL_FORM: &str =
    "the Redis URL is of no use; it has the form redis://user:password@host:6379/0, or rediss:// for TLS";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        for text in ["redis:6379", "10.0.0.1:26379", "[::1]:6379", "a-b.example.com:1"] {
            assert_eq!(text.parse::<RedisAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "",
            "redis",
            ":6379",
            "redis:0",
            "redis:65536",
            "::1:6379",
            "redis://r:6379",
            "[redis]:6379",
            "a b:1",
            "u@h:1",
        ] {
            assert_eq!(text.parse::<RedisAddress>(), Err(RedisAddressError), "{text:?}");
        }
    }

    #[test]
    fn a_url_says_where_and_who_and_does_not_print() {
        let servers = RedisServers::at_url("rediss://gateway:hunter2@redis.example.com:6380/3").expect("a URL");
        assert!(servers.encryption.is_some());
        assert_eq!(servers.login.user.as_deref(), Some("gateway"));
        assert_eq!(servers.login.database, 3);
        assert!(!format!("{servers:?}").contains("hunter2"));
        for url in ["http://redis", "rediss://redis/#insecure", "unix:///tmp/redis", ""] {
            assert!(RedisServers::at_url(url).is_err(), "{url:?}");
        }
    }
}
