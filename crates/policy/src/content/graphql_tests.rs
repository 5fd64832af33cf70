use proptest::prelude::*;

use super::*;

fn asked(text: &str) -> Result<String, Unreadable> {
    let fields = Document::parse(text)?.asked();
    Ok(fields.into_iter().collect::<Vec<_>>().join(", "))
}

fn read(body: &str) -> Result<Document, Unreadable> {
    Document::read(&Object::read(body.as_bytes()).expect("an object"))
}

fn allows(rule: &[&str], text: &str) -> bool {
    let rule = GraphqlRule::parse(rule.iter().copied()).expect("a rule");
    Document::parse(text).expect("a document").is_allowed(&[&rule])
}

#[test]
fn root_fields_are_found_wherever_they_stand() {
    for (text, expected) in [
        ("{viewer{login}}", "query viewer"),
        ("query Q($id:ID!=1)@a(b:{c:\"}\"}){viewer{deleteAll}}", "query viewer"),
        ("{a:viewer b:deleteAll viewer:other}", "query deleteAll, query other, query viewer"),
        ("mutation{createIssue(title:\"{query}\"){id}}", "mutation createIssue"),
        ("subscription S{issueChanged}", "subscription issueChanged"),
        ("{a} mutation M{b} query Q{c}", "mutation b, query a, query c"),
        ("{...F} fragment F on Query{a ...G} fragment G on Query{b c@skip(if:true)}", "query a, query b, query c"),
        ("{a ...F} mutation{...F} fragment F on X{b}", "mutation b, query a, query b"),
        ("{...F} fragment F on Q{a ...F}", "query a"),
        ("{...F} fragment F on Q{...G} fragment G on Q{...F b}", "query b"),
        ("{... on Query{a} ...@include(if:false){b ... {c}}}", "query a, query b, query c"),
        ("{a} fragment Unused on Query{b}", "query a"),
        (
            "{query mutation{a} subscription fragment on:type true null}",
            "query fragment, query mutation, query null, query query, query subscription, query true, query type",
        ),
        ("{a#b\rc#d\n,,,e\t}", "query a, query c, query e"),
        ("{a(x:\"\"\"} mutation{b}\"\"\") }", "query a"),
        ("{a(x:\"\\\"}b{\")}", "query a"),
        (
            "{__typename __schema{types{name}} __type(name:\"A\"){name}}",
            "query __schema, query __type, query __typename",
        ),
    ] {
        assert_eq!(asked(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_does_not_parse_is_refused() {
    for text in [
        "",
        " ",
        "#",
        "{",
        "}",
        "{}",
        "{a",
        "{a}}",
        "query",
        "query{}",
        "quer{a}",
        "{a:}",
        "{a(b:)}",
        "{a()}",
        "{...}",
        "{...on}",
        "{a(b:$)}",
        "{é}",
        "type A{a:Int}",
        "{a} type A{a:Int}",
        "{a} extend type Q{b:Int}",
        "schema{query:Q}",
        "fragment F on Q{a}",
        "{a(b:\"\n\")}",
        "{a(b:\"\"\")}",
        "\u{feff}{a}",
        "{a#\u{2028}b\n}",
        "{a#\u{85}b\n}",
        "{a\u{b}b}",
        "{a\0}",
        "{\"a\"}",
        "{$a}",
        "query query query{a}",
    ] {
        assert_eq!(asked(text), Err(Unreadable::Graphql), "{text:?}");
    }
    for text in [
        "{...F}",
        "{a ...F} fragment G on Q{b}",
        "{...F} fragment F on Q{a} fragment F on Q{b}",
        "{...F} fragment F on Q{...G}",
    ] {
        assert_eq!(asked(text), Err(Unreadable::Fragment), "{text}");
    }
}

#[test]
fn what_is_too_deep_or_too_much_is_refused_in_time() {
    let nested =
        |open: &str, inner: &str, close: &str, depth| format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
    for depth in [MAX_DEPTH + 1, 20_000] {
        for text in [
            nested("{a", "", "}", depth),
            nested("{...", "{a}", "}", depth),
            format!("{{a(b:{})}}", nested("[", "1", "]", depth)),
            format!("{{a(b:{})}}", nested("{c:", "1", "}", depth)),
            format!("query($a:{}){{b}}", nested("[", "I", "]", depth)),
            nested("{a", "", "", depth),
        ] {
            assert_eq!(asked(&text), Err(Unreadable::GraphqlTooLarge), "{depth}");
        }
    }
    assert!(asked(&nested("{a", "", "}", MAX_DEPTH)).is_ok());
    assert_eq!(asked(&format!("{{{}}}", "a ".repeat(MAX_TOKENS))), Err(Unreadable::GraphqlTooLarge));
    assert_eq!(asked(&format!("{{{}}}", "a ".repeat(MAX_TOKENS / 3))).as_deref(), Ok("query a"));
    let link = |at: usize| ["fragment F", &at.to_string(), " on Q{...F", &(at + 1).to_string(), "} "].concat();
    let chain: String = (0..400).map(link).collect();
    let text = format!("{}{chain}fragment F400 on Q{{last}}", "{...F0}".repeat(400));
    assert_eq!(asked(&text).as_deref(), Ok("query last"));
}

#[test]
fn a_rule_names_fields_and_introspection_apart() {
    for (rule, text, expected) in [
        (&["query viewer"][..], "{viewer{x}}", true),
        (&["query viewer"], "{a:viewer{x} b:viewer{y} __typename}", true),
        (&["query viewer"], "{viewer:other}", false),
        (&["query viewer"], "{viewer other}", false),
        (&["query viewer"], "mutation{viewer}", false),
        (&["query viewer"], "{__typename}", true),
        (&["query viewer", "query other"], "{viewer other}", true),
        (&["mutation create*"], "mutation{createIssue createLabel}", true),
        (&["mutation create*"], "mutation{createIssue deleteIssue}", false),
        (&["mutation create*Issue"], "mutation{createBigIssue}", true),
        (&["query *"], "{anything at all}", true),
        (&["query *"], "{a __schema{x}}", false),
        (&["query *"], "{__type(name:\"x\"){x}}", false),
        (&["query *", "query __schema"], "{a __schema{x}}", true),
        (&["query __*"], "{__type(name:\"x\"){x} __schema{x}}", true),
        (&["query *"], "{a} mutation{b}", false),
        (&["query *", "mutation *"], "{a} mutation{b}", true),
    ] {
        assert_eq!(allows(rule, text), expected, "{rule:?} on {text}");
    }
    assert!(!Document::parse("{__typename}").expect("a document").is_allowed(&[]));
    for text in ["viewer", "query", "query ", "query  viewer", "Query viewer", "query a b", "query a-b", "query a.b"] {
        assert!(GraphqlRule::parse([text]).is_err(), "{text}");
    }
}

#[test]
fn the_members_of_a_request_are_known() {
    for body in [
        r#"{"query":"{a}"}"#,
        r#"{"query":"{a}","operationName":null,"variables":{"b":[{"c":1e3}]},"extensions":{"x":1}}"#,
        r#"{"query":"query Q{a}","operationName":"Q","variables":null,"extensions":null}"#,
    ] {
        assert!(read(body).is_ok(), "{body}");
    }
    for (body, error) in [
        ("{}", Unreadable::Persisted),
        (r#"{"query":null}"#, Unreadable::Persisted),
        (r#"{"query":["{a}"]}"#, Unreadable::Persisted),
        (r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#, Unreadable::Persisted),
        (r#"{"query":"{a}","extensions":{"persistedQuery":{}}}"#, Unreadable::Persisted),
        (r#"{"query":"{a}","extensions":{"PersistedQuery":{}}}"#, Unreadable::Persisted),
        (r#"{"query":"{a}","extensions":[]}"#, Unreadable::Member),
        (r#"{"query":"{a}","operationName":["Q"]}"#, Unreadable::Member),
        (r#"{"query":"{a}","Query":"{b}"}"#, Unreadable::Member),
        (r#"{"query":"{a}","id":"x"}"#, Unreadable::Member),
        (r#"{"query":"{a}","documentId":"x"}"#, Unreadable::Member),
        (r#"{"QUERY":"{a}"}"#, Unreadable::Member),
        (r#"{"query":"{"}"#, Unreadable::Graphql),
    ] {
        assert_eq!(read(body), Err(error), "{body}");
    }
}

/// A document, and how it may be printed: what stands between its tokens, how a field is dressed, and where it is put.
#[derive(Debug, Clone)]
struct Printed {
    text: String,
    fields: BTreeSet<(Kind, Box<str>)>,
}

/// The last three have commas, which are nothing to GraphQL, and which the parser does not take everywhere.
const BETWEEN: [&str; 9] = [" ", "\n", "\t", "\r\n", " # } mutation{evil}\n", "#{\r", ",", " ,,", "#\n,"];
const FIELDS: [&str; 10] = ["viewer", "query", "on", "_a1", "mutation", "true", "x", "fragment", "null", "deleteAll"];
const DRESSES: [(&str, &str); 9] = [
    ("", ""),
    ("alias:", ""),
    ("viewer :", ""),
    ("", "(a:\"}evil{\")"),
    ("", "(a:\"\"\"\"}evil{\\\"\"\"\"\"\")"),
    ("", "{evil ...{evil}}"),
    ("", "@include(if:$v){evil}"),
    ("x:", "(a:{b:[1 $c ENUM],d:null})@a@b{evil:evil}"),
    ("", "(a:\"\\u007d\\\"\")"),
];
const PLACES: [(&str, &str); 5] =
    [("", ""), ("...{", "}"), ("...on Q@skip(if:true){", "}"), ("... @a {... {", "}}"), ("...on Mutation{", "}")];

fn a_printed_document(between: usize) -> impl Strategy<Value = Printed> {
    let place = (0..FIELDS.len(), 0..DRESSES.len(), 0..PLACES.len() + 1);
    let operation = (
        prop::sample::select(vec![None, Some(Kind::Query), Some(Kind::Mutation), Some(Kind::Subscription)]),
        prop::collection::vec(place, 1..5),
    );
    let between = prop::collection::vec(0..between, 8);
    (prop::collection::vec(operation, 1..4), between).prop_map(|(operations, between)| {
        let (mut text, mut fragments, mut fields) = (String::new(), String::new(), BTreeSet::new());
        let mut turn = between.iter().cycle().map(|at| BETWEEN[*at]);
        for (number, (kind, places)) in operations.into_iter().enumerate() {
            let word = match kind {
                None => "",
                Some(Kind::Query) => "query ($v:[X!]={a:1}) @d",
                Some(Kind::Mutation) => "mutation",
                Some(Kind::Subscription) => "subscription Named",
            };
            let kind = kind.unwrap_or(Kind::Query);
            text += &[turn.next().unwrap_or(" "), word, turn.next().unwrap_or(" "), "{"].concat();
            for (at, (field, dress, place)) in places.into_iter().enumerate() {
                let (field, (before, after)) = (FIELDS[field], DRESSES[dress]);
                fields.insert((kind, field.into()));
                let printed = [before, turn.next().unwrap_or(" "), field, turn.next().unwrap_or(" "), after].concat();
                let space = turn.next().unwrap_or(" ");
                if let Some((open, close)) = PLACES.get(place) {
                    text += &[space, open, space, &printed, space, close, space].concat();
                } else {
                    let name = format!("F{number}x{at}");
                    text += &[space, "...", space, &name, space].concat();
                    fragments +=
                        &["fragment", " ", &name, space, "on", " ", "T", space, "{", &printed, space, "}"].concat();
                }
            }
            text += "}";
        }
        Printed { text: text + &fragments, fields }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_document_has_the_same_root_fields_however_it_is_printed(printed in a_printed_document(6)) {
        let read = Document::parse(&printed.text);
        prop_assert_eq!(read.map(|document| document.fields), Ok(printed.fields), "{}", printed.text);
    }

    #[test]
    fn with_commas_it_has_the_same_ones_or_is_refused(printed in a_printed_document(BETWEEN.len())) {
        match Document::parse(&printed.text) {
            Ok(document) => prop_assert_eq!(document.fields, printed.fields, "{}", printed.text),
            Err(error) => prop_assert_eq!(error, Unreadable::Graphql, "{}", printed.text),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[{}()\\[\\]:!$@a-c.,\"#\n\\\\ |&=q\u{e9}]{0,60}") {
        let _ = Document::parse(&text);
    }
}
