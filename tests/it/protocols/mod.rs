//! What HTTP carries, carried through the gateway between real programs.

mod grpc;
mod streams;
mod trust;
