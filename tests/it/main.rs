#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails in a test fails the test")]

//! Black-box tests: the built binary over sockets, with both stores, and two replicas where state is shared.

mod attacks;
mod bases;
mod catalogue;
mod client_credentials;
mod clients;
mod clocks;
mod conformance;
mod consent;
mod crashes;
mod cuts;
mod developer_hub;
mod device;
mod doctor;
mod dpop;
mod embedded;
mod evil_answers;
mod expiry;
mod habits;
mod handshake;
mod house;
mod keeping_alive;
mod keys;
mod keys_of_people;
mod kill_switch;
mod limits;
mod narrowing;
mod oidc;
mod operating;
mod placement;
mod presets;
mod program;
mod protocols;
mod provider_faults;
mod providers;
mod proxying;
mod reconnecting;
mod redis;
mod refreshing;
mod secret_files;
mod sign_in;
mod storm;
mod token_exchange;
mod way;
mod websocket;
