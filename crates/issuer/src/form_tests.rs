use proptest::prelude::*;

use super::*;

fn read(body: &str) -> Result<Form, FormProblem> {
    Form::parse(body.as_bytes())
}

#[test]
fn what_is_sent_is_read() {
    let form = read("grant_type=authorization_code&code=a%2Bb&scope=read+write&x=1").expect("a form");
    assert_eq!(form.get("grant_type"), Some("authorization_code"));
    assert_eq!(form.get("code"), Some("a+b"));
    assert_eq!(form.get("scope"), Some("read write"));
    assert_eq!(form.get("token"), None);
    assert_eq!(read("scope=a b").expect("a form").get("scope"), Some("a b"));
    assert_eq!(read("&&code=1&").expect("a form").get("code"), Some("1"));
    assert_eq!(read("code=a=b=").expect("a form").get("code"), Some("a=b="));
}

#[test]
fn empty_is_absent() {
    for body in ["", "code", "code=", "=", "=x", "resource="] {
        let form = read(body).expect("a form");
        assert_eq!((form.get("code"), form.resources().len()), (None, 0), "{body}");
    }
}

#[test]
fn a_parameter_twice_is_refused_however_it_is_written() {
    for body in ["code=1&code=1", "code=1&code=", "code=&code=1", "code=1&%63ode=2", "code&code"] {
        assert_eq!(read(body).err(), Some(FormProblem::Doubled(Some("code"))), "{body}");
    }
    assert_eq!(read("x=1&y=1&x=2").err(), Some(FormProblem::Doubled(None)));
    assert!(read("code=1&CODE=2&code%20=3").is_ok());
}

#[test]
fn there_may_be_eight_resources() {
    let many = |count: usize| vec!["resource=https%3A%2F%2Fgw"; count].join("&");
    let form = read(&many(8)).expect("a form");
    assert_eq!(form.resources(), vec!["https://gw"; 8]);
    assert_eq!(read(&many(9)).err(), Some(FormProblem::Resources));
}

#[test]
fn what_cannot_be_read_in_one_way_is_refused() {
    for body in [
        &b"code=%"[..],
        b"code=%4",
        b"code=%zz",
        b"code=%+1",
        b"code=%C3",
        b"code=%ff",
        b"code=%00",
        b"code=%0a",
        b"code=%C2%85",
        b"code=a\nb",
        b"code=a\tb",
        b"code=\xc3\xa9",
        b"code=\x00",
        b"c%zz=1",
        b"x=%zz",
        b"\xff=1",
    ] {
        assert_eq!(Form::parse(body).err(), Some(FormProblem::Encoding), "{}", body.escape_ascii());
    }
    assert_eq!(read("code=%C3%A9").expect("a form").get("code"), Some("\u{e9}"));
}

#[test]
fn lengths_are_bounded() {
    let of = |name: &str, length: usize| format!("{name}={}", "a".repeat(length));
    assert!(read(&of("code", 4096)).is_ok());
    assert_eq!(read(&of("code", 4097)).err(), Some(FormProblem::TooLong("code")));
    assert_eq!(read(&of("resource", 4097)).err(), Some(FormProblem::TooLong("resource")));
    assert!(read(&of("assertion", 16_384)).is_ok());
    assert_eq!(read(&of("assertion", 16_385)).err(), Some(FormProblem::TooLong("assertion")));
    assert!(read(&of("unknown", 60_000)).is_ok());
    let many = |count: usize| (0..count).map(|number| format!("p{number}=1")).collect::<Vec<_>>().join("&");
    assert!(read(&many(64)).is_ok());
    assert_eq!(read(&many(65)).err(), Some(FormProblem::TooMany));
}

#[test]
fn a_form_prints_names_alone() {
    let form = read("code=canary&client_secret=canary&resource=canary").expect("a form");
    assert_eq!(format!("{form:?}"), r#"["code", "client_secret"]"#);
}

proptest! {
    #[test]
    fn whatever_is_encoded_comes_back(value in "[^\\p{Cc}]{1,200}", resource in "[^\\p{Cc}]{1,50}") {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.append_pair("state", &value).append_pair("code", &value).append_pair("resource", &resource);
        let form = read(&body.finish()).expect("a form");
        prop_assert_eq!(form.get("code"), Some(value.as_str()));
        prop_assert_eq!(form.resources(), [resource]);
    }

    #[test]
    fn no_bytes_break_it(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(form) = Form::parse(&body) {
            let lenient: Vec<_> = form_urlencoded::parse(&body).collect();
            for (name, _) in KNOWN.iter().filter(|(name, _)| *name != RESOURCE) {
                let other = lenient.iter().find(|(key, value)| key == name && !value.is_empty());
                prop_assert_eq!(form.get(name), other.map(|(_, value)| value.as_ref()));
            }
        }
    }

    #[test]
    fn forms_of_a_few_bytes_are_read_as_others_read_them(body in "(code|scope|x|%63ode)?[=&+%0-9a-f]{0,12}(code=|scope=)?[=&+%0-9a-f]{0,8}") {
        if let Ok(form) = read(&body) {
            let lenient: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
            for name in ["code", "scope"] {
                let other = lenient.iter().find(|(key, value)| key == name && !value.is_empty());
                prop_assert_eq!(form.get(name), other.map(|(_, value)| value.as_ref()));
                prop_assert!(lenient.iter().filter(|(key, _)| key == name).count() <= 1);
            }
        }
    }
}
