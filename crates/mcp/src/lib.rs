//! The door for MCP clients (Model Context Protocol, revisions 2026-07-28, 2025-11-25 and before): every configured service as tools.
//!
//! A tool call becomes the plain request that an agent would have sent, and goes the way of every request: the same authentication,
//! policy, permit, guard and audit. Nothing here knows a credential or a store.

mod calls;
pub mod openapi;

pub use calls::{Answer, Call, Calls, From, Rest, Unanswered};
