//! Leases, and the proof that a holder is dead.
//!
//! A lease says which member took it, and in which run of the server. Every member is subscribed to a channel of its own at the server
//! on which it takes leases. When a process ends, however it ends, its kernel closes the socket of that subscription; a process that is
//! frozen, or cut off, keeps it. So a member without subscription and without heartbeat, in the very run of the server in which it took
//! the lease, in two looks with a pause between them in which a live one would have subscribed again, and which did not renew the lease
//! meanwhile, is dead. Whatever cannot be proven waits until the lease runs out.

use std::time::Duration;

use redis::Cmd;

use super::commands::{Commands, millis};
use crate::{Key, Lease};

/// Who takes a lease, and for how long.
#[derive(Clone, Copy)]
pub(super) struct Taker<'a> {
    pub(super) member: &'a str,
    pub(super) holder: &'a str,
    pub(super) time: Duration,
    pub(super) provable: Provable,
}

/// Whether it can be proven later that the taker is dead: whether its own subscription stands where it takes the lease.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Provable {
    Yes,
    No,
}

impl Provable {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "provable",
            Self::No => "",
        }
    }
}

/// What came of trying to take a lease.
pub(super) enum Tried {
    Taken(Lease),
    Held(Held),
}

/// A lease in somebody else's hands.
pub(super) struct Held {
    pub(super) value: String,
    /// What was left of it, in milliseconds.
    pub(super) left: u64,
    pub(super) member: String,
    /// The run of the server in which it was taken.
    pub(super) run: String,
}

/// What the scripts answer: fencing number or 0, the lease's value, what is left of it in milliseconds.
pub(super) type Answer = (u64, String, i64);

pub(super) fn tried(key: &Key, (fence, value, left): Answer) -> Option<Tried> {
    let (_, holder) = value.split_once(':')?;
    if fence > 0 {
        return Some(Tried::Taken(Lease { key: key.clone(), holder: holder.to_owned(), fence }));
    }
    let mut words = holder.splitn(3, ' ');
    let (member, run) = (words.next()?.to_owned(), words.next()?.to_owned());
    Some(Tried::Held(Held { left: u64::try_from(left).ok()?, member, run, value }))
}

impl Held {
    /// Whether there is any proof to be had.
    pub(super) fn is_provable(&self) -> bool {
        self.run != "-"
    }

    /// Looks for the first time; answers 1 where the holder seems dead.
    pub(super) fn look(&self, commands: &Commands, key: &Key) -> Cmd {
        self.inherit(commands, key, "look", self.left)
    }

    /// Looks for the second time, `LOOKS_APART` after the first, and takes the lease where the holder is proven dead.
    pub(super) fn take(&self, commands: &Commands, key: &Key, taker: Taker<'_>) -> Cmd {
        let renewed = self.left.saturating_sub(millis(LOOKS_APART) / 2);
        let mut command = self.inherit(commands, key, "take", renewed);
        command.arg(taker.member).arg(taker.holder).arg(millis(taker.time)).arg(taker.provable.as_str());
        command
    }

    fn inherit(&self, commands: &Commands, key: &Key, step: &str, left: u64) -> Cmd {
        let mut command = commands.inherit(key);
        command.arg(step).arg(&self.value).arg(left).arg(&self.member).arg(commands.own_channel(&self.member));
        command.arg(&self.run);
        command
    }
}

/// A live member whose subscription broke has subscribed again within this time, or renewed its lease, or sent a heartbeat.
pub(super) const LOOKS_APART: Duration = Duration::from_millis(700);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn a_lease_says_who_took_it_in_which_run() {
        let key = Key::new(Kind::Connection, "u_1", &[]);
        let Some(Tried::Taken(lease)) = tried(&key, (3, "3:m1 ab12 some holder".to_owned(), 60_000)) else {
            panic!("it was taken")
        };
        assert_eq!((lease.holder.as_str(), lease.fence), ("m1 ab12 some holder", 3));
        let Some(Tried::Held(held)) = tried(&key, (0, "2:m0 - another: holder".to_owned(), 10)) else {
            panic!("it is held")
        };
        assert_eq!((held.member.as_str(), held.run.as_str(), held.left, held.is_provable()), ("m0", "-", 10, false));
        for value in ["", "3", "3:m1"] {
            assert!(tried(&key, (0, value.to_owned(), 10)).is_none(), "{value:?}");
        }
    }
}
