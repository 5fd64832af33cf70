//! What went wrong elsewhere, each by the number of its row in docs/security-advisories.md. What another suite shows at length is shown
//! here once more by its smallest case, so that a name leads from an advisory to a test.

mod headers;
mod identity;
mod messages;
mod paths;

use tests::{Fronted, Spy};

use crate::gate::vectors::{Heard, say};

/// An upstream that counts, behind a gateway where these rules allow something.
struct Scene {
    spy: Spy,
    front: Fronted,
}

impl Scene {
    fn open() -> Self {
        Self::allowing(&["* /**"])
    }

    fn allowing(rules: &[&str]) -> Self {
        let spy = Spy::default();
        let front = Fronted::allowing(&spy.url(), rules);
        Self { spy, front }
    }

    /// A request line's rest, and lines of the head, without and with the token.
    fn sends(&self, method: &str, target: &str, lines: &str) -> Heard {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{lines}\r\n");
        say(self.front.gateway.port(), head.as_bytes())
    }

    fn sends_as_agent(&self, method: &str, target: &str, lines: &str) -> Heard {
        self.sends(method, target, &format!("Authorization: Bearer {}\r\n{lines}", self.front.token))
    }

    /// Refused with this status, and nothing arrived.
    fn refused(&self, heard: &Heard, status: u16, what: &str) {
        assert_eq!((heard.status(), heard.answers()), (status, 1), "{what}: {}", heard.text);
        assert_eq!(self.spy.count(), 0, "{what}: {:?}", self.spy.heads());
    }
}

/// The page names tests that there are, and has each row once.
#[test]
fn every_row_of_the_page_leads_to_a_test_that_there_is() {
    let page = include_str!("../../../docs/security-advisories.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    let rows: Vec<&str> = rows.collect();
    for (number, row) in rows.iter().enumerate() {
        assert!(row.starts_with(&format!("| {} | ", number + 1)), "{row}");
    }
    assert_eq!(rows.len(), 44);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("it");
    let words = page.split('`').filter(|word| word.contains("::") && !word.contains(' '));
    for word in words {
        let parts: Vec<&str> = word.split("::").collect();
        let (name, modules) = parts.split_last().expect("a name");
        let file = folder.join(modules.join("/"));
        let text = std::fs::read_to_string(file.with_extension("rs"));
        let text = text.or_else(|_| std::fs::read_to_string(file.join("mod.rs"))).expect(word);
        let beginning = name.trim_end_matches('\u{2026}');
        assert!(text.contains(&format!("fn {beginning}")), "{word}");
    }
}
