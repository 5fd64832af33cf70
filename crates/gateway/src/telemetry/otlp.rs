//! What goes to a collector, in the words of OTLP and of OpenTelemetry's semantic conventions.

mod messages;
mod records;
mod resource;
mod steps;

pub(super) use messages::Exported;
pub(super) use records::logs;
pub(super) use resource::About;
pub(super) use steps::traces;
