use std::hash::BuildHasher;

use broker::Caller;
use foldhash::fast::FixedState;

use crate::upstream::Connections;

/// Whose calls an HTTP/1.1 connection carries. Nothing on such a connection says which request an answer is for: what a service says once too
/// often, and too late to be noticed, is the next one's answer. That is then nobody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u64);

impl Owner {
    pub(crate) const ANYBODY: Self = Self(0);

    /// The caller's person, with this account; everybody, where they share.
    pub(crate) fn of(caller: &Caller, connections: Connections) -> Self {
        match connections {
            Connections::Shared => Self::ANYBODY,
            // Both are the gateway's own, and nobody chooses them.
            Connections::Personal => Self(
                FixedState::default()
                    .hash_one((caller.user_id().as_str(), caller.account_id().as_str()))
                    .saturating_add(1),
            ),
        }
    }

    #[cfg(test)]
    pub(crate) fn numbered(number: u64) -> Self {
        Self(number)
    }
}
