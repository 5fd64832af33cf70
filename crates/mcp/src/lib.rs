//! The door for MCP clients (Model Context Protocol, revisions 2026-07-28, 2025-11-25 and before): every configured service as tools.
//!
//! A tool call becomes the plain request that an agent would have sent, and goes the way of every request: the same authentication,
//! policy, permit, guard and audit. Nothing here knows a credential of a service, or a store.
//!
//! **Invariant:** no argument of a tool decides where a call goes, or with which credential: the service is the tool's, the token the one
//! that the request was let in with, or one that the broker made for the same person and client.

mod arguments;
mod calling;
mod calls;
mod documented;
mod door;
mod eliciting;
mod json;
pub mod openapi;
mod results;
mod server;
mod servers;
mod services;
mod skill;
mod toolbox;
mod visit;

pub use calls::{Answer, Call, Calls, From, Rest, ToolCall, ToolSpan, Unanswered};
pub use door::{Unread, router, unread};
pub use toolbox::Toolbox;
pub use visit::Visit;
