//! R33: an answer goes to whoever asked.

use std::sync::Barrier;

use serde_json::{Value, json};
use tests::{Fronted, Reply, Served};

use super::door::{ERAS, client_of, request};

/// MCP TypeScript SDK CVE-2026-25536: one transport for all, and of two requests with the same id one got the other's answer.
#[test]
fn r33_cve_2026_25536_of_a_hundred_clients_with_one_id_each_gets_its_own_answer() {
    let served = Served::start(|request| {
        // The later ones are answered first.
        let number = request.query("n").and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        std::thread::sleep(std::time::Duration::from_millis(200 - number.min(100) * 2));
        Reply::json(&json!({"you asked for": request.target, "with": request.header("authorization").map(str::len)}))
    });
    let front = Fronted::new(&served.url(), "");
    let clients: Vec<_> = (0..5).map(|_| client_of(&front.gateway, "/helpdesk/mcp")).collect();
    let together = Barrier::new(100);
    std::thread::scope(|scope| {
        for number in 0..100_usize {
            let (front, together, token, era) = (&front, &together, &clients[number % 5].1, ERAS[number % 2]);
            scope.spawn(move || {
                let call = json!({"name": "helpdesk_read", "arguments": {"path": "/x", "query": {"n": number}}});
                let request = request(&front.gateway, "/helpdesk/mcp", era, Some(token), ("tools/call", &call));
                together.wait();
                let answer = request.send();
                assert_eq!(answer.status, 200, "{}", answer.body_text());
                let said: Value = answer.json();
                assert_eq!(said["id"], json!(1), "{said}");
                let asked = &said["result"]["structuredContent"]["body"]["you asked for"];
                assert_eq!(*asked, json!(format!("/x?n={number}")), "{said}");
            });
        }
    });
    assert_eq!(served.received().len(), 100);
}
