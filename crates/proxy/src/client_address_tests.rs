use proptest::prelude::*;

use super::*;

const PEER: &str = "10.0.0.1";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn asked(header: AddressHeader, peer: &str, lines: &[(&'static str, &str)]) -> Result<String, GateError> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().expect("a value"));
    }
    let networks = ["10.0.0.0/8", "fd00::/8", "::1"].map(|text| text.parse().expect("a network"));
    let proxies = TrustedProxies::new(networks.to_vec(), header);
    proxies.client(address(peer), &headers).map(|client| client.to_string())
}

fn listed(value: &str) -> Result<String, GateError> {
    asked(AddressHeader::XForwardedFor, PEER, &[("x-forwarded-for", value)])
}

fn forwarded(value: &str) -> Result<String, GateError> {
    asked(AddressHeader::Forwarded, PEER, &[("forwarded", value)])
}

#[test]
fn a_stranger_is_who_it_is_whatever_it_says() {
    let lines = [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=nonsense"), ("x-forwarded-for", "%%")];
    assert_eq!(asked(AddressHeader::XForwardedFor, "192.0.2.9", &lines).as_deref(), Ok("192.0.2.9"));
    let nobody = TrustedProxies::default();
    assert_eq!(nobody.client(address(PEER), &HeaderMap::new()), Ok(address(PEER)));
}

#[test]
fn the_last_address_that_is_not_trusted_is_the_client() {
    for (value, client) in [
        ("192.0.2.1", "192.0.2.1"),
        ("198.51.100.7, 192.0.2.1", "192.0.2.1"),
        ("nonsense, 192.0.2.1, 10.2.3.4,fd00::5", "192.0.2.1"),
        ("10.9.9.9, 10.2.3.4", "10.9.9.9"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:10.2.3.4", "10.2.3.4"),
    ] {
        assert_eq!(listed(value).as_deref(), Ok(client), "{value}");
    }
    let lines =
        [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.2.3.4")];
    assert_eq!(asked(AddressHeader::XForwardedFor, PEER, &lines).as_deref(), Ok("192.0.2.1"));
    assert_eq!(asked(AddressHeader::XForwardedFor, PEER, &[]).as_deref(), Ok(PEER));
    assert_eq!(asked(AddressHeader::XForwardedFor, "::ffff:10.0.0.1", &lines).as_deref(), Ok("192.0.2.1"));
}

#[test]
fn a_list_that_cannot_be_read_is_refused() {
    for value in [
        "",
        " ",
        "unknown",
        "192.0.2.1,",
        "192.0.2.1, ,10.0.0.2",
        "192.0.2.1 10.0.0.2",
        "192.0.2.256",
        "192.0.2.1:x",
        "[::1",
    ] {
        assert_eq!(listed(value), Err(GateError::ClientAddress), "{value:?}");
    }
}

#[test]
fn the_standard_header_is_read_as_it_is_written() {
    for (value, client) in [
        ("for=192.0.2.1", "192.0.2.1"),
        ("For=\"192.0.2.1:4711\";proto=https;by=10.0.0.1", "192.0.2.1"),
        ("proto=https; for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
        ("for=_hidden, for=192.0.2.1, for=10.1.1.1;host=gateway.example.com", "192.0.2.1"),
    ] {
        assert_eq!(forwarded(value).as_deref(), Ok(client), "{value}");
    }
    for value in [
        "",
        "192.0.2.1",
        "for=",
        "for=unknown",
        "for=_hidden",
        "for=2001:db8::1",
        "for=\"192.0.2.1",
        "proto=https",
        "for=192.0.2.1;for=192.0.2.2",
        "for=192.0.2.1;",
        "=192.0.2.1",
        "for=\"192.0.2.1\\\"\"",
        "for=192.0.2.1, host=\"a,b\"",
    ] {
        assert_eq!(forwarded(value), Err(GateError::ClientAddress), "{value:?}");
    }
}

#[test]
fn the_header_that_is_not_spoken_is_no_source_and_no_contradiction() {
    let other = [("forwarded", "for=192.0.2.66")];
    assert_eq!(asked(AddressHeader::XForwardedFor, PEER, &other).as_deref(), Ok(PEER));
    let same = [("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.1")];
    assert_eq!(asked(AddressHeader::XForwardedFor, PEER, &same).as_deref(), Ok("192.0.2.1"));
    let passed_on = [("forwarded", "for=192.0.2.66"), ("x-forwarded-for", "192.0.2.1")];
    for header in [AddressHeader::XForwardedFor, AddressHeader::Forwarded] {
        assert_eq!(asked(header, PEER, &passed_on), Err(GateError::ClientAddresses));
    }
}

proptest! {
    /// What a client may write is what stands left of the address that the trusted proxy added.
    #[test]
    fn nothing_that_a_client_writes_changes_who_it_is(junk in "[ -+--~]{0,40}", hops in 0usize..4) {
        let chain = ", 10.3.3.3".repeat(hops);
        let client = listed(&format!("{junk},192.0.2.1{chain}"));
        prop_assert_eq!(client.as_deref(), Ok("192.0.2.1"));
        let chain = ", for=10.3.3.3".repeat(hops);
        let client = forwarded(&format!("{junk},for=192.0.2.1{chain}"));
        prop_assert_eq!(client.as_deref(), Ok("192.0.2.1"));
    }

    #[test]
    fn whatever_is_written_is_an_address_or_refused(text in "[ -~]{0,60}") {
        let _ = listed(&text);
        let _ = forwarded(&text);
    }
}
