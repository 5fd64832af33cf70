//! The last line of defence: nothing of the gateway's logs a secret, and if something did, its word would not leave.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;

use secret::{Unspoken, is_of_a_word};
use tracing_subscriber::fmt::MakeWriter;

/// Standard error, without the words that are secrets, or look like some.
#[derive(Clone)]
pub(super) struct Redacted(pub(super) Arc<Unspoken>);

/// One line's way to standard error.
pub(super) struct RedactedLine<'a>(&'a Unspoken);

impl<'a> MakeWriter<'a> for Redacted {
    type Writer = RedactedLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactedLine(&self.0)
    }
}

impl Write for RedactedLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        // A log that nobody takes any more stops nothing. An error that is handed on would be told on standard error, by a panic.
        let _ = io::stderr().lock().write_all(redacted(&text, self.0).as_bytes());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().lock().flush();
        Ok(())
    }
}

/// The line with `[redacted]` in the place of each such word.
pub(crate) fn redacted<'l>(line: &'l str, unspoken: &Unspoken) -> Cow<'l, str> {
    let mut out: Option<String> = None;
    let mut rest = 0;
    for (start, word) in words(line) {
        if !is_secret(word, unspoken) {
            continue;
        }
        let text = out.get_or_insert_with(String::new);
        text.push_str(line.get(rest..start).unwrap_or_default());
        text.push_str("[redacted]");
        rest = start + word.len();
    }
    match out {
        None => Cow::Borrowed(line),
        Some(mut text) => {
            text.push_str(line.get(rest..).unwrap_or_default());
            Cow::Owned(text)
        }
    }
}

/// Runs of characters that tokens are made of (RFC 6750 §2.1), with where they begin; each long enough to be one.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let apart = |char: char| !is_of_a_word(char);
    let mut end = 0;
    let runs = line.split_inclusive(apart).map(move |run| {
        let start = end;
        end += run.len();
        (start, run.trim_end_matches(apart))
    });
    runs.filter(|(_, run)| run.len() >= SHORTEST)
}

fn is_secret(word: &str, unspoken: &Unspoken) -> bool {
    // In a path or behind a dot a token is a part of its run.
    let parts = word.split(['/', '+', '~']).chain([word]).map(|part| part.trim_end_matches('.'));
    parts.into_iter().any(|part| unspoken.has(part) || looks_like_one(part))
}

/// By the prefixes that services give their tokens so that they are found, and by the form of a JWT (RFC 7519 §3).
fn looks_like_one(word: &str) -> bool {
    let prefixed = PREFIXES.iter().any(|prefix| word.strip_prefix(prefix).is_some_and(|rest| rest.len() >= SHORTEST));
    let jwt = word.starts_with("eyJ") && word.split('.').filter(|part| part.len() >= SHORTEST).count() >= 2;
    prefixed || jwt
}

const SHORTEST: usize = 8;
/// As GitHub, GitLab, Slack, Google, Stripe, Shopify, Atlassian, Linear, Notion, `DigitalOcean`, Figma and Airtable have them; the last ones
/// are the gateway's own.
const PREFIXES: &[&str] = &[
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "gloas-",
    "glrt-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xoxr-",
    "xoxe.",
    "xapp-",
    "ya29.",
    "GOCSPX-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "shpat_",
    "shpca_",
    "shpss_",
    "ATATT",
    "lin_oauth_",
    "lin_api_",
    "ntn_",
    "secret_",
    "dop_v1_",
    "doo_v1_",
    "dor_v1_",
    "figd_",
    "figu_",
    "ath_tk_",
    "ath_secret_",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        let unspoken = Unspoken::default();
        unspoken.note("s3cr3t-of-the-client");
        redacted(text, &unspoken).into_owned()
    }

    #[test]
    fn what_is_in_use_is_not_written() {
        assert_eq!(
            line("the body was client_secret=s3cr3t-of-the-client&x=1\n"),
            "the body was client_secret=[redacted]&x=1\n"
        );
        assert_eq!(line("It is s3cr3t-of-the-client."), "It is [redacted]");
        assert_eq!(line("GET /keys/s3cr3t-of-the-client/x"), "GET [redacted]");
        assert_eq!(line("s3cr3t-of-the-client2"), "s3cr3t-of-the-client2", "another word");
    }

    #[test]
    fn what_looks_like_a_token_is_not_written() {
        for token in [
            "gho_16C7e42F292c6912E7710c838347Ae178B4a",
            "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
            "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl",
            "ath_tk_0123456789",
        ] {
            assert_eq!(
                line(&format!("Authorization: Bearer {token}, and more")),
                "Authorization: Bearer [redacted], and more"
            );
            assert_eq!(line(&format!("{{\"access_token\":\"{token}\"}}")), "{\"access_token\":\"[redacted]\"}");
        }
    }

    #[test]
    fn what_people_need_to_read_stays() {
        for text in [
            "2026-11-21T18:08:42.000000Z INFO gateway: the gateway is ready listen=127.0.0.1:4180 public_url=https://gateway.example.com/",
            "provider_id=github reason=invalid_client secret_ghost_ eyJ",
            "file crates/broker/src/refresh/attempt.rs, 0190a7f2-6b1e-7cc3-8f5e-0a1b2c3d4e5f",
        ] {
            assert_eq!(line(text), text);
        }
    }
}
