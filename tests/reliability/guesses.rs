//! Whether the time of an answer tells how much of a secret was right; `tests/reliability/guesses` builds and runs it.
//!
//! Two kinds of wrong secrets, those whose first character is wrong and those whose last one is, are presented in an order drawn by chance,
//! over one connection. Welch's t of the two samples says whether they differ (Reparaz, Balasch and Verbauwhede, "Dude, is my code constant
//! time?"): beyond 4.5 they do.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails in a test fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Instant;

use secret::{Entropy, SeededEntropy};
use serde_json::json;
use tests::{Gateway, OAuthClient, Store, Upstream, free_port};

fn main() -> ExitCode {
    let samples = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20_000);
    let upstream = Upstream::start(free_port(), |_| {});
    let gateway = Gateway::start_with(Store::Embedded, upstream.gateway_port(), &upstream.provider("pkce = \"none\""));
    let client = OAuthClient::register_as(&gateway, &json!({"token_endpoint_auth_method": "client_secret_post"}));
    let (access, refresh) = client.tokens(&gateway);
    let (id, secret, host) = (&client.id, client.secret(), format!("127.0.0.1:{}", gateway.port()));
    let form = |path: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let measures: [Measure<'_>; 4] = [
        (
            "client secrets at introspection",
            &secret,
            Box::new(|guess| form("/oauth/introspect", &format!("token=x&client_id={id}&client_secret={guess}"))),
        ),
        (
            "access tokens at introspection",
            &access,
            Box::new(|guess| {
                form("/oauth/introspect", &format!("token={guess}&client_id={id}&client_secret={secret}"))
            }),
        ),
        (
            "refresh tokens at the token endpoint",
            &refresh,
            Box::new(|guess| {
                form(
                    "/oauth/token",
                    &format!("grant_type=refresh_token&refresh_token={guess}&client_id={id}&client_secret={secret}"),
                )
            }),
        ),
        (
            "access tokens at a call",
            &access,
            Box::new(|guess| {
                format!("GET /helpdesk/tickets HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {guess}\r\n\r\n")
            }),
        ),
    ];
    let mut good = true;
    for (what, right, request) in measures {
        let t = measured(gateway.port(), right, samples, &*request);
        println!("{what}: {samples} of each kind, |t| = {:.2}", t.abs());
        good &= t.abs() < MOST;
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What is guessed, the right one, and the request with a guess.
type Measure<'a> = (&'a str, &'a str, Box<dyn Fn(&str) -> String + 'a>);

/// Beyond this the two kinds differ.
const MOST: f64 = 4.5;

fn measured(port: u16, right: &str, samples: usize, request: &dyn Fn(&str) -> String) -> f64 {
    let mut connection = Connection::to(port);
    // What every one of its kind begins with is no part of the secret, nor is the name of a refresh token's family.
    let prefix = ["ath_secret_", "ath_tk_"].into_iter().find(|prefix| right.starts_with(prefix)).map_or(0, str::len);
    let first = right.rfind('.').map_or(prefix, |dot| dot + 1);
    let [early, late] = [wrong_at(right, first), wrong_at(right, right.len() - 1)].map(|guess| request(&guess));
    for _ in 0..500 {
        connection.ask(&early);
        connection.ask(&late);
    }
    let (entropy, mut times) = (SeededEntropy::new(7), [Vec::new(), Vec::new()]);
    while times.iter().any(|kind| kind.len() < samples) {
        let mut drawn = [0];
        entropy.fill(&mut drawn);
        let kind = usize::from(drawn[0] & 1);
        let elapsed = connection.ask(if kind == 0 { &early } else { &late });
        if times[kind].len() < samples {
            times[kind].push(elapsed);
        }
    }
    // What the machine was busy with elsewhere makes the slowest twentieth.
    let mut all: Vec<f64> = times.iter().flatten().copied().collect();
    all.sort_by(f64::total_cmp);
    let most = all[all.len() * 19 / 20];
    let [(mean_a, error_a), (mean_b, error_b)] =
        times.map(|kind| summary(&kind.into_iter().filter(|time| *time < most).collect::<Vec<_>>()));
    (mean_a - mean_b) / (error_a + error_b).sqrt()
}

/// The same secret with another character there.
fn wrong_at(right: &str, place: usize) -> String {
    let other = if right.as_bytes()[place] == b'A' { "B" } else { "A" };
    let mut guess = right.to_owned();
    guess.replace_range(place..=place, other);
    guess
}

/// Mean, and the square of its standard error.
fn summary(times: &[f64]) -> (f64, f64) {
    #[expect(clippy::cast_precision_loss, reason = "samples are counted in thousands")]
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

/// One connection, request after request.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn to(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        Self(BufReader::new(stream))
    }

    /// Nanoseconds to the end of the answer.
    fn ask(&mut self, request: &str) -> f64 {
        let begun = Instant::now();
        self.0.get_mut().write_all(request.as_bytes()).expect("sent");
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            self.0.read_line(&mut line).expect("a head");
            let name_and_value = line.trim_end().split_once(':');
            match name_and_value {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().expect("a length");
                }
                None if line.trim().is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        begun.elapsed().as_secs_f64() * 1e9
    }
}
