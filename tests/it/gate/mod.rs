//! What stands in front of everything: which requests are read at all, for which host, and what of them goes on. An upstream of its own
//! counts what arrives.

mod desync;
mod downgrade;
mod frames;
mod headers;
mod hosts;
mod methods;
mod slashes;
mod targets;
mod vectors;
