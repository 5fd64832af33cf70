//! What was settled before the command: folders, the gateway, where secrets are kept.

use std::path::{Path, PathBuf};

use secret::AccessToken;
use serde::Deserialize;

use crate::gateway_url::GatewayUrl;
use crate::machine::Environment;
use crate::{Code, Failure};

/// What was settled before the command.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Of the command line or `ATH_GATEWAY_URL`, else of `config.toml`.
    pub(crate) gateway: Option<GatewayUrl>,
    /// `ATH_TOKEN`: an access token for every service, which stands in for a login.
    pub(crate) token: Option<AccessToken>,
    /// Where secrets are kept: `ATH_CREDENTIALS`.
    pub(crate) keeping: Keeping,
    /// `$XDG_STATE_HOME/ath`.
    pub(crate) state: PathBuf,
    /// An agent's identity, by the path of its folder.
    pub(crate) identity: Option<PathBuf>,
}

/// Where secrets are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// In the keyring where there is one, else in a file.
    Best,
    /// In the keyring, or nowhere.
    Keyring,
    /// In a file.
    File,
}

/// `config.toml`. What it does not know is refused, so that nobody waits for a misspelt key to do something.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    gateway: Option<String>,
    identity: Option<PathBuf>,
}

impl Settings {
    /// Reads the environment and `config.toml`; `gateway` is the command line's.
    pub(crate) fn read(environment: &dyn Environment, gateway: Option<&url::Url>) -> Result<Self, Failure> {
        let config = folder(environment, "XDG_CONFIG_HOME", ".config")?;
        let written = written(&config.join("config.toml"))?;
        let gateway = match (gateway, &written.gateway) {
            (Some(url), _) => Some(GatewayUrl::of(url)?),
            (None, Some(text)) => Some(GatewayUrl::parse(text)?),
            (None, None) => None,
        };
        Ok(Self {
            gateway,
            token: environment.variable("ATH_TOKEN").map(AccessToken::new),
            keeping: keeping(environment)?,
            identity: written.identity.map(|path| config.join(path)),
            state: folder(environment, "XDG_STATE_HOME", ".local/state")?,
        })
    }

    /// Where an agent's identity is that nobody put elsewhere.
    pub(crate) fn own_identity(&self) -> PathBuf {
        self.state.join("agent")
    }
}

fn keeping(environment: &dyn Environment) -> Result<Keeping, Failure> {
    match environment.variable("ATH_CREDENTIALS").as_deref() {
        None => Ok(Keeping::Best),
        Some("keyring") => Ok(Keeping::Keyring),
        Some("file") => Ok(Keeping::File),
        Some(_) => Err(Failure::new(
            Code::Usage,
            "ATH_CREDENTIALS is neither keyring nor file.",
            "Set it to one of them, or unset it.",
        )),
    }
}

/// The XDG Base Directory Specification has it that a path that is not absolute is ignored.
fn folder(environment: &dyn Environment, variable: &str, usual: &str) -> Result<PathBuf, Failure> {
    let absolute = |name: &str| environment.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute(variable).or_else(|| Some(absolute("HOME")?.join(usual)));
    folder.map(|folder| folder.join("ath")).ok_or_else(|| {
        let message = format!("Neither {variable} nor HOME says where files are kept.");
        Failure::new(Code::Local, message, "Set HOME to a folder of yours.")
    })
}

fn written(path: &Path) -> Result<Written, Failure> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Written::default()),
        read => read.map_err(|error| {
            let message = format!("{} cannot be read: {error}.", path.display());
            Failure::new(Code::Local, message, "Make it a text file that you may read, or remove it.")
        })?,
    };
    toml::from_str(&text).map_err(|error| {
        let message = format!("{} is not understood: {}.", path.display(), error.message());
        Failure::new(Code::Usage, message, "Its keys are gateway, a URL, and identity, a folder.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::acting::machine;

    fn read<const N: usize>(variables: [(&'static str, &str); N]) -> Result<Settings, Failure> {
        Settings::read(&*machine(variables).environment, None)
    }

    #[test]
    fn folders_are_those_of_xdg() {
        let state = |variables: &[(&'static str, &str)]| {
            let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
            let environment: std::collections::HashMap<&'static str, String> = variables.collect();
            folder(&environment, "XDG_STATE_HOME", ".local/state")
        };
        let home = ("HOME", "/home/ada");
        assert_eq!(state(&[home]).expect("a folder"), Path::new("/home/ada/.local/state/ath"));
        assert_eq!(state(&[home, ("XDG_STATE_HOME", "/s")]).expect("a folder"), Path::new("/s/ath"));
        let relative = state(&[home, ("XDG_STATE_HOME", "relative")]).expect("a folder");
        assert_eq!(relative, Path::new("/home/ada/.local/state/ath"), "what is not absolute is ignored");
        for nowhere in [[].as_slice(), &[("HOME", "")], &[("HOME", "relative")]] {
            assert_eq!(state(nowhere).expect_err("nowhere").code, Code::Local);
        }
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let home = tempfile::TempDir::new().expect("a folder");
        let text = home.path().display().to_string();
        std::fs::create_dir_all(home.path().join(".config/ath")).expect("a folder");
        let file = home.path().join(".config/ath/config.toml");
        std::fs::write(&file, "gateway = \"https://one.test\"\n").expect("written");
        let environment = machine([("HOME", &text)]).environment;
        let url = |settings: Settings| settings.gateway.map(|gateway| gateway.to_string());
        assert_eq!(url(Settings::read(&*environment, None).expect("settings")).as_deref(), Some("https://one.test"));
        let two = url::Url::parse("https://two.test").expect("a URL");
        let settings = Settings::read(&*environment, Some(&two)).expect("settings");
        assert_eq!(url(settings).as_deref(), Some("https://two.test"));
        for wrong in ["gatway = \"https://one.test\"", "gateway = 1", "gateway = \"http://one.test\"", "{"] {
            std::fs::write(&file, wrong).expect("written");
            assert_eq!(Settings::read(&*environment, None).expect_err(wrong).code, Code::Usage, "{wrong}");
        }
    }

    #[test]
    fn a_place_for_secrets_is_one_of_two() {
        let home = ("HOME", "/nowhere");
        assert_eq!(read([home]).expect("settings").keeping, Keeping::Best);
        assert_eq!(read([home, ("ATH_CREDENTIALS", "")]).expect("settings").keeping, Keeping::Best);
        assert_eq!(read([home, ("ATH_CREDENTIALS", "file")]).expect("settings").keeping, Keeping::File);
        assert_eq!(read([home, ("ATH_CREDENTIALS", "keyring")]).expect("settings").keeping, Keeping::Keyring);
        assert_eq!(read([home, ("ATH_CREDENTIALS", "vault")]).expect_err("unknown").code, Code::Usage);
    }
}
