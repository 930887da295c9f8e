//! Durations as people write them.

use std::time::Duration;

use shedlock::parse_duration;

#[test]
fn simple_and_iso_durations_are_read() {
    for (text, millis) in [
        ("500ms", 500),
        ("30s", 30_000),
        ("9m", 540_000),
        (" 2 H ", 7_200_000),
        ("1d", 86_400_000),
        ("0s", 0),
        ("PT10M", 600_000),
        ("pt1h30m", 5_400_000),
        ("PT0.5S", 500),
        ("P1DT2H3M4.005S", 93_784_005),
        ("P2D", 172_800_000),
    ] {
        let expected = Duration::from_millis(millis);
        assert_eq!(parse_duration(text), Ok(expected), "{text}");
    }
    assert_eq!(parse_duration("7us"), Ok(Duration::from_micros(7)));
    assert_eq!(
        parse_duration("PT0.000000007S"),
        Ok(Duration::from_nanos(7))
    );
}

#[test]
fn what_is_no_duration_is_refused_with_a_hint() {
    for (text, hint) in [
        ("", "must begin with a number"),
        ("-5s", "must begin with a number"),
        ("30", "write 30s for seconds or 30ms"),
        ("30 sec", "\"sec\" is no unit"),
        ("1.5h", "one whole number"),
        ("1h30m", "write several as PT1H30M"),
        ("P", "nothing follows the P"),
        ("PT", "nothing follows the T"),
        ("P1DT", "nothing follows the T"),
        ("P10M", "write PT10M"),
        ("PT-5M", "look like"),
        ("PT5", "look like"),
        ("PTM", "is not a number"),
        ("PT1M2H", "look like"),
        ("PT1.5H", "only seconds"),
        ("PT1.S", "is not a number"),
        ("PT1..5S", "is not a number"),
        ("PT0.0000000001S", "at most nine digits"),
        ("PT99999999999999999999999H", "too long"),
        ("99999999999999999999999999999999999999999d", "too long"),
    ] {
        let error = parse_duration(text).unwrap_err().to_string();
        assert!(error.contains(hint), "{text}: {error}");
        assert!(error.starts_with(&format!("{text:?} is not a duration")));
    }
}
