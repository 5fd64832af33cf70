//! The table as a list, for documentation.

use std::collections::HashSet;
use std::io;

use ::audit::AuditError;
use ::broker::BrokerError;
use policy::PathError;
use protocol::{Scope, ScopeSet, each};

use super::{ProxyError, Row, row};
use crate::gate::GateError;
use crate::reading::ContentError;
use crate::websocket::HandshakeError;

impl ProxyError {
    /// Every row of the table, once.
    #[must_use]
    pub fn rows() -> Vec<Row> {
        let mut told = HashSet::new();
        let rows = Self::each().into_iter().map(|error| row(&error));
        rows.filter(|row| told.insert((row.status, row.problem, row.reason, row.message))).collect()
    }
}

each!(ProxyError {
    Gate(_) => GateError::each().into_iter().map(Gate),
    TokenMissing => [TokenMissing],
    AgentMismatch => [AgentMismatch],
    AgentMissing => [AgentMissing],
    ProviderMismatch => [ProviderMismatch],
    Audience => [Audience],
    ForeignOrigin => [ForeignOrigin],
    NoDocument => [NoDocument],
    Path(_) => PathError::each().into_iter().map(Path),
    QueryParameter => [QueryParameter],
    CredentialParameter => [CredentialParameter],
    Handshake(_) => HandshakeError::each().into_iter().map(Handshake),
    NotSwitched => [NotSwitched],
    Denied { .. } => denied().map(|wanted| Denied { wanted }),
    Content(_) => ContentError::each().into_iter().map(Content),
    ContentDenied { .. } => denied().map(|wanted| ContentDenied { wanted }),
    Broker(_) => BrokerError::each().into_iter().map(ProxyError::from),
    Audit(_) => [Audit(AuditError::Dead)],
    Slow => [Slow],
    Crowded => [Crowded],
    Sockets => [Sockets],
    Full => [Full],
    Memory => [Memory],
    Unreachable(_) => [Unreachable(Box::new(refused()))],
    Timeout => [Timeout],
    Malformed(_) => [Malformed(Box::new(refused()))],
    // Its cause is made by the HTTP library alone; it is told as `Unreachable` is.
    Untouched(_) => [],
    Switched => [Switched],
    Framing => [Framing],
    Encoded => [Encoded],
    SessionUnknown => [SessionUnknown],
    UpstreamRefused => [UpstreamRefused],
    UpstreamRedirects => [UpstreamRedirects],
    Echoed => [Echoed],
});

each!(GateError {
    Method => [Method],
    TargetForm => [TargetForm],
    TargetTooLong => [TargetTooLong],
    Host => [Host],
    Misdirected => [Misdirected],
    Framing => [Framing],
    Authorization => [Authorization],
    HeaderName => [HeaderName],
    Connection => [Connection],
    Expect => [Expect],
    Syntax => [Syntax],
    Early => [Early],
    HeadersTooLarge => [HeadersTooLarge],
    ClientAddress => [ClientAddress],
    ClientAddresses => [ClientAddresses],
});

each!(HandshakeError {
    Refused => [Refused],
    Form => [Form],
    Version => [Version],
    Credential => [Credential],
});

each!(ContentError {
    Type => [Type],
    Encoded => [Encoded],
    Query => [Query],
    TooLong => [TooLong],
    Unreadable(_) => policy::Unreadable::each().into_iter().map(Unreadable),
});

fn denied() -> [ScopeSet; 2] {
    let some: ScopeSet = Scope::parse("read:tickets").into_iter().collect();
    [some, ScopeSet::default()]
}

fn refused() -> io::Error {
    io::ErrorKind::ConnectionRefused.into()
}

#[cfg(test)]
mod tests {
    use protocol::Problem;

    use super::*;

    #[test]
    fn a_row_and_its_code_say_the_same_kind_of_thing() {
        for row in ProxyError::rows() {
            let (status, problem) = (row.status.as_u16(), row.problem);
            assert_eq!(status / 100, problem.status() / 100, "{} {problem:?}", row.reason);
            let exact = matches!(status, 401 | 403 | 404 | 429 | 503 | 504);
            assert!(!exact || status == problem.status(), "{} {problem:?}", row.reason);
        }
    }

    #[test]
    fn every_code_is_told_for_some_reason() {
        let told: HashSet<Problem> = ProxyError::rows().iter().map(|row| row.problem).collect();
        for problem in Problem::ALL {
            assert!(told.contains(&problem), "{problem:?}");
        }
    }
}
