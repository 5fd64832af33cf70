use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::Lent;
use url::Url;

use crate::error::ProxyError;
use crate::pool::Pool;
use crate::target::Target;
use crate::upstream::Upstream;

/// One core's connections to one provider: to the configured place, and to each place that a connection of a person's is for.
///
/// **Invariant:** a connection is used for the place that it was made to, and for no other: what is pooled is found by its origin.
#[derive(Default)]
pub(crate) struct Pools {
    own: Rc<Pool>,
    others: RefCell<HashMap<Url, Other>>,
}

/// A place, and how to get there.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) pool: Rc<Pool>,
    pub(crate) target: Arc<Target>,
}

struct Other {
    place: Place,
    used: Instant,
}

impl Pools {
    /// The place that the credential is for.
    pub(crate) fn of(&self, upstream: &Upstream, lent: &Lent) -> Result<Place, ProxyError> {
        let Some(origin) = lent.place() else {
            return Ok(Place { pool: self.own.clone(), target: upstream.target.clone() });
        };
        self.at(origin, upstream)
    }

    fn at(&self, origin: &Url, upstream: &Upstream) -> Result<Place, ProxyError> {
        let mut others = self.others.borrow_mut();
        if let Some(other) = others.get_mut(origin) {
            other.used = Instant::now();
            return Ok(other.place.clone());
        }
        let target = Target::new(origin, &upstream.tls, upstream.protocol)
            .map_err(|error| ProxyError::Unreachable(Box::new(error)))?;
        let place = Place { pool: Rc::default(), target: Arc::new(target) };
        // With the place go its idle connections; what is in use ends by itself.
        others.retain(|_, other| other.used.elapsed() < UNUSED);
        if others.len() >= MOST_PLACES
            && let Some(oldest) = others.iter().min_by_key(|(_, other)| other.used).map(|(origin, _)| origin.clone())
        {
            others.remove(&oldest);
        }
        others.insert(origin.clone(), Other { place: place.clone(), used: Instant::now() });
        Ok(place)
    }
}

/// As long as an idle connection is kept.
const UNUSED: Duration = Duration::from_secs(50);
/// Bounds what one core keeps open.
const MOST_PLACES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::tests::upstream;

    #[test]
    fn each_place_has_connections_of_its_own_and_no_more_than_so_many_are_kept() {
        let (pools, upstream) = (Pools::default(), upstream("crm", "https://login.crm.test/v1", None, None));
        let url = |number: usize| Url::parse(&format!("https://t{number}.crm.test")).expect("a URL");
        let (one, two) =
            (pools.at(&url(1), &upstream).expect("a place"), pools.at(&url(2), &upstream).expect("a place"));
        assert!(!Rc::ptr_eq(&one.pool, &two.pool) && !Rc::ptr_eq(&one.pool, &pools.own));
        assert_eq!(
            (one.target.host.as_str(), &one.target.authority),
            ("t1.crm.test", &"t1.crm.test".parse().expect("a value"))
        );
        assert!(Rc::ptr_eq(&one.pool, &pools.at(&url(1), &upstream).expect("a place").pool));
        for number in 0..2 * MOST_PLACES {
            pools.at(&url(number), &upstream).expect("a place");
        }
        assert_eq!(pools.others.borrow().len(), MOST_PLACES);
    }
}
