//! Ticket events as they happen, more or less: a stream of server-sent events.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{RawQuery, State},
    response::sse::{Event, Sse},
};
use futures_util::{Stream, stream};
use tokio::time::{self, MissedTickBehavior};

use crate::{bearer::Reader, error::Error, parameters::Parameters, state::Helpdesk};

/// `GET /tickets/events?every_ms=N`: an event at once and then every N milliseconds (1 to 60,000, by default 1,000),
/// until the client leaves. Event n is the state of one ticket, taking turns; its id is n.
pub(crate) async fn get(
    State(helpdesk): State<Helpdesk>,
    _: Reader,
    RawQuery(query): RawQuery,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Error> {
    let parameters = Parameters::from_form(query.unwrap_or_default().as_bytes())?;
    let interval = match parameters.get("every_ms") {
        None => DEFAULT,
        Some(text) => text.parse().ok().filter(|interval| (1..=LONGEST).contains(interval)).ok_or(OUT_OF_RANGE)?,
    };
    let mut ticks = time::interval(Duration::from_millis(interval));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Ok(Sse::new(stream::unfold((ticks, 1), move |(mut ticks, number)| {
        let helpdesk = helpdesk.clone();
        async move {
            ticks.tick().await;
            Some((Ok(event(&helpdesk, number)), (ticks, number + 1)))
        }
    })))
}

fn event(helpdesk: &Helpdesk, number: usize) -> Event {
    let state = helpdesk.state();
    let ticket = state.tickets.iter().cycle().nth((number - 1) % state.tickets.len().max(1));
    let data = ticket.and_then(|ticket| serde_json::to_string(ticket).ok()).unwrap_or_default();
    Event::default().id(number.to_string()).event("ticket").data(data)
}

const DEFAULT: u64 = 1000;
const LONGEST: u64 = 60_000;
const OUT_OF_RANGE: Error = Error::InvalidRequest("The parameter every_ms is a number from 1 to 60000.");

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio::time::Instant;

    use super::*;
    use crate::testing::Desk;

    /// The next event as text.
    async fn next(stream: &mut axum::body::BodyDataStream) -> String {
        let chunk = stream.next().await.unwrap().unwrap();
        String::from_utf8(chunk.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_event_comes_at_once_and_the_others_in_time() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", "read:tickets").await;
        for (target, between) in [("/tickets/events", 1000), ("/tickets/events?every_ms=250", 250)] {
            let start = Instant::now();
            let response = desk.open("GET", target, &token, "").await;
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["content-type"], "text/event-stream");
            let mut events = response.into_body().into_data_stream();
            let first = next(&mut events).await;
            assert!(first.starts_with("id: 1\nevent: ticket\ndata: {\"id\":1,\"title\":\"Card payments"), "{first}");
            assert!(first.ends_with("}\n\n"), "{first}");
            assert_eq!(start.elapsed(), Duration::ZERO);
            let second = next(&mut events).await;
            assert!(second.starts_with("id: 2\nevent: ticket\ndata: {\"id\":2,"), "{second}");
            assert_eq!(start.elapsed(), Duration::from_millis(between));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tickets_take_turns() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", "read:tickets").await;
        let response = desk.open("GET", "/tickets/events?every_ms=1", &token, "").await;
        let mut events = response.into_body().into_data_stream();
        for _ in 0..12 {
            next(&mut events).await;
        }
        let thirteenth = next(&mut events).await;
        assert!(thirteenth.starts_with("id: 13\nevent: ticket\ndata: {\"id\":1,"), "{thirteenth}");
    }

    #[tokio::test]
    async fn the_interval_is_bounded() {
        let desk = Desk::new();
        let token = desk.access_token("alice@acme.test", "read:tickets").await;
        for interval in ["0", "60001", "-1", "soon"] {
            let answer = desk.api("GET", &format!("/tickets/events?every_ms={interval}"), &token, "").await;
            assert_eq!(answer.status, 400, "{interval}");
        }
    }
}
