use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use audit::End;
use tokio::io::{ReadHalf, WriteHalf};

use crate::access::Access;
use crate::drain::{Drain, Stage};
use crate::inbound::{OnUpgrade, Side};
use crate::watch::Watch;
use crate::websocket::codec::Codec;
use crate::websocket::frame::Violation;
use crate::websocket::lane::{Lane, Stop};

type Half = Lane<ReadHalf<Side>, WriteHalf<Side>>;

/// A tunnel that both sides have agreed to.
pub(crate) struct Agreed {
    pub(crate) agent: OnUpgrade,
    pub(crate) upstream: hyper::upgrade::OnUpgrade,
    /// What is done with the agent's frames.
    pub(crate) up: Codec,
    /// What is done with the upstream's.
    pub(crate) down: Codec,
    /// For the one frame that the gateway may say to the upstream.
    pub(crate) mask: [u8; 4],
    pub(crate) access: Access,
    pub(crate) watch: Watch,
}

/// An open WebSocket. Its record is written when it is dropped.
struct Socket {
    up: Half,
    down: Half,
    mask: [u8; 4],
    access: Access,
    end: End,
}

/// Carries it to its end, on this core, which it keeps from ending. It outlives the request that it began as.
pub(crate) fn open(agreed: Agreed, drain: Drain) {
    let hold = drain.hold();
    tokio::task::spawn_local(async move {
        carry(agreed, &drain).await;
        drop(hold);
    });
}

async fn carry(agreed: Agreed, drain: &Drain) {
    let Agreed { agent, upstream, up, down, mask, mut access, watch } = agreed;
    let opening =
        tokio::time::timeout(OPENING, async { tokio::try_join!(agent.side(), OnUpgrade::Library(upstream).side()) });
    let (agent, upstream) = match watch.over(std::pin::pin!(opening)).await {
        Some(Ok(Ok(sides))) => sides,
        Some(Ok(Err(error))) => return tracing::debug!(error = %error, "a WebSocket was gone before it was open"),
        Some(Err(_)) => return tracing::debug!("a WebSocket was not open in time"),
        None => return access.tunnelled(0, 0, End::Revoked),
    };
    let (from_agent, to_agent) = tokio::io::split(agent);
    let (from_upstream, to_upstream) = tokio::io::split(upstream);
    let (up, down) = (Lane::new(from_agent, to_upstream, up), Lane::new(from_upstream, to_agent, down));
    let mut socket = Socket { up, down, mask, access, end: End::Cut };
    let end = { watch.over(std::pin::pin!(socket.converse(drain))).await };
    socket.end = end.unwrap_or(End::Revoked);
    socket.leave().await;
}

impl Socket {
    async fn converse(&mut self, drain: &Drain) -> End {
        let asked = Cell::new(false);
        let mut both = pin!(both(self.up.run(&asked), self.down.run(&asked)));
        tokio::select! {
            end = both.as_mut() => return end,
            () = drain.reached(Stage::Closing) => asked.set(true),
        }
        tokio::time::timeout(FAREWELL, both).await.unwrap_or(End::Stopped)
    }

    /// Says what there is to say to both sides, and lets go of them.
    async fn leave(&mut self) {
        let Self { up, down, end, .. } = self;
        if *end == End::Revoked {
            up.abandon();
            down.abandon();
        }
        let (close, mask) = (farewell(*end), self.mask);
        let to_upstream = async {
            if let Some((code, reason)) = close {
                up.say_close(code, reason, Some(mask)).await;
            }
            up.leave().await;
        };
        let to_agent = async {
            if let Some((code, reason)) = close {
                down.say_close(code, reason, None).await;
            }
            down.leave().await;
        };
        let limit = if *end == End::Revoked { SHORT_FAREWELL } else { FAREWELL };
        let left = tokio::time::timeout(limit, async { tokio::join!(to_upstream, to_agent) }).await;
        if left.is_err() {
            tracing::debug!(end = end.as_str(), "a WebSocket was cut at its end");
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.access.tunnelled(self.down.sent(), self.down.codec().finds(), self.end);
    }
}

/// Both directions, to the end of both; when one is over, the other has a while.
async fn both(up: impl Future<Output = Stop>, down: impl Future<Output = Stop>) -> End {
    let (mut up, mut down) = (pin!(up), pin!(down));
    let first = tokio::select! {
        stop = up.as_mut() => Over::Up(stop),
        stop = down.as_mut() => Over::Down(stop),
    };
    let (Over::Up(stop) | Over::Down(stop)) = &first;
    tracing::debug!(%stop, "one direction of a WebSocket is over");
    let patience = match stop {
        Stop::Closed => UNANSWERED,
        Stop::Gone => LINGER,
        Stop::Asked => FAREWELL,
        Stop::Violation(_) | Stop::Broken(_) => return end(stop, stop),
    };
    let second = match &first {
        Over::Up(_) => tokio::time::timeout(patience, down).await,
        Over::Down(_) => tokio::time::timeout(patience, up).await,
    };
    match (stop, second) {
        (stop, Ok(second)) => end(stop, &second),
        (Stop::Asked, Err(_)) => End::Stopped,
        (_, Err(_)) => End::Cut,
    }
}

fn end(first: &Stop, second: &Stop) -> End {
    match (first, second) {
        (Stop::Violation(Violation::Echoed), _) | (_, Stop::Violation(Violation::Echoed)) => End::Echoed,
        (Stop::Violation(_), _) | (_, Stop::Violation(_)) => End::ProtocolError,
        (Stop::Broken(_), _) | (_, Stop::Broken(_)) | (Stop::Gone, Stop::Gone) => End::Cut,
        (Stop::Asked, _) | (_, Stop::Asked) => End::Stopped,
        (Stop::Closed, Stop::Closed | Stop::Gone) | (Stop::Gone, Stop::Closed) => End::Complete,
    }
}

/// What both sides are told, where they are told something (RFC 6455 §7.4.1).
fn farewell(end: End) -> Option<(u16, &'static str)> {
    match end {
        End::Complete | End::Cut => None,
        End::Revoked => Some((1008, "access was ended")),
        End::Stopped => Some((1001, "the gateway is stopping")),
        End::ProtocolError => Some((1002, "protocol error")),
        End::Echoed => Some((1008, "a message held a credential")),
    }
}

enum Over {
    Up(Stop),
    Down(Stop),
}

/// From the agreement to the tunnel: the head of an answer is written meanwhile.
const OPENING: Duration = Duration::from_secs(10);
/// How long the other side may go on when one has gone.
const LINGER: Duration = Duration::from_secs(10);
/// How long a Close may stay without an answer.
const UNANSWERED: Duration = Duration::from_secs(30);
/// For the last frames, and for the sides to go.
const FAREWELL: Duration = Duration::from_secs(2);
/// The same where somebody's access was ended.
const SHORT_FAREWELL: Duration = Duration::from_millis(200);
