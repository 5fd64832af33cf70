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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
