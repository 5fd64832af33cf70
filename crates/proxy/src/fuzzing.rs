//! What fuzz targets and tests call alike: each takes any bytes, and panics where a promise is broken.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a panic is how a fuzz target says what it found"
)]

use std::sync::LazyLock;

use bytes::BytesMut;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use policy::readings::{Oracle, escape};
use policy::{Operations, Rule, ScopeRule};
use protocol::{Scope, ScopeSet};
use url::Url;

use crate::headers;
use crate::hosts::{HostName, Hosts, LoopbackNames};
use crate::query;
use crate::route::{Proxied, Route, Routes};
use crate::upstream::Upstream;
use crate::upstream::tests::upstream;

/// Any text as a path: whatever a rule allows stays inside of that rule, however a server reads it.
///
/// # Panics
/// Where it does not.
pub fn canonical_path(data: &[u8]) {
    static ORACLE: LazyLock<Oracle> = LazyLock::new(Oracle::default);
    let Ok(target) = std::str::from_utf8(data) else { return };
    if let Err(escape) = ORACLE.judge(target) {
        panic!("{target:?} escapes: {escape:?}");
    }
}

/// Any bytes as a request: whatever passes the gate, finds its way and is allowed can be read in one way, and takes along what is listed.
///
/// # Panics
/// Where it does not.
pub fn request_gate(data: &[u8]) {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::new);
    let mut read = BytesMut::from(data);
    if let Ok(Some(head)) = http1::read_head(&mut read, &mut 0) {
        assert_eq!(data.get(data.len() - read.len() - 4..data.len() - read.len()), Some(&b"\r\n\r\n"[..]));
        GATE.pass(&head.request.into_parts().0);
    }
}

struct Gate {
    upstreams: [Upstream; 2],
    routes: Routes,
}

impl Gate {
    const RULE: &str = "* /tickets/*";
    const JOINED: &str = "* /projects/*%2F*/**";
    const HOSTS: [&str; 5] = ["gw", "gw:443", "crm.gw", "gw.internal", "10.0.0.7:8080"];

    fn new() -> Self {
        let with = |upstream: Upstream, rule: &str| {
            let rules = vec![Rule::parse(rule).expect("a rule")];
            let scope = Scope::parse("read").expect("a scope");
            let operations = Operations::new(vec![(scope, ScopeRule { says: String::new(), rules })]);
            Upstream { operations, ..upstream }
        };
        let upstreams = [
            with(upstream("crm", "https://crm.test", None, Some("crm.gw")), Self::RULE),
            with(upstream("code", "https://code.test/v4", Some("/code"), None), Self::JOINED),
        ];
        let further = ["gw.internal", "10.0.0.7:8080"].map(|name| HostName::parse(name).expect("a host"));
        let own = Hosts::new(&Url::parse("https://gw").expect("a URL"), further.to_vec(), LoopbackNames::Unknown);
        Self { routes: Routes::new(&upstreams, own, &crate::McpDoor::Closed), upstreams }
    }

    fn pass(&self, parts: &Parts) {
        if crate::check(parts).is_err() {
            return;
        }
        assert!(crate::gate::FORWARDED.contains(&parts.method), "{}", parts.method);
        let all = |name| parts.headers.get_all(name).iter().collect::<Vec<_>>();
        assert!(all(AUTHORIZATION).len() < 2 && all(HOST).len() == 1);
        let (lengths, codings) = (all(CONTENT_LENGTH), all(TRANSFER_ENCODING));
        assert!(lengths.len() + codings.len() < 2, "one length: {parts:?}");
        assert!(lengths.iter().all(|length| length.as_bytes().iter().all(u8::is_ascii_digit)));
        let Ok(route) = self.routes.find(parts) else { return };
        let Route::Proxied(route) = route else { return };
        let host = all(HOST)[0].to_str().expect("a known host").to_ascii_lowercase();
        let bare = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
        assert!([host.as_str(), bare].iter().any(|name| Self::HOSTS.contains(name)), "{host}");
        self.forward(route, parts);
    }

    fn forward(&self, route: Proxied, parts: &Parts) {
        let Some(upstream) = route.upstream.and_then(|number| self.upstreams.get(number)) else { return };
        let rule = if upstream.base_path.is_empty() { Self::RULE } else { Self::JOINED };
        if query::checked(&parts.uri).is_err() {
            return;
        }
        let Ok(path) = upstream.operations.path(route.path(&parts.uri, upstream)) else { return };
        let effective = upstream.operations.effective(&ScopeSet::from_list("read"));
        let Ok(permit) = upstream.operations.permit(&effective, &parts.method, path) else { return };
        let found = escape(rule, permit.path().as_str());
        assert!(found.is_none(), "{:?} escapes {rule}: {found:?}", permit.path());
        let onward = headers::onward(parts.headers.clone(), upstream);
        for name in onward.keys() {
            assert!(!headers::stays_here(name.as_str()), "{name} goes on");
            assert!(upstream.request_headers.allows(name, upstream.guard), "{name} goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_corpus_of_the_canonical_path_holds() {
        replay("canonical_path", super::canonical_path);
    }

    #[test]
    fn the_corpus_of_the_request_gate_holds() {
        replay("request_gate", super::request_gate);
    }

    /// Each input that fuzzing kept.
    fn replay(target: &str, run: fn(&[u8])) {
        let folder = format!("{}/../../tests/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let inputs: Vec<_> = std::fs::read_dir(folder).expect("a corpus").collect();
        assert!(!inputs.is_empty());
        for input in inputs {
            run(&std::fs::read(input.expect("an input").path()).expect("readable"));
        }
    }
}
