use proptest::prelude::*;

use super::*;
use crate::linear;

fn rules(table: &[(&str, &[&str])]) -> Vec<(Scope, ScopeRule)> {
    let scope = |(scope, rules): &(&str, &[&str])| {
        let rules = rules.iter().map(|rule| Rule::parse(rule).expect("a rule")).collect();
        (Scope::parse(scope).expect("a scope"), ScopeRule { says: format!("about {scope}"), rules })
    };
    table.iter().map(scope).collect()
}

fn tickets() -> Operations {
    Operations::new(rules(&[
        ("read:tickets", &["GET /tickets", "GET /tickets/*"]),
        ("write:tickets", &["POST /tickets", "PATCH /tickets/*"]),
        ("empty", &[]),
    ]))
}

fn path(raw: &str) -> CanonicalPath<'_> {
    CanonicalPath::parse(raw).expect("a canonical path")
}

#[test]
fn a_permit_says_what_and_by_which_scope() {
    let operations = tickets();
    let effective = operations.effective(&ScopeSet::from_list("read:tickets unknown"));
    let permit = operations.permit(&effective, &Method::GET, path("/tickets/7")).expect("allowed");
    assert_eq!(
        (permit.method(), permit.path().as_str(), permit.scope().as_str()),
        (&Method::GET, "/tickets/7", "read:tickets")
    );
}

#[test]
fn what_no_granted_scope_allows_is_denied_with_the_scope_it_wants() {
    let operations = tickets();
    let effective = operations.effective(&ScopeSet::from_list("read:tickets empty"));
    let denied = operations.permit(&effective, &Method::POST, path("/tickets")).expect_err("denied");
    assert_eq!(denied.wanted().to_string(), "write:tickets");
    let denied = operations.permit(&effective, &Method::GET, path("/admin")).expect_err("denied");
    assert!(denied.wanted().is_empty());
    let none = operations.effective(&ScopeSet::default());
    assert!(operations.permit(&none, &Method::GET, path("/tickets")).is_err());
}

#[test]
fn scopes_that_were_made_for_other_operations_allow_nothing() {
    let (operations, others) = (tickets(), tickets());
    let effective = others.effective(&ScopeSet::from_list("read:tickets"));
    assert!(operations.permit(&effective, &Method::GET, path("/tickets")).is_err());
    assert!(
        operations.clone().permit(&operations.effective(operations.scopes()), &Method::GET, path("/tickets")).is_ok()
    );
}

#[test]
fn scopes_mean_what_the_configuration_says() {
    let operations = tickets();
    let scope = |text| Scope::parse(text).expect("a scope");
    assert_eq!(operations.says(&scope("empty")), Some("about empty"));
    assert_eq!(operations.says(&scope("other")), None);
    assert_eq!(operations.scopes().to_string(), "empty read:tickets write:tickets");
    assert!(!operations.is_unmapped());
    assert!(Operations::new(rules(&[("empty", &[])])).is_unmapped());
}

/// More scopes at one place than are looked at one by one, and more than a word has bits.
#[test]
fn many_scopes_at_one_place_are_told_apart() {
    let names: Vec<String> = (0..300).map(|number| format!("s{number}")).collect();
    let table: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &["GET /a/**"][..])).collect();
    let rules = rules(&table);
    let operations = Operations::new(rules.clone());
    for held in ["s0", "s63 s64", "s64", "s299", "s299 s7 s150"] {
        let held = ScopeSet::from_list(held);
        let effective = operations.effective(&held);
        let permit = operations.permit(&effective, &Method::HEAD, path("/a/b")).expect("allowed");
        assert_eq!(Ok(permit.scope().clone()), linear::permit(&rules, &held, &Method::HEAD, path("/a/b")));
        assert!(operations.permit(&effective, &Method::PUT, path("/a/b")).is_err());
    }
}

#[test]
fn an_encoded_slash_is_read_where_a_rule_speaks_of_one() {
    assert_eq!(tickets().path("/tickets/a%2Fb"), Err(PathError::AmbiguousEncoding));
    let operations = Operations::new(rules(&[("read", &["GET /projects/*%2F*/issues", "GET /**"])]));
    let effective = operations.effective(&ScopeSet::from_list("read"));
    let permitted = |raw| operations.path(raw).map(|path| operations.permit(&effective, &Method::GET, path).is_ok());
    assert_eq!(permitted("/projects/a%2Fb/issues"), Ok(true));
    assert_eq!(permitted("/projects/a%2Fb"), Ok(false));
    assert_eq!(permitted("/x%2Fy"), Ok(false));
    for raw in ["/projects/a%2F%2e%2e%2Fb/issues", "/projects/%2e%2e%2f/issues", "/projects/a%252Fb/issues"] {
        assert_eq!(permitted(raw), Err(PathError::AmbiguousEncoding), "{raw}");
    }
    for raw in ["/projects/a%2F../issues", "/projects/..%2Fb/issues", "/projects/.%2fb/issues"] {
        assert_eq!(permitted(raw), Err(PathError::DotSegment), "{raw}");
    }
    for raw in ["/projects/%2Fb/issues", "/projects/a%2F/issues", "/projects/a%2F%2fb/issues", "/projects/%2F/issues"] {
        assert_eq!(permitted(raw), Err(PathError::EmptySegment), "{raw}");
    }
}

fn a_rule() -> impl Strategy<Value = Rule> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "DELETE", "OPTIONS", "*"]);
    let segment =
        prop::sample::select(vec!["a", "b", "ab", "a:v", ":v", "a:", "*", "*:v", "*:w", "*:*", "*:", "*%2F*", "a%2Fb"]);
    let end = prop::sample::select(vec!["", "", "/", "/**"]);
    (method, prop::collection::vec(segment, 0..4), end).prop_map(|(method, segments, end)| {
        let path = if segments.is_empty() && end != "/**" { "/".to_owned() } else { joined(&segments) + end };
        Rule::parse(&format!("{method} {path}")).expect("a rule")
    })
}

fn joined(segments: &[&str]) -> String {
    segments.iter().flat_map(|segment| ["/", segment]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Random tables and random calls.
    #[test]
    fn the_index_agrees_with_the_rules_one_by_one(
        table in prop::collection::hash_map("[a-h]", prop::collection::vec(a_rule(), 0..6), 0..8),
        held in prop::collection::vec("[a-i]", 0..4),
        calls in prop::collection::vec((
            prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "X"]),
            prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "c", "a:v", "b:w", ":v", "a:", "a:b:v", "*", "a%2Fb", "b%2fc%2Fa", "a%2Fb:v"]), 1..5),
            prop::sample::select(vec!["", "", "/"]),
        ), 1..20),
    ) {
        let rules: Vec<(Scope, ScopeRule)> = table.into_iter()
            .map(|(scope, rules)| (Scope::parse(&scope).expect("a scope"), ScopeRule { says: String::new(), rules }))
            .collect();
        let operations = Operations::new(rules.clone());
        let held = ScopeSet::from_list(&held.join(" "));
        let effective = operations.effective(&held);
        for (method, segments, slash) in calls {
            let method = Method::from_bytes(method.as_bytes()).expect("a token");
            let raw = joined(&segments) + slash;
            let path = CanonicalPath::parse_with(&raw, EncodedSlash::InSegments).expect("a canonical path");
            let found = operations.permit(&effective, &method, path);
            let found = found.map(|permit| permit.scope().clone()).map_err(|denied| denied.wanted().clone());
            prop_assert_eq!(found, linear::permit(&rules, &held, &method, path), "{} {}", method, raw);
        }
    }
}
