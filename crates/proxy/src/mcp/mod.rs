//! The door of an MCP server: what differs there from any other upstream. Policy, lending, guard and audit are those of every call.

mod answer;
mod rpc;
mod session;
mod upstream;

pub(crate) use answer::refuse;
pub(crate) use rpc::Rpc;
pub(crate) use session::{bind, unbind};
pub(crate) use upstream::heed;
