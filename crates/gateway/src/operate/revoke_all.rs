//! `connections revoke --provider`: asks whether that is meant, ends everything, and reports until the provider has been told.

use std::fmt::Write as _;
use std::io::{IsTerminal, stdin};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use http::Method;
use serde_json::{Value, json};

use super::{Door, OutputForm, PATIENCE, printable, segment, word};
use crate::config::{Config, SystemEnvironment};
use crate::output::{out, out_line};

/// Which connections end.
pub(crate) struct AllOf {
    /// Those at this provider.
    pub(crate) provider: String,
    /// Of this person; of everybody where nobody is named.
    pub(crate) user: Option<String>,
    /// Whether nobody has to be asked.
    pub(crate) confirmed: bool,
    /// How long the report waits for the provider.
    pub(crate) wait: Duration,
}

/// Ends them. The report on standard output; exit 1 where nothing was done, with the reason on standard error.
pub(crate) fn revoke_all(config: &Path, what: &AllOf, form: OutputForm) -> ExitCode {
    if !what.confirmed && stdin().is_terminal() && !is_meant(what) {
        eprintln!("nothing was done");
        return ExitCode::FAILURE;
    }
    match carried_out(config, what) {
        Ok(report) => {
            match form {
                OutputForm::Json => out_line!("{report}"),
                OutputForm::Text => out!("{}", text(&report)),
            }
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn is_meant(what: &AllOf) -> bool {
    let whose = what.user.as_ref().map_or_else(|| "everybody".to_owned(), |user| printable(user));
    eprint!(
        "This ends every connection of {whose} at {}, for good: they have to connect again. Go on? [y/N] ",
        printable(&what.provider)
    );
    let mut answer = String::new();
    stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn carried_out(config: &Path, what: &AllOf) -> Result<Value, String> {
    let (config, _) = Config::load(config, &SystemEnvironment).map_err(|problems| problems.to_string())?;
    let door = Door::find(&config)?;
    let path = format!("/admin/providers/{}", segment(&what.provider));
    let body = json!({"user_id": what.user});
    let mut report = door.ask(&Method::POST, &format!("{path}/revoke"), Some(&body), PATIENCE)?;
    let whose = what.user.as_ref().map(|user| format!("?user_id={}", segment(user))).unwrap_or_default();
    let further = format!("{path}/revoked{whose}");
    let deadline = Instant::now() + what.wait;
    let mut pause = LOOK_AGAIN;
    while !is_over(&report) && Instant::now() < deadline {
        std::thread::sleep(pause);
        // Each look counts all that is queued.
        pause = (pause * 2).min(LONGEST_PAUSE);
        // A report that cannot be followed stays as it was: what had to be done at once is done.
        if let (Ok(Value::Object(news)), Value::Object(report)) =
            (door.ask(&Method::GET, &further, None, PATIENCE), &mut report)
        {
            report.extend(news);
        }
    }
    Ok(report)
}

fn is_over(report: &Value) -> bool {
    let cleared = report.get("cleared").and_then(Value::as_bool).unwrap_or_default();
    cleared && number(report, "/revocations/waiting") == 0 && number(report, "/revocations/failing") == 0
}

fn number(report: &Value, pointer: &str) -> u64 {
    report.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
}

pub(super) fn text(report: &Value) -> String {
    let provider = word(report, "provider_id");
    let (connections, grants) = (number(report, "/connections"), number(report, "/grants"));
    let mut text = format!(
        "ended at {provider}, on every gateway: {connections} connections, {grants} grants ({})\n",
        word(report, "ended")
    );
    let mut line = |words: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{words}");
    };
    let cleared = report.get("cleared").and_then(Value::as_bool).unwrap_or_default();
    if !cleared {
        line("still being counted and deleted; nothing of it is forwarded any more".to_owned());
    }
    if report.get("revocable").and_then(Value::as_bool).unwrap_or_default() {
        let [done, waiting, failing, refused] =
            ["done", "waiting", "failing", "refused"].map(|name| number(report, &format!("/revocations/{name}")));
        line(format!(
            "{provider} was told to revoke: {done} done, {waiting} waiting, {failing} failing and tried again, {refused} refused"
        ));
    } else {
        line(format!("{provider} has no revoke_endpoint in the configuration: it was told nothing"));
    }
    let Some(alive) = report.get("may_live_on").filter(|alive| !alive.is_null()) else {
        if cleared {
            line("no token of these connections is known to be alive there".to_owned());
        }
        return text;
    };
    line(format!(
        "may still be alive at {provider}, for whoever holds a copy: tokens of {} connections",
        number(alive, "/connections")
    ));
    if let Some(until) = alive.get("access_tokens_until").and_then(Value::as_str) {
        line(format!("  access tokens until {} at the latest", printable(until)));
    }
    match number(alive, "/access_tokens_without_end") {
        0 => {}
        endless => line(format!("  {endless} access tokens without an end that {provider} told")),
    }
    match number(alive, "/refresh_tokens") {
        0 => {}
        refresh => line(format!("  {refresh} refresh tokens, until {provider} ends them; it does not say when")),
    }
    text
}

const LOOK_AGAIN: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
