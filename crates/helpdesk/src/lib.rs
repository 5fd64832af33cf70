//! The Acme Helpdesk: a legacy ticket API with an OAuth server of its own.
//!
//! It is the upstream of the project's demonstration and the fake that tests act against. It behaves like the services
//! that sit behind a VPN: its own users and consent page, an authorization-code flow that may or may not know PKCE,
//! refresh tokens that may or may not rotate, and a token endpoint that can be told to misbehave.
//!
//! Everything lives in memory. Randomness and time are handed to [`Helpdesk::new`]; nothing is printed. Because tests
//! scan for leaks, the helpdesk remembers every credential it issued and can hand them all out: it is a stand-in, never
//! a service for real data.

mod attachments;
mod authorize;
mod bearer;
mod body;
mod client;
mod control;
mod device;
mod echo;
mod error;
mod events;
mod fault;
mod faulty;
mod ledger;
mod names;
mod openapi;
mod pages;
mod parameters;
mod presentation;
mod recorder;
mod revoke;
mod routes;
mod scope;
mod seed;
mod settings;
mod sign_in;
mod skill;
mod state;
#[cfg(test)]
mod testing;
mod ticket;
mod tickets;
mod token;
mod userinfo;
mod wire;

pub use attachments::pattern_byte;
pub use fault::Fault;
pub use presentation::{Outcome, Presentation};
pub use recorder::RecordedRequest;
pub use settings::{Effect, Misbehaviour, Pkce, Rotation, Settings, Successor, TokenBehaviour, TokenRequest};
pub use state::{Clock, Counters, Entropy, Helpdesk, TokenRequests};

/// What a process that runs the helpdesk tells its operator once it listens; the caller prints it.
pub const SEEDED: &str = "Seeded 3 users and 12 tickets.";
