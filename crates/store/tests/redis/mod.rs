//! What is so for Redis alone.

mod access;
mod disk;
mod failover;
mod failures;
mod garbage;
mod leases;
