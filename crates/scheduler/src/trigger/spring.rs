//! Spring's cron grammar: what the parser below us would accept in silence is refused here, with the field named.

use super::TriggerError;

struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    names: &'static [&'static str],
    days: bool,
}

const MONTHS: &[&str] = &[
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const FIELDS: [Field; 6] = [
    Field {
        name: "second",
        min: 0,
        max: 59,
        names: &[],
        days: false,
    },
    Field {
        name: "minute",
        min: 0,
        max: 59,
        names: &[],
        days: false,
    },
    Field {
        name: "hour",
        min: 0,
        max: 23,
        names: &[],
        days: false,
    },
    Field {
        name: "day-of-month",
        min: 1,
        max: 31,
        names: &[],
        days: true,
    },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: MONTHS,
        days: false,
    },
    Field {
        name: "day-of-week",
        min: 0,
        max: 7,
        names: WEEKDAYS,
        days: true,
    },
];

/// The six fields of `expression`, upper-cased, macros expanded; each is known to be readable.
pub(super) fn fields(expression: &str) -> Result<[String; 6], TriggerError> {
    let upper = expression.trim().to_uppercase();
    let expanded = if upper.starts_with('@') {
        expand(&upper)?
    } else {
        &upper
    };
    let parts: Vec<&str> = expanded.split_whitespace().collect();
    let found = parts.len();
    let fields: [String; 6] = parts
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| TriggerError::Fields {
            expression: expression.to_owned(),
            found,
            hint: hint(expression, found),
        })?;
    for (field, text) in FIELDS.iter().zip(&fields) {
        check(field, text).map_err(|problem| TriggerError::Field {
            expression: expression.to_owned(),
            field: field.name,
            text: text.clone(),
            problem,
        })?;
    }
    Ok(fields)
}

fn expand(name: &str) -> Result<&'static str, TriggerError> {
    Ok(match name {
        "@YEARLY" | "@ANNUALLY" => "0 0 0 1 1 *",
        "@MONTHLY" => "0 0 0 1 * *",
        "@WEEKLY" => "0 0 0 * * 0",
        "@DAILY" | "@MIDNIGHT" => "0 0 0 * * *",
        "@HOURLY" => "0 0 * * * *",
        _ => return Err(TriggerError::Macro(name.to_lowercase())),
    })
}

fn hint(expression: &str, found: usize) -> String {
    match found {
        5 => format!("put the second first, as in `0 {}`", expression.trim()),
        7 => "there is no year field; leave it out".to_owned(),
        _ => "as in `0 */10 * * * *`".to_owned(),
    }
}

fn check(field: &Field, text: &str) -> Result<(), String> {
    text.split(',').try_for_each(|part| check_part(field, part))
}

fn check_part(field: &Field, part: &str) -> Result<(), String> {
    if part.is_empty() {
        return Err("has an empty part in its list".to_owned());
    }
    if field.days && is_day_rule(field, part)? {
        return Ok(());
    }
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    if let Some(step) = step {
        let span = field.max - field.min;
        match step.parse::<u32>() {
            Ok(step) if (1..=span).contains(&step) => {}
            _ => return Err(format!("steps by `{step}`, which must be 1 to {span}")),
        }
    }
    match range {
        "*" => Ok(()),
        "?" if field.days => Ok(()),
        _ => match range.split_once('-') {
            Some((from, to)) => {
                let (low, high) = (value(field, from)?, value(field, to)?);
                if low <= high {
                    Ok(())
                } else {
                    Err(format!("has the range `{range}` backwards"))
                }
            }
            None => value(field, range).map(|_| ()),
        },
    }
}

/// `L`, `LW`, `15W` of the month's days; `5L`, `MON#1` of the week's.
fn is_day_rule(field: &Field, part: &str) -> Result<bool, String> {
    let monthly = field.names.is_empty();
    if monthly && (part == "L" || part == "LW") {
        return Ok(true);
    }
    if monthly && part.starts_with("L-") {
        return Err("counts back from the last day, which is not supported".to_owned());
    }
    if let Some(day) = part.strip_suffix('W').filter(|_| monthly) {
        return value(field, day).map(|_| true);
    }
    if let Some(day) = part
        .strip_suffix('L')
        .filter(|day| !monthly && !day.is_empty())
    {
        return value(field, day).map(|_| true);
    }
    if let Some((day, nth)) = part.split_once('#').filter(|_| !monthly) {
        value(field, day)?;
        return match nth.parse::<u32>() {
            Ok(1..=5) => Ok(true),
            _ => Err(format!(
                "asks for occurrence `{nth}` of a weekday, which must be 1 to 5"
            )),
        };
    }
    Ok(false)
}

fn value(field: &Field, text: &str) -> Result<u32, String> {
    if let Some(at) = field.names.iter().position(|name| *name == text) {
        return Ok(field.min + at as u32);
    }
    text.parse::<u32>()
        .ok()
        .filter(|n| (field.min..=field.max).contains(n) && text.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| {
            let names = if field.names.is_empty() {
                String::new()
            } else {
                format!(
                    " or {}..{}",
                    field.names[0],
                    field.names[field.names.len() - 1]
                )
            };
            format!(
                "has `{text}`, which must be {} to {}{names}",
                field.min, field.max
            )
        })
}
