//! How clients of the configuration prove who they are, and how that is changed while they work.

use serde_json::json;
use tests::{Reply, Store};

use super::{Signer, Site, open, proves, signed};

fn secret(text: &str) -> [(&'static str, String); 1] {
    [("client_secret", text.to_owned())]
}

const OLD: &str = "the-old-secret-of-the-back-office-32";
const NEW: &str = "the-new-secret-of-the-back-office-32";

#[test]
fn a_secret_is_changed_without_a_break() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    std::fs::write(&first, OLD).expect("written");
    std::fs::write(&second, format!("{NEW}\n")).expect("written");
    let client = |more: &str| {
        format!(
            "[[client]]\nid = \"backoffice\"\nname = \"Back office\"\ndeveloper = \"Example Inc.\"\nredirect_uris = \"https://b.example/cb\"\n{more}\n"
        )
    };
    let file = |key: &str, path: &std::path::Path| format!("{key} = {{ file = \"{}\" }}\n", path.display());
    let cases = [
        (file("client_secret", &first), 200, 401),
        (file("client_secret", &first) + &file("other_client_secret", &second), 200, 200),
        (file("client_secret", &second), 401, 200),
    ];
    for (keys, old, new) in cases {
        let (gateway, _upstream) = open(Store::Embedded, &client(&keys));
        assert_eq!(proves(&gateway, "backoffice", &secret(OLD)), old, "{keys}");
        assert_eq!(proves(&gateway, "backoffice", &secret(NEW)), new, "{keys}");
        for wrong in ["", "x", &OLD[1..], &format!("{OLD} ")] {
            assert_eq!(proves(&gateway, "backoffice", &secret(wrong)), 401, "{wrong}");
        }
        assert_eq!(proves(&gateway, "backoffice", &[]), 401);
        assert_eq!(proves(&gateway, "Backoffice", &secret(OLD)), 401);
        for said in [OLD, NEW] {
            assert!(!gateway.log().contains(said), "a secret in the log");
        }
    }
}

#[test]
fn keys_at_a_url_are_changed_without_a_break() {
    let site = Site::start();
    let (old, new) = (Signer::new("old"), Signer::new("new"));
    site.show("/keys", Reply::json(&old.set()));
    let tables = format!(
        "[[client]]\nid = \"backoffice\"\nname = \"Back office\"\ndeveloper = \"Example Inc.\"\nredirect_uris = \"https://b.example/cb\"\n\
         jwks_uri = \"{}\"\n",
        site.url("/keys")
    );
    let (gateway, _upstream) = open(Store::Embedded, &tables);
    let by = |signer: &Signer| proves(&gateway, "backoffice", &signed(signer.proof(&gateway, "backoffice")));
    assert_eq!((by(&old), by(&old), site.asked()), (200, 200, 1));
    // Both are published for a while; the new one is noticed at its first use.
    site.show("/keys", Reply::json(&json!({"keys": [old.jwk(), new.jwk()]})));
    assert_eq!((by(&new), by(&old), by(&new), site.asked()), (200, 200, 200, 2));
    for _ in 0..20 {
        assert_eq!(by(&Signer::new("unknown")), 401);
    }
    assert_eq!(site.asked(), 2, "strangers' keys make nobody ask again within the minute");
    assert_eq!(proves(&gateway, "backoffice", &secret("x")), 401);
    assert_eq!(proves(&gateway, "backoffice", &[]), 401);
}
