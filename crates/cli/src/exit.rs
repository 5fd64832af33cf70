use std::process::ExitCode;

/// How a command ended, for scripts and agents. 3 and 4 want a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked for.
    Ok = 0,
    /// Something else went wrong.
    Other = 1,
    /// The command line is not one that is understood.
    Usage = 2,
    /// Somebody has to log in.
    Login = 3,
    /// Somebody has to connect a service, or to allow more of it.
    Connect = 4,
    /// The service refused or failed.
    Upstream = 5,
    /// The gateway cannot be reached.
    Network = 6,
    /// A person, a policy or an operator said no.
    Denied = 7,
    /// What was waited for did not happen in time.
    TimedOut = 8,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// All of them, in the order of their numbers.
    #[must_use]
    pub const fn all() -> [Self; 10] {
        [
            Self::Ok,
            Self::Other,
            Self::Usage,
            Self::Login,
            Self::Connect,
            Self::Upstream,
            Self::Network,
            Self::Denied,
            Self::TimedOut,
            Self::Interrupted,
        ]
    }

    /// As a shell sees it.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What it means, for the manual.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::Ok => "It did what it was asked for.",
            Self::Other => "Something else went wrong, on this machine or in the gateway.",
            Self::Usage => "The command line, or the request that it makes, is not one that is understood.",
            Self::Login => "Somebody has to log in.",
            Self::Connect => "Somebody has to connect a service, or to allow more of it; the error has the link.",
            Self::Upstream => "The service refused or failed.",
            Self::Network => "The gateway cannot be reached.",
            Self::Denied => "A person, a policy or an operator said no.",
            Self::TimedOut => "What was waited for did not happen in time.",
            Self::Interrupted => "Ctrl-C.",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
