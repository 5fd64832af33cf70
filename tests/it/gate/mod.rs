//! What stands in front of everything: which requests are read at all, for which host, and what of them goes on. An upstream of its own
//! counts what arrives.

mod desync;
mod downgrade;
mod frames;
pub(crate) mod headers;
mod hosts;
mod methods;
mod slashes;
mod targets;
pub(crate) mod vectors;
