/// What stands between a client and its answer: the closed list of codes that every door but ATH's own tells, in lower case.
///
/// It says what to do. A finer reason goes beside it, and is for whoever looks for a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Problem {
    /// No token, or none that is good.
    LoginRequired,
    /// The person has to sign in at the service again.
    ConnectRequired,
    /// Another scope would allow it.
    InsufficientScope,
    /// No scope would allow it.
    OperationNotAllowed,
    /// The token is for another service.
    WrongService,
    /// The token is another agent's than the request says.
    WrongAgent,
    /// The operator has not approved the agent.
    AgentUnapproved,
    /// There is nothing there.
    NotFound,
    /// The request is not one that is forwarded.
    BadRequest,
    /// The request can be read in more than one way.
    AmbiguousRequest,
    /// Too much in too short a time.
    RateLimited,
    /// No connection to the service.
    UpstreamUnreachable,
    /// No answer from the service in time.
    UpstreamTimeout,
    /// The service, or its OAuth server, failed.
    UpstreamFailed,
    /// The service's answer holds the credential.
    CredentialEchoed,
    /// The operator has stopped everything that goes to the service.
    ServiceSuspended,
    /// The gateway cannot do it now.
    Unavailable,
    /// The gateway is at fault.
    InternalError,
}

/// Whose act it takes before the call can succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The client's alone: it sends something else, or waits.
    Client,
    /// The person's in whose name it calls.
    Person,
    /// The gateway's operator's.
    Operator,
}

impl Problem {
    /// All of them, in the order in which documentation lists them.
    pub const ALL: [Self; 18] = [
        Self::LoginRequired,
        Self::ConnectRequired,
        Self::InsufficientScope,
        Self::OperationNotAllowed,
        Self::WrongService,
        Self::WrongAgent,
        Self::AgentUnapproved,
        Self::NotFound,
        Self::BadRequest,
        Self::AmbiguousRequest,
        Self::RateLimited,
        Self::UpstreamUnreachable,
        Self::UpstreamTimeout,
        Self::UpstreamFailed,
        Self::CredentialEchoed,
        Self::ServiceSuspended,
        Self::Unavailable,
        Self::InternalError,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoginRequired => "login_required",
            Self::ConnectRequired => "connect_required",
            Self::InsufficientScope => "insufficient_scope",
            Self::OperationNotAllowed => "operation_not_allowed",
            Self::WrongService => "wrong_service",
            Self::WrongAgent => "wrong_agent",
            Self::AgentUnapproved => "agent_unapproved",
            Self::NotFound => "not_found",
            Self::BadRequest => "bad_request",
            Self::AmbiguousRequest => "ambiguous_request",
            Self::RateLimited => "rate_limited",
            Self::UpstreamUnreachable => "upstream_unreachable",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamFailed => "upstream_failed",
            Self::CredentialEchoed => "credential_echoed",
            Self::ServiceSuspended => "service_suspended",
            Self::Unavailable => "unavailable",
            Self::InternalError => "internal_error",
        }
    }

    /// The HTTP status that it usually has. A finer reason may have another one of the same hundred.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest | Self::AmbiguousRequest => 400,
            Self::LoginRequired => 401,
            Self::InsufficientScope
            | Self::OperationNotAllowed
            | Self::WrongService
            | Self::WrongAgent
            | Self::AgentUnapproved => 403,
            Self::NotFound => 404,
            Self::RateLimited => 429,
            Self::InternalError => 500,
            Self::ConnectRequired | Self::UpstreamUnreachable | Self::UpstreamFailed | Self::CredentialEchoed => 502,
            Self::ServiceSuspended | Self::Unavailable => 503,
            Self::UpstreamTimeout => 504,
        }
    }

    /// What it is, in a few words that do not change from one occurrence to another (RFC 9457 §3.1.3).
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::LoginRequired => "A token is required",
            Self::ConnectRequired => "The person has to connect the service again",
            Self::InsufficientScope => "The token lacks a scope",
            Self::OperationNotAllowed => "The operation is not offered",
            Self::WrongService => "The token is for another service",
            Self::WrongAgent => "The token is another agent's",
            Self::AgentUnapproved => "The agent is not approved",
            Self::NotFound => "There is nothing here",
            Self::BadRequest => "The request is not one that is forwarded",
            Self::AmbiguousRequest => "The request can be read in more than one way",
            Self::RateLimited => "Too many requests",
            Self::UpstreamUnreachable => "The service cannot be reached",
            Self::UpstreamTimeout => "The service did not answer in time",
            Self::UpstreamFailed => "The service failed",
            Self::CredentialEchoed => "The service's answer was held back",
            Self::ServiceSuspended => "The service is switched off here",
            Self::Unavailable => "The gateway cannot do this now",
            Self::InternalError => "The gateway failed",
        }
    }

    /// What it means, and what to do, as far as that is the same for every reason.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::LoginRequired => {
                "The call carries no token of this gateway, or one that has expired or was revoked. Get one from the authorization server that \
                 WWW-Authenticate leads to; tokens of the service itself are never taken."
            }
            Self::ConnectRequired => {
                "The service no longer takes the grant that the person gave. Hand them the link in connect_url; once they have signed in there, \
                 the same token works again. Do not repeat the call before."
            }
            Self::InsufficientScope => {
                "Another scope than those of the token allows this operation. Ask the person for one of wanted_scopes."
            }
            Self::OperationNotAllowed => {
                "No scope of this gateway allows this operation at this service. Only its operator can change that."
            }
            Self::WrongService => {
                "Each token is for one service. Present the one for this service, or ask the person for it."
            }
            Self::WrongAgent => {
                "X-ATH-Agent-ID names another agent than the one that the token was issued to. Leave the header out, or send the token's own."
            }
            Self::AgentUnapproved => {
                "The gateway's operator has not approved the agent, or no longer. Ask them; a repetition changes nothing."
            }
            Self::NotFound => "The gateway serves nothing at this address.",
            Self::BadRequest => "The request breaks a rule that reason and detail name. Send it as they say.",
            Self::AmbiguousRequest => {
                "Two servers could take the request for two different ones, so nobody is sent it. Send it in the plain form that detail names."
            }
            Self::RateLimited => "More was asked for than the gateway takes. Wait as long as Retry-After says.",
            Self::UpstreamUnreachable => "There is no connection to the service. Try again later.",
            Self::UpstreamTimeout => {
                "The service took the request and did not answer in time. It may have done what it was asked for; look before you repeat what \
                 changes something."
            }
            Self::UpstreamFailed => {
                "The service, or the server that issues its tokens, did not answer as it should. Try again later."
            }
            Self::CredentialEchoed => {
                "The service has done what it was asked for, and its answer holds the credential, so it is not handed on. Do not repeat the \
                 call; tell the gateway's operator."
            }
            Self::ServiceSuspended => {
                "The gateway's operator has stopped everything that goes to this service. Try again later, or ask them."
            }
            Self::Unavailable => "Something that the gateway needs is missing or full. Try again after Retry-After.",
            Self::InternalError => "This is the gateway's fault. Tell its operator the request_id.",
        }
    }

    /// Whether the same call, sent again after a while, may succeed without anybody having done anything.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::RateLimited
                | Self::UpstreamUnreachable
                | Self::UpstreamTimeout
                | Self::UpstreamFailed
                | Self::ServiceSuspended
                | Self::Unavailable
        )
    }

    /// Whose act it takes.
    #[must_use]
    pub const fn act(self) -> Act {
        match self {
            Self::LoginRequired | Self::ConnectRequired | Self::InsufficientScope | Self::WrongService => Act::Person,
            Self::OperationNotAllowed
            | Self::AgentUnapproved
            | Self::CredentialEchoed
            | Self::ServiceSuspended
            | Self::InternalError => Act::Operator,
            Self::WrongAgent
            | Self::NotFound
            | Self::BadRequest
            | Self::AmbiguousRequest
            | Self::RateLimited
            | Self::UpstreamUnreachable
            | Self::UpstreamTimeout
            | Self::UpstreamFailed
            | Self::Unavailable => Act::Client,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_listed_once_and_written_plainly() {
        let written: BTreeSet<&str> = Problem::ALL.into_iter().map(Problem::as_str).collect();
        assert_eq!(written.len(), Problem::ALL.len());
        for (at, problem) in Problem::ALL.into_iter().enumerate() {
            assert_eq!(problem as usize, at, "{problem:?} stands in its place");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(problem.as_str().bytes().all(plain), "{problem:?}");
            assert!(problem.sentence().ends_with('.') && !problem.title().ends_with('.'), "{problem:?}");
        }
    }

    #[test]
    fn only_what_passes_is_repeated() {
        for problem in Problem::ALL.into_iter().filter(|problem| problem.is_retryable()) {
            assert!(problem.status() == 429 || problem.status() > 500, "{problem:?}");
        }
    }
}
