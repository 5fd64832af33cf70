//! Every command that is ever sent, in one place.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value};

use super::lease::Taker;
use super::slot::Slot;
use crate::{Index, Key, Lease, Life, Record, StoreError, Version, Write, Written};

/// Makes commands, with every key under one prefix.
pub(super) struct Commands {
    prefix: String,
    channel: String,
}

impl Commands {
    pub(super) fn new(prefix: String) -> Self {
        let channel = format!("{prefix}invalidate");
        Self { prefix, channel }
    }

    pub(super) fn channel(&self) -> &str {
        &self.channel
    }

    /// The channel of one member's own: its heartbeats, and the sign that it lives.
    pub(super) fn own_channel(&self, member: &str) -> String {
        format!("{}member:{member}", self.prefix)
    }

    pub(super) fn get(&self, key: &Key) -> Cmd {
        command("GET", &self.record(key))
    }

    pub(super) fn take(&self, key: &Key) -> Cmd {
        command("GETDEL", &self.record(key))
    }

    pub(super) fn scan(&self, index: &Index) -> Cmd {
        command("SMEMBERS", &self.index(index))
    }

    /// Some of the names under the prefix, whatever they are of.
    pub(super) fn names(&self, cursor: &str) -> Cmd {
        let mut command = command("SCAN", cursor);
        command.arg("MATCH").arg(format!("{}*", literal(&self.prefix))).arg("COUNT").arg(crate::PAGE);
        command
    }

    /// The record that a name in Redis is of; `None` for leases, fences, indexes and whatever else is no record.
    pub(super) fn key_of(&self, name: &str) -> Option<Key> {
        Key::parse(name.strip_prefix(&self.prefix)?).ok()
    }

    /// Tells everybody that these records changed. It writes, so that a primary that was cut off cannot confirm it.
    pub(super) fn announce(&self, keys: &[&Key]) -> Cmd {
        let mut command = script(include_str!("scripts/announce.lua"), &[self.announced()]);
        command.arg(&self.channel);
        for key in keys {
            command.arg(key.as_str());
        }
        command
    }

    /// The part of a cluster through which members hear of each other: all of it lies in one slot.
    pub(super) fn bus(&self) -> Slot {
        Slot::of(&self.members())
    }

    pub(super) fn beat(&self, member: &str, lease: Duration, message: &str) -> Cmd {
        let mut command = script(include_str!("scripts/beat.lua"), &[self.members()]);
        command.arg(member).arg(millis(lease)).arg(self.own_channel(member)).arg(message);
        command
    }

    pub(super) fn ask_members(&self, message: &str) -> Cmd {
        let mut command = script(include_str!("scripts/members.lua"), &[self.members()]);
        command.arg(&self.channel).arg(message);
        command
    }

    pub(super) fn say(&self, message: &str) -> Cmd {
        let mut command = command("PUBLISH", &self.channel);
        command.arg(message);
        command
    }

    /// What the store says of its format.
    pub(super) fn format(&self) -> Cmd {
        command("GET", &self.format_name())
    }

    /// Says the format where none is said yet.
    pub(super) fn begin_format(&self, mark: &str) -> Cmd {
        let mut command = self.change_format(mark);
        command.arg("NX");
        command
    }

    /// Says another format.
    pub(super) fn change_format(&self, mark: &str) -> Cmd {
        let mut command = command("SET", &self.format_name());
        command.arg(mark);
        command
    }

    fn format_name(&self) -> String {
        format!("{}{{bus}}:format", self.prefix)
    }

    fn members(&self) -> String {
        format!("{}{{bus}}:members", self.prefix)
    }

    fn announced(&self) -> String {
        format!("{}{{bus}}:announced", self.prefix)
    }

    pub(super) fn acquire(&self, key: &Key, taker: Taker<'_>) -> Cmd {
        let mut command = script(include_str!("scripts/acquire.lua"), &[self.lease(key), self.fence(key)]);
        command.arg(taker.member).arg(taker.holder).arg(millis(taker.time)).arg(taker.provable.as_str());
        command
    }

    /// Without its arguments, which `lease.rs` knows.
    pub(super) fn inherit(&self, key: &Key) -> Cmd {
        script(include_str!("scripts/inherit.lua"), &[self.lease(key), self.fence(key), self.members()])
    }

    pub(super) fn renew(&self, lease: &Lease, time: Duration) -> Cmd {
        let mut command = script(include_str!("scripts/renew.lua"), &[self.lease(&lease.key)]);
        command.arg(held_value(lease)).arg(millis(time));
        command
    }

    pub(super) fn release(&self, lease: &Lease) -> Cmd {
        let mut command = script(include_str!("scripts/release.lua"), &[self.lease(&lease.key)]);
        command.arg(held_value(lease));
        command
    }

    pub(super) fn write(&self, write: &Write) -> Cmd {
        match write {
            Write::Put { key, bytes, life } => self.set(key, bytes, *life),
            Write::Insert { key, bytes, life } => {
                let mut command = self.set(key, bytes, *life);
                command.arg("NX");
                command
            }
            Write::Swap { key, expected, bytes, life } => {
                let keys = [self.record(key)];
                self.swap(include_str!("scripts/swap.lua"), &keys, key, *expected, bytes, *life)
            }
            Write::SwapFenced { lease, expected, bytes, life } => {
                let keys = [self.record(&lease.key), self.lease(&lease.key)];
                let text = include_str!("scripts/swap_fenced.lua");
                let mut command = self.swap(text, &keys, &lease.key, *expected, bytes, *life);
                command.arg(held_value(lease));
                command
            }
            Write::Reseal { key, read, bytes } => {
                let mut command = script(include_str!("scripts/reseal.lua"), &[self.record(key)]);
                command.arg(encode(read.version, &read.bytes)).arg(encode(read.version, bytes));
                command
            }
            Write::Delete { key } => {
                let mut command = script(include_str!("scripts/delete.lua"), &[self.record(key)]);
                command.arg(&self.channel).arg(key.as_str());
                command
            }
            Write::List { index, key } => {
                let mut command = command("SADD", &self.index(index));
                command.arg(key.as_str());
                command
            }
            Write::Unlist { index, key } => {
                let mut command = command("SREM", &self.index(index));
                command.arg(key.as_str());
                command
            }
        }
    }

    fn set(&self, key: &Key, bytes: &[u8], life: Life) -> Cmd {
        let mut command = command("SET", &self.record(key));
        command.arg(encode(Version::FIRST, bytes));
        if let Life::For(time) = life {
            command.arg("PX").arg(millis(time));
        }
        command
    }

    fn swap(&self, text: &str, keys: &[String], key: &Key, read: Version, bytes: &[u8], life: Life) -> Cmd {
        let life = match life {
            Life::Forever => 0,
            Life::For(time) => millis(time),
        };
        let mut command = script(text, keys);
        command.arg(read.number().to_be_bytes().as_slice()).arg(encode(read.next(), bytes)).arg(life);
        command.arg(&self.channel).arg(key.as_str());
        command
    }

    fn record(&self, key: &Key) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Contains the record's hash tag, so it lies in the same slot of a cluster.
    fn lease(&self, key: &Key) -> String {
        format!("{}lease:{key}", self.prefix)
    }

    fn fence(&self, key: &Key) -> String {
        format!("{}fence:{key}", self.prefix)
    }

    fn index(&self, index: &Index) -> String {
        format!("{}{}", self.prefix, index.as_str())
    }
}

/// The record, index or lease that a write is for decides where it goes.
pub(super) fn slot(write: &Write) -> Slot {
    match write {
        Write::Put { key, .. } | Write::Insert { key, .. } | Write::Swap { key, .. } | Write::Delete { key } => {
            Slot::of(key.as_str())
        }
        Write::Reseal { key, .. } => Slot::of(key.as_str()),
        Write::SwapFenced { lease, .. } => Slot::of(lease.key.as_str()),
        Write::List { index, .. } | Write::Unlist { index, .. } => Slot::of(index.as_str()),
    }
}

/// Whether a write's condition held, by what Redis answered.
pub(super) fn outcome(write: &Write, answer: &Value) -> Written {
    let done = match write {
        Write::Insert { .. } => !matches!(answer, Value::Nil),
        Write::Swap { .. } | Write::SwapFenced { .. } | Write::Reseal { .. } => {
            u64::from_redis_value(answer.clone()).is_ok_and(|done| done == 1)
        }
        Write::Put { .. } | Write::Delete { .. } | Write::List { .. } | Write::Unlist { .. } => true,
    };
    if done { Written::Done } else { Written::Refused }
}

pub(super) fn decode(key: &Key, value: &[u8]) -> Result<Record, StoreError> {
    let (version, bytes) = value.split_first_chunk().ok_or_else(|| StoreError::Corrupt(key.to_string()))?;
    Ok(Record { version: Version::new(u64::from_be_bytes(*version)), bytes: bytes.to_vec() })
}

fn encode(version: Version, bytes: &[u8]) -> Vec<u8> {
    [version.number().to_be_bytes().as_slice(), bytes].concat()
}

/// A pattern that matches `text` alone, whatever is in it.
fn literal(text: &str) -> String {
    let special = |char| matches!(char, '*' | '?' | '[' | ']' | '^' | '-' | '\\');
    text.chars().flat_map(|char| special(char).then_some('\\').into_iter().chain([char])).collect()
}

fn held_value(lease: &Lease) -> String {
    format!("{}:{}", lease.fence, lease.holder)
}

fn command(name: &str, key: &str) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    command
}

/// The whole text each time: it is short, and never missing after a restart or a failover.
fn script(text: &str, keys: &[String]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(text).arg(keys.len()).arg(keys);
    command
}

/// Rounded up, as [`Life`] promises; at most ten thousand years, which Redis still takes.
pub(super) fn millis(time: Duration) -> u64 {
    let millis = time.as_micros().div_ceil(1000);
    u64::try_from(millis).unwrap_or(u64::MAX).clamp(1, 315_360_000_000_000)
}
