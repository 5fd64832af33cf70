//! The ticket API.

use axum::{
    Json,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::{
    bearer::{Reader, Writer},
    body::{ApiJson, Expected},
    error::Error,
    parameters::Parameters,
    seed::User,
    state::Helpdesk,
    ticket::{Comment, Priority, Status, Team, Ticket, Timestamp, Word},
};

/// `GET /tickets`, filtered by `assignee` (`me` or an address), `status`, `team` and `priority`; other parameters are
/// ignored.
pub(crate) async fn list(
    State(helpdesk): State<Helpdesk>,
    Reader(user): Reader,
    RawQuery(query): RawQuery,
) -> Result<Json<TicketList>, Error> {
    let filter = Filter::parse(&Parameters::from_form(query.unwrap_or_default().as_bytes())?, user)?;
    let state = helpdesk.state();
    Ok(Json(TicketList { tickets: state.tickets.iter().filter(|ticket| filter.matches(ticket)).cloned().collect() }))
}

/// `GET /tickets/{id}`
pub(crate) async fn read(
    State(helpdesk): State<Helpdesk>,
    _: Reader,
    Path(id): Path<String>,
) -> Result<Json<Ticket>, Error> {
    find(&mut helpdesk.state().tickets, &id).map(|ticket| Json(ticket.clone()))
}

/// `POST /tickets`: 201, the ticket, and its absolute URL in Location.
pub(crate) async fn create(
    State(helpdesk): State<Helpdesk>,
    Writer(user): Writer,
    ApiJson(new): ApiJson<NewTicket>,
) -> Result<Response, Error> {
    let assignee = new.assignee.as_deref().map(|name| person(name, user)).transpose()?;
    let title = checked_title(new.title)?;
    let updated_at = Timestamp::at(helpdesk.now());
    let mut state = helpdesk.state();
    let ticket = Ticket {
        id: state.tickets.iter().map(|ticket| ticket.id).max().unwrap_or_default() + 1,
        title,
        status: Status::Open,
        team: new.team,
        priority: new.priority,
        assignee,
        description: new.description,
        comments: Vec::new(),
        updated_at,
    };
    let location = format!("{}/tickets/{}", state.settings.base_url, ticket.id);
    state.tickets.push(ticket.clone());
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(ticket)).into_response())
}

/// `PATCH /tickets/{id}`: changes what the body names. `updated_at`, if sent, must be the ticket's own, else 409.
pub(crate) async fn change(
    State(helpdesk): State<Helpdesk>,
    Writer(user): Writer,
    Path(id): Path<String>,
    ApiJson(change): ApiJson<Change>,
) -> Result<Json<Ticket>, Error> {
    let now = Timestamp::at(helpdesk.now());
    let mut state = helpdesk.state();
    let ticket = find(&mut state.tickets, &id)?;
    if change.updated_at.as_ref().is_some_and(|seen| *seen != ticket.updated_at.to_rfc3339()) {
        return Err(Error::Conflict);
    }
    *ticket = change.apply(ticket.clone(), user, now)?;
    Ok(Json(ticket.clone()))
}

/// The answer to `GET /tickets`.
#[derive(Serialize)]
pub(crate) struct TicketList {
    tickets: Vec<Ticket>,
}

/// The body of `POST /tickets`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTicket {
    title: String,
    team: Team,
    priority: Priority,
    #[serde(default)]
    description: String,
    assignee: Option<String>,
}

impl Expected for NewTicket {
    const SENTENCE: &'static str = "A new ticket is a JSON object with title, team (payments, platform, mobile) and priority (p1, p2, p3); \
        it may have description and assignee (me, or an address).";
}

/// The body of `PATCH /tickets/{id}`; `comment` adds one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    title: Option<String>,
    status: Option<Status>,
    team: Option<Team>,
    priority: Option<Priority>,
    assignee: Option<String>,
    description: Option<String>,
    comment: Option<String>,
    updated_at: Option<String>,
}

impl Expected for Change {
    const SENTENCE: &'static str = "A change is a JSON object with any of status (open, in_progress, resolved), comment, title, \
        team (payments, platform, mobile), priority (p1, p2, p3), assignee (me, or an address), description and updated_at.";
}

impl Change {
    fn apply(self, ticket: Ticket, user: &'static User, now: Timestamp) -> Result<Ticket, Error> {
        let assignee = self.assignee.as_deref().map(|name| person(name, user)).transpose()?;
        let title = self.title.map(checked_title).transpose()?;
        let comment = self.comment.map(|text| Comment { author: user.email, text, created_at: now });
        Ok(Ticket {
            id: ticket.id,
            title: title.unwrap_or(ticket.title),
            status: self.status.unwrap_or(ticket.status),
            team: self.team.unwrap_or(ticket.team),
            priority: self.priority.unwrap_or(ticket.priority),
            assignee: assignee.or(ticket.assignee),
            description: self.description.unwrap_or(ticket.description),
            comments: ticket.comments.into_iter().chain(comment).collect(),
            updated_at: now,
        })
    }
}

/// What `GET /tickets` asks for; all of it must be met.
struct Filter {
    assignee: Option<&'static User>,
    status: Option<Status>,
    team: Option<Team>,
    priority: Option<Priority>,
}

impl Filter {
    fn parse(parameters: &Parameters, user: &'static User) -> Result<Self, Error> {
        let mut filter = Self { assignee: None, status: None, team: None, priority: None };
        for (name, value) in parameters.iter() {
            match name {
                "assignee" => filter.assignee = Some(person(value, user)?),
                "status" => filter.status = Some(word(value)?),
                "team" => filter.team = Some(word(value)?),
                "priority" => filter.priority = Some(word(value)?),
                _ => {}
            }
        }
        Ok(filter)
    }

    fn matches(&self, ticket: &Ticket) -> bool {
        self.assignee.is_none_or(|user| ticket.assignee == Some(user))
            && self.status.is_none_or(|status| ticket.status == status)
            && self.team.is_none_or(|team| ticket.team == team)
            && self.priority.is_none_or(|priority| ticket.priority == priority)
    }
}

/// The ticket whose number is written exactly so: `01` and `+1` name none.
pub(crate) fn find<'a>(tickets: &'a mut [Ticket], id: &str) -> Result<&'a mut Ticket, Error> {
    tickets.iter_mut().find(|ticket| ticket.id.to_string() == id).ok_or(Error::NotFound)
}

/// The user named by `me` or by an address.
fn person(name: &str, me: &'static User) -> Result<&'static User, Error> {
    match name {
        "me" => Ok(me),
        email => User::by_email(email)
            .ok_or(Error::InvalidRequest("There is no such assignee: it is me, or the address of a person.")),
    }
}

/// A status, team or priority as the query spells it.
fn word<W: Word>(value: &str) -> Result<W, Error> {
    W::read(value).ok_or(Error::InvalidRequest(W::EXPECTED))
}

fn checked_title(title: String) -> Result<String, Error> {
    if title.trim().is_empty() || title.len() > TITLE_BYTES {
        return Err(Error::InvalidRequest("A title has 1 to 200 bytes."));
    }
    Ok(title)
}

const TITLE_BYTES: usize = 200;

#[cfg(test)]
mod tests;
