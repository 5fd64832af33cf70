use http::Method;

/// Methods that are forwarded, one bit for each. CONNECT and TRACE are not among them: one is a tunnel, the other echoes credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Methods(u8);

impl Methods {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const POST: Self = Self(POST);
    pub(crate) const GET_AND_DELETE: Self = Self(GET | DELETE);

    /// Of a rule: a name, or `*` for all. GET covers HEAD.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "*" => Some(Self(ALL)),
            "GET" => Some(Self(GET | HEAD)),
            _ => Method::from_bytes(text.as_bytes())
                .ok()
                .map(|method| Self::of(&method))
                .filter(|one| *one != Self::NONE),
        }
    }

    /// Of a request; none for one that is never forwarded.
    pub(crate) fn of(method: &Method) -> Self {
        Self(match *method {
            Method::GET => GET,
            Method::HEAD => HEAD,
            Method::POST => POST,
            Method::PUT => PUT,
            Method::PATCH => PATCH,
            Method::DELETE => DELETE,
            Method::OPTIONS => OPTIONS,
            _ => 0,
        })
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn share(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

const GET: u8 = 1;
const HEAD: u8 = 1 << 1;
const POST: u8 = 1 << 2;
const PUT: u8 = 1 << 3;
const PATCH: u8 = 1 << 4;
const DELETE: u8 = 1 << 5;
const OPTIONS: u8 = 1 << 6;
const ALL: u8 = GET | HEAD | POST | PUT | PATCH | DELETE | OPTIONS;
