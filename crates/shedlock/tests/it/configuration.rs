//! What a configuration refuses before the database sees it.

use std::time::Duration;

use shedlock::{ConfigurationError as E, LockConfiguration};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_name_has_1_to_64_characters_and_no_nul() {
    let new = |name: &str| LockConfiguration::new(name, MINUTE, Duration::ZERO);
    assert_eq!(new("").unwrap_err(), E::EmptyName);
    assert_eq!(new(&"é".repeat(64)).unwrap().name(), "é".repeat(64));
    let error = new(&"é".repeat(65)).unwrap_err();
    assert!(
        matches!(error, E::NameTooLong { length: 65, .. }),
        "{error:?}"
    );
    assert!(matches!(new("a\0b").unwrap_err(), E::NulInName(_)));
}

#[test]
fn a_lease_is_longer_than_zero_and_shorter_than_a_century() {
    let new = |at_most, at_least| LockConfiguration::new("job", at_most, at_least);
    assert!(matches!(
        new(Duration::ZERO, MINUTE).unwrap_err(),
        E::ZeroLease(_)
    ));
    assert!(matches!(
        new(Duration::MAX, MINUTE).unwrap_err(),
        E::DurationTooLong(_)
    ));
    assert!(matches!(
        new(MINUTE, Duration::MAX).unwrap_err(),
        E::DurationTooLong(_)
    ));
}

#[test]
fn the_at_least_time_may_exceed_the_lease() {
    let config = LockConfiguration::new("job", MINUTE, 10 * MINUTE).unwrap();
    assert_eq!(config.at_most(), MINUTE);
    assert_eq!(config.at_least(), 10 * MINUTE);
}
