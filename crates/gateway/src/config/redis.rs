use ::store::{RedisAddress, RedisDisk, RedisLogin, RedisServers, RedisTls, RedisTopology};
use url::Url;

use super::key::{Form, Key};
use super::reader::{Found, Table};
use super::{pem, secrets};

/// A Redis, for any number of gateways.
#[derive(Debug)]
pub(crate) struct RedisConfig {
    /// Which, and how to get in.
    pub(crate) servers: RedisServers,
    /// Begins every key.
    pub(crate) prefix: String,
    /// How many replicas must have a write before it is acknowledged.
    pub(crate) replicas_to_wait_for: u32,
    /// Whether it must be on the primary's disk.
    pub(crate) disk: RedisDisk,
}

/// Whether some key says which Redis; the embedded store has none.
pub(super) fn is_named(table: &Table<'_>) -> bool {
    NAMES.iter().any(|key| table.written(key).is_some())
}

/// Reports what only a Redis has a use for.
pub(super) fn refuse_leftovers(table: &Table<'_>) {
    for key in KEYS {
        if let Some(place) = table.written(key) {
            place.problem("is for Redis alone; add url, or remove it");
        }
    }
}

pub(super) fn read(table: &Table<'_>) -> Option<RedisConfig> {
    let mut names = NAMES.iter().filter_map(|key| table.written(key));
    let first = names.next();
    for further in names {
        further.problem("names another Redis than the line before; write one of url, sentinels and cluster");
    }
    let (prefix, replicas) = (table.text(&KEY_PREFIX), table.integer(&REPLICAS));
    let tls = tls(table);
    if table.written(&SENTINELS).is_none() {
        refuse(
            table,
            &[SENTINEL_MASTER, SENTINEL_USER, SENTINEL_PASSWORD],
            "is for Sentinels; add sentinels, or remove it",
        );
    }
    let servers = if table.written(&URL).is_some() { at_url(table, tls) } else { several(table, tls) };
    let fails_over = first.is_some() && table.written(&URL).is_none();
    if let (true, Some(0), Some(place)) = (fails_over, replicas, table.written(&REPLICAS)) {
        place.warning("is 0: what was acknowledged is lost when a replica takes the primary's place; write 1 or more");
    }
    Some(RedisConfig {
        servers: servers?,
        prefix: prefix?.value.to_owned(),
        replicas_to_wait_for: replicas.unwrap_or(u32::from(fails_over)),
        disk: if table.boolean(&WAIT_FOR_DISK) { RedisDisk::Awaited } else { RedisDisk::AsConfigured },
    })
}

fn at_url(table: &Table<'_>, tls: Option<RedisTls>) -> Option<RedisServers> {
    refuse(
        table,
        &[USER, PASSWORD, DATABASE],
        "stands in url, which is redis://user:password@host:port/database; remove it",
    );
    refuse(table, &[TLS], "is for sentinels and cluster; url has it when it begins with rediss://");
    let written = secrets::literal_or_one(table, &URL)?;
    let mut servers = written.place.with(written.value.as_str()).parsed(parse_url)?.value;
    match &servers.encryption {
        Some(_) => servers.encryption = Some(tls?),
        None => refuse(
            table,
            &[CA_FILE, CLIENT_CERT_FILE, CLIENT_KEY_FILE],
            "is for TLS; begin url with rediss://, or remove it",
        ),
    }
    Some(servers)
}

fn several(table: &Table<'_>, tls: Option<RedisTls>) -> Option<RedisServers> {
    let encrypted = table.boolean(&TLS);
    if !encrypted {
        refuse(table, &[CA_FILE, CLIENT_CERT_FILE, CLIENT_KEY_FILE], "is for TLS; add `tls = true`, or remove it");
    }
    let mut account = login(table, &USER, &PASSWORD)?;
    account.database = table.integer(&DATABASE).unwrap_or_default();
    let topology = if let Some(place) = table.written(&SENTINELS) {
        let sentinels = addresses(table, &SENTINELS);
        let login = login(table, &SENTINEL_USER, &SENTINEL_PASSWORD);
        let Some(master) = table.words(&SENTINEL_MASTER) else {
            if table.written(&SENTINEL_MASTER).is_none() {
                place.problem("does not say which primary; add `sentinel_master = \"mymaster\"`");
            }
            return None;
        };
        RedisTopology::Sentinel { sentinels: sentinels?, master: master.value, login: login? }
    } else {
        refuse(table, &[DATABASE], "is of no use in a Cluster, which has database 0 alone; remove it");
        RedisTopology::Cluster(addresses(table, &CLUSTER)?)
    };
    Some(RedisServers { topology, login: account, encryption: if encrypted { Some(tls?) } else { None } })
}

fn refuse(table: &Table<'_>, keys: &[Key], why: &str) {
    for place in keys.iter().filter_map(|key| table.written(key)) {
        place.problem(why);
    }
}

fn parse_url(text: &str) -> Result<RedisServers, &'static str> {
    const FORM: &str = "is no URL of a Redis; write it as in \"redis://redis:6379\" or \"rediss://redis.example.com\"";
    let url = Url::parse(text).map_err(|_| FORM)?;
    let database = url.path().trim_start_matches('/').bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(url.scheme(), "redis" | "rediss") || url.host().is_none() || !database {
        return Err(FORM);
    }
    RedisServers::at_url(text).map_err(|_| FORM)
}

fn addresses(table: &Table<'_>, key: &Key) -> Option<Vec<RedisAddress>> {
    let written = table.texts(key);
    if written.is_empty()
        && let Some(place) = table.written(key)
    {
        place.problem("is empty; write one at least, or remove it");
    }
    let count = written.len();
    let parsed = written.into_iter().filter_map(|address| address.parsed(str::parse::<RedisAddress>));
    let addresses: Vec<RedisAddress> = parsed.map(|address| address.value).collect();
    (count > 0 && addresses.len() == count).then_some(addresses)
}

fn login(table: &Table<'_>, user: &Key, password: &Key) -> Option<RedisLogin> {
    let name = table.written(user).map(|_| table.words(user));
    let secret = table.written(password).map(|_| secrets::one(table, password));
    if let (Some(place), None) = (table.written(user), &secret) {
        return place
            .refused(format!("has no password; add `{} = {{ file = \"/run/secrets/redis\" }}`", password.name));
    }
    let user = match name {
        Some(name) => Some(name?.value),
        None => None,
    };
    let password = match secret {
        Some(secret) => Some(secret?.value.to_string()),
        None => None,
    };
    Some(RedisLogin { user, password, database: 0 })
}

fn tls(table: &Table<'_>) -> Option<RedisTls> {
    let authority = match table.written(&CA_FILE) {
        Some(_) => {
            let file = table.text(&CA_FILE)?;
            pem::roots(&file)?;
            Some(bytes(&file)?)
        }
        None => None,
    };
    let client = match (table.written(&CLIENT_CERT_FILE), table.written(&CLIENT_KEY_FILE)) {
        (Some(_), Some(_)) => {
            let (certificate, key) = (table.text(&CLIENT_CERT_FILE)?, table.text(&CLIENT_KEY_FILE)?);
            let (chain, parsed) = (pem::certificates(&certificate).is_some(), pem::private_key(&key).is_some());
            if !chain || !parsed {
                return None;
            }
            Some((bytes(&certificate)?, bytes(&key)?))
        }
        (Some(place), None) => return place.refused("has no key; add client_key_file"),
        (None, Some(place)) => return place.refused("has no certificate; add client_cert_file"),
        (None, None) => None,
    };
    Some(RedisTls { authority, client })
}

fn bytes(file: &Found<'_, &str>) -> Option<Vec<u8>> {
    Some(secrets::contents(file)?.bytes.to_vec())
}

const NAMES: [Key; 3] = [URL, SENTINELS, CLUSTER];

/// Everything but what names the Redis.
const KEYS: &[Key] = &[
    SENTINEL_MASTER,
    SENTINEL_USER,
    SENTINEL_PASSWORD,
    USER,
    PASSWORD,
    DATABASE,
    TLS,
    CA_FILE,
    CLIENT_CERT_FILE,
    CLIENT_KEY_FILE,
    KEY_PREFIX,
    REPLICAS,
    WAIT_FOR_DISK,
];

pub(super) const URL: Key = Key::optional(
    "url",
    Form::TextOrSecret,
    "The Redis that keeps the records, for any number of gateways; left out, an embedded store does, for this one.",
);
pub(super) const SENTINELS: Key = Key::optional(
    "sentinels",
    Form::Texts,
    "Instead of url: the Sentinels that know which Redis is the primary, all of them.",
);
pub(super) const SENTINEL_MASTER: Key =
    Key::optional("sentinel_master", Form::Text, "What the Sentinels call the primary.");
pub(super) const SENTINEL_USER: Key = Key::optional(
    "sentinel_user",
    Form::Text,
    "The gateway's user at the Sentinels; none by default, as Sentinels mostly have it.",
);
pub(super) const SENTINEL_PASSWORD: Key =
    Key::optional("sentinel_password", Form::Secret, "The password at the Sentinels.");
pub(super) const CLUSTER: Key = Key::optional(
    "cluster",
    Form::Texts,
    "Instead of url: some nodes of a Redis Cluster, from which the others are learnt.",
);
pub(super) const USER: Key = Key::optional(
    "user",
    Form::Text,
    "With sentinels or cluster, the gateway's user at Redis; Redis' own default user by default.",
);
pub(super) const PASSWORD: Key =
    Key::optional("password", Form::Secret, "With sentinels or cluster, the password at Redis.");
pub(super) const DATABASE: Key = Key::default(
    "database",
    Form::Integer { least: 0, most: 1_000_000 },
    "0",
    "With sentinels, the number of the database; 0 by default, as Redis has it.",
);
pub(super) const TLS: Key = Key::optional(
    "tls",
    Form::Boolean,
    "With sentinels or cluster, whether they are spoken to over TLS; false by default, and url says it by rediss://.",
);
pub(super) const CA_FILE: Key = Key::optional(
    "ca_file",
    Form::Text,
    "A PEM file with the authority of Redis' certificates; the machine's authorities by default.",
);
pub(super) const CLIENT_CERT_FILE: Key = Key::optional(
    "client_cert_file",
    Form::Text,
    "A PEM file with the gateway's own certificate, where Redis asks for one.",
);
pub(super) const CLIENT_KEY_FILE: Key =
    Key::optional("client_key_file", Form::Text, "A PEM file with that certificate's private key.");
pub(super) const KEY_PREFIX: Key = Key::default(
    "key_prefix",
    Form::Text,
    "ath:",
    "What every key in Redis begins with; \"ath:\" by default, so that a Redis can be shared.",
);
pub(super) const REPLICAS: Key = Key::optional(
    "replicas_to_wait_for",
    Form::Integer { least: 0, most: 100 },
    "How many Redis replicas must have a write before it counts; by default 0 with url, since a Redis alone has none, and 1 with sentinels \
     or cluster, since a failover would lose it.",
);
pub(super) const WAIT_FOR_DISK: Key = Key::optional(
    "wait_for_disk",
    Form::Boolean,
    "Whether a write counts only when it is on the primary's disk, which takes up to a second with appendfsync everysec (Redis 7.2 or \
     newer); false by default, since appendfsync always does it faster.",
);
