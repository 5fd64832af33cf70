//! What HTTP carries, carried through the gateway between real programs.

mod certificates;
mod curl;
mod ends;
mod grpc;
mod h2load;
mod large;
mod places;
mod streams;
mod trust;
