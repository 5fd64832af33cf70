//! The conversation with whoever runs `init`: questions at a terminal, and nowhere else.

use std::io::{self, BufRead, IsTerminal, Write};

use zeroize::Zeroizing;

use super::InitError;

/// Asks, where there is somebody to be asked.
pub(super) struct Talk {
    partner: Partner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Partner {
    /// Somebody at a terminal.
    Person,
    Nobody,
}

/// What is to be known.
pub(super) struct Question<'q> {
    pub(super) asks: &'q str,
    /// The option that answers it.
    pub(super) flag: &'static str,
    /// What the command line says.
    pub(super) given: Option<&'q str>,
    /// What holds where nobody says anything else.
    pub(super) default: Option<&'q str>,
}

impl Talk {
    /// With a person, unless there is none: standard input and standard error are a terminal.
    pub(super) fn with(partner: Partner) -> Self {
        Self { partner }
    }

    pub(super) fn is_with_a_person(&self) -> bool {
        self.partner == Partner::Person
    }

    /// Tells a person something; nobody else reads it.
    pub(super) fn say(&self, text: &str) {
        if self.is_with_a_person() {
            eprintln!("{text}");
        }
    }

    /// What the command line says; else what the person says, until it is right; else the default.
    pub(super) fn settle<T>(
        &self,
        question: &Question<'_>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, InitError> {
        let flag = question.flag;
        if let Some(given) = question.given {
            return parse(given).map_err(|problem| InitError::Flag { flag, problem });
        }
        if self.partner == Partner::Nobody {
            let default = question.default.ok_or_else(|| InitError::Missing(vec![flag.to_owned()]))?;
            return parse(default).map_err(|problem| InitError::Flag { flag, problem });
        }
        loop {
            let answer = line(question.asks, question.default)?;
            let text = if answer.is_empty() { question.default.unwrap_or_default() } else { &answer };
            match parse(text) {
                Ok(value) => return Ok(value),
                Err(problem) => self.say(&format!("  That {problem}.")),
            }
        }
    }

    /// Whether the person agrees, who need only press the enter key; `None` where there is nobody.
    pub(super) fn agreed(&self, asks: &str) -> Result<Option<bool>, InitError> {
        if !self.is_with_a_person() {
            return Ok(None);
        }
        loop {
            match line(asks, Some("y"))?.to_ascii_lowercase().as_str() {
                "" | "y" | "yes" => return Ok(Some(true)),
                "n" | "no" => return Ok(Some(false)),
                _ => self.say("  Answer y or n."),
            }
        }
    }

    /// Something that is not shown while it is typed; `None` where there is nobody.
    pub(super) fn secret(&self, asks: &str) -> Result<Option<Zeroizing<String>>, InitError> {
        if !self.is_with_a_person() {
            return Ok(None);
        }
        let typed = rpassword::prompt_password(format!("{asks}: ")).map_err(InitError::Terminal)?;
        Ok(Some(Zeroizing::new(typed.trim().to_owned())))
    }
}

/// Who is there.
pub(super) fn partner() -> Partner {
    let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
    if terminal { Partner::Person } else { Partner::Nobody }
}

fn line(asks: &str, default: Option<&str>) -> Result<String, InitError> {
    let mut stderr = io::stderr().lock();
    let shown = default.filter(|text| !text.is_empty()).map(|text| format!(" [{text}]")).unwrap_or_default();
    write!(stderr, "{asks}{shown}: ").and_then(|()| stderr.flush()).map_err(InitError::Terminal)?;
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).map_err(InitError::Terminal)?;
    if read == 0 {
        eprintln!();
        return Err(InitError::Left);
    }
    Ok(line.trim().to_owned())
}
