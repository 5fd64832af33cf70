//! Tool calls of MCP clients, on their way to a core: each is served there as an agent's own request would be.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::Response;
use http_body_util::BodyExt;
use mcp::{Answer, Call, Calls, From, Rest, ToolSpan, Unanswered};
use protocol::{Origin, Refused, TraceContext};
use proxy::{Asked, Core, Counted, Dialect, Inbound, ProxyBody, ProxyError};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::telemetry::Spans;

/// Where a core takes them, and who writes down that they were made.
#[derive(Clone)]
pub(super) struct Letterbox(mpsc::Sender<Letter>, Option<Spans>);

/// One call, and who waits for its answer.
struct Letter {
    call: Call,
    answer: oneshot::Sender<Result<Answer, Unanswered>>,
}

impl Letterbox {
    /// A box that this core empties for as long as it runs.
    pub(super) fn hang(core: Rc<Core>, spans: Option<Spans>) -> Self {
        let (sender, mut letters) = mpsc::channel::<Letter>(LETTERS);
        tokio::task::spawn_local(async move {
            while let Some(letter) = letters.recv().await {
                let core = core.clone();
                tokio::task::spawn_local(async move {
                    let Letter { call, mut answer } = letter;
                    let answered = tokio::select! {
                        answered = served(&core, call) => answered,
                        // Nobody waits any more.
                        () = answer.closed() => return,
                    };
                    drop(answer.send(answered));
                });
            }
        });
        Self(sender, spans)
    }

    /// As the door for MCP clients knows it.
    pub(super) fn calls(&self) -> Arc<dyn Calls> {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Calls for Letterbox {
    async fn call(&self, call: Call) -> Result<Answer, Unanswered> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Letter { call, answer }).await.map_err(|_| Unanswered::Leaving)?;
        answered.await.map_err(|_| Unanswered::Leaving)?
    }

    fn begin(&self, origin: &Origin, heard: Option<TraceContext>) -> Option<Box<dyn ToolSpan>> {
        self.1.as_ref()?.tool(origin, heard)
    }
}

/// What was composed of a tool's arguments passes the same gate as what was read from a wire.
async fn served(core: &Core, call: Call) -> Result<Answer, Unanswered> {
    let Call { origin, provider, request, skip, most, patience, enough } = call;
    let (head, body) = request.into_parts();
    let response = match (core.plane().route_of_tool(&provider), proxy::check(&head)) {
        (Some(route), Ok(())) => core.serve(origin, route, (head, Inbound::from(body)), &mut Counted).await,
        (route, checked) => {
            let error = checked.map_or_else(ProxyError::Gate, |()| ProxyError::ProviderMismatch);
            core.plane().refuse(&error, &Asked { dialect: Dialect::Http, origin, route })
        }
    };
    read(response, skip, most, (patience, enough)).await
}

/// A body that goes on for long is cut: nobody waits for the end of a stream.
async fn read(
    response: Response<ProxyBody>,
    skip: u64,
    most: usize,
    (patience, enough): (Duration, fn(&[u8]) -> bool),
) -> Result<Answer, Unanswered> {
    let (head, mut body) = response.into_parts();
    let from = if head.extensions.get::<Refused>().is_some() { From::Gateway } else { From::Service };
    // A refusal is small, and read whole.
    let mut skip = if from == From::Gateway { 0 } else { skip };
    let (mut whole, mut rest, mut looked) = (BytesMut::new(), Rest::None, 0);
    let until = Instant::now() + patience;
    loop {
        let Ok(frame) = tokio::time::timeout_at(until, body.frame()).await else {
            rest = Rest::Late;
            break;
        };
        let Some(frame) = frame else { break };
        let Ok(mut data) = frame.map_err(|_| Unanswered::Broken)?.into_data() else { continue };
        let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(data.len());
        data = data.split_off(passed);
        skip -= passed as u64;
        let room = most.saturating_sub(whole.len());
        if data.len() > room {
            whole.extend_from_slice(&data.split_to(room));
            rest = Rest::More;
            break;
        }
        whole.extend_from_slice(&data);
        // Each event is looked at once.
        if ENDS.iter().any(|end| whole.ends_with(end)) {
            if whole.get(looked..).is_some_and(enough) {
                break;
            }
            looked = whole.len();
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, body: Bytes::from(whole), rest, from })
}

/// Of an event (WHATWG HTML, server-sent events).
const ENDS: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
/// That wait for their turn at one core; a call begins at once, so that these are few.
const LETTERS: usize = 64;
