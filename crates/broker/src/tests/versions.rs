//! What older and newer versions write and this one reads: one record of each kind, as it lies in stores today.

use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::front::{Family, IssuerKeys, UserCode};
use crate::records::{
    Agent, Browser, Client, Connection, Grant, Identity, Jti, ProviderSwitch, Revocation, Session, Token, User,
};
use crate::sign_in::KeptTokens;

/// What becomes of a newer version's additions when a record is written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Additions {
    /// They stay with it.
    Kept,
    /// It is never written again, only made anew.
    MadeAnew,
}

type Again = fn(&Value) -> Result<Value, serde_json::Error>;

fn again<T: Serialize + DeserializeOwned>(body: &Value) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<T>(&serde_json::to_vec(body)?).and_then(serde_json::to_value)
}

const KINDS: [(&str, Again, Additions); 16] = [
    ("user", again::<User>, Additions::MadeAnew),
    ("identity", again::<Identity>, Additions::MadeAnew),
    ("connection", again::<Connection>, Additions::Kept),
    ("agent", again::<Agent>, Additions::Kept),
    ("client", again::<Client>, Additions::MadeAnew),
    ("grant", again::<Grant>, Additions::Kept),
    ("token", again::<Token>, Additions::Kept),
    ("provider", again::<ProviderSwitch>, Additions::Kept),
    ("revocation", again::<Revocation>, Additions::Kept),
    ("session", again::<Session>, Additions::Kept),
    ("jti", again::<Jti>, Additions::MadeAnew),
    ("browser", again::<Browser>, Additions::MadeAnew),
    ("subject_tokens", again::<KeptTokens>, Additions::MadeAnew),
    ("family", again::<Family>, Additions::Kept),
    ("code", again::<UserCode>, Additions::MadeAnew),
    ("issuer", again::<IssuerKeys>, Additions::MadeAnew),
];

fn records() -> Map<String, Value> {
    serde_json::from_str(include_str!("records.json")).expect("an object")
}

/// A name that is changed, or a field that goes, is a change of format: the records of running gateways would lose what stands there.
#[test]
fn every_record_is_written_as_it_was_read() {
    let records = records();
    assert_eq!(records.len(), KINDS.len(), "one of each kind");
    for (name, again, _) in KINDS {
        assert_eq!(again(&records[name]).expect(name), records[name], "{name}");
    }
}

#[test]
fn what_a_newer_version_adds_is_read_over_and_stays() {
    for (name, again, additions) in KINDS {
        let mut newer = records()[name].clone();
        newer["later"] = json!({"secret": "s", "list": [1, {"a": null}], "flag": true});
        newer["much_later"] = json!("a word");
        let written = again(&newer).expect(name);
        let expected = if additions == Additions::Kept { &newer } else { &records()[name] };
        assert_eq!(&written, expected, "{name}");
    }
}

/// Below the top they are read over, and go with the part that they belong to when that is made anew.
#[test]
fn what_a_newer_version_adds_below_the_top_is_no_hindrance() {
    for (name, again, _) in KINDS {
        let mut newer = records()[name].clone();
        let mut added = String::new();
        for (member, value) in newer.as_object_mut().expect("an object") {
            // A map from scopes to times.
            if member == "ends" {
                continue;
            }
            add_within(value, &mut added);
        }
        again(&newer).unwrap_or_else(|error| panic!("{name}: {error}, with something added to {added}"));
    }
}

fn add_within(value: &mut Value, added: &mut String) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(|value| add_within(value, added));
            // An enum with one word is no object to add to.
            if members.len() > 1 {
                members.insert("later".to_owned(), json!({"a": 1}));
                let _ = write!(added, "{:?} ", members.keys().collect::<Vec<_>>());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| add_within(value, added)),
        _ => {}
    }
}

#[test]
fn what_is_not_known_is_not_printed() {
    let mut newer = records()["grant"].clone();
    newer["later"] = json!("a secret of a newer version");
    let grant: Grant = serde_json::from_value(newer).expect("a grant");
    assert!(!format!("{grant:?}").contains("a secret"), "{grant:?}");
}
