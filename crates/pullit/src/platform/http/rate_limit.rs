//! So many requests a minute from one client, in bounded memory.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// Clients remembered by one generation. Beyond that the oldest are forgotten: a flood from a million networks costs memory no more, and
/// gains what it has without a limit anyway.
const MOST_CLIENTS: usize = 50_000;

/// Lets each client send so many requests a minute, all at once or spread over it (the generic cell rate algorithm).
#[derive(Debug)]
pub struct RateLimit {
    /// One request is earned in this time. Nothing: no limit.
    interval: Option<Duration>,
    clients: Mutex<Clients>,
}

/// When each client will have earned what it has used. Two generations: a client of neither has earned everything back.
#[derive(Debug, Default)]
struct Clients {
    current: HashMap<IpAddr, Instant>,
    previous: HashMap<IpAddr, Instant>,
    since: Option<Instant>,
}

impl Clients {
    /// Forgets who has not asked for a minute; and before that, when there are too many.
    fn age(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now.saturating_duration_since(since) >= MINUTE || self.current.len() >= MOST_CLIENTS {
            self.previous = std::mem::take(&mut self.current);
            self.since = Some(now);
        }
    }
}

impl RateLimit {
    /// So many requests a minute; 0: no limit.
    pub fn per_minute(requests: u32) -> Self {
        let interval = (requests > 0).then(|| MINUTE / requests);
        let clients = Mutex::default();
        Self { interval, clients }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How long this client has to wait.
    pub fn admit(&self, client: IpAddr, now: Instant) -> Result<(), Duration> {
        let Some(interval) = self.interval else {
            return Ok(());
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.age(now);
        let known = clients.current.get(&client);
        let known = known.or_else(|| clients.previous.get(&client)).copied();
        let earned = known.map_or(now, |at| at.max(now));
        let ahead = earned.duration_since(now) + interval;
        if ahead > MINUTE {
            return Err(ahead - MINUTE);
        }
        clients.current.insert(client, earned + interval);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    #[test]
    fn a_client_sends_a_minutes_worth_at_once_and_then_earns_each_request() {
        let (limit, now) = (RateLimit::per_minute(6), Instant::now());
        for _ in 0..6 {
            limit.admit(client(1), now).unwrap();
        }
        assert_eq!(limit.admit(client(1), now), Err(Duration::from_secs(10)));
        limit.admit(client(2), now).unwrap();
        let later = now + Duration::from_secs(10);
        limit.admit(client(1), later).unwrap();
        assert_eq!(limit.admit(client(1), later), Err(Duration::from_secs(10)));
        // Across a generation what was used is still used.
        let later = now + Duration::from_secs(61);
        for _ in 0..5 {
            limit.admit(client(1), later).unwrap();
        }
        assert!(limit.admit(client(1), later).is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        let (limit, now) = (RateLimit::per_minute(0), Instant::now());
        assert!((0..10_000).all(|_| limit.admit(client(1), now).is_ok()));
    }

    #[test]
    fn a_flood_of_clients_takes_bounded_memory() {
        let (limit, now) = (RateLimit::per_minute(1), Instant::now());
        for n in 0..200_000 {
            limit.admit(client(n), now).unwrap();
        }
        let clients = limit.clients.lock().unwrap();
        assert!(clients.current.len() + clients.previous.len() <= 2 * MOST_CLIENTS);
    }
}
