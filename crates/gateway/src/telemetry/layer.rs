//! Hears what is said in the log, and of which request; and the steps that the control plane takes in one.

use std::fmt;
use std::sync::Arc;

use protocol::{Sampling, TraceContext};
use secret::Unspoken;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, SpanRef};

use super::ids::Ids;
use super::logs::Record;
use super::outbox::Outbox;
use super::span::{Finished, What};
use crate::config::Signal;
use crate::system::unix_nanos;

/// One for the process, beside what writes standard error.
pub(super) struct Listener {
    pub(super) outbox: Outbox,
    pub(super) ids: Arc<Ids>,
    pub(super) unspoken: Arc<Unspoken>,
    pub(super) traces: Signal,
}

/// The request that a span is about.
struct About {
    context: Option<TraceContext>,
    request: Option<String>,
}

/// A step that is under way.
struct Step {
    parent: Option<TraceContext>,
    context: TraceContext,
    begun: u64,
    words: Words,
}

/// Whether a span is one of those that say which request it is, or which step: the log's filter is about what is said in them.
pub(super) fn concerns(metadata: &Metadata<'_>) -> bool {
    // On the usual way of a call there is a span at debug, which costs something and of which nothing is said.
    let at_info = *metadata.level() <= Level::INFO;
    metadata.is_span() && at_info && (metadata.target() == STEP || is_request(metadata))
}

fn is_request(metadata: &Metadata<'_>) -> bool {
    metadata.name() == "request" && metadata.fields().field("traceparent").is_some()
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Listener {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut words = Words::default();
        if attributes.metadata().target() == STEP {
            if self.traces == Signal::Kept {
                return;
            }
            attributes.record(&mut words);
            let parent = around(&span);
            let context = parent.map_or_else(|| self.ids.begin(), |parent| parent.step(self.ids.span()));
            span.extensions_mut().insert(Step { parent, context, begun: unix_nanos(), words });
        } else if is_request(attributes.metadata()) {
            attributes.record(&mut words);
            let context = words.traceparent.and_then(|text| TraceContext::parse(text.as_bytes()));
            span.extensions_mut().insert(About { context, request: words.request_id });
        }
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(step) = span.extensions_mut().get_mut::<Step>() {
            values.record(&mut step.words);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(step) = span.extensions_mut().remove::<Step>() else { return };
        if step.context.sampling() == Sampling::Dropped {
            return;
        }
        let Words { grant_type, provider_id, error, .. } = step.words;
        self.outbox.step(Finished {
            context: step.context,
            parent: step.parent.map(|parent| parent.span()),
            link: None,
            begun: step.begun,
            ended: unix_nanos(),
            request: None,
            what: What::Token {
                grant: grant_type.unwrap_or_default(),
                provider: provider_id.unwrap_or_default(),
                failed: error,
            },
        });
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut record = Record::of(event, unix_nanos(), &self.unspoken);
        for span in context.event_span(event).into_iter().flat_map(|span| span.scope()) {
            let extensions = span.extensions();
            if let (Some(step), None) = (extensions.get::<Step>(), record.context) {
                record.context = Some(step.context);
            }
            if let Some(about) = extensions.get::<About>() {
                record.context = record.context.or(about.context);
                record.request.clone_from(&about.request);
                break;
            }
        }
        self.outbox.record(record);
    }
}

/// What the new span is part of.
fn around<'s, S: LookupSpan<'s>>(span: &SpanRef<'s, S>) -> Option<TraceContext> {
    span.parent()?.scope().find_map(|span| {
        let extensions = span.extensions();
        let step = extensions.get::<Step>().map(|step| step.context);
        step.or_else(|| extensions.get::<About>().and_then(|about| about.context))
    })
}

/// The fields that are known; no other leaves.
#[derive(Default)]
struct Words {
    traceparent: Option<String>,
    request_id: Option<String>,
    grant_type: Option<String>,
    provider_id: Option<String>,
    error: Option<String>,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "traceparent" {
            self.traceparent = Some(format!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let place = match field.name() {
            "request_id" => &mut self.request_id,
            "grant_type" => &mut self.grant_type,
            "provider_id" => &mut self.provider_id,
            "error" => &mut self.error,
            _ => return,
        };
        *place = Some(value.to_owned());
    }
}

/// Of the spans that are steps of a trace, and that the log leaves out.
const STEP: &str = "ath_gateway::step";
