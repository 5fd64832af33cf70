//! `ath-gateway support-bundle`: what somebody who helps has to know, in one file that can be read before it is sent. It holds no secret, no person's
//! name and no agent's.
//!
//! **Invariant:** of what a gateway has recorded, numbers are told and nothing else; of the configuration, no value that could be a secret.

mod machine;
mod recorded;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use protocol::Clock;
use secret::Unspoken;
use serde_json::{Value, json};

use crate::config::{Config, Environment, Setting, WayConfig};
use crate::output::{out, out_line};
use crate::system::SystemClock;
use crate::{doctor, operate, private_file, telemetry};

/// What is made.
pub(crate) struct Bundle {
    /// Where it is written; `-` is standard output, and a name with the day where it is left out.
    pub(crate) output: Option<PathBuf>,
    pub(crate) asks: Asks,
}

/// Whether the providers are asked as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// As `doctor` asks.
    Everybody,
    /// This machine alone.
    Nobody,
}

impl Asks {
    fn reach(self) -> doctor::Reach {
        match self {
            Self::Everybody => doctor::Reach::Everything,
            Self::Nobody => doctor::Reach::Machine,
        }
    }
}

/// Exit 0 where it is written, whatever is wrong with the gateway; 1 where it is not.
pub(crate) fn run(path: &Path, environment: &dyn Environment, bundle: &Bundle) -> ExitCode {
    let text = redacted(path, environment, &format!("{:#}", made(path, environment, bundle.asks)));
    match bundle.output.as_deref() {
        Some(output) if output.as_os_str() == "-" => out_line!("{text}"),
        output => {
            let output = output.map_or_else(usual, Path::to_path_buf);
            if let Err(error) = private_file::make(&output, &text) {
                eprintln!("{} cannot be written: {error}; name another file with --output", output.display());
                return ExitCode::FAILURE;
            }
            out!(
                "Written: {}\nRead it before you send it: it names hosts and paths of yours, and no secret.\n",
                output.display()
            );
        }
    }
    ExitCode::SUCCESS
}

fn usual() -> PathBuf {
    let now = SystemClock.now().to_rfc3339();
    let day: String = now.chars().filter(char::is_ascii_alphanumeric).take(15).collect();
    PathBuf::from(format!("ath-gateway-support-{day}.json"))
}

fn made(path: &Path, environment: &dyn Environment, asks: Asks) -> Value {
    let loaded = Config::load(path, environment);
    let settings = Config::told(path, environment).unwrap_or_default();
    let (problems, warnings): (Vec<String>, Vec<String>) = match &loaded {
        Ok((_, warnings)) => (Vec::new(), warnings.iter().map(ToString::to_string).collect()),
        Err(problems) => (problems.to_string().lines().map(str::to_owned).collect(), Vec::new()),
    };
    let mut bundle = json!({
        "made": SystemClock.now().to_rfc3339(),
        "version": env!("CARGO_PKG_VERSION"),
        "machine": machine::told(),
        "configuration": {
            "file": path.display().to_string(),
            "problems": problems,
            "warnings": warnings,
            "settings": settings.iter().map(line).collect::<Vec<_>>(),
        },
    });
    if let (Ok((config, _)), Some(members)) = (&loaded, bundle.as_object_mut()) {
        members.insert("doctor".to_owned(), doctor::told(config, &asks.reach()));
        members.insert("running".to_owned(), running(config));
        members.insert("files".to_owned(), machine::files(&config.store.path));
        members.insert("audit".to_owned(), recorded::counted(&config.audit));
    }
    bundle
}

fn line(setting: &Setting) -> String {
    format!("{} = {}", setting.key, setting.value)
}

/// What a gateway that runs says of itself, in numbers.
fn running(config: &Config) -> Value {
    let asked = |path: &str| operate::asked(config, path).unwrap_or_else(|problem| json!({"problem": problem}));
    let status = asked("/readyz");
    if status.get("problem").is_some() {
        return status;
    }
    json!({
        "readyz": status,
        "keys": asked("/admin/keys"),
        "agents": count(&asked("/admin/agents"), &["status"]),
        "connections": count(&asked("/admin/connections"), &["provider_id", "state"]),
        "metrics": operate::page(config, "/metrics").unwrap_or_else(|problem| problem).lines().collect::<Vec<_>>(),
    })
}

/// How many there are of each kind.
fn count(list: &Value, by: &[&str]) -> Value {
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    for one in list.as_array().into_iter().flatten() {
        let words: Vec<&str> = by.iter().filter_map(|name| one.get(*name).and_then(Value::as_str)).collect();
        *counted.entry(words.join(" ")).or_default() += 1;
    }
    json!(counted)
}

/// The last line of defence: nothing above tells a secret, and if something did, its word would not be written.
fn redacted(path: &Path, environment: &dyn Environment, text: &str) -> String {
    let unspoken = Arc::new(Unspoken::default());
    if let Ok((config, _)) = Config::load(path, environment) {
        if let Some(key) = &config.admin.key {
            unspoken.note_for_good(key);
        }
        for provider in &config.providers {
            if let WayConfig::OAuth { settings, .. } = &provider.way {
                let secrets = [&settings.client_secret, &settings.other_client_secret];
                secrets.into_iter().flatten().for_each(|secret| unspoken.note_for_good(secret.expose()));
            }
        }
    }
    telemetry::redacted(text, &unspoken).into_owned()
}
