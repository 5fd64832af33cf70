//! ATH 0.1, line by line: each test is named for the line of `tests/conformance/lines.toml` that it shows, and runs on both set-ups.

/// One test for each set-up, for each of these functions.
macro_rules! on_both {
    ($($line:ident),+ $(,)?) => {$(
        mod $line {
            use crate::conformance::stage::Setup;

            #[test]
            fn redis() {
                super::$line(Setup::Redis);
            }

            #[test]
            fn embedded() {
                super::$line(Setup::Embedded);
            }
        }
    )+};
}

mod algorithms;
mod attestation;
mod audit;
mod authorize;
mod callback;
mod documents;
mod interop_agents;
mod interop_attestations;
mod interop_flow;
mod operators;
mod proxy;
mod registration;
mod revocation;
mod stage;
mod token;
mod transport;
