use protocol::Problem;

use crate::Exit;

/// Why a command came to nothing: the codes of the gateway's refusals, and those that there are on this side of it. The list is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The gateway refused.
    Gateway(Problem),
    /// The command line is not one that is understood.
    Usage,
    /// The service answered with a status of 400 or more, and `--fail` was asked for.
    ServiceError,
    /// The gateway cannot be reached, or is none.
    GatewayUnreachable,
    /// The person refused.
    AccessDenied,
    /// What was waited for did not happen in time.
    TimedOut,
    /// Ctrl-C, or another signal.
    Interrupted,
    /// A file, the keyring or the terminal could not be used.
    Local,
}

impl Code {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway(problem) => problem.as_str(),
            Self::Usage => "usage",
            Self::ServiceError => "service_error",
            Self::GatewayUnreachable => "gateway_unreachable",
            Self::AccessDenied => "access_denied",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
            Self::Local => "local",
        }
    }

    /// All of them, in the order in which documentation lists them.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = [
            Self::Usage,
            Self::ServiceError,
            Self::GatewayUnreachable,
            Self::AccessDenied,
            Self::TimedOut,
            Self::Interrupted,
            Self::Local,
        ];
        Problem::ALL.into_iter().map(Self::Gateway).chain(own)
    }

    /// How the command ends.
    #[must_use]
    pub const fn exit(self) -> Exit {
        match self {
            Self::Gateway(Problem::LoginRequired) => Exit::Login,
            Self::Gateway(Problem::ConnectRequired | Problem::InsufficientScope) => Exit::Connect,
            Self::Gateway(
                Problem::OperationNotAllowed
                | Problem::WrongService
                | Problem::WrongAgent
                | Problem::AgentUnapproved
                | Problem::ServiceSuspended,
            )
            | Self::AccessDenied => Exit::Denied,
            Self::Gateway(Problem::NotFound | Problem::BadRequest | Problem::AmbiguousRequest) | Self::Usage => {
                Exit::Usage
            }
            Self::Gateway(
                Problem::RateLimited
                | Problem::UpstreamUnreachable
                | Problem::UpstreamTimeout
                | Problem::UpstreamFailed
                | Problem::CredentialEchoed,
            )
            | Self::ServiceError => Exit::Upstream,
            Self::Gateway(Problem::Unavailable) | Self::GatewayUnreachable => Exit::Network,
            Self::TimedOut => Exit::TimedOut,
            Self::Interrupted => Exit::Interrupted,
            Self::Gateway(Problem::InternalError) | Self::Local => Exit::Other,
        }
    }
}

/// A command that came to nothing, as its reader is told: what is wrong, and what to do.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which kind.
    pub code: Code,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do, in one sentence.
    pub hint: String,
    /// The link for the person, where only they can go on.
    pub connect_url: Option<String>,
    /// Whether the same command may succeed later without anybody having done anything.
    pub retryable: bool,
    /// The request's name in the gateway's logs.
    pub request_id: Option<String>,
}

impl Failure {
    /// One that concerns no request.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let (message, hint) = (message.into(), hint.into());
        Self { code, message, hint, connect_url: None, retryable: false, request_id: None }
    }

    /// Where the person has to act, and the gateway gave no link that leads to it, nobody can: then the gateway is at fault.
    pub(crate) fn or_at_fault(self) -> Self {
        if self.code != Code::Gateway(Problem::ConnectRequired) || self.connect_url.is_some() {
            return self;
        }
        let hint =
            "The person has to act, and there is no link of the gateway's for them; tell its operator.".to_owned();
        Self { code: Code::Gateway(Problem::InternalError), hint, ..self }
    }

    /// With the link for the person.
    #[must_use]
    pub fn with_link(self, link: impl Into<String>) -> Self {
        Self { connect_url: Some(link.into()), ..self }
    }
}
