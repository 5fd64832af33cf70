//! The commands about sealing keys: what there is, the move from one to the next, and what to do where one is lost.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use audit::Event;
use http::Method;
use secret::KeyId;
use serde_json::{Value, json};

use super::{Door, OutputForm, printable, word};
use crate::cli::KeysCommand;
use crate::config::{Config, KeyPlace, SystemEnvironment};
use crate::ground;
use crate::output::{out, out_line};

/// Carries one out: what came of it on standard output, or why it did not on standard error and exit 1.
pub(crate) fn run(config: &Path, command: &KeysCommand, form: OutputForm) -> ExitCode {
    let done = match command {
        KeysCommand::Status => status(config, form),
        KeysCommand::Rotate => rotate(config, form),
        KeysCommand::Forget { key, records_are_lost: true } => forget(config, key, form),
        KeysCommand::Forget { .. } => Err(SAY_SO.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn status(config: &Path, form: OutputForm) -> Result<(), String> {
    let door = Door::find(&load(config)?)?;
    let keys = door.ask(&Method::GET, "/admin/keys", None, PATIENCE)?;
    match form {
        OutputForm::Json => out_line!("{keys}"),
        OutputForm::Text => out!("{}", shown(&keys)),
    }
    Ok(())
}

/// Begins or joins, and shows how far it has come until it has ended.
fn rotate(config: &Path, form: OutputForm) -> Result<(), String> {
    let loaded = load(config)?;
    let door = Door::find(&loaded)?;
    let mut rotation = door.ask(&Method::POST, "/admin/keys/rotation", Some(&json!({})), PATIENCE)?;
    while !matches!(word(&rotation, "state").as_str(), "finished" | "failed") {
        if form == OutputForm::Text {
            out_line!("{}", progress(&rotation));
        }
        std::thread::sleep(LOOK_AGAIN);
        rotation = door.ask(&Method::GET, "/admin/keys/rotation", None, PATIENCE)?;
    }
    let keys = door.ask(&Method::GET, "/admin/keys", None, PATIENCE)?;
    match form {
        OutputForm::Json => out_line!("{keys}"),
        OutputForm::Text => out!("{}\n{}", progress(&rotation), shown(&keys)),
    }
    if word(&rotation, "state") == "failed" {
        return Err(
            "records are left under another key; the gateway's log says why, and it goes on by itself".to_owned()
        );
    }
    let still: Vec<String> = texts(&rotation, "still_sealing");
    if !still.is_empty() {
        return Err(format!(
            "{} still seals with an older key: put the new key first in its configuration, then run this again",
            still.join(", ")
        ));
    }
    match &loaded.store.keys {
        KeyPlace::Given(configured) => match configured.first() {
            Some(first) if first.id().to_string() != word(&rotation, "key_id") => Err(format!(
                "the first key of the configuration is {}, and the gateway seals with {}: keys in variables are read when it is started, so \
                 start it again",
                first.id(),
                word(&rotation, "key_id")
            )),
            _ => Ok(()),
        },
        KeyPlace::File(_) => Ok(()),
    }
}

/// Without a running gateway: where a key is lost, none starts.
fn forget(config: &Path, key: &str, form: OutputForm) -> Result<(), String> {
    let id = KeyId::parse(key)
        .ok_or_else(|| "a key id is eight hexadecimal digits, as `keys status` prints it".to_owned())?;
    let loaded = load(config)?;
    if let KeyPlace::Given(keys) = &loaded.store.keys
        && keys.iter().any(|key| key.id() == id)
    {
        return Err(format!("key {id} is among the keys of the configuration: nothing is lost"));
    }
    if let KeyPlace::File(path) = &loaded.store.keys
        && crate::keys::holds(path, id)
    {
        return Err(format!("key {id} is in {}: nothing is lost", path.display()));
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let gone = runtime.block_on(async {
        let store = ground::open_store(&loaded.store, "keys-forget").await.map_err(|error| error.to_string())?;
        let audit = ground::open_audit(&loaded.audit).map_err(|error| error.to_string())?;
        let event = Event::new("key_forgotten").by("operator").reason(id.to_string());
        audit.record(&event).await.map_err(|error| error.to_string())?;
        broker::forget_key(store.as_ref(), id).await.map_err(|error| error.to_string())
    })?;
    match form {
        OutputForm::Json => out_line!("{}", json!({"key_id": id.to_string(), "removed": gone})),
        OutputForm::Text => out_line!("{gone} records under key {id} were removed"),
    }
    Ok(())
}

fn load(config: &Path) -> Result<Config, String> {
    Config::load(config, &SystemEnvironment).map(|(config, _)| config).map_err(|problems| problems.to_string())
}

fn progress(rotation: &Value) -> String {
    let number = |name: &str| rotation.get(name).and_then(Value::as_u64).unwrap_or_default();
    let records = rotation.get("records").and_then(Value::as_object).into_iter().flatten();
    let records: Vec<String> = records.map(|(id, count)| format!("{}: {count}", printable(id))).collect();
    format!(
        "{}: {} of {} records moved to key {}, {} left, {} a second ({})",
        word(rotation, "state"),
        number("done"),
        number("total"),
        word(rotation, "key_id"),
        number("left"),
        number("per_second"),
        records.join(", ")
    )
}

fn shown(keys: &Value) -> String {
    let mut lines = Vec::new();
    let own = word(keys, "owner") == "gateway";
    for key in list(keys, "keys") {
        let records = key.get("records").and_then(Value::as_u64).unwrap_or_default();
        let removable = word(key, "removable_from");
        let said = match word(key, "state").as_str() {
            _ if key.get("seals") == Some(&Value::Bool(true)) => "seals".to_owned(),
            "missing" => "is missing here: records under it cannot be read; add it to [store] keys".to_owned(),
            "leaving" => "opens; records are being moved away from it".to_owned(),
            "empty" if own => format!("opens; is removed by itself after {removable}"),
            "empty" => format!("opens; keep it until {removable}, when this says so"),
            "unused" if own => "opens; nothing is under it".to_owned(),
            "unused" => {
                "opens; nothing is under it: it may be removed from the configuration, unless it is about to seal"
                    .to_owned()
            }
            _ => "opens".to_owned(),
        };
        lines.push(format!("key {}  {records} records  {said}", word(key, "key_id")));
    }
    for gateway in list(keys, "gateways") {
        let this = if gateway.get("this") == Some(&Value::Bool(true)) { " (this one)" } else { "" };
        let (seals, holds) = (texts(gateway, "seals_with").join(" "), texts(gateway, "holds").join(" "));
        lines.push(format!("{}{this}  seals with {seals}, holds {holds}", word(gateway, "name")));
    }
    let unreadable = keys.get("unreadable").and_then(Value::as_u64).unwrap_or_default();
    if unreadable > 0 {
        lines.push(format!("{unreadable} records are of no known form; the gateway's log names them"));
    }
    lines.join("\n") + "\n"
}

fn list<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    list(value, name).filter_map(Value::as_str).map(printable).collect()
}

/// The whole store is read for an answer.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const SAY_SO: &str = "this removes every record under the key for good: tokens, grants, registrations, suspensions; say so with --records-are-lost";
