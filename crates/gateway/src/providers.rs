//! What the gateway knows of providers, for operators who write a configuration: the catalogue, one preset or provider, the file's schema.

mod text;

use std::path::Path;
use std::process::ExitCode;

use catalogue::{CatalogueError, Preset};
use serde_json::{Value, json};

use crate::config::{self, Config, Environment, Setting};
use crate::operate::OutputForm;
use crate::output::{out, out_line};

/// Every preset, a line for each.
pub(crate) fn list(form: OutputForm) -> ExitCode {
    let presets = match catalogue::names().map(catalogue::find).collect::<Result<Vec<_>, _>>() {
        Ok(presets) => presets,
        Err(error) => return failed(&error.to_string()),
    };
    match form {
        OutputForm::Json => out_line!("{}", Value::Array(presets.iter().map(text::json).collect())),
        OutputForm::Text => out!("{}", text::list(&presets)),
    }
    ExitCode::SUCCESS
}

/// One preset, or one provider of the configuration; exit 1 where there is neither.
pub(crate) fn show(config: &Path, name: &str, form: OutputForm, environment: &dyn Environment) -> ExitCode {
    let shown = match Shown::find(config, name, environment) {
        Ok(shown) => shown,
        Err(problem) => return failed(&problem),
    };
    match form {
        OutputForm::Json => out_line!("{}", shown.json()),
        OutputForm::Text => out!("{}", text::shown(&shown)),
    }
    ExitCode::SUCCESS
}

/// What every key of the configuration is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeysAs {
    /// A JSON Schema.
    Schema,
    /// docs/configuration.md.
    Page,
}

/// Every key of the configuration.
pub(crate) fn keys(form: KeysAs) -> ExitCode {
    match form {
        KeysAs::Schema => out_line!("{:#}", config::schema()),
        KeysAs::Page => out!("{}", config::reference()),
    }
    ExitCode::SUCCESS
}

/// What is shown of one.
struct Shown {
    name: String,
    preset: Option<Preset>,
    /// Of the configured provider; of the preset where there is none.
    settings: Vec<Setting>,
    configured: bool,
    /// Where it is configured.
    file: String,
    /// Where the configuration can be read.
    redirect_uri: Option<String>,
}

impl Shown {
    fn find(path: &Path, name: &str, environment: &dyn Environment) -> Result<Self, String> {
        let file = path.display().to_string();
        let config = Config::load(path, environment).ok().map(|(config, _)| config);
        let shared = config.as_ref().map(|config| broker::Urls::new(&config.gateway.public_url).callback());
        let provider = config.as_ref().and_then(|config| config.providers.iter().find(|one| one.id.as_str() == name));
        if let Some(settings) = Config::effective(path, name, environment).ok().flatten() {
            let named = settings.iter().find(|setting| setting.key == "preset");
            let preset = named.and_then(|setting| catalogue::find(setting.value.trim_matches('"')).ok());
            let own = provider.and_then(|provider| provider.redirect_uri().map(str::to_owned));
            return Ok(Self { name: name.to_owned(), preset, settings, configured: true, file, redirect_uri: own });
        }
        let preset = catalogue::find(name).map_err(|error| match error {
            CatalogueError::Unknown => neither(path, name, environment),
            broken @ CatalogueError::Broken { .. } => broken.to_string(),
        })?;
        let settings = config::of_preset(&preset);
        let own = settings.iter().any(|setting| setting.key == "oauth.callback" && setting.value == "\"own\"");
        let shared = shared.map(|shared| if own { format!("{shared}/{name}") } else { shared });
        Ok(Self {
            name: name.to_owned(),
            preset: Some(preset),
            settings,
            configured: false,
            file,
            redirect_uri: shared,
        })
    }

    fn json(&self) -> Value {
        let setting = |setting: &Setting| {
            let from = if setting.from_preset { "preset" } else { "file" };
            json!({"key": setting.key, "value": setting.value, "from": from})
        };
        json!({
            "name": self.name,
            "configured": self.configured,
            "preset": self.preset.as_ref().map(text::json),
            "settings": self.settings.iter().map(setting).collect::<Vec<_>>(),
            "redirect_uri": self.redirect_uri,
            "lines": self.preset.as_ref().filter(|_| !self.configured).map(text::lines),
        })
    }
}

/// Why nothing of that name was found, in the configuration too.
fn neither(path: &Path, name: &str, environment: &dyn Environment) -> String {
    let file = path.display();
    let why = match Config::load(path, environment) {
        Ok(_) => String::new(),
        Err(_) if environment.read_up_to(path, config::MAX_CONFIGURATION).is_err() => {
            ", which does not exist or cannot be read (--config names another)".to_owned()
        }
        Err(problems) => {
            let first = problems.to_string().lines().next().unwrap_or_default().to_owned();
            format!(", which has a problem ({first})")
        }
    };
    let remedy = match config::meant(name) {
        Some(meant) => format!("did you mean the preset {meant}?"),
        None => "`ath-gateway providers list` has the presets".to_owned(),
    };
    format!("neither a preset nor a provider of {file}{why}; {remedy}")
}

fn failed(problem: &str) -> ExitCode {
    eprintln!("{problem}");
    ExitCode::FAILURE
}
