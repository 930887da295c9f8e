//! Where events of each type go.

use std::{collections::HashMap, sync::Arc};

use super::row::Claimed;
use crate::{Destination, Event, Projection, RouteError};

/// A route's place among the routes of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RouteId(pub(super) usize);

/// The distinct sets of destinations, and each type's place among them.
#[derive(Clone)]
pub(super) struct Routes {
    routes: Arc<[Vec<Destination>]>,
    by_type: Arc<HashMap<String, RouteId>>,
}

impl Routes {
    /// Collects the destinations of each type. Fails when two destinations have the same name.
    pub(super) fn new(pairs: Vec<(String, Destination)>) -> Result<Self, RouteError> {
        let mut by_name: HashMap<String, Destination> = HashMap::new();
        let mut destinations: HashMap<String, Vec<Destination>> = HashMap::new();
        for (event_type, destination) in pairs {
            let name = destination.name().to_owned();
            let known = by_name
                .entry(name.clone())
                .or_insert_with(|| destination.clone());
            if !known.is_same(&destination) {
                return Err(RouteError::SameName(name));
            }
            let route = destinations.entry(event_type).or_default();
            if !route.iter().any(|other| other.is_same(&destination)) {
                route.push(destination);
            }
        }
        let mut routes: Vec<Vec<Destination>> = Vec::new();
        let mut by_type = HashMap::new();
        for (event_type, route) in destinations {
            let same = |other: &Vec<Destination>| {
                other.len() == route.len() && other.iter().zip(&route).all(|(a, b)| a.is_same(b))
            };
            let place = routes.iter().position(same).unwrap_or(routes.len());
            if place == routes.len() {
                routes.push(route);
            }
            by_type.insert(event_type, RouteId(place));
        }
        Ok(Self {
            routes: routes.into(),
            by_type: Arc::new(by_type),
        })
    }

    /// The route of an event, if its type has one.
    pub(super) fn of(&self, event: &Event) -> Option<RouteId> {
        self.by_type.get(&event.event_type).copied()
    }

    /// The route of a row. One that cannot be read has none.
    pub(super) fn of_claimed(&self, claimed: &Claimed) -> Option<RouteId> {
        match claimed.unreadable {
            None => self.of(&claimed.event),
            Some(_) => None,
        }
    }

    pub(super) fn destinations(&self, route: RouteId) -> &[Destination] {
        &self.routes[route.0]
    }

    /// The projection that a route leads to, if it is the only destination.
    pub(super) fn only_projection(&self, route: RouteId) -> Option<&dyn Projection> {
        only_projection(self.destinations(route))
    }

    /// Whether any type goes to one projection and nowhere else.
    pub(super) fn allow_the_fast_path(&self) -> bool {
        self.routes
            .iter()
            .any(|route| only_projection(route).is_some())
    }
}

fn only_projection(route: &[Destination]) -> Option<&dyn Projection> {
    match route {
        [Destination::Projection(projection)] => Some(projection.as_ref()),
        _ => None,
    }
}
