//! R35 and A3: no URL of a client's leads the gateway to where it should not go. In earnest, without the settings of development.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tests::{Agent, Browser, Gateway, OAuthClient, Store, form, link};

use super::{Signer, signed};

const PROVIDER: &str = r#"
[oauth]
client_documents = "any"

[[provider]]
id = "helpdesk"
api_base = "https://helpdesk.invalid"
path_prefix = "/helpdesk"
[provider.oauth]
authorize_endpoint = "https://helpdesk.invalid/authorize"
token_endpoint = "https://helpdesk.invalid/token"
client_id = "ath-gateway"
client_secret = { env = "CLIENT_SECRET" }
pkce = "none"
[provider.scopes]
"read:tickets" = { says = "See your tickets", allow = ["GET /tickets"] }
"#;

/// Something on every address of this machine, that counts who knocks.
struct Doorbell {
    port: u16,
    rung: Arc<AtomicUsize>,
}

impl Doorbell {
    fn hung() -> Self {
        let listener = TcpListener::bind("[::]:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let rung = Arc::new(AtomicUsize::new(0));
        let counted = rung.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream);
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let bell = Self { port, rung };
        drop(std::net::TcpStream::connect(("127.0.0.1", port)).expect("it hears"));
        while bell.rung() == 0 {
            std::thread::yield_now();
        }
        bell.rung.store(0, Ordering::SeqCst);
        bell
    }

    fn rung(&self) -> usize {
        self.rung.load(Ordering::SeqCst)
    }

    /// This machine, in every spelling.
    fn addresses(&self) -> Vec<String> {
        let port = self.port;
        let hosts = [
            "127.0.0.1",
            "localhost",
            "localhost.",
            "LOCALHOST",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "0.0.0.0",
            "0",
            "[::]",
            "127.0.0.2",
            "127.255.255.254",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "user@127.0.0.1",
            "127.0.0.1%00.example.com",
            "\u{2460}\u{2461}\u{2466}.0.0.1",
            "ip6-localhost",
        ];
        let on_port =
            hosts.iter().flat_map(|host| [format!("https://{host}:{port}/x"), format!("http://{host}:{port}/x")]);
        let elsewhere = [
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://[::1]/x",
            "https://169.254.169.254/latest/meta-data",
            "https://10.0.0.1/x",
            "https://172.16.0.1/x",
            "https://192.168.0.1/x",
            "https://100.64.0.1/x",
            "https://[fe80::1]/x",
            "https://[fc00::1]/x",
            "https://224.0.0.1/x",
            "https://255.255.255.255/x",
            "https://metadata.google.internal/x",
            "https://1.1.1.1:22/x",
            "file:///etc/passwd",
            "gopher://127.0.0.1/x",
            "ftp://127.0.0.1/x",
            "unix:///run/x",
            "https:///x",
        ];
        on_port.chain(elsewhere.map(str::to_owned)).collect()
    }
}

fn in_earnest() -> Gateway {
    Gateway::start_in_earnest(Store::Embedded, "https://gateway.example", PROVIDER)
}

#[test]
fn r35_no_metadata_document_is_looked_for_inside() {
    let (gateway, bell) = (in_earnest(), Doorbell::hung());
    let known = OAuthClient::register(&gateway);
    for address in bell.addresses() {
        let mut request = known.authorization();
        request.insert("client_id", address.clone());
        let asked = link(&gateway, &request).replace("https://gateway.example", &gateway.url());
        let (answer, location) = Browser::new().peek(&asked);
        assert!(matches!(answer.status, 400 | 403 | 502) && location.is_none(), "{address} {}", answer.status);
        let mut fields = known.about("ath_tk_nothing");
        fields.insert("client_id", address.clone());
        let answer = form(&gateway, "/oauth/introspect", &fields).send();
        assert!(matches!(answer.status, 400 | 401 | 503), "{address} {} {}", answer.status, answer.body_text());
    }
    assert_eq!(bell.rung(), 0);
}

#[test]
fn r35_no_keys_are_looked_for_inside() {
    let (gateway, bell) = (in_earnest(), Doorbell::hung());
    let (mut refused, mut taken) = (0, 0);
    for address in bell.addresses() {
        let registration = json!({
            "redirect_uris": ["https://app.example/callback"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": address,
        });
        let answer = gateway.request("POST", "/oauth/register").json(&registration).send();
        if answer.status != 201 {
            assert_eq!((answer.status, answer.text("/error").as_str()), (400, "invalid_client_metadata"), "{address}");
            refused += 1;
            continue;
        }
        taken += 1;
        let id = answer.text("/client_id");
        let agent = Agent::new("Signer");
        let signer = Signer { agent, id: "k" };
        let proof = signed(signer.proof(&gateway, &id));
        // A name that leads nowhere right now may lead somewhere later; an address that is refused will not.
        let answer = super::proves(&gateway, &id, &proof);
        assert!(matches!(answer, 401 | 503), "{address}: {answer}");
    }
    assert!(refused > 20 && taken > 5, "{refused} {taken}");
    assert_eq!(bell.rung(), 0);
}
