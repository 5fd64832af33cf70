use serde_json::{Value, json};

use crate::testing::{Answer, Desk};

const BOTH: &str = "read:tickets write:tickets";

async fn alice() -> (Desk, String) {
    let desk = Desk::new();
    let token = desk.access_token("alice@acme.test", BOTH).await;
    (desk, token)
}

fn ids(answer: &Answer) -> Vec<u64> {
    answer.json()["tickets"].as_array().unwrap().iter().map(|ticket| ticket["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn there_are_twelve_tickets() {
    let (desk, token) = alice().await;
    let answer = desk.api("GET", "/tickets", &token, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(ids(&answer), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(crate::SEEDED, "Seeded 3 users and 12 tickets.");
}

#[tokio::test]
async fn a_ticket_has_these_fields() {
    let (desk, token) = alice().await;
    let answer = desk.api("GET", "/tickets/1", &token, "").await;
    assert_eq!(
        answer.json(),
        json!({
            "id": 1,
            "title": "Card payments fail with error 502",
            "status": "open",
            "team": "payments",
            "priority": "p1",
            "assignee": "alice@acme.test",
            "description": "Since 07:40 about one payment in five is refused.",
            "comments": [{
                "author": "alice@acme.test",
                "text": "The card network says it is not them.",
                "created_at": "2026-01-12T09:00:00Z",
            }],
            "updated_at": "2026-01-12T09:00:00Z",
        })
    );
    assert_eq!(desk.api("GET", "/tickets/2", &token, "").await.json().get("comments"), None);
}

#[tokio::test]
async fn filters_are_combined_with_and() {
    let (desk, token) = alice().await;
    for (query, expected) in [
        ("assignee=me", &[1, 2, 3, 4][..]),
        ("assignee=bob%40acme.test", &[5, 6, 7, 8]),
        ("status=in_progress", &[2, 6, 9]),
        ("team=mobile", &[4, 7, 9, 10]),
        ("priority=p1", &[1, 5, 7, 9]),
        ("status=open&team=payments", &[1, 8]),
        ("assignee=carol@acme.test&status=open&team=platform&priority=p2", &[12]),
        ("assignee=me&priority=p1&status=resolved", &[]),
        ("page=1&status=in_progress", &[2, 6, 9]),
        ("team=Platform&status=In-Progress", &[6]),
    ] {
        let answer = desk.api("GET", &format!("/tickets?{query}"), &token, "").await;
        assert_eq!(answer.status, 200, "{query}");
        assert_eq!(ids(&answer), expected, "{query}");
    }
    let bob = desk.access_token("bob@acme.test", "read:tickets").await;
    assert_eq!(ids(&desk.api("GET", "/tickets?assignee=me", &bob, "").await), [5, 6, 7, 8]);
}

#[tokio::test]
async fn unknown_filter_values_are_refused() {
    let (desk, token) = alice().await;
    for query in [
        "status=open&status=open",
        "status=closed",
        "status=",
        "team=sales",
        "priority=p4",
        "assignee=dave@acme.test",
        "assignee=",
    ] {
        let answer = desk.api("GET", &format!("/tickets?{query}"), &token, "").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{query}");
    }
}

#[tokio::test]
async fn who_is_refused_is_told_which_words_there_are() {
    let (desk, token) = alice().await;
    for (method, target, body, words) in [
        ("GET", "/tickets?status=done", "", ["open", "in_progress", "resolved"]),
        ("GET", "/tickets?team=sales", "", ["payments", "platform", "mobile"]),
        ("GET", "/tickets?priority=urgent", "", ["p1", "p2", "p3"]),
        ("POST", "/tickets", r#"{"title": "Printer", "priority": "p1"}"#, ["payments", "platform", "mobile"]),
        ("PATCH", "/tickets/1", r#"{"status": "closed"}"#, ["open", "in_progress", "resolved"]),
    ] {
        let answer = desk.api(method, target, &token, body).await;
        assert_eq!(answer.status, 400, "{method} {target}");
        for word in words {
            assert!(answer.json()["error_description"].as_str().unwrap().contains(word), "{word}: {}", answer.text);
        }
    }
}

/// What an agent is asked for most, each in one call.
#[tokio::test]
async fn the_story_takes_one_call_for_each_request() {
    let (desk, token) = alice().await;
    let mine = desk.api("GET", "/tickets?status=open&assignee=me", &token, "").await;
    assert_eq!(ids(&mine), [1, 4]);
    let opened =
        desk.api("POST", "/tickets", &token, r#"{"title": "Card reader", "team": "payments", "priority": "P1"}"#).await;
    assert_eq!((opened.status.as_u16(), &opened.json()["priority"]), (201, &json!("p1")));
    let platform = desk.api("GET", "/tickets?status=in-progress&team=platform", &token, "").await;
    assert_eq!(ids(&platform), [6]);
    let resolved = desk.api("PATCH", "/tickets/6", &token, r#"{"status": "Resolved"}"#).await;
    assert_eq!(resolved.json()["status"], "resolved");
}

#[tokio::test]
async fn a_ticket_that_does_not_exist_is_not_found() {
    let (desk, token) = alice().await;
    for id in ["0", "13", "01", "+1", "one", "1%20"] {
        let answer = desk.api("GET", &format!("/tickets/{id}"), &token, "").await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (404, &json!("not_found")), "{id}");
    }
    assert_eq!(desk.api("PATCH", "/tickets/13", &token, "{}").await.status, 404);
}

#[tokio::test]
async fn a_new_ticket_gets_the_next_number_and_an_absolute_location() {
    let (desk, token) = alice().await;
    let answer = desk.api("POST", "/tickets", &token, r#"{"title":"Printer","team":"platform","priority":"p3"}"#).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.headers["location"], "http://localhost:4000/tickets/13");
    let ticket = json!({
        "id": 13, "title": "Printer", "status": "open", "team": "platform", "priority": "p3",
        "assignee": null, "description": "", "updated_at": "2027-01-15T08:00:00Z",
    });
    assert_eq!(answer.json(), ticket);
    assert_eq!(desk.api("GET", "/tickets/13", &token, "").await.json(), ticket);

    desk.helpdesk.change_settings(|settings| settings.base_url = "https://helpdesk.internal".to_owned());
    let body = r#"{"title":"Scanner","team":"mobile","priority":"p1","assignee":"me","description":"Broken."}"#;
    let answer = desk.api("POST", "/tickets", &token, body).await;
    assert_eq!(answer.headers["location"], "https://helpdesk.internal/tickets/14");
    assert_eq!(answer.json()["assignee"], "alice@acme.test");
    assert_eq!(answer.json()["description"], "Broken.");
}

#[tokio::test]
async fn a_new_ticket_must_make_sense() {
    let (desk, token) = alice().await;
    let long = json!({ "title": "x".repeat(201), "team": "mobile", "priority": "p1" }).to_string();
    for body in [
        "",
        "[]",
        r#"{"title":"Printer","team":"platform"}"#,
        r#"{"title":" ","team":"platform","priority":"p3"}"#,
        r#"{"title":"Printer","team":"sales","priority":"p3"}"#,
        r#"{"title":"Printer","team":"mobile","priority":"p0"}"#,
        r#"{"title":"Printer","team":"mobile","priority":"p3","assignee":"dave@acme.test"}"#,
        r#"{"title":"Printer","team":"mobile","priority":"p3","id":99}"#,
        &long,
    ] {
        let answer = desk.api("POST", "/tickets", &token, body.to_owned()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{body}");
    }
    let large = json!({ "title": "x", "team": "mobile", "priority": "p1", "description": "x".repeat(64 * 1024) });
    let answer = desk.api("POST", "/tickets", &token, large.to_string()).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (413, &json!("payload_too_large")));
    assert_eq!(ids(&desk.api("GET", "/tickets", &token, "").await).len(), 12);
}

#[tokio::test]
async fn a_change_touches_what_it_names() {
    let (desk, token) = alice().await;
    let before = desk.api("GET", "/tickets/2", &token, "").await.json();
    let answer = desk.api("PATCH", "/tickets/2", &token, r#"{"status":"resolved","comment":"Booked back."}"#).await;
    assert_eq!(answer.status, 200);
    let mut expected = before;
    expected["status"] = json!("resolved");
    expected["updated_at"] = json!("2027-01-15T08:00:00Z");
    expected["comments"] =
        json!([{ "author": "alice@acme.test", "text": "Booked back.", "created_at": "2027-01-15T08:00:00Z" }]);
    assert_eq!(answer.json(), expected);

    let body = r#"{"title":"Refund","team":"mobile","priority":"p3","assignee":"bob@acme.test","description":"-"}"#;
    let changed = desk.api("PATCH", "/tickets/2", &token, body).await.json();
    for (field, value) in [
        ("title", "Refund"),
        ("team", "mobile"),
        ("priority", "p3"),
        ("assignee", "bob@acme.test"),
        ("description", "-"),
    ] {
        assert_eq!(changed[field], value);
    }
    assert_eq!(changed["status"], "resolved");
}

#[tokio::test]
async fn a_change_that_makes_no_sense_changes_nothing() {
    let (desk, token) = alice().await;
    let before = desk.api("GET", "/tickets/2", &token, "").await.json();
    for body in [
        r#"{"status":"closed"}"#,
        r#"{"title":""}"#,
        r#"{"status":"open","assignee":"dave@acme.test"}"#,
        r#"{"colour":"red"}"#,
        "null",
    ] {
        let answer = desk.api("PATCH", "/tickets/2", &token, body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{body}");
    }
    assert_eq!(desk.api("GET", "/tickets/2", &token, "").await.json(), before);
}

#[tokio::test]
async fn a_change_of_something_older_is_a_conflict() {
    let (desk, token) = alice().await;
    let seen = desk.api("GET", "/tickets/2", &token, "").await.json()["updated_at"].clone();
    let change = |priority: &str, seen: &Value| json!({ "priority": priority, "updated_at": seen }).to_string();
    assert_eq!(desk.api("PATCH", "/tickets/2", &token, change("p1", &seen)).await.status, 200);
    let answer = desk.api("PATCH", "/tickets/2", &token, change("p3", &seen)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (409, &json!("conflict")));
    assert_eq!(desk.api("GET", "/tickets/2", &token, "").await.json()["priority"], "p1");
}
