use std::num::NonZeroUsize;
use std::time::Duration;

use broker::Limits;
use limits::{Crowd, Limit, Rate};

use super::key::{Form, Key};
use super::reader::Table;

mod numbers;

pub(crate) use numbers::NumbersConfig;

/// How often what may happen, and how much at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitsConfig {
    rates: [Option<Rate>; 11],
    pub(crate) numbers: NumbersConfig,
}

impl LimitsConfig {
    /// The limits, with nothing counted yet, for so many cores.
    pub(crate) fn limits(self, cores: NonZeroUsize) -> Limits {
        let [address, agent, client, secrets, tokens, documents, calls, users, registrations, registering, typed] =
            self.rates.map(Limit::new);
        Limits {
            handshake_per_address: address,
            handshake_per_agent: agent,
            token_per_client: client,
            registrations,
            registrations_per_address: registering,
            user_codes: typed,
            device_polls: Limit::new(Some(Rate::every(DEVICE_POLLS))),
            wrong_secrets: secrets,
            wrong_tokens: tokens,
            documents_per_host: documents,
            calls_per_agent: calls,
            calls_per_user: users,
            concurrent_calls: Crowd::new(NonZeroUsize::new(self.numbers.calls_per_agent), cores),
            sockets: Crowd::new(NonZeroUsize::new(self.numbers.sockets_per_agent), cores),
        }
    }
}

pub(super) fn read(table: &Table<'_>) -> Option<LimitsConfig> {
    let keys = [
        &HANDSHAKE_PER_ADDRESS,
        &HANDSHAKE_PER_AGENT,
        &TOKEN_PER_CLIENT,
        &WRONG_SECRETS,
        &WRONG_TOKENS,
        &DOCUMENTS_PER_HOST,
        &CALLS_PER_AGENT,
        &CALLS_PER_USER,
        &REGISTRATIONS,
        &REGISTRATIONS_PER_ADDRESS,
        &USER_CODES,
    ];
    // All of them are read before one that is wrong is missed.
    let read = keys.map(|key| table.parsed(key, Rate::parse).map(|found| found.value));
    let rates: Option<Vec<Option<Rate>>> = read.into_iter().collect();
    let numbers = numbers::read(table);
    Some(LimitsConfig { rates: rates?.try_into().ok()?, numbers })
}

pub(super) const KEYS: &[Key] = &[
    HANDSHAKE_PER_ADDRESS,
    HANDSHAKE_PER_AGENT,
    TOKEN_PER_CLIENT,
    WRONG_SECRETS,
    WRONG_TOKENS,
    DOCUMENTS_PER_HOST,
    CALLS_PER_AGENT,
    CALLS_PER_USER,
    REGISTRATIONS,
    REGISTRATIONS_PER_ADDRESS,
    USER_CODES,
    numbers::CONCURRENT_CALLS_PER_AGENT,
    numbers::SOCKETS_PER_AGENT,
    numbers::CONNECTIONS,
    numbers::CONNECTIONS_PER_ADDRESS,
    numbers::STREAMS_PER_CONNECTION,
    numbers::CONTROL_FRAMES,
    numbers::BYTES_PER_SECOND,
    numbers::REQUEST_MEMORY,
];

const HANDSHAKE_PER_ADDRESS: Key = Key::default(
    "handshake_per_address",
    Form::Rate,
    "6000/m",
    "Registrations, consents begun and tokens asked for, from each address; 6000/m by default: 6000 at once, then 100 a second.",
);
const HANDSHAKE_PER_AGENT: Key = Key::default(
    "handshake_per_agent",
    Form::Rate,
    "3000/m",
    "The same by each agent, whose signature held; 3000/m by default.",
);
const TOKEN_PER_CLIENT: Key = Key::default(
    "token_per_client",
    Form::Rate,
    "3000/m",
    "Tokens asked for and revoked, and looks at the registration, by each client; 3000/m by default.",
);
const WRONG_SECRETS: Key = Key::default(
    "wrong_secrets",
    Form::Rate,
    "300/m",
    "Wrong client secrets, for each client and address; 300/m by default, far from enough to guess one.",
);
const WRONG_TOKENS: Key = Key::default(
    "wrong_tokens",
    Form::Rate,
    "6000/m",
    "Calls with tokens that do not exist, from each address; 6000/m by default.",
);
const DOCUMENTS_PER_HOST: Key = Key::default(
    "documents_per_host",
    Form::Rate,
    "600/m",
    "Documents and keys of agents and clients that are fetched from each host and port, whoever asks; 600/m by default, so that nobody is stormed through the gateway.",
);
const CALLS_PER_AGENT: Key = Key::default(
    "calls_per_agent",
    Form::Rate,
    "off",
    "Calls that are forwarded, by each agent; off by default, since only you know what your APIs carry.",
);
const CALLS_PER_USER: Key = Key::default(
    "calls_per_user",
    Form::Rate,
    "off",
    "Calls that are forwarded, for each person, by whichever agent; off by default.",
);
const REGISTRATIONS: Key = Key::default(
    "registrations",
    Form::Rate,
    "2000/h",
    "OAuth clients that register themselves, from everywhere together; 2000/h by default. One that nobody consents to is forgotten after a day.",
);
const REGISTRATIONS_PER_ADDRESS: Key =
    Key::default("registrations_per_address", Form::Rate, "1000/h", "The same from each address; 1000/h by default.");
const USER_CODES: Key = Key::default(
    "user_codes",
    Form::Rate,
    "20/m",
    "Wrong codes of devices that are typed in, from each address; 20/m by default, far from enough to guess one.",
);

/// A device that keeps to the interval it was told is never too early.
const DEVICE_POLLS: Duration = Duration::from_millis(4500);
