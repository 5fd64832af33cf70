//! What writes steps down, for the cores and for tool calls.

use std::rc::Rc;
use std::sync::Arc;

use mcp::{ToolCall, ToolSpan};
use protocol::{Origin, Sampling, SpanId, TraceContext};

use super::ids::Ids;
use super::outbox::Outbox;
use super::span::{Finished, Place, What};
use super::tracer::Tracer;
use crate::config::{Config, Incoming};
use crate::system::unix_nanos;

/// Made for one configuration: its services are numbered as its upstreams are. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Spans {
    outbox: Outbox,
    ids: Arc<Ids>,
    ratio: f64,
    incoming: Incoming,
    services: Arc<[Place]>,
}

impl Spans {
    pub(super) fn new(
        (outbox, ids): (Outbox, Arc<Ids>),
        (ratio, incoming): (f64, Incoming),
        config: &Config,
        told: &[protocol::ProviderId],
    ) -> Self {
        let place = |provider: &crate::config::ProviderConfig| Place {
            provider: provider.id.clone(),
            host: provider.api_base.host_str().unwrap_or_default().to_owned(),
            port: provider.api_base.port_or_known_default().unwrap_or_default(),
            told: told.contains(&provider.id),
        };
        Self { outbox, ids, ratio, incoming, services: config.providers.iter().map(place).collect() }
    }

    /// For the core that this is called on.
    pub(crate) fn tracer(&self) -> Rc<Tracer> {
        Rc::new(Tracer::new(self.outbox.ring(), self.ratio, self.incoming, self.services.clone()))
    }

    /// A tool call begins: what a client says of its trace in `_meta` is worth what a header is.
    pub(crate) fn tool(&self, origin: &Origin, heard: Option<TraceContext>) -> Option<Box<dyn ToolSpan>> {
        let around = *origin.trace()?;
        let heard = if self.incoming == Incoming::Ignore { None } else { heard };
        let (parent, link) = match (self.incoming, heard) {
            (Incoming::Continue, Some(heard)) => (heard, Some(around)),
            (_, heard) => (around, heard),
        };
        let context = parent.step(self.ids.span());
        let origin = origin.within(context);
        let (outbox, begun, parent) = (self.outbox.clone(), unix_nanos(), parent.span());
        Some(Box::new(Tool { outbox, origin, context, parent, link, begun, done: None }))
    }
}

/// A tool call that is under way. It is over when this is dropped.
struct Tool {
    outbox: Outbox,
    origin: Origin,
    context: TraceContext,
    parent: SpanId,
    link: Option<TraceContext>,
    begun: u64,
    done: Option<ToolCall>,
}

impl ToolSpan for Tool {
    fn origin(&self) -> Origin {
        self.origin
    }

    fn end(mut self: Box<Self>, call: ToolCall) {
        self.done = Some(call);
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        if self.context.sampling() == Sampling::Dropped {
            return;
        }
        let gone = ToolCall { tool: None, provider: None, failed: Some("client_gone") };
        let ToolCall { tool, provider, failed } = self.done.take().unwrap_or(gone);
        self.outbox.step(Finished {
            context: self.context,
            parent: Some(self.parent),
            link: self.link,
            begun: self.begun,
            ended: unix_nanos(),
            request: self.origin.request(),
            what: What::Tool { tool, provider, failed },
        });
    }
}
