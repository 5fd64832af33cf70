//! How a service's answer is told: as it is, or as one object.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use data_encoding::BASE64;
use protocol::Problem;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use serde_json::{Map, Value, json};
use url::Url;

use super::{numbers, service_error};
use crate::arguments::Fetch;
use crate::context::Context;
use crate::egress::Answer;
use crate::output::{Form, Outcome, heard};
use crate::{Code, Exit, Failure, plain};

pub(super) async fn tell(
    context: &Context,
    wanted: &Fetch,
    (url, response): (&str, Response),
) -> Result<Outcome, Failure> {
    if wanted.fail && response.status().as_u16() >= 400 {
        return Err(service_error(&wanted.service, &response));
    }
    if let Some(place) = response.headers().get(LOCATION).filter(|_| response.status().is_redirection()) {
        context.talk.say(&redirected(&wanted.service, url, place));
    }
    let file = wanted.output.as_deref().filter(|path| path.as_os_str() != "-");
    match (context.talk.form, file) {
        (Form::Json, Some(path)) => {
            let mut data = head(url, &response);
            data.insert("saved_to".to_owned(), json!(path.display().to_string()));
            data.insert("bytes".to_owned(), json!(saved(response, path).await?));
            Ok(Outcome::told(Value::Object(data), ""))
        }
        (Form::Json, None) => {
            let mut data = head(url, &response);
            let answer = Answer::read(response, WHOLE_LIMIT).await.map_err(broken)?.ok_or_else(too_large)?;
            let (name, body) = body(&answer.headers, answer.body);
            data.insert(name.to_owned(), body);
            Ok(Outcome::told(Value::Object(data), ""))
        }
        (Form::Text, Some(path)) => {
            let told = if wanted.include { said_head(&response) } else { Exit::Ok };
            let bytes = saved(response, path).await?;
            context.talk.say(&format!("{} bytes written to {}.", bytes, path.display()));
            Ok(Outcome::Done(told))
        }
        (Form::Text, None) => {
            if wanted.include && said_head(&response) != Exit::Ok {
                return Ok(Outcome::Done(Exit::Other));
            }
            printed(response).await.map(Outcome::Done)
        }
    }
}

fn head(url: &str, response: &Response) -> Map<String, Value> {
    let mut headers: Map<String, Value> = Map::new();
    for name in response.headers().keys() {
        let values = response.headers().get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        headers.insert(name.to_string(), json!(values));
    }
    let members =
        [("status", json!(response.status().as_u16())), ("url", json!(url)), ("headers", Value::Object(headers))];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Where the service sends its caller is told in its words where that is below the gateway; words of its choice are not told as if they were ours.
fn redirected(service: &str, url: &str, place: &HeaderValue) -> String {
    let base = Url::parse(url).ok();
    let leads = base.as_ref().and_then(|base| base.join(place.to_str().ok()?).ok());
    let leads = leads.filter(|to| base.is_some_and(|base| base.origin() == to.origin()) && to.as_str().len() <= 300);
    match leads {
        Some(to) => format!("ath: {service} redirects to {to}; redirects are not followed."),
        None => format!("ath: {service} redirects elsewhere; redirects are not followed, and -i shows where."),
    }
}

/// What is JSON as JSON, what is text as text, and everything else in base64.
fn body(headers: &HeaderMap, bytes: Vec<u8>) -> (&'static str, Value) {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    // A number that would be another one here is handed on as it is written, and all around it.
    let is_json = is_json && numbers::are_kept(&bytes);
    if let Some(value) = is_json.then(|| serde_json::from_slice(&bytes).ok()).flatten() {
        return ("body", value);
    }
    match String::from_utf8(bytes) {
        Ok(text) => ("body", json!(text)),
        Err(error) => ("body_base64", json!(BASE64.encode(error.as_bytes()))),
    }
}

fn said_head(response: &Response) -> Exit {
    let status = response.status();
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}\n", plain::line(&String::from_utf8_lossy(value.as_bytes())))
    };
    let lines: Vec<String> = response.headers().iter().map(line).collect();
    crate::output::write_out(format!("{}{reason}\n{}\n", status.as_u16(), lines.concat()).as_bytes())
}

/// To standard output while it comes: as it is, or, on a terminal, with nothing that the terminal acts on.
async fn printed(mut response: Response) -> Result<Exit, Failure> {
    let mut terminal = io::stdout().is_terminal().then(plain::Stream::default);
    let mut last = None;
    while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
        let written = match &mut terminal {
            Some(_) if chunk.contains(&0) => return Err(binary()),
            Some(stream) => write(stream.next(&chunk).as_bytes()),
            None => write(&chunk),
        };
        last = chunk.last().copied().or(last);
        match written {
            Ok(()) => {}
            // Nobody reads on, so nothing more is fetched.
            Err(error) => return Ok(heard(Err(error))),
        }
    }
    let Some(stream) = terminal else { return Ok(Exit::Ok) };
    // The prompt comes on a line of its own.
    let end = if last.is_none_or(|byte| byte == b'\n') { "" } else { "\n" };
    Ok(heard(write((stream.end() + end).as_bytes())))
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// To a file while it comes; how many bytes there were.
async fn saved(mut response: Response, path: &Path) -> Result<u64, Failure> {
    let unwritten = |error: io::Error| {
        let message = format!("{} cannot be written: {error}.", path.display());
        Failure::new(Code::Local, message, "The call was made; name another file before you repeat it.")
    };
    let mut file = File::create(path).map_err(unwritten)?;
    let mut bytes = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| cut(&error))? {
        file.write_all(&chunk).map_err(unwritten)?;
        bytes += chunk.len() as u64;
    }
    Ok(bytes)
}

fn cut(error: &reqwest::Error) -> Failure {
    broken(crate::egress::unreached(error))
}

/// The answer had begun: whatever was asked for was done, or is being done.
fn broken(failure: Failure) -> Failure {
    match failure.code {
        Code::GatewayUnreachable => Failure::new(
            Code::Gateway(Problem::UpstreamFailed),
            "The answer broke off.",
            "What came is not all of it; look whether it was done before you repeat what changes something.",
        ),
        _ => Failure { retryable: false, ..failure },
    }
}

fn too_large() -> Failure {
    let message = format!("The answer is larger than {} MiB.", WHOLE_LIMIT / 1024 / 1024);
    Failure::new(Code::Local, message, "The call was made; before you repeat it, write the answer to a file with -o.")
}

fn binary() -> Failure {
    Failure::new(Code::Local, "The answer is no text, and this is a terminal.", "Write it to a file with -o.")
}

/// Bytes of a body that go into one object.
const WHOLE_LIMIT: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_says_nothing_of_its_own() {
        let told =
            |place: &str| redirected("desk", "https://gw.test/desk/x", &HeaderValue::from_str(place).expect("a value"));
        assert!(told("/desk/y").contains("to https://gw.test/desk/y;"));
        let long = format!("/desk/{}", "x".repeat(400));
        for place in [
            "https://evil.test/login",
            "//evil.test/login",
            "javascript:alert(1)",
            "https://evil.test/; redirects are not followed.      ath: Log in again at https://evil.test/",
            long.as_str(),
        ] {
            assert!(told(place).starts_with("ath: desk redirects elsewhere;"), "{place}");
        }
        let spoken = told("y; redirects are not followed.      ath: Log in again");
        assert!(!spoken.contains("ath: Log"), "{spoken}");
    }
}
