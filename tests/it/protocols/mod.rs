//! What HTTP carries, carried through the gateway between real programs.

mod certificates;
mod ends;
mod grpc;
mod streams;
mod trust;
