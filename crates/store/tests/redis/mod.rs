//! What is so for Redis alone.

mod leases;
