//! The users and tickets a helpdesk starts with.

use serde::{Serialize, Serializer};

use crate::ticket::{
    Comment,
    Priority::{self, P1, P2, P3},
    Status::{self, InProgress, Open, Resolved},
    Team::{self, Mobile, Payments, Platform},
    Ticket, Timestamp,
};

/// A person who can sign in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The stable subject, as `/userinfo` tells it.
    pub(crate) id: &'static str,
    pub(crate) email: &'static str,
    pub(crate) name: &'static str,
}

impl User {
    /// The user with this address; case does not matter.
    pub(crate) fn by_email(email: &str) -> Option<&'static Self> {
        USERS.iter().find(|user| user.email.eq_ignore_ascii_case(email))
    }

    /// The user who may sign in with this name and password.
    pub(crate) fn sign_in(username: &str, password: &str) -> Option<&'static Self> {
        Self::by_email(username.trim()).filter(|_| password == PASSWORD)
    }
}

/// In a ticket, a person is an address.
impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.email)
    }
}

/// The twelve tickets, numbered from 1.
pub(crate) fn tickets() -> Vec<Ticket> {
    (1..).zip(TICKETS).map(|(id, seed)| seed.ticket(id)).collect()
}

/// Status, team, priority, assignee's position in `USERS`, title, description, comment.
struct Seed(Status, Team, Priority, usize, &'static str, &'static str, Option<&'static str>);

impl Seed {
    fn ticket(self, id: u32) -> Ticket {
        let Self(status, team, priority, assignee, title, description, comment) = self;
        let updated_at = Timestamp::at(FIRST_UPDATE + u64::from(id) * HOUR);
        let assignee = USERS.get(assignee);
        let comments = comment.zip(assignee).map(|(text, author)| Comment {
            author: author.email,
            text: text.to_owned(),
            created_at: updated_at,
        });
        Ticket {
            id,
            title: title.to_owned(),
            status,
            team,
            priority,
            assignee,
            description: description.to_owned(),
            comments: comments.into_iter().collect(),
            updated_at,
        }
    }
}

static USERS: [User; 3] = [
    User { id: "u-alice", email: "alice@acme.test", name: "Alice Archer" },
    User { id: "u-bob", email: "bob@acme.test", name: "Bob Baker" },
    User { id: "u-carol", email: "carol@acme.test", name: "Carol Cooper" },
];

/// The password of every user.
const PASSWORD: &str = "demo1234";

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// 2026-01-12T08:00:00Z; each ticket was updated an hour after the one before.
const FIRST_UPDATE: u64 = 1_768_204_800;
const HOUR: u64 = 3600;

#[rustfmt::skip]
const TICKETS: [Seed; 12] = [
    Seed(Open, Payments, P1, ALICE, "Card payments fail with error 502", "Since 07:40 about one payment in five is refused.",
        Some("The card network says it is not them.")),
    Seed(InProgress, Payments, P2, ALICE, "Refund is shown twice in the ledger", "Order 10418 was refunded once and is booked twice.", None),
    Seed(Resolved, Platform, P3, ALICE, "Rotate the certificate of the build server", "It runs out at the end of the month.",
        Some("Done, valid for a year.")),
    Seed(Open, Mobile, P2, ALICE, "App closes when the camera is denied", "Android 15, only on the first start.", None),
    Seed(Open, Platform, P1, BOB, "Database replica is 40 minutes behind", "Reports read from it and show yesterday's numbers.",
        Some("A long transaction holds it back.")),
    Seed(InProgress, Platform, P2, BOB, "Move the log archive to cold storage", "Everything older than 90 days.", None),
    Seed(Resolved, Mobile, P1, BOB, "Push notifications arrive in the wrong language", "German users get French texts.", None),
    Seed(Open, Payments, P3, BOB, "Invoice PDF lacks the VAT number", "Customers in Austria ask for it.", None),
    Seed(InProgress, Mobile, P1, CAROL, "Login loop after the password was changed", "The old session cookie is not cleared.",
        Some("Reproduced on both systems.")),
    Seed(Open, Mobile, P3, CAROL, "Dark mode: text in the search field is unreadable", "Grey on grey.", None),
    Seed(Resolved, Payments, P2, CAROL, "Exchange rates are not updated at weekends", "The job runs on weekdays only.", None),
    Seed(Open, Platform, P2, CAROL, "Give the new colleague access to the wiki", "Starts on Monday in the platform team.", None),
];
