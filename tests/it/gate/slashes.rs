//! A slash that is percent-encoded stays in the one segment that a rule marks, and is refused everywhere else.

use tests::{Fronted, Spy};

const RULES: [&str; 4] =
    ["GET /projects/*%2F*/issues", "GET /projects/*%2F*/issues/*", "GET /files/**", "GET /groups/a%2Fb/members"];

#[test]
fn an_encoded_slash_passes_where_a_rule_marks_it() {
    let spy = Spy::default();
    let front = Fronted::allowing(&spy.url(), &RULES);
    for path in [
        "/projects/group%2Fproject/issues",
        "/projects/group%2fsub%2Fproject/issues",
        "/projects/group%2Fproject/issues/7",
        "/projects/caf%C3%A9%2Fx/issues",
        "/groups/a%2Fb/members",
    ] {
        let answer = front.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body_text());
        let sent = spy.heads().last().and_then(|head| head.split(' ').nth(1).map(str::to_owned));
        assert_eq!(sent.as_deref(), Some(path), "in the very bytes in which it came");
    }
    let before = spy.count();
    for (path, status, reason) in [
        ("/projects/group/project/issues", 403, "operation_not_allowed"),
        ("/projects/42/issues", 403, "operation_not_allowed"),
        ("/projects/group%2Fproject", 400, "path_ambiguous_encoding"),
        ("/projects/group%2Fproject/issues%2F7", 400, "path_ambiguous_encoding"),
        ("/projects/a%2Fb/issues/7%2F8", 400, "path_ambiguous_encoding"),
        ("/files/a%2Fb", 400, "path_ambiguous_encoding"),
        ("/groups/a%2fb/members", 400, "path_ambiguous_encoding"),
        ("/groups/a%2Fc/members", 400, "path_ambiguous_encoding"),
        ("/projects/..%2Fadmin/issues", 400, "path_dot_segment"),
        ("/projects/a%2F../issues", 400, "path_dot_segment"),
        ("/projects/a%2f.%2Fb/issues", 400, "path_dot_segment"),
        ("/projects/%2e%2e%2fb/issues", 400, "path_ambiguous_encoding"),
        ("/projects/a%2F%2e%2e/issues", 400, "path_ambiguous_encoding"),
        ("/projects/a%252Fb/issues", 400, "path_ambiguous_encoding"),
        ("/projects/a%2F%2Fb/issues", 400, "path_empty_segment"),
        ("/projects/%2Fb/issues", 400, "path_empty_segment"),
        ("/projects/a%2F/issues", 400, "path_empty_segment"),
        ("/projects/a%5Cb/issues", 400, "path_ambiguous_encoding"),
        ("/projects/a%2Fb;x=y/issues", 400, "path_character"),
        ("/projects/a%2Fb%00/issues", 400, "path_ambiguous_encoding"),
    ] {
        let answer = front.call("GET", "/x").send_to(&format!("/api{path}"));
        assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{path}");
    }
    assert_eq!(spy.count(), before);
}

/// Where no rule speaks of one, it is refused for what it is.
#[test]
fn without_such_a_rule_none_passes() {
    let spy = Spy::default();
    let front = Fronted::new(&spy.url(), "");
    for path in ["/a%2Fb", "/a%2fb/c", "/%2F", "/a/b%2f..%2fc"] {
        let answer = front.get(path);
        let told = (answer.status, answer.reason());
        assert_eq!(told, (400, "path_ambiguous_encoding".to_owned()), "{path}");
    }
    assert_eq!(spy.count(), 0);
}
