use http::StatusCode;
use protocol::{ErrorCode, Problem};

/// One row of the table: what a client is told of a refusal.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// At whichever entrance.
    pub status: StatusCode,
    /// ATH's code, at `/ath/proxy`.
    pub code: ErrorCode,
    /// The code at a provider's own path or host.
    pub problem: Problem,
    /// The finer reason, one of a closed list.
    pub reason: &'static str,
    /// What is wrong.
    pub message: &'static str,
    /// What to do.
    pub hint: &'static str,
    /// What to do for who comes by a provider's own path or host, and knows nothing of ATH; where that is something else.
    pub(crate) plain_hint: Option<&'static str>,
}

impl Row {
    /// A row with the status that ATH binds to its code.
    pub(super) fn new(
        (problem, code): (Problem, ErrorCode),
        reason: &'static str,
        message: &'static str,
        hint: &'static str,
    ) -> Self {
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, problem, reason, message, hint, plain_hint: None }
    }

    /// A row whose request is at fault, which ATH has no code for.
    pub(super) fn request(
        problem: Problem,
        status: StatusCode,
        reason: &'static str,
        message: &'static str,
        hint: &'static str,
    ) -> Self {
        Self { status, ..Self::new((problem, ErrorCode::ScopeNotApproved), reason, message, hint) }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// With something else to do at a provider's own path or host.
    pub(super) fn plainly(self, hint: &'static str) -> Self {
        Self { plain_hint: Some(hint), ..self }
    }

    pub(super) fn unrecorded() -> Self {
        Self::new(
            (Problem::Unavailable, ErrorCode::InternalError),
            "audit_unavailable",
            "The gateway cannot record what it does, so it does nothing.",
            "Try again after Retry-After.",
        )
        .with_status(StatusCode::SERVICE_UNAVAILABLE)
    }

    /// What to do at a provider's own path or host.
    #[must_use]
    pub fn plain_hint(&self) -> &'static str {
        self.plain_hint.unwrap_or(self.hint)
    }
}
