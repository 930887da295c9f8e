//! Durations as people write them in configuration files.

use std::time::Duration;

use thiserror::Error;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a duration: {why}")]
pub struct DurationError {
    text: String,
    why: String,
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Simple units, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("h", 3_600 * NANOS_PER_SECOND),
    ("d", 86_400 * NANOS_PER_SECOND),
];

/// Reads a duration as Java ShedLock does: a whole number with a unit (`500ms`, `30s`, `9m`, `2h`, `1d`,
/// also `us` and `ns`), or ISO 8601 (`PT10M`, `PT1H30M`, `PT0.5S`, `P1DT2H`). Case does not matter.
///
/// # Errors
/// Says what is wrong, and what was probably meant. Java reads a bare number as milliseconds; here it is
/// refused, because most people mean seconds.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let trimmed = text.trim().to_ascii_lowercase();
    let parsed = match trimmed.strip_prefix('p') {
        Some(iso) => from_iso(iso),
        None => from_simple(&trimmed),
    };
    parsed.and_then(from_nanos).map_err(|why| DurationError {
        text: text.to_owned(),
        why,
    })
}

fn from_nanos(nanos: u128) -> Result<Duration, String> {
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).map_err(|_| too_long())?;
    // A remainder of a division by a thousand million fits.
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).map_err(|_| too_long())?;
    Ok(Duration::new(seconds, rest))
}

fn too_long() -> String {
    "it is too long".to_owned()
}

fn from_simple(text: &str) -> Result<u128, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    if number.is_empty() {
        return Err("it must begin with a number, as in 30s, or with P, as in PT30S".to_owned());
    }
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(format!(
            "it has no unit: write {number}s for seconds or {number}ms for milliseconds"
        ));
    }
    let factor = UNITS.iter().find(|(name, _)| *name == unit);
    let Some((_, factor)) = factor else {
        return Err(match unit.chars().find(char::is_ascii_digit) {
            Some(_) => {
                "a simple duration has one whole number and one unit: write several as PT1H30M"
                    .into()
            }
            None => format!("{unit:?} is no unit: use ns, us, ms, s, m, h or d"),
        });
    };
    number
        .parse::<u128>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(too_long)
}

/// What follows the `P`: days, then `T` and hours, minutes, seconds, each at most once and in this order.
fn from_iso(text: &str) -> Result<u128, String> {
    let (date, time) = match text.split_once('t') {
        Some((_, "")) => return Err("nothing follows the T".to_owned()),
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return Err("nothing follows the P".to_owned());
    }
    if time.is_empty() && date.ends_with(['h', 'm', 's']) {
        return Err(format!(
            "hours, minutes and seconds follow a T: write PT{}",
            date.to_uppercase()
        ));
    }
    let days = from_fields(date, &["d"])?;
    let hours = from_fields(time, &["h", "m", "s"])?;
    days.checked_add(hours).ok_or_else(too_long)
}

fn from_fields(mut text: &str, mut allowed: &[&str]) -> Result<u128, String> {
    let mut total = 0_u128;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, rest) = text.split_at(end.unwrap_or(text.len()));
        let Some(at) = allowed.iter().position(|unit| rest.starts_with(unit)) else {
            return Err("ISO 8601 durations look like P1DT2H30M5.5S".to_owned());
        };
        let unit = allowed[at];
        let factor = UNITS.iter().find(|(name, _)| *name == unit);
        let factor = factor.map_or(0, |(_, factor)| *factor);
        let field = from_number(number, factor, unit == "s")?;
        total = total.checked_add(field).ok_or_else(too_long)?;
        allowed = &allowed[at + 1..];
        text = &rest[unit.len()..];
    }
    Ok(total)
}

fn from_number(number: &str, factor: u128, fraction_allowed: bool) -> Result<u128, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.is_empty() == number.contains('.') || fraction.contains('.') || whole.is_empty() {
        return Err(format!("{number:?} is not a number"));
    }
    if !fraction.is_empty() && !fraction_allowed {
        return Err("only seconds can have a fraction".to_owned());
    }
    if fraction.len() > 9 {
        return Err("a fraction of a second has at most nine digits".to_owned());
    }
    let whole = whole
        .parse::<u128>()
        .ok()
        .and_then(|n| n.checked_mul(factor));
    let nanos = format!("{fraction:0<9}").parse::<u128>().unwrap_or(0);
    whole
        .and_then(|whole| whole.checked_add(if fraction.is_empty() { 0 } else { nanos }))
        .ok_or_else(too_long)
}
