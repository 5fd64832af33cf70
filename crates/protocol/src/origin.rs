use std::net::IpAddr;

use crate::trace::TraceContext;

/// A request's name in logs, records and answers: sixteen hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// The name that a number has.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let mut digits = [0; 16];
        for (place, digit) in (0..).zip(digits.iter_mut().rev()) {
            let nibble = (number >> (4 * place) & 0xf) as u8;
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble };
        }
        Self(digits)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a piece of work comes from: one request, by its name in logs and answers, the address that sent it, and the step of a trace that
/// it is part of, where traces are written down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    request_id: Option<RequestId>,
    address: Option<IpAddr>,
    trace: Option<TraceContext>,
}

impl Origin {
    /// A request named `request_id`, from `address`.
    #[must_use]
    pub fn new(request_id: RequestId, address: IpAddr) -> Self {
        Self { request_id: Some(request_id), address: Some(address.to_canonical()), trace: None }
    }

    /// The same, as part of this step.
    #[must_use]
    pub fn within(self, step: TraceContext) -> Self {
        Self { trace: Some(step), ..self }
    }

    /// The step of a trace that it is part of.
    #[must_use]
    pub fn trace(&self) -> Option<&TraceContext> {
        self.trace.as_ref()
    }

    /// The same where it is to be kept.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.request_id
    }

    /// The request's name; `None` for the gateway's own work.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_ref().map(RequestId::as_str)
    }

    /// Who sent it; `None` for the gateway's own work.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_named_by_sixteen_digits() {
        assert_eq!(RequestId::new(0x0123_4567_89ab_cdef).as_str(), "0123456789abcdef");
        assert_eq!(RequestId::new(0).as_str(), "0000000000000000");
        assert_eq!(RequestId::new(u64::MAX).to_string(), "ffffffffffffffff");
    }
}
